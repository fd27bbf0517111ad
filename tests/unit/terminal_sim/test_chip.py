"""The simulated chip against its issuer: cryptograms worked out on psec, by EMV book 2 (tests.support.chip)."""

from __future__ import annotations

import pytest

from specs.operation import Card, Entry
from terminal_sim import chipcard
from terminal_sim.moves import Balance, End, Sale, SignOn
from terminal_sim.when import moment
from tests.support import chip
from tests.support.till import CARD, Till, agree

EACH = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
CHIP = Card(CARD.pan, CARD.expiry, entry=Entry.CHIP)
STRANGER = Card("6200000000000005", "3012", entry=Entry.CHIP)
"""A test card without a chip key."""


def ready(dialect: str) -> Till:
    till = Till(dialect)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    return till


def issuer(request: bytes) -> bytes:
    """DE 55 of an approval by the issuer of CHIP."""
    return chip.build({"91": chip.arpc(CHIP.pan, request, "00") + b"00"})


def stranger_issuer(request: bytes) -> bytes:
    """One byte of the ARPC is another."""
    arpc = chip.arpc(CHIP.pan, request, "00")
    return chip.build({"91": bytes([arpc[0] ^ 1]) + arpc[1:] + b"00"})


@EACH
def test_the_card_asks_with_its_cryptogram_and_checks_its_issuer(dialect: str) -> None:
    till = ready(dialect)
    till.host.chip = issuer
    assert till.press(Sale(100, CHIP)).end is End.APPROVED
    (row,) = till.memory.rows
    asked = chip.tags(bytes.fromhex(till.host.sent("0200")[-1][55]))
    assert asked["9F26"] == chip.arqc(CHIP.pan, asked)
    assert (asked["9F02"].hex(), asked["9A"].hex(), asked["9F27"]) == ("000000000100", "261121", b"\x80")
    assert (asked["9F36"], asked["84"].hex()) == (int(row.stan).to_bytes(2, "big"), "a000000333010102")
    assert (row.chip_end, chip.tags(bytes.fromhex(row.chip))["9F27"]) == ("tc", b"\x40")
    assert not any("cryptogram" in line for line in till.screen.lines)


@EACH
def test_a_wrong_arpc_is_told_and_the_sale_stands(dialect: str) -> None:
    """flows.md 2: a pure ARPC error with TC: approved, and told in the upload."""
    till = ready(dialect)
    till.host.chip = stranger_issuer
    result = till.press(Sale(100, CHIP))
    assert result.end is End.APPROVED
    assert "could not prove itself" in result.text
    assert till.memory.rows[0].chip_end == "arpc-wrong"


def test_the_arpc_is_over_the_code_that_de_39_says() -> None:
    request = chip.request(CHIP.pan, 100)
    answer = chip.build({"91": chip.arpc(CHIP.pan, request, "10") + b"10"})
    said = [chipcard.card_says(CHIP, request, answer, code).value for code in ("10", "00")]
    assert said == ["tc", "arpc-wrong"]


@EACH
def test_a_card_that_is_to_refuse_does_so_whatever_its_issuer_says(dialect: str) -> None:
    """FC 80: the reversal goes at once, and no row that counts stays."""
    till = ready(dialect)
    till.host.chip = issuer
    result = till.press(Sale(100, CHIP, chip_refuses=True))
    assert (result.end, result.exit_code) == (End.DECLINED, 1)
    assert "declined by the card" in result.text
    assert till.memory.pending is None
    assert till.screen.slips == []
    (reversal,) = [m for m in till.host.seen if m.mti.startswith("04")]
    assert reversal.get(39) == (None if dialect == "nac" else "06")  # nac.md has no reason in a 0400
    agree(till)


def test_a_card_without_a_key_is_told_on_the_screen() -> None:
    till = ready("cup")
    assert till.press(Sale(100, STRANGER)).end is End.APPROVED
    assert [line for line in till.screen.lines if "nobody can check its cryptogram" in line]


def test_a_balance_inquiry_says_what_it_is() -> None:
    till = ready("iso87")
    assert till.press(Balance(CHIP)).end is End.APPROVED
    asked = chip.tags(bytes.fromhex(till.host.seen[-1][55]))
    assert (asked["9C"], asked["9F02"].hex()) == (b"\x31", "000000000000")
    assert asked["9F26"] == chip.arqc(CHIP.pan, asked)


def test_the_same_transaction_gives_the_same_cryptogram_and_the_next_another() -> None:
    at = moment("2026-11-21T09:30:15+08:00")
    first, again, later = (chipcard.arqc_data(CHIP, 100, stan, at) for stan in ("000007", "000007", "000008"))
    assert first == again != later
    cash = chipcard.arqc_data(CHIP, 300, "000007", at, currency="840", cash=100, kind="09")
    assert cash is not None
    found = chip.tags(cash)
    assert (found["5F2A"].hex(), found["9F03"].hex(), found["9C"]) == ("0840", "000000000100", b"\x09")


def test_nothing_shows_a_key_or_a_number() -> None:
    till = ready("cup")
    till.press(Sale(100, CHIP))
    shown = repr(till.host.seen[-1]) + repr(chipcard._key(CHIP)) + "".join(till.screen.lines)
    assert CHIP.pan not in shown
    assert chip.IMK.hex().upper() not in shown.upper()
