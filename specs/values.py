"""Frozen values, changed by making new ones: `dataclasses.replace`, quicker where the value has a `__dict__`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import replace as replace  # so that the names and types of the changes are checked
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy with some fields changed. Raises: TypeError for a name that is no field.

        The host changes a dozen rows a sale, some of forty fields: copying their dictionary costs a tenth of calling
        the constructor. A class with slots or with `__post_init__` goes the long way.
        """
        made = value.__class__
        if made not in _PLAIN and not _is_plain(made):
            return dataclasses.replace(value, **changes)
        copy = object.__new__(made)
        fields = copy.__dict__
        fields.update(value.__dict__)
        before = len(fields)
        fields.update(changes)
        if len(fields) != before:
            raise TypeError(f"{made.__name__} has no field {', '.join(list(fields)[before:])}")
        return copy

    _PLAIN: set[type] = set()

    def _is_plain(made: type) -> bool:
        if hasattr(made, "__post_init__") or not dataclasses.is_dataclass(made) or "__slots__" in made.__dict__:
            return False
        _PLAIN.add(made)
        return True
