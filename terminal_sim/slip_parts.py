"""What all slips share: their first lines, and how cards, times and amounts are written."""

from __future__ import annotations

from collections.abc import Iterable

from specs.masking import mask_pan
from specs.money import currency, format_amount
from specs.operation import VOIDS, Kind
from terminal_sim.paper import RULE, centred, field, fold
from terminal_sim.slip_texts import ENTRY_LETTERS, TESTING, Wording
from terminal_sim.state import Config, Row


def head(config: Config, words: Wording, title: str, operator: str = "") -> list[str]:
    """The first lines of every slip: test mark, title, whose terminal, who was at it."""
    lines = [centred(TESTING)] if config.test_mode else []
    lines += [*(centred(part) for part in fold(words.label(title))), RULE]
    for key, value in (("merchant", config.merchant_name), ("mid", config.mid), ("tid", config.tid)):
        lines += field(words.label(key), value)
    return [*lines, *field(words.label("operator"), operator or config.operator)]


def masked_card(row: Row) -> str:
    """The card number as slips show it, with the letter for how it was read."""
    return mask_pan(row.pan) + ENTRY_LETTERS.get(row.entry, "") if row.pan else ""


def clock_time(at: str) -> str:
    """MMDDhhmmss for people; the wire has no year."""
    return f"{at[:2]}-{at[2:4]} {at[4:6]}:{at[6:8]}:{at[8:10]}" if len(at) == 10 else ""


def money(config: Config, minor: int) -> str:
    """An amount with its currency: «CNY -100.00»."""
    return f"{currency(config.currency).alpha} {format_amount(minor, config.currency)}"


def text(lines: Iterable[str]) -> str:
    """The lines as one copy, no blanks at their ends."""
    return "".join(line.rstrip() + "\n" for line in lines)


def gives_back(row: Row) -> bool:
    """Whether the money goes back to the card: a refund, and a void of anything but a refund."""
    return row.kind is Kind.REFUND or (row.kind in VOIDS | {Kind.PRE_AUTH_VOID} and row.of is not Kind.REFUND)
