"""The repeat digit of ISO 87 outlives the power and the order: 0420 and 0220 once, 0421 and 0221 ever after.

Expected: rules.md section 2 (repeats on the wire), iso87.md section 5.
"""

from __future__ import annotations

import pytest

from terminal_sim.flash_format import dump, load
from terminal_sim.moves import End, OfflineSale, Sale, SendStored, SignOn
from tests.support.scripted_host import drop
from tests.support.till import CARD, Till, agree


def lost(till: Till, *mtis: str) -> None:
    till.host.faults = {(mti, nth): drop for mti in mtis for nth in range(1, 10)}


def reversals(till: Till) -> list[str]:
    return [mti for mti in till.host.mtis() if mti in ("0420", "0421", "0400", "0401")]


def advices(till: Till) -> list[str]:
    return [mti for mti in till.host.mtis() if mti in ("0220", "0221")]


def test_a_reversal_of_another_order_is_a_repeat() -> None:
    till = Till("iso87")
    lost(till, "0200", "0420", "0421")
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    assert reversals(till) == []
    till.press(Sale(200, CARD))
    assert reversals(till) == ["0420", "0421", "0421"]
    till.host.faults.clear()
    assert till.press(Sale(300, CARD)).end is End.APPROVED
    assert reversals(till) == ["0420", "0421", "0421", "0421"]
    agree(till)


def test_a_reversal_after_a_boot_is_a_repeat_only_if_it_may_have_left() -> None:
    till = Till("iso87")
    assert till.press_and_cut(Sale(100, CARD), "send", "after")
    assert till.power_up_and_cut(Sale(200, CARD), "send", "after")
    assert reversals(till) == ["0420"]
    assert load(dump(till.memory)) == till.memory
    till.power_up()
    assert reversals(till) == ["0420", "0421"]
    assert till.memory.pending is None


def test_a_stored_advice_of_another_order_is_a_repeat() -> None:
    till = Till("iso87")
    till.press(OfflineSale(100, CARD))
    lost(till, "0220", "0221")
    till.press(SendStored())
    till.press(Sale(200, CARD))
    assert advices(till) == ["0220", *["0221"] * 5]
    till.host.faults.clear()
    till.power_up()
    assert advices(till)[6:] == ["0221"]
    agree(till)


def test_of_two_items_each_begins_as_no_repeat() -> None:
    till = Till("iso87")
    till.press(OfflineSale(100, CARD))
    till.press(OfflineSale(200, CARD))
    till.host.faults["0220", 1] = drop
    assert till.press(SendStored()).end is End.OK
    assert advices(till) == ["0220", "0221", "0220"]


def test_an_advice_after_a_cut_while_it_waited_is_a_repeat() -> None:
    till = Till("iso87")
    till.press(OfflineSale(100, CARD))
    assert till.press_and_cut(SendStored(), "recv", "before")
    till.power_up()
    assert advices(till) == ["0220", "0221"]
    agree(till)


def test_without_a_connection_nothing_has_left() -> None:
    till = Till("iso87")
    till.host.faults["0200", 1] = drop
    till.press(Sale(200, CARD))
    till.press(OfflineSale(100, CARD))
    sent = len(till.host.seen)
    till.line.down = True
    till.press(SendStored())
    till.press(Sale(300, CARD))
    assert len(till.host.seen) == sent
    till.line.down = False
    till.power_up()
    assert till.host.mtis()[sent:] == ["0420", "0220"]


@pytest.mark.parametrize("dialect", ["cup", "nac"])
def test_elsewhere_nothing_marks_a_repeat_and_nothing_is_written_for_it(dialect: str) -> None:
    till = Till(dialect)
    if dialect == "cup":
        till.press(SignOn())
    till.press(OfflineSale(100, CARD))
    lost(till, "0220")
    till.press(SendStored())
    steps = len(till.flash.steps)
    till.press(SendStored())
    assert till.flash.steps[steps:] == []
    assert set(advices(till)) == {"0220"}
