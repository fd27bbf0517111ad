"""The ways an answer can go once its books are committed: sent, or spoilt by a fault. The loop's thread only.

One function an action of `host.faults.ACTIONS`; `answer` and `bad-mac` are none of them, since they change what is
written (host.exchange) and not how it goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from host.exchange import Exchange
from host.faults import ACTIONS, Fault
from specs.codec import mac_de
from specs.framing import LENGTH_BYTES
from specs.message import Message

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


def _twice(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    """The whole answer, and the same bytes again after the gap; without one right behind, as one piece of TCP."""
    assert exchange.fault is not None
    _send(loop, exchange)
    if exchange.fault.delay_s:
        _delay(loop, exchange)
    else:
        _send(loop, exchange)


def _corrupt(_loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    """One byte has all its bits turned; the length header stays right. Past the end it is the last byte."""
    assert exchange.fault is not None
    form = exchange.dialect.frame
    at = LENGTH_BYTES[form.length] + form.prefix_bytes + exchange.fault.byte
    spoilt = bytearray(exchange.frame)
    spoilt[min(at, len(spoilt) - 1)] ^= 0xFF
    exchange.connection.send(bytes(spoilt))


def _stall(_loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    exchange.connection.stall()


def _drip(loop: asyncio.AbstractEventLoop, exchange: Exchange, at: int = 0) -> None:
    """Byte by byte, until all are out or the line is gone."""
    assert exchange.fault is not None
    sent = exchange.connection.send(exchange.frame[at : at + 1])
    if sent and at + 1 < len(exchange.frame):
        loop.call_later(exchange.fault.delay_s, _drip, loop, exchange, at + 1)


_WAYS: dict[str, Callable[[asyncio.AbstractEventLoop, Exchange], None]] = {
    "drop": _drop,
    "delay": _delay,
    "reset": _reset,
    "truncate+reset": _half,
    "dup": _twice,
    "corrupt": _corrupt,
    "stall": _stall,
    "drip": _drip,
}


def deliver(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    """Let one answer go the way that its fault says, or simply out."""
    _WAYS.get(exchange.fault.action if exchange.fault else "", _send)(loop, exchange)


NO_MAC = "the answer carries no MAC: it goes out as it is"


def fault_text(fault: Fault | None, answer: Message | None = None) -> tuple[str, ...]:
    """The note beside a message that a fault has struck; the checker, `unsettled` and the lab read this wording."""
    if fault is None:
        return ()
    because = f", {fault.because}" if fault.because else ""
    phase = fault.phase.replace("-", " the ")
    said = f"fault {fault.id}: {fault.name} ({fault.action} at {fault.point}), {phase}{because}"
    return (said, NO_MAC) if _nothing_to_spoil(fault, answer) else (said,)


def fate_of(fault: Fault | None, answer: Message | None = None) -> str:
    """What will become of the answer, as far as it is known at the commit."""
    return "sent" if fault is None or _nothing_to_spoil(fault, answer) else ACTIONS[fault.name].fate


def _nothing_to_spoil(fault: Fault, answer: Message | None) -> bool:
    return fault.action == "bad-mac" and answer is not None and mac_de(answer.fields) not in answer
