"""The ways an answer can go once its books are committed: sent, or spoilt by a fault. The loop's thread only.

What a fault does to the bytes is said by the catalogue's action (specs.faults.actions) as effects; here they are done
on a real line. `answer` and `bad-mac` strike earlier, where the answer is written (host.service); a crash ends the
process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from host.exchange import Exchange
from host.faults import ACTIONS, Fault
from host.server import Connection
from specs.codec import decode_payload, mac_de
from specs.dialect import Dialect
from specs.errors import SpecError
from specs.faults import Across, Behind, Effect, End, Passage, Put, With
from specs.faults.checking import effects
from specs.framing import LENGTH_BYTES
from specs.message import Message

log = structlog.get_logger("host.delivery")

WRITTEN_OTHERWISE = frozenset({"answer", "bad-mac"})
"""Actions that have struck when the answer is written."""
LEAVE_S = 0.05
"""What was written may leave before a connection is torn down."""
BEHIND_MOST_S = 60.0
"""A frame that waits for others goes after this time all the same: a quiet terminal must not keep it for ever."""
PROMPT_S = 0.1
"""How often a held answer looks whether it may go."""
KILLED = 137
"""Exit status of a process that lost its power, as of one killed by SIGKILL."""


def end_process() -> None:
    """The host dies as by a power cut: no handler, no flush, no unlocking."""
    os._exit(KILLED)


@dataclass(slots=True)
class _Waiting:
    """A frame that others are to overtake: how many still, and what then happens, once."""

    frames: int
    go: Callable[[], None]


@dataclass(slots=True)
class Delivery:
    """Frames on their way, and those that wait for others. die: ends the process. in_force: whether a rule is still
    there."""

    loop: asyncio.AbstractEventLoop
    die: Callable[[], None] = end_process
    in_force: Callable[[int], bool] = lambda _rule_id: False
    _behind: dict[str, list[_Waiting]] = field(default_factory=dict)
    _with: dict[Connection, list[bytes]] = field(default_factory=dict)

    def deliver(self, exchange: Exchange) -> None:
        """Let one answer go the way that its fault says, or simply out."""
        fault, tid = exchange.fault, exchange.operation.tid if exchange.operation else ""
        if self._behind and tid:
            self.passed(tid)
        if fault is None or fault.action in WRITTEN_OTHERWISE or fault.to_issuer:
            self._send(exchange.connection, exchange.frame)
        elif fault.action == "stop":
            log.warning("the host ends by a fault rule, after the commit", rule=fault.id)
            self.die()
        elif fault.action == "prompt":
            log.warning("an answer is held until its rule is deleted", rule=fault.id, do=fault.params["text"])
            self._hold_back(exchange, fault.id)
        else:
            self._play(exchange.connection, tid, effects_of(fault, exchange.frame, exchange.dialect))

    def _hold_back(self, exchange: Exchange, rule_id: int) -> None:
        """A person is at work; whoever asked him deletes the rule when he is done."""
        if self.in_force(rule_id):
            self.loop.call_later(PROMPT_S, self._hold_back, exchange, rule_id)
        else:
            self._send(exchange.connection, exchange.frame)

    # ---- effects

    def _play(self, connection: Connection, tid: str, made: Sequence[Effect], was: float = 0.0) -> None:
        """One effect after the other, each at its time; a piece that cannot leave ends them."""
        for place, effect in enumerate(made):
            at = getattr(effect, "after_s", 0.0)
            if isinstance(effect, End) and place:
                at = max(at, was + LEAVE_S)
            if wait := round(at - was, 6):
                # From the last one on, so that a host that is late does not send them in a heap.
                self.loop.call_later(wait, self._play_late, connection, tid, made[place:], at)
                return
            if not self._do(connection, tid, effect):
                return

    def _play_late(self, connection: Connection, tid: str, made: Sequence[Effect], at: float) -> None:
        if self._do(connection, tid, made[0]):
            self._play(connection, tid, made[1:], at)

    def _do(self, connection: Connection, tid: str, effect: Effect) -> bool:
        match effect:
            case Put(data):
                return self._send(connection, data)
            case End(how):
                end_line(connection, how)
                return False
            case Behind(data, frames):
                self.hold(tid, frames, partial(_say, connection, data))
            case With(data, most_s):
                self._with.setdefault(connection, []).append(data)
                self.loop.call_later(most_s, self._alone, connection, data)
            case Across(data, other):
                line = connection.line_of(other)
                if line is None:
                    log.info("answer crossed to nowhere: that terminal has no open line", tid=other)
                else:
                    self._send(line, data)
        return True

    def _send(self, connection: Connection, data: bytes) -> bool:
        if self._with and (held := self._with.pop(connection, None)):
            data = b"".join(held) + data
        return _told(connection, data)

    def _alone(self, connection: Connection, data: bytes) -> None:
        """Nothing followed: the frames that waited go together."""
        held = self._with.get(connection)
        if held and any(waiting is data for waiting in held):
            del self._with[connection]
            _told(connection, b"".join(held))

    # ---- frames that others overtake

    def hold(self, tid: str, frames: int, go: Callable[[], None]) -> None:
        """Let something happen once so many more frames have passed on the terminal's wire, or after BEHIND_MOST_S."""
        waiting = _Waiting(frames, go)
        self._behind.setdefault(tid, []).append(waiting)
        self.loop.call_later(BEHIND_MOST_S, self._release, tid, waiting)

    @property
    def waits(self) -> bool:
        """Whether any frame waits for others."""
        return bool(self._behind)

    def passed(self, tid: str) -> None:
        """A frame passes on the wire of this terminal, in whatever direction; what has waited for it goes after it."""
        due = []
        for waiting in self._behind.get(tid, ()):
            waiting.frames -= 1
            due += [waiting] if waiting.frames <= 0 else []
        for waiting in due:
            self.loop.call_soon(self._release, tid, waiting)

    def _release(self, tid: str, waiting: _Waiting) -> None:
        held = self._behind.get(tid, [])
        if not any(other is waiting for other in held):
            return
        self._behind[tid] = [other for other in held if other is not waiting]
        if not self._behind[tid]:
            del self._behind[tid]
        waiting.go()


