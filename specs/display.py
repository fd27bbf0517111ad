"""Messages as people and `decode --json` see them."""

from __future__ import annotations

from specs.dialect import Dialect
from specs.message import Message


def show_fields(msg: Message, dialect: Dialect, *, clear: bool = False) -> dict[str, str]:
    """DE number -> value: digits without filler, text, hex for binary; text beyond printable ASCII as `hex:…`.

    Card data is masked unless `clear`. Source: protocol/README.md, vectors.json.
    """
    values = dict(msg.fields) if clear else msg.masked()
    return {str(de): _shown(value, _is_text(de, dialect)) for de, value in sorted(values.items())}


def _is_text(de: int, dialect: Dialect) -> bool:
    spec = dialect.fields.get(de)
    return spec is None or spec.is_text


def _shown(value: str, text: bool) -> str:
    if not text or all(" " <= c <= "~" for c in value):
        return value
    return "hex:" + value.encode("latin-1", "replace").hex().upper()
