"""The JSON schema: its file is what the tables make of it. What it accepts and refuses: test_scenarios_doc.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from specs.faults.actions import ACTIONS
from specs.faults.checking import KINDS as PARAM_KINDS
from terminal_sim.lab.scenario import tables
from terminal_sim.lab.scenario.schema import DRAFT, FILE, PARAMS, schema, text
from tests.support.json_schema import fits


def test_the_file_is_current() -> None:
    assert FILE.read_text(encoding="utf8") == text(), "python -m terminal_sim.lab.scenario.schema"


def test_it_says_its_draft_and_every_reference_leads_somewhere() -> None:
    made = schema()
    assert made["$schema"] == DRAFT
    targets = {one["$ref"] for one in _objects(made) if "$ref" in one}
    assert targets <= {f"#/$defs/{name}" for name in made["$defs"]}
    assert targets


def test_every_kind_of_parameter_has_its_schema() -> None:
    assert set(PARAMS) == set(PARAM_KINDS)


def test_every_action_and_every_deed_is_offered() -> None:
    text_of = json.dumps(schema())
    for name in (*ACTIONS, *tables.DEED):
        assert json.dumps({"const": name})[1:-1] in text_of


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for one in value.values() for found in _objects(one))]
    return [found for one in value for found in _objects(one)] if isinstance(value, list) else []


# ---- the validator that stands in for an editor, tried on examples of the specification


@pytest.mark.parametrize(
    ("value", "made", "good"),
    [
        (1, {"type": "integer"}, True),
        (1.0, {"type": "integer"}, True),  # «1.0 is an integer» since draft 6
        (1.1, {"type": "integer"}, False),
        (True, {"type": "integer"}, False),
        (True, {"const": 1}, False),
        (0, {"enum": [False]}, False),
        ("aaa", {"pattern": "^a*$"}, True),
        (True, {"pattern": "^a*$"}, True),  # a word about texts says nothing about others
        ({"foo": 1}, {"properties": {"foo": {}}, "additionalProperties": False}, True),
        ({"bar": 1}, {"properties": {"foo": {}}, "additionalProperties": False}, False),
        ({}, {"required": ["foo"]}, False),
        ([1], {"minItems": 2}, False),
        (1.5, {"anyOf": [{"type": "integer"}, {"minimum": 2}]}, False),
        (3, {"oneOf": [{"type": "integer"}, {"minimum": 2}]}, False),
        (-1, {"if": {"exclusiveMinimum": 0}, "then": {"minimum": 10}}, True),
        (1, {"if": {"exclusiveMinimum": 0}, "then": {"minimum": 10}}, False),
        ("foo", {"not": {"type": "string"}}, False),
        ({"a": "x"}, {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}}, False),
    ],
)
def test_the_validator(value: object, made: dict[str, Any], good: bool) -> None:
    assert fits(value, made) is good


def test_the_validator_passes_no_word_over() -> None:
    with pytest.raises(KeyError):
        fits(1, {"multipleOf": 2})
