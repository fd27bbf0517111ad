"""The JSON schema of a scenario file, for editors: made of the same tables as the reader.

    python -m terminal_sim.lab.scenario.schema      writes scenario.schema.json beside this module

It says what one table may hold. What the reader alone can say: names that must be found elsewhere in the file, times
that go back, values that need each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from specs.faults.actions import ACTIONS
from specs.faults.checking import BYTE_MAX, COUNT_MAX, DAYS_MAX, FIELD_MAX, RATE_MAX, SECONDS_MAX, TEXT_MAX
from specs.faults.model import Action, Param
from specs.faults.reading import MATCH_KEYS, SEED_MAX
from specs.kinds import Kind as Operation
from terminal_sim.lab.scenario import tables, times
from terminal_sim.lab.scenario.kinds import AMOUNT_MAX, KINDS, Key, Schema
from terminal_sim.lab.scenario.reading import STEPS_MAX

FILE = Path(__file__).with_name("scenario.schema.json")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """The whole."""
    return {
        "$schema": DRAFT,
        "title": "Closeout scenario",
        **_object(tables.TOP),
        "$defs": {**_STEP_DEFS, **_FAULT_DEFS},
    }


def text() -> str:
    """As it stands in its file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


# ---- tables


def _object(keys: Sequence[Key], **properties: Schema) -> Schema:
    return {
        "type": "object",
        **_holding({key.name: _property(key) for key in keys} | properties, [key.name for key in keys if key.needed]),
    }


def _holding(properties: Mapping[str, Schema], needed: Sequence[str]) -> Schema:
    required = {"required": list(needed)} if needed else {}
    return {"properties": dict(properties), **required, "additionalProperties": False}


def _property(key: Key) -> Schema:
    made = KINDS[key.kind].schema(key) if key.kind in KINDS else _NESTED[key.kind](key)
    return {"description": key.meaning, **made}


def _chosen(word: str, each: Mapping[str, tuple[str, Schema]]) -> Schema:
    """A table whose other keys follow from one word. each: word -> meaning and the rest. Editors then complain about
    the key that is wrong and not about all words at once."""
    known = {"anyOf": [{"const": name, "description": meaning} for name, (meaning, _) in each.items()]}
    rules = [
        {"if": {"properties": {word: {"const": name}}, "required": [word]}, "then": rest}
        for name, (_, rest) in each.items()
    ]
    return {"type": "object", "properties": {word: known}, "required": [word], "allOf": rules}


def _steps(key: Key) -> Schema:
    each = {name: (deed.meaning, _step(deed)) for name, deed in tables.DEED.items()}
    return {"type": "array", "maxItems": STEPS_MAX, "items": _chosen("do", each)}


def _step(deed: tables.Deed) -> Schema:
    keys = tables.step_keys(deed.name)
    properties = {key.name: _ref(_STEP_DEFS, f"step-{key.name}", key) for key in keys}
    made = _holding(properties, [key.name for key in keys if key.needed])
    together: list[Schema] = []
    if deed.one_of:
        together.append({"oneOf": [{"required": [name]} for name in deed.one_of]})
    if deed.any_of:
        together.append({"anyOf": [{"required": [name]} for name in deed.any_of]})
    return made | ({"allOf": together} if together else {})


def _ref(defs: Mapping[str, Schema], name: str, key: Key) -> Schema:
    """What many tables have in common stands once; what is only called the same stands where it is."""
    made = _property(key)
    return {"$ref": f"#/$defs/{name}"} if defs.get(name) == made else made


def _faults(key: Key) -> Schema:
    each = {name: (action.meaning, _fault(action)) for name, action in ACTIONS.items()}
    return {"type": "array", "items": _chosen("action", each)}


_NESTED: Mapping[str, Any] = {
    "table": lambda key: _object(key.keys),
    "tables": lambda key: (
        {"type": "array", "minItems": 1, "items": _object(key.keys)}
        if key.needed
        else {"type": "array", "items": _object(key.keys)}
    ),
    "table-of-tables": lambda key: {"type": "object", "additionalProperties": _object(key.keys)},
    "steps": _steps,
    "faults": _faults,
}


