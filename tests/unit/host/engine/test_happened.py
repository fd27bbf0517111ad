"""A chip's offline sale comes as a CUP request (0200, 60.1 = 36) and has happened all the same: never «later» or 22.

Expected: rules.md sections 2 (RH2, 12 to an advice), 4 (an advice of a closed number) and 8 (the issuer is away). The
terminal keeps the sale until it has an answer, and takes 94 for «delivered».
"""

from __future__ import annotations

from typing import Any

import pytest

from host.engine.events import CloseBatch
from specs.operation import Kind
from terminal_sim.moves import SignOn
from tests.support.engine import CUP, TID
from tests.support.money import MoneyDesk, a_desk
from tests.support.shopping import SellOffline
from tests.support.two_books import HostFault, Sell, Step, run


def chip_sale(desk: MoneyDesk, stan: int, amount: int, **changes: Any) -> str:
    return desk.do(Kind.OFFLINE_SALE, stan, amount, advice=False, **changes)


@pytest.mark.parametrize("away", ["down", "deaf"])
def test_the_issuer_is_away(away: str) -> None:
    desk = a_desk(CUP)
    desk.bank.mode = away
    said = chip_sale(desk, 1, 10_000)
    if said == "waits":
        desk.later(seconds=20)
        said = desk.silence()[0].code
    assert (said, desk.states(1), desk.payable()) == ("00", ["captured"], 10_000)


def test_of_a_number_that_the_host_has_closed_it_is_carried() -> None:
    desk = a_desk(CUP)
    assert desk.do(Kind.SALE, 1, 100) == "00"
    closed = desk.txn(1)
    desk.decide(CloseBatch(closed.batch_id, TID, "back office"))
    assert chip_sale(desk, 2, 10_000, batch=closed.wire_batch) == "00"
    assert (desk.txn(2).carried, desk.payable()) == (True, 10_100)


def test_with_other_content_it_is_12_and_not_94() -> None:
    desk = a_desk(CUP)
    assert chip_sale(desk, 1, 10_000) == "00"
    assert chip_sale(desk, 1, 9_000) == "12"


def test_a_terminal_is_not_told_for_ever_that_the_issuer_was_silent() -> None:
    """Found at random: the commit of the outcome found no room, 98 was stored, and no settlement could close."""
    day = [Step(SignOn()), Step(SellOffline(7_000, entry="swipe")), Step(SellOffline(100, entry="chip"))]
    fault = HostFault("commit", "before", 4, "full")
    run("cup", [*day, Step(Sell(100, "foreign2", "chip"), host=fault)])
