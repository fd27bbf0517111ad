"""The rim: frames however they are cut, limits, slow and idle lines, ports. Real sockets on loopback, port 0, both
loops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace

import pytest
import uvloop

from host import server as rim
from host.connection import Connection
from host.descriptors import RESERVE, Spares, connections_within
from host.errors import ConfigError
from host.limits import NAMES, LimitCounters, Limits, LogRate
from host.server import Server
from specs.endpoint import Endpoint, parse
from specs.errors import FrameError

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Run = Callable[[Coroutine[None, None, None]], None]


@pytest.fixture(autouse=True)
def _quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of a tenth of a second is kept to a tenth of a second."""
    monkeypatch.setattr(rim, "SWEEP_S", 0.05)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    """The host runs on either."""
    return asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop


@pytest.fixture
def run(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[Run]:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        yield runner.run


class Echo:
    """A handler that answers each payload with itself, and remembers; `answering` False: it keeps them waiting."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.payloads: list[bytes] = []
        self.broken: list[tuple[str, bytes]] = []
        self.waiting: list[tuple[Connection, bytes]] = []
        self.answering = True
        self.server = Server(handler=self.received, broken=self.spoiled, limits=limits or Limits())

    def received(self, connection: Connection, payload: bytes) -> None:
        self.payloads.append(payload)
        if self.answering:
            self.answer(connection, payload)
        else:
            self.waiting.append((connection, payload))

    def answer(self, connection: Connection, payload: bytes) -> None:
        connection.send(len(payload).to_bytes(2, "big") + payload)
        connection.request_ended()

    def answer_one(self) -> None:
        self.answer(*self.waiting.pop(0))

    def spoiled(self, connection: Connection, error: FrameError, data: bytes) -> None:
        self.broken.append((str(error), data))


def endpoint(url: str = "nac://127.0.0.1:0") -> Endpoint:
    return parse(url)


async def served(echo: Echo, *talks: Talk) -> None:
    """One client after the other against a server that ends with them."""
    port = await echo.server.listen(endpoint())
    try:
        for one in talks:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.wait_for(one(reader, writer), 10)
            writer.close()
    finally:
        await echo.server.close()


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for what happens in other turns of the loop."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


async def dial_and_read(port: int) -> bytes:
    """The reset may come before the dialling has returned, or just after."""
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    return await asyncio.wait_for(reader.read(), 5)


def test_two_frames_in_one_segment_and_one_in_single_bytes(run: Run) -> None:
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x03abc\x00\x02de")
        assert await reader.readexactly(9) == b"\x00\x03abc\x00\x02de"
        for byte in b"\x00\x03fgh":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)
        assert await reader.readexactly(5) == b"\x00\x03fgh"

    run(served(echo, client))
    assert echo.payloads == [b"abc", b"de", b"fgh"]


def test_a_zero_length_is_a_keep_alive_and_says_nothing(run: Run) -> None:
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x00\x00\x01x")
        assert await reader.readexactly(3) == b"\x00\x01x"

    run(served(echo, client))
    assert echo.server.counters.keep_alives == 1


def test_good_frames_before_a_wrong_length_are_answered_then_the_line_closes_and_others_go_on(run: Run) -> None:
    """Also when the answer is ready only after the wrong length was seen, as it is behind a real ledger."""
    echo = Echo()
    echo.answering = False

    async def bad(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01a\xff\xff")
        await until(lambda: echo.broken)
        echo.answer_one()
        assert await reader.read() == b"\x00\x01a"
        echo.answering = True

    async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01b")
        assert await reader.readexactly(3) == b"\x00\x01b"

    run(served(echo, bad, good))
    assert echo.server.counters.broken_streams == 1
    assert "65535" in echo.broken[0][0]


def test_a_frame_above_the_limit_ends_the_line_though_its_dialect_would_take_it(run: Run) -> None:
    echo = Echo(Limits(frame_bytes=100))

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x64" + b"x" * 100)
        assert len(await reader.readexactly(102)) == 102
        writer.write(b"\x00\x65")
        assert await reader.read() == b""

    run(served(echo, client))
    assert echo.server.hits.counts["frame_bytes"] == 1
    assert echo.broken[0][0] == "a frame of 101 bytes is larger than 100"


def test_the_dialects_own_limit_is_never_raised(run: Run) -> None:
    """rules.md, section 10: 8192."""
    echo = Echo(Limits(frame_bytes=65_535))

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x20\x01")
        assert await reader.read() == b""

    run(served(echo, client))
    assert "8193 bytes is larger than 8192" in echo.broken[0][0]


@pytest.mark.parametrize("limit", ["connections", "connections_per_address"])
def test_more_lines_than_the_limit_are_reset_at_once_and_counted(run: Run, limit: str) -> None:
    echo = Echo(replace(Limits(), **{limit: 1}))

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x01a")
        await reader.readexactly(3)
        with pytest.raises(ConnectionResetError):
            await dial_and_read(port)
        writer.write(b"\x00\x01b")
        assert await reader.readexactly(3) == b"\x00\x01b"
        writer.close()
        await until(lambda: echo.server.connections == 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x01c")
        assert await reader.readexactly(3) == b"\x00\x01c"
        writer.close()
        await echo.server.close()

    run(all_of_it())
    assert (echo.server.counters.refused, echo.server.counters.accepted) == (1, 2)
    assert echo.server.hits.counts[limit] == 1


def test_the_limit_of_one_address_leaves_the_others_their_places(run: Run) -> None:
    echo = Echo(Limits(connections_per_address=1))

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        _, first = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        writer.write(b"\x00\x01a")
        assert await reader.readexactly(3) == b"\x00\x01a"
        first.close()
        writer.close()
        await echo.server.close()

    run(all_of_it())
    assert echo.server.hits.counts["connections_per_address"] == 0


@pytest.mark.parametrize(("sent", "limit", "counter"), [(b"\x00\x05ab", "frame_s", "slow"), (b"", "idle_s", "idle")])
def test_half_a_frame_and_silence_ends_the_line(run: Run, sent: bytes, limit: str, counter: str) -> None:
    echo = Echo(Limits(frame_s=0.2) if limit == "frame_s" else Limits(idle_s=0.2))

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert await reader.read() == b""

    run(served(echo, client))
    assert getattr(echo.server.counters, f"closed_{counter}") == 1
    assert echo.server.hits.counts[limit] == 1
    if limit == "frame_s":
        ((text, data),) = echo.broken
        assert data == b"\x00\x05ab"
        assert "4 bytes of 7" in text
    else:
        assert echo.broken == []


def test_a_frame_that_drips_is_ended_however_often_a_byte_comes(run: Run) -> None:
    """FC 73: the deadline runs from the first byte of the frame, not from the last one that came."""
    echo = Echo(Limits(frame_s=0.3))

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x01\x00")
        for _ in range(60):
            writer.write(b"x")
            if reader.at_eof():
                return
            await asyncio.sleep(0.05)

    run(served(echo, client))
    assert echo.server.counters.closed_slow == 1


def test_a_busy_line_whose_reads_always_end_inside_a_frame_is_not_slow(run: Run) -> None:
    """Each frame has its own time: that the next one has begun is no part of it."""
    echo = Echo(Limits(frame_s=0.5))

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00")
        for _ in range(30):
            await asyncio.sleep(0.04)
            writer.write(b"\x01x\x00")
        for _ in range(30):
            assert await reader.readexactly(3) == b"\x00\x01x"

    run(served(echo, client))
    assert echo.server.counters.closed_slow == 0


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_line_that_ends_inside_a_frame_is_told(run: Run, how: str) -> None:
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x05ab")
        await until(lambda: echo.server.counters.bytes_in == 4)
        if how == "rst":
            writer.transport.abort()
            sock = writer.get_extra_info("socket")
            del sock
        else:
            writer.write_eof()
        await until(lambda: echo.broken)

    run(served(echo, client))
    assert "ended inside a frame" in echo.broken[0][0]


def test_a_terminal_that_says_no_more_still_hears_its_answers(run: Run) -> None:
    """`… | nc -N`: a FIN after the request is no reason to keep the answer."""
    echo = Echo()
    echo.answering = False

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01a\x00\x01b")
        writer.write_eof()
        await until(lambda: len(echo.waiting) == 2)
        await asyncio.sleep(0.05)
        echo.answer_one()
        echo.answer_one()
        assert await reader.read() == b"\x00\x01a\x00\x01b"

    run(served(echo, client))


def test_requests_beyond_those_in_flight_wait_unread_and_none_is_lost(run: Run) -> None:
    echo = Echo(Limits(in_flight_per_connection=3))
    echo.answering = False
    count = 20_000

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = b"".join(b"\x00\x40" + n.to_bytes(64, "big") for n in range(count))
        writer.write(wire)
        await until(lambda: len(echo.waiting) == 3)
        await asyncio.sleep(0.3)
        assert len(echo.payloads) == 3
        # Far less than what was sent has been read: TCP holds the rest back.
        assert echo.server.counters.bytes_in < len(wire) // 2
        while len(echo.payloads) < count or echo.waiting:
            if echo.waiting:
                assert len(echo.waiting) <= 3
                echo.answer_one()
            else:
                await asyncio.sleep(0)
        for n in range(count):
            assert await reader.readexactly(66) == b"\x00\x40" + n.to_bytes(64, "big")

    run(served(echo, client))
    assert len(echo.payloads) == count
    assert echo.server.hits.counts["in_flight_per_connection"] >= 1


def test_a_line_that_waits_for_its_turn_is_not_slow(run: Run) -> None:
    """Half a frame that we do not read on purpose is not the terminal's fault."""
    echo = Echo(Limits(in_flight_per_connection=1, frame_s=0.2))
    echo.answering = False

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01a\x00\x01b\x00\x01")
        await until(lambda: echo.waiting)
        writer.write(b"c")
        await asyncio.sleep(0.6)
        echo.answering = True
        echo.answer_one()
        assert await reader.readexactly(9) == b"\x00\x01a\x00\x01b\x00\x01c"

    run(served(echo, client))


def test_a_terminal_that_does_not_read_is_not_read_and_then_reset(run: Run) -> None:
    echo = Echo(Limits(write_buffer_bytes=65_536))

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        deaf = socket.create_connection(("127.0.0.1", port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        big = b"\x1f\x40" + b"x" * 8000
        sending = loop.create_task(loop.sock_sendall(deaf, big * 4000))
        await asyncio.sleep(0.5)
        # Neither side moves: TCP holds the terminal back, and the others are served.
        taken = len(echo.payloads)
        assert taken < 4000
        await asyncio.sleep(0.2)
        assert len(echo.payloads) == taken
        (connection,) = echo.server._connections
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x01a")
        assert await reader.readexactly(3) == b"\x00\x01a"
        writer.close()
        # What was in flight when it stopped reading may still fill the buffer; then the line is cut.
        assert not all(connection.send(big) for _ in range(20))
        await until(lambda: not echo.server.connections)
        sending.cancel()
        deaf.close()
        await echo.server.close()

    run(all_of_it())
    assert echo.server.hits.counts["write_buffer_bytes"] == 1


def test_a_terminal_that_never_reads_again_is_reset_after_the_frame_time(run: Run) -> None:
    echo = Echo(Limits(write_buffer_bytes=65_536, frame_s=0.3))

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        deaf = socket.create_connection(("127.0.0.1", port))
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        sending = loop.create_task(loop.sock_sendall(deaf, (b"\x1f\x40" + b"x" * 8000) * 4000))
        await until(lambda: echo.server.hits.counts["write_buffer_bytes"], 8)
        await until(lambda: not echo.server.connections)
        sending.cancel()
        deaf.close()
        await echo.server.close()

    run(all_of_it())


def test_a_line_that_is_to_be_closed_is_cut_when_its_answers_do_not_come(run: Run) -> None:
    echo = Echo(Limits(closing_s=0.2))
    echo.answering = False

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01a\xff\xff")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)

    run(served(echo, client))
    assert echo.server.hits.counts["closing_s"] == 1


def test_a_strangers_greeting_is_told_at_once(run: Run) -> None:
    """A TLS hello reads as a length of 5,635: without a look at it the line would wait a minute for the rest."""
    echo = Echo()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("160301020001"))
        assert await asyncio.wait_for(reader.read(), 2) == b""

    run(served(echo, client))
    assert echo.broken[0][1][:3] == b"\x16\x03\x01"


def test_a_tap_sees_every_byte_in_clear_and_how_each_line_ends(run: Run) -> None:
    seen: list[tuple[object, ...]] = []

    class Tap:
        def opened(self, serial: int, local: tuple[str, int], peer: tuple[str, int]) -> None:
            seen.append(("opened", serial, local, peer))

        def received(self, serial: int, data: bytes) -> None:
            seen.append(("received", serial, data))

        def sent(self, serial: int, data: bytes) -> None:
            seen.append(("sent", serial, data))

        def closed(self, serial: int, how: str) -> None:
            seen.append(("closed", serial, how))

    echo = Echo()
    echo.server.tap = Tap()

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        for end in ("fin", "rst"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            name = writer.get_extra_info("sockname")[:2]
            writer.write(b"\x00\x01a")
            await reader.readexactly(3)
            if end == "fin":
                writer.close()
            else:
                next(iter(echo.server._connections)).reset()
            await until(lambda: not echo.server.connections)
            opened, received, sent, closed = seen
            serial = opened[1]
            assert opened == ("opened", serial, ("127.0.0.1", port), name)
            assert (received, sent) == (("received", serial, b"\x00\x01a"), ("sent", serial, b"\x00\x01a"))
            assert closed == ("closed", serial, end)
            seen.clear()
        await echo.server.close()

    run(all_of_it())


def test_an_answer_for_a_line_that_is_gone_is_not_written(run: Run) -> None:
    echo = Echo()
    gone: list[bool] = []

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x01a")
        await until(lambda: echo.payloads)
        (connection,) = echo.server._connections
        connection.reset()
        await until(lambda: not echo.server.connections)
        gone.append(connection.send(b"\x00\x01a"))
        connection.request_ended()
        await echo.server.close()

    run(all_of_it())
    assert gone == [False]


def test_a_taken_port_and_a_foreign_address_are_named(run: Run) -> None:
    echo = Echo()

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}.*[Aa]ddress"):
            await echo.server.listen(endpoint(f"nac://127.0.0.1:{port}"))
        with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
            await echo.server.listen(endpoint("nac://192.0.2.1:0"))
        await echo.server.close()

    run(all_of_it())


# ---- file descriptors


def descriptors() -> Iterator[int]:
    """Every one that is left."""
    with contextlib.suppress(OSError):
        while True:
            yield os.dup(0)


def turned_away(dialer: socket.socket) -> bool:
    """Whether the line is dead within three seconds."""
    dialer.settimeout(3)
    try:
        dialer.sendall(b"\x00\x01a")
        return dialer.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_without_descriptors_lines_go_on_dialers_are_turned_away_and_it_heals_by_itself(run: Run) -> None:
    """The real thing: the process is put under the limit that it has reached."""
    echo = Echo()

    async def all_of_it() -> None:
        port = await echo.server.listen(endpoint())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        dialers = [socket.socket() for _ in range(3)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        filled: list[int] = []
        try:
            filled += descriptors()
            for dialer in dialers:
                dialer.setblocking(False)
                # The machine takes the call; what we do with it may come before the call has returned.
                with contextlib.suppress(ConnectionResetError):
                    await asyncio.get_running_loop().sock_connect(dialer, ("127.0.0.1", port))
            await until(lambda: echo.server.trouble)
            assert "no file descriptors" in echo.server.trouble
            # The spares are free for the store and the API.
            os.close(os.dup(0))
            for dialer in dialers[1:]:
                assert await asyncio.get_running_loop().run_in_executor(None, turned_away, dialer)
            writer.write(b"\x00\x01a")
            assert await reader.readexactly(3) == b"\x00\x01a"
        finally:
            for descriptor in filled:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: not echo.server.trouble)
        again, late = await asyncio.open_connection("127.0.0.1", port)
        late.write(b"\x00\x01b")
        assert await again.readexactly(3) == b"\x00\x01b"
        for dialer in dialers:
            dialer.close()
        for one in (late, writer):
            one.close()
        await echo.server.close()

    run(all_of_it())
    assert echo.server.hits.counts["descriptors"] >= 1


def test_the_number_of_lines_stays_below_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert connections_within(500) == 500
    assert limits == [(1024, 4096)]
    assert connections_within(2000) == 2000  # the soft limit is raised for it
    assert limits[-1] == (2000 + RESERVE, 4096)
    assert connections_within(15_000) == 4096 - RESERVE
    limits.append((resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert connections_within(15_000) == 15_000


def test_spares_are_taken_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    spares = Spares(4)
    assert spares.refill()
    assert len(os.listdir("/proc/self/fd")) == before + 4
    spares.release()
    room = iter([1, 1])

    def short(path: str, flags: int) -> int:
        if next(room, None) is None:
            raise OSError(errno.EMFILE, "Too many open files")
        return os.dup(0)

    with monkeypatch.context() as patch:
        patch.setattr("host.descriptors.os.open", short)
        assert not spares.refill()
    assert len(os.listdir("/proc/self/fd")) == before


# ---- what limits say


def test_a_flood_of_hits_is_counted_in_full_and_logged_now_and_then() -> None:
    now = [0.0]
    said: list[int] = []
    rate = LogRate(every_s=10.0, now=lambda: now[0])
    counters = LimitCounters(rate=rate)
    for _ in range(1000):
        said.append(rate.due("connections"))
        counters.counts["connections"] += 1
    assert [s for s in said if s] == [1]
    now[0] = 10.0
    assert rate.due("connections") == 1000
    assert rate.due("frame_s") == 1
    assert set(counters.counts) == set(NAMES)
