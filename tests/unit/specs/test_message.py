"""The message as a value: its fields stand in order, and nobody changes them from outside."""

from __future__ import annotations

import dataclasses

import pytest

from specs.message import Message, in_order
from specs.values import replace


def test_fields_stand_in_ascending_order_however_they_came() -> None:
    given = {41: "T", 3: "000000", 11: "000001"}
    for made in (
        Message("0200", given),
        replace(Message("0200"), fields=given),
        dataclasses.replace(Message("0200"), fields=given),
    ):
        assert list(made.fields.items()) == [(3, "000000"), (11, "000001"), (41, "T")]
    assert list(given) == [41, 3, 11]


def test_the_fields_are_a_copy_that_cannot_be_changed() -> None:
    for given in ({3: "000000", 11: "000001"}, {11: "000001", 3: "000000"}):
        made = Message("0200", given)
        given[4] = "1"
        assert 4 not in made
        with pytest.raises(TypeError):
            made.fields[4] = "1"  # type: ignore[index]
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.mti = "0400"  # type: ignore[misc]
        own = made.own_fields()
        own[4] = "1"
        assert 4 not in made


def test_changes_keep_order_and_everything_else() -> None:
    before = Message("0200", {3: "000000", 41: "T"}, "6000030000", "603100310000", frozenset({3}))
    after = before.with_fields({11: "000001", 41: None, 64: "00", 39: None})
    assert list(after.fields.items()) == [(3, "000000"), (11, "000001"), (64, "00")]
    assert (after.mti, after.tpdu, after.header, after.doubtful) == (
        "0200",
        "6000030000",
        "603100310000",
        frozenset({3}),
    )
    assert list(before.fields) == [3, 41]


def test_a_message_made_in_order_is_like_any_other() -> None:
    made = in_order("0200", {3: "000000", 41: "T"}, "6000030000", "603100310000")
    assert made == Message("0200", {41: "T", 3: "000000"}, "6000030000", "603100310000")
    assert made.doubtful == frozenset()
    assert made.__dict__.keys() == Message("0200").__dict__.keys() == {f.name for f in dataclasses.fields(Message)}
    with pytest.raises(TypeError):
        made.fields[4] = "1"  # type: ignore[index]
    assert Message("0200") == in_order("0200", {})
