"""Batch numbers, membership, running totals and closes: rules.md, section 4 (FC 30, 31, 43, 46; A1, A7, A8)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from host.engine import batches, closing, items
from host.rows import Batch, BatchState, ExceptionItem, Row, Txn, TxnState
from specs.codes import Refusal
from specs.operation import Kind, Verdict
from specs.profile import KeyScheme, Profile
from specs.totals import BatchItem
from tests.support.books import CUP, NAC, TID, a_batch, a_draft, a_request, a_terminal, a_txn

CLOSED_3 = a_batch("000003", BatchState.CLOSED, id=1, closed_at="x", digest="d")
OPEN_4 = a_batch("000004", id=2)
SALE_IN_4 = a_txn(10, 5000, batch_id=2, wire_batch="000004")
DISPUTED_4 = replace(OPEN_4, state=BatchState.DISPUTED, claimed="[]", verdict="differs", business_date="2026-03-01")

# rules.md 4: the table of a request's number. (books, profile, number on the wire) -> open batch's number, or a refusal
NUMBERS: dict[str, tuple[list[Row], Profile, str | None, str | Refusal]] = {
    "cup, number of the open batch": ([CLOSED_3, OPEN_4, SALE_IN_4], CUP, "000004", "000004"),
    "cup, closed": ([CLOSED_3, OPEN_4, SALE_IN_4], CUP, "000003", Refusal.CLOSED_BATCH),
    "cup, closed, open batch empty": ([CLOSED_3, OPEN_4], CUP, "000003", Refusal.CLOSED_BATCH),
    "cup, unknown, open batch empty: adopted": ([CLOSED_3, OPEN_4], CUP, "000009", "000009"),
    "cup, unknown, open batch has items": ([CLOSED_3, OPEN_4, SALE_IN_4], CUP, "000009", Refusal.UNKNOWN_BATCH),
    "cup, unknown, an item is still at the issuer": (
        [CLOSED_3, OPEN_4, replace(SALE_IN_4, state=TxnState.PENDING)],
        CUP,
        "000009",
        Refusal.UNKNOWN_BATCH,
    ),
    "cup, unknown, only a reversed sale: adopted": (
        [CLOSED_3, OPEN_4, replace(SALE_IN_4, state=TxnState.REVERSED)],
        CUP,
        "000009",
        "000009",
    ),
    "cup, unknown, only a carried item: adopted": (
        [CLOSED_3, OPEN_4, replace(SALE_IN_4, carried=True)],
        CUP,
        "000009",
        "000009",
    ),
    "cup, first contact adopts": ([], CUP, "000042", "000042"),
    "cup, closed in an earlier epoch is unknown": ([replace(CLOSED_3, epoch=-1), OPEN_4], CUP, "000003", "000003"),
    "nac, open batch": ([CLOSED_3, OPEN_4, SALE_IN_4], NAC, None, "000004"),
    "nac, six digits in DE 60 are not looked at": ([CLOSED_3, OPEN_4], NAC, "000003", "000004"),
    "nac, first contact": ([], NAC, None, "000001"),
}


@pytest.mark.parametrize(("books", "profile", "number", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_the_number_of_a_request(
    books: list[Row], profile: Profile, number: str | None, expected: str | Refusal
) -> None:
    """A closed number is refused and never moved (RH6); an unknown one is taken when nothing of T's is in the way."""
    draft = a_draft(books)
    found = batches.item_batch(draft, a_request(Kind.SALE, profile, batch=number, amount=100), a_terminal())
    if isinstance(expected, Refusal):
        assert found is expected
        assert draft.puts == ()
    else:
        assert isinstance(found, Batch)
        assert found.number == expected
        assert found.state is BatchState.OPEN
        assert draft.ws.open_batch(TID) == found


# --- advices and batches: the same table, second row (RH6: an advice has happened already) ---

DE60 = replace(NAC, de60_batch=True)
ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME)
FORCED_3 = replace(CLOSED_3, forced="cutoff", closed_at="2026-03-02T21:00:00.000+00:00")
BEFORE, AFTER = {"local_date": "0302", "local_time": "205959"}, {"local_date": "0302", "local_time": "210001"}
LAST_YEAR = {"local_date": "1231", "local_time": "235959"}

