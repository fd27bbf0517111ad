"""`acquirer-host messages export` over a store that no host holds: complete, masked, and bytes that read again."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.rows import MessageRow
from host.store.store import open_store
from specs.codec import decode_payload
from specs.dialect import load
from specs.framing import frame
from tests.unit.host.test_capture import blocks, packets
from tests.unit.host.test_service import SALE, Bench

RUNNER = CliRunner()
PAN = "4111111111111111"  # of the constructed sale of 100.00 in nac.md section 9
MASKED = bytes.fromhex("4111110000001111D0000000000000000000")
SECOND = SALE.replace(bytes.fromhex("000123"), bytes.fromhex("000124"))


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A sale, one whose answer was lost, a sale with letters in its amount, and what is no message."""
    url = f"sqlite:///{tmp_path / 'books.db'}"
    opened = open_store(url, seed=1)
    bench = Bench(opened)
    bench.send()
    bench.faults.add({"action": "drop-reply"})
    bench.send(SECOND)
    bench.send(SALE[:18] + b"\xaa" + SALE[19:])
    bench.send(b"GET /?pan=" + PAN.encode())
    bench.runner.stop()
    opened.close()
    return url


def run(*arguments: str) -> tuple[int, bytes, str]:
    result = RUNNER.invoke(app, ["messages", "export", *arguments])
    return result.exit_code, result.stdout_bytes, result.stderr


def test_jsonl_has_every_column_of_the_log(store: str) -> None:
    code, out, _ = run("--jsonl", "--store", store)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, [(x["direction"], x["mti"]) for x in lines[:4]]) == (
        0,
        [("in", "0200"), ("out", "0210"), ("in", "0200"), ("out", "0210")],
    )
    names = {"code": "response_code", "txn_id": "transaction"}
    for line in lines:
        assert {names.get(column.name, column.name) for column in fields(MessageRow)} <= set(line)
    assert (lines[0]["fields"]["4"], lines[3]["fate"]) == ("000000010000", "dropped")
    assert PAN.encode() not in out


def test_hex_is_the_frame_with_its_card_data_as_zeros(store: str) -> None:
    _, out, err = run("--hex", "--store", store)
    lines = [line.split() for line in out.decode().splitlines()]
    assert [line[0] for line in lines] == ["in", "out", "in", "out", "in", "out", "in"]
    track = bytes.fromhex("4111111111111111D3012201000001234567")
    first = bytes.fromhex(lines[0][4])
    assert first == frame(SALE.replace(track + b"\x80", MASKED + b"\x00"), load("nac").frame)
    assert lines[0][2:4] == ["12345678", "0200"]
    answer = decode_payload(bytes.fromhex(lines[1][4])[2:], load("nac"))
    assert (answer.mti, answer.tpdu, answer[39]) == ("0210", "6000000003", "00")
    broken = bytes.fromhex(lines[4][4])
    assert (broken[:20], broken[26:35]) == (first[:20], first[26:35]), "what broke the dialect is of `raw`"
    refused = decode_payload(bytes.fromhex(lines[5][4])[2:], load("nac"))
    assert (refused[39], refused[11], refused[3], refused[41]) == ("30", "000123", "000000", "*" * 8)
    assert lines[6][2:4] == ["-", "-"]
    assert err.count("left out") == 0


def test_pcap_has_what_was_on_the_line(store: str, tmp_path: Path) -> None:
    path = tmp_path / "out.pcapng"
    code, out, err = run("--pcap", "--store", store, "--output", str(path))
    assert (code, out) == (0, b"")
    seen = packets(path)
    assert [p.flags for p in seen][:3] == [0x02, 0x12, 0x10]
    assert len([p for p in seen if p.data]) == 6
    assert "1 answers that never were on the line were left out" in err
    assert PAN.encode() not in path.read_bytes()
    assert bytes.fromhex(PAN) not in path.read_bytes()
    assert next(blocks(path.read_bytes()))[0] == 0x0A0D0D0A


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--limit", "3"), 3),
        (("--limit", "0"), 0),
        (("--mti", "0210"), 3),
        (("--tid", "NOBODY00"), 0),
        (("--stan", "000124"), 2),
    ],
)
def test_filters(store: str, arguments: tuple[str, ...], count: int) -> None:
    code, out, _ = run("--jsonl", "--store", store, *arguments)
    assert (code, len(out.splitlines())) == (0, count)


def test_after_goes_on_where_another_export_ended(store: str) -> None:
    _, everything, _ = run("--jsonl", "--store", store)
    _, some, _ = run("--jsonl", "--store", store, "--limit", "3")
    last = json.loads(some.splitlines()[-1])["id"]
    _, rest, _ = run("--jsonl", "--store", store, "--after", last)
    assert some + rest == everything


def test_a_dialect_that_is_not_here_is_told(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.commands.messages.builtin", lambda: ("cup",))
    code, out, err = run("--hex", "--store", store)
    assert (code, out) == (0, b"")
    assert "dialect nac is not known here" in err
    assert "7 messages cannot be made again" in err
    assert len(run("--hex", "--store", store, "--dialect", "nac://127.0.0.1:1")[1].splitlines()) == 7


@pytest.mark.parametrize("arguments", [(), ("--hex", "--jsonl")])
def test_one_form_must_be_chosen(arguments: tuple[str, ...]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "choose one of" in err


def test_a_file_that_cannot_be_written_is_told(store: str, tmp_path: Path) -> None:
    code, _, err = run("--hex", "--store", store, "--output", str(tmp_path / "no" / "file"))
    assert code == 2
    assert "--output" in err
