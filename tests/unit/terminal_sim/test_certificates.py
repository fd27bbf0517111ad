"""What becomes of a chip's last word: the TC of NAC before the 0500, and the item that the card refused (CUP 204, 206).

Expected: nac.md sections 4 and 6, flows.md section 5 (row 7), cup.md 5.10 (reason 11 = AAC).
"""

from __future__ import annotations

import pytest

from specs import tlv
from specs.operation import Card, Entry, Kind
from specs.tlv import Tlv
from specs.totals import BatchItem
from terminal_sim.flash_format import dump, load
from terminal_sim.moves import Adjust, End, OfflineSale, PreAuth, Sale, Settle, SignOn, Void
from terminal_sim.state import RowState
from tests.support.scripted_host import code, drop
from tests.support.till import CARD, FOREIGN, Till, agree
from tests.support.two_books import Meddle, Sell, Step, TwoBooks

CHIP = Card(CARD.pan, CARD.expiry, entry=Entry.CHIP)
FOREIGN_CHIP = Card(FOREIGN.pan, FOREIGN.expiry, entry=Entry.CHIP)
AAC = tlv.build([Tlv("91", bytes.fromhex("1122334455667788") + b"05")])


def tags(value: str) -> dict[str, bytes]:
    return {item.tag: item.value for item in tlv.parse(bytes.fromhex(value))}


# --- NAC: the TC before the settlement


def test_every_chip_sale_s_certificate_goes_before_the_0500() -> None:
    till = Till("nac")
    till.press(Sale(100, CARD))
    first = till.press(Sale(200, CHIP))
    second = till.press(Sale(300, FOREIGN_CHIP))
    till.press(OfflineSale(400, CHIP))  # its 0220 brought the certificate itself
    gone = till.press(Sale(500, CHIP)).stan
    till.press(Void(stan=gone))
    till.press(PreAuth(600, CHIP))
    heard = len(till.host.seen)
    assert till.press(Settle()).end is End.AGREED
    assert till.host.mtis()[heard:] == ["0320", "0320", "0500"]
    sent = till.host.sent("0320")
    assert [m[3] for m in sent] == ["940000"] * 2
    assert [m[60] for m in sent] == ["0200" + sale.stan + sale.rrn for sale in (first, second)]
    assert [m[4] for m in sent] == ["000000000200", "000000000300"]
    assert [tags(m[55])["9F27"] for m in sent] == [b"\x40"] * 2
    assert len({m[11] for m in till.host.seen}) == len(till.host.seen), "each 0320 takes a STAN of its own"
    assert {row.certificate for row in till.memory.archive[0].rows if row.stan in (first.stan, second.stan)} == {"00"}
    agree(till)


def test_a_certificate_is_sent_again_and_counts_nowhere() -> None:
    till = Till("nac")
    till.press(Sale(200, CHIP))
    till.host.faults["0320", 1] = drop
    assert till.press(Settle()).end is End.AGREED
    assert len(till.host.sent("0320")) == 2
    totals = till.memory.archive[0].totals
    assert (totals.item_count, totals.get("all", "sales").amount) == (1, 200)
    agree(till)


def test_an_adjusted_sale_s_certificate_is_of_what_the_card_saw() -> None:
    till = Till("nac")
    stan = till.press(Sale(200, CHIP)).stan
    till.press(Adjust(stan=stan, tip=50))
    assert till.press(Settle()).end is End.AGREED
    assert [m[4] for m in till.host.sent("0320")] == ["000000000200"]


def test_a_certificate_that_is_not_answered_stops_the_settlement_and_not_the_shop() -> None:
    till = Till("nac")
    till.press(Sale(200, CHIP))
    till.host.faults = {("0320", nth): drop for nth in (1, 2, 3)}
    result = till.press(Settle())
    assert (result.end, result.exit_code) == (End.UNANSWERED, 3)
    assert till.host.sent("0500") == []
    assert till.memory.settlement is None
    assert till.press(Sale(300, CARD)).end is End.APPROVED
    assert till.press(Settle()).end is End.AGREED
    agree(till)


def test_without_a_connection_nothing_of_it_was_sent() -> None:
    till = Till("nac")
    till.press(Sale(200, CHIP))
    till.line.down = True
    assert till.press(Settle()).exit_code == 4


def test_trouble_of_the_host_keeps_the_certificate_owed() -> None:
    till = Till("nac")
    till.press(Sale(200, CHIP))
    till.host.faults["0320", 1] = code("96")
    result = till.press(Settle())
    assert (result.end, result.code) == (End.PENDING, "96")
    assert [row.certificate for row in till.memory.rows] == [""]
    assert till.press(Settle()).end is End.AGREED


@pytest.mark.parametrize("answer", ["12", "40", "94"])
def test_a_host_that_takes_no_certificates_is_not_asked_for_ever(answer: str) -> None:
    till = Till("nac")
    till.press(Sale(200, CHIP))
    till.host.faults["0320", 1] = code(answer)
    assert till.press(Settle()).end is End.AGREED
    assert len(till.host.sent("0320")) == 1
    row = till.memory.archive[0].rows[0]
    assert (row.certificate, row.state, row.rejected) == (answer, RowState.JOURNALED, "")


