"""A1-A14, E1-E8: a right day passes all of them, and each lie about it is caught by the invariant that speaks of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from host.checker.books import HostBooks
from host.checker.closing import digest_of
from host.checker.invariants import INVARIANTS, LIVENESS, WAITING
from host.checker.report import check, render
from host.rows import (
    Adjustment,
    Batch,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    JournalUpload,
    Leg,
    MessageRow,
    StagedItem,
    Txn,
    TxnState,
)
from specs.journal import TerminalEvent, dump
from tests.support.checker_books import ALL_KINDS, DROPPED, Day, all_kinds, cup_totals, healthy, nac_totals

Lie = Callable[[Day], object]


def txn(day: Day, stan: str) -> Txn:
    return next(t for t in day.all(Txn) if t.stan == stan)


def batch(day: Day, number: str) -> Batch:
    return next(b for b in day.all(Batch) if b.number == number)


def event(day: Day, name: str, stan: str) -> int:
    """Where the first such event stands."""
    return next(i for i, e in enumerate(day.events) if (e.event, e.stan) == (name, stan))


def broken(day: Day) -> set[str]:
    return {finding.invariant for finding in check(day.books, day.terminals)}


# ---- the right day


def test_a_right_day_has_no_findings() -> None:
    day = healthy()
    assert render(check(day.books, day.terminals)) == "no findings\n"


def test_a_right_nac_day_has_no_findings() -> None:
    """NAC nets a voided sale out: 1 sale of 70.00 is claimed of 70.00 and 50.00 voided (rules.md, section 5)."""
    day = Day(dialect="nac")
    day.sale("000001", 70_00)
    day.void("000003", day.sale("000002", 50_00))
    day.close(nac_totals((1, 70_00)))
    day.sale("000004", 1_00)
    assert render(check(day.books, day.terminals)) == "no findings\n"


@pytest.mark.parametrize("dialect", ALL_KINDS)
def test_a_right_day_of_every_kind_has_no_findings(dialect: str) -> None:
    """Tip, void, completion, offline sale, refund, live pre-authorisation, reversal: counted the dialect's way."""
    day = all_kinds(dialect)
    assert render(check(day.books, day.terminals)) == "no findings\n"


def test_a_right_day_of_terminal_capture_has_no_findings() -> None:
    """TC: nothing is posted or debited before the close, which captures; what is open is held."""
    day = Day()
    sales = [day.held_sale("000001", 100_00), day.held_sale("000002", 30_00)]
    assert render(check(day.books, day.terminals)) == "no findings\n"
    number = day.batch.id
    at = "2026-03-02T10:00:00.000+08:00"
    for sale in sales:
        day.captured(sale, at=at)
    day.close(cup_totals((2, 130_00)))
    day.change(batch(day, "000001"), closed_at=at)
    assert number == 1
    day.held_sale("000003", 5_00)
    assert render(check(day.books, day.terminals)) == "no findings\n"


def test_an_empty_store_has_no_findings() -> None:
    assert check(HostBooks(), {}) == []


def test_a_leg_in_flight_is_no_finding_although_the_two_books_differ_then() -> None:
    day = healthy()
    sale = day.reverse(day.sale("000020", 9_00))
    issuer = day.postings(sale, "undo", "issuer")
    day.drop(*issuer)
    leg = next(g for g in day.all(Leg) if g.txn_id == sale.id)
    day.change(leg, state="undoing")
    found = check(day.books, day.terminals)
    assert not [f for f in found if f.subject.startswith("txn")], "the acquirer has undone it, the issuer not yet"


def test_a_void_reversed_after_the_close_is_made_good_by_its_adjustment() -> None:
    """RH4: sale and void were settled as zero together; the sale lives again, so +50.00 lands in the open batch."""
    day = healthy()
    sale, void = txn(day, "000002"), txn(day, "000003")
    day.change(sale, state=TxnState.CAPTURED, undone_by="", settlement="settled")
    day.change(void, state=TxnState.REVERSED, undone_by="reversal")
    day.new(Adjustment, txn_id=void.id, batch_id=day.batch.id, amount=50_00, reason="reversal", at=day.now())
    day.post(void, "adjustment", 50_00, -50_00, batch_id=day.batch.id)
    day.leg(void, "debit-again", 50_00)
    day.message(void, "reversal", "00", 50_00)
    assert not check(day.books, {})


