"""What a refusal says of itself: the MAC that was expected, whose key it would fit. Figures: security.md, 3 and 4."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from host.engine.context import Settings
from host.engine.events import MacEvidence, Remark
from host.rows import Merchant, Terminal
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, MID, NAC, TID, Desk, a_request, code

MAB = bytes.fromhex(
    "0200302004C020C0981100000000000001000000012302100012376223164991230014D301220100000123456780313233343536373831"
    "3233343536373839303132333435313536F5D4AEDECBD608332600000000000000001322000001000500"
)
MAK, DOUBLE = "1C2A3B4C5D6E7F80", "1C2A3B4C5D6E7F80F1E2D3C4B5A69788"
ECB, X99, X919 = b"9102B657".hex().upper(), "3D709EE5C24B1848", "1D946194D6681588"
OTHER = "89B07B35A1B3F47E"


def remark(profile: Profile, received: str | None, **keys: Any) -> tuple[str, Remark]:
    """DE 39, and what is said of the MAC."""
    desk = Desk(profile, settings=Settings(provisioning="strict"))
    row = Terminal(1, TID, MID, "any", "config", True, "", "", "", "", "", 1, "", "", "156")
    desk.books.apply([replace(row, **keys), Merchant(1, MID, "Tea House", "156", "config")])
    evidence = MacEvidence(MAB, bytes.fromhex(received) if received is not None else None, required=True)
    outcome = desk.send(a_request(Kind.SALE, profile, stan=1, amount=10_000, mac=evidence))
    (said,) = (note for note in desk.last.notes if isinstance(note, Remark))
    return code(outcome), said


SIGNING = {name: replace(CUP, mac=name) for name in ("cup-ecb", "x9.9", "x9.19")}


def test_expected_got_and_the_check_value() -> None:
    told, said = remark(SIGNING["cup-ecb"], "00" * 8, mak=MAK)
    assert (told, said) == ("A0", Remark(64, ECB, "00" * 8, "check value of the key D07D8D03"))


@pytest.mark.parametrize(
    ("mac", "received", "key", "words"),
    [
        ("cup-ecb", X919, DOUBLE, "would fit X9.19 under the MAK (check value 862FE9BB)"),
        ("x9.19", ECB, DOUBLE, "would fit the CUP ECB MAC under the MAK (check value 862FE9BB)"),
        ("cup-ecb", X99, MAK, "would fit X9.9 under the MAK (check value D07D8D03)"),
        (
            "cup-ecb",
            X99[:8].encode().hex().upper(),
            MAK,
            "would fit X9.9 as ASCII under the MAK (check value D07D8D03)",
        ),
        ("x9.19", X99, DOUBLE, "would fit the CUP CBC MAC under the MAK (check value 862FE9BB)"),
    ],
)
def test_the_algorithm_that_would_fit(mac: str, received: str, key: str, words: str) -> None:
    told, said = remark(SIGNING[mac], received, mak=key)
    assert told == "A0"
    assert said.more.split("; ")[1:] == [words]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"spent_mak": MAK}, "under an earlier MAK (1 sign-on ago) (check value D07D8D03)"),
        ({"pik": DOUBLE}, "under the PIN key (check value 862FE9BB)"),
        ({"tmk": DOUBLE}, "under the master key (check value 862FE9BB)"),
    ],
)
def test_the_key_that_would_fit(where: dict[str, str], words: str) -> None:
    told, said = remark(SIGNING["cup-ecb"], ECB, mak=OTHER, **where)
    assert told == "A0"
    assert said.more.endswith(f"would fit the CUP ECB MAC {words}")


def test_what_fits_nothing_is_not_said_to_fit() -> None:
    _, said = remark(SIGNING["cup-ecb"], "0123456789ABCDEF", mak=MAK, spent_mak=OTHER, tmk=DOUBLE, pik=DOUBLE)
    assert "would fit" not in said.more


def test_no_key_is_ever_shown() -> None:
    for received in (ECB, X99, X919, None):
        _, said = remark(SIGNING["cup-ecb"], received, mak=OTHER, spent_mak=MAK, tmk=DOUBLE, pik=DOUBLE)
        text = repr(said).upper()
        assert not [key for key in (MAK, OTHER, DOUBLE, DOUBLE[16:]) if key in text]


def test_a_missing_mac_has_nothing_to_compare_with() -> None:
    told, said = remark(SIGNING["cup-ecb"], None, mak=MAK)
    assert (told, said.expected, said.got) == ("A0", "a MAC by cup-ecb", "none")


def test_the_other_families_say_63() -> None:
    told, said = remark(replace(NAC, mac="x9.9"), X919, mak=MAK)
    assert (told, said.expected) == ("63", X99)


def test_the_key_before_is_remembered_when_the_new_one_is_used() -> None:
    """Then it verifies nothing any more (FC 23), but a terminal that still has it can be told so."""
    profile = SIGNING["cup-ecb"]
    desk = Desk(profile, settings=Settings(provisioning="strict"))
    row = Terminal(1, TID, MID, "any", "config", True, "", "", MAK, "", OTHER, 1, "", "", "156")
    desk.books.apply([row, Merchant(1, MID, "Tea House", "156", "config")])
    good = MacEvidence(MAB, b"9102B657", required=True)
    assert code(desk.send(a_request(Kind.SALE, profile, stan=1, amount=100, mac=good))) == "00"
    after = desk.books.terminal(TID)
    assert after is not None
    assert (after.old_mak, after.spent_mak) == ("", OTHER)
