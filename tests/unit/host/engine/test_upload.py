"""Batch upload: staged once by the item's own key, no books touched, exceptions are the difference (RH8, A9, E1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from host.engine import closing
from host.engine.draft import Draft
from host.engine.settle import decide_settle
from host.engine.upload import decide_upload, decide_upload_end
from host.rows import Batch, BatchState, ExceptionItem, Posting, Row, StagedItem, Txn, TxnState
from specs.operation import Kind, Outcome, UploadItem, Verdict
from specs.profile import Profile
from specs.totals import Totals
from tests.support.books import (
    CUP,
    NAC,
    TID,
    a_batch,
    a_draft,
    a_request,
    a_terminal,
    a_txn,
    cup_totals,
    nac_totals,
    uploaded,
)

PROFILES = [pytest.param(CUP, id="cup"), pytest.param(NAC, id="nac")]


def dispute(claim: Totals, *sides: str) -> Batch:
    """Batch 000001 after a 0500 that did not agree on these sides (none = NAC)."""
    told = [[side, "differs" if side in sides else "agreed"] for side in ("domestic", "foreign")] if sides else []
    return a_batch(
        state=BatchState.DISPUTED,
        claimed=json.dumps(claim.to_json()),
        answered="[]",
        verdict="differs",
        sides=json.dumps(told),
        business_date="2026-03-02",
    )


CUP_DISPUTE = dispute(cup_totals((1, 100)), "domestic")
NAC_DISPUTE = dispute(nac_totals((1, 100)))
DISPUTES = {"cup": CUP_DISPUTE, "nac": NAC_DISPUTE}
CLOSED = a_batch(
    state=BatchState.CLOSED,
    closed_at="2026-03-02T21:00:00.000+00:00",
    claimed="[]",
    answered="[]",
    verdict="agreed",
    sides='[["domestic", "agreed"], ["foreign", "agreed"]]',
)
NEXT = a_batch("000002", id=2)


def upload(draft: Draft, profile: Profile, items: Sequence[UploadItem], hashes: Sequence[str] = ()) -> list[Outcome]:
    """CUP in one group, NAC one 0320 an item (each under a STAN of its own)."""
    groups = [tuple(items)] if profile.family == "cup" else [(item,) for item in items]
    done = []
    for at, group in enumerate(groups):
        told = hashes if profile.family == "cup" else hashes[at : at + 1]
        request = a_request(Kind.UPLOAD, profile, items=group, hashes=told, stan=f"{900 + at:06d}")
        done.append(decide_upload(draft, request, a_terminal()))
    return done


def end(draft: Draft, count: int, number: str = "000001") -> Outcome:
    outcome = decide_upload_end(draft, a_request(Kind.UPLOAD_END, CUP, batch=number, count=count), a_terminal())
    assert outcome is not None
    return outcome


def staged(draft: Draft) -> list[tuple[str, int, int, str]]:
    return [(s.item_key, s.txn_id, s.amount, s.known) for s in draft.ws.all(StagedItem)]


def listed(draft: Draft) -> list[tuple[int, str, str, int, int]]:
    return sorted((e.batch_id, e.item_key, e.reason, e.amount, e.side_amount) for e in draft.ws.all(ExceptionItem))


# --- staging ---

TABLE: dict[str, tuple[list[Row], str, int, str]] = {
    # what H has under STAN 000001 -> staged.known and the reason on the list at the close ("" = none); T says 100
    "known, same amount": ([a_txn(1, 100)], "known", 1, ""),
    "known, other amount": ([a_txn(1, 101)], "amount-differs", 1, "AMT"),
    "unknown": ([], "unknown", 0, "terminal-only"),
    "reversed": ([a_txn(1, 100, state=TxnState.REVERSED)], "reversed", 1, "reversed"),
    "tombstone": ([a_txn(1, 100, state=TxnState.TOMBSTONE, rrn="")], "reversed", 1, "reversed"),
    "declined": ([a_txn(1, 100, state=TxnState.DECLINED)], "unknown", 1, "rejected"),
    "a balance inquiry": ([a_txn(1, 100, Kind.BALANCE)], "unknown", 1, "terminal-only"),
    "carried into this batch": ([a_txn(1, 100, carried=True)], "unknown", 1, "carried"),
    "of an earlier life of the terminal": ([a_txn(1, 100, epoch=-1, batch_id=99)], "unknown", 0, "terminal-only"),
}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("books", "known", "txn_id", "reason"), TABLE.values(), ids=TABLE)
def test_an_item_is_staged_with_what_the_host_knows_and_answered_00(
    books: list[Row], known: str, txn_id: int, reason: str, profile: Profile
) -> None:
    """RH8: also unknown, reversed and settled ones; the doubt is on the list when the batch closes."""
    draft = a_draft([DISPUTES[profile.family], *books])
    outcome = upload(draft, profile, [uploaded(1, 100)])[0]
    assert (outcome.code, outcome.count) == ("00", 1)
    assert staged(draft) == [("000001/000001", txn_id, 100, known)]
    closing.forced_close(draft, draft.ws.all(Batch)[0], "test")
    assert [e.reason for e in draft.ws.all(ExceptionItem) if e.side_amount] == ([reason] if reason else [])


@pytest.mark.parametrize("profile", PROFILES)
def test_no_item_changes_any_ledger(profile: Profile) -> None:
    """A9: neither a transaction, nor a posting, nor a running total, whatever is uploaded."""
    books: list[Row] = [a_txn(1, 100), a_txn(2, 200, state=TxnState.REVERSED), a_txn(3, 300, state=TxnState.DECLINED)]
    draft = a_draft([DISPUTES[profile.family], *books])
    upload(draft, profile, [uploaded(1, 101), uploaded(2, 200), uploaded(3, 300), uploaded(4, 400)])
    assert {type(put) for put in draft.puts} == {StagedItem, Batch}
    now = draft.ws.all(Batch)[0]
    assert now == replace(DISPUTES[profile.family], moved_at=now.moved_at)
    assert draft.ws.all(Txn) == books
    assert draft.ws.all(Posting) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_an_item_that_comes_again_is_staged_once(profile: Profile) -> None:
    """FC 36: the 0330 was lost; the key is the item's, never the STAN of the 0320."""
    draft = a_draft([DISPUTES[profile.family], a_txn(1, 100)])
    for items in ([uploaded(1, 100)], [uploaded(1, 100)], [uploaded(1, 999)]):
        assert [o.code for o in upload(draft, profile, items)] == ["00"]
    assert staged(draft) == [("000001/000001", 1, 100, "known")]


