"""A host's books as its API tells them: enough rows for what became of each purchase, not enough for every invariant.

What the API does not tell is left empty: legs, the message log, running figures. An adjustment (RH4) is told by its
posting, and belongs to the batch that was open then; what the issuer has taken by the cardholder's. Invariants are the
host's own word (`/findings`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, TypeVar, get_type_hints

from host.api.shapes import row_id
from host.checker.books import ACQUIRER, Finding, HostBooks, is_clearing
from host.rows import Adjustment, Batch, BatchState, ExceptionItem, IssuerLeg, Posting, Row, Txn, TxnState

Ask = Callable[[str], Any]
"""A path under /api/v1 -> the JSON of its answer."""
PAGE = 1_000
CARDHOLDER = "cardholder:"
"""Accounts of the issuer's book."""
_NOTHING: Mapping[Any, object] = {str: "", int: 0, bool: False}
T = TypeVar("T")


def listed(ask: Ask, path: str) -> Iterator[dict[str, Any]]:
    """Every item of a list, over its pages."""
    after = ""
    while True:
        page = ask(f"{path}{'&' if '?' in path else '?'}limit={PAGE}{after}")
        yield from page["items"]
        if not page["next"]:
            return
        after = f"&after={page['next']}"


@dataclass(frozen=True, slots=True)
class Before:
    """What stood in the books before a run: the newest transaction, and the batches that were closed."""

    txn_id: int
    closed: frozenset[int]


def before(ask: Ask, tids: Iterable[str]) -> Before:
    """As of now, for these terminals."""
    newest = ask("/transactions?limit=1&order=newest")["items"]
    shown = [batch for tid in set(tids) for batch in listed(ask, f"/batches?tid={tid}")]
    closed = frozenset(_id(Batch, batch["id"]) for batch in shown if batch["closed_at"])
    return Before(_id(Txn, newest[0]["id"]) if newest else 0, closed)


def books(ask: Ask, tids: Iterable[str], old: Before) -> HostBooks:
    """The rows of these terminals that are not old."""
    rows: list[Row] = []
    for tid in sorted(set(tids)):
        batches: list[Batch] = []
        of_txn: dict[str, int] = {}
        for shown in listed(ask, f"/batches?tid={tid}"):
            if _id(Batch, shown["id"]) not in old.closed:
                whole = ask(f"/batches/{shown['id']}")
                batches.append(_batch(whole))
                of_txn |= {item["id"]: batches[-1].id for item in whole["items"]}
                rows += _exceptions(whole, batches[-1])
        rows += batches
        for shown in listed(ask, f"/transactions?tid={tid}"):
            if _id(Txn, shown["id"]) > old.txn_id:
                rows += _txn(ask(f"/transactions/{shown['id']}"), of_txn.get(shown["id"], 0), batches)
    return HostBooks.of(_numbered(rows))


_SUBJECT = re.compile(r"(batch|txn) ([0-9]+)\b")


def about(finding: Finding, old: Before) -> bool:
    """Whether it may be about this run: not when it names what is older."""
    named = _SUBJECT.match(finding.subject)
    if named is None:
        return True
    return int(named[2]) not in old.closed if named[1] == "batch" else int(named[2]) > old.txn_id


def findings(ask: Ask) -> list[Finding]:
    """What the host's own checker says."""
    return [
        Finding(item["invariant"], item["subject"], item["text"], tuple(item["evidence"]))
        for item in ask("/findings")["items"]
    ]


# ---- rows


def _id(row_class: type, public: str) -> int:
    return row_id(row_class, public) or 0


def _filled(row_class: Callable[..., T], **known: object) -> T:
    """A row of what is known; nothing where nothing is told."""
    of: Any = row_class
    kinds = get_type_hints(of)
    untold = [f.name for f in fields(of) if f.name not in known and f.default is MISSING]
    return row_class(**known, **{name: _NOTHING.get(kinds[name], "") for name in untold})


