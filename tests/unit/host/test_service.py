"""The edge without sockets: frames in, frames out, the log beside them; what a failed commit may say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from host.clock import Clock
from host.engine.context import Settings
from host.engine.events import Decision
from host.errors import StoreUnavailable
from host.exchange import ask_of
from host.faults import FaultTable
from host.issuer.cards import index_test_cards
from host.issuer.link import ImmediateLink
from host.rows import MessageRow, Posting, Row, Txn
from host.runner import Runner
from host.service import Service
from host.store.store import Store, open_store
from specs.codec import decode_payload
from specs.endpoint import Endpoint, parse
from specs.errors import FrameError
from specs.message import Message
from specs.operation import Operation, Outcome

# The constructed sale of 100.00 in nac.md section 9: no MAC, so it is bytes anybody could have sent.
SALE = bytes.fromhex(
    "6000030000"
    "02003020058020C0000400000000000001000000012300220003003741111111"
    "11111111D3012201000001234567803132333435363738313233343536373839303132333435000630303030"
    "3435"
)
PAN = "4111111111111111"


class FakeLine:
    """What Service needs of a connection."""

    def __init__(self, url: str) -> None:
        self.endpoint: Endpoint = parse(url)
        self.peer = "127.0.0.1:50000"
        self.latest = b""
        self.sent: list[bytes] = []
        self.ended = ""
        self.requests_ended = 0

    def send(self, frame: bytes) -> bool:
        self.sent.append(frame)
        return True

    def codes(self) -> list[str]:
        """DE 39 of every answer so far."""
        return [decode_payload(frame[2:], self.endpoint.dialect)[39] for frame in self.sent]

    def close(self) -> None:
        self.ended = "closed"

    def reset(self) -> None:
        self.ended = "reset"

    def request_ended(self) -> None:
        self.requests_ended += 1


class Now:
    """A loop that calls at once, and keeps what was to come later."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[..., Any], tuple[Any, ...]]] = []

    def call_soon_threadsafe(self, call: Callable[..., Any], *args: Any) -> None:
        call(*args)

    def call_later(self, delay: float, call: Callable[..., Any], *args: Any) -> None:
        self.later.append((delay, call, args))


class Bench:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.faults = FaultTable()
        self.service = Service(self.faults, store.pan_hash_key)
        link = ImmediateLink(store, index_test_cards(store.pan_hash_key))
        self.runner = Runner(store, Clock(), Settings(), link, before_commit=self.service.rows)
        self.loop = Now()
        self.service.start(self.runner, self.loop)  # type: ignore[arg-type]
        self.line = FakeLine("nac://127.0.0.1:1")

    def send(self, payload: bytes = SALE, line: FakeLine | None = None) -> None:
        self.service.received(line or self.line, payload)  # type: ignore[arg-type]
        self.runner.run_until_quiet()

    def answers(self) -> list[Message]:
        return [decode_payload(frame[2:], self.line.endpoint.dialect) for frame in self.line.sent]

    def rows(self, table: type[Any]) -> list[Any]:
        return self.store.reader().select(table)


@pytest.fixture
def bench() -> Iterator[Bench]:
    store = open_store("sqlite://", seed=1)
    yield Bench(store)
    store.close()


def test_a_sale_is_answered_and_logged_with_its_answer(bench: Bench) -> None:
    bench.send()
    (answer,) = bench.answers()
    assert (answer.mti, answer[39], answer[11]) == ("0210", "00", "000123")
    received, said = bench.rows(MessageRow)
    assert (received.direction, said.direction, said.reply_to, said.fate) == ("in", "out", received.id, "sent")
    assert said.txn_id == received.txn_id == bench.rows(Txn)[0].id


def test_no_row_of_the_books_or_the_log_holds_the_card_number(bench: Bench) -> None:
    bench.send()
    books = [repr(row) + json.dumps(str(row)) for table in (MessageRow, Txn, Posting) for row in bench.rows(table)]
    assert books
    assert not [text for text in books if PAN in text]


def test_the_tpdu_addresses_are_swapped(bench: Bench) -> None:
    bench.send()
    assert bench.answers()[0].tpdu == "6000000003"


