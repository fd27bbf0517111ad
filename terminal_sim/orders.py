"""Which jobs an order becomes, or why the terminal itself refuses it: tables, no states.

Source: flows.md sections 2 and 11 (order before an online transaction, limits), rules.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from terminal_sim.jobs import void
from terminal_sim.moves import Balance, Echo, Job, Order, Reverse, Sale, Settle, SignOff, SignOn, Void
from terminal_sim.state import ROWS_MAX, Memory
from terminal_sim.wire import Wire

AMOUNT_MAX = 10**12 - 1
"""DE 4 has twelve digits."""

NOT_OFFERED: Mapping[str, tuple[type[Order], ...]] = {"nac": (SignOn, SignOff, Balance)}
"""What a family has no message for (nac.md section 4: keys are set up by hand, and 990000 is the echo)."""

Check = Callable[[Memory, Wire, Order], str]


def _offered(memory: Memory, wire: Wire, order: Order) -> str:
    return f"{wire.dialect.name} has no such transaction" if type(order) in NOT_OFFERED.get(wire.name, ()) else ""


def _signed_on(memory: Memory, wire: Wire, order: Order) -> str:
    if wire.profile.requires_sign_on and not memory.signed_on:
        return "not signed on: sign on first 请先签到"
    return ""


def _not_settling(memory: Memory, wire: Wire, order: Order) -> str:
    return "a settlement is not finished: settle first 请先结算" if memory.settlement else ""


def _room(memory: Memory, wire: Wire, order: Order) -> str:
    return "journal full: settle first 交易笔数已满，请结算" if len(memory.rows) >= ROWS_MAX else ""


def _amount(memory: Memory, wire: Wire, order: Order) -> str:
    assert isinstance(order, Sale)
    return "" if 0 < order.amount <= AMOUNT_MAX else "an amount is 1 to 999999999999 minor units"


def _voidable(memory: Memory, wire: Wire, order: Order) -> str:
    assert isinstance(order, Void)
    return void.refusal(memory, order)


CHECKS: Mapping[type[Order], tuple[Check, ...]] = {
    SignOn: (_offered,),
    SignOff: (_offered, _signed_on, _not_settling),
    Echo: (),
    Balance: (_offered, _signed_on, _not_settling),
    Sale: (_amount, _not_settling, _signed_on, _room),
    Void: (_not_settling, _signed_on, _room, _voidable),
    Settle: (_signed_on,),
}


def refusal(memory: Memory, wire: Wire, order: Order) -> str:
    """Why the terminal itself says no, "" when it may go to the host."""
    return next((why for check in CHECKS[type(order)] if (why := check(memory, wire, order))), "")


def plan(memory: Memory, order: Order) -> tuple[Job, ...]:
    """RT3: what is owed goes before anything else that goes to the host.

    A sign-on is the exception that proves it: a reversal refused for its keys (A0) needs new keys first, so there it is
    tried before, when signed on, and again after.
    """
    if memory.pending is None:
        return (order,)
    if isinstance(order, SignOn):
        before = (Reverse(lenient=True),) if memory.signed_on else ()
        return (*before, order, Reverse(lenient=True))
    return (Reverse(), order)
