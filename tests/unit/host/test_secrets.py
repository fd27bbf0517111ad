"""What the host keeps, logs and prints in a failure holds no card number, PIN block or key (what leaked once)."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from host.commands.logs import configure
from host.engine.events import MacEvidence
from host.exchange import Exchange, kept_raw, safe_hex, storable
from host.rows import JournalUpload, MessageRow, Txn
from host.store.store import open_store
from specs.codec import encode, encode_payload
from specs.dialect import load
from specs.families import family
from specs.kinds import Kind
from specs.message import Message
from specs.operation import Card, Operation, OriginalRef, UploadItem
from tests.unit.host.api.test_api import TID, Host
from tests.unit.host.test_service import PAN, SALE, Bench, FakeLine

MASKED = "411111******1111"
NAC, CUP = load("nac"), load("cup")


@pytest.fixture
def bench() -> Iterator[Bench]:
    store = open_store("sqlite://", seed=1)
    yield Bench(store)
    store.close()


def kept(bench: Bench) -> str:
    """Every message and transaction as the store has them, and raw bytes in text as hex."""
    rows = [row for table in (MessageRow, Txn) for row in bench.rows(table)]
    assert rows
    texts = [str(getattr(row, column.name)) for row in rows for column in dataclasses.fields(row)]
    values = [value for row in bench.rows(MessageRow) for value in json.loads(row.fields).values()]
    return "\n".join([*texts, *values, *(v.encode("latin-1").hex() for v in values)])


# ---- bytes that nobody could read


@pytest.mark.parametrize(
    "data",
    [SALE[12:], SALE[24:], f";{PAN}=30122010000012345678?".encode(), PAN.encode(), bytes.fromhex(PAN) * 3],
    ids=["from MTI on", "from the track on", "a track as text", "a number as text", "BCD"],
)
def test_the_hex_of_an_unreadable_frame_shows_no_card_number(data: bytes) -> None:
    shown = safe_hex(data)
    assert PAN[:9] not in shown
    assert PAN[:9].encode().hex() not in shown


@pytest.mark.parametrize("codec", ["ascii", "cp500"])
@pytest.mark.parametrize("size", [1, 24, 600])
@pytest.mark.parametrize(
    "text", [f";{PAN}=30122010000012345678?", " ".join((PAN[:4], PAN[4:8], PAN[8:12], PAN[12:])), PAN * 4]
)
def test_what_is_kept_of_bytes_that_nobody_could_read_shows_no_card_number(codec: str, size: int, text: str) -> None:
    """Behind any number of other bytes; a number in groups is known as such in ASCII only."""
    if codec == "cp500" and " " in text:
        return
    for before in range(3):
        shown = kept_raw(b"\x00" * before + text.encode(codec) + b"\x80" * size, None, CUP)
        assert len(shown) <= 2 * 512
        for at in range(len(PAN) - 8):
            assert PAN[at : at + 9].encode(codec).hex().upper() not in shown
        assert "*" in shown


def test_what_is_kept_of_a_message_with_a_breach_hides_what_its_elements_hide() -> None:
    fields = {2: PAN, 3: "000000", 4: "000000010000", 11: "000002", 14: "3012", 22: "012", 25: "00", 41: "T0000001"}
    fields |= {35: f"{PAN}D30122010000012345678", 52: "F5D4AEDECBD60833", 53: "06A0000000000000"}
    message = Message("0200", fields, "6000030000", "603100310000", doubtful=frozenset({53}))
    payload = encode_payload(replace(message, fields=fields | {53: "0600000000000000"}), CUP)
    shown = kept_raw(payload, message, CUP)
    assert shown.startswith("60000300006031003100000200")
    assert len(shown) == 2 * len(payload)
    for secret in (PAN, PAN[6:12], "D3012201", "F5D4AEDECBD60833"):
        assert secret not in shown
    assert shown.count("*") < len(shown) / 2, "what is no secret stays"


def test_what_is_kept_shows_no_card_number_that_lies_across_misread_elements() -> None:
    """DE 4, 11, 22, 25 and 53 each hold a part of it; the filler of DE 22 is the only breach."""
    fields = {3: "990000", 4: "290220003741", 11: "111111", 22: "111", 25: "11", 53: "1100000000000000"}
    message = Message("0200", fields, "6000030000", "603100310000", doubtful=frozenset({22}))
    packed = "990000" + "290220003741" + "111111" + "1111" + "11" + "1100000000000000"
    payload = bytes.fromhex("6000030000" + "603100310000" + "0200" + "3020048000000800" + packed)
    assert PAN in payload.hex()
    shown = kept_raw(payload, message, CUP)
    assert PAN not in shown
    assert PAN[6:12] not in shown


def test_a_message_in_another_dialect_leaves_no_card_number(bench: Bench) -> None:
    """The terminal dials the wrong port: what it sends is misread, and much of it kept for whoever asks why."""
    fields = {2: PAN, 3: "000000", 4: "000000010000", 11: "000002", 14: "3012", 22: "012", 25: "00", 41: "T0000001"}
    fields |= {42: "123456789012345", 49: "156", 60: "22000001000500"}
    body = encode(Message("0200", fields), CUP)
    for start in range(len(body)):
        bench.send(bytes.fromhex("6000030000") + body[start:])
    assert PAN[:10] not in kept(bench)
    assert len(bench.rows(MessageRow)) >= len(body)


def test_a_byte_too_many_or_too_few_anywhere_leaves_no_card_number(bench: Bench) -> None:
    fields = {2: PAN, 3: "000000", 4: "000000010000", 11: "000002", 14: "3012", 22: "012", 24: "003", 25: "00"}
    whole = encode_payload(Message("0200", fields | {41: TID, 42: "123456789012345"}, tpdu="6000030000"), NAC)
    for at in range(5, len(whole)):
        bench.send(whole[:at] + whole[at + 1 :])
        bench.send(whole[:at] + b"\x16" + whole[at:])
    assert PAN[:10] not in kept(bench)


# ---- card numbers where none belongs


@pytest.mark.parametrize("de", [54, 60, 61, 62, 63])
def test_a_card_number_in_a_private_element_is_kept_masked(bench: Bench, de: int) -> None:
    """Invoice number and compared content go into the transaction itself, past the masked message log."""
    fields = {2: PAN, 3: "000000", 4: "000000010000", 11: "000002", 14: "3012", 22: "012", 24: "003", 25: "00"}
    for mti in ("0200", "0220", "0320", "0400"):
        message = Message(mti, fields | {41: TID, 42: "123456789012345", de: PAN}, tpdu="6000030000")
        bench.send(encode_payload(message, NAC))
    assert MASKED in kept(bench)
    assert PAN not in kept(bench)


def test_masking_what_is_compared_keeps_different_values_different() -> None:
    """Two originals in DE 61 that differ only where a mask has stars must not become «the same content»."""
    one, other = "000001000001" + PAN, "000001000001" + "4111113111111112"
    assert one != other
    operation = Operation(Kind.VOID, TID, card=Card(PAN), content=(("original", one), ("type", "23"), ("pan", PAN)))
    stored = dict(storable(operation, b"k" * 32).content)
    again = dict(storable(replace(operation, content=(("original", other),)), b"k" * 32).content)
    assert PAN not in stored["original"]
    assert (stored["type"], stored["pan"]) == ("23", PAN), "the engine drops `pan` by its name"
    assert stored["original"] == dict(storable(operation, b"k" * 32).content)["original"]
    assert stored["original"] != again["original"]


def test_an_invoice_that_is_a_card_number_is_masked_alike_at_both_ends() -> None:
    item = UploadItem(OriginalRef(invoice=PAN), 100)
    operation = Operation(Kind.VOID, TID, invoice=PAN, original=OriginalRef(invoice=PAN), items=(item,))
    safe = storable(operation, b"k" * 32)
    assert safe.original is not None
    assert {safe.invoice, safe.original.invoice, safe.items[0].ref.invoice} == {MASKED}


def test_an_echoed_element_is_shown_as_in_its_request(bench: Bench) -> None:
    """A 0210 repeats DE 60 of CUP but not DE 2, so it alone does not tell that the digits are a card number."""
    line = FakeLine("cup://127.0.0.1:1")
    fields = {2: PAN, 3: "000000", 4: "000000010000", 11: "000002", 14: "3012", 22: "012", 25: "00", 41: TID}
    message = Message("0200", fields | {42: "123456789012345", 49: "156", 60: PAN}, "6000030000", "603100310000")
    bench.send(encode_payload(message, CUP), line)
    received, said = bench.rows(MessageRow)
    assert json.loads(received.fields)["60"] == json.loads(said.fields)["60"] == MASKED


def test_a_journal_with_clear_numbers_is_kept_masked() -> None:
    """Any terminal may hand its journal over, also one that does not mask it."""
    host = Host()
    head = {"record": "terminal", "tid": TID, "batch": "000001", "stan": "000001", "frozen": False}
    row = {"record": "row", "tid": TID, "batch": "000001", "stan": "000001", "kind": "sale", "amount": 100}
    lines = [head | {"pending_reversal": ""}, row | {"pan": PAN, "rrn": "411111111117"}, row | {"pan": "123"}]
    sent = "\n".join(map(json.dumps, lines))
    assert host.http.post(f"/api/v1/terminals/{TID}/journal", content=sent).status_code == 201
    (stored,) = host.store.reader().select(JournalUpload)
    assert PAN not in stored.lines
    assert MASKED in stored.lines
    assert '"123"' not in stored.lines, "a short number is hidden altogether"
    assert "411111111117" in stored.lines, "twelve digits are an RRN, whatever their check digit"
    host.store.close()


def test_a_problem_does_not_repeat_a_card_number() -> None:
    host = Host()
    assert PAN not in host.http.get(f"/api/v1/transactions/{PAN}").text
    assert PAN not in host.http.post(f"/api/v1/terminals/{TID}/journal", content=f'{{"record":"{PAN}"}}').text
    host.store.close()


# ---- failures


def test_values_that_hold_the_bytes_of_a_message_do_not_show_them() -> None:
    """pytest and tracebacks print repr(); the bytes of a message hold the card number as BCD."""
    message = Message("0200", {2: PAN})
    exchange = Exchange(FakeLine("nac://127.0.0.1:1"), NAC, family("nac"), message, SALE, frame=SALE)  # type: ignore[arg-type]
    for shown in (repr(exchange), repr(MacEvidence(SALE, b"", True))):
        assert repr(SALE)[2:-1] not in shown
        assert "AA11" not in shown
        assert PAN not in shown


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """A log as `serve` sets it up, and everything as it was afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(stream, "debug")
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


def test_what_a_library_logs_is_masked_and_json(logged: io.StringIO) -> None:
    """asyncio and uvicorn log an exception that nobody caught, with its text, through the standard library."""
    try:
        int(f"{PAN}X")
    except ValueError:
        logging.getLogger("asyncio").exception("Fatal error: protocol.data_received(%s) failed", PAN)
    line = json.loads(logged.getvalue())
    assert PAN not in str(line)
    assert MASKED in line["event"]
    assert "ValueError" in line["trace"]


def test_whatever_is_logged_passes_the_mask(logged: io.StringIO) -> None:
    values: dict[str, Any] = {"why": {"got": PAN}, "many": [PAN, (PAN,)], "key": "0123456789ABCDEFFEDCBA9876543210"}
    structlog.get_logger("host").info(f"card {PAN}", **values, count=3)
    line = json.loads(logged.getvalue())
    assert PAN not in str(line)
    assert (line["why"]["got"], line["count"]) == (MASKED, 3)
    assert line["key"] == "*" * 32
