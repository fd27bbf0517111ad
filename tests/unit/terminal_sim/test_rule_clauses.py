"""Clauses of the reference rules that the tests of jobs and settlement leave unsaid (docs/rules-and-tests.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.message import Message
from specs.operation import Kind
from specs.totals import BatchItem
from terminal_sim.flash import MemoryFlash
from terminal_sim.moves import (
    End,
    Key,
    OfflineSale,
    Order,
    Print,
    Received,
    Sale,
    Save,
    Send,
    SendStored,
    Settle,
    SignOn,
    Void,
)
from terminal_sim.state import Pending, Row, RowState, Slip
from terminal_sim.terminal import Terminal
from tests.support.scripted_host import Reply, ScriptedHost, code, drop
from tests.support.till import CARD, Screen, Till, agree

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
UPLOADING = pytest.mark.parametrize("dialect", ["cup", "nac"])


def ready(dialect: str = "cup", *amounts: int) -> Till:
    till = Till(dialect)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    for amount in amounts:
        assert till.press(Sale(amount, CARD)).end is End.APPROVED
    return till


def owing(dialect: str, *amounts: int) -> Till:
    """The till with these sales, and with one of 7.00 whose answer was lost."""
    till = ready(dialect, *amounts)
    till.host.faults["0200", len(amounts) + 1] = drop
    assert till.press(Sale(700, CARD)).end is End.UNKNOWN
    return till


# --- RT1


@pytest.mark.parametrize("step", ["stan", "rev-store"])
@DIALECTS
def test_rt1_a_flash_that_refuses_lets_nothing_leave(dialect: str, step: str) -> None:
    till = ready(dialect)
    heard = len(till.host.seen)
    till.flash.refuse = step
    assert till.press(Sale(100, CARD)).exit_code == 4
    assert len(till.host.seen) == heard


# --- RT2


@UPLOADING
def test_rt2_what_the_reversal_has_taken_out_is_in_no_total_and_no_upload(dialect: str) -> None:
    """Case 15 up to the end: row and reversal survived, the reversal was acked, and then the batch is in dispute."""
    till = owing(dialect, 100)
    pending = till.memory.pending
    assert pending is not None
    kept = (*till.memory.rows, Row(pending.stan, pending.batch, Kind.SALE, 700, CARD.pan))
    till.flash = MemoryFlash(replace(till.memory, rows=kept))
    till.power_up()
    till.host.extra = [BatchItem(Kind.SALE, 4200)]
    assert till.press(Settle()).end is End.NOT_AGREED
    (closed,) = till.memory.archive
    assert [(total.count, total.amount) for total in closed.totals.sums if total.count] == [(1, 100)]
    assert [(stan, amount) for _form, stan, amount in till.host.uploaded] == [(closed.rows[0].stan, 100)]


@DIALECTS
def test_rt2_a_void_whose_reversal_survived_gives_its_sale_back(dialect: str) -> None:
    """Case 15 for a void: both survived, the reversal wins, and the sale counts again at both ends."""
    till = ready(dialect, 100)
    (sale,) = till.memory.rows
    assert till.press(Void(stan=sale.stan)).end is End.APPROVED
    void = till.memory.rows[1]
    image = till.wire.family.reversal_of(till.host.sent("0200")[1], "98", till.wire.dialect)
    till.flash = MemoryFlash(replace(till.memory, pending=Pending(void.stan, void.batch, void.kind, 100, image)))
    till.power_up()
    assert [row.state for row in till.memory.rows] == [RowState.JOURNALED, RowState.REVERSED]
    assert till.host.live() == {sale.stan: 100}
    agree(till)


# --- RT3


@pytest.mark.parametrize("order", [Sale(200, CARD), Settle(), SendStored()], ids=["sale", "settle", "send"])
@DIALECTS
def test_rt3_while_the_reversal_is_not_acked_nothing_else_goes(dialect: str, order: Order) -> None:
    till = owing(dialect, 100)
    till.host.faults |= {(mti, nth): drop for mti in ("0400", "0420", "0421") for nth in range(1, 4)}
    heard = len(till.host.seen)
    result = till.press(order)
    assert (result.end, till.memory.pending is None) == (End.NOT_SENT, False)
    assert {message.mti[:2] for message in till.host.seen[heard:]} == {"04"}
    assert till.memory.settlement is None


@DIALECTS
def test_rt3_send_takes_the_reversal_along_when_nothing_is_stored(dialect: str) -> None:
    """What a shop calls by the clock as long as no terminal runs all day: it clears what is owed, and sells nothing."""
    till = owing(dialect)
    heard = len(till.host.seen)
    assert till.press(SendStored()).exit_code == 0
    assert [message.mti[:2] for message in till.host.seen[heard:]] == ["04"]
    assert till.memory.pending is None
    agree(till)


# --- RT4


@pytest.mark.parametrize(
    ("answer", "cleared"), [("25", True), ("12", True), ("94", True), *((c, False) for c in ("21", "78", "91", "96"))]
)
def test_rt4_the_set_of_iso87(answer: str, cleared: bool) -> None:
    till = owing("iso87")
    till.host.faults |= {(mti, 1): code(answer) for mti in ("0420", "0421")}
    till.power_up()
    assert (till.memory.pending is None) is cleared


# --- RT5


@DIALECTS
def test_rt5_an_answer_of_another_type_is_ignored_and_the_right_one_still_taken(dialect: str) -> None:
    """The answer to a pre-authorisation of the same number, amount and terminal: a yes, and not to this question."""

    def other_type_first(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        wrong = replace(host.decode(reply[0]), mti="0110")
        return [host.encode(wrong.with_fields({38: "WRONG1"})), *reply]

    till = ready(dialect)
    till.host.faults["0200", 1] = other_type_first
    result = till.press(Sale(100, CARD))
    assert (result.end, result.auth_code) == (End.APPROVED, "A12345")
    ignored = [event for event in till.memory.events if event.event == "ignored-answer"]
    assert [(event.stan, "MTI" in event.detail) for event in ignored] == [(result.stan, True)]


# --- RT6


@DIALECTS
def test_rt6_the_freeze_is_saved_before_the_0500_is_sent(dialect: str) -> None:
    """Case 29: after a cut behind the 0500 the host may have closed, so the terminal must know that it asked."""
    till = ready(dialect, 100)
    actions = Terminal(till.wire, till.memory).handle(Key(Settle()))
    saved = [action for action in actions if isinstance(action, Save)]
    assert [action.step for action in saved] == ["freeze", "stan"]
    assert isinstance(actions[-1], Send)
    assert actions[-1].message.mti == "0500"
    frozen = saved[-1].memory.settlement
    assert frozen is not None
    assert (frozen.batch, [s.amount for s in frozen.totals.sums if s.count]) == ("000001", [100])


# --- RT7


class NoPaper(Screen):
    """A printer that fails at once."""

    def print(self, slip: Slip) -> None:
        raise OSError("paper out")


@DIALECTS
def test_rt7_a_printer_that_fails_changes_no_state(dialect: str) -> None:
    """Case 41: closed at both ends, no slip; nothing is settled again, and the slip is there to be printed."""
    till = ready(dialect, 100)
    till.screen = NoPaper()
    till.power_up()
    with pytest.raises(OSError, match="paper out"):
        till.press(Settle())
    assert (till.memory.rows, len(till.memory.archive), till.memory.batch) == ((), 1, "000002")
    assert till.memory.last_slip is not None
    assert "SETTLEMENT" in till.memory.last_slip.title
    till.screen = Screen()
    till.power_up()
    asked = len(till.host.sent("0500"))
    assert till.press(Settle()).end is End.NOTHING
    assert len(till.host.sent("0500")) == asked
    agree(till)


def test_rt7_a_slip_is_of_a_final_state() -> None:
    """A sale too: the row is on flash before the paper says «approved» (A6)."""
    till = ready()
    terminal = Terminal(till.wire, till.memory)
    terminal.handle(Key(Sale(100, CARD)))
    sent = terminal.running.exchange
    assert sent is not None
    (answer,) = till.host.receive(till.wire.payload(sent.request))
    assert isinstance(answer, bytes)
    actions = terminal.handle(Received(answer))
    kinds = [action.step if isinstance(action, Save) else type(action).__name__ for action in actions]
    assert kinds.index("journal") < kinds.index(Print.__name__)


# --- RT8


@pytest.mark.parametrize("trouble", ["96", "91", "A0"])
def test_rt8_trouble_of_the_host_flags_nothing_and_rejects_nothing(trouble: str) -> None:
    """The 0330 is not about the record: it is still owed, and the settlement goes on from it."""
    till = ready("cup", 100)
    till.host.extra = [BatchItem(Kind.SALE, 4200)]
    till.host.faults |= {("0320", nth): code(trouble) for nth in (1, 2, 3)}
    assert till.press(Settle()).end is End.PENDING
    assert [(row.uploaded, row.rejected) for row in till.memory.rows] == [(False, "")]
    till.host.faults.clear()
    if not till.memory.signed_on:
        till.press(SignOn())
    assert till.press(Settle()).end is End.NOT_AGREED
    assert [row.uploaded for row in till.memory.archive[0].rows] == [True]


# --- RT9


@DIALECTS
def test_rt9_a_stored_item_counts_once_delivered_and_not_once_refused(dialect: str) -> None:
    """Both stored before the close; the settlement sends them first, and its totals are those of what the host took."""
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.press(OfflineSale(200, CARD))
    till.host.decline[200] = "05"
    heard = len(till.host.seen)
    assert till.press(Settle()).end is End.AGREED
    assert [message.mti for message in till.host.seen[heard:]][:3] == ["0220", "0220", "0500"]
    (closed,) = till.memory.archive
    assert [(row.amount, row.state) for row in closed.rows] == [(100, RowState.JOURNALED), (200, RowState.REJECTED)]
    assert sum(total.amount for total in closed.totals.sums) == 100
    assert "2.00" in till.screen.slips[-1].copies[0], "the refused one is on the settlement slip's list"


# --- RT10


@pytest.mark.parametrize("step", ["journal", "rev-clear"])
def test_rt10_a_flash_that_fails_after_the_request_has_left_is_doubt(step: str) -> None:
    """Case 83 behind the answer: what was approved could not be kept, so nobody may say «nothing was sent»."""
    till = ready()
    till.host.decline[100] = "51" if step == "rev-clear" else "00"
    till.flash.refuse = step
    result = till.press(Sale(100, CARD))
    assert (result.end, result.exit_code) == (End.UNKNOWN, 3)
    assert "unknown: query first" in till.screen.lines[-1]
    till.flash.refuse = ""
    till.power_up()
    agree(till)


@DIALECTS
def test_rt10_an_unanswered_settlement_is_exit_3_and_not_called_failed(dialect: str) -> None:
    till = ready(dialect, 100)
    till.host.faults |= {("0500", 1): drop}
    result = till.press(Settle())
    assert (result.end, result.exit_code) == (End.UNANSWERED, 3)
    assert "no answer" in till.screen.lines[-1]
    assert "fail" not in " ".join(till.screen.lines)
