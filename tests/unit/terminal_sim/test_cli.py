"""`terminal-sim` as a user has it: exit codes, JSON, one line for each mistake; the host is scripted, the TCP real."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from specs.dialect import load
from specs.framing import FrameReader, frame
from specs.journal import parse
from specs.operation import Kind
from specs.totals import BatchItem
from terminal_sim.cli import app
from terminal_sim.flash import KILLED, DirFlash
from terminal_sim.state import Memory
from tests.support.scripted_host import ScriptedHost, drop

ROOT = Path(__file__).resolve().parents[3]
RUNNER = CliRunner()


class TcpHost:
    """A ScriptedHost behind a real port, one connection after another."""

    def __init__(self, dialect: str) -> None:
        self.scripted = ScriptedHost(load(dialect))
        self._dialect = load(dialect)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"{dialect}://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):  # a terminal that lost its power resets the line
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        reader = FrameReader(self._dialect.frame)
        while data := connection.recv(4096):
            for payload in reader.feed(data):
                for reply in self.scripted.receive(payload):
                    assert isinstance(reply, bytes)
                    connection.sendall(frame(reply, self._dialect.frame))

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def host() -> Iterator[TcpHost]:
    peer = TcpHost("cup")
    yield peer
    peer.close()


def run(*words: object, code: int | None = 0) -> Any:
    """The command in process; its exit code checked."""
    result = RUNNER.invoke(app, [str(word) for word in words])
    if code is not None:
        assert result.exit_code == code, result.output
    return result


def spawn(*words: object, crash: str = "") -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "terminal_sim", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "CLOSEOUT_CRASH_AT": crash},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def memory(folder: Path) -> Memory:
    return DirFlash(folder).load()


@pytest.fixture
def till(tmp_path: Path, host: TcpHost) -> Path:
    folder = tmp_path / "till"
    run("init", folder, "--connect", host.url, "--timeout", "0.4")
    run("signon", folder)
    return folder


def test_a_day_at_the_till(till: Path, host: TcpHost) -> None:
    run("echo", till)
    assert "balance: 123.45" in run("balance", till, "--card", "debit1").stdout
    sale = run("sale", till, "1000", "--card", "credit1")
    assert "CNY 10.00" in sale.stdout
    assert "MERCHANT COPY" in sale.stdout
    assert "CARDHOLDER COPY" in sale.stdout
    run("sale", till, "2000", "--card", "4111111111111111", "--entry", "manual")
    run("void", till, "--stan", "3")
    book = parse(run("journal", till, "--json").stdout.splitlines())
    assert [(row.kind, row.amount, row.state) for row in book.rows] == [
        ("sale", 1000, "voided"),
        ("sale", 2000, "journaled"),
        ("void", 1000, "journaled"),
    ]
    assert "623164991230014" not in sale.stdout
    assert "SETTLEMENT" in run("settle", till).stdout
    assert host.scripted.closed.keys() == {"000001"}
    run("signoff", till)
    run("sale", till, "1000", code=4)


def test_the_json_object_of_a_sale(till: Path) -> None:
    said = json.loads(run("sale", till, "1000", "--json").stdout)
    slip = said.pop("slip")
    assert said == {
        "outcome": "approved",
        "response_code": "00",
        "approved_amount": 1000,
        "stan": "000002",
        "rrn": "000000000002",
        "auth_code": "A12345",
        "batch": "000001",
        "amount": 1000,
    }
    assert "VOUCHER NO" in slip


def test_a_declined_sale_is_exit_1_and_its_object_has_no_slip(till: Path, host: TcpHost) -> None:
    host.scripted.decline[5100] = "51"
    said = json.loads(run("sale", till, "5100", "--json", code=1).stdout)
    assert (said["outcome"], said["response_code"], said["slip"]) == ("declined", "51", None)
    assert said["approved_amount"] is None


def test_a_lost_reply_is_exit_3_and_every_verdict_says_what_is_owed_until_the_next_sale(
    till: Path, host: TcpHost
) -> None:
    """«Charged but not settled» by hand."""
    host.scripted.faults["0200", 1] = drop
    lost = run("sale", till, "1000", code=3)
    assert "unknown: query first" in lost.stdout
    assert "a reversal is owed for STAN 000002" in lost.stdout
    heard = len(host.scripted.seen)
    assert "a reversal is owed" in run("journal", till).stdout
    assert "cannot tell" in run("query", till, code=3).stdout
    run("reprint", till, "--last", code=1)
    assert len(host.scripted.seen) == heard, "journal, query and reprint send nothing"
    said = run("sale", till, "700", "--json")
    assert json.loads(said.stdout)["outcome"] == "approved"
    assert host.scripted.mtis()[heard:] == ["0400", "0200"]
    assert host.scripted.live() == {"000003": 700}


def test_reprint_is_the_last_slip_with_the_mark(till: Path) -> None:
    printed = json.loads(run("sale", till, "1000", "--json").stdout)["slip"]
    again = run("reprint", till, "--last").stdout
    marked = [line for line in again.splitlines() if "DUPLICATED" in line]
    assert len(marked) == 2
    assert "".join(line for line in again.splitlines(True) if "DUPLICATED" not in line) == printed


def test_settle_is_1_when_not_agreed_and_3_when_unanswered(till: Path, host: TcpHost) -> None:
    run("sale", till, "1000")
    host.scripted.extra = [BatchItem(Kind.SALE, 4200)]
    host.scripted.faults["0500", 1] = drop
    run("settle", till, code=3)
    run("settle", till, code=1)
    run("settle", till, code=0)  # nothing is left to settle


@pytest.mark.parametrize("amount", ["10.00", "0", "ten", "1e3", "+5", "１００"])
def test_an_amount_is_minor_units_without_a_decimal_point(till: Path, host: TcpHost, amount: str) -> None:
    heard = len(host.scripted.seen)
    result = run("sale", till, amount, code=2)
    assert result.stderr.count("\n") == 1
    assert "minor units" in result.stderr
    assert len(host.scripted.seen) == heard


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--connect", "127.0.0.1:8583"], "expected DIALECT://ADDR:PORT"),
        (["--connect", "cup://127.0.0.1:port"], "port"),
        (["--connect", "morse://127.0.0.1:1"], "morse"),
        (["--connect", "cup://127.0.0.1:1?speed=9"], "speed"),
        (["--connect", "cup://127.0.0.1:1", "--tid", "SHORT"], "--tid"),
        (["--connect", "cup://127.0.0.1:1", "--mid", "SHORT"], "--mid"),
        (["--connect", "cup://127.0.0.1:1", "--tmk", "0123"], "--tmk"),
        (["--connect", "cup://127.0.0.1:1", "--currency", "999"], "--currency"),
        (["--connect", "cup://127.0.0.1:1", "--api", "localhost"], "--api"),
        (["--connect", "cup://127.0.0.1:1", "--timeout", "0"], "--timeout"),
        (["--connect", "cup://127.0.0.1:1", "--profile", "brave"], "--profile"),
        (["--connect", "iso93://127.0.0.1:1"], "iso93"),
    ],
)
def test_a_wrong_set_up_is_one_line_and_makes_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    result = run("init", tmp_path / "till", *words, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "till").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["sale", "1000", "--card", "nobody"],
        ["sale", "1000", "--entry", "wave"],
        ["void"],
        ["void", "--stan", "1", "--rrn", "2"],
        ["void", "--stan", "one"],
        ["query", "--stan", "1234567"],
    ],
)
def test_wrong_arguments_are_exit_2(till: Path, words: list[str]) -> None:
    result = run(words[0], till, *words[1:], code=2)
    assert result.stderr.count("\n") == 1


def test_a_missing_or_torn_terminal_is_exit_2_and_names_the_file(till: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "none") in run("journal", tmp_path / "none", code=2).stderr
    run("init", till, "--connect", "cup://127.0.0.1:1", code=2)
    (till / "terminal.json").write_text('{"version": 1, "terminal": {"st')
    for words in (["journal", till], ["sale", till, "1000"]):
        assert "terminal.json: is torn" in run(*words, code=2).stderr


def test_no_host_is_exit_4_and_nothing_is_owed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder = tmp_path / "till"
    run("init", folder, "--connect", f"nac://127.0.0.1:{port}", "--timeout", "1")
    assert json.loads(run("sale", folder, "1000", "--json", code=4).stdout)["outcome"] == "not-sent"
    assert memory(folder).pending is None
    run("echo", folder, code=4)


# --- processes


def test_two_processes_on_one_folder(till: Path, host: TcpHost) -> None:
    """Two machines on one flash would each spend the other's STANs."""
    _wait_for_answers(till, 20.0)
    host.scripted.faults["0200", 1] = drop
    waiting = spawn("sale", till, "1000")
    try:
        deadline = time.monotonic() + 20
        while "0200" not in host.scripted.mtis() and time.monotonic() < deadline:
            time.sleep(0.02)
        result = run("sale", till, "2000", code=2)
        assert "another process" in result.stderr
        assert host.scripted.mtis().count("0200") == 1
    finally:
        waiting.kill()
        waiting.communicate()
    assert memory(till).pending is not None  # a killed process is a power cut
    _wait_for_answers(till, 0.4)
    run("echo", till)
    assert host.scripted.live() == {}


