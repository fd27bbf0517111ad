"""The ways an answer can go once its books are committed: sent, or spoilt by a fault rule. The loop's thread only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from host.exchange import Exchange
from host.faults import Fault

log = structlog.get_logger("host.delivery")


def _send(_loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    if not exchange.connection.send(exchange.frame):
        log.info("answer not delivered: the line is gone", peer=exchange.connection.peer, mti=exchange.message.mti)


def _drop(_loop: asyncio.AbstractEventLoop, _exchange: Exchange) -> None:
    """The books stand, the answer is lost: what a terminal must survive."""


def _delay(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    assert exchange.fault is not None
    loop.call_later(exchange.fault.delay_s, _send, loop, exchange)


def _reset(_loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    exchange.connection.reset()


def _half(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    """Half the frame, then a RST once the bytes are out."""
    exchange.connection.send(exchange.frame[: len(exchange.frame) // 2])
    loop.call_later(0.05, exchange.connection.reset)


_WAYS: dict[str, Callable[[asyncio.AbstractEventLoop, Exchange], None]] = {
    "drop": _drop,
    "delay": _delay,
    "reset": _reset,
    "truncate+reset": _half,
}


def deliver(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    """Let one answer go the way that its fault says, or simply out."""
    _WAYS.get(exchange.fault.action if exchange.fault else "", _send)(loop, exchange)


def fault_text(fault: Fault | None) -> tuple[str, ...]:
    """The note beside a message that a rule has struck; the checker and `unsettled` read this wording."""
    if fault is None:
        return ()
    return (f"fault {fault.id}: {fault.name} ({fault.action} at {fault.point}), {fault.phase.replace('-', ' the ')}",)


def fate_of(fault: Fault | None) -> str:
    """What will become of the answer, as far as it is known at the commit."""
    if fault is None or fault.action == "answer":
        return "sent"
    return {"drop": "dropped", "delay": "delayed", "reset": "reset", "truncate+reset": "truncated"}[fault.action]
