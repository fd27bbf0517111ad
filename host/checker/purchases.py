"""What became of each purchase that somebody wanted to make: one intent, whatever number of attempts it took (E5).

The books know transactions; only the people know that two of them were for the same goods. So the caller says which
attempts belong together, and how often goods were handed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from host.checker.archives import Ends, ends
from host.checker.books import ACQUIRER, HostBooks, grouped, is_clearing
from host.checker.differences import FORCED, Listed, explanation
from host.checker.kin import ROOTS, Group, group_of, root_of
from host.checker.outcomes import Delivered, OutcomeClass, listed_reason, outcome_class, settled_by_root
from host.rows import Txn, TxnState
from specs.journal import TerminalBook

CLEAN, LATE = "clean", "late"
SLACK = timedelta(seconds=1)
"""The host's records are cut to milliseconds; nobody keys two purchases within a second."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A transaction as the terminal sent it: its key on the wire. at: RFC 3339, when it was sent, by the host's clock;
    "" unknown."""

    tid: str
    stan: str
    batch: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """A purchase that somebody wanted. amount: minor units, what it is worth at the end (tip and adjustment included),
    negative for a refund. delivered: how often goods (or money back) were handed over; None = nobody knows."""

    name: str
    amount: int
    delivered: int | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Money:
    """Who is out how much: minor units; + has too much, - lacks it. The four add up to zero."""

    cardholder: int = 0
    merchant: int = 0
    acquirer: int = 0
    issuer: int = 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """The end of one intent. debited, settled: signed minor units over all its attempts. classes: tags of the
    catalogue, ("clean",) when it is. reason: of the host's exception that explains it, "" = none does."""

    intent: Intent
    debited: int
    settled: int
    classes: tuple[str, ...]
    txn_ids: tuple[int, ...] = ()
    reason: str = ""
    money: Money = Money()


def purchases(
    books: HostBooks, terminals: Mapping[str, TerminalBook], intents: tuple[Intent, ...]
) -> tuple[Purchase, ...]:
    """One Purchase an intent, in their order.

    Its transactions are those of its attempts, with all that acts on them (host.checker.kin): voids, tips, adjustments,
    whatever has reversed them. debited is the issuer's net over them; settled their net in closed batches, adjustments
    included, suspended items not; adjustments and carried items count in an open batch too, since its next close funds
    them whatever the terminal says (RH4, RH6). In multiples of the amount these are q and f, goods handed over d, and
    the classes are those of E5 (host.checker.outcomes.outcome_class). What is worth nothing at the end (the shop has
    voided it) is clean when nobody has charged or settled anything, and is else measured by the amount of its
    transaction. Clean money is "late" when it was settled by an adjustment or a carried item, or in a batch whose
    business date is after that of the sale; the reason is then adjusted-later, carried, forced-close or settled-later.

    Who is out how much, where the goods handed over are worth W (taken as debited when nobody knows), D is debited, S
    settled, and P passes between issuer and acquirer, which is what both their books have, the smaller of the two:

        cardholder W - D    merchant S - W    acquirer P - S    issuer D - P

        of 268.00                              D    claim  S    W    cardholder  merchant  acquirer  issuer
        all is well                            268  268    268  268       0         0         0         0
        CNSale: settled, no goods              268  268    268    0    -268      +268         0         0
        CNS: the issuer debited, nobody books  268    0      0    0    -268         0         0      +268
        CNS: captured, and kept back           268  268      0  268       0      -268      +268         0
        SNC: paid out, never charged             0  268    268  268    +268         0      -268         0
        SNF: sold, nothing booked                0    0      0  268    +268      -268         0         0
        DC, DS: charged and settled twice      536  536    536  268    -268      +268         0         0
        DS: settled twice, charged once        268  536    536  268       0      +268      -268         0
    """
    by_key = _Attempts(books, intents)
    sides = {both.tid: both for both in ends(books, terminals)} if intents else {}
    return tuple(_purchase(books, sides, by_key, intent) for intent in intents)


def _purchase(books: HostBooks, sides: Mapping[str, Ends], by_key: _Attempts, intent: Intent) -> Purchase:
    txns = {txn.id: txn for attempt in intent.attempts for txn in by_key.of(attempt)}
    roots = {root.id: root for root in (root_of(books, txn) for txn in txns.values())}
    found = [group_of(books, root) for _, root in sorted(roots.items()) if root.kind in ROOTS]
    sums = settled_by_root(books)
    debited = sum(group.debited for group in found)
    settled = sum(sums.get(group.root.id, 0) + _on_its_way(group) for group in found)
    classes = _classes(intent, found, debited, settled)
    reason = ""
    if classes == (CLEAN,):
        late = next((why for group in found if (why := lateness(group, sums))), "")
        classes, reason = ((LATE,), late) if late else (classes, "")
    else:
        reason = _reason(books, sides, intent, found)
    ids = sorted({txn.id for group in found for txn in group.members} | set(txns) | set(roots))
    money = _money(intent, debited, settled, sum(map(_claimed, found)))
    return Purchase(intent, debited, settled, classes, tuple(ids), reason, money)


