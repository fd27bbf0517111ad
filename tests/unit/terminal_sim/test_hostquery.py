"""RO1 and RO2: what the operator is told after doubt, from the host's word and the terminal's own books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from specs.operation import Kind
from terminal_sim import hostquery
from terminal_sim.flash import MemoryFlash
from terminal_sim.hostquery import EXIT_CODES, Do, Found, Question, Reply
from terminal_sim.moves import OfflineSale, Sale, Settle, SignOn
from terminal_sim.state import Memory, Row, RowState
from tests.support.scripted_host import code, drop
from tests.support.till import CARD, Till

STAN = "000002"


def in_doubt() -> Till:
    """A sale of 1.00 with STAN 000002 whose answer was lost."""
    till = Till("cup")
    till.press(SignOn())
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    return till


def undone() -> Memory:
    """The same, its reversal acked: nothing of it is left on flash but events."""
    till = in_doubt()
    till.power_up()
    assert till.memory.pending is None
    return till.memory


def sold(**changes: Any) -> Memory:
    """A sale of 1.00 with STAN 000002 that was approved."""
    till = Till("cup")
    till.press(SignOn())
    till.press(Sale(100, CARD))
    (row,) = till.memory.rows
    return replace(till.memory, rows=(replace(row, **changes),))


def said(state: str, stan: str = STAN) -> Reply:
    return Reply(Found.YES, stan, {"stan": stan, "amount": 100, "state": state, "response_code": "00"})


NOT_FOUND = Reply(Found.NO, STAN)
CANNOT_TELL = Reply(Found.CANNOT_TELL, STAN, why="nobody answers")


@pytest.mark.parametrize(
    ("memory", "reply", "do"),
    [
        # the terminal has nothing under it any more: the host's word alone
        (undone, NOT_FOUND, Do.CHARGE_AGAIN),
        (undone, said("captured"), Do.REPRINT),
        (undone, said("authorised"), Do.REPRINT),
        (undone, said("reversed"), Do.CHARGE_AGAIN),
        (undone, said("declined"), Do.CHARGE_AGAIN),
        (undone, said("tombstone"), Do.CHARGE_AGAIN),
        (undone, said("voided"), Do.CHARGE_AGAIN),
        (undone, said("expired"), Do.CHARGE_AGAIN),
        (undone, said("pending"), Do.WAIT),
        (undone, CANNOT_TELL, Do.WAIT),
        # it stands in the journal
        (sold, said("captured"), Do.REPRINT),
        (sold, NOT_FOUND, Do.WAIT),
        (sold, said("reversed"), Do.WAIT),
        (sold, CANNOT_TELL, Do.WAIT),
        # its reversal is owed: the next sale sends that first (RT3)
        (lambda: in_doubt().memory, said("captured"), Do.CHARGE_AGAIN),
        (lambda: in_doubt().memory, NOT_FOUND, Do.CHARGE_AGAIN),
        (lambda: in_doubt().memory, said("pending"), Do.WAIT),
        (lambda: in_doubt().memory, CANNOT_TELL, Do.WAIT),
    ],
)
def test_what_the_operator_does(memory: Any, reply: Reply, do: Do) -> None:
    found = hostquery.advice(memory(), reply)
    assert found.do is do
    assert {
        Do.REPRINT: "reprint, do not charge again" in found.text,
        Do.CHARGE_AGAIN: "charge again" in found.text and "do not charge again" not in found.text,
        Do.WAIT: "do not charge again" in found.text and "reprint" not in found.text,
    }[do], found.text


def test_a_stored_sale_that_the_host_has_not_heard_of_is_sold() -> None:
    """Charging again would take the money twice as soon as the stored one is sent."""
    till = Till("nac")
    till.press(OfflineSale(100, CARD))
    (row,) = till.memory.rows
    found = hostquery.advice(till.memory, Reply(Found.NO, row.stan))
    assert (found.do, "stored" in found.text) == (Do.REPRINT, True)


def test_a_stored_sale_that_the_host_refused_is_not() -> None:
    till = Till("nac")
    till.press(OfflineSale(100, CARD))
    till.host.faults["0220", 1] = code("05")
    till.power_up()
    (row,) = till.memory.rows
    assert row.state is RowState.REJECTED
    assert hostquery.advice(till.memory, said("declined", row.stan)).do is Do.CHARGE_AGAIN


def test_the_exit_code_says_what_to_do() -> None:
    """interface.md, section 1: 0 all as expected, 1 not, 3 unknown."""
    assert EXIT_CODES == {Do.REPRINT: 0, Do.CHARGE_AGAIN: 1, Do.WAIT: 3}


# ---- which transaction is asked for


def test_the_doubtful_one_is_asked_for_before_the_newest() -> None:
    """RO1, RO2: by the number and the amount that the reversal is owed for."""
    till = in_doubt()
    assert hostquery.question(till.memory) == Question(STAN, "000001", 100)
    till.press(Sale(200, CARD))
    assert hostquery.question(till.memory) == Question("000003", "000001", 200)


def test_a_closed_batch_is_asked_for_by_its_own_number() -> None:
    till = Till("cup")
    till.press(SignOn())
    till.press(Sale(100, CARD))
    till.press(Settle())
    assert hostquery.question(till.memory) == Question(STAN, "000001", 100)


def test_an_item_of_another_amount_is_not_the_one() -> None:
    """RO2: the same amount, or it proves nothing about this order."""
    till = in_doubt()
    memory = replace(till.memory, config=replace(till.memory.config, api="http://127.0.0.1:1"))
    items = [{"id": "1", "stan": STAN, "amount": 999, "state": "captured", "response_code": "00"}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hostquery, "_items", lambda _url: items)
        reply = hostquery.ask(memory, till.wire, Question(STAN, "000001", 100))
        assert reply.found is Found.NO
        items[0]["amount"] = 100
        assert hostquery.ask(memory, till.wire, Question(STAN, "000001", 100)).found is Found.YES


def test_without_an_address_or_an_answer_nobody_can_tell() -> None:
    memory, wire = in_doubt().memory, Till("cup").wire
    asked = Question(STAN, "000001", 100)
    assert hostquery.ask(memory, wire, asked).found is Found.CANNOT_TELL
    nobody = replace(memory, config=replace(memory.config, api="http://127.0.0.1:1"))
    assert hostquery.ask(nobody, wire, asked).found is Found.CANNOT_TELL


# ---- a number that was never used


@pytest.mark.parametrize(("stan", "never"), [("000000", True), ("000001", False), ("000002", False), ("000003", True)])
def test_a_number_above_the_last_one_was_never_used(stan: str, never: bool) -> None:
    till = in_doubt()
    assert till.memory.stan == STAN
    assert hostquery.never_used(till.memory, stan) is never


def test_after_the_wrap_nobody_can_be_sure() -> None:
    till = in_doubt()
    old = Row("999998", "000001", Kind.SALE, 100, CARD.pan)
    till.flash = MemoryFlash(replace(till.memory, rows=(old,)))
    assert not hostquery.never_used(till.memory, "999998")
    assert not hostquery.never_used(till.memory, "000500")
