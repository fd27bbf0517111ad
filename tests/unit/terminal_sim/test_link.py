"""The TCP line: deadlines, split frames, lost connections; over real sockets on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from specs.endpoint import parse
from terminal_sim.clock import SystemClock
from terminal_sim.errors import ConfigError, LineLost, NotConnected
from terminal_sim.link import TcpLine
from terminal_sim.tls import client_context, with_absolute_files
from tests.support import certs

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


# ---- TLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certs.make(tmp_path_factory.mktemp("certs"))


def secured(
    folder: Path, talk: Talk, *, tickets: int = 2, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, client_ca: str = ""
) -> Talk:
    """The talk behind a handshake, as a host with this certificate has it; a handshake that fails ends the line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.num_tickets = tickets
    context.maximum_version = newest
    if client_ca:
        context.load_verify_locations(folder / client_ca)
        context.verify_mode = ssl.CERT_REQUIRED

    def behind(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection.dup(), server_side=True) as line:
                talk(line)
        except ssl.SSLError:
            return

    return behind


def answers(line: socket.socket) -> None:
    line.sendall(line.recv(100))
    line.recv(1)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("tickets", [0, 2])
def test_a_frame_there_and_back_over_tls(folder: Path, newest: ssl.TLSVersion, tickets: int) -> None:
    """With and without the word for which a TLS 1.3 line waits."""
    with listening(secured(folder, answers, tickets=tickets, newest=newest)) as port:
        line = line_to(port, f"?tls=1&ca={folder}/ca.pem")
        line.open()
        line.send(b"abc", 1.0)
        assert line.receive(soon()) == b"abc"
        assert line.receive(soon(0.05)) is None
        line.open()  # nothing has come on it: it is still the same line
        line.close()


def test_a_host_that_is_not_named_in_its_certificate_is_refused(folder: Path) -> None:
    """Its certificate is for 127.0.0.1, ::1 and localhost."""
    with listening(secured(folder, answers)) as port:
        forwarded = f"nac://127.0.0.2:{port}?tls=1&ca={folder}/ca.pem"
        server = socket.create_server(("127.0.0.2", port))
        talk = secured(folder, answers)

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        line = TcpLine(parse(forwarded), SystemClock(), connect_timeout_s=2.0, tries=3)
        with pytest.raises(NotConnected, match="IP address mismatch"):
            line.open()
        thread.join(5)
        server.close()
        line_to(port, f"?tls=1&ca={folder}/ca.pem").open()


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("options", ["", "&cert={0}/foreign.pem&key={0}/foreign.key"])
def test_a_host_that_wants_another_certificate_is_not_connected_to(
    folder: Path, newest: ssl.TLSVersion, options: str
) -> None:
    """Before a byte of the request has left, in 1.3 too."""
    heard: list[bytes] = []
    talk = secured(folder, lambda s: heard.append(s.recv(1)), newest=newest, client_ca="ca.pem")
    with listening(talk) as port, pytest.raises(NotConnected, match="TLS: the host "):
        line_to(port, f"?tls=1&ca={folder}/ca.pem" + options.format(folder)).open()
    assert heard == []


def test_a_host_that_says_nothing_to_the_hello_is_given_up_in_time(folder: Path) -> None:
    with listening(*[lambda c: time.sleep(1.5)] * 2) as port:
        began = time.monotonic()
        line = TcpLine(
            parse(f"nac://127.0.0.1:{port}?tls=1&ca={folder}/ca.pem"), SystemClock(), connect_timeout_s=0.3, tries=2
        )
        with pytest.raises(NotConnected, match="timed out"):
            line.open()
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("ca=nowhere.pem", "ca=nowhere.pem: No such file"),
        ("ca={0}/server.key", "no PEM certificate"),
        ("cert={0}/client.pem&key={0}/server.key", "not that of the certificate"),
        ("cert={0}/client.pem", "no PEM certificate with its private key"),
        ("client_ca={0}/ca.pem", "for a listener"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(folder: Path, options: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        line_to(1, f"?tls=1&{options.format(folder)}")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_certificate_will_do_only_when_that_was_asked_for(folder: Path) -> None:
    checked = client_context(parse("nac://:1?tls=1"))
    assert checked is not None
    assert (checked.check_hostname, checked.verify_mode) == (True, ssl.CERT_REQUIRED)
    any_one = client_context(parse("nac://:1?tls=1&insecure=1"))
    assert any_one is not None
    assert (any_one.check_hostname, any_one.verify_mode) == (False, ssl.CERT_NONE)
    assert client_context(parse("nac://:1")) is None


def test_files_are_kept_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_absolute_files("nac://:1?tls=1&ca=a%20b.pem&cert=/x/c.pem&strict=1") == (
        f"nac://:1?tls=1&ca={tmp_path}/a%20b.pem&cert=/x/c.pem&strict=1"
    )
    assert with_absolute_files("./my.toml://127.0.0.1:1") == "./my.toml://127.0.0.1:1"
