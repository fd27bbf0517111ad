"""Charged but not settled: every transaction whose money is out of the card and not in a closed batch, and why.

The reasons are facts of the books, in words: the fate of the answer, the state of the batch, the issuer's leg, the
exception list. A settled one is here only while an exception is open on it. What is held and not charged is here only
when it moves money (profile TC captures it at the settlement) or while somebody may not know of it; a live
pre-authorisation that both ends know of is neither charged nor due. What a terminal has sold and not told yet comes
from its journal, where it was handed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from host.checker.books import KEYED_KINDS, LIVE, RESERVATION_KINDS, STANDING, HostBooks
from host.checker.kin import ROOTS, group_of
from host.rows import Leg, MessageRow, Txn, TxnState
from specs.operation import VOIDS

STORED = "stored"
"""The state of what only a terminal knows of."""


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
    """Every such transaction, oldest first: captured and not settled, still at the issuer, or debited for nothing; then
    what is stored at the terminals whose journal was handed over."""
    found = []
    for txn in books.txns:
        if txn.kind not in KEYED_KINDS:
            continue
        reasons = list(_reserved(books, txn) if txn.kind in RESERVATION_KINDS else _reasons(books, txn))
        if reasons:
            found.append(_item(books, txn, reasons))
    return found + list(_stored(books))


def _stored(books: HostBooks) -> Iterator[UnsettledItem]:
    """Advices that a terminal still had to send, unless the host has them by now."""
    for tid, book in books.terminal_books().items():
        terminal = books.terminal_by_tid.get(tid)
        for row in book.rows:
            known = (t for t in books.txns_by_stan.get((tid, row.stan), ()) if t.kind == row.kind)
            if not row.stored or any(t.wire_batch in ("", row.batch) and t.state in STANDING for t in known):
                continue
            yield UnsettledItem(
                txn_id=0,
                tid=tid,
                mid=terminal.mid if terminal else "",
                stan=row.stan,
                batch=row.batch,
                rrn=row.rrn,
                kind=row.kind,
                state=STORED,
                settlement="none",
                amount=row.amount,
                currency=terminal.currency if terminal else "",
                pan=row.pan,
                since=row.at,
                doubtful=True,
                reasons=("stored at the terminal and not sent yet: the host and the issuer do not know of it",),
            )


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
    if txn.state in LIVE:
        yield from _captured(books, txn)
    elif txn.state is TxnState.EXPIRED:
        listed = ", ".join(map(_exception, _exceptions(books, txn))) or "on no list"
        yield _Reason(f"never captured, and its hold was let go: {listed}", doubtful=True)
    elif txn.state is not TxnState.TOMBSTONE:
        yield from _at_the_issuer(books, txn)


def _reserved(books: HostBooks, txn: Txn) -> Iterator[_Reason]:
    """Held, not charged: worth a line only while an end may not know of it."""
    yield from (_leg(leg) for leg in _flying(books, txn))
    answer = _answer(books, txn) if txn.state is TxnState.AUTHORISED else ""
    if answer:
        held = f", {txn.held} held and not charged" if txn.held else ""
        yield _Reason(f"authorised at {txn.created_at}{held}, {answer}: the terminal may not know", doubtful=True)


def _flying(books: HostBooks, txn: Txn) -> list[Leg]:
    return [leg for leg in books.legs_by_txn.get(txn.id, ()) if leg.state != "done"]


def _captured(books: HostBooks, txn: Txn) -> Iterator[_Reason]:
    """A void waits for nothing by itself, since it weighs nothing, nor does a sale in whose place a tip stands; but the
    terminal may not know of it."""
    open_items = [_exception(reason) for reason in _exceptions(books, txn)]
    if txn.settlement == "settled" and not open_items:
        return
    answer = _answer(books, txn)
    word = "captured" if txn.state is TxnState.CAPTURED else "approved"
    if answer:
        yield _Reason(f"{word} at {txn.created_at}, {answer}: the terminal may not know", doubtful=True)
    flying = _flying(books, txn)
    if (txn.kind in VOIDS or txn.replaced_by) and not answer and not open_items:
        yield from map(_leg, flying)
        return
    batch = books.batch_by_id.get(txn.batch_id)
    if batch is None:
        yield _Reason(f"{word}, but in no batch", doubtful=True)
    elif books.is_closed(batch.id):
        listed = ", ".join(open_items) or f"settlement is {txn.settlement}"
        yield _Reason(f"batch {batch.number} {batch.state}: {listed}", doubtful=True)
    else:
        stale = ", stale: nobody settles it" if batch.stale_since else ""
        yield _Reason(f"batch {batch.number} {batch.state} since {batch.opened_at}{stale}", doubtful=False)
    if txn.state is TxnState.AUTHORISED:
        yield _Reason("held, not charged yet: captured at the settlement (TC)", doubtful=False)
    yield from map(_leg, flying)
    if not books.messages_by_txn.get(txn.id) and not books.log_covers(txn.created_at):
        yield _Reason(f"messages before {books.pruned_until} were pruned", doubtful=False)


def _exceptions(books: HostBooks, txn: Txn) -> Iterator[str]:
    for item in books.exceptions_by_txn.get(txn.id, ()):
        if item.batch_id == txn.batch_id:
            yield item.reason


def _exception(reason: str) -> str:
    return {"AMT": "the amounts differ (AMT)"}.get(reason, reason)


def _at_the_issuer(books: HostBooks, txn: Txn) -> Iterator[_Reason]:
    """Not captured: nothing to settle, so whatever the issuer still holds, or may hold, is held for nothing.

    Its tips and voids count with it: their debits and credits are the sale's money, and they are not judged alone.
    """
    flying = _flying(books, txn)
    if txn.kind not in ROOTS and not flying:
        return
    yield from map(_leg, flying)
    debited = group_of(books, txn).debited if txn.kind in ROOTS else 0
    if debited and not flying:
        did = f"debited {debited}" if debited > 0 else f"credited {-debited}"
        text = f"the issuer has {did}, and the host has the transaction {txn.state}"
        yield _Reason(f"{text} ({txn.response_code or 'no code'})", doubtful=True)


def _leg(leg: Leg) -> _Reason:
    if leg.state == "asking":
        return _Reason(
            f"leg {leg.number} ({leg.purpose}) unanswered by the issuer, until {leg.deadline}", doubtful=True
        )
    asked = f"asked {leg.tries} times" if leg.tries else "not asked yet"
    what = "undo" if leg.state == "undoing" else leg.purpose
    what = "debit" if what == "debit-again" else what
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
    "corrupted": "answer written but spoilt on the line",
    "bad-mac": "answer written but with a wrong MAC",
    "stalled": "answer written but the line stood still",
    "dripped": "answer written but sent byte by byte",
    "no-connection": "answer written but the terminal's connection was gone",
}
"""MessageRow.fate of an answer that was not sent whole."""


def _by(message: MessageRow) -> str:
    """The fault rule that did it, as the notes name it."""
    notes = json.loads(message.notes or "[]")
    texts = (note if isinstance(note, str) else str(note.get("message", "")) for note in notes)
    said = [text for text in texts if text.startswith("fault ")]
    return " by " + ", ".join(said) if said else ""
