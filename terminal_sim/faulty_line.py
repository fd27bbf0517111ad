"""A TCP line on which the faults of a plan are played: the same words as in the world, on the link of a real terminal.

Only the line is spoilt: terminal and host are what they are. CLOSEOUT_FAULTS=FILE.toml chooses the plan for the
commands of `terminal-sim`:

    faults = [{at="wire/H>T/0210#1", action="drop"}, {at="link/T", action="down", from=0, until=60}]

Numbers and seconds count from the beginning of one command. What is late and has not left at its end is lost.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import struct
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from specs.codec import decode_payload
from specs.endpoint import Endpoint
from specs.errors import EncodeError, FrameError, SpecError
from specs.families import family
from specs.faults import Behind, Effect, End, Facts, Fault, FaultError, Passage, Place, Put, With
from specs.faults.checking import effects
from specs.faults.plan import STEP, Plan
from specs.faults.points import parse_point
from specs.faults.reading import fault_from
from specs.framing import frame
from specs.message import Message
from specs.operation import Operation
from terminal_sim.clock import Clock, idle
from terminal_sim.errors import ConfigError, LineLost
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.link import TcpLine
from terminal_sim.reads import reader
from terminal_sim.toml_places import KeyPath, line_of, lines, spelt

PLAYED = frozenset(
    {
        *("nothing", "drop", "delay", "dup", "reorder", "corrupt", "truncate", "wrong-length", "split", "coalesce"),
        *("drip", "bad-mac", "reset", "fin", "half-open", "refuse", "down"),
    }
)
"""What a terminal's own line can do. `answer` and `cross` need the host."""
_PLACES = (Place.WIRE, Place.CONN, Place.LINK)
OUT, IN = "out", "in"
WRITE_S = 10.0
"""For a piece that leaves later than its request."""
OLD_MAX = 8
"""Connections that are kept for a late frame after the terminal has left them."""
_RESET = struct.pack("ii", 1, 0)
_Due = tuple[float, int, str, Effect]


def read_plan(path: Path, tid: str) -> Plan:
    """The plan of a file for this terminal. Raises: ConfigError naming file, key and why."""
    try:
        text = path.read_text("utf-8-sig")
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"CLOSEOUT_FAULTS={path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    rows = table.get("faults")
    if set(table) != {"faults"} or not isinstance(rows, list):
        raise ConfigError(f"{path}: expected faults = [...] and nothing else")
    places = lines(text)
    faults = [_read(row, nth, path, places, tid) for nth, row in enumerate(rows)]
    try:
        return Plan(faults)
    except FaultError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(row: object, nth: int, path: Path, places: Mapping[KeyPath, int], tid: str) -> Fault:
    """Raises: ConfigError with file, line and key, as a scenario file has them."""
    try:
        return _playable(row, tid)
    except FaultError as error:
        keys: KeyPath = ("faults", nth, *(part for part in error.key.split(".") if part))
        raise ConfigError(f"{path}:{line_of(places, keys)}: {spelt(keys)}: {error.why}") from None


def _on_a_step(row: Mapping[str, object]) -> str:
    """The key that names a step of a scenario, "" none does."""
    match = row.get("match")
    if isinstance(match, Mapping) and "step" in match:
        return "match.step"
    return next((key for key in ("from", "until") if str(row.get(key, "")).startswith(STEP)), "")


def _playable(row: object, tid: str) -> Fault:
    if not isinstance(row, Mapping):
        raise FaultError("", "", "expected a table")
    if key := _on_a_step(row):
        raise FaultError("", key, "a terminal's own line has no steps; seconds count from the command's beginning")
    fault = fault_from(row, terminals=[tid], steps=())
    point = parse_point(fault.at)
    if point.place not in _PLACES or not point.terminal:
        raise FaultError("", "at", f"{fault.at}: a terminal's line has the points wire/T>H, wire/H>T, conn/T, link/T")
    if fault.action not in PLAYED:
        raise FaultError("", "action", f"{fault.action} cannot be played on a terminal's line")
    return fault


