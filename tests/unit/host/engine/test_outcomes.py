"""Answers: what a stored transaction says, always the same; RRN and authorisation code from id and seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from host.engine import outcomes
from host.rows import TxnState
from specs.codes import Refusal
from specs.operation import Kind, Operation
from specs.profile import KeyScheme
from tests.support.books import CUP, NAC, a_context, a_txn

CTX = a_context(now=datetime(2026, 3, 2, 22, 0, 5, tzinfo=UTC))


def test_the_rrn_is_ydddd_and_the_id() -> None:
    # 2 March 2026: last digit of the year 6, day 31 + 28 + 2 = 61 of the year
    assert outcomes.rrn_of(CTX, 42) == "606100000042"
    assert outcomes.service_rrn(CTX, "000123") == "606199000123"


def test_the_authorisation_code_follows_from_seed_and_id_alone() -> None:
    one = outcomes.auth_code_of(CTX, 42)
    assert len(one) == 6
    assert one.isdigit()
    assert outcomes.auth_code_of(a_context(now=datetime(2027, 1, 1, tzinfo=UTC)), 42) == one
    assert outcomes.auth_code_of(CTX, 43) != one
    other_seed = a_context()
    other_seed.ids.seed = 1
    assert outcomes.auth_code_of(other_seed, 42) != one


def test_a_replay_says_what_is_stored_and_nothing_of_today() -> None:
    txn = a_txn(42, 10_000, approved_amount=7_000, response_code="10", balance=0, answered_at="0228235959")
    txn = replace(txn, business_date="2026-02-28")
    later = a_context(now=datetime(2026, 3, 9, tzinfo=UTC), day=date(2026, 3, 9))
    said = outcomes.of_txn(later, txn, KeyScheme.WIRE_BATCH)
    assert (said.code, said.at, said.business_date) == ("10", "0228235959", "2026-02-28")
    assert (said.rrn, said.auth_code, said.amount, said.balance) == ("000000000042", "123456", 7_000, 0)
    assert (said.organisation, said.currency, said.refusal) == ("CUP", "156", None)


def test_a_closed_number_asks_a_cup_terminal_to_sign_on_again() -> None:
    operation = Operation(Kind.SALE, "T", stan="000001")
    assert outcomes.of_refusal(CTX, CUP, operation, Refusal.CLOSED_BATCH).request == "3"
    assert outcomes.of_refusal(CTX, CUP, operation, Refusal.DUPLICATE).request == "0"
    assert outcomes.of_refusal(CTX, NAC, operation, Refusal.CLOSED_BATCH).request == "0"
    stored = a_txn(1, 100, state=TxnState.DECLINED, response_code="22", refusal="closed-batch", auth_code="")
    assert outcomes.of_txn(CTX, stored, KeyScheme.WIRE_BATCH).request == "3"
    assert outcomes.of_txn(CTX, stored, KeyScheme.WIRE_BATCH).refusal is Refusal.CLOSED_BATCH


def test_a_void_of_nothing_is_25_or_as_the_profile_says() -> None:
    other = replace(NAC, not_found="78")
    for kind, expected in ((Kind.VOID, "78"), (Kind.COMPLETION_VOID, "78"), (Kind.REFUND, "25"), (Kind.REVERSAL, "25")):
        assert outcomes.code_of(other, Refusal.ORIGINAL_NOT_FOUND, kind) == expected
        assert outcomes.code_of(NAC, Refusal.ORIGINAL_NOT_FOUND, kind) == "25"
    assert outcomes.code_of(other, Refusal.AMOUNT_DIFFERS, Kind.VOID) == "64"


def test_what_was_approved_is_answered_so_again_whatever_became_of_it() -> None:
    for state in (TxnState.AUTHORISED, TxnState.CAPTURED, TxnState.VOIDED, TxnState.EXPIRED):
        txn = a_txn(1, 10_000, Kind.PRE_AUTH, state=state, approved_amount=7_000, chip_answer="910AFF")
        said = outcomes.of_txn(CTX, txn, KeyScheme.WIRE_BATCH)
        assert (said.amount, said.chip) == (7_000, bytes.fromhex("910AFF"))
    declined = a_txn(1, 10_000, state=TxnState.DECLINED, response_code="51")
    assert outcomes.of_txn(CTX, declined, KeyScheme.WIRE_BATCH).amount is None
