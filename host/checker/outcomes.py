"""E5: what became of each purchase: debited, settled, delivered; and the classes of failure-catalogue.md, section 2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, cast

from host.checker.archives import Ends, ends
from host.checker.books import Finding, HostBooks, describe
from host.checker.compare import Pair, Verdict, net_of
from host.checker.differences import Listed, explanation
from host.checker.items import Item, items, sign_of
from host.checker.kin import Group, groups, root_of
from host.rows import TxnState
from specs.journal import TerminalBook
from specs.operation import ADJUSTMENTS

Number = int | Fraction
_CLEAN = frozenset({0, 1})
SUSPENDED = "exception"
"""Settlement of what is in a closed batch and funded by nobody until a person has looked at it."""


class OutcomeClass(StrEnum):
    """The tags of the catalogue; one purchase may carry several."""

    CLEAN = "clean"
    CNS = "CNS"  # charged, not settled 持卡人已扣款、商户未到账
    SNC = "SNC"  # settled, not charged 补付
    CN_SALE = "CNSale"  # charged, no sale 长款
    SNF = "SNF"  # sold, not funded 短款
    DC = "DC"  # double charged 重复扣款
    DS = "DS"  # double settled 重复结算
    AMT = "AMT"  # wrong amount


def outcome_class(charged: Number, settled: Number, delivered: Number | None) -> tuple[OutcomeClass, ...]:
    """The class of one purchase: (CLEAN,) when all three are equal and 0 or 1, else every tag that fits, in order.

    Units: multiples of the purchase's amount; q issuer net debit, f net of closed batches, d goods handed over.
    delivered None: nobody knows; then only the two books of money are judged. Source: section 3, E5.
    """
    figures = [charged, settled] if delivered is None else [charged, settled, delivered]
    if len(set(figures)) == 1 and charged in _CLEAN:
        return (OutcomeClass.CLEAN,)
    tags = (
        (OutcomeClass.AMT, any(Fraction(figure).denominator != 1 for figure in figures)),
        (OutcomeClass.CNS, charged > settled),
        (OutcomeClass.SNC, settled > charged),
        (OutcomeClass.CN_SALE, charged == settled == 1 and delivered == 0),
        (OutcomeClass.SNF, settled == 0 and delivered is not None and delivered > 0),
        (OutcomeClass.DC, charged >= 2),
        (OutcomeClass.DS, settled >= 2),
    )
    return tuple(tag for tag, fits in tags if fits) or (OutcomeClass.AMT,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One purchase or refund that is over. Amounts: minor units, signed: + to the merchant.

    txn_id 0: only the terminal has it. delivered None: no journal of the terminal's speaks of it. reason: the exception
    that explains it, "" when none does.
    """

    txn_id: int
    tid: str
    stan: str
    kind: str
    amount: int
    charged: int
    settled: int
    delivered: int | None
    classes: tuple[OutcomeClass, ...]
    reason: str = ""
    batch: str = ""
    """The number that the terminal has it under, where only the terminal has it."""

    @property
    def clean(self) -> bool:
        """Whether everybody has what is theirs."""
        return self.classes == (OutcomeClass.CLEAN,)

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "transaction": self.txn_id or None,
            "tid": self.tid,
            "stan": self.stan,
            "kind": self.kind,
            "amount": self.amount,
            "charged": self.charged,
            "settled": self.settled,
            "delivered": self.delivered,
            "classes": [str(tag) for tag in self.classes],
            "reason": self.reason or None,
        }


def outcomes(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Outcome]:
    """Every purchase and refund that has come to its end, oldest first, then what only a terminal has.

    Left out: what is still open somewhere (its batch, an adjustment of it, a leg, the terminal's own settlement or
    reversal), since nobody can say yet what becomes of it.
    """
    ends_of = {both.tid: Delivered.of(books, both) for both in ends(books, terminals)}
    settled = settled_by_root(books)
    for group in groups(books):
        if _is_over(books, group):
            found = _outcome(group, settled.get(group.root.id, 0), ends_of.get(group.root.tid))
            if found is not None:
                yield found
    for side in ends_of.values():
        yield from side.alone()


