"""What scripts rely on: exit codes, one line for what a user got wrong, and a host that survives any bytes.

Every process here starts as from a shell. Exit codes: interface.md, section 1.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from specs.message import Message
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.till import Till
from tests.e2e.conftest import HostCommand
from tests.support.raw_terminal import RawTerminal, sale, wire

pytestmark = pytest.mark.e2e


def _serve(store: Path, *more: object) -> tuple[object, ...]:
    return ("serve", "--listen", "nac://127.0.0.1:0", "--api", "127.0.0.1:0", "--store", f"sqlite:///{store}", *more)


def _one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("{")]  # the log is JSON
    assert len(lines) == 1, text
    return lines[0]


def _free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- the host


def test_a_taken_terminal_port_is_named_and_ends_with_2(
    shared_host: HostProcess, acquirer_host: HostCommand, tmp_path: Path
) -> None:
    port = shared_host.listening.ports["nac"]
    ended = acquirer_host(*_serve(tmp_path / "other.db"), "--listen", f"nac://127.0.0.1:{port}")
    assert ended.returncode == 2
    assert str(port) in _one_line(ended.stderr)


def test_a_taken_api_port_is_named_and_ends_with_2_before_a_store_is_made(
    shared_host: HostProcess, acquirer_host: HostCommand, tmp_path: Path
) -> None:
    address = shared_host.api.base.removeprefix("http://")
    ended = acquirer_host(
        "serve", "--listen", "nac://127.0.0.1:0", "--api", address, "--store", f"sqlite:///{tmp_path}/x.db"
    )
    assert ended.returncode == 2
    assert address in _one_line(ended.stderr)
    assert not (tmp_path / "x.db").exists()


def test_a_store_that_another_host_holds_ends_with_2_and_names_it(
    shared_host: HostProcess, acquirer_host: HostCommand
) -> None:
    store = shared_host.folder / "closeout.db"
    ended = acquirer_host(*_serve(store))
    assert ended.returncode == 2
    line = _one_line(ended.stderr)
    assert str(store) in line
    assert str(shared_host.listening.pid) in line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("serve", "--listen", "nac:127.0.0.1"), "nac:127.0.0.1"),
        (("serve", "--listen", "nac://127.0.0.1:0?colour=1"), "colour"),
        (("serve", "--listen", "iso93://127.0.0.1:0"), "iso93"),
        (("serve", "--store", "mysql://x"), "mysql://x"),
        (("serve", "--api", "0.0.0.0:0"), "0.0.0.0:0"),
        (("audit", "--store", "sqlite:///absent.db"), "absent.db"),
        (("audit", "--api", "127.0.0.1:1"), "127.0.0.1:1"),
    ],
)
def test_a_bad_argument_is_one_line_and_2(acquirer_host: HostCommand, words: tuple[str, ...], named: str) -> None:
    ended = acquirer_host(*words)
    assert ended.returncode == 2
    assert named in _one_line(ended.stderr)
    assert ended.stdout == ""


def test_a_reading_command_never_makes_a_store(acquirer_host: HostCommand, tmp_path: Path) -> None:
    assert acquirer_host("batches", "--store", "sqlite:///new.db").returncode == 2
    assert list(tmp_path.glob("new.db*")) == []


def test_sigterm_ends_the_host_with_0_and_the_store_can_be_opened_again(tmp_path: Path) -> None:
    host = HostProcess(tmp_path, dialects=("nac",))
    try:
        host.start()
        assert host.terminate() == 0
        host.start()
        assert host.terminate() == 0
    finally:
        host.stop()


# ---- the terminal


@pytest.fixture
def till(tmp_path: Path, shared_host: HostProcess) -> Till:
    return Till(tmp_path / "till", "CLI00001").install(shared_host.url("nac"), shared_host.api.base)


@pytest.mark.parametrize("amount", ["268.00", "1,00", "-5", "0", "abc", ""])
def test_an_amount_is_whole_minor_units_or_2(till: Till, amount: str) -> None:
    ran = till.run("sale", *(["--"] if amount.startswith("-") else []), amount)
    assert ran.code == 2
    assert ran.out == ""
    assert till.memory().stan == "000000", "nothing was begun"


@pytest.mark.parametrize("url", ["nac:127.0.0.1", "visa://127.0.0.1:1", "iso93://127.0.0.1:1", "nac://127.0.0.1:x"])
def test_a_wrong_address_is_2_and_no_terminal_is_made(tmp_path: Path, url: str) -> None:
    till = Till(tmp_path / "bad", "CLI00002")
    ran = till.run("init", "--connect", url, "--tid", till.tid)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "bad" / "terminal.json").exists()


def test_without_a_host_nothing_is_sent_and_nothing_owed(tmp_path: Path) -> None:
    till = Till(tmp_path / "alone", "CLI00003").install(f"nac://127.0.0.1:{_free_port()}")
    ran = till.sale(1000)
    assert (ran.code, ran.json["outcome"]) == (4, "not-sent")
    assert till.memory().pending is None


def test_a_folder_in_use_is_2(till: Till) -> None:
    from terminal_sim.flash import DirFlash

    with DirFlash(till.folder):
        ran = till.sale(1000)
    assert ran.code == 2
    assert str(till.folder) in ran.err


def test_a_void_of_nothing_is_refused_locally(till: Till, shared_host: HostProcess) -> None:
    ran = till.void("000777")
    assert (ran.code, ran.json["outcome"]) == (4, "refused-locally")
    assert shared_host.api.items("/messages", tid=till.tid) == []


@pytest.mark.parametrize(
    ("dialect", "action", "code"),
    [("cup", ("signon",), "97"), ("nac", ("sale", "1000"), "89"), ("iso87", ("sale", "1000"), "58")],
)
def test_an_unknown_terminal_is_told_so_under_strict_provisioning(
    tmp_path: Path, dialect: str, action: tuple[str, ...], code: str
) -> None:
    with HostProcess(tmp_path / "host", dialects=(dialect,), options=("--provisioning", "strict")) as host:
        till = Till(tmp_path / "till", "STRANGER").install(host.url(dialect))
        ran = till.run(*action, "--json")
        assert (ran.code, ran.json["outcome"], ran.json["response_code"]) == (1, "declined", code)
        assert host.api.get("/terminals")["items"] == []


# ---- bytes that are no message


NO_MTI = b"\x00\x20" + b"\xff" * 32
NO_FRAME = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _still_serves(host: HostProcess, tid: str) -> None:
    with RawTerminal(host.listening.ports["nac"]) as line:
        assert line.exchange(sale(tid, "000001", 100))[39] == "00"


def _unreadable_since(host: HostProcess, before: int) -> dict[str, Any]:
    """The one message without an MTI; the line is closed before its row is committed, so it may take a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [m for m in host.api.items("/messages")[before:] if m["mti"] == ""]
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(0.02)
    raise AssertionError("nothing was recorded")


