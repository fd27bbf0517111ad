"""The rim: frames however they are cut, limits, slow and idle lines, ports. Real sockets on loopback, port 0."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from host import server as rim
from host.errors import ConfigError
from host.server import Connection, Server
from specs.endpoint import Endpoint, parse
from specs.errors import FrameError

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Echo:
    """A handler that answers each payload with itself, and remembers."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.broken: list[str] = []
        self.server = Server(handler=self.received, broken=self.spoiled)

    def received(self, connection: Connection, payload: bytes) -> None:
        self.payloads.append(payload)
        connection.send(len(payload).to_bytes(2, "big") + payload)

    def spoiled(self, connection: Connection, error: FrameError, data: bytes) -> None:
        self.broken.append(str(error))


def endpoint(url: str = "nac://127.0.0.1:0") -> Endpoint:
    return parse(url)


def talk(echo: Echo, *talks: Talk) -> None:
    """Run one client after the other against a server that ends with them."""

    async def run() -> None:
        port = await echo.server.listen(endpoint())
        try:
            for one in talks:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.wait_for(one(reader, writer), 10)
                writer.close()
        finally:
            await echo.server.close()

    asyncio.run(run())


def test_two_frames_in_one_segment_and_one_in_single_bytes() -> None:
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x03abc\x00\x02de")
        assert await reader.readexactly(9) == b"\x00\x03abc\x00\x02de"
        for byte in b"\x00\x03fgh":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)
        assert await reader.readexactly(5) == b"\x00\x03fgh"

    talk(echo, client)
    assert echo.payloads == [b"abc", b"de", b"fgh"]


def test_a_zero_length_is_a_keep_alive_and_says_nothing() -> None:
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x00\x00\x01x")
        assert await reader.readexactly(3) == b"\x00\x01x"

    talk(echo, client)
    assert echo.server.counters.keep_alives == 1


def test_good_frames_before_a_wrong_length_are_answered_then_the_line_closes_and_others_go_on() -> None:
    echo = Echo()

    async def bad(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01a\xff\xff")
        assert await reader.read() == b"\x00\x01a"

    async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01b")
        assert await reader.readexactly(3) == b"\x00\x01b"

    talk(echo, bad, good)
    assert echo.server.counters.broken_streams == 1
    assert "65535" in echo.broken[0]


def test_more_lines_than_the_limit_are_closed_at_once_and_counted() -> None:
    echo = Echo()
    echo.server.connections_max = 1

    async def run() -> None:
        port = await echo.server.listen(endpoint())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x01a")
        await reader.readexactly(3)
        second, _ = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(second.readexactly(1), 5)
        writer.write(b"\x00\x01b")
        assert await reader.readexactly(3) == b"\x00\x01b"
        writer.close()
        await echo.server.close()

    asyncio.run(run())
    assert (echo.server.counters.refused, echo.server.counters.accepted) == (1, 1)


@pytest.mark.parametrize(
    ("sent", "deadline", "reason"), [(b"\x00\x05ab", "FRAME_DEADLINE_S", "slow"), (b"", "IDLE_S", "idle")]
)
def test_half_a_frame_and_silence_ends_the_line(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, deadline: str, reason: str
) -> None:
    monkeypatch.setattr(rim, deadline, 0.05)
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert await reader.read() == b""

    talk(echo, client)
    assert getattr(echo.server.counters, f"closed_{reason}") == 1


def test_a_frame_that_drips_is_ended_however_often_a_byte_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """FC 73: the deadline runs from the first byte of the frame, not from the last one that came."""
    monkeypatch.setattr(rim, "FRAME_DEADLINE_S", 0.5)
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x01\x00")
        for _ in range(60):
            writer.write(b"x")
            if reader.at_eof():
                return
            await asyncio.sleep(0.1)

    talk(echo, client)
    assert echo.server.counters.closed_slow == 1


def test_a_taken_port_is_told_with_address_and_port() -> None:
    async def run() -> None:
        first, second = Echo().server, Echo().server
        port = await first.listen(endpoint())
        try:
            with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}"):
                await second.listen(endpoint(f"nac://127.0.0.1:{port}"))
        finally:
            await first.close()

    asyncio.run(run())


def test_an_answer_for_a_line_that_is_gone_is_not_sent() -> None:
    echo = Echo()
    lines: list[Connection] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echo.server.handler = lambda connection, _: lines.append(connection)
        writer.write(b"\x00\x01a")
        while not lines:
            await asyncio.sleep(0.01)

    talk(echo, client)
    assert lines[0].send(b"late") is False
