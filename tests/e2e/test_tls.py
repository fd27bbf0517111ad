"""TLS between real processes, on both loops: who is let in, what both ends say when somebody is not, and that nobody
else notices. The certificates are those of `make certs`."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from specs.endpoint import parse
from specs.framing import FrameReader
from terminal_sim.clock import SystemClock
from terminal_sim.errors import NotConnected
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Till
from terminal_sim.link import TcpLine
from tests.e2e.conftest import HostCommand
from tests.support import certs
from tests.support.raw_terminal import NAC, echo, wire

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Secure:
    """A host with a plain CUP listener, a TLS one for NAC, a mutual one for ISO 87, one with an expired certificate."""

    host: HostProcess
    folder: Path

    def url(self, dialect: str, **options: str) -> str:
        """What a terminal dials; files by their names."""
        words = {key: value if key in ("tls", "insecure") else self.folder / value for key, value in options.items()}
        shown = "&".join(f"{key}={value}" for key, value in words.items())
        return f"{self.host.url(dialect)}{'?' if shown else ''}{shown}"

    def log(self) -> list[dict[str, Any]]:
        lines = self.host.log.read_text("utf8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def secure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = certs.make(tmp_path_factory.mktemp("certs"))
    server = f"tls=1&cert={folder}/server.pem&key={folder}/server.key"
    listen = (
        f"nac://127.0.0.1:0?{server}",
        f"iso87://127.0.0.1:0?{server}&client_ca={folder}/ca.pem",
        f"iso87-ascii4://127.0.0.1:0?tls=1&cert={folder}/expired.pem&key={folder}/expired.key",
    )
    options = [part for url in listen for part in ("--listen", url)]
    with HostProcess(
        tmp_path_factory.mktemp("host"),
        dialects=("cup",),
        options=("--loop", str(request.param), *options),
        environment={"CLOSEOUT_LIMITS__HANDSHAKE_S": "1"},
    ) as host:
        yield Secure(host, folder)


@pytest.fixture
def beside(secure: Secure) -> Iterator[None]:
    """A terminal whose line was there before, and still answers afterwards."""
    line = line_to(secure.url("nac", tls="1", ca="ca.pem"))
    line.open()
    assert asks(line)
    yield
    assert asks(line)
    line.close()


def line_to(url: str) -> TcpLine:
    return TcpLine(parse(url), SystemClock(), connect_timeout_s=5.0, tries=1)


def asks(line: TcpLine) -> bool:
    """Whether an echo over this line is answered."""
    line.send(wire(echo("12345678", "000001"))[2:], 5.0)
    return line.receive(time.monotonic() + 10) is not None


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


# ---- who is let in


def test_the_ready_file_and_the_first_lines_say_which_listener_is_tls(secure: Secure) -> None:
    found = json.loads((secure.host.folder / "ready.json").read_text("utf8"))["listen"]
    assert {row["dialect"]: row["tls"] for row in found} == {
        "cup": False,
        "nac": True,
        "iso87": True,
        "iso87-ascii4": True,
    }
    shown = secure.host.log.read_text("utf8")
    port = secure.host.listening.ports["nac"]
    assert f"listening  nac://127.0.0.1:{port}, TLS\n" in shown


@pytest.mark.parametrize(
    ("dialect", "options"),
    [
        ("nac", {"ca": "ca.pem"}),
        ("iso87", {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}),
    ],
)
def test_a_day_over_tls(
    secure: Secure, tmp_path: Path, spawner: Spawner | None, dialect: str, options: dict[str, str]
) -> None:
    """One way and mutual."""
    url = secure.url(dialect, tls="1", **options)
    till = Till(tmp_path / "till", f"TLS{dialect:0>5}", spawner=spawner).install(url, secure.host.api.base)
    assert till.run("signon").code == 0
    sold = till.sale(10_00)
    assert (sold.code, sold.json["outcome"]) == (0, "approved")
    closed = till.settle()
    assert closed.code == 0, str(closed)
    assert "warning" not in sold.err


def test_records_are_no_frames(secure: Secure) -> None:
    """Two frames in one record, one frame over many, a record in single bytes of TCP."""
    context = ssl.create_default_context(cafile=str(secure.folder / "ca.pem"))
    plain = socket.create_connection(("127.0.0.1", secure.host.listening.ports["nac"]), 10)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")

    def pump(act: Callable[[], Any], step: int = 65_536) -> Any:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                done = None
            data = outgoing.read()
            for at in range(0, len(data), step):
                plain.sendall(data[at : at + step])
            if done is not None:
                return done
            heard = plain.recv(65_536)
            assert heard, "the host has closed the line"
            incoming.write(heard)

    def handshake() -> bool:
        tls.do_handshake()
        return True

    pump(handshake, step=7)
    reader, first, second = FrameReader(NAC.frame), wire(echo("12345678", "000001")), wire(echo("12345678", "000002"))
    for pieces, step in (([first + second], 65_536), ([bytes([b]) for b in first], 65_536), ([second], 1)):
        for piece in pieces:
            pump(partial(tls.write, piece), step)
        wanted = 2 if len(pieces[0]) > len(first) else 1
        answers: list[bytes] = []
        while len(answers) < wanted:
            answers += reader.feed(pump(lambda: tls.read(65_536)))
        assert len(answers) == wanted
    plain.close()


def test_an_uncertain_line_is_taken_only_with_a_warning(
    secure: Secure, tmp_path: Path, spawner: Spawner | None
) -> None:
    """insecure=1 takes even the expired certificate."""
    url = secure.url("iso87-ascii4", tls="1", insecure="1")
    till = Till(tmp_path / "till", "INSECURE", spawner=spawner).install(url, secure.host.api.base)
    signed_on = till.run("signon")
    assert signed_on.code == 0, str(signed_on)
    (warning,) = [line for line in signed_on.err.splitlines() if line.startswith("warning")]
    assert "insecure=1" in warning


# ---- who is not


@pytest.mark.parametrize(
    ("dialect", "options", "terminal_says", "host_says"),
    [
        (
            *("nac", {"tls": "1", "ca": "foreign-ca.pem"}),
            *("the host's certificate is refused: unable to get local issuer", "does not trust our certificate's CA"),
        ),
        (
            *("iso87", {"tls": "1", "ca": "ca.pem"}),
            *("the host asks for a client certificate", "the client showed no certificate"),
        ),
        (
            *("iso87", {"tls": "1", "ca": "ca.pem", "cert": "foreign.pem", "key": "foreign.key"}),
            *("its CA is unknown there", "the client's certificate is refused: unable to get local issuer"),
        ),
        (
            *("iso87-ascii4", {"tls": "1", "ca": "ca.pem"}),
            *(
                "the host's certificate is refused: certificate has expired",
                "to the client our certificate has expired",
            ),
        ),
    ],
    ids=["wrong-ca", "no-client-certificate", "foreign-client", "expired"],
)
def test_who_does_not_trust_the_other_is_told_and_owes_nothing(
    secure: Secure, beside: None, dialect: str, options: dict[str, str], terminal_says: str, host_says: str
) -> None:
    """Not connected, so no request has left and no reversal is owed; the host says why, in its log and in /messages."""
    with pytest.raises(NotConnected) as caught:
        line_to(secure.url(dialect, **options)).open()
    assert terminal_says in str(caught.value)
    assert "\n" not in str(caught.value)
    until(lambda: any(host_says in row.get("why", "") for row in secure.log() if row["event"] == "TLS refused"))
    until(lambda: host_says in secure.host.api.call("GET", "/api/v1/messages?limit=50").text)


def test_a_sale_on_a_line_that_is_refused_leaves_nothing_owed(
    secure: Secure, tmp_path: Path, spawner: Spawner | None
) -> None:
    """TLS 1.3 lets a client speak before its certificate was looked at; the terminal waits for the host's word."""
    url = secure.url("iso87", tls="1", ca="ca.pem")
    till = Till(tmp_path / "till", "REFUSED1", spawner=spawner).install(url, secure.host.api.base)
    sold = till.sale(10_00)
    assert (sold.code, sold.json["outcome"]) == (4, "not-sent"), str(sold)
    assert till.memory().pending is None
    assert "the host asks for a client certificate" in sold.out + sold.err