# books, profile, fields -> (number of the batch it is booked in, carried)
ADVICES: dict[str, tuple[list[Row], Profile, dict[str, Any], tuple[str, bool]]] = {
    "cup, number of the open batch": ([CLOSED_3, OPEN_4, SALE_IN_4], CUP, {"batch": "000004"}, ("000004", False)),
    "cup, closed": ([CLOSED_3, OPEN_4, SALE_IN_4], CUP, {"batch": "000003"}, ("000004", True)),
    "cup, closed, open batch empty": ([CLOSED_3, OPEN_4], CUP, {"batch": "000003"}, ("000004", True)),
    "cup, unknown, open batch empty: adopted": ([CLOSED_3, OPEN_4], CUP, {"batch": "000009"}, ("000009", False)),
    "cup, unknown, open batch has items": (
        [CLOSED_3, OPEN_4, SALE_IN_4],
        CUP,
        {"batch": "000009"},
        ("000004", True),
    ),
    "cup, first contact": ([], CUP, {"batch": "000042"}, ("000042", False)),
    "nac, sold before H's own close": ([FORCED_3, OPEN_4], NAC, {"batch": None, **BEFORE}, ("000004", True)),
    "nac, sold after it": ([FORCED_3, OPEN_4], NAC, {"batch": None, **AFTER}, ("000004", False)),
    "nac, sold last year": ([FORCED_3, OPEN_4], NAC, {"batch": None, **LAST_YEAR}, ("000004", True)),
    "nac, no time": ([FORCED_3, OPEN_4], NAC, {"batch": None}, ("000004", False)),
    "nac, no such day": (
        [FORCED_3, OPEN_4],
        NAC,
        {"batch": None, "local_date": "0231", "local_time": "000000"},
        ("000004", False),
    ),
    "nac, the last close was T's": (
        [replace(FORCED_3, forced=""), OPEN_4],
        NAC,
        {"batch": None, **BEFORE},
        ("000004", False),
    ),
    "nac, six digits of an advice are not looked at": (
        [CLOSED_3, OPEN_4],
        DE60,
        {"batch": "000003"},
        ("000004", False),
    ),
    "iso87, sold before H's own close": ([FORCED_3, OPEN_4], ISO87, {"batch": None, **BEFORE}, ("000004", True)),
    "iso87, sold after it": ([FORCED_3, OPEN_4], ISO87, {"batch": None, **AFTER}, ("000004", False)),
}


@pytest.mark.parametrize(("books", "profile", "fields", "expected"), ADVICES.values(), ids=ADVICES)
def test_the_batch_of_an_advice(
    books: list[Row], profile: Profile, fields: dict[str, Any], expected: tuple[str, bool]
) -> None:
    """Never refused: an advice of an earlier batch is carried into the open one, out of its comparison."""
    draft = a_draft(books)
    request = a_request(Kind.OFFLINE_SALE, profile, amount=100, advice=True, **fields)
    found = batches.item_batch(draft, request, a_terminal())
    assert isinstance(found, Batch)
    assert (found.number, batches.is_carried(draft, request, a_terminal(), found)) == expected
    assert draft.ws.open_batch(TID) == found


def test_what_is_carried_does_not_open_a_dispute_again() -> None:
    """It is no item of that batch; a request, or an advice of its own, is."""
    draft = a_draft([CLOSED_3, DISPUTED_4])
    request = a_request(Kind.OFFLINE_SALE, CUP, batch="000003", amount=100, advice=True)
    assert batches.item_batch(draft, request, a_terminal()) == DISPUTED_4
    own = a_request(Kind.OFFLINE_SALE, CUP, batch="000004", amount=100, advice=True)
    found = batches.item_batch(draft, own, a_terminal())
    assert isinstance(found, Batch)
    assert found.state is BatchState.OPEN


def test_an_advice_that_is_carried_by_its_time_does_not_open_a_dispute_either() -> None:
    draft = a_draft([FORCED_3, DISPUTED_4])
    request = a_request(Kind.OFFLINE_SALE, NAC, batch=None, amount=100, advice=True, **BEFORE)
    assert batches.item_batch(draft, request, a_terminal()) == DISPUTED_4


def test_a_request_is_never_carried() -> None:
    draft = a_draft([FORCED_3, OPEN_4])
    request = a_request(Kind.SALE, NAC, batch=None, amount=100, **BEFORE)
    assert not batches.is_carried(draft, request, a_terminal(), OPEN_4)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("000003", Refusal.CLOSED_BATCH),
        ("000004", "000004"),
        ("000009", Refusal.UNKNOWN_BATCH),
        (None, "000004"),
    ],
)
def test_a_nac_host_that_looks_at_the_number_of_a_request(number: str | None, expected: str | Refusal) -> None:
    """nac.de60_batch = true: 80 for another number than the open one, beside items of the terminal."""
    draft = a_draft([CLOSED_3, OPEN_4, SALE_IN_4])
    found = batches.item_batch(draft, a_request(Kind.SALE, DE60, batch=number, amount=100), a_terminal())
    assert (found.number if isinstance(found, Batch) else found) == expected


@pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
def test_a_request_of_a_disputed_batch_opens_it_again(profile: Profile) -> None:
    """T should be frozen; the sale has happened all the same, so it is booked and the next 0500 is compared anew."""
    draft = a_draft([DISPUTED_4, SALE_IN_4])
    found = batches.item_batch(draft, a_request(Kind.SALE, profile, batch="000004", amount=100), a_terminal())
    assert isinstance(found, Batch)
    assert (found.id, found.state) == (2, BatchState.OPEN)
    assert len(draft.notes) == 1


def test_adopting_leaves_a_note_but_the_first_number_does_not() -> None:
    adopted, first = a_draft([OPEN_4]), a_draft()
    for draft in (adopted, first):
        batches.item_batch(draft, a_request(Kind.SALE, batch="000009", amount=100), a_terminal())
    assert len(adopted.notes) == 1
    assert first.notes == []


def test_sign_on_is_told_the_number_of_the_open_or_disputed_batch() -> None:
    """60.2 of the 0810 (rules.md 4): the host's word, not an echo; only at first contact is it the terminal's."""
    assert batches.current_number(a_draft([CLOSED_3, OPEN_4]), a_terminal(), "000077") == "000004"
    assert batches.current_number(a_draft([DISPUTED_4]), a_terminal(), "000077") == "000004"
    assert batches.current_number(a_draft(), a_terminal(), "000077") == "000077"
    assert batches.current_number(a_draft(), a_terminal(), None) == "000001"


# --- numbers and generations ---


@pytest.mark.parametrize(("number", "after"), [("000001", "000002"), ("000009", "000010"), ("999999", "000001")])
def test_the_next_number_is_last_plus_one_and_wraps_to_one(number: str, after: str) -> None:
    assert batches.next_number(number) == after


def test_a_number_that_comes_round_again_is_another_generation() -> None:
    """After the wrap 000001 is used a second time: the latest generation is what the wire means."""
    first = a_batch("000001", BatchState.CLOSED, id=1, generation=1)
    last = a_batch("999999", id=2, generation=1, claimed="[]")
    draft = a_draft([first, last])
    closing.close(draft, last, Verdict.AGREED)
    fresh = draft.ws.open_batch(TID)
    assert fresh is not None
    assert (fresh.number, fresh.generation) == ("000001", 2)
    assert draft.ws.batch_numbered(TID, "000001") == fresh


def test_a_smaller_number_that_is_adopted_never_shares_a_generation_with_an_old_batch() -> None:
    books = [
        a_batch("000001", BatchState.CLOSED, id=1),
        a_batch("000002", BatchState.CLOSED, id=2),
        a_batch("000003", id=3),
    ]
    draft = a_draft([*books, replace(books[0], id=0, epoch=-1)])
    adopted = batches.adopt(draft, a_terminal(), "000002")
    assert (adopted.number, adopted.generation) == ("000002", 2)


# --- running totals ---


def test_running_totals_follow_the_items() -> None:
    """A sale of 50.00 is captured, then voided (CUP counts it still); another of 80.00 is captured, then reversed."""
    draft = a_draft([a_batch()])

    def step(before: Txn | None, after: Txn) -> dict[str, list[int]]:
        draft.put(after)
        batches.change(draft, before, after)
        batch = draft.ws.open_batch(TID)
        assert batch is not None
        running: dict[str, list[int]] = json.loads(batch.running)
        return running

    pending = a_txn(1, 5000, state=TxnState.PENDING, approved_amount=0)
    sale = replace(pending, state=TxnState.CAPTURED, approved_amount=5000)
    other = a_txn(2, 8000)
    assert step(None, pending) == {}
    assert step(pending, sale) == {"sale": [1, 5000]}
    assert step(None, other) == {"sale": [2, 13000]}
    assert step(None, a_txn(3, 5000, Kind.VOID, original_id=1)) == {"sale": [2, 13000], "void": [1, 5000]}
    assert step(sale, replace(sale, state=TxnState.VOIDED)) == {"sale": [2, 13000], "void": [1, 5000]}
    assert step(other, replace(other, state=TxnState.REVERSED)) == {"sale": [1, 5000], "void": [1, 5000]}