def test_after_a_cut_only_what_was_not_acked_goes_again() -> None:
    till = Till("nac")
    till.press(Sale(200, CHIP))
    till.press(Sale(300, CHIP))
    assert till.press_and_cut(Settle(), "saf-flag", "after")
    till.power_up()
    assert till.press(Settle()).end is End.AGREED
    assert [m[4] for m in till.host.sent("0320")] == ["000000000200", "000000000300"]


def test_the_upload_still_has_every_record() -> None:
    """A certificate is not the record: after 95 the sale itself goes up."""
    till = Till("nac")
    stan = till.press(Sale(200, CHIP)).stan
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    assert till.press(Settle()).end is End.NOT_AGREED
    assert [(form, s) for form, s, _ in till.host.uploaded] == [("tc", stan), ("group", stan)]


def test_the_host_takes_note_of_it_and_stages_nothing() -> None:
    world = TwoBooks("nac")
    for step in (Step(Sell(100, entry="chip")), Step(Settle())):
        world.play(step)
    books = world.host.books()
    assert [leg.state for leg in books.legs] == ["done"]
    assert '"tc"' in books.txns[0].chip
    assert [row.certificate for row in world.memory.archive[0].rows] == ["00"]
    world.settled()


# --- CUP: the card refused what the host had approved


def refused(till: Till, *, card: Card = CHIP) -> str:
    till.host.chip = AAC
    stan = till.press(Sale(700, card)).stan
    till.host.chip = None
    return stan


def cup() -> Till:
    till = Till("cup")
    assert till.press(SignOn()).end is End.OK
    return till


def test_what_the_card_refused_is_uploaded_though_totals_agree() -> None:
    till = cup()
    till.press(Sale(100, CARD))
    stan = refused(till)
    row = till.memory.rows[-1]
    assert (row.stan, row.state, row.chip_end) == (stan, RowState.REVERSED, "aac")
    assert load(dump(till.memory)) == till.memory
    assert till.press(Settle()).end is End.AGREED
    first, end = till.host.sent("0320")
    assert (first[60][8:11], end[60][8:11], end[48]) == ("204", "207", "0001")
    assert (first[11], tags(first[55])["9F27"]) == (stan, b"\x00")
    assert bytes.fromhex(first[62]) == b"71001100000000070015622", "cup.md 5.10"
    assert till.memory.archive[0].totals.item_count == 1
    agree(till)


def test_in_a_batch_that_differs_it_is_a_206_before_the_wrong_arpc() -> None:
    till = cup()
    stan = refused(till, card=FOREIGN_CHIP)
    till.host.chip = tlv.build([Tlv("91", bytes(8) + b"00")])
    wrong = till.press(Sale(800, CHIP)).stan
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    assert till.press(Settle()).end is End.NOT_AGREED
    assert [m[60][8:11] for m in till.host.sent("0320")] == ["206", "206", "202"]
    assert [s for _, s, _ in till.host.uploaded] == [stan, wrong]
    assert till.host.sent("0320")[-1][48] == "0002"


def test_the_record_is_made_when_the_reversal_is_acked() -> None:
    till = cup()
    till.host.faults = {("0400", nth): drop for nth in (1, 2, 3)}
    refused(till)
    assert not any(till.memory.rows)
    assert load(dump(till.memory)) == till.memory
    till.host.faults.clear()
    till.power_up()
    assert [row.chip_end for row in till.memory.rows] == ["aac"]
    assert till.memory.pending is None


def test_a_batch_with_nothing_else_can_be_closed() -> None:
    till = cup()
    refused(till)
    assert till.press(Settle()).end is End.AGREED
    assert till.memory.rows == ()
    assert till.memory.archive[0].totals.empty


@pytest.mark.parametrize("dialect", ["nac", "iso87"])
def test_elsewhere_no_message_tells_of_it(dialect: str) -> None:
    till = Till(dialect)
    refused(till)
    assert {row.chip_end for row in till.memory.rows} <= {""}


def test_a_reservation_that_the_card_refused_leaves_no_record() -> None:
    till = cup()
    till.host.chip = AAC
    till.press(PreAuth(700, CHIP))
    assert (till.memory.rows, till.memory.pending) == ((), None)


def test_the_host_counts_the_same_items_as_the_end_message() -> None:
    """Reason 11 is evidence at the host: staged for the count, and no exception."""
    world = TwoBooks("cup")
    order = Sale(700, CHIP, chip_refuses=True)
    world.play(Step(SignOn()))
    world.play(Step(Sell(100)))
    world.play(Step(Fixed(order)))
    said = world.play(Step(Settle()))
    assert said is not None
    assert said.end is End.AGREED
    books = world.host.books()
    assert [(s.form, s.evidence) for s in books.staged] == [("failed", True)]
    assert not books.exceptions
    world.settled()


def test_in_a_dispute_the_counts_agree_too() -> None:
    world = TwoBooks("cup")
    world.play(Step(SignOn()))
    world.play(Step(Sell(100)))
    world.play(Step(Fixed(Sale(700, CHIP, chip_refuses=True))))
    world.play(Step(Meddle("phantom")))
    world.play(Step(Settle()))
    books = world.host.books()
    closed = books.batches[0]
    assert closed.end_count == len([s for s in books.staged if s.batch_id == closed.id]) == 3


class Fixed:
    """A deed that is this very order."""

    def __init__(self, order: Sale) -> None:
        self._order = order

    def order(self, memory: object) -> Sale:
        return self._order
