"""The rim: sockets. Reads frames, hands payloads to a handler, writes answers; knows no rule about payments.

One Protocol object a connection, no task a connection or a message. A sweep once a second closes connections that are
idle or that do not finish a frame. Each answer leaves in one write.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import structlog

from host.errors import ConfigError
from specs.endpoint import Endpoint
from specs.errors import FrameError
from specs.framing import FrameReader

log = structlog.get_logger("host.server")

CONNECTIONS_MAX = 15_000
"""Under the usual 20,000 open files a process; more dial attempts are closed at once and counted."""
FRAME_DEADLINE_S = 60.0
"""From the first to the last byte of one frame (rules.md, section 10)."""
IDLE_S = 300.0
"""A connection that says nothing for this long is closed (rules.md, section 10)."""
BACKLOG = 1024

Handler = Callable[["Connection", bytes], None]
BrokenStream = Callable[["Connection", FrameError, bytes], None]


@dataclass(slots=True)
class Counters:
    """What the edge counts, for /metrics. Plain integers: only the loop's thread writes them."""

    accepted: int = 0
    refused: int = 0
    closed_idle: int = 0
    closed_slow: int = 0
    broken_streams: int = 0
    keep_alives: int = 0
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Connection(asyncio.Protocol):
    """One line to a terminal: bytes in, payloads out, frames back. serial names it for logs and tokens."""

    __slots__ = ("_first_byte_at", "_reader", "_server", "_touched_at", "_transport", "endpoint", "peer", "serial")

    def __init__(self, server: Server, endpoint: Endpoint) -> None:
        self._server = server
        self._reader = FrameReader(endpoint.dialect.frame)
        self._transport: asyncio.Transport | None = None
        self._first_byte_at = 0.0
        self._touched_at = 0.0
        self.endpoint = endpoint
        self.peer = "?"
        self.serial = server.next_serial()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the line in, or drop it with a RST when the limit is reached."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "local"
        if not self._server.admit(self):
            self._transport.abort()
            return
        self._touched_at = self._server.loop_time()

    def data_received(self, data: bytes) -> None:
        """Hand over every frame that is whole now; after a length that cannot be, tell and close."""
        server = self._server
        now = server.loop_time()
        self._touched_at = now
        server.counters.bytes_in += len(data)
        try:
            payloads = self._reader.feed(data)
        except FrameError:
            payloads = []
        self._first_byte_at = (self._first_byte_at or now) if self._reader.pending else 0.0
        for payload in payloads:
            if payload:
                server.counters.frames_in += 1
                server.handler(self, payload)
            else:
                server.counters.keep_alives += 1
        if self._reader.error is not None:
            # Nothing after a wrong length can be trusted: say why in the log, then close the line.
            server.counters.broken_streams += 1
            server.broken(self, self._reader.error, data)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Count the line out; answers still under way for it are not delivered."""
        self._transport = None
        self._server.release(self)

    def send(self, frame: bytes) -> bool:
        """Write one answer in one piece; False when the line is gone (the books are right, the terminal will ask)."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(frame)
        self._touched_at = self._server.loop_time()
        self._server.counters.frames_out += 1
        self._server.counters.bytes_out += len(frame)
        return True

    def close(self) -> None:
        """End the line once what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """End the line with a RST, losing what was not sent."""
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now: float) -> str:
        """Why this line must be closed now: "idle", "slow" or ""."""
        if self._first_byte_at and now - self._first_byte_at > FRAME_DEADLINE_S:
            return "slow"
        return "idle" if now - self._touched_at > IDLE_S else ""


@dataclass(slots=True)
class Server:
    """All listeners of one host. handler is called in the loop's thread with each payload."""

    handler: Handler
    broken: BrokenStream
    connections_max: int = CONNECTIONS_MAX
    counters: Counters = field(default_factory=Counters)
    _connections: set[Connection] = field(default_factory=set)
    _listeners: list[asyncio.Server] = field(default_factory=list)
    _serials: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _loop: asyncio.AbstractEventLoop | None = None
    _sweeper: asyncio.TimerHandle | None = None

    async def listen(self, endpoint: Endpoint) -> int:
        """Open one listener; the port it got. Raises ConfigError naming address and port when it cannot."""
        self._loop = asyncio.get_running_loop()
        try:
            listener = await self._loop.create_server(
                lambda: Connection(self, endpoint), endpoint.address, endpoint.port, backlog=BACKLOG
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"cannot listen on {endpoint.address}:{endpoint.port}: {reason}") from error
        self._listeners.append(listener)
        if self._sweeper is None:
            self._sweep()
        return int(listener.sockets[0].getsockname()[1])

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
        for connection in list(self._connections):
            connection.close()
        for _ in range(200):
            if not self._connections:
                return
            await asyncio.sleep(0.01)

    @property
    def listening(self) -> bool:
        """Whether new terminals can dial in."""
        return bool(self._listeners)

    @property
    def connections(self) -> int:
        """Lines that are open now."""
        return len(self._connections)

    def next_serial(self) -> int:
        """A number that no other line of this process has."""
        return next(self._serials)

    def loop_time(self) -> float:
        """Seconds on the loop's own clock, which never goes back; not the host's time."""
        assert self._loop is not None
        return self._loop.time()

    def admit(self, connection: Connection) -> bool:
        """Count a new line; False (and counted as refused) at `connections_max`."""
        if len(self._connections) >= self.connections_max:
            self.counters.refused += 1
            log.warning("connection refused: the limit is reached", peer=connection.peer, limit=self.connections_max)
            return False
        self._connections.add(connection)
        self.counters.accepted += 1
        return True

    def release(self, connection: Connection) -> None:
        """Forget a line that has ended; harmless for one that was never admitted."""
        self._connections.discard(connection)

    def _sweep(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        for connection in list(self._connections):
            reason = connection.overdue(now)
            if reason == "slow":
                self.counters.closed_slow += 1
            elif reason == "idle":
                self.counters.closed_idle += 1
            if reason:
                log.info("connection closed", peer=connection.peer, reason=reason)
                connection.close()
        self._sweeper = self._loop.call_later(1.0, self._sweep)