def test_a_partial_approval_counts_what_was_approved() -> None:
    draft = a_draft([a_batch()])
    batches.change(draft, None, draft.put(a_txn(1, 10000, approved_amount=7000)))
    assert json.loads(draft.ws.all(Batch)[0].running) == {"sale": [1, 7000]}


@pytest.mark.parametrize(
    "txn",
    [
        a_txn(1, 100, carried=True),
        a_txn(1, 100, state=TxnState.DECLINED),
        a_txn(1, 100, state=TxnState.TOMBSTONE),
        a_txn(1, 100, Kind.BALANCE),
    ],
    ids=["carried", "declined", "tombstone", "balance"],
)
def test_what_is_no_item_counts_nowhere(txn: Txn) -> None:
    batch = a_batch()
    draft = a_draft([batch, txn])
    batches.change(draft, None, txn)
    assert draft.ws.all(Batch)[0].running == batch.running
    assert batches.items(draft, batch) == []
    assert not batches.has_items(draft, batch)


def test_a_closed_batch_keeps_its_running_totals_when_an_item_is_reversed_later() -> None:
    """RH4: the money comes back as an adjustment in the open batch; the closed one stays as it was."""
    closed, sale = a_batch(state=BatchState.CLOSED, running='{"sale": [1, 5000]}'), a_txn(1, 5000, settlement="settled")
    draft = a_draft([closed, sale])
    batches.change(draft, sale, draft.put(replace(sale, state=TxnState.REVERSED)))
    assert draft.ws.all(Batch) == [closed]


def test_items_of_the_example_day() -> None:
    """rules.md 5 without tip, refund and offline sale: S1 110, S2 50 voided by V, S3 80 reversed, F 30 foreign."""
    batch = a_batch()
    assert batches.items(a_draft([batch, *example_day()]), batch) == [
        BatchItem(Kind.SALE, 11000),
        BatchItem(Kind.SALE, 5000, voided=True),
        BatchItem(Kind.VOID, 5000),
        BatchItem(Kind.SALE, 3000, foreign=True),
    ]


def example_day() -> list[Txn]:
    return [
        a_txn(1, 11000),
        a_txn(2, 5000, state=TxnState.VOIDED, undone_by="void:3"),
        a_txn(3, 5000, Kind.VOID, original_id=2),
        a_txn(4, 8000, state=TxnState.REVERSED),
        a_txn(5, 3000, foreign=True, organisation="VIS"),
    ]


# --- closing ---


def test_a_close_settles_each_captured_item_and_opens_the_next_number() -> None:
    batch = a_batch(claimed="[]")
    draft = a_draft([batch, *example_day()])
    done = closing.close(draft, batch, Verdict.AGREED)
    assert (done.state, done.business_date, done.verdict) == (BatchState.CLOSED, "2026-03-02", "agreed")
    assert done.closed_at
    assert {t.id: t.settlement for t in draft.ws.txns_of_batch(1)} == {
        1: "settled",
        2: "none",
        3: "settled",
        4: "none",
        5: "settled",
    }
    fresh = draft.ws.open_batch(TID)
    assert fresh is not None
    assert (fresh.number, fresh.running, draft.ws.txns_of_batch(fresh.id)) == ("000002", "{}", [])


@pytest.mark.parametrize(
    ("reason", "host_only", "settlement"),
    [
        ("host-only", "fund-and-flag", "settled"),
        ("host-only", "suspense", "exception"),
        ("AMT", "fund-and-flag", "settled"),
        ("AMT", "suspense", "exception"),
    ],
)
def test_items_under_exception(reason: str, host_only: str, settlement: str) -> None:
    """rules.md 9: host-only is funded with an open exception, or kept in suspense; so is an amount that differs, since
    under HC a mismatch does not stop funding (failure-catalogue, section 2)."""
    batch = a_batch(claimed="[]")
    draft = a_draft([batch, a_txn(1, 100), a_txn(2, 200)], host_only=host_only)
    found = ExceptionItem(7, 1, TID, 2, "000001/000002", reason, 200, 0, "", "")
    done = closing.close(draft, batch, Verdict.STILL_DIFFERS, [found])
    assert done.state is BatchState.CLOSED_WITH_EXCEPTIONS
    assert [t.settlement for t in draft.ws.txns_of_batch(1)] == ["settled", settlement]
    assert draft.ws.exceptions(1) == [found]


def test_agreed_totals_with_an_exception_are_no_clean_close() -> None:
    batch = a_batch(claimed="[]")
    found = ExceptionItem(7, 1, TID, 0, "000001/000099", "terminal-only", 0, 500, "", "")
    assert closing.close(a_draft([batch]), batch, Verdict.AGREED, [found]).state is BatchState.CLOSED_WITH_EXCEPTIONS