def end_line(connection: Connection, how: str) -> None:
    """End a line for good: by a RST, in order, or by silence."""
    match how:
        case "reset":
            connection.reset()
        case "fin":
            connection.hang_up()
        case _:
            connection.stall()


def _say(connection: Connection, data: bytes) -> None:
    _told(connection, data)


def _told(connection: Connection, data: bytes) -> bool:
    sent = connection.send(data)
    if not sent:
        log.info("answer not delivered: the line is gone", peer=connection.peer)
    return sent


def effects_of(
    fault: Fault, frame: bytes, dialect: Dialect, reseal: Callable[[Message], bytes] | None = None
) -> list[Effect]:
    """What a rule does to a frame of this dialect."""
    try:
        message = decode_payload(frame[LENGTH_BYTES[dialect.frame.length] :], dialect)
    except SpecError:
        message = None
    return effects(fault.asked, Passage(frame, dialect, message, reseal))


NO_MAC = "the answer carries no MAC: it goes out as it is"


def fault_text(fault: Fault | None, answer: Message | None = None) -> tuple[str, ...]:
    """The note beside a message that a fault has struck; the checker, `unsettled` and the lab read this wording.

    «before the commit» is said only of a fault that leaves the request undecided.
    """
    if fault is None:
        return ()
    because = f", {fault.because}" if fault.because else ""
    said = f"fault {fault.id}: {fault.name} ({fault.action} at {fault.at or fault.point}), {_when(fault)}{because}"
    return (said, NO_MAC) if _nothing_to_spoil(fault, answer) else (said,)


UNDECIDED = frozenset({"drop", "reset", "fin", "half-open", "answer"})
"""Before the commit these take the request away; the others only change it, or its time."""


def _when(fault: Fault) -> str:
    if fault.to_issuer:
        return "on its way to the issuer"
    if fault.inward and fault.action not in UNDECIDED:
        return "on its way in"
    return fault.phase.replace("-", " the ")


def fate_of(fault: Fault | None, answer: Message | None = None) -> str:
    """What will become of the answer, as far as it is known at the commit."""
    return "sent" if fault is None or _nothing_to_spoil(fault, answer) else ACTIONS[fault.name].fate


def _nothing_to_spoil(fault: Fault, answer: Message | None) -> bool:
    return fault.action == "bad-mac" and answer is not None and mac_de(answer.fields) not in answer