def _wait_for_answers(till: Path, seconds: float) -> None:
    with DirFlash(till) as flash:
        before = flash.load()
        flash.save("operator", replace(before, config=replace(before.config, timeout_s=seconds)))


@pytest.mark.parametrize(
    ("point", "owed", "live_after"),
    [
        ("rev-store.before", "", {}),
        ("rev-store.after", "000002", {}),
        ("send.after", "000002", {}),
        ("recv.after", "000002", {}),
        ("journal.before", "000002", {}),
        ("journal.after", "", {"000002": 1000}),
        ("print.before", "", {"000002": 1000}),
    ],
)
def test_a_killed_sale_and_the_next_command(
    till: Path, host: TcpHost, point: str, owed: str, live_after: dict[str, int]
) -> None:
    process = spawn("sale", till, "1000", crash=point)
    process.communicate(timeout=30)
    assert process.returncode == KILLED
    book = parse(run("journal", till, "--json").stdout.splitlines())
    assert book.pending_reversal == owed
    run("echo", till)
    assert host.scripted.live() == live_after
    assert {row.stan: row.amount for row in memory(till).live_rows} == live_after


def test_a_crash_point_that_does_not_exist_is_exit_2(till: Path) -> None:
    process = spawn("sale", till, "1000", crash="lunch.before")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "CLOSEOUT_CRASH_AT=lunch.before" in said


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, terminal_sim.cli as c; c.app(['--help'], standalone_mode=False);"
        "print([m for m in ('iso8583', 'psec', 'socket', 'specs.codec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "signon" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


