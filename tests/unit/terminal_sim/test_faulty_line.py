"""Faults on the line of a real terminal: real sockets on loopback, the bytes that really come and go."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from specs.endpoint import parse
from specs.faults.plan import Plan
from specs.faults.reading import fault_from
from terminal_sim.cli import app
from terminal_sim.clock import SystemClock
from terminal_sim.errors import ConfigError, LineLost, NotConnected
from terminal_sim.faulty_line import FaultyLine, read_plan

TID = "12345678"
# The constructed NAC sale (nac.md, section 9) and an answer: TPDU, MTI, bitmap of DE 11 and 39, STAN, code.
SALE = bytes.fromhex("60000300000200302005 8020C00004".replace(" ", "")) + bytes.fromhex(
    "000000000000010000000123002200030037411111111111 1111D301220100000123456780".replace(" ", "")
)
REQUEST = SALE + b"12345678" + b"123456789012345" + b"\x00\x06" + b"000045"
ANSWER = bytes.fromhex("60000000030210 0020000002000000 000123".replace(" ", "")) + b"00"


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(2, "big") + payload


class Host:
    """The other end: keeps each read, each connection's end, and answers when told to."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.lines: list[socket.socket] = []
        self.reads: list[list[tuple[float, bytes]]] = []
        self.ends: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self.server.accept()
                with self._changed:
                    self.lines.append(line)
                    self.reads.append([])
                    self.ends.append("")
                    self._changed.notify_all()
                threading.Thread(target=self._listen, args=(len(self.lines) - 1,), daemon=True).start()

    def _listen(self, place: int) -> None:
        end = "fin"
        try:
            while data := self.lines[place].recv(65536):
                with self._changed:
                    self.reads[place].append((time.monotonic(), data))
                    self._changed.notify_all()
        except OSError:
            end = "reset"
        with self._changed:
            self.ends[place] = end
            self._changed.notify_all()

    def wait(self, what: Any, seconds: float = 3.0) -> None:
        with self._changed:
            assert self._changed.wait_for(what, seconds), (self.reads, self.ends)

    def heard(self, place: int = 0) -> bytes:
        return b"".join(data for _, data in self.reads[place]) if place < len(self.reads) else b""

    def say(self, data: bytes, place: int = 0) -> None:
        self.wait(lambda: len(self.lines) > place)
        self.lines[place].sendall(data)


@contextmanager
def playing(*faults: dict[str, object]) -> Iterator[tuple[FaultyLine, Host]]:
    host = Host()
    plan = Plan([fault_from(fault, terminals=[TID]) for fault in faults])
    endpoint = parse(f"nac://127.0.0.1:{host.port}")
    line = FaultyLine(endpoint, SystemClock(), connect_timeout_s=1.0, tries=1, plan=plan, tid=TID)
    try:
        yield line, host
    finally:
        line.close()
        host.server.close()
        for other in host.lines:
            other.close()


def ask(line: FaultyLine, payload: bytes = REQUEST) -> None:
    line.open()
    line.send(payload, 2.0)


def hear(line: FaultyLine, seconds: float = 0.3) -> bytes | None:
    return line.receive(time.monotonic() + seconds)


def test_without_a_fault_it_is_a_line() -> None:
    with playing() as (line, host):
        for _ in range(2):
            ask(line)
            host.say(framed(ANSWER))
            assert hear(line, 2) == ANSWER
        host.wait(lambda: host.heard() == framed(REQUEST) * 2)


def test_drop_of_the_request_and_of_the_answer() -> None:
    with playing({"at": "wire/T>H/0200#1", "action": "drop"}, {"at": f"wire/H>{TID}/0210", "action": "drop"}) as (
        line,
        host,
    ):
        ask(line)
        assert hear(line) is None
        assert host.heard() == b""
        ask(line)
        host.wait(lambda: host.heard() == framed(REQUEST))
        host.say(framed(ANSWER) * 2)
        assert hear(line, 2) == ANSWER  # the second one: the first was dropped
        assert hear(line) is None
        assert line.unfired == ()


def test_facts_are_matched() -> None:
    """Of the request: amount 100.00, STAN 000123, a sale."""
    match: dict[str, object] = {"amount": 10_000, "stan": "000123", "kind": "sale", "tid": TID}
    with playing({"at": "wire/H>T", "action": "drop", "match": match}) as (line, host):
        ask(line)
        host.say(framed(ANSWER))
        assert hear(line) is None
        assert line.unfired == ()
    with playing({"at": "wire/T>H", "action": "drop", "match": match | {"amount": 1}}) as (line, host):
        ask(line)
        host.wait(lambda: host.heard() == framed(REQUEST))
        assert [fault.action for fault in line.unfired] == ["drop"]


