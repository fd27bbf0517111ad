"""Copies of advices, chip records and adjusted items in an upload (rules.md, sections 1, 5, 6 and 9; cup.md 5.10)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from host.engine.asks import DEBIT, HOLD
from host.engine.draft import Draft
from host.engine.settle import decide_settle
from host.engine.upload import decide_tc_upload, decide_upload, decide_upload_end
from host.rows import Batch, BatchState, ExceptionItem, Leg, Posting, Row, StagedItem, Txn, TxnState
from specs.operation import Kind, Operation, OriginalRef, Outcome, UploadForm, UploadItem, Verdict
from specs.profile import Profile
from specs.totals import Totals
from tests.support.books import (
    CUP,
    NAC,
    a_batch,
    a_draft,
    a_request,
    a_terminal,
    a_txn,
    cup_totals,
    nac_totals,
    uploaded,
)

TC_CUP = replace(CUP, capture="TC")
CLOSED = a_batch(
    state=BatchState.CLOSED,
    closed_at="2026-03-02T21:00:00.000+00:00",
    claimed="[]",
    verdict="agreed",
    sides='[["domestic", "agreed"], ["foreign", "agreed"]]',
)
NEXT = a_batch("000002", id=2)


def dispute(claim: Totals, *sides: str) -> Batch:
    told = [[side, "differs" if side in sides else "agreed"] for side in ("domestic", "foreign")] if sides else []
    return a_batch(
        state=BatchState.DISPUTED,
        claimed=json.dumps(claim.to_json()),
        answered="[]",
        verdict="differs",
        sides=json.dumps(told),
        business_date="2026-03-02",
    )


def books(*rows: Row, profile: Profile = CUP) -> Draft:
    """Books of a terminal whose dialect has these switches."""
    draft = a_draft([a_terminal(dialect=profile.family), *rows])
    return Draft(draft.ws, replace(draft.ctx, profiles={profile.family: profile}))


def item(stan: int, amount: int, form: UploadForm, **changes: Any) -> UploadItem:
    return UploadItem(OriginalRef(stan=f"{stan:06d}", batch=changes.pop("batch", "")), amount, form=form, **changes)


def send(
    draft: Draft,
    items: Sequence[UploadItem],
    profile: Profile = CUP,
    kind: Kind = Kind.UPLOAD,
    hashes: Sequence[str] = (),
    **operation: Any,
) -> Outcome:
    request = a_request(kind, profile, items=tuple(items), hashes=hashes, **operation)
    work = decide_tc_upload if kind is Kind.TC_UPLOAD else decide_upload
    return work(draft, request, a_terminal())


def end(draft: Draft, count: int, profile: Profile = CUP) -> Outcome:
    outcome = decide_upload_end(draft, a_request(Kind.UPLOAD_END, profile, count=count), a_terminal())
    assert outcome is not None
    return outcome


def staged(draft: Draft) -> list[tuple[str, int, str, bool, str]]:
    return [(s.item_key, s.txn_id, s.known, s.evidence, s.form) for s in draft.ws.all(StagedItem)]


def listed(draft: Draft) -> list[tuple[str, str, int, int]]:
    return sorted((e.item_key, e.reason, e.amount, e.side_amount) for e in draft.ws.all(ExceptionItem))


# --- adjusted items ---

SALE = a_txn(1, 10000, replaced_by=2)
TIP = a_txn(2, 11000, Kind.TIP, original_id=1, tip=1000)


def test_cup_uploads_the_adjustment_as_a_copy_and_not_its_sale() -> None:
    """rules.md 5: nothing is the host's alone when the sale that gave way does not come."""
    draft = books(dispute(cup_totals((1, 11500)), "domestic"), SALE, TIP)
    copy = item(2, 11000, UploadForm.COPY, kind=Kind.TIP, tip=1000)
    assert send(draft, [copy]).code == "00"
    assert staged(draft) == [("000001/000002", 2, "known", False, "copy")]
    end(draft, 1)
    assert listed(draft) == []


