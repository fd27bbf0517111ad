"""Rows of the books as the API shows them: the names of interface.md, section 3. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from host.checker.outcomes import Outcome
from host.rows import (
    Alarm,
    Batch,
    BatchState,
    ExceptionItem,
    Leg,
    MessageRow,
    Posting,
    StagedItem,
    Terminal,
    Txn,
    TxnState,
)
from specs import codes
from specs.operation import RESERVATIONS
from specs.security import kcv

Shape = dict[str, Any]
_PREFIX = {Txn: "txn", Batch: "bat", MessageRow: "msg", Alarm: "alm"}


def public_id(table: type, row_id: int) -> str:
    """The id that users see: opaque, and ordered as text too."""
    return f"{_PREFIX[table]}-{row_id:012d}"


def row_id(table: type, public: str) -> int | None:
    """The row behind a public id (a bare number is taken as well), None when it is none."""
    digits = public.removeprefix(f"{_PREFIX[table]}-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _funding(row: Txn) -> str:
    """accrued: captured and to be paid with its batch; suspense: kept back by an exception. What an adjustment stands
    in the place of, a reservation and what is authorised only (TC) are paid by nobody."""
    if row.state is not TxnState.CAPTURED or row.settlement == "none":
        return "none"
    return "suspense" if row.settlement == "exception" else "accrued"


def transaction(row: Txn, batch_number: str) -> Shape:
    """One transaction in a list."""
    return {
        "id": public_id(Txn, row.id),
        "tid": row.tid,
        "mid": row.mid,
        "dialect": row.dialect,
        "kind": row.kind,
        "state": row.state.value,
        "settlement": row.settlement,
        "funding": _funding(row),
        "amount": row.amount,
        "approved_amount": row.approved_amount,
        "currency": row.currency,
        "pan": row.pan,
        "stan": row.stan,
        "rrn": row.rrn,
        "auth_code": row.auth_code,
        "response_code": row.response_code,
        "batch": batch_number,
        "business_date": row.business_date,
        "at": row.created_at,
    }


def explanation(row: Txn, family: str) -> Shape:
    """What the response code means, for people: {code, en, zh}."""
    code = row.response_code
    if not code:
        return {"code": "", "en": f"no answer yet: {row.state.value}", "zh": ""}
    en, zh = _SINCE.get(_since(row), ("", ""))
    return {
        "code": code,
        "en": "; ".join(filter(None, (codes.text(family, code, "en"), en))),
        "zh": "；".join(filter(None, (codes.text(family, code, "zh"), zh))),
    }


def _since(row: Txn) -> str:
    """What has become of it since it was answered, as far as the code does not say it."""
    reserves = row.kind in RESERVATIONS
    match row.state:
        case TxnState.AUTHORISED:
            return "held" if reserves else "uncaptured"
        case TxnState.EXPIRED:
            return "expired" if reserves else "let-go"
        case TxnState.CAPTURED if row.replaced_by:
            return "completed" if reserves else "adjusted"
        case _:
            return ""


_SINCE = {
    "held": ("held, not charged", "已预授权，未扣款"),
    "uncaptured": ("held, captured at the settlement", "已授权，批结算时请款"),
    "expired": ("the hold has run out and was released", "预授权已过期，额度已释放"),
    "let-go": ("not captured at the settlement, the hold was let go", "批结算未请款，额度已释放"),
    "completed": ("completed", "预授权已完成"),
    "adjusted": ("an adjustment stands in its place", "已被调整交易取代"),
}
"""State -> words, English and Chinese."""


def transaction_whole(
    row: Txn,
    batch_number: str,
    family: str,
    *,
    pruned_until: str,
    messages: Iterable[MessageRow],
    postings: Iterable[Posting],
    legs: Iterable[Leg],
) -> Shape:
    """All fields, the time line, the money and the explanation of one transaction. pruned_until: up to when messages
    were pruned, if some of its own may be among them, else ""."""
    shape = transaction(row, batch_number)
    shape |= {
        "entry": row.entry,
        "processing_code": row.processing_code,
        "invoice": row.invoice,
        "organisation": row.organisation,
        "foreign": row.foreign,
        "original": public_id(Txn, row.original_id) if row.original_id else None,
        "undone_by": row.undone_by,
        "replaced_by": public_id(Txn, row.replaced_by) if row.replaced_by else None,
        "held": row.held,
        "tip": row.tip,
        "cash": row.cash,
        "advice": row.advice,
        "carried": row.carried,
        "note": row.note,
        "chip": json.loads(row.chip) if row.chip else None,
        "wire_batch": row.wire_batch,
        "messages_pruned_until": pruned_until,
    }
    shape["explanation"] = explanation(row, family)
    shape["money"] = [
        {"book": p.book, "account": p.account, "amount": p.amount, "reason": p.reason, "at": p.at} for p in postings
    ]
    events: list[Shape] = [
        {
            "at": m.at,
            "party": "terminal" if m.direction == "in" else "host",
            "event": f"{m.mti} {m.kind}".strip() + (f" {m.code}" if m.code else ""),
            "fate": m.fate,
            "notes": [str(note["message"]) for note in json.loads(m.notes or "[]")],
            "message": public_id(MessageRow, m.id),
        }
        for m in messages
    ]
    events += [
        {"at": p.at, "party": p.book, "event": f"posted {p.reason}", "amount": p.amount, "account": p.account}
        for p in postings
    ]
    events += [
        {"at": row.created_at, "party": "issuer", "event": f"leg {g.number} {g.purpose}: {g.state} {g.result}".strip()}
        for g in legs
    ]
    shape["events"] = sorted(events, key=lambda e: str(e["at"]))
    return shape


STALE = "stale"
"""What an open batch is shown as that nobody settles (rules.md, section 7)."""


def batch_state(row: Batch) -> str:
    """The state that users see: stale while it is open and its cutoff is over."""
    return STALE if row.state is BatchState.OPEN and row.stale_since else row.state.value


def batch(row: Batch) -> Shape:
    """One batch in a list; totals of both sides as the last settlement saw them."""
    return {
        "id": public_id(Batch, row.id),
        "tid": row.tid,
        "number": row.number,
        "generation": row.generation,
        "state": batch_state(row),
        "stale_since": row.stale_since or None,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at or None,
        "business_date": row.business_date or None,
        "totals": {
            "running": json.loads(row.running) if row.running else {},
            "terminal": _totals(row.claimed),
            "host": _totals(row.answered),
        },
        "verdict": row.verdict or None,
        "forced": row.forced or None,
    }


def _totals(text: str) -> list[Shape] | None:
    if not text:
        return None
    return [dict(zip(("side", "group", "count", "amount"), row, strict=True)) for row in json.loads(text)]


def batch_whole(
    row: Batch, txns: Iterable[Txn], staged: Iterable[StagedItem], exceptions: Iterable[ExceptionItem]
) -> Shape:
    """A batch with its items, what was uploaded, and every exception with its reason."""
    shape = batch(row)
    shape["items"] = [transaction(t, row.number) for t in txns]
    shape["uploaded"] = [
        {
            "item": s.item_key,
            "amount": s.amount,
            "pan": s.pan,
            "known": s.known,
            "at": s.at,
            "form": s.form,
            "evidence": s.evidence,
        }
        for s in staged
    ]
    shape["exceptions"] = [
        {
            "reason": e.reason,
            "item": e.item_key,
            "transaction": public_id(Txn, e.txn_id) if e.txn_id else None,
            "host_amount": e.amount,
            "terminal_amount": e.side_amount,
            "detail": e.detail,
        }
        for e in exceptions
    ]
    return shape


def message(row: MessageRow) -> Shape:
    """One frame, decoded and masked, with its notes."""
    return {
        "id": public_id(MessageRow, row.id),
        "at": row.at,
        "direction": row.direction,
        "peer": row.peer,
        "dialect": row.dialect,
        "tid": row.tid,
        "mti": row.mti,
        "kind": row.kind,
        "stan": row.stan,
        "response_code": row.code,
        "rrn": row.rrn,
        "auth_code": row.auth_code,
        "transaction": public_id(Txn, row.txn_id) if row.txn_id else None,
        "reply_to": public_id(MessageRow, row.reply_to) if row.reply_to else None,
        "fate": row.fate,
        "fields": json.loads(row.fields) if row.fields else {},
        "notes": json.loads(row.notes) if row.notes else [],
        "digest": row.digest,
        "raw": row.raw,
    }


def outcome(row: Outcome) -> Shape:
    """One purchase that is over and not clean, with its classes (failure-catalogue.md, section 2)."""
    shape = row.to_json()
    return shape | {"transaction": public_id(Txn, row.txn_id) if row.txn_id else None}


def _check_value(key: str) -> str:
    """By which two people compare a key without telling it; "" for none."""
    return kcv(bytes.fromhex(key)).hex().upper() if key else ""


def alarm(row: Alarm) -> Shape:
    """One alarm; tid "" = of the host itself."""
    return {
        "id": public_id(Alarm, row.id),
        "at": row.at,
        "tid": row.tid,
        "code": row.code,
        "text": row.text,
        "transaction": public_id(Txn, row.txn_id) if row.txn_id else None,
        "batch": public_id(Batch, row.batch_id) if row.batch_id else None,
    }


def terminal(row: Terminal, open_batch: Batch | None, pending: int, alarms: Iterable[Mapping[str, Any]]) -> Shape:
    """A terminal as the desk sees it; keys are never shown."""
    return {
        "tid": row.tid,
        "mid": row.mid,
        "dialect": row.dialect,
        "provisioned": row.provisioned,
        "signed_on": row.signed_on,
        "last_seen": row.last_seen or None,
        "last_stan": row.last_stan or None,
        "epoch": row.epoch,
        "batch": open_batch.number if open_batch else None,
        "batch_state": batch_state(open_batch) if open_batch else None,
        "batch_opened_at": open_batch.opened_at if open_batch else None,
        "pending_work": pending,
        "alarms": list(alarms),
        "request": row.request,
        "serial": row.serial or None,
        "status": row.status or None,
        "keys": {name: "set" if value else "none" for name, value in (("tmk", row.tmk), ("mak", row.mak))},
        "key_check_values": {name: _check_value(getattr(row, name)) for name in ("tmk", "pik", "mak", "tdk")},
    }
