"""Values that are made and changed quickly behave as dataclasses make and change theirs."""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError, dataclass

import pytest

from specs.values import quick_init, replace


@quick_init
@dataclass(frozen=True)
class Row:
    id: int
    name: str = "none"
    fields: int | None = None


@quick_init
@dataclass(frozen=True)
class Checked:
    amount: int

    def __post_init__(self) -> None:
        assert self.amount >= 0, "below zero"


@dataclass(frozen=True, slots=True)
class Slotted:
    id: int
    name: str = "none"


def test_a_row_is_made_as_by_its_dataclass() -> None:
    assert (Row(1), Row(1, "x"), Row(id=2, fields=3)) == (Row(1, "none", None), Row(1, "x", None), Row(2, "none", 3))
    assert repr(Row(1)) == "Row(id=1, name='none', fields=None)"
    assert hash(Row(1)) == hash(Row(1))
    assert dataclasses.asdict(Row(1)) == {"id": 1, "name": "none", "fields": None}
    with pytest.raises(TypeError):
        Row()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Row(1, colour="red")  # type: ignore[call-arg]
    with pytest.raises(FrozenInstanceError):
        Row(1).id = 2  # type: ignore[misc]


@pytest.mark.parametrize("value", [Row(1, "a"), Slotted(1, "a")])
def test_a_change_leaves_the_old_value_alone(value: Row | Slotted) -> None:
    changed = replace(value, name="b")
    assert (value.name, changed.name, changed.id, type(changed)) == ("a", "b", 1, type(value))
    assert changed == dataclasses.replace(value, name="b")
    assert replace(value) == value


@pytest.mark.parametrize("value", [Row(1), Slotted(1)])
def test_a_name_that_is_no_field_is_told(value: Row | Slotted) -> None:
    with pytest.raises(TypeError, match="colour"):
        replace(value, colour="red")  # type: ignore[call-arg]


def test_a_value_still_looks_at_itself() -> None:
    with pytest.raises(AssertionError, match="below zero"):
        Checked(-1)
    with pytest.raises(AssertionError, match="below zero"):
        replace(Checked(1), amount=-1)
