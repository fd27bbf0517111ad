"""Printing again: byte for byte the first print, apart from the mark in the first line (failure-catalogue 78, E8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.operation import Card, Entry, Kind
from terminal_sim import operators, reprints, slips
from terminal_sim.flash_format import dump, load
from terminal_sim.moves import Adjust, End, OfflineSale, Sale, SendStored, Settle, SignOn, Void
from terminal_sim.reprints import Again
from terminal_sim.state import Archived, Config, Memory, Row, RowState, Slip
from tests.support.scripted_host import drop
from tests.support.till import CARD, Till

MARK = "****重打印/DUPLICATED****"


def same_but_for_the_mark(again: Again, first: Slip) -> bool:
    """Each copy of the second print: the mark alone in the first line, the first print below it."""
    assert again.slip is not None, again.why
    marked = [copy.partition("\n") for copy in again.slip.copies]
    return [head.strip() for head, _, _ in marked] == [MARK] * len(first.copies) and [
        rest for _, _, rest in marked
    ] == list(first.copies)


@pytest.fixture
def till() -> Till:
    till = Till("cup")
    till.flash.save("key-store", replace(till.memory, operator="07"))
    till.power_up(SignOn())
    return till


def test_a_sale_and_its_void_print_the_same_after_more_sales_a_settlement_and_a_restart(till: Till) -> None:
    till.press(Sale(10000, CARD))
    till.press(Sale(7000, Card("4111111111111111", "3012", entry=Entry.MANUAL)))
    first, manual = till.screen.slips
    till.press(Void(stan=till.memory.rows[0].stan))
    void = till.screen.slips[2]
    sale, other, voided = till.memory.rows

    def all_the_same(memory: Memory) -> bool:
        return (
            same_but_for_the_mark(reprints.transaction(memory, "cup", stan=sale.stan), first)
            and same_but_for_the_mark(reprints.transaction(memory, "cup", rrn=other.rrn), manual)
            and same_but_for_the_mark(reprints.transaction(memory, "cup", stan=voided.stan), void)
        )

    assert "07" in first.copies[0].split("OPERATOR")[1].splitlines()[0]
    till.flash.save("key-store", replace(till.memory, operator="08"))
    till.power_up()
    assert all_the_same(till.memory)
    till.press(Settle())
    assert till.memory.rows == ()
    assert all_the_same(till.memory)
    assert all_the_same(load(dump(till.memory)))


def test_stored_items_print_the_same_before_and_after_their_answers(till: Till) -> None:
    """The paper came out before the host said a word; what it says afterwards is in the journal, not on a reprint."""
    till.press(Sale(10000, CARD))
    till.press(Adjust(stan=till.memory.rows[0].stan, tip=1000))
    till.press(OfflineSale(4000, CARD))
    till.press(OfflineSale(5000, CARD, auth_code="P12345"))
    firsts = dict(zip((row.stan for row in till.memory.rows), till.screen.slips, strict=True))

    def all_the_same(memory: Memory) -> bool:
        return all(
            same_but_for_the_mark(reprints.transaction(memory, "cup", stan=stan), firsts[stan]) for stan in firsts
        )

    assert all_the_same(till.memory)
    assert till.press(SendStored()).end is End.OK
    assert [row.rrn != "" for row in till.memory.rows] == [True] * 4, "the answers have brought something"
    assert all_the_same(till.memory)
    till.press(Settle())
    assert till.memory.rows == ()
    assert all_the_same(load(dump(till.memory)))


def test_the_settlement_slip_is_kept_until_the_next(till: Till) -> None:
    till.press(Sale(10000, CARD))
    till.press(Settle())
    printed = till.screen.slips[-1]
    assert printed.title == "SETTLEMENT"
    till.press(Sale(500, CARD))
    assert same_but_for_the_mark(reprints.settlement(load(dump(till.memory))), printed)
    assert same_but_for_the_mark(reprints.last(till.memory), till.screen.slips[-1])


def test_the_list_of_a_closed_batch_stays_as_it_was(till: Till) -> None:
    till.press(Sale(10000, CARD))
    till.press(Settle())
    printed = reprints.detail_slip(till.memory, "cup")
    assert printed is not None
    assert same_but_for_the_mark(reprints.listing(till.memory, "cup"), printed)
    till.press(Sale(500, CARD))
    assert same_but_for_the_mark(reprints.listing(load(dump(till.memory)), "cup", "000001"), printed)
    newest = reprints.detail_slip(till.memory, "cup")
    assert newest is not None
    assert "  消费/SALE" not in newest.copies[0]
    assert " 5.00" in newest.copies[0]


# --- which one, and which none


CONFIG = Config("12345678", "123456789012345", "nac://127.0.0.1:1")
ROW = Row("000001", "000003", Kind.SALE, 100, "6223164991230014", rrn="000000000009")


def memory_with(*rows: Row, archive: tuple[Archived, ...] = ()) -> Memory:
    return Memory(CONFIG, batch="000003", rows=rows, archive=archive)


def closed(batch: str, *rows: Row) -> Archived:
    from specs.totals import Totals

    return Archived(batch, rows, Totals(), "agreed")


def test_stans_come_round_again_and_the_newest_is_meant() -> None:
    old, older = replace(ROW, batch="000002", amount=200), replace(ROW, batch="000001", amount=300)
    archive = (closed("000001", older), closed("000002", old))
    assert reprints.find(memory_with(ROW, archive=archive), stan="000001") == ROW
    assert reprints.find(memory_with(archive=archive), stan="000001") == old
    assert reprints.find(memory_with(archive=archive[:1]), rrn=ROW.rrn) == older
    assert reprints.find(memory_with(ROW), stan="000002") is None
    assert reprints.find(memory_with(replace(ROW, rrn="")), rrn="") is None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (replace(ROW, state=RowState.REVERSED), "was reversed"),
        (replace(ROW, kind=Kind.REFUND, stored=True), "unknown"),
        (replace(ROW, stan="000002"), "neither in the open batch nor in the archive"),
    ],
)
def test_what_has_no_slip_gets_none(row: Row, why: str) -> None:
    """RT10: a refund without an answer was never approved, and a reprint must not say so."""
    again = reprints.transaction(memory_with(row), "nac", stan="000001")
    assert again.slip is None
    assert why in again.why


@pytest.mark.parametrize(
    ("row", "remark"),
    [
        (ROW, ""),
        (replace(ROW, state=RowState.VOIDED), "STAN 000001 is voided"),
        (replace(ROW, adjusted=True), "STAN 000001 is adjusted"),
        (replace(ROW, kind=Kind.OFFLINE_SALE, stored=True), "STAN 000001 is stored"),
        (replace(ROW, state=RowState.REJECTED, rejected="05"), "STAN 000001 is rejected"),
    ],
)
def test_what_became_of_it_since_is_told_beside_the_paper(row: Row, remark: str) -> None:
    again = reprints.transaction(memory_with(row), "nac", stan="000001")
    assert again.slip == slips.duplicate(slips.transaction(CONFIG, "nac", row))
    assert again.remark == remark


def test_a_new_terminal_has_nothing_to_print_again() -> None:
    memory = memory_with()
    for again in (reprints.last(memory), reprints.settlement(memory), reprints.listing(memory, "nac")):
        assert again.slip is None
        assert again.why
    assert reprints.listing(memory_with(ROW), "nac", "000009").slip is None


def test_who_printed_again_is_noted() -> None:
    memory = replace(memory_with(ROW), operators=operators.documented_operators(), operator="00")
    after = reprints.noted(
        memory, reprints.transaction(memory, "nac", stan="000001"), "transaction", "2026-11-21T09:30"
    )
    event = after.events[-1]
    assert (event.event, event.stan, event.detail, event.at) == (
        "reprint",
        "000001",
        "transaction by 00",
        "2026-11-21T09:30",
    )


# --- the report that is no voucher


def test_a_reversal_that_nobody_answers_is_reported_on_paper_and_is_no_last_slip(till: Till) -> None:
    """flows.md section 4: repeated failure, fault slip; the record stays, and a reprint still gives the last sale."""
    till.press(Sale(10000, CARD))
    sold = till.screen.slips[-1]
    till.host.faults["0200", 2] = drop
    for nth in (1, 2, 3):
        till.host.faults["0400", nth] = drop
    till.press(Sale(500, CARD))
    till.press(Sale(700, CARD))
    report = till.screen.slips[-1]
    assert report.title == "FAULT"
    assert "故障报告单,非凭证联" in report.copies[0]
    assert "CNY 5.00" in report.copies[0]
    assert CARD.pan not in report.copies[0]
    assert till.memory.pending is not None
    assert same_but_for_the_mark(reprints.last(till.memory), sold)