# --- query


class Api(BaseHTTPRequestHandler):
    """GET /api/v1/transactions as the host lists it."""

    items: list[dict[str, Any]] = []  # noqa: RUF012
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        Api.asked.append(self.path)
        body = json.dumps({"items": Api.items, "next": None}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    Api.items, Api.asked = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("items", "code", "answer"),
    [
        ([{"id": "1", "stan": "000002", "amount": 1000, "state": "captured", "response_code": "00"}], 1, "found"),
        ([{"id": "1", "stan": "000002", "amount": 999, "state": "captured", "response_code": "00"}], 1, "not-found"),
        ([], 1, "not-found"),
    ],
)
def test_query_asks_the_api_for_the_doubtful_transaction(
    tmp_path: Path, host: TcpHost, api: str, items: list[dict[str, Any]], code: int, answer: str
) -> None:
    """RO1: by TID, STAN, batch and amount. Its reversal is owed, so that it is never a sale: charge again, exit 1."""
    folder = tmp_path / "till"
    run("init", folder, "--connect", host.url, "--api", api, "--timeout", "0.4")
    run("signon", folder)
    host.scripted.faults["0200", 1] = drop
    run("sale", folder, "1000", code=3)
    Api.items = items
    said = run("query", folder, "--json", code=code)
    assert (json.loads(said.stdout)["answer"], json.loads(said.stdout)["do"]) == (answer, "charge-again")
    assert Api.asked == ["/api/v1/transactions?tid=T0000001&stan=000002&batch=000001"]
    assert "a reversal is owed" in said.stderr
    text = run("query", folder, code=code).stdout
    assert ("charge again" in text) if answer == "not-found" else ("found at the host" in text)
    assert host.scripted.mtis() == ["0800", "0200"]


def test_a_stan_that_was_never_used_is_a_wrong_argument(tmp_path: Path, host: TcpHost, api: str) -> None:
    """«Not found: charge again» would be a lie about a number that somebody mistyped."""
    folder = tmp_path / "till"
    run("init", folder, "--connect", host.url, "--api", api, "--timeout", "0.4")
    run("signon", folder)
    run("sale", folder, "1000")
    result = run("query", folder, "--stan", "20", code=2)
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    assert "never used" in result.stderr
    assert Api.asked == []
    run("query", folder, "--stan", "2", code=3)  # its own sale, of which this host says that it has none


def test_an_api_that_does_not_answer_cannot_tell(tmp_path: Path, host: TcpHost) -> None:
    folder = tmp_path / "till"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    run("init", folder, "--connect", host.url, "--api", f"http://127.0.0.1:{port}", "--timeout", "1")
    run("query", folder, code=1)  # there is no transaction yet
    run("signon", folder)
    run("sale", folder, "1000")
    assert json.loads(run("query", folder, "--json", code=3).stdout)["answer"] == "cannot-tell"


@pytest.mark.parametrize(("when", "noted"), [("before", 0), ("after", 1)])
def test_the_power_fails_at_the_desk_too(till: Path, host: TcpHost, when: str, noted: int) -> None:
    """A reprint is noted before it is on paper; CLOSEOUT_CRASH_AT takes the steps of the desk as well."""
    run("sale", till, "1000")
    process = spawn("reprint", till, crash=f"reprint.{when}")
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (KILLED, "")
    assert sum(event.event == "reprint" for event in memory(till).events) == noted
    process = spawn("operator", till, "add", "99", "--password", "12345678", crash=f"operator.{when}")
    process.communicate(timeout=30)
    assert process.returncode == KILLED
    assert len(memory(till).operators) == noted