def test_a_disputed_batch_has_the_business_date_of_its_first_0500() -> None:
    assert closing.close(a_draft([DISPUTED_4]), DISPUTED_4, Verdict.AGREED).business_date == "2026-03-01"


def test_no_close_while_a_request_is_in_flight() -> None:
    """FC 43: the sale would be in two batches or in none. The caller waits; one that does not is our mistake."""
    batch = a_batch()
    with pytest.raises(AssertionError, match="in flight"):
        closing.close(a_draft([batch, a_txn(1, 100, state=TxnState.PENDING)]), batch, Verdict.AGREED)


@pytest.mark.parametrize(
    ("txns", "claimed", "number"),
    [
        ([a_txn(1, 100)], "", "000002"),
        ([], "[]", "000002"),
        ([a_txn(1, 100, carried=True)], "", "000001"),
        ([a_txn(1, 100, state=TxnState.REVERSED)], "", "000001"),
    ],
    ids=["an item", "its own 0500", "carried only", "reversed only"],
)
def test_a_number_is_spent_by_an_item_or_its_own_0500(txns: list[Txn], claimed: str, number: str) -> None:
    """rules.md 4: a terminal with an empty batch must not wake up to a refusal."""
    batch = a_batch(claimed=claimed)
    draft = a_draft([batch, *txns])
    closing.forced_close(draft, batch, "cutoff")
    fresh = draft.ws.open_batch(TID)
    assert fresh is not None
    assert fresh.number == number


def test_a_forced_close_is_one_with_exceptions_and_lists_no_item() -> None:
    """T's items are not known: they are no exceptions before T says otherwise."""
    batch = a_batch()
    draft = a_draft([batch, a_txn(1, 100)])
    done = closing.forced_close(draft, batch, "back office: alice")
    assert (done.state, done.forced, done.verdict) == (BatchState.CLOSED_WITH_EXCEPTIONS, "back office: alice", "")
    assert draft.ws.exceptions(1) == []
    assert draft.ws.txns_of_batch(1)[0].settlement == "settled"


def test_a_terminal_reset_closes_what_was_open_and_the_next_message_names_the_batch() -> None:
    """FC 31, 46: a re-flashed terminal starts again at 000001, a number that was closed in its former life."""
    closed, batch = a_batch("000001", BatchState.CLOSED, id=1), a_batch("000007", id=2)
    draft = a_draft([closed, batch, a_txn(1, 100, batch_id=2, wire_batch="000007")])
    done = closing.close_for_reset(draft, a_terminal())
    assert done is not None
    assert (done.state, done.forced) == (BatchState.CLOSED_WITH_EXCEPTIONS, "terminal reset")
    assert batches.current_number(draft, a_terminal(epoch=1), "000001") == "000001"
    found = batches.item_batch(draft, a_request(Kind.SALE, batch="000001", amount=100), a_terminal(epoch=1))
    assert isinstance(found, Batch)
    assert (found.number, found.epoch, found.state) == ("000001", 1, BatchState.OPEN)
    assert found.generation > closed.generation


def test_a_reset_with_an_empty_batch_closes_nothing() -> None:
    draft = a_draft([a_batch("000007"), a_txn(1, 100, state=TxnState.DECLINED, wire_batch="000007")])
    assert closing.close_for_reset(draft, a_terminal()) is None
    assert batches.current_number(draft, a_terminal(epoch=1), "000001") == "000001"


# --- the digest ---


def test_the_digest_is_the_same_after_a_lawful_reversal_and_another_after_a_change() -> None:
    """A7. The hash of the one-item list was made with coreutils' sha256sum."""
    sale = a_txn(1, 5000)
    one = items.digest([sale])
    assert one == "7a21dcfcd28ea7731e87693bbe5dc45e4dcc1f1c345e4f3b96ee33b17348282e"
    assert items.digest([replace(sale, state=TxnState.REVERSED, settlement="none")]) == one
    assert items.digest([sale, a_txn(2, 1, state=TxnState.DECLINED), a_txn(3, 1, state=TxnState.TOMBSTONE)]) == one
    others = [[], [replace(sale, approved_amount=5001)], [sale, a_txn(2, 1)], [replace(sale, stan="000002")]]
    assert one not in [items.digest(txns) for txns in others]
    assert items.digest([a_txn(2, 1), sale]) == items.digest([sale, a_txn(2, 1)])
