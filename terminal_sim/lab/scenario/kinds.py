"""The kinds of values that a scenario's keys take: how each is read, and how the JSON schema says it, side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from terminal_sim.lab.scenario import names, times
from terminal_sim.lab.scenario.places import Spot

AMOUNT_MAX = 999_999_999_999
"""Twelve digits: DE 4."""
NUMBER_DIGITS = 6
"""Of a STAN and a batch number."""
COUNT_MAX = 1_000_000
SECONDS_MAX = 400 * times.DAY_S
"""A scenario that lasts longer has been mistyped; STANs, keys and holds have all run out by then."""

Schema = dict[str, Any]
Names = Callable[[], tuple[str, ...]]


def _nowhere(_word: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table. kind: of KINDS, or "table", "tables", "table-of-tables" whose keys are `keys`. needed: it
    must be there. default: as the documents show it, "" none. names: what a word may be. elsewhere: what is known of
    a word that has its place under another key, "" nothing."""

    name: str
    kind: str
    meaning: str
    needed: bool = False
    default: str = ""
    names: Names | None = None
    keys: tuple[Key, ...] = ()
    elsewhere: Callable[[str], str] = _nowhere

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it may be."""
        assert self.names is not None, self.name
        return self.names()


@dataclass(frozen=True, slots=True)
class Kind:
    """says: for the documents. read: the value as the model keeps it; raises ScenarioError. schema: draft 2020-12."""

    says: str
    read: Callable[[Key, object, Spot], object]
    schema: Callable[[Key], Schema]


def called(value: object) -> str:
    """What a value of TOML is, in words."""
    return _CALLED.get(type(value), "a date or time without quotes")


_CALLED: Mapping[type, str] = {
    str: "text",
    int: "a number",
    float: "a number with a decimal point",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


# ---- reading


def _of_type(value: object, wanted: type, spot: Spot) -> Any:
    if type(value) is not wanted:
        raise spot.error(f"must be {_CALLED[wanted]}, not {called(value)}")
    return value


def _text(key: Key, value: object, spot: Spot) -> str:
    return str(_of_type(value, str, spot))


def _word(key: Key, value: object, spot: Spot) -> str:
    word = _text(key, value, spot)
    if word not in key.words:
        raise spot.error(f"{word!r} is {key.elsewhere(word) or f'unknown; {names.nearest(word, key.words)}'}")
    return word


def _listed(read: Callable[[Key, object, Spot], Any]) -> Callable[[Key, object, Spot], tuple[Any, ...]]:
    def each(key: Key, value: object, spot: Spot) -> tuple[Any, ...]:
        _of_type(value, list, spot)
        assert isinstance(value, list)
        return tuple(read(key, one, spot.at(nth)) for nth, one in enumerate(value))

    return each


def _words_or_word(key: Key, value: object, spot: Spot) -> tuple[str, ...]:
    return _listed(_word)(key, value, spot) if isinstance(value, list) else (_word(key, value, spot),)


def _amount(key: Key, value: object, spot: Spot) -> int:
    number = _money(key, value, spot)
    if not 0 < number <= AMOUNT_MAX:
        raise spot.error(f"{number}: must be from 1 to {AMOUNT_MAX}")
    return number


def _money(key: Key, value: object, spot: Spot) -> int:
    decimal = isinstance(value, float) or (isinstance(value, str) and re.fullmatch(r"[0-9]+[.,][0-9]+", value))
    if decimal:
        raise spot.error("minor units without a decimal point: 26800 for 268.00")
    return int(_of_type(value, int, spot))


def _range(least: int, most: int) -> Callable[[Key, object, Spot], int]:
    def within(key: Key, value: object, spot: Spot) -> int:
        number = int(_of_type(value, int, spot))
        if not least <= number <= most:
            raise spot.error(f"{number}: must be from {least} to {most}")
        return number

    return within


def _seconds(key: Key, value: object, spot: Spot) -> float:
    try:
        seconds = times.duration(value) if isinstance(value, str) else float(_number(value, spot))
    except ValueError as error:
        raise spot.error(str(error)) from None
    if not 0 <= seconds <= SECONDS_MAX:
        raise spot.error(f"{times.number(seconds)}: must be from 0 to {SECONDS_MAX} seconds")
    return seconds


def _number(value: object, spot: Spot) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise spot.error(f"must be seconds or text like «10m», not {called(value)}")
    return value


def _switch(key: Key, value: object, spot: Spot) -> bool:
    return bool(_of_type(value, bool, spot))


def _matching(pattern: str, wanted: str) -> Callable[[Key, object, Spot], str]:
    def fits(key: Key, value: object, spot: Spot) -> str:
        text = _text(key, value, spot)
        if not re.fullmatch(pattern, text):
            raise spot.error(f"{text!r} is no {wanted}")
        return text

    return fits


def _date(key: Key, value: object, spot: Spot) -> str:
    text = _matching(times.DATE, "date: write «2026-04-06»")(key, value, spot)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise spot.error(f"{text!r}: there is no such day") from None
    return text


def _start(key: Key, value: object, spot: Spot) -> str:
    try:
        times.start_of(_text(key, value, spot))
    except ValueError as error:
        raise spot.error(str(error)) from None
    return str(value)


def _moment(key: Key, value: object, spot: Spot) -> str | float:
    """Made into seconds later, when the step before is known."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise spot.error(f"must be text like «09:05», or seconds, not {called(value)}")
    return float(value)


