"""The files that a host of a run is started with: its configuration, and a dialect with other switches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specs.dialect import Dialect


def write_dialect(folder: Path, dialect: Dialect, changes: Mapping[str, Any]) -> str:
    """A dialect file of the same name with other switches of its profile; its path, the name when nothing is other."""
    if not changes:
        return dialect.name
    lines = [f'extends = "{dialect.name}"', f'name = "{dialect.name}"', "[profile]"]
    lines += [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in sorted(changes.items())]
    path = folder / f"{dialect.name}.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def config_lines(settings: Mapping[str, Any], limits: Mapping[str, Any]) -> Sequence[str]:
    """closeout.toml."""
    top = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return [*top, "[limits]", *(f"{name} = {json.dumps(value)}" for name, value in limits.items())]