def test_a_cup_group_is_answered_with_its_count() -> None:
    draft = a_draft([CUP_DISPUTE, a_txn(1, 100)])
    assert [o.count for o in upload(draft, CUP, [uploaded(1, 100), uploaded(2, 200), uploaded(3, 300)])] == [3]
    assert len(staged(draft)) == 3


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("told", "known"), [("hash-a", "known"), ("hash-b", "amount-differs"), ("", "known")], ids=["same", "other", "none"]
)
def test_another_card_is_no_agreement(profile: Profile, told: str, known: str) -> None:
    """PAN and amount must agree (rules.md 1); a card that the wire does not name is not compared."""
    draft = a_draft([DISPUTES[profile.family], a_txn(1, 100)])
    upload(draft, profile, [uploaded(1, 100)], [told])
    assert staged(draft) == [("000001/000001", 1, 100, known)]
    closing.forced_close(draft, draft.ws.all(Batch)[0], "test")
    assert [e.reason for e in draft.ws.all(ExceptionItem)] == ([] if known == "known" else ["AMT"])


@pytest.mark.parametrize(
    ("rrn", "txn_id"),
    [("000000000001", 1), (" " * 12, 1), ("", 1), ("999999999999", 0)],
    ids=["right", "blank", "none", "another's"],
)
def test_a_nac_item_is_found_by_stan_and_by_rrn_unless_blank(rrn: str, txn_id: int) -> None:
    draft = a_draft([NAC_DISPUTE, a_txn(1, 100, wire_batch="")])
    upload(draft, NAC, [uploaded(1, 100, rrn=rrn)])
    assert staged(draft)[0][1] == txn_id