# ---- lies, each caught by exactly one


def a1_no_batch(day: Day) -> None:
    sale = txn(day, "000011")
    day.change(sale, batch_id=99)
    day.change(day.batch, running="{}")
    for posting in day.postings(sale, "capture", "acquirer"):
        day.change(posting, batch_id=99)


def a1_open_in_a_closed_batch(day: Day) -> None:
    day.change(txn(day, "000001"), settlement="open")


def a1_settled_in_an_open_batch(day: Day) -> None:
    day.change(txn(day, "000011"), settlement="settled")


def a1_twice_in_a_batch(day: Day) -> None:
    day.sale("000011", 5_00)
    for row in day.all(Txn)[-1:]:
        assert row.stan == "000011"


def a1_in_another_terminals_batch(day: Day) -> None:
    day.change(day.batch, tid="T0000002")


def a2_weighs_in_a_closed_batch(day: Day) -> None:
    day.drop(*day.postings(txn(day, "000004"), "undo"))


def a2_late_reversal_without_adjustment(day: Day) -> None:
    day.drop(*day.all(Adjustment), *day.postings(txn(day, "000008"), "adjustment"))


def a2_adjusted_by_another_amount(day: Day) -> None:
    (row,) = day.all(Adjustment)
    day.change(row, amount=-39_00)


def a2_adjusted_twice(day: Day) -> None:
    (row,) = day.all(Adjustment)
    day.put(replace(row, id=2))
    day.post(txn(day, "000008"), "adjustment", -40_00, 40_00, batch_id=row.batch_id)


def a2_adjusted_in_an_earlier_batch(day: Day) -> None:
    (row,) = day.all(Adjustment)
    day.change(row, batch_id=batch(day, "000001").id)


def a2_adjusted_though_it_stands(day: Day) -> None:
    sale = txn(day, "000001")
    day.new(Adjustment, txn_id=sale.id, batch_id=day.batch.id, amount=-100_00, reason="reversal", at=day.now())
    day.post(sale, "adjustment", -100_00, 100_00, batch_id=day.batch.id)


def a3_answered_otherwise(day: Day) -> None:
    sale = txn(day, "000011")
    day.message(replace(sale, rrn="606199999999"), "sale", "00", 5_00)


def a3_approved_after_its_reversal(day: Day) -> None:
    day.message(txn(day, "000004"), "sale", "00", 80_00, digest="sale-4-again")


def a3_captured_twice(day: Day) -> None:
    sale = txn(day, "000011")
    day.post(sale, "capture", 5_00, -5_00)


def a3_never_captured(day: Day) -> None:
    day.drop(*day.postings(txn(day, "000011"), "capture"))


def a3_booked_twice(day: Day) -> None:
    """Case 9: the second delivery of the same bytes led to a sale under another key."""
    request, _ = day.message(day.sale("000012", 5_00), "sale", "00", 5_00)
    first = next(m for m in day.all(MessageRow) if (m.stan, m.direction) == ("000011", "in"))
    for message in day.all(MessageRow):
        if message.direction == "in" and message.txn_id == request.txn_id:
            day.change(message, digest=first.digest)


def a4_tombstone_posted(day: Day) -> None:
    tomb = txn(day, "000010")
    day.post(tomb, "capture", 60_00, -60_00)


def a4_captured_under_a_tombstone(day: Day) -> None:
    day.events = [e for e in day.events if e.stan != "000010"]
    day.sale("000010", 60_00)


def a5_cleared_by_a_code_that_acks_nothing(day: Day) -> None:
    at = event(day, "rev-cleared", "000004")
    day.events[at] = replace(day.events[at], code="96")


def a5_never_cleared(day: Day) -> None:
    del day.events[event(day, "rev-cleared", "000004")]


def a5_gone_at_the_end(day: Day) -> None:
    day.events.append(TerminalEvent(day.tid, "rev-stored", "000003", "000030"))


def a5_not_sent_but_captured(day: Day) -> None:
    at = event(day, "rev-cleared", "000011")
    day.events[at] = replace(day.events[at], code="", detail="not-sent")


def a5_cleared_before_the_row_was_written(day: Day) -> None:
    """Case 14: the 00 was read, the record was deleted, the power failed before the row."""
    day.sale("000020", 9_00)
    day.journal.pop()
    del day.events[event(day, "slip", "000020")]