def e5(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Of every purchase that is over: debited, settled and delivered alike, once or not at all; else it is explained by
    an exception of its batch. The subject's classes are those of the catalogue."""
    for outcome in outcomes(books, terminals):
        if outcome.clean or outcome.reason:
            continue
        delivered = "unknown" if outcome.delivered is None else outcome.delivered
        text = (
            f"{'+'.join(outcome.classes)}: {outcome.kind} of {outcome.amount}: debited {outcome.charged}, "
            f"settled {outcome.settled}, delivered {delivered}; no exception explains it"
        )
        txn = books.txn_by_id.get(outcome.txn_id)
        subject = f"txn {outcome.txn_id}" if txn is not None else f"STAN {outcome.stan} of {outcome.tid}"
        yield Finding("E5", subject, text, (describe(txn),) if txn is not None else ())


# ---- the host's side


def _is_over(books: HostBooks, group: Group) -> bool:
    pending = any(txn.state in (TxnState.PENDING, TxnState.AUTHORISED) for txn in group.members)
    batches_closed = all(books.is_closed(batch_id) for batch_id in group.batch_ids)
    return not (pending or group.in_flight) and batches_closed


def settled_by_root(books: HostBooks) -> Mapping[int, int]:
    """Root -> what closed batches have settled of it, signed minor units; adjustments included, suspended items not.

    Worked out once for one pair of books.
    """
    known = books.memo.get(_SETTLED)
    if known is None:
        known = books.memo[_SETTLED] = _settled(books)
    return cast("dict[int, int]", known)


_SETTLED = "settled by root"


def _settled(books: HostBooks) -> dict[int, int]:
    found: dict[int, int] = {}
    for batch in books.batches:
        if not books.is_closed(batch.id):
            continue
        for item in items(books, batch):
            carried_tip = item.txn.carried and item.txn.kind in ADJUSTMENTS  # an adjustment, below
            if item.txn.settlement != SUSPENDED and not carried_tip:
                root = root_of(books, item.txn)
                found[root.id] = found.get(root.id, 0) + _own_net(item)
    for adjustment in books.adjustments:
        txn = books.txn_by_id.get(adjustment.txn_id)
        if txn is not None and txn.state is not TxnState.VOIDED and books.is_closed(adjustment.batch_id):
            root = root_of(books, txn)
            found[root.id] = found.get(root.id, 0) + adjustment.amount
    return found


def _own_net(item: Item) -> int:
    """Of a carried sale its own amount, also when a carried tip stands in its place: that one posts the difference."""
    txn = item.txn
    return sign_of(txn.kind) * txn.approved_amount if txn.carried and not item.voided else item.net


def _outcome(group: Group, settled: int, side: Delivered | None) -> Outcome | None:
    root = group.root
    amount = group.sign * (group.final or root.amount)
    if not amount:
        return None
    delivered = side.of_group(group) if side is not None else None
    if side is not None and delivered is None and side.waits(group):
        return None
    classes = outcome_class(
        Fraction(group.debited, amount),
        Fraction(settled, amount),
        None if delivered is None else Fraction(delivered, amount),
    )
    reason = ""
    if classes != (OutcomeClass.CLEAN,):
        reason = side.reason(group) if side is not None else listed_reason(group)
    return Outcome(
        root.id, root.tid, root.stan, str(root.kind), amount, group.debited, settled, delivered, classes, reason
    )


def listed_reason(group: Group) -> str:
    """Without the terminal's journal: any exception of one of its transactions, or a close by the host itself."""
    books = group.books
    for txn in group.members:
        for entry in books.exceptions_by_txn.get(txn.id, ()):
            return entry.reason
    return ""


# ---- the terminal's side


@dataclass(frozen=True)
class Delivered:
    """What one terminal has handed over, by its journal."""

    books: HostBooks
    both: Ends
    pairs: Mapping[int, Pair]
    listed: Listed

    @classmethod
    def of(cls, books: HostBooks, both: Ends) -> Delivered:
        """Of one terminal, by what both ends have."""
        pairs = {pair.txn_id: pair for pair in both.comparison.rows if pair.txn_id}
        return cls(books, both, pairs, Listed.of(books, both.tid))

    def of_group(self, group: Group) -> int | None:
        """Signed minor units; None: the journal does not speak of it, or not for good."""
        if self.both.unfinished:
            return None
        rows = [self.pairs[txn.id].row for txn in group.members if txn.id in self.pairs]
        mine = [row for row in rows if row is not None]
        if any(id(row) not in self.both.row_ids for row in mine):
            return None
        if not mine and group.root.batch_id not in self.both.batch_ids:
            return None
        return sum(net_of(row) for row in mine)

    def waits(self, group: Group) -> bool:
        """Whether the terminal has a row of it that it has not settled yet, or may still reverse."""
        rows = [self.pairs[txn.id].row for txn in group.members if txn.id in self.pairs]
        return self.both.unfinished or any(row is not None and id(row) not in self.both.row_ids for row in rows)

    def reason(self, group: Group) -> str:
        """The exception that explains the difference."""
        for txn in group.members:
            pair = self.pairs.get(txn.id)
            if pair is not None and pair.verdict is not Verdict.SAME:
                found = explanation(self.books, self.listed, pair)[0]
                if found:
                    return found
        return listed_reason(group)

    def alone(self) -> Iterator[Outcome]:
        """Rows of batches that both ends have closed, of which the host has nothing: sold, and funded by nobody."""
        if self.both.unfinished:
            return
        for pair in self.both.comparison.rows:
            row = pair.row
            if pair.txn_id or row is None or id(row) not in self.both.row_ids or row.kind in ADJUSTMENTS:
                continue
            sold = net_of(row)
            if sold:
                reason = explanation(self.books, self.listed, pair)[0]
                classes = outcome_class(0, 0, 1)
                yield Outcome(0, self.both.tid, row.stan, row.kind, sold, 0, 0, sold, classes, reason, row.batch)
