"""The auditor: what each terminal is worth by its messages alone, against its ledger (truth is computed twice).

It reads requests and answers as they were on the wire: an approved sale adds its amount, a refund takes it off, a void
takes back what its original comes to by then, a tip or adjustment adds the difference to its new total, a reversal
answered 00 undoes what it names and all that hangs on it. No posting and no amount of a transaction is looked at; only
which of them a message is about and which names which, since no dialect's wire says that in one way (an ISO 87 answer
may echo the RRN of another). Where the log cannot say what was decided, that STAN is left out on both sides; so is what
is held only until its capture at the settlement (profile TC), which is no message.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from host.checker.books import ACQUIRER, FINANCIAL_KINDS, Finding, HostBooks, fields_of, grouped, is_clearing
from host.checker.delivery import written_by_fault
from host.checker.items import sign_of
from host.checker.kin import group_of, root_of
from host.rows import MessageRow, Txn, TxnState
from specs.codes import FAMILIES, is_approved
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind

AMOUNT_DE, TIP_DE = "4", "48"
"""CUP: DE 48 of a tip or adjustment is the tip, and DE 4 the total without it (cup.md 5.5)."""
DONE = "00"
NOTHING_DECIDED = re.compile(r"fault \d+: [^\"]*before the commit")
"""How a note says that a fault rule took a request away before anything was decided."""

AUDIT = "AUDIT"
"""The name of what the auditor finds, beside those of the invariants."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """One approved message. root: the sale or refund that it is about, by id. amount: signed minor units."""

    stan: str
    root: int
    kind: str
    amount: int


@dataclass(slots=True)
class _Truth:
    """One terminal by its messages. effects: by the transaction that they are about; undone: those whose reversal was
    acknowledged. of_root: ids in order."""

    effects: dict[int, _Effect] = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    of_root: dict[int, list[int]] = field(default_factory=dict)

    def add(self, txn_id: int, effect: _Effect) -> None:
        self.effects[txn_id] = effect
        self.of_root.setdefault(effect.root, []).append(txn_id)

    def by_stan(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for txn_id, effect in self.effects.items():
            found[effect.stan] += 0 if txn_id in self.undone else effect.amount
        return found

    def worth(self, root: int) -> int:
        """What the group comes to so far."""
        return sum(self.effects[i].amount for i in self.of_root.get(root, ()) if i not in self.undone)


def audit(books: HostBooks) -> Iterator[Finding]:
    """Each terminal's net in the acquirer's issuer-clearing account against the net of its messages."""
    ledger, silent = _ledger(books)
    for tid, messages in grouped([_named(books, m) for m in books.messages], lambda message: message.tid).items():
        if not tid or not any(m.kind in FINANCIAL_KINDS for m in messages):
            continue
        truth = _truth(books, messages)
        left_out = truth.doubtful | silent.get(tid, set())
        said = {stan: amount for stan, amount in truth.by_stan().items() if stan not in left_out}
        kept = {stan: amount for stan, amount in ledger.get(tid, Counter()).items() if stan not in left_out}
        differing = [s for s in sorted(said.keys() | kept.keys()) if said.get(s, 0) != kept.get(s, 0)]
        if differing:
            text = f"by its messages it comes to {sum(said.values())}, by the ledger to {sum(kept.values())}"
            lines = (f"STAN {s}: messages {said.get(s, 0)}, ledger {kept.get(s, 0)}" for s in differing)
            yield Finding(AUDIT, f"terminal {tid}", text, tuple(lines))


def _ledger(books: HostBooks) -> tuple[Mapping[str, Counter[str]], Mapping[str, set[str]]]:
    """tid -> STAN -> net; and tid -> STANs of which the log cannot know: older ones, those that an upload brought, and
    what was or is held only (TC)."""
    first = min((message.at for message in books.messages), default="")
    held = _held_only(books)
    sums: dict[str, Counter[str]] = {}
    silent: dict[str, set[str]] = {}
    for posting in books.postings:
        txn = books.txn_by_id.get(posting.txn_id)
        if txn is None or posting.book != ACQUIRER or not is_clearing(posting):
            continue
        sums.setdefault(txn.tid, Counter())[txn.stan] += posting.amount
        if txn.id not in books.messages_by_txn and txn.created_at < first:
            silent.setdefault(txn.tid, set()).add(txn.stan)
    for txn in _pruned(books):
        silent.setdefault(txn.tid, set()).add(txn.stan)
    for txn in books.txns:
        uploaded = txn.id not in books.messages_by_txn and txn.kind == Kind.OFFLINE_SALE
        if txn.kind in FINANCIAL_KINDS and (uploaded or txn.id in held):
            silent.setdefault(txn.tid, set()).add(txn.stan)
    return sums, silent


def _pruned(books: HostBooks) -> Iterator[Txn]:
    """All that belongs to a transaction whose own message is gone from the log."""
    if not books.pruned_until:
        return
    for txn in books.txns:
        if txn.kind not in FINANCIAL_KINDS or books.log_covers(txn.created_at):
            continue
        messages = books.messages_by_txn.get(txn.id, ())
        if not any(m.direction == "in" and m.kind == txn.kind for m in messages):
            yield from group_of(books, root_of(books, txn)).members


def _held_only(books: HostBooks) -> set[int]:
    """Transactions of purchases that were captured at a settlement, or will be: by their holds, and of a refund by its
    state and by an owed credit that no answer has waited for."""
    found = set()
    for leg in books.legs:
        txn = books.txn_by_id.get(leg.txn_id)
        if txn is None or txn.kind not in FINANCIAL_KINDS:
            continue
        if leg.purpose in ("hold", "hold-again", "release"):
            root = root_of(books, txn)
            found |= {t.id for t in group_of(books, root).members}
    for txn in books.txns:
        if txn.kind == Kind.REFUND:
            legs = books.legs_by_txn.get(txn.id, ())
            posted = [p for p in books.postings_by_txn.get(txn.id, ()) if p.reason == "refund"]
            batch = books.batch_by_id.get(txn.batch_id)
            at_close = batch is not None and any(p.at == batch.closed_at for p in posted)
            if at_close or txn.state in (TxnState.AUTHORISED, TxnState.EXPIRED) or not legs:
                found |= {t.id for t in group_of(books, txn).members}
    return found


def _truth(books: HostBooks, messages: list[MessageRow]) -> _Truth:
    truth = _Truth()
    unanswered: dict[str, str] = {}
    for request in messages:
        if request.direction != "in" or request.kind not in (*FINANCIAL_KINDS, Kind.REVERSAL):
            continue
        if NOTHING_DECIDED.search(request.notes):
            continue
        answers = books.answers_by_request.get(request.id, [])
        if not answers:
            unanswered[request.stan] = request.kind
            continue
        # A reversal that was answered settles what became of its original; a repeat, what became of the first.
        if request.kind in (Kind.REVERSAL, unanswered.get(request.stan)):
            unanswered.pop(request.stan, None)
        for answer in answers:
            _take(books, truth, request, answer)
    truth.doubtful |= unanswered.keys()
    return truth


def _named(books: HostBooks, request: MessageRow) -> MessageRow:
    """Of a message that broke its dialect the log shows stars where a card number could be read, also over terminal
    and STAN: its transaction knows them. Of its amount the log may still say nothing."""
    if "*" not in request.stan + request.tid:
        return request
    txn = books.txn_by_id.get(request.txn_id)
    return replace(request, stan=txn.stan, tid=txn.tid) if txn is not None else request


def _take(books: HostBooks, truth: _Truth, request: MessageRow, answer: MessageRow) -> None:
    if written_by_fault(answer):
        truth.doubtful.add(request.stan)
    elif request.kind == Kind.REVERSAL:
        if answer.code == DONE:
            truth.undone |= _with_it(truth, request.txn_id)
    elif is_yes(books, answer) and request.txn_id not in truth.effects:
        amount = _effect(books, truth, request, answer)
        if amount is None or not request.txn_id:
            truth.doubtful.add(request.stan)
        else:
            kind, root = _kind(books, request), _root(books, request)
            truth.add(request.txn_id, _Effect(request.stan, root, kind, amount))


def _effect(books: HostBooks, truth: _Truth, request: MessageRow, answer: MessageRow) -> int | None:
    """What an approved message adds to the merchant's account, signed minor units; None = the log cannot say."""
    kind, root = _kind(books, request), _root(books, request)
    amount = amount_of(answer, request)
    if kind in DEBITS | {Kind.REFUND}:
        return None if amount is None else sign_of(kind) * amount
    if root not in truth.of_root:
        return None  # its original is older than the log
    if kind in VOIDS:
        return -truth.worth(root)
    total = _new_total(books, request)
    return None if total is None else total - truth.worth(root)