def test_an_answer_encoded_for_a_commit_that_failed_never_leaves(bench: Bench) -> None:
    """The approval was encoded before the commit; what leaves must be the 96 of the failure."""
    real = bench.store.commit
    captured: list[bool] = []

    def commit(puts: Any) -> None:
        rows: list[Row] = list(puts)
        if any(isinstance(row, Posting) and row.book == "acquirer" for row in rows):
            captured.append(True)
            raise StoreUnavailable("the disk is full")
        real(rows)

    bench.store.commit = commit  # type: ignore[method-assign]
    bench.send()
    assert captured
    assert [a[39] for a in bench.answers()] in ([], ["96"])
    assert not [p for p in bench.rows(Posting) if p.book == "acquirer"]


def test_only_what_the_outcome_says_is_ever_spoken(bench: Bench) -> None:
    """The last word counts: other than encoded = encoded anew; None (nobody knows what is on disk) = silence."""
    said: list[tuple[str, str]] = []
    for last_word in (Outcome("96", at="0302090000", rrn="000000000001"), None):
        bench.line.sent.clear()
        heard: list[Any] = []
        bench.runner.submit = lambda event, done, to=heard: to.append((event, done))  # type: ignore[method-assign, assignment, misc]
        bench.service.received(bench.line, SALE)  # type: ignore[arg-type]
        ((event, done),) = heard
        exchange = bench.service._under_way[event.token]
        approval = Outcome("00", at="0302090000", rrn="000000000001", amount=10_000)
        bench.service._answer(exchange, Decision(), approval)
        done(event, Decision(), last_word)
        said.append((last_word.code if last_word else "-", ",".join(bench.line.codes())))
    assert said == [("96", "96"), ("-", "")]
    assert bench.service.under_way == 0


def test_a_first_commit_that_fails_is_answered_96_and_books_nothing(bench: Bench) -> None:
    def refuse(puts: Any) -> None:
        raise StoreUnavailable("the disk is full")

    bench.store.commit = refuse  # type: ignore[method-assign]
    bench.send()
    assert [a[39] for a in bench.answers()] == ["96"]
    assert not bench.rows(Txn)


def test_a_copy_of_a_request_that_was_told_96_gets_96_and_is_never_booked(bench: Bench) -> None:
    """The terminal took the 96 as final and dropped its reversal; the copy arrives when the disk has room again."""
    real = bench.store.commit

    def refuse(puts: Any) -> None:
        raise StoreUnavailable("the disk is full")

    bench.store.commit = refuse  # type: ignore[method-assign]
    bench.send()
    bench.store.commit = real  # type: ignore[method-assign]
    bench.send()
    assert [a[39] for a in bench.answers()] == ["96", "96"]
    assert not bench.rows(Txn)
    assert "final for its key" in bench.rows(MessageRow)[0].notes
    bench.send(SALE.replace(bytes.fromhex("000123"), bytes.fromhex("000124")))
    assert bench.answers()[-1][39] == "00", "the next STAN is an ordinary sale"


def fault(bench: Bench, **rule: Any) -> None:
    bench.faults.add(rule)


def test_drop_reply_after_the_commit_keeps_the_books_and_says_nothing(bench: Bench) -> None:
    fault(bench, action="drop-reply")
    bench.send()
    assert not bench.line.sent
    assert [t.state.value for t in bench.rows(Txn)] == ["captured"]
    said = bench.rows(MessageRow)[-1]
    assert said.fate == "dropped"
    assert "fault 1: drop-reply (drop at wire/H>T), after the commit" in said.notes


@pytest.mark.parametrize("action", ["drop-request", "drop-reply", "reset"])
def test_a_fault_before_the_commit_leaves_no_books(bench: Bench, action: str) -> None:
    fault(bench, action=action, phase="before-commit")
    bench.send()
    assert not bench.line.sent
    assert not bench.rows(Txn)
    assert "before the commit" in bench.rows(MessageRow)[-1].notes
    assert bench.line.ended == ("reset" if action == "reset" else "")