def a6_approved_without_a_row(day: Day) -> None:
    day.events.append(TerminalEvent(day.tid, "slip", "000003", "000040", "00", "approved"))


def a6_declined_without_a_code(day: Day) -> None:
    day.events.append(TerminalEvent(day.tid, "shown", "000003", "000040", "", "declined"))


def a6_declined_with_a_code_of_its_own(day: Day) -> None:
    at = event(day, "shown", "000005")
    cleared = event(day, "rev-cleared", "000005")
    day.events[at] = replace(day.events[at], code="05")
    day.events[cleared] = replace(day.events[cleared], code="05")


def a6_declined_what_the_host_captured(day: Day) -> None:
    sale = txn(day, "000011")
    day.message(sale, "balance", "51", 5_00, digest="another")
    day.events.append(TerminalEvent(day.tid, "shown", "000003", "000011", "51", "declined"))


def a7_number_and_generation_twice(day: Day) -> None:
    day.change(batch(day, "000002"), number="000001")


def a7_item_changed_after_the_close(day: Day) -> None:
    day.change(txn(day, "000001"), wire_batch="000009")


def a7_item_added_after_the_close(day: Day) -> None:
    first = batch(day, "000001")
    late = replace(txn(day, "000005"), id=77, stan="000077", state=TxnState.REVERSED, approved_amount=0)
    day.put(late)
    assert late.batch_id == first.id


def a8_running_counts_one_too_many(day: Day) -> None:
    day.change(day.batch, running='{"sale": [2, 500]}')


def a8_running_forgets_a_kind(day: Day) -> None:
    day.change(batch(day, "000001"), running='{"sale": [3, 18000]}')


def a8_running_unreadable(day: Day) -> None:
    day.change(day.batch, running="nothing")


def a8_the_terminal_claimed_what_it_has_not(day: Day) -> None:
    claimed = cup_totals(debit=(2, 150_01), credit=(1, 50_00), foreign=(1, 30_00))
    day.archived[0] = replace(day.archived[0], totals=claimed)


def a9_unknown_item_without_an_exception(day: Day) -> None:
    day.drop(*[e for e in day.all(ExceptionItem) if e.reason == "terminal-only"])


def a9_item_staged_twice(day: Day) -> None:
    first = day.all(StagedItem)[0]
    day.put(replace(first, id=50))


def a9_known_item_of_nothing(day: Day) -> None:
    day.change(day.all(StagedItem)[0], txn_id=4711)


def a9_posted_by_the_upload(day: Day) -> None:
    sale = txn(day, "000007")
    for posting in day.postings(sale, "capture"):
        day.change(posting, at="2026-03-02T23:00:00.000+08:00")


def a9_posted_with_the_upload(day: Day) -> None:
    (item, *_) = (s for s in day.all(StagedItem) if s.txn_id == txn(day, "000007").id)
    for posting in day.postings(txn(day, "000007"), "capture"):
        day.change(posting, at=item.at)


def a10_an_entry_of_one_line(day: Day) -> None:
    lines = day.postings(txn(day, "000011"), "capture", "issuer")
    day.drop(next(p for p in lines if p.account.startswith("cardholder")))


def a10_the_issuer_never_credited(day: Day) -> None:
    day.drop(*day.postings(txn(day, "000004"), "undo", "issuer"))


def a10_the_card_owes_too_much(day: Day) -> None:
    (account,) = day.all(IssuerAccount)
    day.change(account, debited=account.debited + 1)


def a10_posted_for_nobody(day: Day) -> None:
    first = txn(day, "000011")
    lines = day.post(replace(first, id=4711), "void", 1, -1)
    assert len(lines) == 4


# ---- of every kind


def a1_authorised_in_a_closed_batch(day: Day) -> None:
    """TC: a close captures or lets go."""
    sale = day.held_sale("000020", 9_00)
    first = batch(day, "000001")
    day.change(sale, batch_id=first.id)


def a2_a_tip_weighs_nothing(day: Day) -> None:
    day.drop(*day.postings(txn(day, "000002"), "adjust"))


def a8_an_adjusted_sale_is_counted(day: Day) -> None:
    running = json.loads(batch(day, "000001").running)
    day.change(batch(day, "000001"), running=json.dumps(running | {"sale": [2, 150_00]}))


