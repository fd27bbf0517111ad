"""The auditor: what each terminal is worth by its messages alone, against its ledger (truth is computed twice).

It reads requests and answers as they were on the wire, never a transaction or a posting: an approved sale adds its
amount, an approved void takes it back, a reversal answered 00 undoes what it names. An answer is told from its repeats
by its RRN. Where the log cannot say what was decided, that STAN is left out on both sides.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from host.checker.books import ACQUIRER, FINANCIAL_KINDS, Finding, HostBooks, family_of, grouped, is_clearing
from host.checker.delivery import written_by_fault
from host.rows import MessageRow
from specs.codes import FAMILIES, is_approved
from specs.operation import Kind

AMOUNT_DE = "4"
DONE = "00"
NOTHING_DECIDED = re.compile(r"fault \d+: [^\"]*before the commit")
"""How a note says that a fault rule took a request away before anything was decided."""
_SIGN = {Kind.SALE.value: 1, Kind.VOID.value: -1, Kind.REFUND.value: -1}


@dataclass(slots=True)
class _Truth:
    """One terminal by its messages. effects: RRN -> (STAN, amount); undone: RRNs whose reversal was acknowledged."""

    effects: dict[str, tuple[str, int]] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)

    def by_stan(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for rrn, (stan, amount) in self.effects.items():
            found[stan] += 0 if rrn in self.undone else amount
        return found


def audit(books: HostBooks) -> Iterator[Finding]:
    """Each terminal's net in the acquirer's issuer-clearing account against the net of its messages."""
    ledger, silent = _ledger(books)
    for tid, messages in grouped(books.messages, lambda message: message.tid).items():
        if not tid or not any(m.kind in _SIGN for m in messages):
            continue
        truth = _truth(books, messages)
        left_out = truth.doubtful | silent.get(tid, set())
        said = {stan: amount for stan, amount in truth.by_stan().items() if stan not in left_out}
        kept = {stan: amount for stan, amount in ledger.get(tid, Counter()).items() if stan not in left_out}
        differing = [s for s in sorted(said.keys() | kept.keys()) if said.get(s, 0) != kept.get(s, 0)]
        if differing:
            text = f"by its messages it comes to {sum(said.values())}, by the ledger to {sum(kept.values())}"
            lines = (f"STAN {s}: messages {said.get(s, 0)}, ledger {kept.get(s, 0)}" for s in differing)
            yield Finding("AUDIT", f"terminal {tid}", text, tuple(lines))


def _ledger(books: HostBooks) -> tuple[Mapping[str, Counter[str]], Mapping[str, set[str]]]:
    """tid -> STAN -> net; and tid -> STANs older than the log, of which it cannot know."""
    first = min((message.at for message in books.messages), default="")
    sums: dict[str, Counter[str]] = {}
    silent: dict[str, set[str]] = {}
    for posting in books.postings:
        txn = books.txn_by_id.get(posting.txn_id)
        if txn is None or posting.book != ACQUIRER or not is_clearing(posting):
            continue
        sums.setdefault(txn.tid, Counter())[txn.stan] += posting.amount
        if txn.id not in books.messages_by_txn and txn.created_at < first:
            silent.setdefault(txn.tid, set()).add(txn.stan)
    return sums, silent


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
            _take(truth, request, answer)
    truth.doubtful |= unanswered.keys()
    return truth


def _take(truth: _Truth, request: MessageRow, answer: MessageRow) -> None:
    if written_by_fault(answer):
        truth.doubtful.add(request.stan)
    elif request.kind == Kind.REVERSAL:
        if answer.code == DONE:
            truth.undone |= _named(truth, request, answer)
    elif is_yes(answer):
        amount = amount_of(answer, request)
        if amount is None or not answer.rrn:
            truth.doubtful.add(request.stan)
        else:
            truth.effects[answer.rrn] = (request.stan, _SIGN[request.kind] * amount)


def _named(truth: _Truth, request: MessageRow, answer: MessageRow) -> set[str]:
    """The RRN that a reversal undid: the one its answer carries, else the newest live one under its STAN."""
    if answer.rrn:
        return {answer.rrn}
    live = [r for r, (stan, _) in truth.effects.items() if stan == request.stan and r not in truth.undone]
    return set(live[-1:])


def is_yes(answer: MessageRow) -> bool:
    """Whether DE 39 approves, in the family of its dialect (any, when that is not known)."""
    family = family_of(answer.dialect)
    return any(is_approved(name, answer.code) for name in ([family] if family in FAMILIES else FAMILIES))


def amount_of(answer: MessageRow, request: MessageRow) -> int | None:
    """DE 4 of the answer (a partial approval says less), else of the request; minor units."""
    for message in (answer, request):
        value = _fields(message).get(AMOUNT_DE)
        if isinstance(value, str) and value.isdigit():
            return int(value)
    return None


def _fields(message: MessageRow) -> Mapping[str, object]:
    try:
        found = json.loads(message.fields or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
