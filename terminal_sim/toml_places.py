"""In which line of a TOML text each key and each element of a list stands: `tomllib` does not say.

    lines('a = 1\n[[steps]]\nid = "A"')  ->  {("a",): 1, ("steps",): 2, ("steps", 0): 2, ("steps", 0, "id"): 3}

The text has been read by `tomllib` before, so it is right; what is looked at here is only where things begin.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'  # a text may end with two quotes of its own before the three that close it
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\n#]+")


def lines(text: str) -> dict[KeyPath, int]:
    """KeyPath -> line, from 1. An element of a list has its place, from 0, in the path."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._found: dict[KeyPath, int] = {}
        self._lists: dict[KeyPath, int] = {}
        """Lists of tables by their path -> how many elements they have so far."""

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._blank()
        return self._found

    # ---- parts of the grammar

    def _header(self) -> KeyPath:
        """[a.b] or [[a.b]]: the table that follows."""
        line = self._line()
        many = self._text.startswith("[[", self._at)
        self._at += 1 + many
        keys = self._keys()
        self._blank()
        self._at += 1 + many  # ] or ]]
        parent = self._resolved(keys[:-1], line)
        path = (*parent, keys[-1])
        self._note(path, line)
        if many:
            nth = self._lists.get(path, 0)
            self._lists[path] = nth + 1
            path = (*path, nth)
            self._note(path, line)
            return path
        return self._last(path)

    def _resolved(self, keys: KeyPath, line: int) -> KeyPath:
        """The path of keys, where a list of tables stands for its newest element."""
        path: KeyPath = ()
        for key in keys:
            path = self._last((*path, key))
            self._note(path, line)
        return path

    def _last(self, path: KeyPath) -> KeyPath:
        return (*path, self._lists[path] - 1) if path in self._lists else path

    def _pair(self, table: KeyPath) -> None:
        """key = value, the key perhaps with dots."""
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, line)
        self._blank()
        self._at += 1  # =
        self._blank()
        self._value(path)

    def _keys(self) -> KeyPath:
        found = [self._key()]
        self._blank()
        while self._text[self._at] == ".":
            self._at += 1
            found.append(self._key())
            self._blank()
        return tuple(found)

    def _key(self) -> str:
        self._blank()
        if match := _BARE_KEY.match(self._text, self._at):
            self._at = match.end()
            return match.group()
        quoted = self._take(_STRING)
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._table(path)
        elif first in "\"'":
            self._take(_STRING)
        else:
            self._take(_BARE_VALUE)

    def _list(self, path: KeyPath) -> None:
        nth = 0
        while self._more("]"):
            self._note((*path, nth), self._line())
            self._value((*path, nth))
            nth += 1

    def _table(self, path: KeyPath) -> None:
        while self._more("}"):
            self._pair(path)

    def _more(self, end: str) -> bool:
        """Step over the opening bracket or a comma; False behind the closing one."""
        self._blank()
        if self._text[self._at] != end:
            self._at += 1
            self._blank()
        if self._text[self._at] == end:
            self._at += 1
            return False
        return True

    # ---- moving on

    def _blank(self) -> None:
        self._take(_BLANK)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, f"no TOML at character {self._at}"
        self._at = match.end()
        return match.group()

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1

    def _note(self, path: KeyPath, line: int) -> None:
        self._found.setdefault(path, line)


def spelt(path: KeyPath) -> str:
    """How an error calls a place: steps[2].amount, counted from 1."""
    found = ""
    for part in path:
        found += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if found else ''}{part}"
    return found


def line_of(found: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line where a place stands, or what it stands in; 0 for the whole file."""
    return next((found[path[:end]] for end in range(len(path), 0, -1) if path[:end] in found), 0)