def test_a_cup_item_is_found_in_a_batch_that_took_another_number_since() -> None:
    """rules.md 4: T renames the batch after a 22, not the rows that were sent; the group has the new number."""
    draft = a_draft([replace(CUP_DISPUTE, number="000009"), a_txn(1, 100, wire_batch="000001")])
    decide_upload(draft, a_request(Kind.UPLOAD, CUP, batch="000009", items=(uploaded(1, 100),)), a_terminal())
    assert staged(draft) == [("000009/000001", 1, 100, "known")]


def test_items_for_a_number_that_the_host_never_had_are_answered_and_noted() -> None:
    draft = a_draft([CUP_DISPUTE])
    request = a_request(Kind.UPLOAD, CUP, batch="000077", items=(uploaded(1, 100),))
    assert decide_upload(draft, request, a_terminal()).code == "00"
    assert draft.puts == ()
    assert len(draft.notes) == 1


# --- a closed batch: exceptions only ---


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("books", "reason", "ours"),
    [
        ([a_txn(1, 100, settlement="settled")], "", 0),
        ([a_txn(1, 70, settlement="settled")], "AMT", 70),
        ([a_txn(1, 100, state=TxnState.REVERSED)], "reversed", 0),
        ([], "terminal-only", 0),
    ],
    ids=["settled", "other amount", "reversed", "unknown"],
)
def test_an_item_of_a_closed_batch_only_adds_an_exception(
    profile: Profile, books: list[Row], reason: str, ours: int
) -> None:
    """rules.md 6, 7: 00, once on the list, nothing staged, the batch as it was."""
    draft = a_draft([CLOSED, NEXT, *books])
    for _ in range(2):
        assert upload(draft, profile, [uploaded(1, 100)])[0].code == "00"
    assert listed(draft) == ([(1, "000001/000001", reason, ours, 100)] if reason else [])
    assert staged(draft) == []
    assert draft.ws.all(Batch) == [CLOSED, NEXT]
    assert draft.ws.all(Txn) == books


def test_a_nac_item_without_a_dispute_belongs_to_the_batch_that_holds_it() -> None:
    """The wire names no batch: T's own item in the open batch is not reported to the closed one."""
    draft = a_draft([CLOSED, NEXT, a_txn(1, 100, batch_id=2)])
    upload(draft, NAC, [uploaded(1, 100)])
    assert listed(draft) == []
    assert [s.batch_id for s in draft.ws.all(StagedItem)] == [2]


@pytest.mark.parametrize(("amount", "txn_id"), [(100, 1), (101, 0)], ids=["same amount", "another"])
def test_in_another_batch_a_stan_alone_names_no_nac_item(amount: int, txn_id: int) -> None:
    """STANs wrap: an old namesake of another amount is not what the terminal uploads."""
    second = replace(NAC_DISPUTE, number="000002", id=2)
    draft = a_draft([CLOSED, second, a_txn(1, 100, settlement="settled")])
    upload(draft, NAC, [uploaded(1, amount)])
    assert staged(draft) == [("000002/000001", txn_id, amount, "unknown")]


def test_what_a_forced_close_settled_is_shown_when_it_is_uploaded_under_the_next_number() -> None:
    """rules.md 7: T met 80 and sends all under number + 1; the earlier item was settled with the forced close."""
    forced = replace(CLOSED, state=BatchState.CLOSED_WITH_EXCEPTIONS, forced="cutoff", claimed="", sides="")
    second = replace(dispute(nac_totals((2, 300))), number="000002", id=2)
    draft = a_draft([forced, second, a_txn(1, 100, settlement="settled"), a_txn(2, 200, batch_id=2)])
    upload(draft, NAC, [uploaded(1, 100), uploaded(2, 200)])
    request = a_request(Kind.SETTLE, NAC, batch="000002", totals=nac_totals((2, 300)), final=True)
    outcome = decide_settle(draft, request, a_terminal())
    assert outcome is not None
    assert outcome.code == "77"
    assert listed(draft) == [(2, "000002/000001", "forced-close", 0, 100)]


