"""What an event asks to be loaded: everything its rules may read, by natural key."""

from __future__ import annotations

import pytest

from host.engine.events import CloseBatch, Expire, IssuerAnswer, LegOverdue, Record
from host.engine.needs import needs
from host.engine.working import Needs
from host.group import union
from specs.operation import Kind, OriginalRef, UploadItem
from tests.support.engine import CUP, ISO87, MID, NAC, TID, a_card, a_request


def test_a_cup_sale() -> None:
    assert needs(a_request(Kind.SALE, CUP, stan=7, amount=1, batch="000003")) == Needs(
        tids={TID}, mids={MID}, stans={(TID, "000007")}, numbers={(TID, "000003")}
    )


def test_a_nac_void_by_rrn_and_invoice() -> None:
    request = a_request(Kind.VOID, NAC, stan=7, amount=0, invoice="000045", original=OriginalRef(rrn="606100000001"))
    assert needs(request) == Needs(
        tids={TID},
        mids={MID},
        stans={(TID, "000007")},
        rrns={(TID, "606100000001")},
        invoices={(TID, "000045")},
        kin_of_tids={TID},
    )


def test_a_cup_void_names_its_original() -> None:
    ref = OriginalRef(stan="000003", batch="000002")
    wanted = needs(a_request(Kind.VOID, CUP, stan=7, amount=1, original=ref))
    assert wanted.stans == {(TID, "000007"), (TID, "000003")}
    assert wanted.numbers == {(TID, "000001"), (TID, "000002")}


@pytest.mark.parametrize("kind", [Kind.SETTLE, Kind.UPLOAD, Kind.UPLOAD_END, Kind.SIGN_ON])
def test_what_compares_or_closes_needs_whole_batches(kind: Kind) -> None:
    assert needs(a_request(kind, CUP, stan=7)).items_of_tids == {TID}


def test_an_upload_needs_what_its_items_name() -> None:
    items = (UploadItem(OriginalRef(stan="000001"), 5), UploadItem(OriginalRef(stan="000002", rrn="606100000002"), 5))
    wanted = needs(a_request(Kind.UPLOAD, NAC, stan=7, items=items))
    assert wanted.stans == {(TID, "000007"), (TID, "000001"), (TID, "000002")}
    assert wanted.rrns == {(TID, "606100000002")}


def test_a_refund_looks_over_all_terminals_of_the_merchant() -> None:
    """By RRN, by card, and where DE 61 or DE 90 names a STAN by that; NAC has no STAN in a refund."""
    ref = OriginalRef(stan="000003", rrn="606100000002", transmitted="0302010000")
    for profile, stans in ((CUP, {(MID, "000003")}), (ISO87, {(MID, "000003")}), (NAC, set())):
        wanted = needs(a_request(Kind.REFUND, profile, stan=7, amount=1, card=a_card(), original=ref))
        assert wanted.merchant_rrns == {(MID, "606100000002")}
        assert wanted.merchant_cards == {(MID, "hash-of-0014")}
        assert wanted.merchant_stans == stans
        assert wanted.kin_of_tids == {TID}
    wanted = needs(a_request(Kind.REFUND, CUP, stan=7, amount=1, mid="", card=a_card(), original=ref))
    assert wanted.merchant_cards == set()


@pytest.mark.parametrize(
    "kind",
    [Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.PRE_AUTH_VOID, Kind.PRE_AUTH_INCREMENT, Kind.OFFLINE_SALE],
)
def test_what_names_a_preauth_looks_for_the_card(kind: Kind) -> None:
    wanted = needs(a_request(kind, NAC, stan=7, amount=1, card=a_card(), auth_code="123456"))
    assert (wanted.merchant_cards, wanted.kin_of_tids) == ({(MID, "hash-of-0014")}, {TID})


@pytest.mark.parametrize("kind", [Kind.SALE, Kind.PRE_AUTH, Kind.BALANCE])
def test_what_names_nothing_reads_nothing_more_than_its_key(kind: Kind) -> None:
    wanted = needs(a_request(kind, NAC, stan=7, amount=1, card=a_card()))
    assert wanted == Needs(tids={TID}, mids={MID}, stans={(TID, "000007")})


def test_a_settlement_of_a_day_needs_the_batches_of_that_day() -> None:
    assert needs(a_request(Kind.SETTLE, ISO87, stan=7, day="0302")).days == {(TID, "0302")}


def test_evidence_needs_the_transaction_it_is_about() -> None:
    ref = OriginalRef(stan="000003", batch="000002")
    wanted = needs(a_request(Kind.SCRIPT_RESULT, CUP, stan=7, original=ref))
    assert wanted.stans == {(TID, "000007"), (TID, "000003")}
    assert wanted.numbers == {(TID, "000001"), (TID, "000002")}


def test_internal_events() -> None:
    assert needs(IssuerAnswer(3, 4, "debit", True, 1, "")) == Needs(leg_ids={3}, txn_ids={4})
    assert needs(LegOverdue(3, 4)) == Needs(leg_ids={3}, txn_ids={4})
    assert needs(CloseBatch(5, TID, "Li: shop closed")) == Needs(tids={TID}, batch_ids={5}, items_of_tids={TID})
    assert needs(Expire(4, TID)) == Needs(tids={TID}, txn_ids={4})
    assert needs(Record(lambda _: ())) == Needs()


def test_the_needs_of_a_group_are_those_of_all_its_events() -> None:
    many = [
        needs(a_request(Kind.SALE, CUP, stan=7, amount=1, batch="000003")),
        needs(IssuerAnswer(3, 4, "debit", True, 1, "")),
        needs(CloseBatch(5, TID, "Li: shop closed")),
    ]
    total = union(many)
    assert (total.txn_ids, total.leg_ids, total.batch_ids, total.items_of_tids) == ({4}, {3}, {5}, {TID})
    assert (total.tids, total.stans, total.numbers) == ({TID}, {(TID, "000007")}, {(TID, "000003")})
    assert all(getattr(total, name) == set().union(*(getattr(one, name) for one in many)) for name in Needs.__slots__)
    assert union([]) == Needs()
