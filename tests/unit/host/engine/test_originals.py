"""Which original a void or a reversal names (rules.md, section 1), per scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from host.engine import originals
from host.engine.originals import RefundOf, amount_fits
from host.engine.working import WorkingSet
from host.rows import Terminal, Txn, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from tests.support.books import a_terminal, a_txn
from tests.support.engine import CUP, ISO87, MID, NAC, NOW, TID, Desk, a_card, a_request, approve, code, refuse


def void(desk: Desk, stan: int, ref: OriginalRef, amount: int | None = 10_000, invoice: str = "") -> str:
    return code(desk.send(desk.request(Kind.VOID, stan=stan, amount=amount, original=ref, invoice=invoice)))


def test_a_cup_void_names_batch_and_stan_and_an_rrn_that_must_agree_when_sent() -> None:
    desk = Desk(CUP)
    desk.sale(1)
    rrn = desk.txn(1).rrn
    assert void(desk, 2, OriginalRef(stan="000001", batch="000002")) == "25"
    assert void(desk, 3, OriginalRef(stan="000001", batch="000001", rrn="999999999999")) == "25"
    assert void(desk, 4, OriginalRef(stan="000000", batch="000001")) == "25"
    assert void(desk, 5, OriginalRef(stan="000001", batch="000001", rrn=rrn)) == "00"


def test_a_nac_void_names_the_rrn() -> None:
    desk = Desk(NAC)
    desk.sale(1)
    assert void(desk, 2, OriginalRef(rrn="999999999999")) == "25"
    assert void(desk, 3, OriginalRef(rrn=desk.txn(1).rrn)) == "00"


def test_a_nac_void_without_rrn_names_invoice_and_amount_in_the_open_batch() -> None:
    desk = Desk(NAC)
    desk.sale(1, invoice="000045")
    assert void(desk, 2, OriginalRef(), amount=9_999, invoice="000045") == "25"
    assert void(desk, 3, OriginalRef(invoice="000045"), amount=0) == "00"
    desk.sale(4, invoice="000046")
    desk.close_batch()
    assert void(desk, 5, OriginalRef(invoice="000046")) == "25"


def test_a_nac_void_by_invoice_takes_the_sale_that_lives() -> None:
    """An invoice number of a declined sale serves again for the next one."""
    desk = Desk(NAC, issuer=refuse("funds"))
    desk.sale(1, invoice="000045")
    desk.issuer = Desk().issuer
    desk.sale(2, invoice="000045")
    assert void(desk, 3, OriginalRef(invoice="000045")) == "00"
    assert desk.txn(2).state is TxnState.VOIDED


def test_another_terminals_sale_is_25() -> None:
    desk = Desk(NAC)
    desk.sale(1, tid="T0000002")
    rrn = desk.books.txns_by_stan("T0000002", "000001")[0].rrn
    assert void(desk, 2, OriginalRef(rrn=rrn)) == "25"


def test_a_cup_reversal_is_matched_on_its_own_batch_and_stan_never_on_de_61() -> None:
    desk = Desk(CUP)
    desk.sale(1)
    desk.sale(2)
    assert code(desk.reverse(2, original=OriginalRef(stan="000001", batch="000001"))) == "00"
    assert [desk.txn(s).state for s in (1, 2)] == [TxnState.CAPTURED, TxnState.REVERSED]


def test_a_nac_reversal_finds_the_newest_under_its_stan_up_to_30_days_back() -> None:
    desk = Desk(NAC)
    desk.sale(1)
    desk.close_batch()
    desk.later(days=29)
    desk.sale(1)  # the STAN has wrapped: a new transaction
    old, new = desk.books.txns_by_stan(TID, "000001")
    assert code(desk.reverse(1)) == "00"
    assert desk.txn(1).state is TxnState.REVERSED
    assert desk.books.txn(old.id) == old
    assert new.id > old.id

    desk = Desk(NAC)
    desk.sale(1)
    desk.close_batch()
    desk.later(days=29, hours=23)
    assert code(desk.reverse(1)) == "00"
    desk.sale(2)
    desk.close_batch()
    desk.later(days=30)
    assert code(desk.reverse(2)) == "25"


def test_a_nac_reversal_with_its_own_stan_is_found_by_invoice() -> None:
    desk = Desk(NAC)
    desk.sale(1, invoice="000045")
    assert code(desk.reverse(2, invoice="000045")) == "00"
    assert desk.txn(1).state is TxnState.REVERSED


def test_the_reversal_of_a_nac_void_that_never_came_leaves_the_adjustment_of_its_sale() -> None:
    """0220/02 and 0200/02 of one sale have the same DE 3, DE 4 and DE 62 (nac.md 4): only the STAN tells them apart."""
    desk = Desk(NAC)
    desk.sale(1, invoice="000045")
    ref = OriginalRef(invoice="000045", amount=10_000)
    changed = desk.request(Kind.ADJUST, stan=2, amount=5_000, original=ref, invoice="000045", processing_code="020000")
    assert code(desk.send(changed)) == "00"
    assert code(desk.reverse(3, 5_000, of=Kind.VOID, invoice="000045")) == "25"
    assert desk.txn(2).state is TxnState.CAPTURED


def test_a_repeated_nac_reversal_does_not_hit_the_sale_made_in_its_place() -> None:
    """The sale was lost, its 0400 left a tombstone, the operator sold again under the same invoice: a repeat of that
    0400 must not undo the sale that stands."""
    desk = Desk(NAC)
    assert code(desk.reverse(1, invoice="000045")) == "25"
    assert code(desk.sale(2, invoice="000045")) == "00"
    assert code(desk.reverse(1, invoice="000045")) == "25"
    assert desk.txn(2).state is TxnState.CAPTURED


@pytest.mark.parametrize(("before", "answered"), [("reversed", "00"), ("declined", "12")])
def test_a_nac_reversal_that_meets_by_invoice_what_is_undone_leaves_a_tombstone(before: str, answered: str) -> None:
    """The first try under an invoice came to nothing. The second one is late: its 0400 overtakes it, and finds only the
    first. When it comes it must be refused all the same (RH3), or the card is charged for what the terminal has given
    up."""
    desk = Desk(NAC, issuer=refuse("funds") if before == "declined" else approve)
    assert code(desk.sale(1, invoice="000045")) == ("51" if before == "declined" else "00")
    if before == "reversed":
        assert code(desk.reverse(1, invoice="000045")) == "00"
    assert code(desk.reverse(2, invoice="000045")) == answered
    assert code(desk.sale(2, invoice="000045")) == "12"
    assert code(desk.reverse(2, invoice="000045")) == answered
    assert [t.state for t in desk.books.txns_by_stan(TID, "000002")] == [TxnState.TOMBSTONE]


def test_a_nac_reversal_with_another_invoice_or_rrn_is_another_transaction() -> None:
    desk = Desk(NAC)
    desk.sale(1, invoice="000045")
    assert code(desk.reverse(1, invoice="000044")) == "25"
    assert code(desk.reverse(1, rrn="999999999999")) == "25"
    assert desk.txn(1).state is TxnState.CAPTURED
    assert code(desk.reverse(1, invoice="000045", rrn=desk.txn(1).rrn)) == "00"


def test_which_amounts_fit() -> None:
    partial = a_txn(1, 10_000, approved_amount=7_000)
    assert [amount_fits(partial, a) for a in (10_000, 7_000, None, 0, 9_000)] == [True, True, True, False, False]
    void_row = replace(partial, kind=Kind.VOID, amount=7_000)
    assert amount_fits(void_row, 0)


# ---- rows by hand: what each row of the table finds, and what it passes by

HASH = "hash-of-0014"
OTHER_TID, OTHER_MID = "T0000002", "999999999999999"


def a_row(txn_id: int, kind: Kind = Kind.SALE, **changes: Any) -> Txn:
    """An approved transaction of T0000001 at noon of 2 March, 100.00, STAN and RRN its id."""
    defaults: dict[str, Any] = {"tid": TID, "mid": MID, "epoch": 1, "pan_hash": HASH, "auth_code": f"{txn_id:06d}"}
    defaults |= {"batch_id": 1, "local_time": "0302120000", "transmitted": "0302040000"}
    if kind in (Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT):
        defaults |= {"state": TxnState.AUTHORISED, "held": 10_000}
    return a_txn(txn_id, 10_000, kind, **defaults | changes)


def this_terminal() -> Terminal:
    return a_terminal(tid=TID, mid=MID, epoch=1)


Find = Callable[[WorkingSet, Terminal, Any, Any], Txn | None]


def named(find: Find, rows: list[Txn], kind: Kind, profile: Profile, **changes: Any) -> int | None:
    """The id of what a message names among these rows."""
    changes.setdefault("card", a_card())
    request = a_request(kind, profile, stan=900, **changes)
    found = find(WorkingSet([this_terminal(), *rows]), this_terminal(), request, NOW)
    return found.id if found is not None else None


def completes(rows: list[Txn], profile: Profile = CUP, **changes: Any) -> int | None:
    return named(originals.named_by_completion, rows, Kind.COMPLETION, profile, amount=1, **changes)


def test_a_completion_names_merchant_card_and_approval_code() -> None:
    rows = [a_row(1, Kind.PRE_AUTH), a_row(2, Kind.PRE_AUTH), a_row(3)]
    assert completes(rows, auth_code="000001") == 1
    assert completes(rows, original=OriginalRef(auth_code="000002")) == 2
    assert completes(rows, auth_code="000003") is None  # a sale
    assert completes(rows, auth_code="000404") is None
    assert completes(rows) is None  # without DE 38 nothing is named
    assert completes(rows, auth_code="000001", card=a_card("6216261000000000018")) is None
    assert completes(rows, auth_code="000001", mid=OTHER_MID) is None


def test_a_completion_may_come_from_another_terminal_and_a_later_batch_or_epoch() -> None:
    rows = [a_row(1, Kind.PRE_AUTH, tid=OTHER_TID, batch_id=77, epoch=9)]
    assert completes(rows, NAC, auth_code="000001") == 1


def test_the_date_of_de_61_must_be_the_preauth_s_unless_it_is_0000() -> None:
    row = a_row(1, Kind.PRE_AUTH, answered_at="0228120000", created_at="2026-02-28T12:00:00+00:00")
    for date, expected in (("0228", 1), ("0302", None), ("0000", 1), ("", 1)):
        assert completes([row], original=OriginalRef(auth_code="000001", date=date)) == expected


def test_of_two_with_one_code_the_live_one_is_meant_then_the_completed_one() -> None:
    voided = a_row(3, Kind.PRE_AUTH, auth_code="000001", state=TxnState.VOIDED)
    completed = a_row(2, Kind.PRE_AUTH, auth_code="000001", state=TxnState.CAPTURED)
    live = a_row(1, Kind.PRE_AUTH)
    assert completes([live, completed, voided], auth_code="000001") == 1
    assert completes([completed, voided], auth_code="000001") == 2
    assert completes([voided], auth_code="000001") == 3


def test_de_90_names_a_preauth_before_card_and_code() -> None:
    rows = [a_row(1, Kind.PRE_AUTH), a_row(2, Kind.PRE_AUTH)]
    ref = OriginalRef(stan="000001", transmitted="0302040000", mti="0100")
    assert completes(rows, ISO87, auth_code="000002", original=ref) == 1
    assert completes(rows, ISO87, auth_code="000002", original=replace(ref, mti="0200")) == 2
    assert completes(rows, ISO87, auth_code="000002", original=replace(ref, stan="000000")) == 2
    assert completes(rows, ISO87, original=replace(ref, transmitted="0302050000")) is None
    assert completes(rows, ISO87, original=replace(ref, transmitted="0000000000")) == 1


def test_an_increment_names_the_newest_live_preauth_of_the_card() -> None:
    def grows(profile: Profile = CUP, **changes: Any) -> int | None:
        return named(originals.named_by_increment, rows, Kind.PRE_AUTH_INCREMENT, profile, amount=1, **changes)

    rows = [a_row(1, Kind.PRE_AUTH), a_row(2, Kind.PRE_AUTH), a_row(3, Kind.PRE_AUTH, state=TxnState.VOIDED)]
    assert grows() == 2
    assert grows(auth_code="000001") == 1
    assert grows(auth_code="000003") is None
    assert grows(ISO87, original=OriginalRef(stan="000001", mti="0100")) == 1


def test_a_preauth_void_in_each_dialect() -> None:
    def voids(profile: Profile, **changes: Any) -> int | None:
        return named(originals.named_by_preauth_void, rows, Kind.PRE_AUTH_VOID, profile, amount=1, **changes)

    rows = [a_row(1, Kind.PRE_AUTH, invoice="000045"), a_row(2, Kind.PRE_AUTH, invoice="000046"), a_row(3)]
    assert voids(CUP, auth_code="000001") == 1
    assert voids(NAC, rrn="000000000001") == 1
    assert voids(NAC, rrn="000000000003") is None  # a sale
    assert voids(NAC, rrn="000000000404", invoice="000045") is None
    assert voids(NAC, invoice="000046") == 2
    assert voids(ISO87, original=OriginalRef(stan="000001", mti="0100")) == 1


def test_a_tip_names_its_sale_in_each_dialect() -> None:
    def tips(profile: Profile, **changes: Any) -> int | None:
        return named(originals.named_by_adjust, rows, Kind.TIP, profile, amount=1, **changes)

    rows = [a_row(1, invoice="000045"), a_row(2, tid=OTHER_TID, invoice="000046"), a_row(3, Kind.REFUND)]
    assert tips(CUP, original=OriginalRef(stan="000001", batch="000001")) == 1
    assert tips(CUP, original=OriginalRef(stan="000002", batch="000001")) is None  # another terminal's
    assert tips(NAC, rrn="000000000001") == 1
    assert tips(NAC, rrn="000000000002") is None
    assert tips(NAC, invoice="000045") == 1
    assert tips(ISO87, original=OriginalRef(stan="000001", transmitted="0302040000", mti="0200")) == 1
    assert tips(ISO87, original=OriginalRef(stan="000001", transmitted="0302040000", mti="0100")) is None
    assert tips(ISO87, rrn="000000000001") is None  # DE 37 is the terminal's own there


def test_an_iso87_void_names_stan_and_de_7_of_de_90() -> None:
    desk = Desk(ISO87)
    at: dict[str, Any] = {"transmitted": "0302010000", "local_date": "0302", "local_time": "090000"}
    desk.sale(1, **at)
    ref = OriginalRef(stan="000001", transmitted="0302010000", mti="0200")
    assert void(desk, 2, replace(ref, mti="0100")) == "25"
    assert void(desk, 3, replace(ref, transmitted="0302020000")) == "25"
    assert void(desk, 4, OriginalRef(rrn=desk.txn(1).rrn)) == "25"
    assert void(desk, 5, replace(ref, mti="0201")) == "00"


def test_a_void_by_invoice_takes_a_refund_only_with_22() -> None:
    rows = [a_row(1, Kind.REFUND, invoice="000045"), a_row(2, invoice="000045", batch_id=2)]
    books = WorkingSet([this_terminal(), *rows])
    desk = Desk(NAC)
    desk.sale(8)
    batch = desk.books.open_batch(TID)
    assert batch is not None
    books.apply([replace(batch, id=1)])
    for processing, expected in (("220000", 1), ("020000", None)):
        request = a_request(Kind.VOID, NAC, stan=9, amount=0, invoice="000045", processing_code=processing)
        found = originals.named_by_void(books, this_terminal(), request)
        assert (found.id if found else None) == expected


# ---- refunds


def refunds(rows: list[Txn], profile: Profile, amount: int = 4_000, left: int = 10_000, **changes: Any) -> RefundOf:
    changes.setdefault("card", a_card())
    request = a_request(Kind.REFUND, profile, stan=900, amount=amount, **changes)
    books = WorkingSet([this_terminal(), *rows])
    return originals.named_by_refund(books, this_terminal(), request, NOW, lambda _: left)


def test_a_refund_by_rrn_and_merchant_on_any_terminal() -> None:
    rows = [a_row(1, tid=OTHER_TID, epoch=5), a_row(2, mid=OTHER_MID)]
    for profile in (CUP, NAC, ISO87):
        assert refunds(rows, profile, rrn="000000000001") == RefundOf(rows[0], by_rule=False)
    assert refunds(rows, NAC, rrn="000000000002") == RefundOf(None, by_rule=False)
    assert refunds(rows, CUP, rrn="000000000404") == RefundOf(None, by_rule=False)
    # In ISO 87 a DE 37 that names nothing is the terminal's own invention: as if it were not there.
    assert refunds(rows, ISO87, rrn="000000000404") == RefundOf(rows[0], by_rule=True)


def test_a_cup_refund_without_rrn_needs_batch_stan_and_date() -> None:
    rows = [a_row(1, tid=OTHER_TID), a_row(2, mid=OTHER_MID, stan="000001")]
    ref = OriginalRef(stan="000001", batch="000001", date="0302")
    assert refunds(rows, CUP, original=ref).txn == rows[0]
    others = [replace(ref, date=date) for date in ("", "0000", "0303")]
    for other in (*others, replace(ref, batch="000002"), replace(ref, stan="000002")):
        assert refunds(rows, CUP, original=other) == RefundOf(None, by_rule=False)
    assert refunds(rows, CUP) == RefundOf(None, by_rule=False)  # rule R is not CUP's


def test_an_iso87_refund_by_de_90_prefers_its_own_terminal() -> None:
    rows = [a_row(1), a_row(2, tid=OTHER_TID, stan="000001")]
    ref = OriginalRef(stan="000001", transmitted="0302040000", mti="0200")
    assert refunds(rows, ISO87, original=ref).txn == rows[0]
    assert refunds(rows[1:], ISO87, original=ref).txn == rows[1]
    assert refunds(rows, ISO87, original=replace(ref, transmitted="0302050000")) == RefundOf(None, by_rule=False)


@pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])
def test_rule_r_takes_the_newest_captured_sale_of_card_and_merchant_with_enough_left(profile: Profile) -> None:
    old = (NOW - timedelta(days=401)).isoformat()
    rows = [
        a_row(1),
        a_row(2, tid=OTHER_TID),
        a_row(3, state=TxnState.VOIDED),
        a_row(4, Kind.PRE_AUTH),
        a_row(5, Kind.REFUND),
        a_row(6, mid=OTHER_MID),
        a_row(7, pan_hash="another"),
        a_row(8, created_at=old),
    ]
    request = a_request(Kind.REFUND, profile, stan=900, amount=4_000, card=a_card())
    books = WorkingSet([this_terminal(), *rows])
    rest = {1: 4_000, 2: 3_999}
    found = originals.named_by_refund(books, this_terminal(), request, NOW, lambda t: rest[t.id])
    assert found == RefundOf(rows[0], by_rule=True)
    # With none that has enough the newest is named, so that the caller says 64 and not 25.
    found = originals.named_by_refund(books, this_terminal(), request, NOW, lambda t: 3_999)
    assert found == RefundOf(rows[1], by_rule=True)
    for rule in ("refuse", "accept"):
        assert refunds(rows, replace(profile, refund_unreferenced=rule)) == RefundOf(None, by_rule=True)


# ---- reversals of ISO 87


AT: dict[str, Any] = {"transmitted": "0302010000", "local_date": "0302", "local_time": "090000"}
REF = OriginalRef(stan="000001", transmitted="0302010000", mti="0200")


def iso_sold() -> Desk:
    desk = Desk(ISO87)
    assert code(desk.sale(1, **AT)) == "00"
    return desk


def test_an_iso87_reversal_has_its_own_stan_and_names_de_90() -> None:
    desk = iso_sold()
    assert code(desk.reverse(2, original=REF)) == "00"
    assert desk.txn(1).state is TxnState.REVERSED
    assert code(desk.reverse(3, original=REF)) == "00"  # a repeat under the next number
    assert code(desk.sale(1, **AT)) == "12"


def test_an_iso87_reversal_of_another_amount_is_a_near_miss_without_tombstone() -> None:
    desk = iso_sold()
    assert code(desk.reverse(2, amount=9_999, original=REF)) == "25"
    assert (desk.alarms(), len(desk.rows(Txn)), desk.txn(1).state) == (["near-miss"], 1, TxnState.CAPTURED)


@pytest.mark.parametrize("ref", [None, OriginalRef(stan="000000", transmitted="0000000000")], ids=["absent", "zeros"])
def test_an_iso87_reversal_without_de_90_is_matched_on_de_11_12_and_13(ref: OriginalRef | None) -> None:
    desk = iso_sold()
    assert code(desk.reverse(1, original=ref, local_date="0302", local_time="091500")) == "25"
    assert desk.books.txns_by_stan(TID, "000001")[0].state is TxnState.CAPTURED
    desk = iso_sold()
    assert code(desk.reverse(1, original=ref, local_date="0302", local_time="090000")) == "00"
    desk = iso_sold()
    assert code(desk.reverse(1, original=ref)) == "00"


def test_a_repeated_iso87_reversal_meets_its_tombstone() -> None:
    desk = Desk(ISO87)
    assert [code(desk.reverse(stan, original=REF)) for stan in (2, 3)] == ["25", "25"]
    assert [t.state for t in desk.rows(Txn)] == [TxnState.TOMBSTONE]
    assert code(desk.sale(1, **AT)) == "12"
    assert code(desk.sale(1, transmitted="0302050000", local_date="0302", local_time="130000")) == "00"


def test_the_wrapped_number_of_iso87_is_told_by_its_time() -> None:
    desk = iso_sold()
    desk.sale(1, transmitted="0302050000", local_date="0302", local_time="130000")
    assert code(desk.reverse(2, original=REF)) == "00"
    assert [t.state for t in desk.rows(Txn)] == [TxnState.REVERSED, TxnState.CAPTURED]
