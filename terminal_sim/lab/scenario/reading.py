"""A scenario file read: TOML text -> model.Scenario. Whatever is wrong is one line: file, line, key, why, nearest name.

load("day.toml")             a file
loads(text, "day.toml")      its text
library()                    slug -> file of each scenario that comes with the program
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from specs.faults import Fault
from terminal_sim.lab.errors import ScenarioError
from terminal_sim.lab.scenario import names, tables, times
from terminal_sim.lab.scenario.checking import check_terminals, checked
from terminal_sim.lab.scenario.fault_lines import fault_of
from terminal_sim.lab.scenario.kinds import KINDS, Key, called
from terminal_sim.lab.scenario.model import (
    Expect,
    OperatorSpec,
    Scenario,
    SettledSpec,
    StepSpec,
    TerminalSpec,
    Variant,
    WorldSpec,
)
from terminal_sim.lab.scenario.places import Spot, lines

SUFFIX = ".toml"
FILE_BYTES_MAX = 1_000_000
"""A day of a thousand steps has a tenth of that."""
STEPS_MAX = 2_000
_LIBRARY = Path(__file__).resolve().parent.parent / "scenarios"
_MISSING_LINE = re.compile(r"\(at line ([0-9]+), column [0-9]+\)|\(at end of document\)")

_OVERWRITTEN = "Cannot overwrite a value"
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")
"""At the beginning of a line; `tomllib` does not say which key is there already."""


# ---- files


def library() -> Mapping[str, Path]:
    """Slug -> file, in the order of the slugs."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(_LIBRARY.glob(f"*{SUFFIX}"))}


