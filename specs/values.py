"""Frozen values, quick to make and to change: `dataclasses.replace` and a constructor for classes with a `__dict__`.

A sale makes some twenty rows and messages of up to forty fields; a frozen dataclass sets each field by a call.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")


def quick_init(made: type[T]) -> type[T]:
    """Above @dataclass(frozen=True), without slots: the same constructor, at a third of the cost."""
    names: dict[str, Any] = {}
    parameters, lines = [], []
    for field in dataclasses.fields(made):  # type: ignore[arg-type]
        assert field.init, field.name
        assert field.default_factory is dataclasses.MISSING, field.name
        default = f"_default_{field.name}"
        if field.default is not dataclasses.MISSING:
            names[default] = field.default
        parameters.append(f"{field.name}={default}" if default in names else field.name)
        lines.append(f"    _cells_[{field.name!r}] = {field.name}")
    if hasattr(made, "__post_init__"):
        lines.append("    self.__post_init__()")
    text = f"def __init__(self, {', '.join(parameters)}):\n    _cells_ = self.__dict__\n" + "\n".join(lines)
    exec(text, names)
    made.__init__ = names["__init__"]  # type: ignore[method-assign]
    return made


if TYPE_CHECKING:
    from dataclasses import replace as replace  # so that the names and types of the changes are checked
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy with some fields changed. Raises: TypeError for a name that is no field.

        The host changes a dozen rows a sale, some of forty fields: copying their dictionary costs a tenth of calling
        the constructor. A class with slots goes the long way; `__post_init__` is called in either.
        """
        made = value.__class__
        looks = _PLAIN.get(made)
        if looks is None:
            if not _is_plain(made):
                return dataclasses.replace(value, **changes)
            looks = _PLAIN[made]
        before = value.__dict__
        fields = before | changes
        if len(fields) != len(before):
            raise TypeError(f"{made.__name__} has no field {', '.join(list(fields)[len(before) :])}")
        copy = _new(made)
        _give(copy, "__dict__", fields)
        if looks:
            copy.__post_init__()
        return copy

    _new, _give = object.__new__, object.__setattr__

    _PLAIN: dict[type, bool] = {}
    """Classes whose values have a dictionary and nothing else -> whether they look at themselves once they are made."""

    def _is_plain(made: type) -> bool:
        slots = any("__slots__" in base.__dict__ for base in made.__mro__[:-1])
        if slots or not all(field.init for field in dataclasses.fields(made)):
            return False
        _PLAIN[made] = hasattr(made, "__post_init__")
        return True
