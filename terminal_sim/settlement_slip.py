"""What is printed for a batch: the totals of a closed one (结算总计单), the list of its transactions (交易明细单)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from specs.money import format_amount
from specs.operation import ADJUSTMENTS, DEBITS, RESERVATIONS, VOIDS, Kind, Verdict
from specs.totals import Sum, Totals
from terminal_sim.paper import RULE, columns, field
from terminal_sim.slip_parts import clock_time, gives_back, head, masked_card, money, text
from terminal_sim.slip_texts import KINDS, Wording
from terminal_sim.state import Archived, Config, Row, RowState, Slip

_SIGN = {**dict.fromkeys(DEBITS | ADJUSTMENTS, 1), Kind.REFUND: -1}
_SIDES = frozenset({"domestic", "foreign"})
_VERDICTS = {Verdict.AGREED: "agreed", Verdict.CLOSED_OTHER: "error", "forced": "agreed", "agreed": "agreed"}
"""Anything else: not agreed. forced: what a terminal that settles on paper alone claims."""
_SHOWS_CLAIM = frozenset({"iso87"})
"""Families whose host compares more than the lines above show: reversals and voids stand in sums of their own."""


def settlement(
    config: Config, family: str, closed: Archived, sides: tuple[tuple[str, str], ...], operator: str = ""
) -> Slip:
    """The totals of a closed batch. sides: (side, verdict) as answered, () where the dialect has no sides.

    Voided items are left out here, unlike in the totals on the wire, and so are reversed and rejected ones; an adjusted
    sale counts once, at its new total, in the line of the sale. Source: flows.md section 10.
    """
    words = Wording.of(config, family)
    lines = [*head(config, words, "settlement-slip", operator), *field(words.label("batch"), closed.batch)]
    if when := clock_time(closed.at):
        lines += field(words.label("time"), when)
    lines.append(RULE)
    for name, verdict in sides or (("", closed.result),):
        rows = [row for row in closed.rows if not sides or row.foreign == (name == "foreign")]
        title = words.label(name if name in _SIDES else "result")
        lines += [*field(title, words.label(_VERDICTS.get(verdict, "not-agreed"))), *_kind_lines(config, words, rows)]
    lines += [RULE, *field(words.label("net"), money(config, net(closed.rows)))]
    if family in _SHOWS_CLAIM:
        claimed = [line for total in closed.totals.sums if total.count for line in _sum_line(config, words, total)]
        lines += [RULE, words.label("claimed"), *claimed] if claimed else []
    if closed.result != "agreed" and closed.host_totals is not None:
        lines += [RULE, words.label("counts"), *_both(config, words, closed.totals, closed.host_totals)]
    if rejected := [row for row in closed.rows if row.rejected]:
        lines += [RULE, words.label("refused")]
        for row in rejected:
            lines += columns(f"  {row.stan}", row.rejected, format_amount(row.amount, config.currency))
    return Slip("SETTLEMENT", (text([*lines, RULE]),))


def net(rows: Iterable[Row]) -> int:
    """What the batch brings the merchant, minor units."""
    return sum(_SIGN[row.kind] * row.amount for row in _counting(rows))


def _counting(rows: Iterable[Row]) -> list[Row]:
    """What the merchant has sold and given back: each sale once, and nothing that was undone."""
    return [
        row
        for row in rows
        if row.state is RowState.JOURNALED and not row.adjusted and row.kind not in VOIDS | RESERVATIONS
    ]


def _kind_lines(config: Config, words: Wording, rows: Sequence[Row]) -> list[str]:
    """One line a kind with count and amount; kinds without items are not printed."""
    counting, lines = [(_line_of(row, rows), row.amount) for row in _counting(rows)], []
    for kind in KINDS:
        amounts = [amount for line, amount in counting if line is kind]
        if amounts:
            figures = str(len(amounts)), format_amount(sum(amounts), config.currency)
            lines += columns("  " + words.kind(kind), *figures)
    return lines


def _line_of(row: Row, rows: Sequence[Row]) -> Kind:
    """The line that a row counts in: of an adjustment, or of an adjustment of one, that of the sale at the bottom."""
    by_stan = {other.stan: other for other in rows if other.adjusted}
    for _ in rows:
        if row.kind not in ADJUSTMENTS or row.original_stan not in by_stan:
            break
        row = by_stan[row.original_stan]
    return row.kind


def _both(config: Config, words: Wording, ours: Totals, theirs: Totals) -> list[str]:
    """The sums that differ, ours above the host's."""
    lines = []
    for mine in ours.sums:
        host = theirs.get(mine.side, mine.group)
        if (mine.count, mine.amount) != (host.count, host.amount):
            side = [words.label(mine.side)] if mine.side in _SIDES else []
            lines.append(" ".join([*side, words.label(mine.group)]))
            for name, total in (("  T", mine), ("  H", host)):
                lines += columns(name, str(total.count), format_amount(total.amount, config.currency))
    return lines


def _sum_line(config: Config, words: Wording, total: Sum) -> list[str]:
    return columns(f"  {words.label(total.group)}", str(total.count), format_amount(total.amount, config.currency))


# --- the list -------------------------------------------------------------------------------------------------------


def detail(config: Config, family: str, batch: str, rows: Sequence[Row], *, operator: str = "", at: str = "") -> Slip:
    """Every transaction of a batch as it stands: voided, reversed and rejected ones too, each with its mark."""
    words = Wording.of(config, family)
    lines = [*head(config, words, "detail-slip", operator), *field(words.label("batch"), batch)]
    lines += [*(field(words.label("time"), clock_time(at)) if clock_time(at) else []), RULE]
    for row in rows:
        lines += _detail_lines(config, words, row)
    if not rows:
        lines.append(words.label("none"))
    lines += [RULE, *field(words.label("net"), money(config, net(rows))), RULE]
    return Slip("DETAIL LIST", (text(lines),))


def _detail_lines(config: Config, words: Wording, row: Row) -> list[str]:
    amount = format_amount(-row.amount if gives_back(row) else row.amount, config.currency)
    lines = columns(f"{row.stan} {words.kind(row.kind, row.of)}", "", amount)
    lines += field(f"  {masked_card(row)}", row.auth_code or "-")
    return lines + [
        f"  {words.label(mark)}" + (f" {row.rejected}" if mark == "rejected" else "") for mark in marks(row)
    ]


def marks(row: Row) -> list[str]:
    """What became of a row beyond being journaled: words of slip_texts, RowState and Row."""
    state = [] if row.state is RowState.JOURNALED else [str(row.state)]
    if row.rejected and "rejected" not in state:
        state.append("rejected")
    return state + (["adjusted"] if row.adjusted else []) + (["stored"] if row.stored else [])
