"""One TCP connection to the host, plain or TLS, blocking, with deadlines; the only importer of sockets in the terminal.

A connection may serve several exchanges of one process. It is made anew when it was found closed, and the driver drops
it after a deadline has passed, so that an answer that comes late cannot meet the next request on the same stream.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections import deque

from specs.endpoint import Endpoint
from specs.errors import EncodeError, FrameError
from specs.framing import frame
from terminal_sim.clock import Clock
from terminal_sim.errors import LineLost, NotConnected
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.reads import reader
from terminal_sim.tls import client_context, why

READ_BYTES = 4096
FIRST_WORD_S = 0.5
"""How long a new TLS 1.3 line waits for the host's first word before a request is put on it (`_accepted`)."""


class TcpLine:
    """The line of terminal_sim.driver over TCP. Units: connect_timeout_s for each of `tries`, TLS handshake included.

    Raises: ConfigError for a file of the TLS options that cannot be used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Clock,
        *,
        connect_timeout_s: float,
        tries: int,
        firmware: Firmware = REFERENCE,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._connect_timeout_s = connect_timeout_s
        self._tries = tries
        self._context = client_context(endpoint)
        self._socket: socket.socket | None = None
        self._firmware = firmware
        self._reader = reader(endpoint.dialect.frame, firmware)
        self._payloads: deque[bytes] = deque()

    def open(self) -> None:
        """Be connected. Raises: NotConnected after the last try."""
        if self._socket is not None and self._alive():
            return
        self.close()
        reason = "no try was made"
        for _ in range(self._tries):
            try:
                self._dial()
                return
            except ssl.SSLError as error:  # another try would end the same way
                self.close()
                reason = f"TLS: {why(error)}"
                break
            except (OSError, OverflowError, LineLost) as error:
                self.close()
                reason = str(error)
        raise NotConnected(f"{self._endpoint.address}:{self._endpoint.port}: {reason}")

    def send(self, payload: bytes, timeout_s: float) -> None:
        """One frame in one write. Raises: LineLost: some of it may have left."""
        assert self._socket is not None, "open() comes first"
        try:
            data = frame(payload, self._endpoint.dialect.frame)
        except EncodeError as error:
            raise AssertionError(f"our own request does not fit a frame: {error}") from error
        try:
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            self.close()
            raise LineLost(str(error)) from error

    def receive(self, deadline: float) -> bytes | None:
        """The next payload, None at the deadline (clock.monotonic). Keep-alives are skipped. Raises: LineLost."""
        while not self._payloads:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return None
            self._read(left)
        return self._payloads.popleft()

    def close(self) -> None:
        """Drop the connection and whatever had arrived on it."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None
        self._reader = reader(self._endpoint.dialect.frame, self._firmware, self._reader.kept)
        self._payloads.clear()

    def _dial(self) -> None:
        address = (self._endpoint.address, self._endpoint.port)
        self._socket = socket.create_connection(address, self._connect_timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self._socket = self._context.wrap_socket(self._socket, server_hostname=self._endpoint.address)
            self._accepted(self._socket)

    def _accepted(self, line: ssl.SSLSocket) -> None:
        """In TLS 1.3 our side of the handshake is done before the host has seen our certificate: a request sent now
        could meet its refusal, and would be owed a reversal though nobody read it. So wait for the host's first word, a
        session ticket as a rule; a host that gives none costs this wait. Raises: ssl.SSLError, LineLost."""
        if line.version() == "TLSv1.3" and select.select([line], [], [], FIRST_WORD_S)[0]:
            line.settimeout(0.0)
            with contextlib.suppress(ssl.SSLWantReadError):
                data = line.recv(READ_BYTES)
                if not data:
                    raise LineLost("the host has closed the connection")
                self._payloads.extend(payload for payload in self._reader.feed(data) if payload)

    def _read(self, seconds: float) -> None:
        if self._socket is None:
            raise LineLost("the connection is closed")
        try:
            self._socket.settimeout(seconds)
            data = self._socket.recv(READ_BYTES)
            payloads = self._reader.feed(data) if data else None
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return
        except FrameError as error:
            self.close()
            raise LineLost(str(error)) from error
        except OSError as error:
            self._ended(str(error))
            return
        if payloads is None:
            self._ended("the host has closed the connection")
            return
        self._payloads.extend(payload for payload in payloads if payload)

    def _ended(self, why: str) -> None:
        """The host's end is closed. Raises: LineLost, when the firmware makes nothing of what it has cut."""
        cut = self._reader.ended()
        self.close()
        if not cut:
            raise LineLost(why)
        self._payloads.extend(cut)

    def _alive(self) -> bool:
        """Whether the host has not closed the connection since; what it sent unasked is read and kept."""
        assert self._socket is not None
        try:
            while self._socket is not None and select.select([self._socket], [], [], 0)[0]:
                self._read(0.0)
        except (LineLost, ValueError):
            return False
        return self._socket is not None
