"""No clear card number, track, PIN, PIN block or key leaves the wire: real processes, whole and broken messages.

One host and two tills see good traffic, card numbers where none belong, and frames that cannot be read. Then
everything that people and programs can look at is searched: store, log, API, both command lines, slips, journals.
Searched for: nine digits in a row of any card number (at most ten of sixteen may show, six and four), as text, as
ASCII in hex and as BCD; the PIN; every key in hex.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from specs import security
from specs.codec import decode_payload, encode, encode_payload, mab
from specs.dialect import load
from specs.framing import FrameReader, frame
from specs.message import Message
from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.lab.till import Till
from tests.e2e.conftest import HostCommand, MakeTill

pytestmark = pytest.mark.e2e

CUP, NAC = load("cup"), load("nac")
SWIPED, TYPED, AMEX = "6223164991230014", "5413330089020011", "371449635398431"
TRACK = f"{SWIPED}D30122010000012345"
PIN = "918273645546"
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TID, MID = "MASK0001", "898100012345678"
KEY_COLUMNS = {("terminal", name) for name in ("tmk", "pik", "mak", "tdk", "old_mak", "spent_mak")}
"""Test keys may stand there and nowhere else."""


class Searched:
    """What must not be found. Shape: needles maps the text searched for to what it is."""

    def __init__(self) -> None:
        self.needles = {PIN: "PIN", PIN.encode().hex(): "PIN in hex"}
        for pan in (SWIPED, TYPED, AMEX):
            self.card(pan)

    def card(self, pan: str) -> None:
        """The whole number, and nine digits in a row unless they may stand anywhere: 000000001."""
        parts = [pan[at : at + 9] for at in range(len(pan) - 8)]
        for digits in (pan, *(part for part in parts if len(set(part)) > 3 and "0000" not in part)):
            self.needles |= {digits: f"card {pan[:6]}", digits.encode().hex(): f"card {pan[:6]} in hex"}
            self.needles |= {digits.encode("cp500").hex().upper(): f"card {pan[:6]} in EBCDIC, as hex"}

    def key(self, name: str, key: bytes) -> None:
        self.needles |= {key.hex(): name, key.hex().upper(): name}

    def found(self, text: str) -> set[str]:
        """As it stands, and its characters as bytes in hex: BCD that came through as text."""
        forms = (text, text.encode("latin-1", "ignore").hex())
        return {what for needle, what in self.needles.items() if any(needle in form for form in forms)}

    def found_in_json(self, text: str) -> set[str]:
        return self.found(text).union(*(self.found(leaf) for leaf in _leaves(json.loads(text))))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from (str(name), *_leaves(part))
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield str(value)


# ---- traffic


def cup(mti: str, stan: int, **fields: str) -> Message:
    made = {11: f"{stan:06d}", 41: TID, 42: MID} | {int(name[2:]): value for name, value in fields.items()}
    return Message(mti, made, "6000030000", "603100310000")


def nac(mti: str, stan: int, **fields: str) -> Message:
    made = {11: f"{stan:06d}", 24: "003", 41: "NACM0001", 42: MID} | {int(k[2:]): v for k, v in fields.items()}
    return Message(mti, made, "6000030000")


MONEY = {"de3": "000000", "de4": "000000001000", "de25": "00"}
CUP_MONEY = MONEY | {"de49": "156", "de60": "2200000100050"}
BY_HAND = {"de2": TYPED, "de14": "3012", "de22": "012"}
ITEMS = "02" + "00000002" + SWIPED.zfill(20) + "000000001000" + "01000099" + TYPED.zfill(20) + "000000005000"


def say(port: int, *messages: Message) -> list[Message]:
    """On one line, each answered before the next."""
    dialect = CUP if messages[0].header else NAC
    answers = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        reader = FrameReader(dialect.frame)
        for message in messages:
            line.sendall(frame(encode_payload(message, dialect), dialect.frame))
            payloads: list[bytes] = []
            while not payloads:
                data = line.recv(65536)
                assert data, f"no answer to {message}"
                payloads = reader.feed(data)
            answers.append(decode_payload(payloads[0], dialect))
    return answers


def throw(port: int, data: bytes) -> None:
    """Bytes that deserve no answer, or one of 30; the line is closed after them."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):
                pass
        except ConnectionError:
            pass


def sealed(message: Message, mak: bytes) -> Message:
    blank = message.with_fields({64: "0" * 16})
    covered = mab(encode(blank, CUP), blank, CUP)
    return message.with_fields({64: security.mac_ecb(mak, covered).hex().upper()})