def a8_told_with_the_adjusted_sale(day: Day) -> None:
    told = cup_totals(debit=(5, 530_00), credit=(2, 70_00))
    day.change(batch(day, "000001"), answered=json.dumps(told.to_json()), claimed="")
    day.archived.clear()


def a10_the_card_holds_too_much(day: Day) -> None:
    (account,) = day.all(IssuerAccount)
    day.change(account, held=account.held + 1)


def a10_the_hold_outlived_its_completion_at_the_issuer(day: Day) -> None:
    """The completion's leg never dropped it: 60.00 are held by the rows, 260.00 by the issuer."""
    leg = next(g for g in day.all(IssuerLeg) if g.released)
    day.change(leg, released=0)
    (account,) = day.all(IssuerAccount)
    day.change(account, held=account.held + 200_00)


def a10_held_less_than_nothing(day: Day) -> None:
    leg = next(g for g in day.all(IssuerLeg) if g.released)
    day.change(leg, released=leg.released + 70_00)
    (account,) = day.all(IssuerAccount)
    day.change(account, held=account.held - 70_00)


def a11_refunded_after_it_was_voided(day: Day) -> None:
    day.change(txn(day, "000013"), original_id=txn(day, "000003").id)


def a11_completed_above_the_limit(day: Day) -> None:
    """230.00 of 199.99 are more than 115 %."""
    day.change(txn(day, "000005"), approved_amount=199_99)


def a11_held_after_its_completion(day: Day) -> None:
    day.change(txn(day, "000005"), held=1)
    day.change(txn(day, "000009"), held=59_99)


def a11_a_reservation_that_is_settled(day: Day) -> None:
    day.change(txn(day, "000009"), settlement="settled")


def a11_held_by_nobody_s_leave(day: Day) -> None:
    """The increment of 5.00 was reversed, and the pre-authorisation holds it still."""
    preauth = day.newest(txn(day, "000009"))
    increment = day.preauth("000021", 5_00)
    day.change(increment, kind="pre-auth-increment", original_id=preauth.id, state=TxnState.REVERSED, held=0)
    day.change(preauth, held=65_00)


def a12_sold_while_frozen(day: Day) -> None:
    at = event(day, "frozen", "")
    sold = [TerminalEvent(day.tid, name, "000001", "000030", code) for name, code in _SOLD]
    day.events[at + 1 : at + 1] = sold


_SOLD = (("rev-stored", ""), ("rev-cleared", "00"))


def a12_stored_while_frozen(day: Day) -> None:
    day.events[event(day, "archived", "") : event(day, "archived", "")] = [
        TerminalEvent(day.tid, "slip", "000001", "000007", detail="approved")
    ]


def a12_sold_under_a_closed_number(day: Day) -> None:
    """Case 29: the terminal forgot that it had settled; a host that keeps its own batches books it in the next one."""
    day.change(day.sale("000014", 9_00), wire_batch="000001")
    day.events = [e for e in day.events if e.stan != "000014"]
    day.journal[-1] = replace(day.journal[-1], batch="000001")


def a13_the_row_was_written_twice(day: Day) -> None:
    """Case 84, in the open batch."""
    day.journal.append(day.journal[-1])


def a13_one_number_for_two_sales(day: Day) -> None:
    day.events += [TerminalEvent(day.tid, name, "000002", "000012", code) for name, code in _SOLD]


def a13_another_answer_under_another_mac(day: Day) -> None:
    sale = txn(day, "000012")
    day.message(replace(sale, auth_code="000000"), "sale", "00", 7_00, digest="the same with a new MAC")


def a13_approved_and_then_refused(day: Day) -> None:
    """12 without any reversal, to the same request under another MAC."""
    day.message(txn(day, "000012"), "sale", "12", 7_00, digest="the same with a new MAC")


def _answer(day: Day, stan: str) -> MessageRow:
    return next(m for m in day.all(MessageRow) if (m.stan, m.direction) == (stan, "out"))


def a14_answered_on_another_line(day: Day) -> None:
    day.change(_answer(day, "000012"), peer="192.0.2.7:99")


def a14_answered_with_another_mti(day: Day) -> None:
    day.change(_answer(day, "000012"), mti="0230")


def a14_answered_nobody(day: Day) -> None:
    request = next(m for m in day.all(MessageRow) if m.id == _answer(day, "000012").reply_to)
    answer = _answer(day, "000012")
    day.drop(answer)
    extra = day.put(replace(answer, id=900))
    assert extra.reply_to == request.id
    day.put(replace(answer, id=901, reply_to=4711))


