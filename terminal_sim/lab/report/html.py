"""HTML as nested calls: every text is escaped, whoever wrote it; only what this module made is taken as markup.

el("p", "a < b", cls="note")  ->  <p class="note">a &lt; b</p>
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Union

VOID = frozenset({"br", "hr", "meta", "col"})
_FORBIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069"
"""What HTML forbids, and the marks that turn the direction of writing around."""
_UNPRINTABLE = re.compile(f"[{_FORBIDDEN}]")
_SPECIAL = re.compile(f"[&<>\"'{_FORBIDDEN}]")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = Union[Html, str, int, None, "Iterable[Child]"]
Value = str | int | bool | None


def text(value: object) -> Html:
    """Any text, escaped for content and quoted values; what cannot be shown becomes U+FFFD."""
    said = str(value)
    if not _SPECIAL.search(said):  # as nearly all come
        return Html(said)
    return Html(escape(_UNPRINTABLE.sub("\ufffd", said), quote=True))


def el(name: str, /, *children: Child, **attributes: Value) -> Html:
    """An element. Attributes: `cls` is class, «_» is «-», True is a bare one, None and False are left out."""
    assert name.isalnum(), name
    opened = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        assert not children, name
        return Html(f"<{opened}>")
    return Html(f"<{opened}>{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Html:
    """Several pieces in a row; None is nothing."""
    return Html(text(between).join(_pieces(children)))


def _pieces(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str | int):
            yield text(child)
        else:
            yield join(child)


def _attribute(key: str, value: Value) -> str:
    name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{text(value)}"'
