"""The commands that read the books, over a store that no host holds: exit codes, forms, and a store never made."""

from __future__ import annotations

import csv
import io
import json
import socketserver
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.store.store import open_store
from tests.unit.host.test_service import SALE, Bench

RUNNER = CliRunner()
PAN = "4111111111111111"  # of the constructed sale of 100.00 in nac.md section 9


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Two sales of 100.00; the answer to the second was lost after the commit."""
    url = f"sqlite:///{tmp_path / 'books.db'}"
    opened = open_store(url, seed=1)
    bench = Bench(opened)
    bench.send()
    bench.faults.add({"action": "drop-reply"})
    bench.send(SALE.replace(bytes.fromhex("000123"), bytes.fromhex("000124")))
    bench.runner.stop()
    opened.close()
    return url


def run(*arguments: str) -> tuple[int, str, str]:
    result = RUNNER.invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_unsettled_tells_the_doubtful_from_the_ordinary_and_exits_1(store: str) -> None:
    code, out, err = run("unsettled", "--store", store, "--json")
    items = json.loads(out)
    assert (code, [(i["stan"], i["doubtful"]) for i in items]) == (1, [("000123", False), ("000124", True)])
    assert "dropped by fault 1" in items[1]["why"]
    assert f"from the store {store}, read-only" in err


def test_unsettled_of_another_terminal_is_nothing_and_exits_0(store: str) -> None:
    code, out, _ = run("unsettled", "--store", store, "--tid", "NOBODY00")
    assert (code, out.strip()) == (0, "nothing is charged and unsettled")


def test_comma_separated_values_have_a_head_and_a_row_each(store: str) -> None:
    _, out, _ = run("unsettled", "--store", store, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["stan"], row["amount"]) for row in rows] == [("000123", "10000"), ("000124", "10000")]


def test_an_open_batch_shows_what_runs_in_it(store: str) -> None:
    code, out, _ = run("batches", "--store", store)
    assert code == 0
    assert "sale 2/20000" in out
    code, _, err = run("batches", "--store", store, "--state", "foo")
    assert code == 2
    assert "closed-with-exceptions" in err


@pytest.mark.parametrize("key", ["124", "000124", "12345678:124", "txn-000000000002"])
def test_trace_finds_by_stan_terminal_and_id_and_says_what_became_of_the_answer(store: str, key: str) -> None:
    code, out, _ = run("trace", key, "--store", store)
    assert code == 0
    assert "STAN 000124" in out
    assert "0210 sale 00  (dropped)" in out
    assert "note: fault 1: drop-reply" in out
    assert "STAN 000123" not in out
    assert PAN not in out


def test_trace_by_rrn_and_of_nothing(store: str) -> None:
    rrn = json.loads(run("trace", "123", "--store", store, "--json")[1])[0]["rrn"]
    assert run("trace", rrn, "--store", store)[0] == 0
    assert run("trace", "999999", "--store", store)[0] == 1


def test_audit_of_right_books_exits_0(store: str) -> None:
    code, out, _ = run("audit", "--store", store)
    assert (code, out.strip()) == (0, "the books are right: every invariant holds")


def test_audit_of_a_broken_store_exits_1_and_names_the_invariant(store: str) -> None:
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE posting SET amount = amount + 1 WHERE id = 1")
    code, out, _ = run("audit", "--store", store)
    assert code == 1
    assert "A10" in out


def test_a_store_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    code, _, err = run("audit", "--store", f"sqlite:///{tmp_path / 'none.db'}")
    assert code == 2
    assert "none.db" in err
    assert list(tmp_path.iterdir()) == []


def test_json_and_csv_at_once_is_a_bad_argument(store: str) -> None:
    code, _, err = run("unsettled", "--store", store, "--json", "--csv")
    assert (code, "choose one" in err) == (2, True)


@pytest.fixture
def no_http() -> Iterator[str]:
    """ADDR:PORT of a listener that is no HTTP server, as a terminal's port is."""

    class Babble(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"\x00\x10 no HTTP\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Babble) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("audit",), 2),
        (("keys", "show", "T0000001"), 2),
        (("messages", "export", "--jsonl"), 2),
        (("db", "prune", "--rows", "1"), 2),
        (("faults", "list"), 4),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1:abc", "http://[::1", ""])
def test_an_api_address_that_is_none_is_one_line(
    no_http: str, command: tuple[str, ...], code: int, address: str
) -> None:
    found, out, err = run(*command, "--api", address or no_http)
    assert (found, out, err.count("\n")) == (code, "", 1), err
    assert "answers" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", [("messages", "export", "--jsonl"), ("db", "export", "-"), ("batches",)])
def test_a_full_disk_behind_the_output_is_one_line(store: str, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        line = [sys.executable, "-m", "host", *command, "--store", store]
        ended = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.splitlines()[-1] == "acquirer-host: standard output: No space left on device"
    assert "Traceback" not in ended.stderr
