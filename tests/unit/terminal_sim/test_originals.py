"""Which row an order means, the moment as messages say it, and the numbers that are not taken again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.message import Message
from specs.operation import Kind
from specs.totals import Totals
from terminal_sim import originals
from terminal_sim.flash import MemoryFlash
from terminal_sim.moves import End, SignOff, SignOn
from terminal_sim.state import Archived, Config, Memory, Operator, Row, RowState, ScriptResult
from terminal_sim.when import moment
from tests.support.till import Till

PAN, OTHER = "6223164991230014", "4111111111111111"


def _memory(*rows: Row, archived: tuple[Row, ...] = ()) -> Memory:
    closed = (Archived("000001", archived, Totals(), "agreed"),) if archived else ()
    return Memory(Config("12345678", "123456789012345", "cup://127.0.0.1:1"), rows=rows, archive=closed)


def _row(stan: str, kind: Kind, amount: int = 100, **parts: object) -> Row:
    return replace(Row(stan, "000001", kind, amount, PAN), **parts)  # type: ignore[arg-type]


# --- reservations


def test_what_has_ended_a_reservation_follows_from_the_rows_that_name_it() -> None:
    reserved = _row("000001", Kind.PRE_AUTH)
    for kind, word in (
        *((Kind.COMPLETION, "completed"), (Kind.COMPLETION_ADVICE, "completed")),
        *((Kind.PRE_AUTH_VOID, "voided"), (Kind.REFUND, ""), (Kind.PRE_AUTH_INCREMENT, "")),
    ):
        naming = _row("000002", kind, original_stan="000001")
        assert originals.closed_by(_memory(reserved, naming), reserved) == word
        assert originals.closed_by(_memory(naming, archived=(reserved,)), reserved) == word
        assert originals.closed_by(_memory(reserved, replace(naming, pan=OTHER)), reserved) == ""
        for gone in (RowState.VOIDED, RowState.REVERSED, RowState.REJECTED):
            assert originals.closed_by(_memory(reserved, replace(naming, state=gone)), reserved) == ""
    assert originals.closed_by(_memory(), replace(reserved, state=RowState.REVERSED)) == "reversed"


def test_a_wrapped_stan_of_another_card_is_no_completion() -> None:
    old = _row("000001", Kind.PRE_AUTH)
    new = _row("000001", Kind.PRE_AUTH, pan=OTHER)
    done = _row("000009", Kind.COMPLETION, original_stan="000001", pan=OTHER)
    memory = _memory(new, done, archived=(old,))
    assert originals.closed_by(memory, old) == ""
    assert originals.reservation_of_card(memory, OTHER) is None
    assert originals.reservation_of_card(memory, PAN) == old


def test_what_is_held_is_the_reservation_and_its_live_increments() -> None:
    reserved = _row("000001", Kind.PRE_AUTH, 1_000)
    one = _row("000002", Kind.PRE_AUTH_INCREMENT, 200, original_stan="000001")
    gone = _row("000003", Kind.PRE_AUTH_INCREMENT, 400, original_stan="000001", state=RowState.REVERSED)
    assert originals.held(_memory(one, gone, archived=(reserved,)), reserved) == 1_200


# --- adjustments


def test_the_last_adjustment_says_what_a_sale_comes_to() -> None:
    sale = _row("000001", Kind.SALE, 1_000, adjusted=True)
    first = _row("000002", Kind.TIP, 1_100, original_stan="000001", adjusted=True)
    last = _row("000003", Kind.TIP, 1_050, original_stan="000001")
    memory = _memory(sale, first, last)
    assert originals.final_amount(memory, sale) == 1_050
    assert originals.adjustment_of(memory, sale) == last
    assert originals.replaced_by(memory, last) == first
    assert originals.replaced_by(_memory(sale, last), last) == sale
    assert originals.final_amount(_memory(replace(sale, adjusted=False)), sale) == 1_000


def test_a_void_takes_a_sale_with_every_adjustment_that_was_not_refused() -> None:
    """The host voids the whole chain; a tip in its middle would be live here and voided there."""
    sale = _row("000001", Kind.SALE, 1_000, adjusted=True)
    first = _row("000002", Kind.TIP, 1_100, original_stan="000001", adjusted=True)
    refused = _row("000003", Kind.TIP, 1_900, original_stan="000001", state=RowState.REJECTED)
    last = _row("000004", Kind.TIP, 1_050, original_stan="000001")
    other = _row("000005", Kind.TIP, 1_050, original_stan="000009")
    memory = _memory(sale, first, refused, last, other)
    assert originals.with_adjustments(memory, sale, RowState.JOURNALED) == (sale, first, last)
    gone = [replace(row, state=RowState.VOIDED) for row in (sale, first, last)]
    voided = memory.with_rows(gone)
    assert originals.with_adjustments(voided, gone[0], RowState.VOIDED) == tuple(gone)


@pytest.mark.parametrize(
    ("row", "mti"),
    [
        (_row("000001", Kind.SALE), "0200"),
        (_row("000001", Kind.PRE_AUTH), "0100"),
        (_row("000001", Kind.OFFLINE_SALE), "0220"),
        (_row("000001", Kind.COMPLETION), "0200"),
        (_row("000001", Kind.REFUND, image=Message("0220")), "0220"),
    ],
)
def test_the_mti_that_a_later_message_names(row: Row, mti: str) -> None:
    """ISO 87's DE 90."""
    assert originals.reference(row).mti == mti


# --- the moment


def test_the_moment_is_local_in_de_12_and_13_and_utc_in_de_7() -> None:
    at = moment("2026-03-01T07:30:15.250+08:00")
    assert (at.local, at.transmitted) == ("0301073015", "0228233015")
    assert moment("2026-03-01T07:30:15Z").local == "0301073015"


def test_a_machine_that_is_told_no_time_says_always_the_same() -> None:
    assert moment("") == moment("")


# --- numbers and people


def test_the_stan_of_an_owed_script_result_is_skipped() -> None:
    memory = replace(_memory(), stan="000004", script=ScriptResult("000005", "000001", Message("0620")))
    assert memory.next_stan() == "000006"


def test_pre_authorisations_do_not_keep_a_batch_number() -> None:
    """rules.md section 4: «no row» means items; a reservation belongs to no batch's totals."""
    assert _memory(_row("000001", Kind.PRE_AUTH)).batch_empty
    assert not _memory(_row("000001", Kind.SALE)).batch_empty


def test_a_sign_off_logs_the_operator_out() -> None:
    """flows.md section 0: sign-on flag and operator are cleared by it."""
    till = Till("cup")
    till.press(SignOn())
    till.flash = MemoryFlash(replace(till.memory, operators=(Operator("01", "", ""),), operator="01"))
    assert till.power_up(SignOff()).end is End.OK
    assert (till.memory.operator, till.memory.signed_on) == ("", False)
