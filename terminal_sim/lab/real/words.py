"""An order as the command line of `terminal-sim`, and what the command said as a result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from specs.operation import Card
from specs.testcards import card_by_pan
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.till import Ran
from terminal_sim.moves import (
    Adjust,
    Balance,
    ClearReversal,
    Complete,
    Download,
    Echo,
    End,
    ForceSettle,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Result,
    Sale,
    SendStored,
    Settle,
    SignOff,
    SignOn,
    Void,
)

FAULTY = 2
"""Exit code of a command that was not begun (interface.md, section 1)."""
_PLAIN: Mapping[type[Order], tuple[str, ...]] = {
    SignOn: ("signon",),
    SignOff: ("signoff",),
    Echo: ("echo",),
    SendStored: ("send",),
    Settle: ("settle",),
    ClearReversal: ("service", "clear-reversal"),
    ForceSettle: ("service", "force-settle"),
}


def words(order: Order | None, folder: Path) -> list[str]:
    """The arguments of one process. None: only what is owed."""
    if order is None:
        action, *rest = "service", "boot"
    elif type(order) in _PLAIN:
        action, *rest = _PLAIN[type(order)]
    else:
        action, *rest = _SAID[type(order)](order)
    return [action, str(folder), *rest, "--json"]


def _card(card: Card, pin: str = "") -> list[str]:
    known = card_by_pan(card.pan)
    said = ["--card", known.name if known is not None else card.pan, "--entry", str(card.entry)]
    return [*said, "--pin", pin] if pin else said


def _named(order: Any) -> list[str]:
    return ["--stan", order.stan] if order.stan else ["--rrn", order.rrn] if order.rrn else []


def _option(name: str, value: object) -> list[str]:
    return [name, str(value)] if value else []


def _sale(order: Any) -> list[str]:
    parts = [*_option("--tip", order.tip), *_option("--cash", order.cash)]
    refuses = ["--chip-refuses"] if order.chip_refuses else []
    return ["sale", str(order.amount), *_card(order.card, order.pin), *parts, *refuses]


def _preauth(order: Any) -> list[str]:
    more = ["--increment", *_option("--stan", order.stan), *_option("--auth-code", order.auth_code)]
    return ["preauth", str(order.amount), *_card(order.card, order.pin), *(more if order.increment else [])]


def _refund(order: Any) -> list[str]:
    card = _card(order.card) if order.card is not None else []
    amount = [str(order.amount)] if order.amount else []
    return ["refund", *amount, *_named(order), *card, *_option("--date", order.date)]


def _complete(order: Any) -> list[str]:
    amount = [str(order.amount)] if order.amount is not None else []
    return ["complete", *amount, *_named(order), *(["--advice"] if order.advice else [])]


def _adjust(order: Any) -> list[str]:
    if order.tip is not None:
        return ["tip", str(order.tip), *_named(order)]
    return ["adjust", str(order.amount), *_named(order)]


_SAID: Mapping[type[Order], Callable[[Any], list[str]]] = {
    Balance: lambda order: ["balance", *_card(order.card, order.pin)],
    Sale: _sale,
    Void: lambda order: ["void", *_named(order)],
    Refund: _refund,
    PreAuth: _preauth,
    PreAuthVoid: lambda order: ["preauth-void", *_named(order)],
    Complete: _complete,
    OfflineSale: lambda order: [
        *("offline-sale", str(order.amount), *_card(order.card), *_option("--auth-code", order.auth_code))
    ],
    Adjust: _adjust,
    Download: lambda order: ["download", order.what],
}


def result(ran: Ran, shown: str) -> Result:
    """What a process said of its order. shown: the last line of its screen. Raises: LabError when it said nothing."""
    if ran.code == FAULTY and not ran.out:  # what the menu of a till would not even take
        return Result(End.REFUSED_LOCALLY, ran.err.strip().rpartition("\n")[2])
    try:
        said = json.loads(ran.out.strip().rpartition("\n")[2])
        end = End(said["outcome"])
    except (ValueError, KeyError, TypeError):
        raise LabError(f"a terminal broke down: {ran}") from None
    return Result(
        end,
        shown,
        said.get("response_code") or "",
        said.get("amount"),
        said.get("approved_amount"),
        said.get("stan") or "",
        said.get("rrn") or "",
        said.get("auth_code") or "",
        said.get("batch") or "",
    )
