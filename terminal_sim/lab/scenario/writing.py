"""A scenario as the text of a file: `reading.loads` makes an equal value of it, but for the numbers of its lines.

What is as it would be anyway is left out. For schedules that the explorer has found and shrunk.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from specs.faults import Fault
from specs.faults.reading import to_table
from terminal_sim.lab.scenario import tables, times
from terminal_sim.lab.scenario.model import (
    Expect,
    OperatorSpec,
    Scenario,
    StepSpec,
    TerminalSpec,
    Variant,
    WorldSpec,
)

WIDTH = 118
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LISTED = ("terminals", "steps", "faults", "variants")
"""Lists of tables: a line an element."""


def dumps(scenario: Scenario) -> str:
    """The text of a file."""
    lines = textwrap.wrap(scenario.notice, WIDTH, break_long_words=False, break_on_hyphens=False)
    parts = [f"# {line}\n" for line in lines] + (["\n"] if lines else [])
    for key, value in document(scenario).items():
        if key in _LISTED and value:
            parts.append(f"{key} = [\n" + "".join(f"  {_inline(one)},\n" for one in value) + "]\n")
        else:
            parts.append(f"{key} = {_inline(value)}\n")
    return "".join(parts)


def document(scenario: Scenario) -> dict[str, Any]:
    """The file as a table of plain values, by the keys of tables.TOP, in their order."""
    start = times.start_of(scenario.world.start)
    made = {
        "case": scenario.case,
        "title": scenario.title,
        "waiting": scenario.waiting,
        "world": _changed(scenario.world, WorldSpec()),
        "terminals": [{"tid": one.tid, **_changed(one, TerminalSpec(one.tid))} for one in scenario.terminals],
        "steps": [_step(step, start) for step in scenario.steps],
        "faults": [_fault(fault, start) for fault in scenario.faults],
        "operator": _changed(scenario.operator, OperatorSpec()),
        "expect": _expect(scenario.expect),
        "variants": [_variant(variant) for variant in scenario.variants],
    }
    needed = {key.name for key in tables.TOP if key.needed}
    return {name: value for name, value in made.items() if value or name in needed}


def _changed(value: Any, usual: Any) -> dict[str, Any]:
    """The fields of a value that are not as usual."""
    pairs = ((f.name, getattr(value, f.name), getattr(usual, f.name)) for f in fields(value))
    return {name: one for name, one, other in pairs if one != other}


def _step(step: StepSpec, start: datetime) -> dict[str, Any]:
    told = {
        "id": step.id,
        "at": times.written(step.at, start) if step.at >= 0 else "",
        "do": step.do,
        "tid": step.unit,
        "intent": step.intent,
    }
    expect = {"expect": dict(step.expect)} if step.expect else {}
    return {name: value for name, value in told.items() if value != ""} | dict(step.args) | expect


def _fault(fault: Fault, start: datetime) -> dict[str, Any]:
    """Its table, with times of the clock where its window has seconds."""
    table = to_table(fault)
    return table | {key: _clock(str(table[key]), start) for key in ("from", "until") if key in table}


def _clock(text: str, start: datetime) -> str:
    """A beginning or an end as a fault keeps it ("18180", "step:S", "+600") for a file."""
    said = times.written(float(text), start) if text.replace(".", "", 1).isdigit() else text
    return said if isinstance(said, str) else text


def _expect(expect: Expect) -> dict[str, Any]:
    settled = expect.settled
    told: dict[str, Any] = {
        "class": None if expect.classes is None else _one_or_many(expect.classes),
        "settled": None if settled is None else [{f.name: getattr(s, f.name) for f in fields(s)} for s in settled],
        "exceptions": expect.exceptions,
        "findings": expect.findings,
        "purchases": expect.purchases or None,
        "shown": expect.shown or None,
        "not_shown": expect.not_shown or None,
        "steps": expect.steps or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _one_or_many(words: Sequence[str]) -> object:
    return words[0] if len(words) == 1 else words


def _variant(variant: Variant) -> dict[str, Any]:
    told = {
        "name": variant.name,
        "bugs": variant.bugs,
        "host_bugs": variant.host_bugs,
        "units": variant.units,
        "world": variant.world,
        "operator": variant.operator,
        "expect": _expect(variant.expect),
    }
    return {name: value for name, value in told.items() if value}


# ---- TOML


def _inline(value: object) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return f"{{{_joined(f'{_key(name)} = {_inline(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{_joined(map(_inline, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else repr(value)
    return _text(str(value))


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A basic string; JSON's escapes are TOML's, but for DEL, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