def test_delay_in_both_directions() -> None:
    with playing(
        {"at": "wire/T>H", "action": "delay", "seconds": 0.4}, {"at": "wire/H>T", "action": "delay", "seconds": 0.4}
    ) as (line, host):
        begun = time.monotonic()
        ask(line)
        host.say(framed(ANSWER))  # it is there before the request arrives
        assert hear(line, 0.2) is None
        assert host.heard() == b""
        assert hear(line, 2) == ANSWER
        assert time.monotonic() - begun >= 0.4
        host.wait(lambda: host.heard() == framed(REQUEST))
        assert host.reads[0][0][0] - begun >= 0.39


def test_a_late_request_arrives_on_the_old_connection_behind_the_next_one() -> None:
    """Case 6: the reversal on the new connection comes before the sale on the old one."""
    reversal = REQUEST.replace(b"\x02\x00\x30", b"\x04\x00\x30", 1)
    with playing({"at": "wire/T>H/0200", "action": "delay", "seconds": 0.4}) as (line, host):
        ask(line)
        assert hear(line, 0.1) is None
        line.close()  # as the driver does at the deadline
        ask(line, reversal)
        host.wait(lambda: len(host.lines) == 2 and host.heard(1) == framed(reversal))
        assert host.heard(0) == b""
        assert hear(line, 0.6) is None
        host.wait(lambda: host.heard(0) == framed(REQUEST))


def test_dup_split_and_drip() -> None:
    with playing({"at": "wire/T>H#1", "action": "dup"}) as (line, host):
        ask(line)
        host.wait(lambda: host.heard() == framed(REQUEST) * 2)
    with playing({"at": "wire/T>H", "action": "split", "sizes": "1,20", "gap": 0.25}) as (line, host):
        ask(line)
        hear(line, 0.8)
        whole = framed(REQUEST)
        host.wait(lambda: host.heard() == whole)
        assert [data for _, data in host.reads[0]] == [whole[:1], whole[1:21], whole[21:]]
    with playing({"at": "wire/H>T", "action": "drip", "rate": 100}) as (line, host):
        ask(line)
        host.say(framed(ANSWER))
        begun = time.monotonic()
        assert hear(line, 2) == ANSWER
        assert time.monotonic() - begun >= (len(framed(ANSWER)) - 1) / 100 - 0.02


def test_truncate_ends_with_a_reset_at_the_other_end() -> None:
    with playing({"at": "wire/T>H", "action": "truncate", "n": 10}) as (line, host):
        with pytest.raises(LineLost, match="reset"):
            ask(line)
        host.wait(lambda: host.ends == ["reset"])
        assert host.heard() in (b"", framed(REQUEST)[:10])  # a RST may take away what was not read yet
    with playing({"at": "wire/H>T", "action": "truncate"}) as (line, host):
        ask(line)
        host.say(framed(ANSWER))
        with pytest.raises(LineLost):
            hear(line, 2)


@pytest.mark.parametrize("how", ["reset", "fin"])
def test_a_line_that_ends(how: str) -> None:
    with playing({"at": "wire/T>H", "action": how}) as (line, host):
        with pytest.raises(LineLost):
            ask(line)
        host.wait(lambda: host.ends == [how])
        assert host.heard() == b""
        ask(line)  # the next connection is a good one
        host.wait(lambda: host.heard(1) == framed(REQUEST))


def test_half_open_is_silence_in_both_directions() -> None:
    with playing({"at": "wire/T>H#2", "action": "half-open"}) as (line, host):
        ask(line)
        host.wait(lambda: host.heard() == framed(REQUEST))
        ask(line)
        host.say(framed(ANSWER))
        begun = time.monotonic()
        assert hear(line) is None
        assert time.monotonic() - begun >= 0.29
        ask(line)
        assert host.heard() == framed(REQUEST)
        assert host.ends == [""]
        line.close()
        ask(line)
        host.wait(lambda: host.heard(1) == framed(REQUEST))


def test_connections_that_are_refused_or_end_or_stay_dead() -> None:
    with playing({"at": "conn/T#1", "action": "refuse"}) as (line, host):
        with pytest.raises(NotConnected, match="refused"):
            line.open()
        line.open()
        assert len(host.lines) <= 1
    with playing({"at": f"conn/{TID}", "action": "reset"}) as (line, host):
        line.open()
        with pytest.raises(LineLost):
            line.send(REQUEST, 1.0)
        host.wait(lambda: host.ends == ["reset"])
    with playing({"at": "conn/T", "action": "half-open"}) as (line, host):
        ask(line)
        assert hear(line, 0.1) is None
        assert host.heard() == b""


def test_a_line_that_is_down_for_a_time() -> None:
    with playing({"at": "link/T", "action": "down", "from": 0.3, "until": "+0.4"}) as (line, host):
        ask(line)
        host.wait(lambda: host.heard() == framed(REQUEST))
        time.sleep(0.35)
        ask(line)
        host.say(framed(ANSWER))
        assert hear(line, 0.05) is None
        line.close()
        with pytest.raises(NotConnected, match="down"):
            line.open()
        time.sleep(0.4)
        ask(line)
        host.wait(lambda: host.heard(1) == framed(REQUEST))
        assert host.heard(0) == framed(REQUEST)


