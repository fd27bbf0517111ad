"""The rim: every listener and line of a host. Reads frames, hands payloads to a handler, writes answers; knows no rule
about payments.

One Protocol object a connection, no task a connection or a message. A sweep once a second ends the lines that are over
a limit (host.limits) and looks whether the process still has file descriptors. Each answer leaves in one write.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from host.connection import Connection as Connection
from host.descriptors import Spares
from host.limits import DESCRIPTORS, LimitCounters, Limits, LogRate
from host.listener import Listener
from specs.endpoint import Endpoint
from specs.errors import FrameError

log = structlog.get_logger("host.server")

SWEEP_S = 1.0

Handler = Callable[["Connection", bytes], None]
BrokenStream = Callable[["Connection", FrameError, bytes], None]
"""Connection, why, and the bytes at fault, from a length header on where that is known; the server ends the line."""


class Tap(Protocol):
    """Who sees all bytes of all lines, in clear (`serve --capture`). Called in the loop's thread; must not raise."""

    def opened(self, serial: int, local: tuple[str, int], peer: tuple[str, int]) -> None:
        """A line is up; address and port of both ends."""

    def received(self, serial: int, data: bytes) -> None:
        """Bytes from the terminal, as they were read."""

    def sent(self, serial: int, data: bytes) -> None:
        """Bytes to the terminal, as they were written."""

    def closed(self, serial: int, how: str) -> None:
        """The line has ended: "fin" or "rst"."""


@dataclass(slots=True)
class Counters:
    """What the edge counts, for /metrics. Plain integers: only the loop's thread writes them."""

    accepted: int = 0
    refused: int = 0
    closed_idle: int = 0
    closed_slow: int = 0
    broken_streams: int = 0
    tls_failed: int = 0
    keep_alives: int = 0
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(slots=True)
class Server:
    """All listeners of one host. handler is called in the loop's thread with each payload; whoever it is calls the
    line's `request_ended` once for each of them."""

    handler: Handler
    broken: BrokenStream
    limits: Limits = field(default_factory=Limits)
    hits: LimitCounters = field(default_factory=LimitCounters)
    tap: Tap | None = None
    counters: Counters = field(default_factory=Counters)
    trouble: str = ""
    """Why new terminals are turned away though we listen; "" when they are not."""
    _connections: set[Connection] = field(default_factory=set)
    _addresses: Counter[str] = field(default_factory=Counter)
    """Address -> its lines, those that are just being taken included."""
    _taken: int = 0
    _listeners: list[Listener] = field(default_factory=list)
    _serials: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _spares: Spares = field(default_factory=Spares)
    _tls_log: LogRate = field(default_factory=LogRate)
    _loop: asyncio.AbstractEventLoop | None = None
    _sweeper: asyncio.TimerHandle | None = None

    # ---- listening

    async def listen(self, endpoint: Endpoint) -> int:
        """Open one listener; the port it got. Raises ConfigError naming address and port when it cannot, or the file of
        a certificate."""
        self._loop = asyncio.get_running_loop()
        listener = await Listener.open(self, endpoint)
        self._listeners.append(listener)
        if self._sweeper is None:
            self._spares.refill()
            self._sweep()
        return listener.port

    async def stop_accepting(self) -> None:
        """Close the listeners; the lines stay, so that answers still leave."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def close(self) -> None:
        """Close every line after its last write."""
        await self.stop_accepting()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._connections):
            connection.hang_up()
        for _ in range(200):
            if not self._connections:
                break
            await asyncio.sleep(0.01)
        self._spares.release()

    @property
    def listening(self) -> bool:
        """Whether new terminals can dial in."""
        return bool(self._listeners)

    @property
    def connections(self) -> int:
        """Lines that are open now."""
        return len(self._connections)

    # ---- what listeners and lines call

    def next_serial(self) -> int:
        """A number that no other line of this process has."""
        return next(self._serials)

    def loop_time(self) -> float:
        """Seconds on the loop's own clock, which never goes back; not the host's time."""
        assert self._loop is not None
        return self._loop.time()

    def admit(self, address: str) -> bool:
        """Count a new line; False (and counted as refused) at a limit, or while there are no file descriptors."""
        limits = self.limits
        limit = ""
        if self.trouble:
            limit = DESCRIPTORS
        elif self._taken >= limits.connections:
            limit = "connections"
        elif 0 < limits.connections_per_address <= self._addresses[address]:
            limit = "connections_per_address"
        if limit:
            self.counters.refused += 1
            self.hits.hit(limit, address=address, open=self._taken)
            return False
        self._taken += 1
        self._addresses[address] += 1
        self.counters.accepted += 1
        return True

    def line_of(self, tid: str) -> Connection | None:
        """The newest open line on which this terminal spoke last."""
        return max((line for line in self._connections if line.tid == tid), key=lambda line: line.serial, default=None)

    def opened(self, connection: Connection) -> None:
        """The line is up."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a line that has ended."""
        self._connections.discard(connection)
        self._taken -= 1
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]

    def tls_failed(self, connection: Connection, reason: str) -> None:
        """Count it, and one line in the log for each reason, at a bounded rate."""
        self.counters.tls_failed += 1
        if times := self._tls_log.due(reason[:60]):
            log.warning("TLS refused", peer=connection.peer, why=reason, times=times)

    def exhausted(self, error: OSError) -> None:
        """No file descriptor for a line that waits: lines that are open go on, new ones are turned away at once, and
        what we kept for this goes to the store and the API. The sweep finds out when it is over."""
        if self.trouble:
            # The spares are used up too: nobody can even be turned away. Who dials waits in the kernel's queue.
            for listener in self._listeners:
                listener.pause()
            return
        self.trouble = f"no file descriptors left ({error.strerror}): new terminals are turned away"
        self._spares.release()
        self.hits.hit(DESCRIPTORS, open=self._taken)

    # ---- once a second

    def _sweep(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        for connection in list(self._connections):
            if limit := connection.overdue(now):
                self._end(connection, limit)
        self._look_for_descriptors()
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    def _end(self, connection: Connection, limit: str) -> None:
        self.counters.closed_idle += limit == "idle_s"
        self.counters.closed_slow += limit == "frame_s"
        self.hits.hit(limit, peer=connection.peer)
        connection.give_up(limit)

    def _look_for_descriptors(self) -> None:
        """The spares are back when there is room again."""
        if self.trouble and self._spares.refill():
            log.info("file descriptors are there again: terminals are let in", open=self._taken)
            self.trouble = ""
        for listener in self._listeners:
            listener.resume()
