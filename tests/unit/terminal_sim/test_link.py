"""The TCP line: deadlines, split frames, lost connections; over real sockets on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from specs.endpoint import parse
from terminal_sim.clock import SystemClock
from terminal_sim.errors import LineLost, NotConnected
from terminal_sim.link import TcpLine

Talk = Callable[[socket.socket], None]


@contextmanager
def listening(*talks: Talk) -> Iterator[int]:
    """A server on a free port: each connection has one talk, in their order, then is closed."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for talk in talks:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(5)


def line_to(port: int, options: str = "") -> TcpLine:
    return TcpLine(parse(f"nac://127.0.0.1:{port}{options}"), SystemClock(), connect_timeout_s=1.0, tries=3)


def soon(seconds: float = 2.0) -> float:
    return time.monotonic() + seconds


def test_a_frame_split_into_bytes_and_two_frames_in_one_segment_are_both_read() -> None:
    """Case 72: one read is not one message."""

    def talk(connection: socket.socket) -> None:
        assert connection.recv(100) == b"\x00\x03abc"
        for byte in b"\x00\x02xy":
            connection.sendall(bytes([byte]))
            time.sleep(0.005)
        connection.sendall(b"\x00\x00" + b"\x00\x01p" + b"\x00\x01q")  # a keep-alive before
        connection.recv(1)

    with listening(talk) as port:
        line = line_to(port)
        line.open()
        line.send(b"abc", 1.0)
        assert [line.receive(soon()) for _ in range(3)] == [b"xy", b"p", b"q"]
        line.close()


def test_the_options_of_the_url_frame_the_line() -> None:
    def talk(connection: socket.socket) -> None:
        assert connection.recv(100) == b"\x00\x14" + b"x" * 12  # BCD, counting itself
        connection.sendall(b"\x00\x04ok")

    with listening(talk) as port:
        line = line_to(port, "?length=bcd2&inclusive=1")
        line.open()
        line.send(b"x" * 12, 1.0)
        assert line.receive(soon()) == b"ok"


def test_nothing_within_the_deadline_is_none_and_bytes_do_not_move_it() -> None:
    """Case 73: a dripping host must not keep the terminal waiting."""

    def talk(connection: socket.socket) -> None:
        for byte in b"\x00\x64" + b"z" * 20:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)
        connection.recv(1)

    with listening(talk) as port:
        line = line_to(port)
        line.open()
        began = time.monotonic()
        assert line.receive(soon(0.2)) is None
        assert time.monotonic() - began < 0.4
        line.close()


def test_a_closed_or_senseless_stream_is_a_lost_line() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.sendall(b"\x00\x05ab")

    def nonsense(connection: socket.socket) -> None:
        connection.sendall(b"\xff\xff")
        connection.recv(1)

    with listening(hang_up, nonsense) as port:
        line = line_to(port)
        for _ in range(2):
            line.open()
            with pytest.raises(LineLost):
                line.receive(soon())


def test_nobody_listens_and_no_byte_has_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotConnected, match=f"127.0.0.1:{port}"):
        line_to(port).open()


def test_a_connection_that_the_host_has_closed_is_made_anew_before_sending() -> None:
    """Sent into the closed one, the request would be lost without a word."""
    closed = threading.Event()

    def close_at_once(connection: socket.socket) -> None:
        closed.set()

    def answer(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100))

    with listening(close_at_once, answer) as port:
        line = line_to(port)
        line.open()
        closed.wait(2)
        time.sleep(0.05)
        line.open()
        line.send(b"abc", 1.0)
        assert line.receive(soon()) == b"abc"


def test_what_arrived_is_gone_with_the_connection() -> None:
    """A late answer of one request must not meet the next."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"\x00\x04late" + b"\x00\x05later")
        connection.recv(1)

    def again(connection: socket.socket) -> None:
        connection.sendall(b"\x00\x03new")
        connection.recv(1)

    with listening(talk, again) as port:
        line = line_to(port)
        line.open()
        assert line.receive(soon()) == b"late"
        line.close()
        line.open()
        assert line.receive(soon()) == b"new"
        line.close()
