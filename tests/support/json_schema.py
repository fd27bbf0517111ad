"""The words of JSON Schema, draft 2020-12, that a scenario's schema uses: enough to tell whether a value fits.

Written from the specification (json-schema.org/draft/2020-12), not from the code that makes the schema. A word that is
not known here is an error, so that nothing is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
_SAYS_NOTHING = {"$schema", "$defs", "title", "description", "default", "then", "additionalProperties"}
"""Notes, and words that another word looks at."""


def fits(value: object, schema: Schema | bool, root: Schema | None = None) -> bool:
    """Whether a value is as the schema wants it. Raises: KeyError for a word that is not known here."""
    if isinstance(schema, bool):
        return schema
    whole = schema if root is None else root
    words = [word for word in schema if word not in _SAYS_NOTHING]
    if "additionalProperties" in schema and not _no_others(value, schema, whole):
        return False
    return all(_WORDS[word](value, schema[word], schema, whole) for word in words)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(value).is_integer(),  # type: ignore[arg-type]
}


def _no_others(value: object, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    others = [one for name, one in value.items() if name not in schema.get("properties", {})]
    return all(fits(one, schema["additionalProperties"], root) for one in others)


def _ref(value: object, target: str, schema: Schema, root: Schema) -> bool:
    found: Any = root
    for part in target.removeprefix("#/").split("/"):
        found = found[part]
    return fits(value, found, root)


def _properties(value: object, wanted: Schema, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(fits(value[n], s, root) for n, s in wanted.items() if n in value)


def _items(value: object, wanted: Schema, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, list) or all(fits(one, wanted, root) for one in value)


def _if(value: object, condition: Schema, schema: Schema, root: Schema) -> bool:
    return not fits(value, condition, root) or fits(value, schema["then"], root)


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[object, Any, Schema, Schema], bool]:
    return lambda value, bound, _schema, _root: not _is_number(value) or compare(value, bound)


def _same(value: object, other: object) -> bool:
    """1 and true are two values."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


_WORDS: Mapping[str, Callable[[object, Any, Schema, Schema], bool]] = {
    "$ref": _ref,
    "type": lambda value, name, *_: _TYPES[name](value),
    "const": lambda value, other, *_: _same(value, other),
    "enum": lambda value, others, *_: any(_same(value, other) for other in others),
    "pattern": lambda value, pattern, *_: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minLength": lambda value, least, *_: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda value, most, *_: not isinstance(value, str) or len(value) <= most,
    "minimum": _compared(lambda value, bound: value >= bound),
    "maximum": _compared(lambda value, bound: value <= bound),
    "exclusiveMinimum": _compared(lambda value, bound: value > bound),
    "properties": _properties,
    "required": lambda value, names, *_: not isinstance(value, dict) or all(name in value for name in names),
    "items": _items,
    "minItems": lambda value, least, *_: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most, *_: not isinstance(value, list) or len(value) <= most,
    "allOf": lambda value, each, _schema, root: all(fits(value, one, root) for one in each),
    "anyOf": lambda value, each, _schema, root: any(fits(value, one, root) for one in each),
    "oneOf": lambda value, each, _schema, root: sum(fits(value, one, root) for one in each) == 1,
    "not": lambda value, other, _schema, root: not fits(value, other, root),
    "if": _if,
}
