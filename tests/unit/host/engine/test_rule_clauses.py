"""Clauses of RH1 to RH9 that the tests of the engine's modules leave unsaid (docs/rules-and-tests.md)."""

from __future__ import annotations

from typing import Any

import pytest

from host.api.shapes import batch_whole
from host.engine import closing, originals
from host.rows import Adjustment, Batch, ExceptionItem, Leg, Posting, TxnState
from specs.operation import Kind, OriginalRef, Verdict
from specs.profile import Profile
from tests.support.books import a_batch, a_draft, a_txn
from tests.support.engine import CUP, ISO87, NAC, TID, Desk, a_card, code, refuse, silent

EACH = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
AT_NINE: dict[str, Any] = {"local_date": "0302", "local_time": "090000", "transmitted": "0302010000"}


# ---- RH1


@EACH
def test_rh1_a_reservation_and_a_sale_share_one_stan_space(profile: Profile) -> None:
    desk = Desk(profile)
    assert code(desk.send(desk.request(Kind.PRE_AUTH, stan=1, amount=5_000, **AT_NINE))) == "00"
    assert code(desk.sale(1, **AT_NINE)) == "94"
    assert (desk.payable(), desk.alarms()) == (0, ["stan-twice"])


@EACH
def test_rh1_a_sale_that_was_reversed_comes_again_and_gets_12(profile: Profile) -> None:
    """It was approved once: a replay of that 00 would hand out goods for money that has gone back."""
    desk = Desk(profile)
    assert code(desk.sale(1)) == "00"
    assert code(desk.reverse(1)) == "00"
    assert code(desk.sale(1)) == "12"
    assert (desk.payable(), len(desk.asked)) == (0, 2)


@BOTH
def test_rh1_an_advice_comes_again_and_gets_its_stored_answer(profile: Profile) -> None:
    desk = Desk(profile)
    advice = desk.request(Kind.OFFLINE_SALE, stan=1, amount=700)
    first = desk.send(advice)
    desk.later(minutes=5)
    assert desk.send(advice) == first
    assert (code(first), desk.payable(), len(desk.asked)) == ("00", 700, 1)


def test_rh1_a_void_never_reaches_another_terminals_sale() -> None:
    """In a group too, where the other one's sale is loaded beside one's own."""
    desk = Desk(NAC)
    desk.sale(1, tid="T0000002")
    desk.sale(2)
    named = {}
    for tid, stan in (("T0000002", "000001"), (TID, "000002")):
        (sale,) = desk.books.txns_by_stan(tid, stan)
        request = desk.request(Kind.VOID, stan=3, amount=10_000, rrn=sale.rrn, original=OriginalRef(rrn=sale.rrn))
        own = desk.books.terminal(TID)
        assert own is not None
        found = originals.named_by_void(desk.books, own, request)
        named[tid] = found.stan if found else ""
    assert named == {"T0000002": "", TID: "000002"}


# ---- RH2


@pytest.mark.parametrize("later", ["91", "98"])
@BOTH
def test_rh2_no_advice_is_answered_try_later(profile: Profile, later: str) -> None:
    desk = Desk(profile, issuer=refuse("issuer-down") if later == "91" else silent)
    said = desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=700))
    heard = [code(said)] if said is not None else [code(outcome) for outcome in desk.silence()]
    assert heard == ["00"]
    assert desk.txn(1).response_code == "00"


# ---- RH3


@EACH
def test_rh3_a_late_original_moves_no_money_and_asks_no_issuer(profile: Profile) -> None:
    """FC 6, A4, with the card and the time that each wire carries."""
    desk = Desk(profile)
    assert code(desk.reverse(1, card=a_card(), **AT_NINE)) == "25"
    assert [t.state for t in desk.books.txns_by_stan(TID, "000001")] == [TxnState.TOMBSTONE]
    assert code(desk.sale(1, **AT_NINE)) == "12"
    assert (desk.payable(), desk.asked, desk.rows(Posting), desk.rows(Leg)) == (0, [], [], [])


# ---- RH4


def closed_and_next(desk: Desk) -> tuple[Batch, Batch]:
    """What H has closed by itself, and the batch after it."""
    closed = desk.rows(Batch)[0]
    fresh = desk.close_batch()
    return closed, fresh


