"""Chip sales over TCP, per dialect: the cryptogram checked and answered, on the slip, in the trace; a bad one refused.

The frames of the bad ones are made of data elements here and carry a cryptogram of tests.support.chip with one byte
changed; the good ones come from the terminal.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest

from specs import security
from specs.codec import decode_payload, encode, encode_payload, mab
from specs.dialect import Dialect, load
from specs.framing import FrameReader, frame
from specs.message import Message
from terminal_sim.lab.host_process import HostProcess
from tests.e2e.conftest import HostCommand, MakeTill
from tests.support import chip

pytestmark = pytest.mark.e2e

DIALECTS = ("cup", "nac", "iso87")
PAN, MID = "6223164991230014", "898100012345678"
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
SCRIPT = "8424000008112233445566778899"


@pytest.fixture(scope="module")
def chip_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with HostProcess(tmp_path_factory.mktemp("host"), dialects=DIALECTS) as running:
        yield running


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_chip_sale(chip_host: HostProcess, make_till: MakeTill, acquirer_host: HostCommand, dialect: str) -> None:
    till = make_till(chip_host, dialect, f"CHIP{dialect.upper():0>4}"[:8])
    if dialect == "cup":
        assert till.run("signon").code == 0
    sold = till.run("sale", 12_300, "--card", "credit1", "--entry", "chip")
    assert sold.code == 0, sold
    assert "could not prove" not in sold.out, "the card has checked its issuer"
    assert "Deprecat" not in sold.err
    (row,) = till.memory().rows
    assert re.search(rf"TC.*{chip.tags(bytes.fromhex(row.chip))['9F26'].hex().upper()}", sold.out)

    traced = acquirer_host("trace", f"{till.tid}:{row.stan}", "--api", chip_host.api.base)
    assert traced.returncode == 0
    assert "chip: arqc good" in traced.stdout
    (found,) = chip_host.api.items("/transactions", tid=till.tid)
    assert chip_host.api.get(f"/transactions/{found['id']}")["chip"] == {"arqc": "good"}
    answer = chip_host.api.items("/messages", tid=till.tid, mti="0210")[-1]
    assert answer["fields"]["55"].startswith("9F3602" + f"{int(row.stan):04X}" + "910A")

    settled = till.run("settle")
    assert settled.code == 0, settled
    assert chip_host.api.get(f"/transactions/{found['id']}")["state"] == "captured"


def test_a_card_that_refuses_is_reversed(chip_host: HostProcess, make_till: MakeTill) -> None:
    """FC 80."""
    till = make_till(chip_host, "cup", "CHIPNO01")
    assert till.run("signon").code == 0
    refused = till.run("sale", 500, "--card", "credit1", "--entry", "tap", "--chip-refuses")
    assert refused.code == 1
    assert "declined by the card" in refused.out
    (found,) = chip_host.api.items("/transactions", tid=till.tid)
    assert found["state"] == "reversed"
    assert till.settle().code == 0


def test_an_issuer_script_and_its_result(chip_host: HostProcess, make_till: MakeTill) -> None:
    api = chip_host.api
    till = make_till(chip_host, "cup", "CHIPSCR1")
    assert till.run("signon").code == 0
    script = api.ask("POST", "/issuer/scripts", {"card": "debit1", "commands": [SCRIPT]})
    assert (script["card"], script["left"]) == ("621626*********0018", 1)
    stans = []
    for amount in (700, 800):
        ran = till.run("sale", amount, "--card", "debit1", "--entry", "chip", "--pin", "card", "--json")
        assert ran.code == 0, ran
        stans.append(ran.json["stan"])
    shown = {t["stan"]: api.get(f"/transactions/{t['id']}")["chip"] for t in api.items("/transactions", tid=till.tid)}
    number = f"{int(script['id']):08X}"
    assert shown == {stans[0]: {"arqc": "good", "script": "20" + number}, stans[1]: {"arqc": "good"}}
    (listed,) = [s for s in api.whole("/issuer/scripts") if s["id"] == script["id"]]
    assert (listed["sent"], listed["left"]) == (1, 0)
    assert api.call("DELETE", f"/api/v1/issuer/scripts/{script['id']}").status == 204
    assert api.call("DELETE", f"/api/v1/issuer/scripts/{script['id']}").status == 404


# ---- a bad one, frame by frame


class Line:
    """One connection of a dialect."""

    def __init__(self, host: HostProcess, dialect: Dialect) -> None:
        self.dialect = dialect
        self.socket = socket.create_connection(("127.0.0.1", host.listening.ports[dialect.name]), timeout=10)
        self.reader = FrameReader(dialect.frame)

    def ask(self, message: Message) -> Message:
        self.socket.sendall(frame(encode_payload(message, self.dialect), self.dialect.frame))
        payloads: list[bytes] = []
        while not payloads:
            data = self.socket.recv(65536)
            assert data, "the host closed the line"
            payloads = self.reader.feed(data)
        return decode_payload(payloads[0], self.dialect)


def _sale(dialect: str, tid: str, stan: int, data: bytes) -> Message:
    fields = {3: "000000", 4: "000000010000", 11: f"{stan:06d}", 22: "052", 23: "001", 25: "00", 41: tid, 42: MID}
    fields |= {2: PAN, 14: "3012", 55: data.hex().upper()}
    if dialect == "cup":
        fields |= {49: "156", 60: "2200000100050"}
        return Message("0200", fields, tpdu="6000030000", header="603100310000")
    if dialect == "nac":
        return Message("0200", fields | {24: "003", 62: f"{stan:06d}"}, tpdu="6000030000")
    return Message("0200", fields | {7: "0302010000", 12: "090000", 13: "0302", 49: "156"})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_flipped_byte_in_the_cryptogram_is_refused(chip_host: HostProcess, dialect: str) -> None:
    tid = f"BAD{dialect.upper():0>5}"
    line = Line(chip_host, load(dialect))
    key = b""
    if dialect == "cup":
        signed_on = line.ask(
            Message(
                "0800", {11: "000001", 41: tid, 42: MID, 60: "00000001003", 63: "01 "}, "6000030000", "603100310000"
            )
        )
        key = security.unwrap_keys(TMK, bytes.fromhex(signed_on[62])).mak
    good = chip.request(PAN, 10_000, atc=2)
    values = chip.tags(good)
    values["9F26"] = bytes([values["9F26"][0] ^ 0x80]) + values["9F26"][1:]
    codes, found = [], []
    for stan, data in ((2, chip.build(values)), (3, good)):
        message = _sale(dialect, tid, stan, data)
        if key:
            blank = message.with_fields({64: "0" * 16})
            mac = security.mac_ecb(key, mab(encode(blank, line.dialect), blank, line.dialect))
            message = message.with_fields({64: mac.hex().upper()})
        answer = line.ask(message)
        codes.append(answer[39])
        found.append(chip.tags(bytes.fromhex(answer.get(55) or "")).get("91"))
    line.socket.close()
    assert codes == ["05", "00"]
    assert found == [None, chip.arpc(PAN, good, "00") + b"00"]
    shapes = [chip_host.api.get(f"/transactions/{t['id']}") for t in chip_host.api.items("/transactions", tid=tid)]
    assert [s["chip"] for s in shapes] == [{"arqc": "bad"}, {"arqc": "good"}]
    assert "ARQC wrong" in json.dumps(shapes[0]["events"])
    assert [s["state"] for s in shapes] == ["declined", "captured"]


def test_nothing_of_it_shows_in_the_log(chip_host: HostProcess, acquirer_host: HostCommand) -> None:
    """And what came before in this module has left the books right."""
    text = chip_host.log.read_text("utf8").upper()
    for secret in (PAN, chip.IMK.hex().upper(), SCRIPT):
        assert secret not in text
    audit = acquirer_host("audit", "--store", chip_host.store)
    assert audit.returncode == 0, audit.stdout