@pytest.mark.parametrize(("amount", "reason"), [(11000, None), (10000, "AMT")], ids=["new total", "old amount"])
def test_an_item_that_names_an_adjusted_sale_means_its_adjustment(amount: int, reason: str | None) -> None:
    """NAC uploads the sale's STAN at the final amount (rules.md 5)."""
    draft = books(dispute(nac_totals((2, 11500))), replace(SALE, wire_batch=""), replace(TIP, wire_batch=""))
    send(draft, [uploaded(1, amount, rrn="000000000001")], NAC)
    assert [s.known for s in draft.ws.all(StagedItem)] == ["known" if reason is None else "amount-differs"]
    request = a_request(Kind.SETTLE, NAC, totals=nac_totals((1, amount + 1)), final=True)
    outcome = decide_settle(draft, request, a_terminal())
    assert outcome is not None
    assert outcome.verdict is (Verdict.AGREED if reason is None else Verdict.STILL_DIFFERS)
    assert listed(draft) == ([] if reason is None else [("000001/000001", "AMT", 11000, 10000)])
    tip = draft.ws.txn(2)
    assert tip is not None
    assert tip.settlement == "settled"  # with the host's amount; the exception says that it is in doubt


def test_a_tip_that_came_after_the_close_is_named_as_such() -> None:
    """rules.md 8: the difference was carried; the closed batch has the sale as it was."""
    sale = a_txn(1, 10000, settlement="settled")
    tip = a_txn(2, 11000, Kind.TIP, original_id=1, batch_id=2, carried=True)
    draft = books(CLOSED, NEXT, sale, tip)
    send(draft, [uploaded(1, 11000)])
    assert listed(draft) == [("000001/000001", "adjusted-later", 0, 11000)]


def test_a_voided_adjustment_is_uploaded_with_its_void() -> None:
    rows = [SALE, replace(TIP, state=TxnState.VOIDED), a_txn(3, 11000, Kind.VOID, original_id=1, voids_kind="tip")]
    draft = books(dispute(cup_totals((1, 11000), (1, 100)), "domestic"), *rows)
    send(draft, [item(2, 11000, UploadForm.COPY, kind=Kind.TIP)])
    end(draft, 1)
    assert listed(draft) == [("000001/000003", "host-only", 11000, 0)]


# --- copies ---


def test_a_copy_under_a_number_that_the_host_never_had_belongs_to_the_dispute() -> None:
    """The terminal renamed its batch; its advice was carried under the old number, and so is no item of this one."""
    refund = a_txn(5, 2000, Kind.REFUND, wire_batch="000009", carried=True)
    draft = books(dispute(cup_totals((0, 0), (1, 2000)), "domestic"), refund)
    send(draft, [item(5, 2000, UploadForm.COPY, kind=Kind.REFUND, batch="000009")], batch="000009")
    end(draft, 1)
    assert listed(draft) == [("000009/000005", "carried", 0, 2000)]


@pytest.mark.parametrize(("repeat", "codes"), [("00", ["00", "00"]), ("94", ["00", "94"])])
def test_what_a_repeated_item_is_told_is_the_profile_s(repeat: str, codes: list[str]) -> None:
    profile = replace(CUP, upload_repeat=repeat)
    draft = books(dispute(cup_totals((1, 1)), "domestic"), a_txn(1, 100), profile=profile)
    assert [send(draft, [uploaded(1, 100)], profile).code for _ in range(2)] == codes
    assert send(draft, [uploaded(1, 100), uploaded(2, 100)], profile).code == "00"
    assert len(draft.ws.all(StagedItem)) == 2


# --- offline sales that never came ---

OFFLINE = item(7, 4000, UploadForm.COPY, kind=Kind.OFFLINE_SALE, pan="6223164991230014", currency="156")


def test_an_unknown_offline_sale_stays_in_suspense_under_hc() -> None:
    draft = books(dispute(cup_totals((1, 4000)), "domestic"))
    send(draft, [OFFLINE], hashes=["hash-a"])
    end(draft, 1)
    assert listed(draft) == [("000001/000007", "terminal-only", 0, 4000)]
    assert draft.ws.all(Txn) == []
    assert draft.ws.all(Posting) == []
    assert draft.asks == []