def test_tls_on_a_plain_port_and_plain_on_a_tls_port(secure: Secure, beside: None) -> None:
    with pytest.raises(NotConnected, match="is it a plain port"):
        line_to(secure.url("cup", tls="1", ca="ca.pem")).open()
    with socket.create_connection(("127.0.0.1", secure.host.listening.ports["nac"]), 10) as plain:
        plain.sendall(wire(echo("12345678", "000001")))
        assert hears_the_end(plain)
    until(lambda: "a plain client speaks to a TLS listener" in secure.host.api.call("GET", "/api/v1/messages").text)


def test_a_client_that_knows_only_tls_1_1_is_refused(secure: Secure, beside: None) -> None:
    """A hello of TLS 1.1 (RFC 4346, 7.4.1.2) with one cipher, written by hand: OpenSSL does not speak it any more."""
    body = b"\x03\x02" + bytes(32) + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    with socket.create_connection(("127.0.0.1", secure.host.listening.ports["nac"]), 10) as old:
        old.sendall(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
        alert = old.recv(100)
        assert alert[0] == 0x15  # protocol_version (70) or handshake_failure (40), fatal
        assert alert[5:7] in (b"\x02\x46", b"\x02\x28")


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silence", "half-a-hello"])
def test_a_handshake_that_is_not_finished_in_time_ends(secure: Secure, beside: None, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", secure.host.listening.ports["nac"]), 10) as slow:
        slow.sendall(said)
        began = time.monotonic()
        assert hears_the_end(slow)
        assert time.monotonic() - began < 8
    metrics = secure.host.api.call("GET", "/metrics").text
    assert 'closeout_limit_hit_total{limit="handshake_s"} 0.0' not in metrics


def test_garbage_behind_the_handshake_ends_that_line_only(secure: Secure, beside: None) -> None:
    context = ssl.create_default_context(cafile=str(secure.folder / "ca.pem"))
    plain = socket.create_connection(("127.0.0.1", secure.host.listening.ports["nac"]), 10)
    with context.wrap_socket(plain, server_hostname="localhost") as line:
        under = socket.socket(fileno=socket.dup(line.fileno()))
        under.settimeout(10)
        under.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert hears_the_end(under)
        under.close()


def hears_the_end(line: socket.socket) -> bool:
    """Whether the host ends the line; what it says before (an alert, tickets) does not matter."""
    try:
        while line.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


# ---- files


def test_files_that_cannot_be_used_end_with_2_one_line_and_no_store(acquirer_host: HostCommand, tmp_path: Path) -> None:
    """The table of them is tests/unit/host/test_tls.py."""
    store = tmp_path / "closeout.db"
    url = f"nac://127.0.0.1:0?tls=1&cert={tmp_path}/nowhere.pem"
    ended = acquirer_host("serve", "--listen", url, "--api", "127.0.0.1:0", "--store", f"sqlite:///{store}")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "nowhere.pem: No such file" in line
    assert not store.exists()


def test_a_terminals_files_are_looked_at_when_it_is_set_up(tmp_path: Path, spawner: Spawner | None) -> None:
    url = "nac://127.0.0.1:1?tls=1&ca=nowhere.pem"
    ran = Till(tmp_path / "till", "12345678", spawner=spawner).run("init", "--connect", url)
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert "nowhere.pem: No such file" in line
    assert not (tmp_path / "till").exists()
