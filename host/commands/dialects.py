"""`acquirer-host dialects`: what is built in, what one says, whether a user's own file can be used, and making one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from host.errors import ConfigError
from specs.dialect import Dialect, builtin, load
from specs.importing import BYTES_MAX, Imported, ImportRefused, from_text


def listing(as_json: bool) -> str:
    """Name, family and title of each built-in dialect."""
    rows = [load(name) for name in builtin()]
    if as_json:
        return json.dumps([{"name": d.name, "family": d.family, "title": d.title} for d in rows], indent=2)
    return "\n".join(f"{d.name:<16} {d.family:<6} {d.title}" for d in rows)


def show(name: str, as_json: bool) -> str:
    """Frame, profile switches and every data element."""
    dialect = load(name)
    return json.dumps(_shape(dialect), indent=2, ensure_ascii=False) if as_json else _text(dialect)


def check(file: str) -> str:
    """One line when the file can be used; DialectError says why not."""
    dialect = load(file)
    return f"{file}: good: {dialect.title}, family {dialect.family}, {len(dialect.fields)} data elements"


def import_file(file: Path, name: str, extends: str) -> Imported:
    """A dialect from a jPOS packager or a moov specification. name: "" = the file's own.

    Raises: ConfigError for a file that cannot be imported, in one line; DialectError for `extends`.
    """
    try:
        if file.stat().st_size > BYTES_MAX:
            raise ImportRefused(f"larger than {BYTES_MAX} bytes")
        return from_text(_text_of(file.read_bytes()), name=name or _name_of(file), extends=extends)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or 'cannot be read'}") from error
    except ImportRefused as error:
        raise ConfigError(f"{file}: {error}") from error


def write_new(file: Path, toml: str) -> None:
    """Write a dialect file. Raises: ConfigError, also for one that exists: it may have been edited by hand."""
    try:
        with file.open("x", encoding="utf-8", newline="\n") as out:
            out.write(toml)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or 'cannot be written'}") from error


def _text_of(data: bytes) -> str:
    """UTF-8, else Latin-1: names of elements in another encoding are read wrong, the rest is ASCII."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _name_of(file: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "imported"


def _shape(dialect: Dialect) -> dict[str, Any]:
    frame = dialect.frame
    return {
        "name": dialect.name,
        "family": dialect.family,
        "title": dialect.title,
        "frame": {"length": frame.length, "inclusive": frame.inclusive, "tpdu": frame.tpdu, "header": frame.header}
        | {"max_bytes": frame.max_bytes},
        "profile": dict(dialect.profile),
        "fields": {
            str(de): {"name": f.name, "format": f.format, "length": f.length, "max": f.max, "sensitive": f.sensitive}
            for de, f in sorted(dialect.fields.items())
        },
    }


def _text(dialect: Dialect) -> str:
    shape = _shape(dialect)
    lines = [f"{dialect.name}: {dialect.title}", "frame    " + _pairs(shape["frame"])]
    lines.append("profile  " + _pairs(shape["profile"]))
    for de, row in shape["fields"].items():
        masked = " (masked)" if row["sensitive"] else ""
        lines.append(f"  DE {de:>3}  {row['format']:<4} {row['length']:<6} {row['max']:>4}  {row['name']}{masked}")
    return "\n".join(lines)


def _pairs(table: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in table.items())
