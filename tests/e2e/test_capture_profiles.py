"""What a lost journal costs whom, under each capture profile (rules.md, section 9), from the terminal's keys to what
the card and the shop have at the end.

A shop sells for 100.00 and 40.00 on a card with 200.00; then the terminal's journal is gone before it has settled: its
rows alone, so that it settles an empty batch, or the whole flash, so that it begins anew (CUP: the host sees it at the
sign-on, and closes the batch). HC: an approval is the capture. TC: only the settlement captures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from terminal_sim.cards import card_from
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.moves import Balance, End, Sale, Settle, SignOn
from tests.e2e.conftest import HostCommand
from tests.support.tcp_till import TcpTill

pytestmark = pytest.mark.e2e

FUNDS, FIRST, SECOND = 20_000, 10_000, 4_000
CARDS = {
    ("cup", "rows"): "6217000000000097",
    ("nac", "rows"): "6217000000000105",
    ("cup-tc", "rows"): "6217000000000113",
    ("nac-tc", "rows"): "6217000000000121",
    ("cup", "flash"): "6217000000000139",
    ("cup-tc", "flash"): "6217000000000147",
}
"""One for each day, (dialect, what is lost)."""
CARD = '[[card]]\nname = "of-{name}"\npan = "{pan}"\nexpiry = "3012"\nclass = "debit"\nbalance = 20000\n'
DIALECT = 'extends = "{base}"\ntitle = "{base}, captured at the settlement"\n[profile]\ncapture = "TC"\n'


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    folder = tmp_path_factory.mktemp("capture")
    config = folder / "closeout.toml"
    config.write_text("\n".join(CARD.format(name="-".join(day), pan=pan) for day, pan in CARDS.items()), "utf-8")
    options = ["--config", str(config), "--log-level", "warning"]
    for base in ("cup", "nac"):
        file = folder / f"{base}-tc.toml"
        file.write_text(DIALECT.format(base=base), "utf-8")
        options += ["--listen", f"{file}://127.0.0.1:0"]
    with HostProcess(folder, dialects=("cup", "nac"), options=options) as running:
        yield running


def url(host: HostProcess, name: str) -> str:
    """A user's dialect is dialled by its file, as the host listens by it."""
    spoken = name if "-" not in name else str(host.folder / f"{name}.toml")
    return f"{spoken}://127.0.0.1:{host.listening.ports[name]}"


def available(till: TcpTill, pan: str) -> int:
    """What the card still has, asked over the line."""
    found = till.press(Balance(card_from(pan, "swipe")))
    assert found.end is End.APPROVED, found
    assert found.amount is not None
    return found.amount


def sell_and_lose_the_journal(host: HostProcess, name: str, lost: str) -> TcpTill:
    """Two sales, then nothing in the terminal; what a shop then does: settle, or begin anew with a sign-on."""
    pan = CARDS[name, lost]
    till = TcpTill(url(host, name), f"L{lost[0]}{name}".upper().ljust(8, "0"), mid=f"{lost}{name}".rjust(15, "0"))
    card = card_from(pan, "swipe")
    with till.sign_on():
        assert available(till, pan) == FUNDS
        assert [till.press(Sale(amount, card)).end for amount in (FIRST, SECOND)] == [End.APPROVED] * 2
        assert available(till, pan) == FUNDS - FIRST - SECOND, "HC debits, TC holds: gone for the cardholder"
        if lost == "flash":
            till.wipe()
            assert till.press(SignOn()).end is End.OK
            available(till, pan)  # its next number tells the host that it has begun anew, and was not only late
        else:
            till.lose_rows()
            assert till.press(Settle()).end is End.NOT_AGREED
        till.hand_over(host.api)
    return till


def sales(host: HostProcess, till: TcpTill) -> list[dict[str, Any]]:
    found = [t for t in host.api.items("/transactions", tid=till.tid) if t["kind"] == "sale"]
    return [host.api.get(f"/transactions/{t['id']}") for t in found]


def moved(transactions: list[dict[str, Any]], book: str, account: str) -> int:
    """What an account of a book has from them."""
    postings = [p for t in transactions for p in t["money"]]
    return sum(p["amount"] for p in postings if p["book"] == book and p["account"].startswith(account))


def lost_batch(host: HostProcess, till: TcpTill) -> dict[str, Any]:
    (first, *_) = host.api.items("/batches", tid=till.tid)
    return host.api.get(f"/batches/{first['id']}")


