"""One listening socket. We accept ourselves instead of letting the loop do it: what happens at a limit, and when the
process has no file descriptor left, is then the same on both loops, and is ours to say. (uvloop closes what it cannot
hold without a word; the standard library's loop writes a trace a second.)
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from host.connection import RESET_ON_CLOSE, Connection
from host.descriptors import EXHAUSTED
from host.errors import ConfigError
from host.tls import TlsConnection, server_context
from specs.endpoint import Endpoint
from specs.framing import FrameFormat

if TYPE_CHECKING:
    from host.server import Server

log = structlog.get_logger("host.server")

BACKLOG = 1024
ACCEPTS_A_TURN = 64
"""Then the lines that are open get their turn, however many terminals dial at once."""


@dataclass(slots=True, eq=False)
class Listener:
    """Shape: `open` binds, `pause` and `resume` stop and go on accepting, `close` ends it. The loop's thread only."""

    server: Server
    endpoint: Endpoint
    sockets: list[socket.socket]
    frame: FrameFormat
    context: ssl.SSLContext | None
    paused: bool = True
    _opening: set[asyncio.Task[object]] = field(default_factory=set)

    @classmethod
    async def open(cls, server: Server, endpoint: Endpoint) -> Listener:
        """Bind and listen. Raises: ConfigError naming address and port, or the file of a certificate."""
        context = server_context(endpoint)
        try:
            sockets = await _bind(endpoint)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"cannot listen on {endpoint.address}:{endpoint.port}: {reason}") from error
        allowed = endpoint.dialect.frame
        frame = replace(allowed, max_bytes=min(allowed.max_bytes, server.limits.frame_bytes))
        listener = cls(server, endpoint, sockets, frame, context)
        listener.resume()
        return listener

    @property
    def port(self) -> int:
        """The port it got."""
        return int(self.sockets[0].getsockname()[1])

    def pause(self) -> None:
        """Accept nothing for now; who dials waits in the kernel's queue."""
        if not self.paused:
            self.paused = True
            for listening in self.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())

    def resume(self) -> None:
        """Accept again."""
        if self.paused:
            self.paused = False
            for listening in self.sockets:
                asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    def close(self) -> None:
        """Accept no more; whoever dials is refused by the machine."""
        self.pause()
        for listening in self.sockets:
            listening.close()
        self.sockets.clear()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                accepted, name = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self.server.exhausted(error)
                return
            address = str(name[0])
            if self.server.admit(address):
                self._take(accepted, address)
            else:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                accepted.close()

    def _take(self, accepted: socket.socket, address: str) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        connect = loop.connect_accepted_socket(lambda: self._connection(accepted, address), accepted)
        task: asyncio.Task[object] = loop.create_task(connect)
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _connection(self, accepted: socket.socket, address: str) -> Connection:
        if self.context is None:
            return Connection(self.server, self.endpoint, self.frame, accepted, address)
        return TlsConnection(self.server, self.endpoint, self.frame, accepted, address, self.context)

    def _opened(self, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("a connection could not be taken", why=str(task.exception()))


async def _bind(endpoint: Endpoint) -> list[socket.socket]:
    """A socket for each address that the name stands for, all on one port. Raises: OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.address, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    port = endpoint.port
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                listening = socket.socket(family, kind, protocol)
            except OSError:
                continue  # an address family that this machine does not have
            sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((address[0], port, *address[2:]))
            listening.listen(BACKLOG)
            listening.setblocking(False)
            port = listening.getsockname()[1]
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    if not sockets:
        raise OSError(f"no address for {endpoint.address}")
    return sockets
