"""Which original a void or a reversal names (rules.md, section 1), per scheme."""

from __future__ import annotations

from dataclasses import replace

from host.engine.originals import amount_fits
from host.rows import TxnState
from specs.operation import Kind, OriginalRef
from tests.support.books import a_txn
from tests.support.engine import CUP, NAC, TID, Desk, code, refuse


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


def test_a_repeated_nac_reversal_does_not_hit_the_sale_made_in_its_place() -> None:
    """The sale was lost, its 0400 left a tombstone, the operator sold again under the same invoice: a repeat of that
    0400 must not undo the sale that stands."""
    desk = Desk(NAC)
    assert code(desk.reverse(1, invoice="000045")) == "25"
    assert code(desk.sale(2, invoice="000045")) == "00"
    assert code(desk.reverse(1, invoice="000045")) == "25"
    assert desk.txn(2).state is TxnState.CAPTURED


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
