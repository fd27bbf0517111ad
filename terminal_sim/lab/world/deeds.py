"""What a step of a scenario asks of a terminal: the order that it comes to, with what the flash holds now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from specs.operation import Card
from terminal_sim.cards import card_from, pin_from
from terminal_sim.lab.scenario.model import StepSpec
from terminal_sim.moves import (
    Adjust,
    Balance,
    ClearReversal,
    Complete,
    Download,
    Echo,
    ForceSettle,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Sale,
    SendStored,
    Settle,
    SignOff,
    SignOn,
    Void,
)
from terminal_sim.state import Memory

Stans = Mapping[str, str]
"""Step id -> the STAN that its transaction has, as far as it was made."""


def order(step: StepSpec, memory: Memory, stans: Stans) -> Order | None:
    """The order, None when it can mean nothing now (what it names was never made)."""
    if "of" in step.args and not stans.get(str(step.args["of"])) and "rrn" not in step.args:
        return None
    return _ORDERS[step.do](step, memory, stans)


def _card(step: StepSpec) -> Card:
    return card_from(str(step.args.get("card", "credit1")), str(step.args.get("entry", "swipe")))


def _whole(step: StepSpec, name: str, default: int = 0) -> int:
    return int(step.args.get(name, default))


def _pin(step: StepSpec) -> str:
    return pin_from(str(step.args.get("pin", "")), _card(step))


def _of(step: StepSpec, stans: Stans) -> dict[str, str]:
    if "rrn" in step.args:
        return {"rrn": str(step.args["rrn"])}
    stan = step.args.get("stan") or stans.get(str(step.args.get("of", "")), "")
    return {"stan": str(stan)} if stan else {}


def _sale(step: StepSpec, _memory: Memory, _stans: Stans) -> Order:
    refuses = bool(step.args.get("chip_refuses", False))
    return Sale(
        _whole(step, "amount"), _card(step), _whole(step, "tip"), _whole(step, "cash"), _pin(step), chip_refuses=refuses
    )


def _refund(step: StepSpec, _memory: Memory, stans: Stans) -> Order:
    named: dict[str, Any] = dict(_of(step, stans))
    card = _card(step) if "card" in step.args or not named else None
    if "date" in step.args:
        named["date"] = str(step.args["date"])
    return Refund(_whole(step, "amount"), card, **named)


def _preauth(step: StepSpec, _memory: Memory, stans: Stans) -> Order:
    named = _of(step, stans)
    return PreAuth(
        _whole(step, "amount"), _card(step), _pin(step), increment="of" in step.args, stan=named.get("stan", "")
    )


def _complete(step: StepSpec, _memory: Memory, stans: Stans) -> Order:
    amount = _whole(step, "amount") if "amount" in step.args else None
    return Complete(amount=amount, advice=bool(step.args.get("advice", False)), **_of(step, stans))


def _adjust(step: StepSpec, _memory: Memory, stans: Stans) -> Order:
    named = _of(step, stans)
    return Adjust(named.get("stan", ""), named.get("rrn", ""), amount=_whole(step, "amount"))


def _tip(step: StepSpec, _memory: Memory, stans: Stans) -> Order:
    named = _of(step, stans)
    return Adjust(named.get("stan", ""), named.get("rrn", ""), tip=_whole(step, "amount"))


def _offline(step: StepSpec, _memory: Memory, _stans: Stans) -> Order:
    return OfflineSale(_whole(step, "amount"), _card(step), str(step.args.get("auth_code", "")))


_ORDERS: Mapping[str, Callable[[StepSpec, Memory, Stans], Order | None]] = {
    "signon": lambda *_: SignOn(),
    "signoff": lambda *_: SignOff(),
    "echo": lambda *_: Echo(),
    "balance": lambda step, _m, _s: Balance(_card(step), _pin(step)),
    "sale": _sale,
    "void": lambda step, _m, stans: Void(**_of(step, stans)),
    "refund": _refund,
    "preauth": _preauth,
    "preauth-void": lambda step, _m, stans: PreAuthVoid(**_of(step, stans)),
    "complete": _complete,
    "offline-sale": _offline,
    "adjust": _adjust,
    "tip": _tip,
    "send-stored": lambda *_: SendStored(),
    "settle": lambda *_: Settle(),
    "clear-rev": lambda *_: ClearReversal(),
    "force-settle": lambda *_: ForceSettle(),
    "download": lambda step, _m, _s: Download(str(step.args.get("what", "parameters"))),
}
ORDERS = frozenset(_ORDERS)