def a14_another_answer_was_taken(day: Day) -> None:
    """Case 5: the late answer of 000011 was taken for that of 000012."""
    day.change(txn(day, "000012"), rrn="")
    for message in day.all(MessageRow):
        if message.stan == "000012":
            day.change(message, rrn="")
    late = txn(day, "000011").rrn
    day.journal = [replace(row, rrn=late) if row.stan == "000012" else row for row in day.journal]


def e1_a_reason_that_is_none(day: Day) -> None:
    day.new(ExceptionItem, batch_id=1, tid=day.tid, txn_id=7, item_key="000001/000007", reason="because", at=day.now())


def e1_equal_and_listed_all_the_same(day: Day) -> None:
    where = {"batch_id": 1, "tid": day.tid, "at": day.now()}
    day.new(ExceptionItem, **where, txn_id=7, item_key="000001/000007", reason="host-only", amount=40_00)


def e1_equal_sums_of_other_items(day: Day) -> None:
    """Case 34: the terminal has another sale of 40.00 than the host, and both totals agree."""
    day.journal = [replace(row, stan="000027", rrn="") if row.stan == "000007" else row for row in day.journal]
    day.events = [replace(e, stan="000027") if e.stan == "000007" else e for e in day.events]


def e1_closed_over_totals_that_differ(day: Day) -> None:
    first = batch(day, "000001")
    claimed = cup_totals(debit=(3, 390_00), credit=(2, 70_00))
    day.change(first, claimed=json.dumps(claimed.to_json()))


def e2_settled_with_another_batch(day: Day) -> None:
    for posting in day.postings(txn(day, "000007"), "capture", "acquirer"):
        day.change(posting, batch_id=2)


def e5_charged_and_kept_back_without_a_reason(day: Day) -> None:
    day.change(txn(day, "000007"), settlement="exception")


def e6_debited_for_another(day: Day) -> None:
    """The card's sum is right, the sales it is for are not."""
    one, other = (next(g for g in day.all(IssuerLeg) if g.txn_id == txn(day, s).id) for s in ("000011", "000012"))
    day.change(one, txn_id=other.txn_id)
    day.change(other, txn_id=one.txn_id)


def e6_held_beyond_its_days(day: Day) -> None:
    day.change(txn(day, "000009"), created_at="2026-01-28T09:00:00.000+08:00")


def e6_debited_for_what_the_host_has_not(day: Day) -> None:
    """Case 17 without an in-flight log."""
    leg = next(g for g in day.all(IssuerLeg) if g.txn_id == txn(day, "000012").id)
    day.put(replace(leg, id=77, txn_id=4711))
    (account,) = day.all(IssuerAccount)
    day.change(account, debited=account.debited + leg.approved_amount)


def e8_told_another_approval_code(day: Day) -> None:
    day.change(_answer(day, "000007"), auth_code="222222")
    sale = day.change(txn(day, "000012"), auth_code="111111")
    day.journal = [replace(row, auth_code="111111") if row.stan == sale.stan else row for row in day.journal]


def e8_another_approval_code_on_paper(day: Day) -> None:
    day.journal = [replace(row, auth_code="111111") if row.stan == "000012" else row for row in day.journal]


def e8_the_slip_says_another_code(day: Day) -> None:
    at = event(day, "slip", "000012")
    day.events[at] = replace(day.events[at], code="10")


def e8_archived_while_the_host_has_it_open(day: Day) -> None:
    day.journal = [replace(row, settlement="settled") if row.stan == "000012" else row for row in day.journal]