def listed(batch: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Its exceptions: why, what the host has, what the terminal has."""
    return [(e["reason"], e["host_amount"], e["terminal_amount"]) for e in batch["exceptions"]]


@pytest.mark.parametrize("name", ["cup", "nac"])
def test_hc_debits_the_cardholder_pays_the_merchant_and_flags_it(name: str, host: HostProcess) -> None:
    """Nobody loses: the host's books are paid, and the exceptions say that the shop has no slip for them."""
    till = sell_and_lose_the_journal(host, name, "rows")
    _all_is_paid(host, till, CARDS[name, "rows"])
    batch = lost_batch(host, till)
    assert batch["state"] == "closed-with-exceptions"
    assert listed(batch) == [("host-only", FIRST, 0), ("host-only", SECOND, 0)]


def test_hc_pays_what_a_reflashed_terminal_has_forgotten(host: HostProcess) -> None:
    """The host closes the batch from its own books and says why; nothing was ever compared."""
    till = sell_and_lose_the_journal(host, "cup", "flash")
    _all_is_paid(host, till, CARDS["cup", "flash"])
    batch = lost_batch(host, till)
    assert (batch["state"], batch["totals"]["terminal"]) == ("closed-with-exceptions", None)
    assert "reset" in batch["forced"]


def _all_is_paid(host: HostProcess, till: TcpTill, pan: str) -> None:
    found = sales(host, till)
    assert [(t["state"], t["settlement"]) for t in found] == [("captured", "settled")] * 2
    assert moved(found, "issuer", "cardholder:") == FIRST + SECOND
    assert -moved(found, "acquirer", "merchant") == FIRST + SECOND
    with till.sign_on():
        assert available(till, pan) == FUNDS - FIRST - SECOND


@pytest.mark.parametrize(("name", "lost"), [("cup-tc", "rows"), ("nac-tc", "rows"), ("cup-tc", "flash")])
def test_tc_captures_nothing_lets_the_card_go_and_the_merchant_loses(name: str, lost: str, host: HostProcess) -> None:
    """The goods are gone and nothing is paid for them; the cardholder has all of the money again."""
    till = sell_and_lose_the_journal(host, name, lost)
    found = sales(host, till)
    assert [(t["state"], t["settlement"]) for t in found] == [("expired", "exception")] * 2
    assert moved(found, "issuer", "cardholder:") == 0
    assert moved(found, "acquirer", "merchant") == 0
    batch = lost_batch(host, till)
    assert batch["state"] == "closed-with-exceptions"
    assert listed(batch) == [("host-only", FIRST, 0), ("host-only", SECOND, 0)]
    with till.sign_on():
        assert available(till, CARDS[name, lost]) == FUNDS


@pytest.mark.parametrize("name", ["cup-tc", "nac-tc"])
def test_tc_captures_at_a_settlement_that_agrees(name: str, host: HostProcess) -> None:
    """The other side of it: settled, the same sale is paid. An ordinary card without a limit."""
    with TcpTill(url(host, name), f"KEPT{name[:3].upper()}0", mid=f"kept-{name:0>10}") as till:
        till.sign_on()
        assert till.press(Sale(FIRST, card_from("credit1", "swipe"))).end is End.APPROVED
        (before,) = sales(host, till)
        assert (before["state"], moved([before], "acquirer", "merchant")) == ("authorised", 0)
        assert till.press(Settle()).end is End.AGREED
        till.hand_over(host.api)
    (after,) = sales(host, till)
    assert (after["state"], after["settlement"]) == ("captured", "settled")
    assert -moved([after], "acquirer", "merchant") == moved([after], "issuer", "cardholder:") == FIRST


def test_every_difference_has_its_reason(host: HostProcess, acquirer_host: HostCommand) -> None:
    """HC leaves sales that are paid and of which the shop knows nothing; each stands there with its exception."""
    ended = acquirer_host("audit", "--api", host.api.base)
    assert ended.returncode == 0
    first, *rest = ended.stdout.splitlines()
    assert first == "the books are right: every invariant holds"
    explained = [line.split() for line in rest if "sale" in line.split()]
    assert [(row[3], row[-1]) for row in explained] == [(str(a), "host-only") for a in (FIRST, SECOND)] * 2
