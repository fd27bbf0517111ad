"""A terminal that asks at each of its points: somebody plays a scenario with it, and says what happens there.

CLOSEOUT_POINTS=ADDR:PORT/UNIT names whom it asks: one TCP connection, one JSON value a line both ways. It asks before
and after each step, at each write, for the time, and tells what it shows and prints; while it waits for an answer it
hears «overdue» when its time is over by the clock of whoever plays. Line, flash and messages are what they always are.

    {"unit": "T0000001"}                          first, without an answer
    {"at": "journal", "when": "before"}           -> "" | "cut" | "paper-out"
    {"store": "journal"}                          -> "" | "torn-write" | "lost-write" | "disk-full"
    {"now": true}, {"seconds": true}              -> local time (RFC 3339), seconds since the scenario's start
    {"show": "..."}, {"slip": "..."}              -> ""
    {"wait": 30.02}                               -> nothing, or "overdue" at that second
"""

from __future__ import annotations

import json
import os
import select
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_sim.errors import ConfigError, FlashError, LineLost, PaperOut
from terminal_sim.flash import DESK_STEPS, KILLED, STEPS, DirFlash
from terminal_sim.flash_format import dump
from terminal_sim.link import TcpLine

if TYPE_CHECKING:
    from specs.endpoint import Endpoint
    from terminal_sim.driver import Screen
    from terminal_sim.firmware import Firmware
    from terminal_sim.state import Config, Memory, Slip

VARIABLE = "CLOSEOUT_POINTS"
ANSWER_S = 300.0
"""Whoever plays may be starting a host meanwhile."""


class Points:
    """The connection to whoever plays. Raises: ConfigError when nobody is there or what is said cannot be read."""

    def __init__(self, where: str) -> None:
        address, _, unit = where.partition("/")
        host, _, port = address.rpartition(":")
        try:
            self.socket = socket.create_connection((host, int(port)), ANSWER_S)
        except (OSError, ValueError, OverflowError) as error:
            raise ConfigError(f"{VARIABLE}={where}: expected ADDR:PORT/UNIT, and somebody there: {error}") from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.tell(unit=unit)

    def tell(self, **what: object) -> None:
        """Say something, and wait for nothing."""
        try:
            self.socket.sendall(json.dumps(what).encode() + b"\n")
        except OSError as error:
            raise ConfigError(f"{VARIABLE}: {error}") from None

    def ask(self, **what: object) -> Any:
        """Say something; the answer."""
        self.tell(**what)
        return self.hear()

    def hear(self) -> Any:
        """The next thing that is said to us."""
        while b"\n" not in self._rest:
            try:
                data = self.socket.recv(4096)
            except OSError as error:
                raise ConfigError(f"{VARIABLE}: {error}") from None
            if not data:
                raise ConfigError(f"{VARIABLE}: whoever plays has gone")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


class AskedPower:
    """Power that fails when they say so. paper: False while the printer has none."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self.paper = True

    def at(self, step: str, when: str) -> None:
        """See Power."""
        assert step in STEPS + DESK_STEPS, step
        answer = self._points.ask(at=step, when=when)
        if answer == "cut":
            os._exit(KILLED)
        if step == "print":
            self.paper = answer != "paper-out"


class AskedFlash(DirFlash):
    """A folder whose writes may fail."""

    def __init__(self, folder: Path, points: Points) -> None:
        self.points = points
        self.asked = AskedPower(points)
        super().__init__(folder, self.asked)

    def save(self, step: str, memory: Memory) -> None:
        """See Flash."""
        self.power.at(step, "before")
        content = dump(memory).encode()
        match self.points.ask(store=step):
            case "disk-full":
                raise FlashError(f"flash: no room for {step}")
            case "torn-write":
                self._beside.write_bytes(content[: len(content) // 2])
                os._exit(KILLED)
            case "lost-write":
                pass
            case _:
                self._write(content)
        self.power.at(step, "after")


class AskedClock:
    """Their time. See Clock."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def now(self) -> str:
        """See Clock."""
        return str(self._points.ask(now=True))

    def monotonic(self) -> float:
        """See Clock."""
        return float(self._points.ask(seconds=True))


class AskedScreen:
    """What people see, told as well."""

    def __init__(self, points: Points, power: AskedPower, screen: Screen) -> None:
        self._points, self._power, self._screen = points, power, screen

    def show(self, text: str) -> None:
        """See Screen."""
        self._screen.show(text)
        self._points.ask(show=text)

    def print(self, slip: Slip) -> None:
        """See Screen."""
        if not self._power.paper:
            raise PaperOut
        self._screen.print(slip)
        self._points.ask(slip=slip.title)


class AskedLine(TcpLine):
    """A line whose deadline is theirs: it passes when they say so, and not by the machine's clock."""

    points: Points

    def receive(self, deadline: float) -> bytes | None:
        """See Line."""
        while not self._payloads:
            if self._socket is None:
                raise LineLost("the connection is closed")
            self.points.tell(wait=deadline)
            ready, _, _ = select.select([self._socket, self.points.socket], [], [], ANSWER_S)
            if self._socket in ready:
                self._read(0.0)
            elif ready and self.points.hear() == "overdue":
                return None
            elif not ready:
                raise ConfigError(f"{VARIABLE}: whoever plays says nothing")
        return self._payloads.popleft()


def around(
    flash: DirFlash, endpoint: Endpoint, config: Config, firmware: Firmware, screen: Screen
) -> tuple[AskedLine, AskedClock, AskedScreen]:
    """Line, clock and screen of a terminal whose flash asks."""
    assert isinstance(flash, AskedFlash)
    points, clock = flash.points, AskedClock(flash.points)
    timeout_s, tries = config.connect_timeout_s, config.connect_tries
    line = AskedLine(endpoint, clock, connect_timeout_s=timeout_s, tries=tries, firmware=firmware)
    line.points = points
    return line, clock, AskedScreen(points, flash.asked, screen)