KIND_LIES: list[tuple[str, Lie]] = [
    ("A1", a1_authorised_in_a_closed_batch),
    ("A2", a2_a_tip_weighs_nothing),
    ("A8", a8_an_adjusted_sale_is_counted),
    ("A8", a8_told_with_the_adjusted_sale),
    ("A10", a10_the_card_holds_too_much),
    ("A10", a10_the_hold_outlived_its_completion_at_the_issuer),
    ("A10", a10_held_less_than_nothing),
    ("A11", a11_refunded_after_it_was_voided),
    ("A11", a11_completed_above_the_limit),
    ("A11", a11_held_after_its_completion),
    ("A11", a11_a_reservation_that_is_settled),
    ("A11", a11_held_by_nobody_s_leave),
    ("A12", a12_sold_while_frozen),
    ("A12", a12_stored_while_frozen),
    ("A12", a12_sold_under_a_closed_number),
    ("A13", a13_the_row_was_written_twice),
    ("A13", a13_one_number_for_two_sales),
    ("A13", a13_another_answer_under_another_mac),
    ("A13", a13_approved_and_then_refused),
    ("A14", a14_answered_on_another_line),
    ("A14", a14_answered_with_another_mti),
    ("A14", a14_answered_nobody),
    ("A14", a14_another_answer_was_taken),
    ("E1", e1_a_reason_that_is_none),
    ("E1", e1_equal_and_listed_all_the_same),
    ("E1", e1_equal_sums_of_other_items),
    ("E1", e1_closed_over_totals_that_differ),
    ("E2", e2_settled_with_another_batch),
    ("E5", e5_charged_and_kept_back_without_a_reason),
    ("E6", e6_debited_for_another),
    ("E6", e6_held_beyond_its_days),
    ("E6", e6_debited_for_what_the_host_has_not),
    ("E8", e8_told_another_approval_code),
    ("E8", e8_another_approval_code_on_paper),
    ("E8", e8_the_slip_says_another_code),
    ("E8", e8_archived_while_the_host_has_it_open),
]
"""About the day with every kind."""

LIES: list[tuple[str, Lie]] = [
    ("A1", a1_no_batch),
    ("A1", a1_open_in_a_closed_batch),
    ("A1", a1_settled_in_an_open_batch),
    ("A1", a1_twice_in_a_batch),
    ("A1", a1_in_another_terminals_batch),
    ("A2", a2_weighs_in_a_closed_batch),
    ("A2", a2_late_reversal_without_adjustment),
    ("A2", a2_adjusted_by_another_amount),
    ("A2", a2_adjusted_twice),
    ("A2", a2_adjusted_in_an_earlier_batch),
    ("A2", a2_adjusted_though_it_stands),
    ("A3", a3_answered_otherwise),
    ("A3", a3_approved_after_its_reversal),
    ("A3", a3_booked_twice),
    ("A3", a3_captured_twice),
    ("A3", a3_never_captured),
    ("A4", a4_tombstone_posted),
    ("A4", a4_captured_under_a_tombstone),
    ("A5", a5_cleared_by_a_code_that_acks_nothing),
    ("A5", a5_never_cleared),
    ("A5", a5_gone_at_the_end),
    ("A5", a5_not_sent_but_captured),
    ("A5", a5_cleared_before_the_row_was_written),
    ("A6", a6_approved_without_a_row),
    ("A6", a6_declined_without_a_code),
    ("A6", a6_declined_with_a_code_of_its_own),
    ("A6", a6_declined_what_the_host_captured),
    ("A7", a7_number_and_generation_twice),
    ("A7", a7_item_changed_after_the_close),
    ("A7", a7_item_added_after_the_close),
    ("A8", a8_running_counts_one_too_many),
    ("A8", a8_running_forgets_a_kind),
    ("A8", a8_running_unreadable),
    ("A8", a8_the_terminal_claimed_what_it_has_not),
    ("A9", a9_unknown_item_without_an_exception),
    ("A9", a9_item_staged_twice),
    ("A9", a9_known_item_of_nothing),
    ("A9", a9_posted_by_the_upload),
    ("A9", a9_posted_with_the_upload),
    ("A10", a10_an_entry_of_one_line),
    ("A10", a10_the_issuer_never_credited),
    ("A10", a10_the_card_owes_too_much),
    ("A10", a10_posted_for_nobody),
]
#: Lies that others must see as well: the ledger is not worth what the messages say either, nor what the batch settles;
#: a number that stands for two; an item that neither end can find at the other.
ALSO: dict[Lie, set[str]] = {
    a1_twice_in_a_batch: {"A13"},
    a2_weighs_in_a_closed_batch: {"AUDIT", "E2"},
    a2_adjusted_in_an_earlier_batch: {"E2"},
    a1_authorised_in_a_closed_batch: {"A7", "A8", "E2"},
    a2_a_tip_weighs_nothing: {"AUDIT", "E2"},
    a7_item_changed_after_the_close: {"E1", "E5"},
    e1_equal_sums_of_other_items: {"E5"},
    a2_late_reversal_without_adjustment: {"AUDIT"},
    a2_adjusted_twice: {"AUDIT"},
    a2_adjusted_though_it_stands: {"AUDIT"},
    a3_captured_twice: {"AUDIT"},
    a3_never_captured: {"AUDIT"},
    a4_tombstone_posted: {"AUDIT"},
}