@pytest.mark.parametrize(
    ("profile", "state", "purpose"),
    [
        (replace(CUP, offline_unknown="capture"), TxnState.CAPTURED, DEBIT),
        (TC_CUP, TxnState.AUTHORISED, HOLD),
    ],
    ids=["HC, capture", "TC"],
)
def test_an_unknown_offline_sale_is_booked_from_its_copy(profile: Profile, state: TxnState, purpose: str) -> None:
    """rules.md 9. Once, however often the copy comes; the card is asked to pay, and the batch agrees."""
    draft = books(dispute(cup_totals((1, 4000)), "domestic"), profile=profile)
    for _ in range(2):
        assert send(draft, [OFFLINE], profile, hashes=["hash-a"]).code == "00"
    (sale,) = draft.ws.all(Txn)
    assert (sale.kind, sale.state, sale.stan, sale.wire_batch) == (Kind.OFFLINE_SALE, state, "000007", "000001")
    assert (sale.approved_amount, sale.advice, sale.pan_hash) == (4000, True, "hash-a")
    assert [(ask.leg.purpose, ask.leg.amount, ask.leg.state) for ask in draft.asks] == [(purpose, 4000, "owing")]
    end(draft, 1, profile)
    assert listed(draft) == []
    assert draft.ws.all(Batch)[0].state == "closed"
    (sale,) = draft.ws.all(Txn)
    assert (sale.state, sale.settlement) == (TxnState.CAPTURED, "settled")
    payable = sum(p.amount for p in draft.ws.all(Posting) if p.account.startswith("merchant-payable"))
    assert payable == -4000


def test_an_online_sale_is_never_booked_from_an_upload() -> None:
    """RH8: only what the terminal may sell alone; an online sale was approved by the host or by nobody."""
    draft = books(dispute(cup_totals((1, 4000)), "domestic"), profile=TC_CUP)
    send(draft, [uploaded(7, 4000)], TC_CUP, hashes=["hash-a"])
    end(draft, 1, TC_CUP)
    assert [reason for _, reason, _, _ in listed(draft)] == ["terminal-only"]
    assert draft.ws.all(Leg) == []


def test_without_a_card_nobody_can_be_asked_to_pay() -> None:
    draft = books(dispute(cup_totals((1, 4000)), "domestic"), profile=TC_CUP)
    send(draft, [OFFLINE], TC_CUP)
    assert draft.ws.all(Txn) == []


def test_an_item_without_a_stan_is_never_booked() -> None:
    """Its key would be nobody's: the advice that may still come would be booked a second time (RH1)."""
    profile = replace(NAC, capture="TC")
    draft = books(a_batch(), profile=profile)
    for ref in (OriginalRef(invoice="000007"), OriginalRef()):
        assert send(draft, [UploadItem(ref, 4000, Kind.OFFLINE_SALE)], profile, hashes=["hash-a"]).code == "00"
    assert draft.ws.all(Txn) == []


@pytest.mark.parametrize(
    ("stan", "rrn", "booked"), [(1, "606100000099", False), (9, "606100000001", False), (9, "606100000099", True)]
)
def test_an_item_is_not_booked_beside_what_has_its_stan_or_its_rrn(stan: int, rrn: str, booked: bool) -> None:
    """NAC names an item by both; of an earlier epoch the RRN is still of something that was booked (RH8)."""
    profile = replace(NAC, capture="TC")
    known = (
        a_txn(1, 100, wire_batch="", rrn="606100000098"),
        a_txn(2, 4000, wire_batch="", rrn="606100000001", epoch=0),
    )
    draft = books(a_batch(), *known, profile=profile)
    item = UploadItem(OriginalRef(stan=f"{stan:06d}", rrn=rrn), 4000, Kind.OFFLINE_SALE)
    assert send(draft, [item], profile, hashes=["hash-a"]).code == "00"
    assert len(draft.ws.all(Txn)) == 2 + booked


# --- chip records ---

CHIP = bytes.fromhex("9F26081122334455667788" + "9F270140")

