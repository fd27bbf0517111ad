"""A fault from the table of a file or of the API, and back.

    {at="wire/T>H/0200", action="delay", seconds=45, match={amount=26800}, times=1, probability=0.5, seed=3}
    {at="link/T0000001", action="down", from="step:S", until="+10m"}

The keys of `Fault` stand beside the parameters of its action.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from specs.errors import DecodeError
from specs.faults.checking import COUNT_MAX, action_at, checked_params, seconds_of
from specs.faults.errors import FaultError, nearest
from specs.faults.model import Fault, Param, Value
from specs.faults.plan import NTH, STEP
from specs.faults.points import Point, check_terminal
from specs.kinds import Kind
from specs.mti import Mti

PHASES = ("before-commit", "after-commit")
OWN_KEYS = ("at", "action", "match", "times", "probability", "seed", "from", "until")
MATCH_KEYS = ("tid", "mti", "kind", "stan", "amount", NTH, "step")
NO_PHASE = "only a rule of the host has one; here the point says it: wire/T>H before the commit, wire/H>T after it"
SEED_MAX = 2**63 - 1
AMOUNT_MAX = 10**12
Moment = Callable[[str], float]


def fault_from(
    table: Mapping[str, object],
    where: str = "",
    *,
    terminals: Collection[str] | None = None,
    steps: Collection[str] | None = None,
    moment: Moment | None = None,
    line: int = 0,
) -> Fault:
    """A fault from its table.

    where: what errors call it. terminals, steps: the names that there are; None = they are not checked. moment: reads
    a time of day as seconds since the start (ValueError: it is none); None = only seconds and steps are times.

    Raises: FaultError naming the key.
    """
    try:
        return _fault(table, terminals, steps, moment, line)
    except FaultError as error:
        raise FaultError(where, error.key, error.why) from None


def to_table(fault: Fault) -> dict[str, object]:
    """The table that reads as this fault; what is as by default is left out."""
    table: dict[str, object] = {"at": fault.at, "action": fault.action, **fault.params}
    table |= {"match": dict(fault.match)} if fault.match else {}
    told = {"from": fault.since, "until": fault.until}
    table |= {key: text for key, text in told.items() if text}
    table |= {"times": fault.times} if fault.times != 1 else {}
    table |= {"probability": fault.probability} if fault.probability != 1.0 else {}
    return table | ({"seed": fault.seed} if fault.seed else {})


def match_from(
    value: object, terminals: Collection[str] | None = None, steps: Collection[str] | None = None
) -> dict[str, Value]:
    """What a fault is matched on. terminals, steps: the names that there are; None = they are not checked.

    Raises: FaultError whose key is match or match.NAME.
    """
    if not isinstance(value, Mapping):
        raise FaultError("", "match", "expected a table")
    found: dict[str, Value] = {}
    for key, wanted in value.items():
        if key not in MATCH_KEYS:
            raise FaultError("", f"match.{key}", f"cannot be matched; {nearest(str(key), MATCH_KEYS)}")
        why = _unmatchable(key, wanted, terminals, steps)
        if why:
            raise FaultError("", f"match.{key}", why)
        found[key] = wanted
    return found


def whole(table: Mapping[str, object], key: str, default: int, low: int, high: int) -> int:
    """A whole number of a table. Raises: FaultError."""
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FaultError("", key, f"expected a whole number from {low} to {high}")
    return value


def real(table: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    """A number of a table. Raises: FaultError."""
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise FaultError("", key, f"expected a number from {low:g} to {high:g}")
    return float(value)


def _fault(
    table: Mapping[str, object],
    terminals: Collection[str] | None,
    steps: Collection[str] | None,
    moment: Moment | None,
    line: int,
) -> Fault:
    at, name = _text(table, "at"), _text(table, "action")
    point, action = action_at(at, name)
    if "phase" in table:
        raise FaultError("", "phase", NO_PHASE)
    given = {key: value for key, value in table.items() if key not in OWN_KEYS}
    for key in given:
        if key not in {param.name for param in action.params}:
            known = [*OWN_KEYS, *(param.name for param in action.params)]
            raise FaultError("", key, f"{action.name} knows no {key!r}; {nearest(key, known)}")
    params = checked_params(action, given)
    _check_names(point, action.params, params, terminals)
    since, until = _moment(table, "from", steps, moment), _moment(table, "until", steps, moment)
    if _is_seconds(since) and _is_seconds(until) and float(until) <= float(since):
        raise FaultError("", "until", f"{table['until']!r} is not after «from» ({table['from']!r})")
    return Fault(
        at=at,
        action=name,
        params=params,
        match=match_from(table.get("match", {}), terminals, steps),
        times=whole(table, "times", 1, 0, COUNT_MAX),
        probability=real(table, "probability", 1.0, 0.0, 1.0),
        seed=whole(table, "seed", 0, 0, SEED_MAX),
        since=since,
        until=until,
        line=line,
    )


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise FaultError("", key, "is missing" if value is None else "expected text")
    return value


def _check_names(
    point: Point, params: tuple[Param, ...], given: Mapping[str, Value], terminals: Collection[str] | None
) -> None:
    if terminals is None:
        return
    check_terminal(point, terminals)
    for param in params:
        name = given.get(param.name)
        if param.kind == "tid" and isinstance(name, str) and name not in terminals:
            raise FaultError("", param.name, f"there is no terminal {name!r}; {nearest(name, terminals)}")


def _unmatchable(key: str, value: object, terminals: Collection[str] | None, steps: Collection[str] | None) -> str:
    """Why a value cannot be matched; "" = it can."""
    if key in ("amount", NTH):
        low, high = (0, AMOUNT_MAX) if key == "amount" else (1, COUNT_MAX)
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if good else f"expected a whole number from {low} to {high}"
    if not isinstance(value, str) or not value:
        return "expected text"
    if key == "mti":
        try:
            Mti.parse(value)
        except DecodeError:
            return f"{value!r} is no MTI"
    if key == "kind" and value not in Kind.__members__.values():
        return f"{value!r} is no kind; {nearest(value, [kind.value for kind in Kind])}"
    if key == "tid" and terminals is not None and value not in terminals:
        return f"there is no terminal {value!r}; {nearest(value, terminals)}"
    if key == "step" and steps is not None and value not in steps:
        return f"there is no step {value!r}; {nearest(value, steps)}"
    return ""


def _moment(table: Mapping[str, object], key: str, steps: Collection[str] | None, moment: Moment | None) -> str:
    """A beginning or an end as `Fault` keeps it: seconds, step:ID, or (an end) + and seconds."""
    value = table.get(key, "")
    if value == "":
        return ""
    text = value if isinstance(value, str) else ""
    if name := _after(text, STEP):
        if steps is not None and name not in steps:
            raise FaultError("", key, f"there is no step {name!r}; {nearest(name, steps)}")
        return text
    if key == "until" and (seconds := seconds_of(_after(text, "+"))) is not None:
        return f"+{seconds:.9g}"
    if (not text or text.isdigit() or text.replace(".", "", 1).isdigit()) and (at := seconds_of(value)) is not None:
        return f"{at:.12g}"
    try:
        if text and moment is not None:
            return f"{moment(text):.12g}"
    except ValueError:
        pass
    forms = "seconds, step:ID" + (", a time" if moment else "") + (" or as +10m" if key == "until" else "")
    raise FaultError("", key, f"{value!r}: expected {forms}")


def _is_seconds(moment: str) -> bool:
    return bool(moment) and moment[0].isdigit()


def _after(text: str, start: str) -> str:
    return text[len(start) :] if text.startswith(start) else ""
