"""Lines of a slip: narrow paper, labels left and values right, Chinese characters two columns wide."""

from __future__ import annotations

import unicodedata

COLUMNS = 38
RULE = "-" * COLUMNS


def width(text: str) -> int:
    """Columns that a text takes on paper: East Asian wide and full-width characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def centred(text: str) -> str:
    """The text in the middle of the paper, no blanks behind it."""
    return " " * max(0, (COLUMNS - width(text)) // 2) + text


def field(label: str, value: str) -> list[str]:
    """A label and its value on one line, or the value right-aligned on a line of its own; too long a text is folded."""
    gap = COLUMNS - width(label) - width(value)
    if gap >= 1:
        return [label + " " * gap + value]
    return [*fold(label), *(" " * (COLUMNS - width(part)) + part for part in fold(value))]


def fold(text: str) -> list[str]:
    """The text cut into lines that fit the paper."""
    lines, line = [], ""
    for character in text:
        if width(line + character) > COLUMNS:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line]


def columns(left: str, middle: str, right: str) -> list[str]:
    """Three columns: text, a count, an amount; figures too wide for the text's line stand on one of their own."""
    tail = f"{middle:>4}{right:>11}"
    gap = COLUMNS - width(left) - len(tail)
    if gap >= 1:
        return [left + " " * gap + tail]
    return [*fold(left), tail.rjust(COLUMNS)]
