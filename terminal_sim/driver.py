"""Joins a machine to flash, line, clock and people: performs its actions strictly in their order.

Around every action stands the power (terminal_sim.flash): `send`, `recv` and `print` are named steps like the saves.
"""

from __future__ import annotations

from typing import Protocol

from terminal_sim.clock import Clock
from terminal_sim.errors import FlashError, LineLost, NotConnected, PaperOut
from terminal_sim.flash import Flash
from terminal_sim.jobs.money import UNKNOWN
from terminal_sim.moves import Action, Done, End, Event, LinkLost, Overdue, Print, Received, Result, Save, Send, Show
from terminal_sim.state import Memory, Slip
from terminal_sim.terminal import Terminal

ANSWERS_MAX = 1000
"""Payloads looked at for one request; a host that sends more is cut off (the deadline bounds the time)."""
EXCHANGES_MAX = 2000
"""Requests of one order: a full journal uploaded in each round, with every repeat, is less."""


class Line(Protocol):
    """The way to the host."""

    def open(self) -> None:
        """Be connected. Raises: NotConnected."""

    def send(self, payload: bytes, timeout_s: float) -> None:
        """Raises: LineLost when it ended while bytes may have left."""

    def receive(self, deadline: float) -> bytes | None:
        """The next payload, None at the deadline. Raises: LineLost."""

    def close(self) -> None:
        """Drop the connection."""


class Screen(Protocol):
    """What people see."""

    def show(self, text: str) -> None:
        """A line for the operator."""

    def print(self, slip: Slip) -> None:
        """Put a slip on paper; it is on flash already, so a failure here loses nothing. Raises: PaperOut."""


class Driver:
    """One terminal with everything around it. Not for use by two threads."""

    def __init__(self, terminal: Terminal, flash: Flash, line: Line, clock: Clock, screen: Screen) -> None:
        self._terminal = terminal
        self._flash = flash
        self._line = line
        self._clock = clock
        self._screen = screen
        self._deadline = 0.0
        self._sent = False
        self._heard = 0

    @property
    def spoke(self) -> bool:
        """Whether anything of the last order may have left: without a connection nothing has."""
        return self._sent

    def run(self, event: Event) -> Result:
        """One order (or boot) from beginning to end. A flash that cannot be written stops it before the next action."""
        self._sent = False
        try:
            for _ in range(ANSWERS_MAX * EXCHANGES_MAX):
                result, next_event = self._perform(self._terminal.handle(event, self._clock.now()))
                if result is not None:
                    return result
                event = next_event or self._await()
        except FlashError as error:
            text = f"the terminal stops: {error}" + (f": {UNKNOWN}" if self._sent else "")  # RT10
            self._screen.show(text)
            return Result(End.UNKNOWN if self._sent else End.NOT_SENT, text)
        except PaperOut as error:
            # A firmware that goes on only with the paper hangs here, and whoever finds it switches it off and on.
            text = f"the terminal stops: {error}"
            self._screen.show(text)
            self._terminal.restart(self._flash.load())
            return Result(End.PENDING, text)
        raise AssertionError("an order that does not end")

    def _perform(self, actions: list[Action]) -> tuple[Result | None, Event | None]:
        """Do the actions; the result when the order is done, or what a failed send has brought."""
        for action in actions:
            match action:
                case Save(step, memory):
                    self._save(step, memory)
                case Show(text):
                    self._screen.show(text)
                case Print(slip, must):
                    self._print(slip, must=must)
                case Send():
                    return None, self._send(action)
                case Done(result):
                    return result, None
        return None, None

    def _save(self, step: str, memory: Memory) -> None:
        """Raises: FlashError when it cannot be written, unless the firmware goes on without (failure-catalogue 83)."""
        try:
            self._flash.save(step, memory)
        except FlashError:
            if self._terminal.firmware.heeds_flash:
                raise

    def _print(self, slip: Slip, *, must: bool) -> None:
        """Paper decides nothing (RT7), unless the firmware waits for it. Raises: PaperOut when it does."""
        self._flash.power.at("print", "before")
        try:
            self._screen.print(slip)
        except PaperOut as error:
            if must:
                raise
            self._screen.show(f"{error}: print the slip again later")
        self._flash.power.at("print", "after")

    def _send(self, action: Send) -> Event | None:
        self._flash.power.at("send", "before")
        try:
            self._line.open()
        except NotConnected as error:
            self._screen.show(f"no connection: {error}")
            return LinkLost(sent=False)
        self._sent, self._heard = True, 0
        try:
            self._line.send(action.payload, action.timeout_s)
        except LineLost:
            return LinkLost(sent=True)
        self._deadline = self._clock.monotonic() + action.timeout_s  # one absolute deadline, after the last byte
        self._flash.power.at("send", "after")
        return None

    def _await(self) -> Event:
        self._flash.power.at("recv", "before")
        if self._heard == ANSWERS_MAX:  # none of them was the answer, and this line brings nothing else
            self._line.close()
            return LinkLost(sent=True)
        try:
            payload = self._line.receive(self._deadline)
        except LineLost:
            return LinkLost(sent=True)
        if payload is None:
            self._line.close()
            return Overdue()
        self._heard += 1
        self._flash.power.at("recv", "after")
        return Received(payload)
