"""Books by hand: rows, working sets and requests for tests of the engine. Every default can be named away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from host.engine.context import Context, Ids, Settings
from host.engine.draft import Draft
from host.engine.events import MacEvidence, Request
from host.engine.working import WorkingSet
from host.rows import Batch, BatchState, Leg, Row, Terminal, Txn, TxnState
from specs.operation import Kind, Operation, OriginalRef, UploadItem
from specs.profile import KeyScheme, Profile
from specs.totals import Sum, Totals

TID = "12345678"
NOW = datetime(2026, 3, 2, 22, 0, 5, tzinfo=UTC)
CUP = Profile(family="cup", key_scheme=KeyScheme.WIRE_BATCH, requires_sign_on=True, mac="ecb")
NAC = Profile(family="nac", key_scheme=KeyScheme.HOST_BATCH)


def a_context(*, now: datetime = NOW, day: date = date(2026, 3, 2), **settings: Any) -> Context:
    """Ids start far above those of rows made by hand."""
    tables = ("Batch", "Txn", "StagedItem", "ExceptionItem", "Alarm", "Leg", "Posting", "Adjustment")
    return Context(now, day, Settings(**settings), Ids(dict.fromkeys(tables, 1000)), lambda size: b"\x01" * size)


def a_draft(rows: Iterable[Row] = (), **settings: Any) -> Draft:
    """A decision about to be made over these rows."""
    return Draft(WorkingSet(rows), a_context(**settings))


def next_draft(draft: Draft, **context: Any) -> Draft:
    """The decision after this one: its puts are committed."""
    fresh = a_context(**context)
    return Draft(draft.ws, replace(fresh, ids=draft.ctx.ids))


def a_terminal(**changes: Any) -> Terminal:
    row = Terminal(
        id=1,
        tid=TID,
        mid="123456789012345",
        dialect="cup",
        provisioned="auto",
        signed_on=True,
        tmk="",
        pik="",
        mak="",
        tdk="",
        old_mak="",
        epoch=0,
        last_stan="000100",
        last_seen="",
        currency="156",
    )
    return replace(row, **changes)


def a_batch(number: str = "000001", state: BatchState = BatchState.OPEN, **changes: Any) -> Batch:
    """An open batch, id 1, nothing claimed."""
    row = Batch(
        id=1,
        tid=TID,
        number=number,
        generation=1,
        epoch=0,
        state=state,
        opened_at="2026-03-02T08:00:00.000+00:00",
        closed_at="",
        business_date="",
        running="{}",
        claimed="",
        answered="",
        verdict="",
        sides="",
        upload_rounds=0,
        end_count=0,
        digest="",
        forced="",
    )
    return replace(row, **changes)


def a_txn(txn_id: int, amount: int, kind: Kind = Kind.SALE, **changes: Any) -> Txn:
    """A captured domestic sale of batch 1; its STAN is its id."""
    state = changes.get("state", TxnState.CAPTURED)
    row = Txn(
        id=txn_id,
        tid=TID,
        mid="123456789012345",
        epoch=0,
        dialect="cup",
        kind=kind,
        state=state,
        batch_id=1,
        wire_batch="000001",
        stan=f"{txn_id:06d}",
        local_time="",
        rrn=f"{txn_id:012d}",
        auth_code="123456",
        response_code="00",
        refusal="",
        amount=amount,
        approved_amount=amount if state in (TxnState.CAPTURED, TxnState.VOIDED, TxnState.REVERSED) else 0,
        balance=-1,
        currency="156",
        pan="622316******0014",
        pan_hash="hash-a",
        organisation="CUP",
        foreign=False,
        entry="swipe",
        processing_code="000000",
        invoice="",
        content="{}",
        original_id=0,
        undone_by="",
        carried=False,
        settlement="open" if state is TxnState.CAPTURED else "none",
        business_date="2026-03-02",
        created_at="2026-03-02T09:00:00.000+00:00",
        answered_at="0302090000",
        note="",
    )
    return replace(row, **changes)


def a_leg(txn_id: int, state: str = "asking") -> Leg:
    return Leg(1, txn_id, 1, "debit", 100, "156", "hash-a", state, "2026-03-02T22:00:20.000+00:00", 0, "")


def a_request(kind: Kind, profile: Profile = CUP, *, hashes: Sequence[str] = (), **operation: Any) -> Request:
    """A request of TID; batch 000001 unless said otherwise (None in NAC where the wire carries none)."""
    operation.setdefault("stan", "000900")
    if kind is not Kind.UPLOAD or profile.family == "cup":
        operation.setdefault("batch", "000001")
    op = Operation(kind=kind, tid=TID, mid="123456789012345", **operation)
    return Request(1, op, profile, profile.family, MacEvidence(b"", None, False), item_hashes=tuple(hashes))


def cup_totals(
    debit: tuple[int, int] = (0, 0),
    credit: tuple[int, int] = (0, 0),
    foreign_debit: tuple[int, int] = (0, 0),
    foreign_credit: tuple[int, int] = (0, 0),
) -> Totals:
    """DE 48 as four (count, amount)."""
    return Totals(
        (
            Sum("domestic", "debit", *debit),
            Sum("domestic", "credit", *credit),
            Sum("foreign", "debit", *foreign_debit),
            Sum("foreign", "credit", *foreign_credit),
        )
    )


def nac_totals(sales: tuple[int, int] = (0, 0), refunds: tuple[int, int] = (0, 0)) -> Totals:
    """DE 63 as two (count, amount)."""
    return Totals((Sum("all", "sales", *sales), Sum("all", "refunds", *refunds)))


def uploaded(stan: int, amount: int, *, batch: str = "", rrn: str = "", kind: Kind | None = None) -> UploadItem:
    """One record of an upload; CUP groups carry neither RRN nor kind."""
    return UploadItem(OriginalRef(stan=f"{stan:06d}", batch=batch, rrn=rrn), amount, kind=kind)