def _serial(key: Key, value: object, spot: Spot) -> str:
    text = str(value) if type(value) is int else _text(key, value, spot)
    if not re.fullmatch(rf"[0-9]{{1,{NUMBER_DIGITS}}}", text):
        raise spot.error(f"{text!r}: a number of up to {NUMBER_DIGITS} digits")
    return text.zfill(NUMBER_DIGITS)


def _card(key: Key, value: object, spot: Spot) -> str:
    text = _text(key, value, spot)
    if re.fullmatch(_PAN, text):
        return text
    if text.isdigit():  # it may be a number with one digit too few: it is not shown
        raise spot.error("a card number has 13 to 19 digits")
    return _word(key, value, spot)


_PAN = "[0-9]{13,19}"


def _typed(allowed: Callable[[], dict[str, type]]) -> Callable[[Key, object, Spot], dict[str, Any]]:
    """A table of settings by name, each of the type that its default has."""

    def read(key: Key, value: object, spot: Spot) -> dict[str, Any]:
        known, found = allowed(), {}
        for name, given in _of_type(value, dict, spot).items():
            place = spot.at(name)
            if name not in known:
                raise place.error(f"no such key; {names.nearest(name, known)}")
            if known[name] is float:
                found[name] = _seconds(key, given, place)
            else:
                found[name] = _of_type(given, known[name] if known[name] in _CALLED else str, place)
        return found

    return read


# ---- the schema


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _integers(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _enum(key: Key) -> Schema:
    return {"type": "string", "enum": list(key.words)}


def _many(schema: Callable[[Key], Schema]) -> Callable[[Key], Schema]:
    return lambda key: {"type": "array", "items": schema(key)}


def _one_or_many(key: Key) -> Schema:
    return {"anyOf": [_enum(key), {"type": "array", "items": _enum(key)}]}


SECONDS_SCHEMA: Schema = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": SECONDS_MAX}, _pattern(times.DURATION)],
}
_TYPES: Mapping[type, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: SECONDS_SCHEMA,
    str: {"type": "string"},
}


def _settings_schema(allowed: Callable[[], dict[str, type]]) -> Callable[[Key], Schema]:
    def schema(key: Key) -> Schema:
        properties = {name: _TYPES.get(kind, _TYPES[str]) for name, kind in allowed().items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    return schema


def _just(schema: Schema) -> Callable[[Key], Schema]:
    return lambda key: schema


KINDS: Mapping[str, Kind] = {
    "text": Kind("text", _text, _just({"type": "string"})),
    "texts": Kind("list of texts", _listed(_text), _just({"type": "array", "items": {"type": "string"}})),
    "word": Kind("one of the words", _word, _enum),
    "words": Kind("list of the words", _listed(_word), _many(_enum)),
    "words-or-word": Kind("a word, or a list of them", _words_or_word, _one_or_many),
    "amount": Kind("minor units, no decimal point", _amount, _just(_integers(1, AMOUNT_MAX))),
    "net": Kind("minor units, no decimal point, may be negative", _money, _just({"type": "integer"})),
    "count": Kind("whole number", _range(0, COUNT_MAX), _just(_integers(0, COUNT_MAX))),
    "times": Kind("whole number from 1", _range(1, COUNT_MAX), _just(_integers(1, COUNT_MAX))),
    "multiple": Kind("whole number", _range(-COUNT_MAX, COUNT_MAX), _just(_integers(-COUNT_MAX, COUNT_MAX))),
    "seconds": Kind("seconds, or text like «10m»", _seconds, _just(SECONDS_SCHEMA)),
    "switch": Kind("true or false", _switch, _just({"type": "boolean"})),
    "moment": Kind(
        "time (below)",
        _moment,
        _just({"anyOf": [{"type": "number", "minimum": 0}, _pattern(times.MOMENT)]}),
    ),
    "time-of-day": Kind(
        "«23:00», or «» for none",
        _matching(rf"(?:{times.TIME_OF_DAY})?", "time of day: write «23:00»"),
        _just(_pattern(rf"(?:{times.TIME_OF_DAY})?")),
    ),
    "start": Kind("«2026-03-02T09:00»", _start, _just(_pattern(rf"{times.DATE}T{times.TIME_OF_DAY}"))),
    "dates": Kind("list of «2026-04-06»", _listed(_date), _just({"type": "array", "items": _pattern(times.DATE)})),
    "serial": Kind(
        "up to six digits",
        _serial,
        _just({"anyOf": [_integers(0, 999_999), _pattern(rf"[0-9]{{1,{NUMBER_DIGITS}}}")]}),
    ),
    "tid": Kind("8 characters", _matching("[ -~]{8}", "terminal id: 8 characters"), _just(_pattern("[ -~]{8}"))),
    "mid": Kind("15 characters", _matching("[ -~]{15}", "merchant id: 15 characters"), _just(_pattern("[ -~]{15}"))),
    "name": Kind(
        "letters, digits, «.», «_», «-»",
        _matching("[A-Za-z0-9_.-]{1,40}", "name: up to 40 letters, digits, «.», «_», «-»"),
        _just(_pattern("[A-Za-z0-9_.-]{1,40}")),
    ),
    "code": Kind("two characters", _matching("[0-9A-Z]{2}", "response code"), _just(_pattern("[0-9A-Z]{2}"))),
    "card": Kind(
        "a test card by name, or 13 to 19 digits",
        _card,
        lambda key: {"anyOf": [_enum(key), _pattern(_PAN)]},
    ),
    "settings": Kind("fields of terminal_sim.state.Config", _typed(names.settings), _settings_schema(names.settings)),
    "switches": Kind("switches of specs.profile", _typed(names.switches), _settings_schema(names.switches)),
}