def union_pay(port: int, searched: Searched) -> None:
    """Sign-ons with and without a track key; swipe, encrypted track, typed number, PIN; numbers in private elements."""
    stan = 1
    for layout in ("003", "004"):
        (welcome,) = say(port, cup("0800", stan, de60=f"00000001{layout}", de63="01 "))
        keys = security.unwrap_keys(TMK, bytes.fromhex(welcome[62]))
        for name, key in (("PIK", keys.pik), ("MAK", keys.mak), ("TDK", keys.tdk), ("DE 62", welcome[62].encode())):
            searched.key(name, key or keys.pik)
        searched.key("wrapped PIK", bytes.fromhex(welcome[62])[:16])
        block = security.pin_block(PIN, SWIPED, keys.pik)
        searched.key("PIN block", block)
        pin = {"de22": "021", "de26": "12", "de52": block.hex().upper(), "de53": "2600000000000000"}
        track = {"de22": "022", "de53": "0610000000000000"}
        asked = [CUP_MONEY | pin | {"de35": TRACK}, CUP_MONEY | BY_HAND]
        if keys.tdk:
            asked += [CUP_MONEY | track | {"de35": security.encrypt_track(TRACK, tdk)} for tdk in (keys.tdk, TMK)]
        private = {"de44": AMEX, "de54": AMEX, "de57": SWIPED, "de60": TYPED, "de61": f"000001000001{TYPED}"}
        private |= {"de62": SWIPED.encode().hex(), "de63": f"CUPCARD {SWIPED}", "de55": f"9F1E08{TYPED}"}
        asked += [CUP_MONEY | BY_HAND | {de: value} for de, value in private.items()]
        asked += [CUP_MONEY | BY_HAND | {"de63": f"CUP;{SWIPED}=3012201?"}, CUP_MONEY | BY_HAND | {"de48": SWIPED}]
        sales = [sealed(cup("0200", stan + 1 + at, **fields), keys.mak) for at, fields in enumerate(asked)]
        answers = say(port, *sales)
        assert [a[39] for a in answers[:2]] == ["00", "00"], "the PIN and the typed number were taken"
        assert not keys.tdk or answers[2][39] == "00", "the encrypted track was read"
        stan += 1 + len(asked)
    totals = "0" * 31
    say(port, sealed(cup("0500", stan, de48=totals * 2, de49="156", de60="00000001201", de63="01 "), keys.mak))
    uploads = ((text, kind) for text in (ITEMS, ITEMS[:60], ITEMS[:-3], f"9{ITEMS[1:]}") for kind in ("201", "202"))
    say(port, *(cup("0320", stan + 1 + n, de48=text, de60=f"00000001{kind}") for n, (text, kind) in enumerate(uploads)))


def edc(port: int) -> None:
    """The same for NAC, without keys."""
    swiped, typed = MONEY | {"de22": "022", "de35": TRACK, "de62": "000045"}, MONEY | BY_HAND | {"de62": "000046"}
    private = {"de48": "123", "de54": SWIPED, "de60": TYPED, "de61": SWIPED, "de63": f"CARD {AMEX} OK"}
    asked = [swiped, typed, typed | {"de62": AMEX}, typed | {"de45": f"B{SWIPED}^DOE/J^3012201"}]
    asked += [typed | {de: value} for de, value in private.items()]
    answers = say(port, *(nac("0200", 1 + at, **fields) for at, fields in enumerate(asked)))
    assert answers[0][39] == "00"
    say(port, nac("0320", 90, **typed | {"de60": "0200000045000000000012"}))


def broken_frames(nac_port: int, cup_port: int) -> list[tuple[int, bytes]]:
    """(port, bytes): wrong port, no TPDU, cut, letters for digits, a byte more or less, text, no length."""
    swiped = {"de22": "022", "de35": TRACK}
    sent: list[tuple[int, bytes]] = []
    for port, other, messages in (
        (nac_port, cup_port, [nac("0200", 95, **MONEY | swiped), nac("0200", 96, **MONEY | BY_HAND)]),
        (
            cup_port,
            nac_port,
            [cup("0200", 95, **CUP_MONEY | BY_HAND), cup("0320", 96, de48=ITEMS, de60="00000001201")],
        ),
    ):
        for message in messages:
            dialect = CUP if message.header else NAC
            whole = encode_payload(message, dialect)
            track_at = whole.find(bytes.fromhex(SWIPED))
            payloads = [whole[5:], whole[11:], whole * 2, *(whole[:at] for at in range(17, len(whole), 3))]
            for at in range(7, len(whole), 4):
                payloads += [whole[:at] + whole[at + 1 :], whole[:at] + b"\x16" + whole[at:]]
                payloads += [whole[:at] + bytes([whole[at] ^ 0xAA]) + whole[at + 1 :]]
            sent += [(port, frame(payload, dialect.frame)) for payload in payloads]
            sent += [(other, frame(whole, dialect.frame)), (port, whole), (port, whole[max(track_at, 0) :])]
    text = [f";{TRACK}?".encode(), TRACK.encode(), b"GET /?pan=" + SWIPED.encode(), bytes.fromhex(SWIPED) * 9]
    text += [
        TRACK.encode("cp500"),
        b"\x00\x90" + TRACK.encode(),
        b"\x00\x90\x60\x00\x03\x00\x00" + TRACK.encode("cp500"),
    ]
    text += [
        f"{SWIPED[:4]}-{SWIPED[4:8]}-{SWIPED[8:12]}-{SWIPED[12:]}".encode(),
        b"\x16\x03\x01\x02\x00\x01" + TRACK.encode(),
    ]
    return [*sent, *((port, data) for data in text for port in (nac_port, cup_port))]


