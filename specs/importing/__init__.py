"""A user's dialect from another program's message description: jPOS GenericPackager XML, moov-io/iso8583 JSON.

    text -> Source (jpos.py, moov.py: what the file says, element by element)
         -> Imported (build.py: a dialect file that extends a built-in one, and what could not be said in it)

Both formats describe fields only: the frame, the transactions and the profile are those of the extended dialect.
"""

from __future__ import annotations

from specs.importing import jpos, moov
from specs.importing.build import build
from specs.importing.source import BYTES_MAX, Imported, ImportRefused, Unmapped

__all__ = ["BYTES_MAX", "ImportRefused", "Imported", "Unmapped", "from_jpos", "from_moov", "from_text"]


def from_jpos(xml_text: str, *, name: str = "", extends: str = "") -> Imported:
    """A dialect from a jPOS packager. name: of the dialect; extends: a dialect's name or file, "" = what fits best.

    Raises: ImportRefused for what is no packager, has a DTD of its own or is too large; DialectError for `extends`.
    """
    return build(jpos.read(xml_text), name, extends)


def from_moov(json_text: str, *, name: str = "", extends: str = "") -> Imported:
    """A dialect from a moov-io/iso8583 specification; otherwise as `from_jpos`."""
    return build(moov.read(json_text), name, extends)


def from_text(text: str, *, name: str = "", extends: str = "") -> Imported:
    """Either, told by its first character."""
    return (from_jpos if text.lstrip("\ufeff \t\r\n").startswith("<") else from_moov)(text, name=name, extends=extends)