# what comes -> (balanced, form, reason), staged as evidence?
RECORDS: dict[str, tuple[bool, UploadForm, str, bool]] = {
    "203": (True, UploadForm.TC, "", True),
    "204": (True, UploadForm.FAILED, "05", True),
    "205": (False, UploadForm.TC, "", False),
    "206, ARPC wrong, card approved": (False, UploadForm.FAILED, "05", False),
    "206, the card declined": (False, UploadForm.FAILED, "11", True),
}


@pytest.mark.parametrize(("balanced", "form", "reason", "evidence"), RECORDS.values(), ids=RECORDS)
def test_which_chip_records_are_items(balanced: bool, form: UploadForm, reason: str, evidence: bool) -> None:
    """rules.md 1: 205 is the item; 206 only with reason 05; 203 and 204 tell something about a balanced side."""
    draft = books(dispute(cup_totals((2, 20000)), "domestic"), a_txn(1, 10000, state=TxnState.CAPTURED))
    record = item(1, 9000, form, reason=reason)
    assert send(draft, [record], kind=Kind.TC_UPLOAD, balanced=balanced).code == "00"
    assert [(s.evidence, s.known) for s in draft.ws.all(StagedItem)] == [
        (evidence, "known" if evidence else "amount-differs")
    ]
    assert end(draft, 1).code == "00"
    assert not any("staged" in str(note) for note in draft.notes)  # the end counts what was sent, evidence too
    reasons = [reason for _, reason, _, _ in listed(draft)]
    assert reasons == (["host-only"] if evidence else ["AMT"])


def test_a_certificate_is_noted_on_its_transaction() -> None:
    draft = books(dispute(cup_totals((1, 100)), "domestic"), a_txn(1, 10000))
    send(draft, [item(1, 10000, UploadForm.TC, chip=CHIP)], kind=Kind.TC_UPLOAD)
    sale = draft.ws.txn(1)
    assert sale is not None
    assert json.loads(sale.chip)["tc"] == "1122334455667788"


def test_chip_records_of_a_closed_batch_change_nothing_but_are_kept() -> None:
    """CUP closes at the 0510 with 1/1; the certificates come after it (rules.md 6)."""
    sale = a_txn(1, 10000, settlement="settled")
    draft = books(CLOSED, NEXT, sale)
    for _ in range(2):
        record = item(1, 10000, UploadForm.TC)
        assert send(draft, [record], kind=Kind.TC_UPLOAD, balanced=True).code == "00"
    assert staged(draft) == [("000001/000001", 1, "known", True, "tc")]
    assert [b.state for b in draft.ws.all(Batch)] == ["closed", "open"]
    assert listed(draft) == []
    outcome = decide_upload_end(draft, a_request(Kind.UPLOAD_END, CUP, count=1, balanced=True), a_terminal())
    assert outcome is not None
    assert outcome.code == "00"


def test_evidence_gives_way_to_the_item_itself() -> None:
    draft = books(dispute(cup_totals((1, 10000)), "domestic"), a_txn(1, 10000))
    send(draft, [item(1, 10000, UploadForm.TC)], kind=Kind.TC_UPLOAD, balanced=True)
    send(draft, [item(1, 10000, UploadForm.TC)], kind=Kind.TC_UPLOAD, balanced=False)
    assert staged(draft) == [("000001/000001", 1, "known", False, "tc")]


def test_a_nac_certificate_is_no_item_and_leaves_the_count_alone() -> None:
    """0320 with DE 3 94xxxx comes before the settlement, and the item itself with the upload (nac.md 6)."""
    draft = books(a_batch(), a_txn(1, 10000, wire_batch=""))
    assert send(draft, [item(1, 10000, UploadForm.TC, chip=CHIP)], NAC, Kind.TC_UPLOAD).code == "00"
    assert draft.ws.all(StagedItem) == []
    sale = draft.ws.txn(1)
    assert sale is not None
    assert sale.chip != ""


def test_chip_records_of_a_number_that_the_host_never_had_are_answered() -> None:
    draft = books(a_batch())
    assert send(draft, [item(1, 100, UploadForm.TC)], kind=Kind.TC_UPLOAD, batch="000077").code == "00"
    assert draft.puts == ()
    assert isinstance(a_request(Kind.TC_UPLOAD).operation, Operation)
