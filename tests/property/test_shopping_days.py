"""Shopping days in every dialect and under both capture profiles: both books are equal, A1-A14 and E1, E2, E6 hold.

First one day by hand in which every order of the dialect is taken. Then days drawn at random from all that people at
the till and at the host may do; a failure is shrunk and printed as a call of `shop` that plays it again. Last, that a
seed gives the same days, and a day the same bytes and books.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import structlog
from hypothesis import given, note, settings

from specs.operation import Kind
from terminal_sim.moves import Download, Echo, End, SendStored, Settle, SignOff, SignOn
from tests.support.shopping import (
    Collect,
    GiveBack,
    Increase,
    Release,
    Reserve,
    Retotal,
    SellOffline,
    Tip,
    call_of,
    shop,
)
from tests.support.shopping_days import CAPTURES, DIALECTS, days, digests, signed_on
from tests.support.two_books import Act, HostAsks, Inquire, Meddle, Sell, Step, Void, Wait

DAYS = int(os.environ.get("CLOSEOUT_DAYS", "0")) or 20
"""Days drawn in each dialect, half of them under each capture profile; `make days` plays 500."""
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The host's log of hundreds of days is no news here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


_MORNING: tuple[Act, ...] = (
    *(SignOn(), Echo(), Inquire(), Sell(10_000), Sell(5_000, "foreign1", "chip"), Sell(700, "qr1", "qr")),
    *(Void(1), Reserve(20_000), Collect(0, 115), Void(3), Collect(0, 90), Reserve(500), Release(0)),
    *(Reserve(3_000, "foreign2", "tap"), Collect(0, 100, advice=True), SellOffline(4_000), Tip(0, 10)),
    *(Sell(800), Retotal(5, 150), SendStored(), GiveBack(0, 50), Settle()),
)
_AFTERNOON: Mapping[str, tuple[Act, ...]] = {
    "cup": (
        *(Sell(900, "debit1", "swipe", "123456"), Reserve(100), Increase(0, 50), Collect(0), GiveBack(4, 100, "rrn")),
        *(Download("parameters"), Download("ca-keys"), Download("ic-parameters"), Download("status"), HostAsks("1")),
        *(SellOffline(77, "foreign1", "chip"), Sell(5_500, "partial"), Settle(), SignOff()),
    ),
    "nac": (
        *(Sell(5_500, cash=5_000), Sell(1_100, tip=100), GiveBack(0, 40, "card"), Void(2)),
        *(GiveBack(3, 10, "rrn"), Sell(5_500, "partial"), Settle()),
    ),
    "iso87": (
        *(Sell(5_500, cash=5_000), Sell(1_100, tip=100), GiveBack(0, 40, "card"), Void(2)),
        *(Reserve(100), Increase(0, 50), Collect(0), Sell(5_500, "partial"), Settle(), SignOff()),
    ),
}
_ALWAYS = {
    *(Kind.BALANCE, Kind.SALE, Kind.VOID, Kind.REFUND, Kind.PRE_AUTH, Kind.PRE_AUTH_VOID, Kind.COMPLETION),
    *(Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE, Kind.TIP, Kind.ADJUST),
}
_OWN = {
    "cup": {Kind.PRE_AUTH_INCREMENT, Kind.COMPLETION_VOID},  # elsewhere 02 voids a completion as it voids a sale
    "nac": {Kind.CASH_BACK},
    "iso87": {Kind.CASH_BACK, Kind.PRE_AUTH_INCREMENT},
}


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_day_with_every_order_of_the_dialect(dialect: str, capture: str) -> None:
    """Each is taken, and each settlement agrees."""
    deeds = (*_MORNING, *_AFTERNOON[dialect])
    world = shop(dialect, capture, deeds)
    ends = [(deed, result.end, result.text) for deed, result in zip(deeds, world.results, strict=False) if result]
    good = (End.APPROVED, End.PARTIAL, End.OK, End.AGREED)
    assert [said for said in ends if said[1] not in good] == []
    approved = {Kind(txn.kind) for txn in world.host.books().txns if txn.rrn and txn.response_code in ("00", "10")}
    assert approved == _ALWAYS | _OWN[dialect]


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_whatever_day_it_is_both_books_are_equal(dialect: str, capture: str) -> None:
    @settings(max_examples=-(-DAYS // len(CAPTURES)))
    @given(days(dialect))
    def play(steps: list[Step]) -> None:
        note(call_of(dialect, capture, steps))
        shop(dialect, capture, steps)

    play()


# ---- what was found once


@pytest.mark.parametrize("entry", ["chip", "manual"])
def test_an_offline_sale_is_not_approved_in_part(entry: str) -> None:
    """A chip's is a request in CUP: the card was debited 50.00, the terminal took the 10 for a refusal."""
    world = shop("cup", "HC", [SignOn(), SellOffline(7_000, "partial", entry), Settle()])
    assert not any(account.debited == 5_000 for account in world.host.books().accounts)


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_reversal_of_a_lost_void_leaves_the_adjustment_of_its_sale(capture: str) -> None:
    """NAC writes both with the same DE 3, 4 and 62: the adjustment was reversed, the merchant lost the sale."""
    void = Step(Void(0), wire=("deliver", "drop-request"))
    world = shop("nac", capture, [Sell(100), Retotal(0, 50), void, Settle()])
    assert not any(txn.kind == Kind.ADJUST and txn.state == "reversed" for txn in world.host.books().txns)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_void_takes_every_tip_of_its_sale(dialect: str) -> None:
    """The first of two stayed live at the terminal, and was voided at the host."""
    shop(dialect, "HC", [*signed_on(dialect), Sell(100), Tip(0, 10), Tip(0, 20), Void(0), Settle()])


def test_what_a_renumbered_batch_uploads_is_on_the_list() -> None:
    """The checker looked for it under the number that the batch had before the cutoff."""
    shop("nac", "HC", [Sell(1), Meddle("phantom"), Wait(100_000.0), Sell(1)])


@pytest.mark.parametrize("capture", CAPTURES)
def test_a_day_of_reservations_alone_is_no_settlement_day(capture: str) -> None:
    """ISO 87: its zeros were compared with the next day's sale, and the batch closed with exceptions."""
    shop("iso87", capture, [Reserve(1), Wait(100_000.0), Sell(1)])


# ---- once more


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_seed_gives_the_same_days_and_a_day_the_same_bytes_and_books(dialect: str) -> None:
    """Twice here, and in another process that orders its sets in another way."""
    here = digests(dialect, "HC", SEED, REPLAYED)
    assert here == digests(dialect, "HC", SEED, REPLAYED)
    assert len(set(here)) == REPLAYED
    command = [sys.executable, "-m", "tests.support.shopping_days", dialect, "HC", str(SEED), str(REPLAYED)]
    for hash_seed in ("1", "2"):
        elsewhere = {**os.environ, "PYTHONHASHSEED": hash_seed}
        said = subprocess.run(
            command, cwd=ROOT, env=elsewhere, capture_output=True, text=True, check=False, timeout=120
        )
        assert said.returncode == 0, said.stderr[-3000:]
        assert said.stdout.split() == here


SEED, REPLAYED = 7, 4