# ---- faults: the keys of specs.faults.reading, the parameters of each action


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _pattern(*patterns: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$"}


_DURATION = times.DURATION
_SECONDS: Schema = {"anyOf": [{"type": "number", "minimum": 0, "maximum": SECONDS_MAX}, _pattern(_DURATION)]}
PARAMS: Mapping[str, Schema] = {
    "seconds": _SECONDS,
    "shift": {
        "anyOf": [
            {"type": "number", "minimum": -SECONDS_MAX, "maximum": SECONDS_MAX},
            _pattern(f"[+-]?(?:{_DURATION})"),
        ]
    },
    "count": _whole(0, COUNT_MAX),
    "days": _whole(1, DAYS_MAX),
    "signed": _whole(-COUNT_MAX, COUNT_MAX),
    "byte": _whole(0, BYTE_MAX),
    "field": _whole(2, FIELD_MAX),
    "rate": {"type": "number", "exclusiveMinimum": 0, "maximum": RATE_MAX},
    "sizes": _pattern(r"[1-9][0-9]{0,3}(?:,[1-9][0-9]{0,3}){0,31}"),
    "code": _pattern("[0-9A-Za-z]{2}"),
    "tid": _pattern("[A-Za-z0-9_.-]{1,32}"),
    "text": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX},
}
"""By the kinds of specs.faults.checking."""
_MTI = _pattern("[0-9]{4}")
_MATCH: Mapping[str, Schema] = {
    "amount": _whole(0, AMOUNT_MAX + 1),
    "nth": _whole(1, COUNT_MAX),
    "mti": _MTI,
    "kind": {"type": "string", "enum": [kind.value for kind in Operation]},
}
_WINDOW = ("step:.+", times.MOMENT, _DURATION)
_FAULT: Mapping[str, Schema] = {
    "match": {
        "description": "only what says this",
        "type": "object",
        "properties": {name: _MATCH.get(name, {"type": "string", "minLength": 1}) for name in MATCH_KEYS},
        "additionalProperties": False,
    },
    "times": {"description": "how often it strikes; 0 = without end", **_whole(0, COUNT_MAX)},
    "probability": {"description": "chance of each strike", "type": "number", "minimum": 0, "maximum": 1},
    "seed": {"description": "of the chance", **_whole(0, SEED_MAX)},
    "from": {
        "description": "when it begins",
        "anyOf": [{"type": "number", "minimum": 0, "maximum": SECONDS_MAX}, _pattern(*_WINDOW)],
    },
    "until": {
        "description": "when it ends",
        "anyOf": [{"type": "number", "minimum": 0, "maximum": SECONDS_MAX}, _pattern(*_WINDOW)],
    },
}


def _fault(action: Action) -> Schema:
    places = "|".join(place.value for place in action.places)
    given: dict[str, Schema] = {
        "at": {"description": "the point", **_pattern(f"(?:{places})/.+")},
        "action": {"const": action.name},
        **{param.name: _param(param) for param in action.params},
        **{key: {"$ref": f"#/$defs/fault-{key}"} for key in _FAULT},
    }
    made = _holding(given, ["at", "action", *_needed(action.params)])
    return made | ({"not": {"required": list(action.alone)}} if action.alone else {})


def _param(param: Param) -> Schema:
    usual = {} if param.default is None else {"default": param.default}
    return {"description": param.meaning, **PARAMS[param.kind], **usual}


def _needed(params: Iterable[Param]) -> list[str]:
    return [param.name for param in params if param.default is None]


_FAULT_DEFS = {f"fault-{key}": made for key, made in _FAULT.items()}
_STEP_DEFS = {
    f"step-{key.name}": _property(key) for name in reversed(list(tables.DEED)) for key in tables.step_keys(name)
}
"""Of each name what the first deed in the table means by it."""

if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf8")