@pytest.mark.parametrize("data", [NO_FRAME, NO_MTI], ids=["no frame", "no message"])
def test_garbage_closes_the_line_leaves_a_note_and_the_next_sale_works(shared_host: HostProcess, data: bytes) -> None:
    before = len(shared_host.api.items("/messages"))
    with RawTerminal(shared_host.listening.ports["nac"]) as line:
        line.send(data)
        with pytest.raises(EOFError):
            line.receive()
    (note,) = _unreadable_since(shared_host, before)["notes"]
    assert note["message"]
    assert note["expected"]
    _still_serves(shared_host, f"GARB{len(data):04d}")


def test_a_frame_cut_off_in_the_middle_is_no_sale_and_disturbs_nobody(shared_host: HostProcess) -> None:
    data = wire(sale("CUTOFF01", "000001", 4200))
    for size in (1, 2, 20, len(data) - 1):
        with RawTerminal(shared_host.listening.ports["nac"]) as line:
            line.send(data[:size])
    assert shared_host.api.items("/transactions", tid="CUTOFF01") == []
    _still_serves(shared_host, "CUTOFF01")
    (one,) = shared_host.api.items("/transactions", tid="CUTOFF01")
    assert one["amount"] == 100


def test_a_message_without_a_mandatory_element_is_refused_with_30_and_a_note(shared_host: HostProcess) -> None:
    whole = sale("FORMAT01", "000001", 100)
    broken = Message(whole.mti, {de: value for de, value in whole.fields.items() if de != 4}, whole.tpdu)
    with RawTerminal(shared_host.listening.ports["nac"]) as line:
        answer = line.exchange(broken)
        assert (answer.mti, answer[39], answer[11]) == ("0210", "30", "000001")
        assert line.exchange(sale("FORMAT01", "000002", 100))[39] == "00", "the line goes on"
    first = shared_host.api.items("/messages", tid="FORMAT01")[0]
    assert any("DE 4" in note["message"] for note in first["notes"])


def test_pieces_and_several_requests_in_one_segment(shared_host: HostProcess) -> None:
    """FC 72: byte by byte, then two at once; each gets its own answer, in order."""
    one, two = (sale("PIECES01", f"00000{n}", 100 * n) for n in (1, 2))
    with RawTerminal(shared_host.listening.ports["nac"]) as line:
        for byte in wire(one):
            line.send(bytes([byte]))
        assert line.receive()[11] == "000001"
        line.send(wire(two) + b"\x00\x00" + wire(sale("PIECES01", "000003", 300)))
        assert [line.receive()[11], line.receive()[11]] == ["000002", "000003"]
