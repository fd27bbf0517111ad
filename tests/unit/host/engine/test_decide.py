"""decide: all or nothing of one event, and whose key signs the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine import batches
from host.engine.decide import decide
from host.engine.events import CloseBatch, MacEvidence, Record
from host.engine.needs import needs
from host.rows import TABLES, Alarm, Batch, BatchState, Terminal, TxnState
from specs.operation import Kind
from specs.security import mac_ecb
from tests.support.engine import CUP, NAC, TID, Desk, a_request, approve, code, keys, load, silent

SIGNING = replace(CUP, requires_sign_on=True, mac="cup-ecb")


def test_a_decision_that_fails_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows, the running totals and the leg are put before it fails; the next event must not see them."""
    desk = Desk(issuer=silent)
    desk.sale(1)
    event = approve(desk.asked[0])
    assert event is not None
    ws = load(desk.books, needs(event))
    before: dict[type, list[object]] = {table: ws.all(table) for table in TABLES}

    def broken(*_: object) -> None:
        raise OSError("no more paper")

    right = batches.change
    monkeypatch.setattr(batches, "change", broken)
    with pytest.raises(OSError, match="no more paper"):
        decide(ws, event, desk.context())
    monkeypatch.setattr(batches, "change", right)
    assert {table: ws.all(table) for table in TABLES} == before
    assert code(decide(ws, event, desk.context()).outcome) == "00"


def test_the_answer_is_signed_with_the_key_of_the_request() -> None:
    desk = Desk(SIGNING)
    assert code(desk.send(a_request(Kind.SIGN_ON, SIGNING, stan=1, key_layout=40))) == "00"
    mak = keys(8).hex().upper()
    mac = MacEvidence(b"covered", mac_ecb(keys(8), b"covered"), required=True)
    desk.send(a_request(Kind.SALE, SIGNING, stan=2, amount=100, mac=mac))
    assert (desk.last.sign_key, desk.last.mac) == (mak, "cup-ecb")  # of the issuer's answer
    desk.send(a_request(Kind.SALE, SIGNING, stan=2, amount=100, mac=mac))
    assert (desk.last.sign_key, desk.last.mac) == (mak, "cup-ecb")  # of the replay
    assert mak not in repr(desk.last)


def test_nac_signs_nothing() -> None:
    desk = Desk(NAC)
    desk.sale(1)
    assert (desk.last.sign_key, desk.last.mac) == ("", "")


def test_a_settlement_waits_for_what_is_at_the_issuer_and_leaves_nothing_behind() -> None:
    """FC 43: an item is in exactly one batch."""
    desk = Desk(issuer=silent)
    desk.sale(1)
    before = desk.rows(Terminal)
    assert desk.send(desk.request(Kind.SETTLE, stan=2)) is None
    assert (desk.last.waits_tid, desk.last.puts, desk.rows(Terminal)) == (True, (), before)


def test_a_back_office_close_is_a_forced_close_with_its_reason() -> None:
    desk = Desk()
    desk.sale(1)
    batch = desk.txn(1).batch_id
    desk.send(CloseBatch(batch, TID, "Li: shop closed"))
    row = desk.books.get(Batch, batch)
    assert row is not None
    assert (row.state, row.forced) == (BatchState.CLOSED_WITH_EXCEPTIONS, "Li: shop closed")
    assert (desk.txn(1).state, desk.txn(1).settlement) == (TxnState.CAPTURED, "settled")
    desk.send(CloseBatch(batch, TID, "again"))
    assert desk.books.get(Batch, batch) == row


def test_a_back_office_close_waits_for_what_is_at_the_issuer() -> None:
    desk = Desk(issuer=silent)
    desk.sale(1)
    desk.send(CloseBatch(desk.txn(1).batch_id, TID, "Li"))
    assert desk.last.waits_tid


def test_rows_that_need_no_decision_are_put_as_they_are() -> None:
    desk = Desk()
    row = Alarm(1, "now", TID, "note", "text", 0, 0)
    desk.send(Record(lambda _: (row,)))
    assert desk.last.puts == (row,)
