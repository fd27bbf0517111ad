"""Which row an order means, and what stands of it now. Pure functions over the flash.

A reservation outlives its batch: it is looked for in the archive too (as far back as that is kept), and whether it is
still open follows from the rows that name it, so that no archived row ever changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from specs.operation import ADJUSTMENTS, Kind, OriginalRef
from terminal_sim.state import Memory, Row, RowState

COMPLETIONS = frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE})
_GONE = (RowState.REVERSED, RowState.REJECTED, RowState.VOIDED)
_ADVICES = ADJUSTMENTS | {Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE}
_AUTHORISATIONS = frozenset({Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH_VOID})


def newest_first(memory: Memory) -> Iterator[Row]:
    """Every row that is kept, of the open journal and then of the archive."""
    yield from reversed(memory.rows)
    for closed in reversed(memory.archive):
        yield from reversed(closed.rows)


def find(memory: Memory, kinds: Iterable[Kind], *, stan: str = "", rrn: str = "", archived: bool = True) -> Row | None:
    """The newest row of these kinds with this STAN or RRN, in the archive too unless told otherwise."""
    wanted = frozenset(kinds)
    rows = newest_first(memory) if archived else reversed(memory.rows)
    return next((r for r in rows if r.kind in wanted and ((stan and r.stan == stan) or (rrn and r.rrn == rrn))), None)


def reference(row: Row) -> OriginalRef:
    """How a message names this row: all that any dialect may ask for."""
    return OriginalRef(
        stan=row.stan,
        batch=row.batch,
        rrn=row.rrn,
        invoice=row.invoice,
        amount=row.amount,
        auth_code=row.auth_code,
        date=row.at[:4],
        transmitted=row.transmitted,
        mti=mti_of(row),
    )


def mti_of(row: Row) -> str:
    """The MTI under which the row was sent (ISO 87's DE 90)."""
    if row.kind in _AUTHORISATIONS:
        return "0100"
    return row.image.mti if row.image else "0220" if row.kind in _ADVICES else "0200"


# --- adjustments


def adjustment_of(memory: Memory, sale: Row) -> Row | None:
    """The row that stands in the place of an adjusted sale of the open journal."""
    return next(
        (r for r in reversed(memory.rows) if _adjusts(r, sale) and not r.adjusted and r.state not in _GONE), None
    )


def with_adjustments(memory: Memory, sale: Row, state: RowState) -> tuple[Row, ...]:
    """A sale of the open journal and all its adjustments in this state: a void takes them together, and so does what
    undoes it. The sale comes first, in whatever state."""
    return (sale, *(row for row in memory.rows if _adjusts(row, sale) and row.state is state))


def _adjusts(row: Row, sale: Row) -> bool:
    return row.kind in ADJUSTMENTS and row.original_stan == sale.stan and row.pan == sale.pan


def final_amount(memory: Memory, sale: Row) -> int:
    """What the sale comes to: the total of its last adjustment, else its own amount."""
    if not sale.adjusted:
        return sale.amount
    rows = (
        r for r in newest_first(memory) if _adjusts(r, sale) and not r.adjusted and r.state is not RowState.REJECTED
    )
    return next((row.amount for row in rows), sale.amount)


def replaced_by(memory: Memory, adjustment: Row) -> Row | None:
    """What stood before this adjustment: an earlier one, else the sale itself."""
    earlier = [r for r in memory.rows if r.stan != adjustment.stan and r.adjusted and r.state not in _GONE]
    same = [
        r
        for r in earlier
        if r.pan == adjustment.pan
        and (
            r.stan == adjustment.original_stan
            or (r.kind in ADJUSTMENTS and r.original_stan == adjustment.original_stan)
        )
    ]
    return same[-1] if same else None


# --- refunds


def refunded(memory: Memory, sale: Row) -> int:
    """What this terminal has given back of a sale, as far as it remembers."""
    return sum(
        row.amount
        for row in newest_first(memory)
        if row.kind is Kind.REFUND and _names(row, sale) and row.state not in _GONE
    )


# --- reservations


def reservation(memory: Memory, *, stan: str = "", rrn: str = "") -> Row | None:
    """The pre-authorisation with this STAN or RRN, of any batch that is kept."""
    return find(memory, (Kind.PRE_AUTH,), stan=stan, rrn=rrn)


def reservation_of_card(memory: Memory, pan: str, *, stan: str = "", auth_code: str = "") -> Row | None:
    """The newest open pre-authorisation of a card, with this STAN or authorisation code if given."""
    for row in newest_first(memory):
        fits = row.stan == stan if stan else not auth_code or row.auth_code == auth_code
        if row.kind is Kind.PRE_AUTH and row.pan == pan and fits and not closed_by(memory, row):
            return row
    return None


def closed_by(memory: Memory, reserved: Row) -> str:
    """What has ended a pre-authorisation: "voided", "completed", "reversed"; "" while it is open."""
    if reserved.state is RowState.REVERSED:
        return "reversed"
    live = [row for row in newest_first(memory) if _names(row, reserved) and row.state not in _GONE]
    if any(row.kind is Kind.PRE_AUTH_VOID for row in live):
        return "voided"
    return "completed" if any(row.kind in COMPLETIONS for row in live) else ""


def held(memory: Memory, reserved: Row) -> int:
    """What is reserved: the pre-authorisation and its increments."""
    return reserved.amount + sum(
        row.amount
        for row in newest_first(memory)
        if row.kind is Kind.PRE_AUTH_INCREMENT and _names(row, reserved) and row.state not in _GONE
    )


def _names(row: Row, original: Row) -> bool:
    return row.original_stan == original.stan and row.pan == original.pan
