"""Charged but not settled: every transaction whose money is out of the card and not in a closed batch, and why.

The reasons are facts of the books, in words: the fate of the answer, the state of the batch, the issuer's leg, the
exception list. A settled one is here only while an exception is open on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from host.checker.books import FINANCIAL_KINDS, HostBooks
from host.checker.cards import debit_of
from host.rows import Leg, MessageRow, Txn, TxnState
from specs.operation import Kind


@dataclass(frozen=True, slots=True)
class UnsettledItem:
    """One transaction. Units: amount minor units, what the card was (or may have been) charged; since: ISO time.

    doubtful: the terminal or the issuer may not know what the host knows; otherwise it only waits for its settlement.
    """

    txn_id: int
    tid: str
    mid: str
    stan: str
    batch: str
    rrn: str
    kind: str
    state: str
    settlement: str
    amount: int
    currency: str
    pan: str
    since: str
    doubtful: bool
    reasons: tuple[str, ...]

    @property
    def why(self) -> str:
        """All reasons in one line."""
        return "; ".join(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """As the API shows it; `why` is all reasons in one text."""
        shown = asdict(self)
        return shown | {"reasons": list(self.reasons), "why": self.why}


@dataclass(frozen=True, slots=True)
class _Reason:
    text: str
    doubtful: bool


def unsettled(books: HostBooks) -> list[UnsettledItem]:
    """Every such transaction, oldest first: captured and not settled, still at the issuer, or debited for nothing."""
    found = []
    for txn in books.txns:
        if txn.kind not in FINANCIAL_KINDS:
            continue
        reasons = list(_reasons(books, txn))
        if reasons:
            found.append(_item(books, txn, reasons))
    return found


def _item(books: HostBooks, txn: Txn, reasons: list[_Reason]) -> UnsettledItem:
    batch = books.batch_by_id.get(txn.batch_id)
    return UnsettledItem(
        txn_id=txn.id,
        tid=txn.tid,
        mid=txn.mid,
        stan=txn.stan,
        batch=batch.number if batch is not None else txn.wire_batch,
        rrn=txn.rrn,
        kind=str(txn.kind),
        state=str(txn.state),
        settlement=txn.settlement,
        amount=txn.approved_amount or txn.amount,
        currency=txn.currency,
        pan=txn.pan,
        since=txn.created_at,
        doubtful=any(reason.doubtful for reason in reasons),
        reasons=tuple(reason.text for reason in reasons),
    )


def _reasons(books: HostBooks, txn: Txn) -> Iterator[_Reason]:
    if txn.state is TxnState.CAPTURED:
        yield from _captured(books, txn)
    elif txn.state is not TxnState.TOMBSTONE:
        yield from _at_the_issuer(books, txn)


def _captured(books: HostBooks, txn: Txn) -> Iterator[_Reason]:
    """A void waits for nothing by itself, since it weighs nothing; but the terminal may not know of it."""
    open_items = [_exception(reason) for reason in _exceptions(books, txn)]
    if txn.settlement == "settled" and not open_items:
        return
    answer = _answer(books, txn)
    if answer:
        yield _Reason(f"captured at {txn.created_at}, {answer}: the terminal may not know", doubtful=True)
    if txn.kind == Kind.VOID and not answer and not open_items:
        return
    batch = books.batch_by_id.get(txn.batch_id)
    if batch is None:
        yield _Reason("captured, but in no batch", doubtful=True)
    elif books.is_closed(batch.id):
        listed = ", ".join(open_items) or f"settlement is {txn.settlement}"
        yield _Reason(f"batch {batch.number} {batch.state}: {listed}", doubtful=True)
    else:
        yield _Reason(f"batch {batch.number} {batch.state} since {batch.opened_at}", doubtful=False)
    for leg in books.legs_by_txn.get(txn.id, ()):
        if leg.state != "done":
            yield _leg(leg)


def _exceptions(books: HostBooks, txn: Txn) -> Iterator[str]:
    for item in books.exceptions_by_txn.get(txn.id, ()):
        if item.batch_id == txn.batch_id:
            yield item.reason


def _exception(reason: str) -> str:
    return {"AMT": "the amounts differ (AMT)"}.get(reason, reason)


def _at_the_issuer(books: HostBooks, txn: Txn) -> Iterator[_Reason]:
    """Not captured: nothing to settle, so whatever the issuer still holds, or may hold, is held for nothing.

    A void of it counts with the sale: its credit is the sale's money going back.
    """
    flying = [leg for leg in books.legs_by_txn.get(txn.id, ()) if leg.state != "done"]
    if txn.kind == Kind.VOID and not flying:
        return
    for leg in flying:
        yield _leg(leg)
    kin = [txn, *books.voids_by_sale.get(txn.id, ())]
    debited = sum(debit_of(leg) for t in kin for leg in books.issuer_legs_by_txn.get(t.id, ()))
    if debited > 0 and not flying:
        text = f"the issuer has debited {debited}, and the host has the transaction {txn.state}"
        yield _Reason(f"{text} ({txn.response_code or 'no code'})", doubtful=True)


def _leg(leg: Leg) -> _Reason:
    if leg.state == "asking":
        return _Reason(
            f"leg {leg.number} ({leg.purpose}) unanswered by the issuer, until {leg.deadline}", doubtful=True
        )
    asked = f"asked {leg.tries} times" if leg.tries else "not asked yet"
    what = "debit" if leg.purpose == "debit-again" else "undo"
    return _Reason(f"leg {leg.number}: the issuer has not acknowledged the {what} ({asked})", doubtful=True)


def _answer(books: HostBooks, txn: Txn) -> str:
    """Why the terminal may not have the answer, "" when one was sent (or the log holds nothing of this transaction)."""
    messages = [m for m in books.messages_by_txn.get(txn.id, ()) if m.kind == txn.kind]
    if not messages:
        return ""
    answers = [m for m in messages if m.direction == "out"]
    sent = [m for m in answers if m.fate == "sent"]
    if any(m.code == txn.response_code for m in sent):
        return ""
    if sent:
        return f"but the terminal was told {sent[-1].code}{_by(sent[-1])}"
    if not answers:
        return "but no answer was written (the host stopped before it)"
    last = answers[-1]
    fate = _FATES.get(last.fate, f"answer written, and what became of it is not known ({last.fate or 'no word'})")
    return fate + _by(last)


_FATES = {
    "dropped": "answer written but dropped",
    "delayed": "answer written but held back",
    "reset": "answer written but the line was reset",
    "truncated": "answer written but cut off half-way",
    "no-connection": "answer written but the terminal's connection was gone",
}
"""MessageRow.fate of an answer that was not sent whole."""


def _by(message: MessageRow) -> str:
    """The fault rule that did it, as the notes name it."""
    notes = json.loads(message.notes or "[]")
    texts = (note if isinstance(note, str) else str(note.get("message", "")) for note in notes)
    said = [text for text in texts if text.startswith("fault ")]
    return " by " + ", ".join(said) if said else ""