class FaultyLine(TcpLine):
    """TcpLine with a plan. tid: the terminal's, for its points. Used by one thread, as every line."""

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Clock,
        *,
        connect_timeout_s: float,
        tries: int,
        plan: Plan,
        tid: str,
        firmware: Firmware = REFERENCE,
    ) -> None:
        # What arrives is cut into true frames first; what the faults make of them is read as the firmware reads.
        super().__init__(endpoint, clock, connect_timeout_s=connect_timeout_s, tries=tries)
        self._dialect = endpoint.dialect
        self._plan = plan
        self._tid = tid
        self._as_read = firmware
        self._heard = reader(endpoint.dialect.frame, firmware)
        self._begun = clock.monotonic()
        self._due: list[_Due] = []
        self._order = itertools.count()
        self._behind: list[tuple[int, str, bytes]] = []
        self._with: dict[str, bytes] = {}
        self._ready: list[bytes] = []
        self._old: list[tuple[socket.socket, list[_Due]]] = []
        self._end = ""
        """What a fault has made of the connection at its beginning: reset | fin, at the first byte."""
        self._deaf = False
        self._asked = Facts(tid=tid)

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """Faults that never struck."""
        return tuple(fault for fault, times in zip(self._plan.faults, self._plan.fired, strict=True) if not times)

    # ---- the line of the driver

    def open(self) -> None:
        """See TcpLine; a dead connection is not seen to be dead."""
        if not (self._deaf and self._socket is not None):
            super().open()

    def send(self, payload: bytes, timeout_s: float) -> None:
        """See TcpLine."""
        assert self._socket is not None, "open() comes first"
        try:
            data = frame(payload, self._dialect.frame)
        except EncodeError as error:
            raise AssertionError(f"our own request does not fit a frame: {error}") from error
        if self._end:
            self._finish(self._end)
        self._passes(OUT, data, payload)
        self._pump(timeout_s)

    def receive(self, deadline: float) -> bytes | None:
        """See TcpLine."""
        while True:
            self._absorb()
            self._pump(WRITE_S)
            if self._ready:
                return self._ready.pop(0)
            now = self._clock.monotonic()
            if now >= deadline:
                return None
            wait = min([deadline, *(due[0] for due in self._all_due())]) - now
            if self._deaf:
                idle(max(wait, 0.0))
            elif wait > 0:
                self._read(wait)

    def close(self) -> None:
        """See TcpLine; a connection on which a frame is still to leave stays open behind the terminal's back."""
        late = [due for due in self._due if due[2] == OUT]
        if late and self._socket is not None and not self._deaf and len(self._old) < OLD_MAX:
            self._old.append((self._socket, sorted(late)))
            self._socket = None
        super().close()
        self._heard = reader(self._dialect.frame, self._as_read, self._heard.kept)
        self._due, self._with, self._ready = [], {}, []
        self._behind = [held for held in self._behind if held[1] == OUT]
        self._deaf, self._end = False, ""

    def _dial(self) -> None:
        now = self._now()
        _, fault = self._plan.passed(f"conn/{self._tid}", self._asked, now)
        action = fault.action if fault is not None else ""
        if self._plan.is_down(self._tid, now):
            raise OSError("the line is down, by a fault")
        if action == "refuse":
            raise ConnectionRefusedError("the connection is refused, by a fault")
        super()._dial()
        self._end = action if action in ("reset", "fin") else ""
        self._deaf = action == "half-open"

    # ---- frames

    def _absorb(self) -> None:
        """Whole frames that came: each passes its point."""
        while self._payloads:
            payload = self._payloads.popleft()
            self._passes(IN, frame(payload, self._dialect.frame), payload)

    def _passes(self, way: str, data: bytes, payload: bytes) -> None:
        try:
            message = decode_payload(payload, self._dialect)
        except SpecError:
            message = None
        now = self._now()
        facts = self._facts(way, message)
        ends = f"{self._tid}>H" if way == OUT else f"H>{self._tid}"
        _, fault = self._plan.passed("/".join(filter(None, ("wire", ends, facts.mti))), facts, now)
        self._behind = [(left - 1, where, held) for left, where, held in self._behind]
        if not self._deaf and not self._plan.is_down(self._tid, now):
            passage = Passage(data, self._dialect, message)
            self._play(way, [Put(data)] if fault is None else effects(fault, passage))
        for _, where, held in [held for held in self._behind if held[0] <= 0]:
            self._play(where, [Put(held)])
        self._behind = [held for held in self._behind if held[0] > 0]

    def _facts(self, way: str, message: Message | None) -> Facts:
        mti = message.mti if message is not None else ""
        if way == IN or message is None:
            return replace(self._asked, mti=mti)
        try:
            operation = family(self._dialect.family).read_request(message, self._dialect)
        except (SpecError, ValueError):
            operation = None
        kind = operation.kind.value if isinstance(operation, Operation) else ""
        amount = message.get(4) or ""
        self._asked = Facts(self._tid, mti, kind, message.get(11) or "", int(amount) if amount.isdigit() else -1)
        return self._asked

    def _play(self, way: str, made: list[Effect]) -> None:
        now = self._clock.monotonic()
        for effect in made:
            match effect:
                case Put(data, after_s):
                    joined = self._with.pop(way, b"") + data
                    self._wait(now + after_s, way, Put(joined))
                case End(_, after_s):
                    self._wait(now + after_s, way, effect)
                case Behind(data, frames):
                    self._behind.append((frames, way, data))
                case With(data, most_s):
                    self._with[way] = self._with.get(way, b"") + data
                    self._wait(now + most_s, way, Put(b""))
                case _:
                    raise AssertionError(f"{effect} on a terminal's line")

    def _wait(self, at: float, way: str, effect: Effect) -> None:
        heapq.heappush(self._due, (at, next(self._order), way, effect))

    # ---- what is due

    def _all_due(self) -> list[_Due]:
        return [*self._due[:1], *(late[0] for _, late in self._old if late)]

    def _pump(self, timeout_s: float) -> None:
        """Do what is due now. Raises: LineLost when a fault ends the connection, or it ended by itself."""
        now = self._clock.monotonic()
        self._pump_old(now)
        while self._due and self._due[0][0] <= now:
            _, _, way, effect = heapq.heappop(self._due)
            if isinstance(effect, End):
                self._finish(effect.how)
            assert isinstance(effect, Put | End), effect
            if isinstance(effect, Put):
                # The time of a frame that waited for a neighbour is over: nothing of it is left when one came.
                data = effect.data or self._with.pop(way, b"")
                self._write(data, timeout_s) if way == OUT else self._hear(data)

    def _pump_old(self, now: float) -> None:
        for old, late in list(self._old):
            while late and late[0][0] <= now:
                effect = late.pop(0)[3]
                with contextlib.suppress(OSError):  # the host has left it too
                    if isinstance(effect, Put):
                        old.sendall(effect.data)
            if not late:
                old.close()
                self._old.remove((old, late))

    def _write(self, data: bytes, timeout_s: float) -> None:
        if not data or self._deaf:
            return
        try:
            if self._socket is None:
                raise OSError("the connection is closed")
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            self.close()
            raise LineLost(str(error)) from error

    def _hear(self, data: bytes) -> None:
        if not data or self._deaf:
            return
        try:
            self._ready += [payload for payload in self._heard.feed(data) if payload]
        except FrameError as error:
            self.close()
            raise LineLost(str(error)) from error

    def _finish(self, how: str) -> None:
        """A fault ends the connection. Raises: LineLost, but for a half-open one, of which nobody hears, and where the
        firmware makes something of what it has cut."""
        if how == "half-open":
            self._deaf = True
            return
        self._due = []
        if how == "reset" and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        cut = self._heard.ended()
        self.close()
        if not cut:
            raise LineLost(f"the connection ended ({how}), by a fault")
        self._ready = cut

    def _now(self) -> float:
        return self._clock.monotonic() - self._begun