def test_what_is_spoilt_arrives_spoilt() -> None:
    whole = framed(REQUEST)
    with playing(
        {"at": "wire/T>H#1", "action": "corrupt", "byte": 0},
        {"at": "wire/T>H#2", "action": "corrupt", "field": 11},
        {"at": "wire/T>H#3", "action": "wrong-length", "by": 3},
        {"at": "wire/T>H#4", "action": "bad-mac"},
    ) as (line, host):
        ask(line)
        ask(line)
        ask(line)
        ask(line)
        expected = [
            whole[:7] + b"\xfd" + whole[8:],
            whole.replace(bytes.fromhex("000123"), bytes.fromhex("000124"), 1),
            bytes([0, whole[1] + 3]) + whole[2:],
            whole,  # it has no MAC
        ]
        host.wait(lambda: len(host.heard()) == 4 * len(whole))
        assert host.heard() == b"".join(expected)


def test_a_length_header_that_lies_to_the_terminal() -> None:
    with playing({"at": "wire/H>T#1", "action": "wrong-length", "by": 1}) as (line, host):
        ask(line)
        host.say(framed(ANSWER))
        assert hear(line) is None
        host.say(framed(ANSWER))  # its first byte is the last of the frame before
        assert hear(line, 2) == ANSWER + b"\x00"


def test_coalesce_and_reorder() -> None:
    late = ANSWER.replace(b"\x00\x01\x23", b"\x00\x01\x24")
    with playing({"at": "wire/H>T#1", "action": "reorder", "frames": 1}) as (line, host):
        ask(line)
        host.say(framed(ANSWER) + framed(late))
        assert [hear(line, 2), hear(line, 2)] == [late, ANSWER]
    with playing({"at": "wire/T>H#1", "action": "coalesce"}) as (line, host):
        ask(line)
        assert hear(line, 0.1) is None
        assert host.heard() == b""
        ask(line)
        host.wait(lambda: [data for _, data in host.reads[0]] == [framed(REQUEST) * 2])
    with playing({"at": "wire/T>H", "action": "coalesce", "seconds": 0.2}) as (line, host):
        ask(line)
        assert hear(line, 0.4) is None
        host.wait(lambda: host.heard() == framed(REQUEST))


# ---- the file


def write(folder: Path, text: str) -> Path:
    path = folder / "faults.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("faults = [", "faults.toml: "),
        ("fault = []", "expected faults = [...]"),
        ('faults = ["drop"]', "faults.toml:1: faults[1]: expected a table"),
        (
            'faults = [{at="wire/T>H", action="dorp"}]',
            "faults.toml:1: faults[1].action: 'dorp' is no action; did you mean 'drop'?",
        ),
        ('faults = [{at="wire/T9>H", action="drop"}]', "faults.toml:1: faults[1].at: "),
        ('faults = [{at="crash/T/stan.before", action="stop"}]', "a terminal's line has the points"),
        ('faults = [{at="wire/H>T", action="answer", rc="05"}]', "answer cannot be played"),
        (
            'faults = [{at="link/T", action="down", from="step:A"}]',
            "faults[1].from: a terminal's own line has no steps",
        ),
        (
            '[[faults]]\nat = "conn/T"\naction = "refuse"\n\n[[faults]]\nat = "wire/X"\n',
            "faults.toml:5: faults[2].action",
        ),
        ('faults = [\n  {at="wire/T>H", action="drop",  match={kin="a"}},\n]', "faults.toml:2: faults[1].match.kin: "),
    ],
)
def test_a_file_that_cannot_be_played(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_plan(write(tmp_path, text), TID)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CLOSEOUT_FAULTS="):
        read_plan(tmp_path / "none.toml", TID)


def test_the_commands_play_it_and_say_what_never_struck(tmp_path: Path) -> None:
    host = Host()
    path = write(tmp_path, 'faults = [{at="conn/T#1", action="refuse"}, {at="wire/H>T/0410", action="drop"}]')
    box = str(tmp_path / "box")
    runner = CliRunner()
    made = runner.invoke(
        app, ["init", box, "--connect", f"nac://127.0.0.1:{host.port}", "--tid", TID, "--timeout", "1"]
    )
    assert made.exit_code == 0, made.output
    ended = runner.invoke(app, ["echo", box], env={"CLOSEOUT_FAULTS": str(path)})
    host.server.close()
    assert "this fault never struck: drop at wire/H>T/0410" in ended.stderr
    assert "refuse" not in ended.stderr.partition("never struck")[2]
    wrong = runner.invoke(app, ["echo", box], env={"CLOSEOUT_FAULTS": str(write(tmp_path, "x = 1"))})
    assert wrong.exit_code == 2
    assert len(wrong.stderr.strip().splitlines()) == 1
