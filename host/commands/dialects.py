"""`acquirer-host dialects`: what is built in, what one says, whether a file of the user's own can be used."""

from __future__ import annotations

import json
from typing import Any

from specs.dialect import Dialect, builtin, load


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
