"""The row of a message: looked up by what tells it, against the scan of the table; and what a reader says twice."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.dialect import load
from specs.families import cup_table, iso87_table, nac_table
from specs.families.table import Row
from specs.message import Message
from specs.operation import Kind, Operation, say_more
from specs.values import replace

DIALECTS = {"cup": cup_table, "nac": nac_table, "iso87": iso87_table}
TELLING = (3, 25, 38, 54, 55, 60, 70, 90)
"""What a family may look at, beside the MTI, to tell one transaction from another."""
VALUES = {
    3: ("000000", "001000", "020000", "200000", "310000", "920000", "960000", "0", "", "0٠0000"),
    25: ("00", "06", "60", "64", "65", ""),
    38: ("000001", ""),
    54: ("000000000100", ""),
    55: ("9F2600", ""),
    60: ("22000001", "2200000100", "22000001000501", "00000001201", "2200000", "2200000A", "0" * 12),
    70: ("001", "301", "999", ""),
    90: ("0100000101" + "0" * 32, "0200000101" + "0" * 32, "0" * 42, "02", ""),
}
STRANGE_MTIS = ("0210", "0202", "0999", "02x0", "", "٠٢٠٠", "0201", "0401")


def signs_of(row: Row) -> dict[int, str]:
    """Elements that make a message one of this row, or of one before it that asks for less."""
    fields = dict.fromkeys(row.required, "1")
    signs = {3: row.processing.ljust(6, "0"), 25: row.condition, 70: getattr(row, "network", "")}
    in_60 = f"{row.type_code or '00'}000001{row.function}" if row.function.isdecimal() or row.type_code else "0" * 12
    return fields | {de: value for de, value in (signs | {60: in_60}).items() if value}


@st.composite
def telling(draw: st.DrawFn, table: ModuleType) -> Message:
    """A message of some row of the table, or of none: its signs, with some of them left out or changed."""
    rows: tuple[Row, ...] = table.ROWS
    row = draw(st.sampled_from(rows))
    fields = signs_of(row) | dict.fromkeys(draw(st.lists(st.sampled_from(TELLING), max_size=3)), "1")
    for de in draw(st.lists(st.sampled_from(TELLING), max_size=3)):
        fields[de] = draw(st.sampled_from(VALUES[de]))
    for de in draw(st.lists(st.sampled_from(TELLING), max_size=1)):
        fields.pop(de, None)
    mti = draw(st.one_of(st.just(row.mti), st.sampled_from(STRANGE_MTIS), st.sampled_from([r.mti for r in rows])))
    doubtful = draw(st.sampled_from([frozenset(), frozenset(), frozenset({3})]))
    return Message(mti, fields, doubtful=doubtful)


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
def test_the_row_that_is_looked_up_is_the_one_that_the_scan_finds(name: str, data: st.DataObject) -> None:
    table, dialect = DIALECTS[name], load(name)
    message = data.draw(telling(table))
    assert table.classified(message, dialect) == table.classified_with_care(message, dialect)


@pytest.mark.parametrize("name", DIALECTS)
def test_whatever_one_element_changes_the_look_up_sees(name: str) -> None:
    """Every row, with each value of each telling element in turn."""
    table, dialect = DIALECTS[name], load(name)
    for row in table.ROWS:
        for de in TELLING:
            for value in VALUES[de]:
                message = Message(row.mti, signs_of(row) | {de: value})
                found = table.classified(message, dialect)
                assert found == table.classified_with_care(message, dialect), (row.name, de, value)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_row_that_is_served_is_looked_up(name: str) -> None:
    """But those that ISO 8583:1987 tells by DE 90; else the look-up would be there for nothing."""
    table, dialect = DIALECTS[name], load(name)
    for row in table.ROWS:
        if row.kind is not None and 90 not in row.required:
            message = Message(row.mti, signs_of(row))
            assert isinstance(table._known(message, dialect), Row), row.name


@pytest.mark.parametrize("name", DIALECTS)
def test_of_a_doubtful_message_nothing_is_kept(name: str) -> None:
    """Where a reader lost its way, the digits of a card number may stand in any element."""
    table, dialect = DIALECTS[name], load(name)
    kept: Callable[[], Any] = table._row_of.cache_info
    before = kept().currsize
    message = Message("0200", {3: "622316", 25: "49", 60: "9100140000000"}, doubtful=frozenset({60}))
    table.classified(message, dialect)
    assert kept().currsize == before


def test_an_operation_of_which_more_is_said_is_the_copy_that_says_it() -> None:
    said = {"currency": "156", "rrn": "260302000001", "content": (("amount", "000000010000"),)}
    operation = Operation(Kind.SALE, "12345678", amount=10_000)
    expected = replace(operation, **said)  # type: ignore[arg-type]
    assert say_more(operation, **said) == expected


def test_more_can_be_said_only_of_what_an_operation_has() -> None:
    with pytest.raises(AssertionError, match="curency"):
        say_more(Operation(Kind.SALE, "12345678"), curency="156")


def test_no_look_up_keeps_what_may_be_a_card_number() -> None:
    """Look-ups live as long as the program; a user's dialect may give DE 3 room for a card number, and a terminal may
    send one in DE 60."""
    pan, ordinary = "4761739001010119", {3: "000000", 25: "00", 60: "22000001000501"}
    for name, table in DIALECTS.items():
        table._row_of.cache_clear()
        for de in (3, 25):
            table.classified(Message("0200", ordinary | {de: f"00{pan}"}), load(name))
        assert table._row_of.cache_info().currsize == 0, name
        table.classified(Message("0200", ordinary), load(name))
        assert table._row_of.cache_info().currsize == 1, f"{name}: an ordinary message is kept"
    cup_table._private_of.cache_clear()
    assert cup_table.private_of(pan).type_code == "47"
    assert cup_table._private_of.cache_info().currsize == 0
    cup_table.private_of(ordinary[60])
    assert cup_table._private_of.cache_info().currsize == 1
