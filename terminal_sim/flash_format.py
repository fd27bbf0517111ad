"""Memory <-> JSON. The types of terminal_sim.state are the schema; a value that does not fit names its key.

The document carries the SHA-256 of its own text (with zeros in that place), so one changed byte is seen, whatever it
makes of an amount or a STAN. A document without it, from an earlier version, is read as before.
"""

from __future__ import annotations

import hashlib
import json
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from specs.message import Message
from specs.totals import Totals
from terminal_sim.state import Memory

VERSION = 2
WITHOUT_CHECK = 1
"""The version before, which had none."""
_BLANK = "0" * 64
_CHECK = re.compile(r'^ "check": "([0-9a-f]{64})",$', re.MULTILINE)
TORN = "is torn or no JSON"
WAY_BACK = "`terminal-sim restore` puts a copy back; without one init a new terminal, and close its batch at the host"
"""What to do about a file that cannot be used. It is never taken for an empty terminal."""


class FormatError(ValueError):
    """What is wrong, with the key where it stands."""


def dump(memory: Memory) -> str:
    """The memory as one JSON document."""
    document = {"version": VERSION, "check": _BLANK, "terminal": _plain(memory)}
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    return text.replace(_BLANK, _sum(text), 1)


def load(text: str) -> Memory:
    """Read it back. Raises: FormatError naming the key; a torn file shows as JSON that ends too early, one with a
    changed byte by its check."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{TORN}: {error}: {WAY_BACK}") from None
    if not isinstance(document, dict) or document.get("version") not in (VERSION, WITHOUT_CHECK):
        raise FormatError(f"version: this program reads {WITHOUT_CHECK} and {VERSION}: {WAY_BACK}")
    try:
        value: Memory = _typed(Memory, document.get("terminal"), "terminal")
    except FormatError as error:
        raise FormatError(f"{error}: {WAY_BACK}") from None
    if not _whole(document, text):
        raise FormatError(f"does not fit its check, so some of it was changed or lost: {WAY_BACK}")
    return value


def _whole(document: Mapping[str, Any], text: str) -> bool:
    found = _CHECK.search(text)
    if document["version"] == WITHOUT_CHECK:
        return document.keys() == {"version", "terminal"}
    return found is not None and _sum(text[: found.start(1)] + _BLANK + text[found.end(1) :]) == found[1]


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Totals):
        return value.to_json()
    if isinstance(value, Message):
        fields_ = {str(de): text for de, text in value.fields.items()}
        return {"mti": value.mti, "fields": fields_, "tpdu": value.tpdu, "header": value.header}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def _typed(kind: Any, value: Any, key: str) -> Any:
    """The value as the annotated type; `key` is the path for the error."""
    if kind is Totals:
        return _totals(value, key)
    if kind is Message:
        return _message(value, key)
    if is_dataclass(kind):
        return _record(kind, value, key)
    if get_origin(kind) in (types.UnionType, Union):
        return None if value is None else _typed(next(k for k in get_args(kind) if k is not type(None)), value, key)
    if get_origin(kind) is tuple:
        return _sequence(get_args(kind), value, key)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(value)
        except ValueError:
            raise FormatError(f"{key}: not one of {', '.join(kind)}") from None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise FormatError(f"{key}: must be {kind.__name__}")
    return value


def _record(kind: Any, value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        raise FormatError(f"{key}: must be an object")
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    if unknown := value.keys() - known.keys():
        raise FormatError(f"{key}.{min(unknown)}: unknown key")
    for name, spec in known.items():
        if name not in value and spec.default is MISSING and spec.default_factory is MISSING:
            raise FormatError(f"{key}.{name}: is missing")
    return kind(**{name: _typed(hints[name], item, f"{key}.{name}") for name, item in value.items()})


def _sequence(items: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise FormatError(f"{key}: must be a list")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_typed(items[0], item, f"{key}[{at}]") for at, item in enumerate(value))
    if len(value) != len(items):
        raise FormatError(f"{key}: must have {len(items)} entries")
    return tuple(_typed(kind, item, f"{key}[{at}]") for at, (kind, item) in enumerate(zip(items, value, strict=True)))


def _totals(value: Any, key: str) -> Totals:
    try:
        return Totals.from_json(value)
    except (TypeError, ValueError):
        raise FormatError(f"{key}: must be rows of side, group, count, amount") from None


def _message(value: Any, key: str) -> Message:
    try:
        raw: Mapping[str, str] = value["fields"]
        return Message(value["mti"], {int(de): str(text) for de, text in raw.items()}, value["tpdu"], value["header"])
    except (TypeError, ValueError, KeyError, AttributeError):
        raise FormatError(f"{key}: must be a message with mti, fields, tpdu and header") from None