def _new_total(books: HostBooks, request: MessageRow) -> int | None:
    """Of a tip or adjustment."""
    amount = amount_of(request, request)
    tip = fields_of(request.fields).get(TIP_DE) if books.family_named(request.dialect) == "cup" else None
    if amount is None or not (tip is None or (isinstance(tip, str) and tip.isdigit())):
        return None
    return amount + int(str(tip or 0))


def _kind(books: HostBooks, request: MessageRow) -> str:
    """The host may know better than the message what it is: the offline sale that is a reservation's completion."""
    txn = books.txn_by_id.get(request.txn_id)
    return str(txn.kind) if txn is not None and txn.kind in FINANCIAL_KINDS else request.kind


def _root(books: HostBooks, request: MessageRow) -> int:
    txn = books.txn_by_id.get(request.txn_id)
    return root_of(books, txn).id if txn is not None else 0


def _with_it(truth: _Truth, txn_id: int) -> set[int]:
    """What a reversal undid: what it names, and with a sale its tips and adjustments."""
    effect = truth.effects.get(txn_id)
    if effect is None or effect.kind not in DEBITS:
        return {txn_id}
    return {txn_id} | {i for i in truth.of_root[effect.root] if truth.effects[i].kind in ADJUSTMENTS}


def is_yes(books: HostBooks, answer: MessageRow) -> bool:
    """Whether DE 39 approves, in the family of its dialect (any, when that is not known)."""
    family = books.family_named(answer.dialect)
    return any(is_approved(name, answer.code) for name in ([family] if family in FAMILIES else FAMILIES))


def amount_of(answer: MessageRow, request: MessageRow) -> int | None:
    """DE 4 of the answer (a partial approval says less), else of the request; minor units."""
    for message in (answer, request):
        value = fields_of(message.fields).get(AMOUNT_DE)
        if isinstance(value, str) and value.isdigit():
            return int(value)
    return None
