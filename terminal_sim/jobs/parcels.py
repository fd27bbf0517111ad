"""What goes up in a batch upload, and in which messages: the order of flows.md section 5 (CUP), one a record (NAC)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from specs.operation import ADJUSTMENTS, RESERVATIONS, VOIDS, Kind, UploadForm, UploadItem
from terminal_sim import originals
from terminal_sim.chipcard import Says
from terminal_sim.state import Memory, Row, RowState, Settlement
from terminal_sim.wire import Wire

GROUP_MAX = 8
"""Records in one 0320/201 (cup.md 5.5)."""
REASONS = {Says.ARPC_WRONG: "05", Says.AAC: "11"}
"""Reason of a failed chip item: the card approved although the ARPC was wrong; the card refused (cup.md 5.10)."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one 0320 carries. rows: the records that its answer flags."""

    form: UploadForm
    rows: tuple[Row, ...]
    items: tuple[UploadItem, ...]


def waiting(memory: Memory, wire: Wire) -> list[Parcel]:
    """The messages still to be sent, in their order; what was answered stands in none of them."""
    settlement = memory.settlement
    assert settlement is not None
    return list(_FAMILIES[wire.name](memory, settlement))


def _open(memory: Memory) -> list[Row]:
    return [
        row
        for row in memory.rows
        if row.state not in (RowState.REVERSED, RowState.REJECTED)
        and row.kind not in RESERVATIONS
        and not (row.uploaded or row.rejected)
    ]


def _item(row: Row, form: UploadForm = UploadForm.GROUP, amount: int | None = None) -> UploadItem:
    return UploadItem(
        originals.reference(row),
        row.amount if amount is None else amount,
        row.kind,
        row.pan,
        row.foreign,
        form,
        reason=REASONS[Says(row.chip_end)] if form is UploadForm.FAILED else "",
        tip=row.tip or None,
        chip=bytes.fromhex(row.chip) or None,
    )


def _single(rows: Iterable[Row], form: UploadForm) -> Iterator[Parcel]:
    for row in rows:
        yield Parcel(form, (row,), (_item(row, form),))


# --- CUP


def _is_late(row: Row) -> bool:
    """Advices that stand behind the groups in the order: refunds and completions."""
    return row.kind in (Kind.REFUND, Kind.COMPLETION_ADVICE)


def _cup(memory: Memory, settlement: Settlement) -> Iterator[Parcel]:
    """Only the side that differs; chip items of online sales always. An adjusted sale gives way to its adjustment."""
    rows = [row for row in _open(memory) if not row.adjusted]
    owed = [row for row in rows if ("foreign" if row.foreign else "domestic") in settlement.upload_sides]
    copies = [row for row in owed if row.image is not None]
    early = [row for row in copies if not _is_late(row)]
    chips = [row for row in rows if row.chip and row.image is None]
    yield from _single((row for row in early if not row.chip), UploadForm.COPY)
    yield from _single((row for row in early if row.chip), UploadForm.COPY)
    online = [row for row in owed if row.image is None and not row.chip]
    for at in range(0, len(online), GROUP_MAX):
        group = tuple(online[at : at + GROUP_MAX])
        yield Parcel(UploadForm.GROUP, group, tuple(_item(row) for row in group))
    yield from _single((row for row in copies if _is_late(row)), UploadForm.COPY)
    yield from _single((row for row in chips if row.chip_end != Says.ARPC_WRONG), UploadForm.TC)
    yield from _single((row for row in memory.rows if _failed(row)), UploadForm.FAILED)
    yield from _single((row for row in chips if row.chip_end == Says.ARPC_WRONG), UploadForm.FAILED)


def _failed(row: Row) -> bool:
    """What the host approved and the card refused; it is reversed and in no total."""
    return row.chip_end == Says.AAC and not (row.uploaded or row.rejected)


# --- NAC, ISO 87


def _nac(memory: Memory, settlement: Settlement) -> Iterator[Parcel]:
    """Neither voided sales nor voids; an adjusted sale at its final amount, and its adjustment not (rules.md 5)."""
    for row in _open(memory):
        if row.state is RowState.JOURNALED and row.kind not in VOIDS | ADJUSTMENTS:
            item = _item(row, amount=originals.final_amount(memory, row))
            yield Parcel(UploadForm.GROUP, (row,), (item,))


def _nothing(memory: Memory, settlement: Settlement) -> Iterator[Parcel]:
    """The wire has no upload (rules.md 1)."""
    return iter(())


_FAMILIES: Mapping[str, Callable[[Memory, Settlement], Iterator[Parcel]]] = {
    "cup": _cup,
    "nac": _nac,
    "iso87": _nothing,
}