def _batch(whole: Mapping[str, Any]) -> Batch:
    state = BatchState.OPEN if whole["state"] == "stale" else BatchState(whole["state"])
    totals = whole["totals"]
    return _filled(
        Batch,
        id=_id(Batch, whole["id"]),
        tid=whole["tid"],
        number=whole["number"],
        generation=whole["generation"],
        state=state,
        opened_at=whole["opened_at"],
        closed_at=whole["closed_at"] or "",
        business_date=whole["business_date"] or "",
        running=json.dumps(totals["running"]),
        claimed=_totals(totals["terminal"]),
        answered=_totals(totals["host"]),
        verdict=whole["verdict"] or "",
        forced=whole["forced"] or "",
        stale_since=whole["stale_since"] or "",
    )


def _totals(shown: list[dict[str, Any]] | None) -> str:
    if shown is None:
        return ""
    return json.dumps([[row["side"], row["group"], row["count"], row["amount"]] for row in shown])


def _exceptions(whole: Mapping[str, Any], batch: Batch) -> list[Row]:
    return [
        ExceptionItem(
            id=0,
            batch_id=batch.id,
            tid=batch.tid,
            txn_id=_id(Txn, shown["transaction"]) if shown["transaction"] else 0,
            item_key=shown["item"],
            reason=shown["reason"],
            amount=shown["host_amount"],
            side_amount=shown["terminal_amount"],
            detail=shown["detail"],
            at="",
        )
        for shown in whole["exceptions"]
    ]


_SAME = (
    *("tid", "mid", "dialect", "kind", "wire_batch", "stan", "rrn", "auth_code", "response_code", "amount"),
    *("approved_amount", "currency", "pan", "organisation", "foreign", "entry", "processing_code", "invoice"),
    *("undone_by", "carried", "settlement", "business_date", "note", "held", "tip", "cash", "advice"),
)
"""What the API calls as the row does."""


def _txn(whole: Mapping[str, Any], batch_id: int, batches: Iterable[Batch]) -> list[Row]:
    txn = _filled(
        Txn,
        id=_id(Txn, whole["id"]),
        state=TxnState(whole["state"]),
        batch_id=batch_id,
        original_id=_id(Txn, whole["original"]) if whole["original"] else 0,
        replaced_by=_id(Txn, whole["replaced_by"]) if whole["replaced_by"] else 0,
        created_at=whole["at"],
        chip=json.dumps(whole["chip"]) if whole["chip"] else "",
        **{name: whole[name] for name in _SAME},
    )
    rows: list[Row] = [txn]
    for entry in whole["money"]:
        late = entry["reason"] == "adjustment" and entry["book"] == ACQUIRER
        where = _open_at(batches, entry["at"]) if late else batch_id
        at = {"txn_id": txn.id, "at": entry["at"], "reason": entry["reason"], "amount": entry["amount"]}
        more = {"book": entry["book"], "account": entry["account"], "currency": txn.currency}
        posting = _filled(Posting, batch_id=where if entry["book"] == ACQUIRER else 0, **at, **more)
        rows.append(posting)
        if posting.account.startswith(CARDHOLDER):
            moved = {"amount": posting.amount, "approved_amount": posting.amount, "at": posting.at}
            rows.append(_filled(IssuerLeg, txn_id=txn.id, purpose="debit", code="00", **moved))
        if late and is_clearing(posting):
            rows.append(_filled(Adjustment, batch_id=where, **at))
    return rows


def _open_at(batches: Iterable[Batch], at: str) -> int:
    found = [b.id for b in batches if b.opened_at <= at and (not b.closed_at or at <= b.closed_at)]
    return found[-1] if found else 0


def _numbered(rows: Iterable[Row]) -> Iterator[Row]:
    """Ids for the rows that the API shows without one, in the order in which they were told."""
    for number, row in enumerate(rows, start=1):
        yield row if row.id else replace(row, id=number)