@BOTH
def test_rh4_an_adjustment_is_paid_with_the_batch_it_lands_in(profile: Profile) -> None:
    """What the merchant is owed for the closed batch stays 100.00; the one after it is 100.00 short."""
    desk = Desk(profile)
    desk.sale(1)
    closed, fresh = closed_and_next(desk)
    desk.reverse(1)
    owed = {
        batch.number: -sum(
            p.amount for p in desk.rows(Posting) if p.batch_id == batch.id and p.account.startswith("merchant-payable")
        )
        for batch in (closed, fresh)
    }
    assert owed == {closed.number: 10_000, fresh.number: -10_000}
    assert [a.batch_id for a in desk.rows(Adjustment)] == [fresh.id]


def test_rh4_what_is_carried_is_settled_with_its_batch_and_counted_by_nobody() -> None:
    draft = a_draft([a_batch("000004", claimed="[]"), a_txn(1, 100), a_txn(2, 700, Kind.OFFLINE_SALE, carried=True)])
    (batch,) = draft.ws.all(Batch)
    assert sum(s.amount for s in closing.own_totals(draft, batch, NAC).sums) == 100
    closing.close(draft, batch, Verdict.AGREED)
    assert [t.settlement for t in draft.ws.txns_of_batch(1)] == ["settled", "settled"]


# ---- RH6


def test_rh6_a_new_sale_under_a_closed_number_is_22_and_moves_nothing() -> None:
    """FC 29: the terminal sold after its 0500; booked in the next batch it would stand on two days."""
    desk = Desk(CUP)
    desk.sale(1)
    closed, fresh = closed_and_next(desk)
    said = desk.sale(2, batch=closed.number)
    assert (code(said), said and said.request) == ("22", "3")
    assert (desk.payable(), len(desk.asked)) == (10_000, 1)
    assert desk.books.get(Batch, fresh.id) == fresh


@pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])
def test_rh6_a_sale_without_a_number_belongs_to_the_open_batch(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    _closed, fresh = closed_and_next(desk)
    assert code(desk.sale(2)) == "00"
    assert (desk.txn(2).batch_id, desk.txn(2).carried) == (fresh.id, False)


# ---- RH7


@EACH
def test_rh7_what_is_asked_of_the_issuer_is_in_the_log_of_the_same_commit(profile: Profile) -> None:
    """FC 17: a crash from here on finds the leg and undoes it."""
    desk = Desk(profile)
    decision = desk.decide(desk.request(Kind.SALE, stan=1, amount=10_000))
    logged = [(put.state, put.purpose, put.amount) for put in decision.puts if isinstance(put, Leg)]
    assert logged == [("asking", "debit", 10_000)]
    assert [(ask.leg.purpose, ask.undo) for ask in decision.asks] == [("debit", False)]


@EACH
def test_rh7_a_yes_behind_the_reversal_is_undone_at_the_issuer(profile: Profile) -> None:
    desk = Desk(profile, issuer=silent)
    desk.sale(1)
    desk.reverse(1)
    desk.answer(desk.asked[0])
    assert [(ask.leg.purpose, ask.undo) for ask in desk.asked] == [("debit", False), ("debit", True)]
    assert [leg.state for leg in desk.rows(Leg)] == ["undoing"]
    desk.answer(desk.asked[1])
    assert [(leg.state, leg.result) for leg in desk.rows(Leg)] == [("done", "undone")]


# ---- RH9


def test_rh9_the_statement_of_a_batch_has_each_exception_with_both_figures() -> None:
    """What `GET /batches/{id}` and the dashboard show; the terminal's side is its slip."""
    batch = a_batch(claimed="[]")
    draft = a_draft([batch, a_txn(1, 100), a_txn(2, 200)])
    found = ExceptionItem(7, 1, draft.ws.all(Batch)[0].tid, 2, "000001/000002", "AMT", 200, 250, "amounts differ", "")
    done = closing.close(draft, batch, Verdict.STILL_DIFFERS, [found])
    shown = batch_whole(done, draft.ws.txns_of_batch(1), [], draft.ws.exceptions(1))
    assert shown["state"] == "closed-with-exceptions"
    (line,) = shown["exceptions"]
    assert (line["reason"], line["item"]) == ("AMT", "000001/000002")
    assert (line["host_amount"], line["terminal_amount"]) == (200, 250)
    settled = [(item["stan"], item["settlement"]) for item in shown["items"]]
    assert settled == [("000001", "settled"), ("000002", "settled")]  # funded and flagged