# ---- what people look at


def store_texts(path: Path) -> Iterator[tuple[str, str]]:
    """(table.column, value) of everything but the columns where keys belong."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as books:
        for (table,) in books.execute("select name from sqlite_master where type = 'table'").fetchall():
            rows = books.execute(f'select * from "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    if (table, name) not in KEY_COLUMNS:
                        yield f"{table}.{name}", str(value)


def api_texts(host: HostProcess, tid: str = TID) -> Iterator[tuple[str, str]]:
    """Every GET path, each transaction and batch whole."""
    lists = ("/terminals", "/transactions", "/batches", "/unsettled", "/findings", "/messages", "/faults", "/clock")
    for path in (*lists, f"/terminals/{tid}", "/messages/wait?mti=0200&timeout=0"):
        yield path, host.api.call("GET", f"/api/v1{path}{'' if '?' in path else '?limit=1000'}").text
    for path in ("/transactions", "/batches"):
        for item in host.api.items(path)[:20]:
            yield path, host.api.call("GET", f"/api/v1{path}/{item['id']}").text
    newest = host.api.items("/messages")[-1]["id"]
    yield "/messages", host.api.call("GET", f"/api/v1/messages/{newest}").text
    everything = {"match": {"mti": "0200"}, "count": 1}
    yield "/messages/verify", host.api.call("POST", "/api/v1/messages/verify", everything).text
    for path in ("/metrics", "/readyz", "/version"):
        yield path, json.dumps(host.api.call("GET", path).text)


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("unsettled", "--csv"),
    ("batches", "--json"),
    ("trace", "000002"),
    ("audit",),
    ("messages", "export", "--jsonl"),
    ("messages", "export", "--hex"),
)
KEYS_PRESSED: tuple[tuple[object, ...], ...] = (
    ("sale", 1000, "--card", SWIPED),
    ("sale", 1100, "--card", TYPED, "--entry", "manual", "--json"),
    ("void", "--stan", "2"),
    ("sale", 100, "--card", f"{SWIPED}X"),
    ("balance", "--card", AMEX),
    ("query", "--json"),
    ("reprint",),
    ("settle",),
    ("journal",),
    ("journal", "--json"),
)


def till_texts(till: Till) -> Iterator[tuple[str, str]]:
    for words in KEYS_PRESSED:
        ran = till.run(*map(str, words[:1]), *words[1:])
        yield f"terminal-sim {words[0]}", ran.out + ran.err


def test_nothing_clear_is_kept_logged_or_shown(tmp_path: Path, acquirer_host: HostCommand, make_till: MakeTill) -> None:
    searched, leaks = Searched(), set[tuple[str, str]]()

    def look(where: str, text: str) -> None:
        leaks.update((where, what) for what in searched.found(text))

    capture = tmp_path / "x.pcapng"
    with HostProcess(tmp_path / "host", options=("--log-level", "debug", "--capture", str(capture))) as host:
        ports = host.listening.ports
        union_pay(ports["cup"], searched)
        edc(ports["nac"])
        for port, data in broken_frames(ports["nac"], ports["cup"]):
            throw(port, data)
        tills = [make_till(host, dialect, f"TILL{dialect:0>4}") for dialect in ("cup", "nac")]
        tills[0].run("signon")
        for till in tills:
            for where, text in till_texts(till):
                look(where, text)
            journal = till.journal().replace(f"{SWIPED[:6]}******{SWIPED[-4:]}", SWIPED)
            assert SWIPED in journal
            assert host.api.call("POST", f"/api/v1/terminals/{till.tid}/journal", journal).status == 201
        for where, text in api_texts(host):
            leaks.update((f"API {where}", what) for what in searched.found_in_json(text))
        for words in COMMANDS:
            ended = acquirer_host(*words, "--api", host.api.base)
            assert ended.returncode in (0, 1), ended.stderr
            look(" ".join(("acquirer-host", *words)), ended.stdout + ended.stderr)
        for where, text in store_texts(host.folder / "closeout.db"):
            look(where, text)
        for path in host.folder.glob("closeout.db*"):  # the WAL holds what is newest
            raw = path.read_bytes()
            secrets = [(needle, what) for needle, what in searched.needles.items() if what.startswith(("card", "PIN "))]
            leaks.update((path.name, what) for needle, what in secrets if needle.encode() in raw)
            leaks.update((path.name, "BCD") for pan in (SWIPED, TYPED) if bytes.fromhex(pan) in raw)
    look("log", host.log.read_text("utf-8"))
    captured = capture.read_bytes()
    assert len(captured) > 20_000, "the frames were captured"
    for form in (captured.decode("latin-1"), captured.hex()):
        look("capture", form)
    assert "unreadable bytes" in host.log.read_text("utf-8"), "the frames were seen"
    assert not leaks


def test_decode_shows_no_card_number_of_a_broken_frame(acquirer_host: HostCommand) -> None:
    """The rest of this story is in tests/unit/host/test_decode_command.py; here once as from a shell."""
    whole = frame(encode_payload(cup("0200", 1, **CUP_MONEY | BY_HAND), CUP), CUP.frame).hex()
    for data in (whole, whole[:-8], whole[40:]):
        ended = acquirer_host("decode", "--raw", "--json", data)
        assert not Searched().found_in_json(ended.stdout)
        assert not Searched().found(ended.stderr)


FAILING = """
import os
from host.engine.events import MacEvidence, Request
from host.rows import Terminal
from specs.message import Message
from specs.operation import Card, Kind, Operation
from specs.profile import profile_of
from specs.security import WorkingKeys
from specs.subfields.cup import UploadItem
from specs.track2 import Track2