@pytest.mark.parametrize(("invariant", "lie"), LIES, ids=[lie.__name__ for _, lie in LIES])
def test_a_lie_is_caught_by_exactly_its_invariant(invariant: str, lie: Lie) -> None:
    day = healthy()
    lie(day)
    assert broken(day) == {invariant} | ALSO.get(lie, set())


@pytest.mark.parametrize(("invariant", "lie"), KIND_LIES, ids=[lie.__name__ for _, lie in KIND_LIES])
def test_a_lie_about_any_kind_is_caught_by_exactly_its_invariant(invariant: str, lie: Lie) -> None:
    day = all_kinds()
    lie(day)
    assert broken(day) == {invariant} | ALSO.get(lie, set())


def test_every_invariant_is_in_the_table_and_has_a_lie_that_it_alone_sees() -> None:
    everything = {*(f"A{n}" for n in range(1, 15)), *(f"E{n}" for n in range(1, 9)), "L1", "L2"}
    assert [*INVARIANTS, *LIVENESS, *WAITING] == [*sorted(INVARIANTS, key=_by_number), "L1", "L2", "E3", "E4", "E7"]
    assert {*INVARIANTS, *LIVENESS, *WAITING} == everything, "those of failure-catalogue.md, section 3, and each once"
    assert {invariant for invariant, lie in [*LIES, *KIND_LIES] if lie not in ALSO} == set(INVARIANTS)


def _by_number(invariant: str) -> tuple[str, int]:
    return invariant[0], int(invariant[1:])


@pytest.mark.parametrize("invariant", WAITING)
def test_what_waits_for_money_that_is_paid_out_says_so(invariant: str) -> None:
    assert invariant not in INVARIANTS
    assert WAITING[invariant].endswith("yet")


# ---- what must not be mistaken for a lie


def test_a_repeat_that_is_answered_from_the_store_is_no_finding() -> None:
    day = healthy()
    day.message(txn(day, "000011"), "sale", "00", 5_00)
    assert not broken(day)


def test_an_original_that_comes_again_after_its_reversal_is_answered_12() -> None:
    day = healthy()
    day.message(txn(day, "000004"), "sale", "12", 80_00)
    assert not broken(day)


def test_a_sale_once_voided_is_answered_12_too_when_it_comes_after_its_reversal() -> None:
    """Its reversal is told 12 while the void stands and 00 once that is undone: neither is held against the other."""
    day = Day()
    sale = day.sale("000001", 50_00)
    void = day.void("000002", sale)
    day.message(sale, "reversal", "12", 50_00)
    day.change(void, state=TxnState.REVERSED, undone_by="reversal", settlement="none")
    day.reverse(day.change(sale, state=TxnState.CAPTURED, undone_by=""))
    day.message(sale, "sale", "12", 50_00)
    assert not [finding for finding in check(day.books, {}) if finding.invariant == "A3"]


def test_an_answer_that_a_fault_rule_wrote_is_not_held_against_the_host() -> None:
    day = healthy()
    sale = txn(day, "000011")
    lied = json.dumps([{"message": "fault 2: answer (answer at wire/H>T), after the commit"}])
    day.message(sale, "sale", "51", 5_00, notes=lied)
    day.events.append(TerminalEvent(day.tid, "shown", "000003", "000011", "51", "declined"))
    assert not broken(day)


def test_a_declined_answer_clears_the_reversal_though_its_code_acks_none() -> None:
    day = Day()
    day.declined("000001", 10_00, "51")
    assert not broken(day)


def test_a_reversal_under_a_stan_of_its_own_is_acknowledged_under_that() -> None:
    """Case 79: it found nothing, and 25 is an acknowledgement all the same."""
    day = healthy()
    sale = day.sale("000020", 9_00, fate="dropped", notes=DROPPED)
    day.pending = ""
    day.events.append(TerminalEvent(day.tid, "rev-cleared", "000003", "000020", "25"))
    assert broken(day) == {"A5"}
    day.message(replace(sale, id=0, stan="000021"), "reversal", "25", 9_00)
    assert not broken(day)