def load(path: str | Path) -> Scenario:
    """A scenario from its file. Raises: ScenarioError."""
    name = str(path)
    try:
        raw = Path(path).read_bytes()
        if len(raw) > FILE_BYTES_MAX:
            raise ScenarioError(name, 0, "", f"longer than {FILE_BYTES_MAX} bytes")
        text = raw.decode("utf-8-sig")  # some editors begin a file with a mark of their own
    except OSError as error:
        raise ScenarioError(name, 0, "", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(name, raw[: error.start].count(b"\n") + 1, "", "is not UTF-8") from error
    return loads(text, name)


def loads(text: str, name: str) -> Scenario:
    """A scenario from its text. name: of its file, or a slug for what has none. Raises: ScenarioError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(text, name, str(error)) from None
    spot = Spot(name, lines(text))
    top = read_table(data, tables.TOP, spot)
    return _scenario(top, spot, _notice(text))


def _no_toml(text: str, name: str, error: str) -> ScenarioError:
    match = _MISSING_LINE.search(error)
    line = int(match.group(1)) if match and match.group(1) else text.count("\n") + 1
    why = _MISSING_LINE.sub("", error).strip()
    twice = _KEY.match(text.split("\n")[line - 1]) if why == _OVERWRITTEN else None
    return ScenarioError(name, line, "", f"no TOML: {f'a second «{twice[1]}»' if twice else why}")


def _notice(text: str) -> str:
    """The first comment: its lines as one."""
    block: list[str] = []
    for line in text.splitlines():
        if line.startswith("#:"):  # a word to the editor: which schema
            continue
        if line.startswith("#"):
            block.append(line.lstrip("#").strip())
        elif block or line.strip():
            break
    return " ".join(" ".join(block).split())


# ---- tables


def read_table(data: Mapping[str, object], keys: Sequence[Key], spot: Spot) -> dict[str, Any]:
    """The values of a table by name, as the model keeps them; only what is there. Raises: ScenarioError."""
    known = {key.name: key for key in keys}
    for name in data:
        if name not in known:
            raise spot.at(name).error(f"no such key; {names.nearest(name, known)}")
    for key in keys:
        if key.needed and key.name not in data:
            raise spot.error(f"«{key.name}» is missing: {key.meaning}")
    return {name: _value(known[name], value, spot.at(name)) for name, value in data.items()}


def _value(key: Key, value: object, spot: Spot) -> Any:
    if key.kind in KINDS:
        return KINDS[key.kind].read(key, value, spot)
    return _NESTED[key.kind](key, value, spot)


def _table(key: Key, value: object, spot: Spot) -> dict[str, Any]:
    return read_table(as_table(value, spot), key.keys, spot)


def _tables(key: Key, value: object, spot: Spot) -> list[dict[str, Any]]:
    return [_table(key, one, spot.at(nth)) for nth, one in enumerate(_as_list(value, spot))]


def _table_of_tables(key: Key, value: object, spot: Spot) -> dict[str, dict[str, Any]]:
    return {name: _table(key, one, spot.at(name)) for name, one in as_table(value, spot).items()}


def _steps(key: Key, value: object, spot: Spot) -> list[dict[str, Any]]:
    return [_step(as_table(one, spot.at(nth)), spot.at(nth)) for nth, one in enumerate(_as_list(value, spot))]


def _step(data: Mapping[str, object], spot: Spot) -> dict[str, Any]:
    do = data.get("do")
    if do is None:
        raise spot.error("«do» is missing: what is done")
    deed = KINDS["word"].read(next(key for key in tables.STEP if key.name == "do"), do, spot.at("do"))
    assert isinstance(deed, str)
    keys = tables.step_keys(deed)
    known = [key.name for key in keys]
    for name in data:
        if name not in known and name in _EVERY_ARGUMENT:
            raise spot.at(name).error(f"a «{deed}» takes no «{name}»; it takes: {', '.join(known)}")
    return read_table(data, keys, spot)


_EVERY_ARGUMENT = frozenset(key.name for deed in tables.DEED for key in tables.step_keys(deed))


def _faults(key: Key, value: object, spot: Spot) -> list[dict[str, Any]]:
    """As they are: whoever knows the actions reads them, when the steps are known."""
    return [dict(as_table(one, spot.at(nth))) for nth, one in enumerate(_as_list(value, spot))]


_NESTED = {
    "table": _table,
    "tables": _tables,
    "table-of-tables": _table_of_tables,
    "steps": _steps,
    "faults": _faults,
}
"""Kinds whose values are tables."""


def as_table(value: object, spot: Spot) -> dict[str, object]:
    """Raises: ScenarioError."""
    if not isinstance(value, dict):
        raise spot.error(f"must be a table, not {called(value)}")
    return value


def _as_list(value: object, spot: Spot) -> list[object]:
    if not isinstance(value, list):
        raise spot.error(f"must be a list of tables, not {called(value)}")
    return value


# ---- values


def _scenario(top: dict[str, Any], spot: Spot, notice: str) -> Scenario:
    world = WorldSpec(**_tupled(top.get("world", {})))
    terminals = tuple(TerminalSpec(**_tupled(one)) for one in top["terminals"])
    check_terminals(terminals, spot.at("terminals"))
    name = PurePath(spot.file).name
    rows, steps = _step_specs(top["steps"], terminals, world, spot.at("steps"))
    scenario = Scenario(
        slug=name.removesuffix(SUFFIX),
        world=world,
        terminals=terminals,
        steps=steps,
        faults=_fault_list(top.get("faults", ()), world, terminals, steps, spot.at("faults")),
        operator=OperatorSpec(**top.get("operator", {})),
        expect=_expect(top.get("expect", {})),
        variants=tuple(_variant(one, world) for one in top.get("variants", ())),
        notice=notice,
        title=top.get("title", ""),
        case=top.get("case", 0),
        source=spot.file if name.endswith(SUFFIX) else "",
        waiting=top.get("waiting", ""),
    )
    checked(scenario, rows, spot)
    return scenario


def _fault_list(
    given: Sequence[dict[str, Any]],
    world: WorldSpec,
    terminals: tuple[TerminalSpec, ...],
    steps: tuple[StepSpec, ...],
    spot: Spot,
) -> tuple[Fault, ...]:
    start = times.start_of(world.start)
    units = tuple(dict.fromkeys(name for one in terminals for name in (one.name, one.tid)))
    ids = tuple(step.id for step in steps)
    return tuple(fault_of(table, start, units, ids, spot.at(nth)) for nth, table in enumerate(given))


def _tupled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def _step_specs(
    given: Sequence[dict[str, Any]], terminals: tuple[TerminalSpec, ...], world: WorldSpec, spot: Spot
) -> tuple[list[int], tuple[StepSpec, ...]]:
    """The steps, and of each its place in the list."""
    start, found, rows = times.start_of(world.start), list[StepSpec](), list[int]()
    before: float | None = 0.0
    latest = 0.0
    for nth, table in enumerate(given):
        place, at = spot.at(nth), -1.0
        if "at" in table:
            at = latest = _moment(table["at"], start, before, latest, place.at("at"))
        step = StepSpec(
            id=table["id"],
            do=table["do"],
            at=at,
            unit=_unit_of(table, terminals, found, place),
            intent=table.get("intent", ""),
            args={name: value for name, value in table.items() if name not in _COMMON},
            expect=_step_expect(table.get("expect", {})),
            line=place.line,
        )
        found += _repeated(step, table.get("times", 1), place)
        rows += [nth] * (len(found) - len(rows))
        before = at if at >= 0 and found[-1] is step else None
    if len(found) > STEPS_MAX:
        raise spot.error(f"{len(found)} steps: at most {STEPS_MAX}")
    return rows, tuple(found)


_COMMON = frozenset(key.name for key in tables.STEP)


def _moment(value: str | float, start: datetime, before: float | None, latest: float, spot: Spot) -> float:
    try:
        at = times.moment(value, start, before)
    except ValueError as error:
        raise spot.error(str(error)) from None
    if at < latest:
        raise spot.error(f"goes back: {_earlier(value, at, latest)}")
    return at


def _repeated(step: StepSpec, count: int, spot: Spot) -> list[StepSpec]:
    """The step, and the further ones that follow it at once."""
    if count > 1 and step.intent:
        raise spot.at("times").error("one purchase is not made several times: leave «intent» out")
    if count > STEPS_MAX:
        raise spot.at("times").error(f"{count}: at most {STEPS_MAX} steps")
    return [step, *(replace(step, id=f"{step.id}-{nth}", at=-1.0) for nth in range(2, count + 1))]


def _earlier(written: object, at: float, latest: float) -> str:
    if at < 0:
        return f"{written!r} is before the world's start"
    clock = isinstance(written, str) and re.fullmatch(times.TIME_OF_DAY, written)
    hint = "; for a later day write «day2 09:00»" if clock else ""
    return f"{written!r} is {times.number(latest - at)} s before the step above{hint}"


def _unit_of(
    table: Mapping[str, Any], terminals: tuple[TerminalSpec, ...], before: Sequence[StepSpec], spot: Spot
) -> str:
    """The unit of a step: as it says, or that of the step that it names, or the only one; "" for what needs none."""
    if tables.DEED[table["do"]].at == tables.NOBODY_WORKS:
        return ""
    if "tid" in table:
        return unit_named(table["tid"], terminals, spot.at("tid"))
    about = next((step.unit for step in before if step.id == table.get("of")), "")
    if about:
        return about
    if len(terminals) > 1:
        raise spot.error(f"«tid» is missing, and there are several: {', '.join(one.name for one in terminals)}")
    return terminals[0].name


def unit_named(word: str, terminals: Sequence[TerminalSpec], spot: Spot) -> str:
    """The name of a unit, from its name or from a TID that only one has. Raises: ScenarioError."""
    named = [one.name for one in terminals]
    if word in named:
        return word
    same = [one.name for one in terminals if one.tid == word]
    if len(same) > 1:
        raise spot.error(f"several units have TID {word}; say which: {', '.join(same)}")
    if not same:
        raise spot.error(f"no terminal {word!r}; {names.nearest(word, named)}")
    return same[0]


def _step_expect(table: Mapping[str, Any]) -> dict[str, Any]:
    """One word stays a word."""
    return {name: value[0] if isinstance(value, tuple) and len(value) == 1 else value for name, value in table.items()}


def _expect(table: Mapping[str, Any]) -> Expect:
    settled = table.get("settled")
    exceptions, findings, classes = table.get("exceptions"), table.get("findings"), table.get("class")
    return Expect(
        classes=None if classes is None else tuple(sorted(set(classes))),
        settled=None if settled is None else tuple(SettledSpec(**one) for one in settled),
        exceptions=None if exceptions is None else tuple(sorted(exceptions)),
        findings=None if findings is None else tuple(sorted(set(findings))),
        purchases=table.get("purchases", {}),
        shown=table.get("shown", ()),
        not_shown=table.get("not_shown", ()),
        steps={name: _step_expect(one) for name, one in table.get("steps", {}).items()},
    )


def _variant(table: Mapping[str, Any], usual: WorldSpec) -> Variant:
    world = dict(table.get("world", {}))
    if tables.SWITCHES in world:
        world[tables.SWITCHES] = {**usual.switches, **world[tables.SWITCHES]}
    return Variant(
        name=table["name"],
        bugs=table.get("bugs", ()),
        host_bugs=table.get("host_bugs", ()),
        units=table.get("units", ()),
        world=world,
        operator=table.get("operator", {}),
        expect=_expect(table.get("expect", {})),
    )