# --- the end of a CUP upload ---

BOTH = [a_txn(1, 11000), a_txn(2, 5000, state=TxnState.VOIDED), a_txn(3, 5000, Kind.VOID, original_id=2)]
FOREIGN = a_txn(5, 3000, foreign=True, organisation="VIS")
T_LACKS_1 = cup_totals((1, 5000), (1, 5000), (1, 3000))


def test_missing_items_are_the_host_s_alone_on_the_disputed_side_only() -> None:
    """T lacks S1 of 110.00. Domestic differs, so only that side is uploaded: F of the other side is no exception."""
    draft = a_draft([dispute(T_LACKS_1, "domestic"), *BOTH, FOREIGN])
    upload(draft, CUP, [uploaded(2, 5000), uploaded(3, 5000)])
    assert end(draft, 2).code == "00"
    assert listed(draft) == [(1, "000001/000001", "host-only", 11000, 0)]
    done = draft.ws.all(Batch)[0]
    assert (done.state, done.verdict, done.end_count) == (BatchState.CLOSED_WITH_EXCEPTIONS, "still-differs", 2)
    assert {t.id: t.settlement for t in draft.ws.txns_of_batch(1)} == {
        1: "settled",
        2: "none",
        3: "settled",
        5: "settled",
    }
    fresh = draft.ws.open_batch(TID)
    assert fresh is not None
    assert fresh.number == "000002"


def test_the_list_is_the_symmetric_difference_and_amounts() -> None:
    """E1: T = {2, 3, 7 unknown, 8 reversed at H, 9 of another amount}, H = {1, 2, 3, 9}."""
    books = [*BOTH, a_txn(8, 800, state=TxnState.REVERSED), a_txn(9, 900)]
    draft = a_draft([dispute(cup_totals((4, 7450), (1, 5000)), "domestic"), *books])
    upload(draft, CUP, [uploaded(2, 5000), uploaded(3, 5000), uploaded(7, 700), uploaded(8, 800), uploaded(9, 950)])
    end(draft, 5)
    assert listed(draft) == [
        (1, "000001/000001", "host-only", 11000, 0),
        (1, "000001/000007", "terminal-only", 0, 700),
        (1, "000001/000008", "reversed", 0, 800),
        (1, "000001/000009", "AMT", 900, 950),
    ]


@pytest.mark.parametrize(
    ("items", "state", "verdict"),
    [
        ([uploaded(1, 11000), uploaded(2, 5000), uploaded(3, 5000)], BatchState.CLOSED, Verdict.AGREED),
        ([uploaded(1, 11000), uploaded(2, 5000)], BatchState.CLOSED_WITH_EXCEPTIONS, Verdict.STILL_DIFFERS),
        (
            [uploaded(1, 11000), uploaded(2, 5000), uploaded(7, 5000)],
            BatchState.CLOSED_WITH_EXCEPTIONS,
            Verdict.STILL_DIFFERS,
        ),
    ],
    ids=["all", "one missing", "another one"],
)
def test_a_dispute_whose_items_and_totals_agree_now_is_closed_clean(
    items: list[UploadItem], state: BatchState, verdict: Verdict
) -> None:
    draft = a_draft([dispute(cup_totals((2, 16000), (1, 5000)), "domestic"), *BOTH])
    upload(draft, CUP, items)
    assert end(draft, len(items)).code == "00"
    done = draft.ws.all(Batch)[0]
    assert (done.state, done.verdict) == (state, verdict)


def test_a_difference_that_no_item_explains_is_listed_by_its_figures() -> None:
    """E1: the terminal counts an item that it never uploads, and the host has none; RH9: the statement says so."""
    draft = a_draft([dispute(cup_totals((1, 700)), "domestic")])
    assert end(draft, 0).code == "00"
    assert draft.ws.all(Batch)[0].state == BatchState.CLOSED_WITH_EXCEPTIONS
    assert listed(draft) == [(1, "domestic/debit", "totals-differ", 0, 700)]