# ---- its transactions


class _Attempts:
    """The host's transactions by the attempt that they came of.

    A key may serve again (a STAN that was used twice, two units under one TID, a wrap): what was booked from one
    attempt up to the next one with the same key is of the first. Two transactions that one attempt has led to (posted
    twice) are both its own.
    """

    def __init__(self, books: HostBooks, intents: Iterable[Intent]) -> None:
        self._books = books
        attempts = (attempt for intent in intents for attempt in intent.attempts)
        self._times = grouped(attempts, lambda attempt: (attempt.tid, attempt.stan, attempt.batch))

    def of(self, attempt: Attempt) -> list[Txn]:
        """Oldest first."""
        found = [
            txn
            for txn in self._books.txns_by_stan.get((attempt.tid, attempt.stan), ())
            if not (txn.wire_batch and attempt.batch and txn.wire_batch != attempt.batch)
        ]
        if len(found) < 2 and len(self._times[attempt.tid, attempt.stan, attempt.batch]) < 2:
            return found
        return self._in_its_time(attempt, found)

    def _in_its_time(self, attempt: Attempt, found: Sequence[Txn]) -> list[Txn]:
        others = {a.at for a in self._times[attempt.tid, attempt.stan, attempt.batch] if a.at} - {attempt.at}
        if not attempt.at:
            return _newest(found) if not others else []
        begins = _moment(attempt.at) - SLACK
        until = min((m for at in others if (m := _moment(at) - SLACK) > begins), default=None)
        own = [t for t in found if begins <= _moment(t.created_at) and (until is None or _moment(t.created_at) < until)]
        return own or ([] if others else _newest(found))


def _newest(found: Sequence[Txn]) -> list[Txn]:
    """The newest, and what shares its key in the same batch."""
    return [txn for txn in found if txn.batch_id == found[-1].batch_id]


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


# ---- its class


def _classes(intent: Intent, found: Sequence[Group], debited: int, settled: int) -> tuple[str, ...]:
    unit = intent.amount or max((g.sign * (g.final or g.root.amount) for g in found), key=abs, default=0)
    delivered = intent.delivered if intent.amount else 0
    if not unit:
        return (CLEAN,) if not debited and not settled else (str(OutcomeClass.AMT),)
    return tuple(str(tag) for tag in outcome_class(Fraction(debited, unit), Fraction(settled, unit), delivered))


def _on_its_way(group: Group) -> int:
    """What will be funded with batches that are open still."""
    books, root = group.books, group.root
    waiting = [a.amount for a in group.adjustments if not books.is_closed(a.batch_id)]
    if root.carried and root.state is TxnState.CAPTURED and not books.is_closed(root.batch_id):
        waiting.append(group.sign * root.approved_amount)
    return sum(waiting)


def lateness(group: Group, sums: Mapping[int, int]) -> str:
    """Why its money is a day late or comes in a roundabout way, in the words of exceptions; "" = it is not late.

    sums: of settled_by_root. What was undone in time weighs nothing and so is never late.
    """
    if group.adjustments:
        return "adjusted-later"
    if not sums.get(group.root.id) and not _on_its_way(group):
        return ""
    if any(txn.carried for txn in group.members):
        return "carried"
    batch = group.books.batch_by_id.get(group.root.batch_id)
    if batch is None or batch.business_date <= group.root.business_date or not group.root.business_date:
        return ""
    return FORCED if batch.forced else "settled-later"


def _reason(books: HostBooks, sides: Mapping[str, Ends], intent: Intent, found: Sequence[Group]) -> str:
    for group in found:
        both = sides.get(group.root.tid)
        reason = Delivered.of(books, both).reason(group) if both is not None else listed_reason(group)
        if reason:
            return reason
    return next(filter(None, _alone(books, sides, intent)), "")


def _alone(books: HostBooks, sides: Mapping[str, Ends], intent: Intent) -> Iterator[str]:
    """What explains the rows that only a terminal has."""
    for attempt in intent.attempts:
        both = sides.get(attempt.tid)
        for pair in both.comparison.rows if both is not None else ():
            row = pair.row
            if row is not None and (row.batch, row.stan) == (attempt.batch, attempt.stan):
                yield explanation(books, Listed.of(books, attempt.tid), pair)[0]


# ---- its money


def _money(intent: Intent, debited: int, settled: int, claimed: int) -> Money:
    worth = debited if intent.delivered is None else intent.delivered * intent.amount
    same_way = (debited > 0) == (claimed > 0)
    passed = min(debited, claimed, key=abs) if same_way else 0
    return Money(worth - debited, settled - worth, passed - settled, debited - passed)


def _claimed(group: Group) -> int:
    """What the acquirer's ledger has for it against the issuers."""
    postings = group.books.postings_by_txn
    return sum(
        p.amount for txn in group.members for p in postings.get(txn.id, ()) if p.book == ACQUIRER and is_clearing(p)
    )
