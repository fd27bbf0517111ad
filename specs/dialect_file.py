"""Reading dialect files: TOML, `extends` chains, and where in which file each key stands.

A file says only what differs from the one it extends; tables merge key by key, rows of [fields] too. `absent = true`
in a row takes a data element out.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from specs.errors import DialectError

#: Files in one `extends` chain; a variant of a variant of a variant is already hard to read.
CHAIN_MAX = 8
#: A dialect file is some hundred rows; anything larger is the wrong file.
FILE_BYTES_MAX = 256 * 1024

_TOP_KEYS = ("name", "title", "extends", "frame", "encoding", "profile", "fields")
TABLES = ("frame", "encoding", "profile", "fields")


@dataclass(frozen=True)
class DialectFile:
    """One file as read: its name for people, its text and its parsed content."""

    label: str
    stem: str
    folder: Path | None
    text: str
    data: Mapping[str, Any]

    def at(self, table: str, key: str) -> str:
        """ "mybank.toml:12": where a key stands; the file alone when the line cannot be told."""
        stated = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")
        own_table = f"{table}.{key}" if table else key
        for number, current, line in _lines(self.text):
            if current == own_table or (current == table and stated.match(line)):
                return f"{self.label}:{number}"
        return self.label


@dataclass(frozen=True)
class Merged:
    """An `extends` chain laid over one another, base first."""

    name: str
    title: str
    tables: Mapping[str, dict[str, Any]]
    chain: tuple[DialectFile, ...]

    def at(self, table: str, key: str) -> str:
        """Where the last file of the chain that has the key states it."""
        for file in reversed(self.chain):
            if key in file.data.get(table, {}):
                return file.at(table, key)
        return self.chain[-1].label

    def fail(self, table: str, key: str, why: str) -> NoReturn:
        """Raise the DialectError for one key of one table."""
        raise DialectError(self.at(table, key), f"{table}.{key}", why)


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """(line number, the table it stands in, the line); a table's own header line belongs to it."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            current = re.sub(r"[\s\"']", "", header.group(1))
        yield number, current, line


@lru_cache(maxsize=1)
def builtin_names() -> tuple[str, ...]:
    """The dialects that come with the program, in alphabetical order; looked for once."""
    folder = resources.files("specs") / "dialects"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: " (did you mean length?)", or the known words when nothing is near."""
    names = [str(k) for k in known]
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"


def read_chain(name_or_path: str) -> Merged:
    """Read a dialect and what it extends. Raises DialectError: unreadable, unknown base, a cycle, a chain too long."""
    return chain_of(_read(name_or_path, None))


def parsed(label: str, text: str) -> DialectFile:
    """A file from its text; a base given as a path is looked for in the current folder. Raises DialectError."""
    return _parsed(label, label.removesuffix(".toml"), None, text)


def chain_of(file: DialectFile) -> Merged:
    """A file and what it extends. Raises DialectError: unknown base, a cycle, a chain too long."""
    chain = [file]
    while (base := chain[-1].data.get("extends")) is not None:
        file = chain[-1]
        if not isinstance(base, str):
            raise DialectError(file.at("", "extends"), "extends", "must be a dialect's name or file, as text")
        above = _read(base, file)
        if any(above.label == other.label and above.folder == other.folder for other in chain):
            raise DialectError(file.at("", "extends"), "extends", f"{base} extends this file: a circle")
        chain.append(above)
        if len(chain) > CHAIN_MAX:
            raise DialectError(chain[0].label, "extends", f"more than {CHAIN_MAX} files extend one another")
    chain.reverse()
    return _merge(tuple(chain))


def _read(name_or_path: str, child: DialectFile | None) -> DialectFile:
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        path = Path(name_or_path)
        if child is not None and child.folder is not None:
            path = child.folder / path
        return _parsed(path.name, path.stem, path.resolve().parent, _file_text(path))
    if name_or_path not in builtin_names():
        at = child.at("", "extends") if child is not None else name_or_path
        raise DialectError(
            at,
            "extends" if child is not None else "dialect",
            f"no dialect is called {name_or_path!r}; {nearest(name_or_path, builtin_names())}",
        )
    text = (resources.files("specs") / "dialects" / f"{name_or_path}.toml").read_text("utf-8")
    return _parsed(f"{name_or_path}.toml", name_or_path, None, text)


def _file_text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise DialectError(path.name, "file", f"larger than {FILE_BYTES_MAX} bytes")
        return path.read_text("utf-8")
    except OSError as error:
        raise DialectError(path.name, "file", error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise DialectError(path.name, "file", "is not UTF-8 text") from error


def _parsed(label: str, stem: str, folder: Path | None, text: str) -> DialectFile:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise DialectError(f"{label}:{line.group(1)}" if line else label, "TOML", str(error)) from error
    file = DialectFile(label, stem, folder, text, data)
    for key, value in data.items():
        if key not in _TOP_KEYS:
            raise DialectError(file.at("", key), key, f"unknown key; {nearest(key, _TOP_KEYS)}")
        if (key in TABLES) != isinstance(value, dict):
            raise DialectError(file.at("", key), key, "must be a table" if key in TABLES else "must be text")
        if key not in TABLES and not isinstance(value, str):
            raise DialectError(file.at("", key), key, "must be text")
    return file


def _merge(chain: tuple[DialectFile, ...]) -> Merged:
    tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for file in chain:
        for table in TABLES:
            for key, value in file.data.get(table, {}).items():
                old = tables[table].get(key)
                if isinstance(old, dict) and isinstance(value, dict):
                    value = {**old, **value}
                tables[table][key] = value
    leaf = chain[-1]
    name = str(leaf.data.get("name", leaf.stem))
    title = next((str(f.data["title"]) for f in reversed(chain) if "title" in f.data), name)
    return Merged(name, title, tables, chain)