@pytest.mark.parametrize(("count", "notes"), [(3, 0), (4, 1)], ids=["right", "wrong"])
def test_a_wrong_count_is_noted_not_refused(count: int, notes: int) -> None:
    """flows.md 5: real hosts do not complain; the echo is the terminal's count."""
    draft = a_draft([dispute(cup_totals((2, 16000), (1, 5000)), "domestic"), *BOTH])
    upload(draft, CUP, [uploaded(1, 11000), uploaded(2, 5000), uploaded(3, 5000)])
    outcome = end(draft, count)
    assert (outcome.code, outcome.count, len(draft.notes)) == ("00", count, notes)


def test_after_the_end_a_repeated_0500_gets_the_codes_of_the_first() -> None:
    """rules.md 6: stored codes 2/1; the end again is 00; neither changes anything."""
    draft = a_draft([dispute(T_LACKS_1, "domestic"), *BOTH, FOREIGN])
    end(draft, 0)
    before = draft.puts
    outcome = decide_settle(draft, a_request(Kind.SETTLE, CUP, totals=T_LACKS_1), a_terminal())
    assert outcome is not None
    assert outcome.sides == (("domestic", Verdict.DIFFERS), ("foreign", Verdict.AGREED))
    assert end(draft, 0).code == "00"
    assert draft.puts == before


@pytest.mark.parametrize(
    "books",
    [[CLOSED, NEXT], [a_batch()], [a_batch("000005")]],
    ids=["closed at the 0510 with 1/1", "no 0500 yet", "unknown number"],
)
def test_an_end_that_closes_nothing_is_answered_00(books: list[Row]) -> None:
    """Old terminals send no 207, new ones send it for a batch that closed at the 0510: 00, nothing changes."""
    draft = a_draft(books)
    outcome = end(draft, 4)
    assert (outcome.code, outcome.count) == ("00", 4)
    assert draft.puts == ()


@pytest.mark.parametrize("profile", PROFILES)
def test_an_item_that_arrived_after_it_was_staged_is_no_exception(profile: Profile) -> None:
    draft = a_draft([DISPUTES[profile.family]])
    upload(draft, profile, [uploaded(1, 100)])
    draft.put(a_txn(1, 100))
    closing.forced_close(draft, draft.ws.all(Batch)[0], "test")
    assert listed(draft) == []


@pytest.mark.parametrize(
    ("staged_items", "found"),
    [
        ([uploaded(2, 5000)], []),
        ([uploaded(2, 5000), uploaded(3, 5000)], [(1, "000001/000001", "host-only", 11000, 0)]),
    ],
    ids=["broken off", "whole but for its end"],
)
def test_a_forced_close_lists_what_the_upload_proves(staged_items: list[UploadItem], found: list[object]) -> None:
    """rules.md 7: from H's books and what is staged. Of two claimed domestic items, one alone proves nothing."""
    draft = a_draft([dispute(T_LACKS_1, "domestic"), *BOTH, FOREIGN])
    upload(draft, CUP, staged_items)
    closing.forced_close(draft, draft.ws.all(Batch)[0], "cutoff")
    assert listed(draft) == found


def test_voided_items_are_uploaded_in_cup_and_never_in_nac() -> None:
    """rules.md 5: CUP uploads sale and void, NAC neither; a NAC terminal that does has a sale the host has not."""
    expectations: dict[str, tuple[Callable[[], Draft], list[str]]] = {
        "cup": (lambda: a_draft([dispute(cup_totals((2, 16000), (1, 5000)), "domestic"), *BOTH]), []),
        "nac": (lambda: a_draft([dispute(nac_totals((1, 11000))), *BOTH]), ["reversed"]),
    }
    for profile in (CUP, NAC):
        make, reasons = expectations[profile.family]
        draft = make()
        upload(draft, profile, [uploaded(1, 11000), uploaded(2, 5000), uploaded(3, 5000)])
        closing.forced_close(draft, draft.ws.all(Batch)[0], "test")
        assert [e.reason for e in draft.ws.all(ExceptionItem)] == reasons
