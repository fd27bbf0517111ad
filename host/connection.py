"""One line to a terminal: bytes in, payloads out, frames back. The loop's thread only.

What bounds a line stands here: how long a frame may take, how many requests may wait for their answer, how much may lie
unread. Where a line is ahead of us it is not read any more, so that TCP holds the terminal back and nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

from host.doctor import greeting
from specs.errors import FrameError, FrameTooLong
from specs.framing import FrameFormat, FrameReader

if TYPE_CHECKING:
    from host.server import Server
    from specs.endpoint import Endpoint


RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: a close sends RST at once and drops what has not left."""


class Connection(asyncio.Protocol):
    """One line. serial names it in logs and captures; in_flight counts the requests that wait for their answer."""

    __slots__ = (
        *("_choked_at", "_ending_at", "_first_byte_at", "_handing", "_held", "_paused", "_reader", "_server"),
        *("_socket", "_stalled", "_touched_at", "_transport", "_was_reset"),
        *("address", "endpoint", "in_flight", "latest", "peer", "serial", "tid"),
    )

    def __init__(
        self, server: Server, endpoint: Endpoint, frame: FrameFormat, accepted: socket.socket, address: str
    ) -> None:
        self._server = server
        self._socket = accepted
        """The transport's own; only to say how it is to be closed."""
        self._reader = FrameReader(frame)
        self._transport: asyncio.Transport | None = None
        self._first_byte_at = 0.0
        self._touched_at = 0.0
        self._choked_at = 0.0
        """Since when its terminal leaves answers unread; 0 = it does not."""
        self._ending_at = 0.0
        """Since when it is to be closed; 0 = it is not."""
        self._held: deque[bytes] | None = None
        """Payloads that came beyond the requests that may be in flight; None = none."""
        self._handing = self._paused = self._stalled = self._was_reset = False
        self.address = address
        self.endpoint = endpoint
        self.in_flight = 0
        self.latest = b""
        """What is being read now: a payload that is none is looked for in it, to tell where its frame really ends."""
        self.peer = "?"
        self.serial = server.next_serial()
        self.tid = ""
        """The terminal that spoke last on it; a fault may send another's answer here (`cross`)."""

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is up; the listener has counted it in already."""
        server = self._server
        self._transport = cast(asyncio.Transport, transport)
        # Half is where TCP begins to hold the terminal back; beyond the whole the line is cut.
        self._transport.set_write_buffer_limits(high=server.limits.write_buffer_bytes // 2)
        self._touched_at = server.loop_time()
        peer = _place(transport.get_extra_info("peername"))
        self.peer = f"{peer[0]}:{peer[1]}" if peer[1] else "local"
        server.opened(self)
        if server.tap is not None:
            server.tap.opened(self.serial, _place(transport.get_extra_info("sockname")), peer)

    def data_received(self, data: bytes) -> None:
        """Hand over every frame that is whole now; after a length that cannot be, tell and close."""
        if self._stalled or self._ending_at:
            return
        server = self._server
        self._touched_at = now = server.loop_time()
        self.latest = data
        server.counters.bytes_in += len(data)
        if server.tap is not None:
            server.tap.received(self.serial, data)
        reader = self._reader
        try:
            payloads = reader.feed(data)
        except FrameError:
            payloads = []
        for payload in payloads:
            if self._ending_at:
                return  # a payload before this one has ended the line
            if not payload:
                server.counters.keep_alives += 1
            elif self._held is None and not self._choked_at and self.in_flight < server.limits.in_flight_per_connection:
                self._hand_over(payload)
            else:
                self._hold(payload)
        self.latest = b""
        if reader.error is not None:
            self._broken_by(reader.error, data)
        elif not reader.pending:
            self._first_byte_at = 0.0
        elif payloads or not self._first_byte_at:
            self._frame_begins(now)

    def eof_received(self) -> bool:
        """The terminal says no more; what it has asked is still answered, then the line closes."""
        if self.in_flight or self._held:
            self._ending_at = self._ending_at or self._server.loop_time()
            return True
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Count the line out; answers still under way for it are not delivered. Half a frame is told."""
        self._transport = None
        self._held = None
        if self._reader.pending and not self._ending_at and not self._stalled:
            self._server.broken(self, self._unfinished("the line ended inside a frame"), self._rest())
        self._server.closed(self)
        if self._server.tap is not None:
            self._server.tap.closed(self.serial, "rst" if error is not None or self._was_reset else "fin")

    def pause_writing(self) -> None:
        """The terminal does not read its answers: take no further request from it."""
        self._choked_at = self._server.loop_time()
        self._read_or_not()

    def resume_writing(self) -> None:
        """It reads again."""
        self._choked_at = 0.0
        if self._held is not None and not self._handing:
            self._go_on()
        self._read_or_not()

    # ---- what the host calls

    def send(self, frame: bytes) -> bool:
        """Write one answer in one piece; False when the line is gone (the books are right, the terminal will ask)."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._stalled:
            return False
        server = self._server
        if self._choked_at and transport.get_write_buffer_size() + len(frame) > server.limits.write_buffer_bytes:
            server.hits.hit("write_buffer_bytes", peer=self.peer)
            self.reset()
            return False
        transport.write(frame)
        self._touched_at = server.loop_time()
        server.counters.frames_out += 1
        server.counters.bytes_out += len(frame)
        if server.tap is not None:
            server.tap.sent(self.serial, frame)
        return True

    def request_again(self) -> None:
        """A payload that was handed over is handled once more: it ends once more too."""
        self.in_flight += 1

    def line_of(self, tid: str) -> Connection | None:
        """The open line on which this terminal spoke last; None when it has none."""
        return self._server.line_of(tid)

    def request_ended(self) -> None:
        """One payload that was handed over has come to its end: answered, refused or dropped. Called once for each."""
        if self.in_flight:
            self.in_flight -= 1
        if self._held is not None and not self._handing:
            self._go_on()
        if self._ending_at and not self.in_flight and not self._held:
            self.hang_up()

    def close(self) -> None:
        """End the line once what it has asked is answered; nothing further is read. Bound: closing_s."""
        if self.in_flight or self._held:
            self._ending_at = self._ending_at or self._server.loop_time()
            self._read_or_not()
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """End the line once what was written has left."""
        self._ending_at = self._ending_at or self._server.loop_time()
        if self._transport is not None:
            self._transport.close()

    def stall(self) -> None:
        """From now on the host neither hears nor says anything on this line; the idle limit or the terminal ends it."""
        self._stalled = True
        self._first_byte_at = 0.0

    def reset(self) -> None:
        """End the line with a RST, losing what was not sent."""
        self._was_reset = True
        with contextlib.suppress(OSError):  # closed already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._ending_at = self._ending_at or self._server.loop_time()
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now: float) -> str:
        """The name of the limit by which this line must be ended now; "" = none."""
        limits = self._server.limits
        if self._ending_at:
            return "closing_s" if now - self._ending_at > limits.closing_s else ""
        if self._choked_at and now - self._choked_at > limits.frame_s:
            return "write_buffer_bytes"
        if self._first_byte_at and not self._paused and now - self._first_byte_at > limits.frame_s:
            return "frame_s"
        return "idle_s" if 0 < limits.idle_s < now - self._touched_at else ""

    def give_up(self, limit: str) -> None:
        """End the line by that limit; a frame that was never finished is told as what it is."""
        if limit == "frame_s":
            seconds = self._server.limits.frame_s
            self._broken_by(self._unfinished(f"the rest of a frame did not come within {seconds:g} s"), self._rest())
        elif limit == "idle_s":
            self.hang_up()
        else:
            self.reset()

    # ---- requests ahead of their answers

    def _hand_over(self, payload: bytes) -> None:
        self.in_flight += 1
        self._server.counters.frames_in += 1
        self._server.handler(self, payload)

    def _hold(self, payload: bytes) -> None:
        """Read already, so it is kept; what has not been read yet stays with TCP. Bound: one read of the socket."""
        if self._held is None:
            self._held = deque()
            if not self._choked_at:
                self._server.hits.hit("in_flight_per_connection", peer=self.peer)
            self._read_or_not()
        self._held.append(payload)

    def _go_on(self) -> None:
        self._handing = True  # a handler that ends its request at once must not come back in here
        most = self._server.limits.in_flight_per_connection
        while self._held and not self._choked_at and self.in_flight < most:
            self._hand_over(self._held.popleft())
        self._handing = False
        if not self._held:
            self._held = None
            self._read_or_not()

    def _read_or_not(self) -> None:
        """Read only while the line is neither ahead of us nor about to be closed."""
        wait = self._held is not None or self._choked_at > 0 or self._ending_at > 0
        transport = self._transport
        if wait is self._paused or transport is None or transport.is_closing():
            return
        self._paused = wait
        if wait:
            transport.pause_reading()
        else:
            # What came late because we did not read is not the terminal's delay.
            self._first_byte_at = self._first_byte_at and self._server.loop_time()
            transport.resume_reading()

    # ---- frames that are none

    def _frame_begins(self, now: float) -> None:
        """The first bytes of a frame that is not whole yet: the clock runs; a stranger's greeting is told at once."""
        self._first_byte_at = now
        rest = self._rest()
        if greeting(rest):
            self._broken_by(FrameError("no frame of this listener begins with these bytes"), rest)

    def _broken_by(self, error: FrameError, data: bytes) -> None:
        """Nothing after this can be trusted: say why, then close the line once the good frames before are answered."""
        server = self._server
        server.counters.broken_streams += 1
        if isinstance(error, FrameTooLong):
            server.hits.hit("frame_bytes", peer=self.peer)
        server.broken(self, error, data)
        self.close()

    def _rest(self) -> bytes:
        return self._reader.unfinished

    def _unfinished(self, why: str) -> FrameError:
        """Units: bytes from the length header on, that included."""
        announced, came = self._reader.announced, self._reader.pending
        expected = f"{announced} bytes" if announced else "a length header"
        text = f"{why}: {came} bytes of {announced or 'an unknown number'} came"
        return FrameError(text, offset=came, expected=expected, got=f"{came} bytes")


def _place(name: object) -> tuple[str, int]:
    """Address and port of a socket's name; ("", 0) for one without."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)
