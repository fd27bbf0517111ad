"""The real terminal in the test's own process, over real TCP: what `terminal-sim ACTION DIR` does, without the process.

Each order is a boot from the flash, as each call of the command line is; the flash is in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from specs import journal
from specs.codec import decode_payload
from specs.endpoint import Endpoint, parse
from specs.journal import TerminalBook
from specs.message import Message
from terminal_sim.book import book
from terminal_sim.clock import SystemClock
from terminal_sim.driver import Driver
from terminal_sim.flash import MemoryFlash
from terminal_sim.lab.api import Api
from terminal_sim.link import TcpLine
from terminal_sim.moves import Boot, End, Order, Result, SignOn
from terminal_sim.new_terminal import new_memory
from terminal_sim.state import Memory, Slip
from terminal_sim.terminal import Terminal
from terminal_sim.wire import wire_for

ANSWER_S = 10.0
"""How long an answer is waited for that must come; only a broken host makes a test wait that long."""
LOST_S = 0.2
"""How long one is waited for that a fault rule drops."""


@dataclass
class Screen:
    """What people saw."""

    lines: list[str] = field(default_factory=list)
    slips: list[Slip] = field(default_factory=list)

    def show(self, text: str) -> None:
        self.lines.append(text)

    def print(self, slip: Slip) -> None:
        self.slips.append(slip)


class RecordingLine(TcpLine):
    """A line that remembers what went over it, decoded: (True for a request, message)."""

    def __init__(self, endpoint: Endpoint, clock: SystemClock) -> None:
        super().__init__(endpoint, clock, connect_timeout_s=ANSWER_S, tries=1)
        self._dialect = endpoint.dialect
        self.heard: list[tuple[bool, Message]] = []

    def send(self, payload: bytes, timeout_s: float) -> None:
        self.heard.append((True, decode_payload(payload, self._dialect)))
        super().send(payload, timeout_s)

    def receive(self, deadline: float) -> bytes | None:
        payload = super().receive(deadline)
        if payload is not None:
            self.heard.append((False, decode_payload(payload, self._dialect)))
        return payload


class TcpTill:
    """One terminal. connect: a listener URL; mid: its merchant, 15 characters."""

    def __init__(self, connect: str, tid: str, mid: str = "898100012345678", **config: Any) -> None:
        self.tid, self.mid, self.connect = tid, mid, connect
        self.wire = wire_for(connect)
        self.flash = MemoryFlash(new_memory(tid, mid, connect, timeout_s=ANSWER_S, **config))
        self.screen = Screen()
        self._clock = SystemClock()
        self._line = RecordingLine(parse(connect), self._clock)

    @property
    def memory(self) -> Memory:
        """What is on flash."""
        return self.flash.load()

    def press(self, order: Order | None, *, waits_s: float = ANSWER_S) -> Result:
        """Power on, do one order (None: only what is owed), power off. waits_s: how long for each answer."""
        memory = self.flash.load()
        config = replace(memory.config, timeout_s=waits_s, settle_timeout_s=waits_s)
        self.flash.save("operator", replace(memory, config=config))
        terminal = Terminal(self.wire, self.flash.load())
        return Driver(terminal, self.flash, self._line, self._clock, self.screen).run(Boot(order))

    def sign_on(self) -> TcpTill:
        """Where the dialect asks for it."""
        if self.wire.profile.requires_sign_on:
            result = self.press(SignOn())
            assert result.end is End.OK, result
        return self

    def wipe(self, **config: Any) -> None:
        """A new flash, as after a repair: the journal is gone, counters begin anew."""
        self.flash = MemoryFlash(new_memory(self.tid, self.mid, self.connect, timeout_s=ANSWER_S, **config))

    def lose_rows(self) -> None:
        """The journal alone is gone, counters and keys are not; it will settle the empty batch all the same."""
        memory = self.memory
        config = replace(memory.config, settle_empty=True)
        self.flash.save("operator", replace(memory, rows=(), events=(), config=config))

    def book(self) -> TerminalBook:
        """Its own book, as `terminal-sim journal --json` gives it."""
        return book(self.memory)

    def hand_over(self, api: Api) -> None:
        """Give its journal to the host, for /findings."""
        api.ask("POST", f"/terminals/{self.tid}/journal", journal.dump(self.book()))

    def messages(self, mti: str) -> list[Message]:
        """What went over the line with this MTI, oldest first; card numbers in clear."""
        return [message for _, message in self._line.heard if message.mti == mti]

    def requests(self) -> list[str]:
        """The MTIs it has sent."""
        return [message.mti for sent, message in self._line.heard if sent]

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def __enter__(self) -> TcpTill:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