def test_half_a_reply_is_half_the_bytes_then_a_reset(bench: Bench) -> None:
    bench.send()
    whole = bench.line.sent.pop()
    fault(bench, action="half-reply")
    bench.send()
    assert bench.line.sent == [whole[: len(whole) // 2]]
    for _, call, args in bench.loop.later:
        call(*args)
    assert bench.line.ended == "reset"


def test_a_delayed_reply_leaves_when_its_time_has_come(bench: Bench) -> None:
    fault(bench, action="delay", delay_s=31)
    bench.send()
    assert not bench.line.sent
    ((delay, call, args),) = bench.loop.later
    assert delay == 31
    call(*args)
    assert [a[39] for a in bench.answers()] == ["00"]


def test_a_lying_answer_says_otherwise_than_the_books(bench: Bench) -> None:
    fault(bench, action="answer", rc="05")
    bench.send()
    (answer,) = bench.answers()
    assert (answer[39], answer.get(38)) == ("05", None)
    assert [t.response_code for t in bench.rows(Txn)] == ["00"]


def test_letters_in_a_numeric_field_are_answered_30_with_a_note(bench: Bench) -> None:
    broken = bytearray(SALE)
    broken[5 + 2 + 8 + 3] = 0xAA  # first byte of DE 4
    bench.send(bytes(broken))
    assert [a[39] for a in bench.answers()] == ["30"]
    assert "DE 4" in bench.rows(MessageRow)[0].notes
    bench.send()
    assert bench.answers()[-1][39] == "00"


@pytest.mark.parametrize("payload", [b"GET / HTTP/1.1\r\n", b"\x60\x00\x03", SALE[:5] + b"\x0a\xbc" + SALE[7:]])
def test_what_cannot_be_paired_is_logged_and_its_line_closed(bench: Bench, payload: bytes) -> None:
    bench.send(payload)
    assert not bench.line.sent
    assert bench.line.ended == "closed"
    (row,) = bench.rows(MessageRow)
    assert json.loads(row.notes)[0]["message"]


def test_a_broken_stream_is_logged_with_the_reason(bench: Bench) -> None:
    bench.service.broken(bench.line, FrameError("a frame of 65535 bytes is larger than 8192"), b"\xff\xff")  # type: ignore[arg-type]
    bench.runner.run_until_quiet()
    (row,) = bench.rows(MessageRow)
    assert "larger than 8192" in row.notes


def test_a_scanner_fills_the_message_log_but_not_the_program_log(bench: Bench) -> None:
    other = FakeLine("iso87://127.0.0.1:2")
    with structlog.testing.capture_logs() as lines:
        for _ in range(50):
            bench.service.broken(bench.line, FrameError("no frame"), b"GET / HTTP/1.0")  # type: ignore[arg-type]
        bench.service.broken(other, FrameError("no frame"), b"GET / HTTP/1.0")  # type: ignore[arg-type]
    bench.runner.run_until_quiet()
    assert [(line["event"], line["times"]) for line in lines] == [("unreadable bytes", 1)] * 2
    assert len(bench.rows(MessageRow)) == 51


def test_a_full_queue_is_answered_96_and_books_nothing(bench: Bench) -> None:
    bench.runner.stop()
    bench.service.received(bench.line, SALE)  # type: ignore[arg-type]
    assert bench.service.under_way == 0
    assert bench.line.codes() == ["96"]
    assert bench.rows(Txn) == []
    assert bench.line.requests_ended == 1


# security.md section 7, the row L = 37: the track in clear, and under the TDK.
TDK = bytes.fromhex("7CA110454A1A6E570131D9619DC1376E")
CLEAR_TRACK = "6223164991230014D30122010000012345678"
ENCRYPTED_TRACK = "6223164991230014D3010946782128EAC9FF8"


@pytest.mark.parametrize(("key", "expiry"), [(TDK, "3012"), (b"", ""), (bytes(range(16)), "")])
def test_an_encrypted_track_is_read_with_the_terminals_track_key(bench: Bench, key: bytes, expiry: str) -> None:
    line = FakeLine("cup://127.0.0.1:1")
    service = Service(bench.faults, bench.store.pan_hash_key, lambda _tid: key)
    fields = {3: "000000", 4: "000000010000", 11: "000002", 22: "022", 25: "00", 35: ENCRYPTED_TRACK}
    fields |= {41: "12345678", 42: "123456789012345", 49: "156", 53: "0610000000000000", 60: "22000001000500"}
    message = Message("0200", fields, tpdu="6000030000", header="603100310000")
    exchange = service._exchange(line, message, b"", [])  # type: ignore[arg-type]
    service._clear_tracks(exchange)
    operation = ask_of(exchange)
    if expiry:
        assert isinstance(operation, Operation)
        assert operation.card is not None
        assert (operation.card.track2 == CLEAR_TRACK, operation.card.expiry) == (True, expiry)
        assert exchange.message[35] == ENCRYPTED_TRACK, "what is logged and echoed stays as it came"
    else:
        assert len(exchange.notes) == 1
        assert CLEAR_TRACK not in str(exchange.notes)