PAN, KEY = os.environ["CARD"], bytes.fromhex(os.environ["KEY"])


def message(stan):
    return Message("0200", {2: PAN, 11: stan, 35: PAN + "D30122010000012345", 52: KEY[:8].hex()})


def operation(stan):
    return Operation(Kind.SALE, "T", stan=stan, card=Card(PAN, "3012"), pin_block=KEY[:8], content=(("pan", PAN),))


def request(stan):
    return Request(1, operation(stan), profile_of("nac", {}), "nac", MacEvidence(bytes.fromhex(PAN), None, False))


def terminal(stan):
    return Terminal(1, "T", "M", "cup", "auto", True, *[KEY.hex()] * 4, "", 1, stan, "", "156")


MAKE = {
    "message": message,
    "card": lambda stan: Card(PAN, sequence=stan),
    "keys": lambda stan: WorkingKeys(KEY, KEY, KEY if stan else None),
    "operation": operation,
    "request": request,
    "terminal": terminal,
    "item": lambda stan: UploadItem(False, stan, PAN, 1),
    "track": lambda stan: Track2(PAN, "3012", stan[:3], ""),
}


def pytest_generate_tests(metafunc):
    metafunc.parametrize("name", MAKE)


def test_one(name):
    left, right = MAKE[name]("000001"), MAKE[name]("")
    assert left == right


def test_list(name):
    left, right = [MAKE[name]("000001")], [MAKE[name](""), 1]
    assert left == right


def test_dict(name):
    assert {"a": MAKE[name]("000001")} == {"a": MAKE[name]("")}


def test_kinds(name):
    assert MAKE[name]("000001") is None
"""


def test_a_failed_comparison_prints_no_secret(tmp_path: Path) -> None:
    """As people run it: with the project's own conftest, all differences in full, and local variables."""
    (tmp_path / "test_failing.py").write_text(FAILING, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    key = "7CA110454A1A6E570131D9619DC1376E"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", "--showlocals", "-p", "tests.conftest", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=python_environment() | {"CARD": SWIPED, "KEY": key, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "32 failed" in ran.stdout, ran.stdout[-3000:]
    secrets: dict[str, Any] = {"card": SWIPED, "key": key, "key, lower": key.lower(), "half": key[:16].lower()}
    assert not [name for name, secret in secrets.items() if secret in ran.stdout]
    assert repr(bytes.fromhex(key))[2:-1] not in ran.stdout
    assert repr(bytes.fromhex(SWIPED))[2:-1] not in ran.stdout
