"""Which jobs an order becomes, or why the terminal itself refuses it: tables, no states.

Source: flows.md sections 2 and 11 (order before an online transaction, limits), rules.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from specs.errors import SecurityError
from specs.security import PIN_DIGITS_MAX, PIN_DIGITS_MIN
from terminal_sim import operators
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.jobs import complete, download, offline, preauth, refund, sale, service, stored, void
from terminal_sim.moves import (
    Adjust,
    Balance,
    ClearReversal,
    Complete,
    Download,
    Echo,
    ForceSettle,
    Job,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Reverse,
    Sale,
    SendCertificates,
    SendScript,
    SendStored,
    Settle,
    SignOff,
    SignOn,
    Void,
)
from terminal_sim.state import Memory
from terminal_sim.wire import Wire

AMOUNT_MAX = 10**12 - 1
"""DE 4 has twelve digits."""

NOT_OFFERED: Mapping[str, tuple[type[Order], ...]] = {"nac": (SignOff, Download), "iso87": (Download,)}
"""What a family has no message for (nac.md section 4, iso87.md section 3)."""

Check = Callable[[Memory, Wire, Order, Firmware], str]
T = TypeVar("T")


def _offered(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    return f"{wire.dialect.name} has no such transaction" if type(order) in NOT_OFFERED.get(wire.name, ()) else ""


def _signed_on(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    if wire.profile.requires_sign_on and not memory.signed_on:
        return "not signed on: sign on first 请先签到"
    return ""


def _not_settling(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    return "a settlement is not finished: settle first 请先结算" if memory.settlement else ""


def _row_left(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    full = firmware.full_refuses and len(memory.rows) >= memory.config.rows_max
    return "journal full: settle first 交易笔数已满，请结算" if full else ""


def _sum_fits(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    # Totals on the wire have twelve digits too: what does not fit there could never be settled.
    whole = sum(row.amount for row in memory.rows) + (getattr(order, "amount", None) or 0)
    return "the batch's totals would not fit the settlement: settle first 请先结算" if whole > AMOUNT_MAX else ""


def _amount(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    amount = getattr(order, "amount", None)  # of a completion and an adjustment it may be left out
    optional = amount is None and isinstance(order, Complete | Adjust)
    return "" if optional or (amount and 0 < amount <= AMOUNT_MAX) else "an amount is 1 to 999999999999 minor units"


def _pin(memory: Memory, wire: Wire, order: Order, firmware: Firmware) -> str:
    pin = getattr(order, "pin", "")
    if not pin:
        return ""
    if not (pin.isascii() and pin.isdigit() and PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX):
        return f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"
    try:
        keys = memory.keys()
    except SecurityError:
        keys = None
    return "" if keys else "no key to encrypt a PIN with: this terminal takes none"


_ONLINE: tuple[Check, ...] = (_offered, _not_settling, _signed_on)
_ROOM: tuple[Check, ...] = (_row_left, _sum_fits)

CHECKS: Mapping[type[Order], tuple[Check, ...]] = {
    SignOn: (_offered,),
    SignOff: (_offered, _signed_on, _not_settling),
    Echo: (),
    Balance: (_offered, _signed_on, _not_settling, _pin),
    Sale: (_amount, *_ONLINE, *_ROOM, _pin, lambda m, w, o, f: sale.refusal(m, w, _of(Sale, o))),
    Void: (*_ONLINE, *_ROOM, lambda m, w, o, f: void.refusal(m, w, _of(Void, o), f)),
    Refund: (_amount, *_ONLINE, *_ROOM, lambda m, w, o, f: refund.refusal(m, w, _of(Refund, o))),
    PreAuth: (_amount, *_ONLINE, *_ROOM, _pin, lambda m, w, o, f: preauth.refusal(m, w, _of(PreAuth, o))),
    PreAuthVoid: (*_ONLINE, *_ROOM, lambda m, w, o, f: preauth.void_refusal(m, _of(PreAuthVoid, o))),
    Complete: (_amount, *_ONLINE, *_ROOM, lambda m, w, o, f: complete.refusal(m, w, _of(Complete, o), f)),
    OfflineSale: (_amount, *_ONLINE, *_ROOM, lambda m, w, o, f: offline.refusal(m, w, _of(OfflineSale, o))),
    Adjust: (_amount, *_ONLINE, *_ROOM, lambda m, w, o, f: offline.adjust_refusal(m, w, _of(Adjust, o))),
    SendStored: (_signed_on,),
    Download: (_offered, lambda m, w, o, f: download.refusal(_of(Download, o))),
    Settle: (_signed_on,),
    ClearReversal: (),
    ForceSettle: (),
}


def _of(kind: type[T], order: Order) -> T:
    assert isinstance(order, kind)
    return order


def refusal(memory: Memory, wire: Wire, order: Order, firmware: Firmware = REFERENCE) -> str:
    """Why the terminal itself says no, "" when it may go to the host."""
    if why := operators.allowed(memory, order):
        return why
    if isinstance(order, ClearReversal | ForceSettle):
        return service.refusal(memory, order, firmware)
    for check in CHECKS[type(order)]:
        if why := check(memory, wire, order, firmware):
            return why
    return ""


# --- what goes before -----------------------------------------------------------------------------------------------


SELLS = (Sale, Void, Refund, PreAuth, PreAuthVoid, Complete)
"""What is itself reversed when its answer is lost: before these every firmware clears the reversal that is owed."""


def plan(memory: Memory, wire: Wire, order: Order, firmware: Firmware = REFERENCE) -> tuple[Job, ...]:
    """RT3, RT9: what is owed goes before anything else that goes to the host (flows.md section 2).

    A sign-on is the exception that proves it: a reversal refused for its keys (A0) needs new keys first, so there it is
    tried before, when signed on, and again after. An order that sends nothing needs nothing sent before it.
    """
    if _is_local(order):
        return (order,)
    pending = memory.pending if firmware.rev_before_all else None
    if isinstance(order, SignOn):
        reverse = (Reverse(lenient=True),) if pending else ()
        return (*(reverse if memory.signed_on else ()), order, *reverse)
    if isinstance(order, Echo | Download):
        return (*((Reverse(),) if pending else ()), order)
    last = (SendCertificates(),) if isinstance(order, Settle) and memory.settlement is None else ()
    return (*owed(memory, wire, order, firmware), *last, order)


def owed(memory: Memory, wire: Wire, order: Order | None = None, firmware: Firmware = REFERENCE) -> tuple[Job, ...]:
    """What is owed, in the order in which it goes: script result, reversal, stored items.

    Without a sign-on where one is needed only the reversal is tried, as ever; the rest waits for the keys. order: what
    comes behind, None at boot.
    """
    able = memory.signed_on or not wire.profile.requires_sign_on
    jobs: list[Job] = []
    if memory.script and able:
        jobs.append(SendScript())
    if memory.pending and (firmware.rev_before_all or isinstance(order, SELLS)):
        jobs.append(Reverse())
    if not isinstance(order, SendStored) and memory.stored_rows and able:
        behind = stored.left_behind(memory, firmware) if isinstance(order, Settle) else ()
        jobs.append(SendStored(quiet=True, skipped=behind))
    return tuple(jobs)


def _is_local(order: Order) -> bool:
    """Whether the order only writes: its message is stored and sent later."""
    return isinstance(order, OfflineSale | Adjust | ClearReversal | ForceSettle) or (
        isinstance(order, Complete) and order.advice
    )