def test_two_units_under_one_tid_are_told_that_the_number_is_taken() -> None:
    """Case 47: 94 declines the second one, whose reversal goes with it, and the host holds the first one's sale."""
    day = healthy()
    cleared = [TerminalEvent(day.tid, name, "000003", "000020", "94", detail) for name, detail in _DECLINED]
    day.events += [TerminalEvent(day.tid, "rev-stored", "000003", "000020"), *cleared]
    other = Day()
    other.rows = day.rows
    other.batch = day.batch
    other.sale("000020", 9_00)
    day.message(txn(day, "000020"), "sale", "94", 8_00, digest="the other unit's")
    found = check(day.books, {"front": day.book, "back": other.book})
    assert "A5" not in {finding.invariant for finding in found}
    assert "A6" not in {finding.invariant for finding in found}


_DECLINED = (("rev-cleared", ""), ("shown", "declined"))


def test_nothing_is_said_of_batches_that_the_journal_has_forgotten() -> None:
    day = healthy()
    day.events.append(TerminalEvent(day.tid, "slip", "000777", "000001", "00", "approved"))
    assert not broken(day)


def test_a_stan_may_serve_again_in_the_next_batch() -> None:
    day = healthy()
    day.sale("000001", 7_00)
    assert not broken(day)


def test_the_same_stan_twice_in_a_batch_is_told_by_its_time_in_iso87_only() -> None:
    found = {}
    for dialect in ("iso87", "nac"):
        day = Day(dialect=dialect)
        for time in ("0302090000", "0302100000"):
            day.change(day.sale("000001", 5_00), local_time=time)
        found[dialect] = [f.invariant for f in check(day.books, {}) if f.invariant == "A1"]
    assert found == {"iso87": [], "nac": ["A1"]}


def test_a_nac_tombstone_stands_for_one_amount_and_one_day() -> None:
    day = Day(dialect="nac")
    tomb = day.tombstone("000001", 60_00)
    day.sale("000001", 61_00)
    assert "A4" not in broken(day), "another amount is another transaction"
    caught = day.change(day.all(Txn)[-1], amount=60_00)
    assert "A4" in broken(day)
    day.change(caught, created_at=tomb.created_at.replace("03-02", "03-04"))
    assert "A4" not in broken(day)


def test_the_digest_is_the_one_the_engine_keeps() -> None:
    """Two implementations of one definition, held against what sha256sum makes of the definition's own text."""
    text = '[[1,"sale","000001","000001",10000,"156",false,false,0]]'
    day = Day()
    day.sale("000001", 100_00)
    day.declined("000002", 1_00)
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert digest_of(day.all(Txn)) == expected == day.close(cup_totals(debit=(1, 100_00))).digest


# ---- what a finding says


def test_a_finding_names_both_figures_and_shows_the_rows() -> None:
    day = healthy()
    day.change(day.batch, running='{"sale": [2, 1000]}')
    (finding,) = check(day.books, day.terminals)
    assert str(finding) == "A8 batch 3 of T0000001: sale: running totals say 2 / 1000, its items are 1 / 500"
    assert "STAN 000011" in finding.evidence[0]


def test_the_rendering_bounds_the_evidence() -> None:
    day = Day()
    for n in range(1, 31):
        day.sale(f"{n:06d}", 1_00)
    day.change(day.batch, running="{}")
    text = render(check(day.books, {}))
    assert "… and 10 more" in text


def test_no_finding_of_a_broken_day_shows_a_clear_card_number() -> None:
    for _, lie in LIES:
        day = healthy()
        lie(day)
        assert "6223164991230014" not in render(check(day.books, day.terminals))


def test_rows_given_in_any_order_and_twice_are_the_same_books() -> None:
    day = healthy()
    rows = list(day.rows.values())
    old = replace(txn(day, "000001"), state=TxnState.PENDING)
    assert HostBooks.of([old, *reversed(rows)]) == day.books


def test_the_newest_journal_that_a_terminal_handed_over_counts() -> None:
    day = healthy()
    day.new(JournalUpload, tid=day.tid, at=day.now(), lines=dump(replace(day.book, stan="000001")))
    day.new(JournalUpload, tid=day.tid, at=day.now(), lines=dump(day.book))
    assert day.books.terminal_books() == day.terminals
