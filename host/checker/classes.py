"""The tags of a run: how it ended for people, in the words of the catalogue (section 2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from host.checker.archives import Ends, ends
from host.checker.books import CLOSED, HostBooks, totals_of
from host.checker.cards import debit_of
from host.checker.closing import BY_DAY
from host.checker.compare import Verdict, batch_side
from host.checker.differences import FORCED
from host.checker.kin import groups
from host.checker.liveness import Healed, l1, l2
from host.checker.outcomes import OutcomeClass, outcomes, settled_by_root
from host.checker.purchases import CLEAN, LATE, Purchase, lateness
from host.rows import Batch
from specs.journal import TerminalBook
from specs.operation import Verdict as Answer
from specs.totals import Totals

TM, STUCK = "TM", "STUCK"
CLASSES = tuple(sorted((*map(str, OutcomeClass), TM, STUCK, LATE)))
"""Every tag that a run may have."""
FORESEEN = frozenset({"carried", "adjusted-later", FORCED})
"""Exceptions that the rules themselves bring about: something counts in another batch."""
REPORTED = "report-after-close"
AGREED = "agreed"
_Key = tuple[str, str, str]
"""TID, STAN, batch: as attempts have it."""


def classes(
    books: HostBooks, terminals: Mapping[str, TerminalBook], purchases: Iterable[Purchase], healed: Iterable[Healed]
) -> tuple[str, ...]:
    """The tags of a run, sorted; ("clean",) when there is none.

    Of each purchase its own: CNS, SNC, CNSale, SNF, DC, DS, AMT, late. What no intent speaks of is judged from the
    books alone, as E5 does it, without asking whether an exception explains it: what is over at both ends, amounts that
    the two ends have differently, and debits at the issuer for which the host has no transaction (CNS).

    TM 对账不平, a batch that is closed over totals that differ, when one of these holds:
    1. its end is not agreed: closed with exceptions after the terminal's totals and the host's differed, or the
       terminal came with other totals after the close; unless each exception of it is one that the rules foresee
       (`FORESEEN`), or the host had closed it by itself (a cutoff) and at the end no item of it differs, nor does the
       host have one elsewhere that was sent under its number (CUP) and is not carried;
    2. the terminal has archived it as agreed, and the host's figures are others, or no closed batch of that number
       (CUP, NAC) has the totals that it archived. What became of it afterwards does not matter: the slip is wrong. A
       report on paper alone, without a 0500, is measured by what the host's items come to.
    A difference that an upload has mended, so that the end is agreed, is none, nor is one of equal sums (case 34).

    STUCK: L1 or L2 is broken.
    """
    found = {tag for purchase in purchases for tag in purchase.classes}
    found |= _untold(books, terminals, tuple(purchases))
    if any(_ends_open(books, batch, terminals) for batch in books.batches) or _wrong_slip(books, terminals):
        found.add(TM)
    healing = tuple(healed)
    if any(True for holds in (l1, l2) for _ in holds(books, terminals, healing)):
        found.add(STUCK)
    return tuple(sorted(found - {CLEAN})) or (CLEAN,)


# ---- what no intent speaks of


def _untold(books: HostBooks, terminals: Mapping[str, TerminalBook], told: tuple[Purchase, ...]) -> set[str]:
    ids = {txn_id for purchase in told for txn_id in purchase.txn_ids}
    keys = {(a.tid, a.stan, a.batch) for purchase in told for a in purchase.intent.attempts}
    return {*_outcomes(books, terminals, ids, keys), *_amounts(books, terminals, ids, keys), *_orphans(books)}


def _outcomes(
    books: HostBooks, terminals: Mapping[str, TerminalBook], ids: Collection[int], keys: Collection[_Key]
) -> Iterator[str]:
    for outcome in outcomes(books, terminals):
        if outcome.txn_id not in ids and (outcome.txn_id or (outcome.tid, outcome.stan, outcome.batch) not in keys):
            yield from map(str, outcome.classes)
    sums = settled_by_root(books)
    for group in groups(books):
        if group.root.id not in ids and lateness(group, sums):
            yield LATE


def _amounts(
    books: HostBooks, terminals: Mapping[str, TerminalBook], ids: Collection[int], keys: Collection[_Key]
) -> Iterator[str]:
    for both in ends(books, terminals):
        for pair in both.comparison.rows:
            told = pair.txn_id in ids or (both.tid, pair.stan, pair.batch) in keys
            if pair.verdict is Verdict.AMOUNT and not told:
                yield str(OutcomeClass.AMT)


def _orphans(books: HostBooks) -> Iterator[str]:
    for txn_id, legs in books.issuer_legs_by_txn.items():
        if txn_id not in books.txn_by_id and sum(debit_of(leg) for leg in legs) != 0:
            yield str(OutcomeClass.CNS)


# ---- totals


def _ends_open(books: HostBooks, batch: Batch, terminals: Mapping[str, TerminalBook]) -> bool:
    """1. of `classes`."""
    if batch.state not in CLOSED or not _not_agreed(books, batch):
        return False
    if batch.forced:
        return any(_differs(books, both, batch) for both in ends(books, terminals) if both.tid == batch.tid)
    listed = books.exceptions_by_batch.get(batch.id, ())
    return not listed or any(entry.reason not in FORESEEN for entry in listed)


def _not_agreed(books: HostBooks, batch: Batch) -> bool:
    """Whether the last word between both ends was that the totals differ."""
    if any(entry.reason == REPORTED for entry in books.exceptions_by_batch.get(batch.id, ())):
        return True
    if batch.verdict == Answer.AGREED or not batch.claimed:
        return False
    return batch.verdict == Answer.STILL_DIFFERS or _differing(batch.claimed, batch.answered)


def _differing(claimed: str, answered: str) -> bool:
    mine, theirs = totals_of(claimed), totals_of(answered)
    return mine is not None and theirs is not None and bool(mine.differing(theirs))


def _differs(books: HostBooks, both: Ends, batch: Batch) -> bool:
    """Whether an item of the batch is not alike at both ends, or was sent under its number and is in another."""
    for pair in both.comparison.rows:
        txn = books.txn_by_id.get(pair.txn_id)
        here = txn is not None and txn.batch_id == batch.id
        if not pair.counts or not (here or (pair.row is not None and pair.row.batch == batch.number)):
            continue
        elsewhere = not here and txn is not None and txn.wire_batch == batch.number and not txn.carried
        if elsewhere or pair.verdict is not Verdict.SAME:
            return True
    return False


def _wrong_slip(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> bool:
    """2. of `classes`."""
    return any(_lies(books, book) for book in terminals.values())


def _lies(books: HostBooks, book: TerminalBook) -> bool:
    closed = _closed_since_flashed(books, book.tid)
    by_number = books.family_of(book.tid) not in BY_DAY
    left = list(closed)
    for archived in book.archived:
        if archived.result != AGREED or archived.totals.empty:
            continue
        named = [batch for batch in left if batch.number == archived.batch or not by_number]
        same = next((b for b in named if not _settled_on(books, b).differing(archived.totals)), None)
        if same is None:
            if any(batch.number == archived.batch or not by_number for batch in closed):
                return True
            continue
        left.remove(same)
        if _differing(same.claimed, same.answered):
            return True
    return False


def _settled_on(books: HostBooks, batch: Batch) -> Totals:
    return totals_of(batch.claimed) or batch_side(books, batch.id)[0]


def _closed_since_flashed(books: HostBooks, tid: str) -> list[Batch]:
    terminal = books.terminal_by_tid.get(tid)
    return [
        batch
        for batch in books.batches_by_tid.get(tid, ())
        if batch.state in CLOSED and (terminal is None or batch.epoch == terminal.epoch)
    ]
