"""The reference rules RT1 to RT5 and RT10 (failure-catalogue.md section 2), one by one, against a scripted host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.operation import Kind
from terminal_sim.flash import MemoryFlash
from terminal_sim.moves import (
    Balance,
    Boot,
    Echo,
    End,
    Key,
    Order,
    Received,
    Sale,
    Save,
    Send,
    Settle,
    SignOff,
    SignOn,
    Void,
)
from terminal_sim.state import ROWS_MAX, Pending, Row, RowState
from terminal_sim.terminal import Terminal
from terminal_sim.wire import Wire
from tests.support.scripted_host import change, code, drop, garbage, hang_up
from tests.support.till import CARD, Till, agree

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])


def signed_on(dialect: str = "cup") -> Till:
    till = Till(dialect)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    return till


# --- RT1: on flash before the first byte leaves


@DIALECTS
def test_rt1_stan_and_reversal_are_saved_before_the_request_is_sent(dialect: str) -> None:
    till = signed_on(dialect)
    actions = Terminal(till.wire, till.memory).handle(Key(Sale(100, CARD)))
    kinds = [(action.step if isinstance(action, Save) else type(action).__name__) for action in actions]
    assert kinds == ["stan", "rev-store", "Send"]
    _, stored, send = actions
    assert isinstance(stored, Save)
    assert isinstance(send, Send)
    assert stored.memory.pending is not None
    assert stored.memory.pending.stan == stored.memory.stan == send.message[11]


def test_rt1_a_full_flash_stops_the_sale_before_it_is_sent() -> None:
    """Case 83: unrecorded, a sent sale could never be undone."""
    till = signed_on()
    till.flash.refuse = "rev-store"
    result = till.press(Sale(100, CARD))
    assert result.end is End.NOT_SENT
    assert "0200" not in till.host.mtis()


def test_the_stored_reversal_holds_neither_track_nor_pin() -> None:
    till = signed_on()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    assert till.memory.pending is not None
    assert not {35, 36, 52, 53} & till.memory.pending.image.fields.keys()


def test_a_stan_of_the_open_journal_is_skipped_after_the_wrap() -> None:
    """Case 48: CUP and NAC cannot tell a wrapped STAN from a repeat."""
    till = signed_on()
    first = till.press(Sale(100, CARD))
    assert first.stan == "000002"
    wrapped = replace(till.memory, stan="999999")
    assert wrapped.next_stan() == "000001"
    assert replace(wrapped, stan="000001").next_stan() == "000003"


# --- RT2: journal row and cleared reversal are one write


@DIALECTS
def test_rt2_one_write_makes_the_row_and_clears_the_reversal(dialect: str) -> None:
    till = signed_on(dialect)
    saved: list[tuple[str, bool, int]] = []
    save = till.flash.save

    def watch(step: str, memory: object) -> None:
        save(step, memory)  # type: ignore[arg-type]
        saved.append((step, till.memory.pending is not None, len(till.memory.rows)))

    till.flash.save = watch  # type: ignore[method-assign]
    assert till.press(Sale(100, CARD)).end is End.APPROVED
    assert saved == [("stan", False, 0), ("rev-store", True, 0), ("journal", False, 1)]


def test_rt2_when_row_and_reversal_both_survive_the_reversal_wins() -> None:
    """Case 15, as firmware leaves it that writes the two apart: the ack takes the row out of totals and upload."""
    till = signed_on()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    pending = till.memory.pending
    assert pending is not None
    row = Row(pending.stan, pending.batch, Kind.SALE, 100, CARD.pan)
    till.flash = MemoryFlash(replace(till.memory, rows=(row,)))
    till.power_up()
    assert till.memory.rows[0].state is RowState.REVERSED
    assert till.memory.live_rows == ()
    agree(till)


def test_rt2_a_reversed_void_gives_its_sale_back() -> None:
    till = signed_on()
    sale = till.press(Sale(100, CARD))
    till.host.faults["0200", 2] = drop
    assert till.press(Void(stan=sale.stan)).end is End.UNKNOWN
    assert till.memory.rows[0].state is RowState.JOURNALED
    till.power_up()
    assert till.host.live() == {sale.stan: 100}
    agree(till)


# --- RT3: what is owed goes first


@pytest.mark.parametrize(
    ("dialect", "order"),
    [
        *(("cup", order) for order in (Sale(200, CARD), Echo(), Settle(), Balance(CARD), SignOff(), SignOn())),
        *(("nac", order) for order in (Sale(200, CARD), Echo(), Settle())),
    ],
)
def test_rt3_a_pending_reversal_goes_before_anything_else(dialect: str, order: Order) -> None:
    till = signed_on(dialect)
    till.press(Sale(50, CARD))
    till.host.faults["0200", 2] = drop
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    heard = len(till.host.seen)
    till.press(order)
    assert till.host.mtis()[heard] == "0400"
    assert till.memory.pending is None


@DIALECTS
def test_rt3_boot_sends_the_reversal(dialect: str) -> None:
    till = signed_on(dialect)
    till.host.faults["0200", 1] = drop
    sale = till.press(Sale(100, CARD))
    till.power_up()
    reversal = till.host.seen[-1]
    assert reversal.mti == ("0420" if dialect == "iso87" else "0400")
    assert reversal[11] == sale.stan
    assert till.host.live() == {}
    agree(till)


def test_a_sign_on_goes_before_a_reversal_that_was_refused_for_its_keys() -> None:
    """Case 23: A0 on everything. The keys must be mended first, and the reversal takes the new MAC."""
    till = signed_on()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.host.faults["0400", 1] = code("A0")
    refused = till.press(Sale(100, CARD))
    assert refused.end is End.NOT_SENT
    assert not till.memory.signed_on
    assert till.press(Sale(100, CARD)).end is End.REFUSED_LOCALLY
    heard = len(till.host.seen)
    assert till.press(SignOn()).end is End.OK
    assert till.host.mtis()[heard:] == ["0800", "0400"]
    assert till.memory.pending is None


# --- RT4: only an ack clears the reversal


@pytest.mark.parametrize(
    ("dialect", "answer", "cleared"),
    [
        *(("cup", answer, True) for answer in ("25", "12", "94")),
        *(("cup", answer, False) for answer in ("21", "78", "06", "30", "91", "96", "A0")),
        *(("nac", answer, True) for answer in ("25", "12", "94", "21", "78")),
        *(("nac", answer, False) for answer in ("06", "30", "91", "96")),
    ],
)
def test_rt4_the_set_of_codes_that_count_as_done(dialect: str, answer: str, cleared: bool) -> None:
    till = signed_on(dialect)
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.host.faults["0400", 1] = code(answer)
    till.power_up()
    assert (till.memory.pending is None) is cleared


def test_rt4_a_refused_reversal_keeps_its_record_with_reason_06() -> None:
    till = signed_on()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.host.faults["0400", 1] = code("96")
    till.power_up()
    till.power_up()
    assert [message[39] for message in till.host.sent("0400")] == ["98", "06"]


def test_rt4_no_count_of_tries_drops_the_reversal_and_one_try_is_three_sends() -> None:
    """Case 2: an outage longer than any counter."""
    till = signed_on()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.host.faults |= {("0400", nth): drop for nth in range(1, 10)}
    for tries in (1, 2, 3):
        result = till.press(Sale(200, CARD))
        assert result.end is End.NOT_SENT
        assert "still owed" in result.text
        assert len(till.host.sent("0400")) == 3 * tries
    assert len(till.host.sent("0200")) == 1
    assert till.press(Sale(200, CARD)).end is End.APPROVED
    agree(till)


def test_rt4_a_reversal_acked_with_a_bad_mac_is_kept() -> None:
    till = signed_on()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.host.faults |= {("0400", nth): change({64: "30" * 8}) for nth in (1, 2, 3)}
    till.power_up()
    assert till.memory.pending is not None


# --- RT5: only a fitting answer counts


@pytest.mark.parametrize(
    "misfit",
    [{11: "000099"}, {4: "000000000999"}, {41: "87654321"}, {3: "310000"}],
    ids=["stan", "amount", "tid", "type"],
)
@DIALECTS
def test_rt5_an_answer_to_something_else_is_ignored_and_the_right_one_still_taken(
    dialect: str, misfit: dict[int, str | None]
) -> None:
    """Cases 4, 5, 75: a late or crossed answer must neither approve nor decline."""
    till = signed_on(dialect)
    till.host.faults["0200", 1] = change({**misfit, 38: "WRONG1"}, then_honest=True)
    result = till.press(Sale(100, CARD))
    assert (result.end, result.auth_code) == (End.APPROVED, "A12345")
    assert [event.event for event in till.memory.events].count("ignored-answer") == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(drop, "98"), (hang_up, "98"), (garbage, "06"), (change({64: "30" * 8}), "A0"), (change({64: None}), "A0")],
    ids=["silence", "reset", "garbage", "wrong-mac", "no-mac"],
)
def test_rt5_and_rt10_doubt_is_unknown_and_the_reversal_says_why(fault: object, reason: str) -> None:
    """Case 22 among them: an approval that cannot be trusted is neither a sale nor a decline."""
    till = signed_on()
    till.host.faults["0200", 1] = fault  # type: ignore[assignment]
    result = till.press(Sale(100, CARD))
    assert result.end is End.UNKNOWN
    assert result.exit_code == 3
    assert "unknown: query first" in till.screen.lines[-1]
    assert till.memory.rows == ()
    assert till.memory.pending is not None
    assert till.memory.pending.reason == reason
    till.power_up()
    assert till.host.sent("0400")[0][39] == reason
    agree(till)


def test_an_unasked_answer_is_noted_and_nothing_else() -> None:
    till = signed_on()
    terminal = Terminal(till.wire, till.memory)
    assert terminal.handle(Received(b"\x60\x00\x00\x00\x03")) == []
    assert terminal.memory.events[-1].event == "ignored-answer"


# --- nothing sent, nothing owed; a final no


@DIALECTS
def test_without_a_connection_nothing_is_owed(dialect: str) -> None:
    till = signed_on(dialect)
    till.line.down = True
    result = till.press(Sale(100, CARD))
    assert (result.end, result.exit_code) == (End.NOT_SENT, 4)
    assert till.memory.pending is None
    assert [event.detail for event in till.memory.events if event.event == "rev-cleared"] == ["not-sent"]


@DIALECTS
def test_a_declined_sale_leaves_neither_row_nor_reversal(dialect: str) -> None:
    till = signed_on(dialect)
    till.host.decline[100] = "51"
    result = till.press(Sale(100, CARD))
    assert (result.end, result.code, result.exit_code) == (End.DECLINED, "51", 1)
    assert till.memory.pending is None
    assert till.memory.rows == ()
    assert till.screen.slips == []


@pytest.mark.parametrize("answer", ["A0", "99"])
def test_a_sale_refused_for_its_keys_ends_the_session(answer: str) -> None:
    """flows.md section 0: the host has other keys or none; only a sign-on mends it, another sale cannot."""
    till = signed_on()
    till.host.faults["0200", 1] = code(answer)
    till.host.decline[100] = answer
    assert till.press(Sale(100, CARD)).end is End.DECLINED
    assert till.press(Sale(200, CARD)).end is End.REFUSED_LOCALLY
    till.press(SignOn())
    assert till.press(Sale(200, CARD)).end is End.APPROVED


def test_the_line_is_dropped_when_the_deadline_has_passed() -> None:
    """Case 5: on a new connection no late answer can be the first frame behind the next request."""
    till = signed_on()
    closed: list[int] = []
    till.line.close = lambda: closed.append(len(till.host.seen))  # type: ignore[method-assign]
    till.press(Echo())
    assert closed == []
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    assert closed == [3]


def test_a_partial_approval_counts_with_what_was_approved() -> None:
    """Case 24."""
    till = signed_on("nac")
    till.host.faults["0200", 1] = change({39: "10", 4: "000000007000"})
    result = till.press(Sale(10000, CARD))
    assert (result.end, result.amount, result.approved_amount) == (End.PARTIAL, 10000, 7000)
    assert till.memory.rows[0].amount == 7000


# --- the terminal's own refusals


def test_cup_sells_nothing_before_sign_on_and_nac_needs_none() -> None:
    cup, nac = Till("cup"), Till("nac")
    assert cup.press(Sale(100, CARD)).exit_code == 4
    assert cup.press(Settle()).end is End.REFUSED_LOCALLY
    assert cup.host.seen == []
    assert nac.press(Sale(100, CARD)).end is End.APPROVED
    assert nac.press(SignOn()).end is End.OK, "a log-on is offered, not needed"
    assert nac.press(SignOff()).end is End.REFUSED_LOCALLY


@pytest.mark.parametrize("amount", [0, 10**12])
def test_an_amount_that_de4_cannot_carry_is_refused(amount: int) -> None:
    till = signed_on()
    assert till.press(Sale(amount, CARD)).end is End.REFUSED_LOCALLY


def test_a_full_journal_takes_no_sale_and_warns_before() -> None:
    """Case 50: the oldest row must never be overwritten."""
    till = signed_on()
    rows = tuple(Row(f"{n:06d}", "000001", Kind.SALE, 1, CARD.pan) for n in range(1000, 1000 + ROWS_MAX - 1))
    till.flash = MemoryFlash(replace(till.memory, rows=rows))
    till.power_up()
    assert till.press(Sale(1, CARD)).end is End.APPROVED
    assert till.press(Sale(1, CARD)).end is End.REFUSED_LOCALLY
    assert len(till.memory.rows) == ROWS_MAX


def test_only_a_live_sale_of_the_open_batch_can_be_voided() -> None:
    till = signed_on()
    sale = till.press(Sale(100, CARD))
    assert till.press(Void(stan="000099")).end is End.REFUSED_LOCALLY
    void = till.press(Void(rrn=sale.rrn))
    assert void.end is End.APPROVED
    assert till.press(Void(stan=sale.stan)).end is End.REFUSED_LOCALLY
    assert till.press(Void(stan=void.stan)).end is End.REFUSED_LOCALLY
    assert till.press(Settle()).end is End.AGREED
    assert till.press(Void(stan=sale.stan)).end is End.REFUSED_LOCALLY
    assert len(till.host.sent("0200")) == 2


def test_a_reversed_sale_cannot_be_voided_by_the_order_behind_the_reversal() -> None:
    """The 0400 goes first and takes the row out; a void of it would then credit a sale that is no more."""
    till = signed_on()
    sale = till.press(Sale(100, CARD))
    row = till.memory.rows[0]
    request = till.host.sent("0200")[0]
    image = till.wire.family.reversal_of(request, "98", till.wire.dialect)
    pending = Pending(row.stan, row.batch, row.kind, row.amount, image)
    till.flash = MemoryFlash(replace(till.memory, pending=pending))
    assert till.power_up(Void(stan=sale.stan)).end is End.REFUSED_LOCALLY
    assert len(till.host.sent("0200")) == 1


# --- STAN and sign-on


def test_which_messages_take_a_stan() -> None:
    """flows.md section 0: not the echo, not the reversal; the sign-on, the settlement, each 0320 do."""
    till = signed_on()
    till.press(Echo())
    assert till.memory.stan == "000001"
    assert 11 not in till.host.sent("0820")[0]
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.press(Sale(200, CARD))
    assert [till.host.sent("0400")[0][11], till.host.sent("0200")[1][11]] == ["000002", "000003"]
    till.press(Settle())
    assert [till.host.sent("0500")[0][11], till.host.sent("0320")[0][11]] == ["000004", "000005"]


def test_the_host_s_batch_number_is_taken_only_into_an_empty_batch() -> None:
    till = Till()
    till.host.batch = "000042"
    assert till.press(SignOn()).batch == "000042"
    till.press(Sale(100, CARD))
    till.host.batch = "000077"
    kept = till.press(SignOn())
    assert till.memory.batch == "000042"
    assert "batch numbers differ: settle first" in kept.text


def test_keys_whose_check_value_is_wrong_leave_the_terminal_signed_off() -> None:
    till = Till()
    block = "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D04"
    till.host.faults["0800", 1] = change({62: block})
    result = till.press(SignOn())
    assert result.end is End.DECLINED
    assert not till.memory.signed_on
    assert "check value of the MAK" in result.text


def test_an_unanswered_sign_on_ends_the_old_session() -> None:
    """Case 23: the host may have changed the keys."""
    till = signed_on()
    till.host.faults["0800", 2] = drop
    assert till.press(SignOn()).end is End.UNKNOWN
    assert not till.memory.signed_on


def test_a_number_refused_with_22_and_no_rows_signs_on_for_another() -> None:
    """RH6 from this side: the operator tries again and it works."""
    till = signed_on()
    till.host.refuse_numbers = {"000001"}
    till.host.batch = "000002"
    result = till.press(Sale(100, CARD))
    assert (result.end, result.code) == (End.DECLINED, "22")
    assert till.memory.batch == "000002"
    assert till.press(Sale(100, CARD)).end is End.APPROVED


def test_a_number_refused_with_22_and_rows_says_settle_first() -> None:
    till = signed_on()
    till.press(Sale(100, CARD))
    till.host.refuse_numbers = {"000001"}
    result = till.press(Sale(200, CARD))
    assert "settle first" in result.text
    assert till.memory.batch == "000001"


def test_balance_shows_what_the_host_says_and_owes_nothing_when_unanswered() -> None:
    till = signed_on()
    assert till.press(Balance(CARD)).text == "balance: 123.45"
    till.host.faults["0200", 2] = drop
    assert till.press(Balance(CARD)).end is End.UNKNOWN
    assert till.memory.pending is None


def test_sign_off_ends_the_session() -> None:
    till = signed_on()
    assert till.press(SignOff()).end is End.OK
    assert till.press(Sale(100, CARD)).end is End.REFUSED_LOCALLY


def test_a_copy_of_the_machine_goes_its_own_way() -> None:
    """The world branches a run by copying machines."""
    till = signed_on()
    terminal = Terminal(till.wire, till.memory)
    terminal.handle(Key(Sale(100, CARD)))
    copy = terminal.copy()
    copy.handle(Boot())
    assert terminal.running.exchange is not None
    assert Wire.of(till.wire.dialect).name == "cup"
