"""What an admitted original leaves: one row and one leg in flight, both before the issuer is asked."""

from __future__ import annotations

import json

from host.engine import admission
from host.rows import Leg, TxnState
from tests.support.engine import MID, TID, Desk, a_card, code, silent


def test_the_leg_in_flight_is_durable_before_it_is_asked() -> None:
    """RH7: a crash after the commit finds the leg; a crash before it finds nothing, and nothing has left."""
    desk = Desk(issuer=silent)
    assert code(desk.sale(1)) == "waits"
    txn, leg = desk.txn(1), desk.rows(Leg)[0]
    assert (txn.state, txn.settlement, txn.response_code, txn.answered_at) == (TxnState.PENDING, "none", "", "")
    assert (leg.txn_id, leg.number, leg.purpose, leg.amount, leg.state) == (txn.id, 1, "debit", 10_000, "asking")
    assert leg.deadline == "2026-03-02T09:00:20+00:00"  # 09:00:00 and 20 s
    assert desk.asked[0].leg == leg
    assert {txn, leg} <= set(desk.last.puts)
    assert (desk.last.waits_txn, desk.last.outcome) == (txn.id, None)


def test_the_row_holds_what_the_message_said() -> None:
    desk = Desk()
    desk.sale(7, amount=123, invoice="000045", local_date="0302", local_time="101112", card=a_card())
    txn = desk.txn(7)
    assert (txn.tid, txn.mid, txn.kind, txn.amount, txn.invoice, txn.wire_batch) == (
        TID,
        MID,
        "sale",
        123,
        "000045",
        "000001",
    )
    assert (txn.local_time, txn.entry, txn.processing_code, txn.currency) == ("0302101112", "swipe", "000000", "156")
    assert (txn.pan, txn.pan_hash, txn.organisation) == ("622316******0014", "hash-of-0014", "CUP")
    assert json.loads(txn.content) == {"amount": "123", "kind": "sale", "pan": "hash-of-0014", "processing": "00"}


def test_a_refusal_for_a_closed_number_is_of_no_batch() -> None:
    """A7: what comes after the close must not appear in the closed batch."""
    desk = Desk()
    desk.sale(1)
    desk.close_batch()
    assert code(desk.sale(2)) == "22"
    assert (desk.txn(2).state, desk.txn(2).batch_id) == (TxnState.DECLINED, 0)
    assert code(desk.sale(2)) == "22"


def test_the_note_for_re_flashed_terminals_is_the_rules_own() -> None:
    assert admission.RE_FLASHED_NOTE == "replayed; if this terminal was re-flashed, reset it"
