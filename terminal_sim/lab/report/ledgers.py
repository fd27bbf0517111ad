"""The three ledgers side by side, one line a transaction: the terminal's journal, the host's books, the issuer's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from host.checker.books import KEYED_KINDS, Finding, HostBooks
from host.checker.compare import Pair, Verdict, compare
from host.checker.kin import group_of, root_of
from host.rows import Txn, TxnState
from specs.journal import TerminalBook
from terminal_sim.lab.report.shape import EntryShape

_WITHOUT_MONEY = frozenset({TxnState.DECLINED, TxnState.TOMBSTONE, TxnState.PENDING})


def entries(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> list[EntryShape]:
    """All transactions that either end holds or has held, in the order of terminal, batch and STAN."""
    found: list[EntryShape] = []
    seen: set[int] = set()
    for book in terminals.values():
        for pair in compare(books, book).rows:
            if pair.txn_id in seen:
                continue
            seen |= {pair.txn_id} - {0}
            found.append(_of_pair(books, book.tid, pair))
    found += [_of_host(books, txn) for txn in books.txns if txn.id not in seen and _is_told(books, txn)]
    return sorted(found, key=lambda entry: (entry["tid"], entry["batch"], entry["stan"], entry["txn_id"]))


def entries_of(finding: Finding, shown: Sequence[EntryShape], books: HostBooks) -> list[int]:
    """Places of the entries that a finding speaks of: by «txn 12», by «batch 3», by its terminal and STAN; else of all
    that differ."""
    said = " ".join((finding.subject, finding.text, *finding.evidence))
    txn_ids = {int(number) for number in _TXN.findall(said)}
    if named := [place for place, entry in enumerate(shown) if entry["txn_id"] in txn_ids]:
        return named
    stans = set(_STAN.findall(said))
    if named := [place for place, entry in enumerate(shown) if entry["stan"] in stans]:
        return named
    batch_ids = {int(number) for number in _BATCH.findall(said)}
    members = {txn.id for number in batch_ids for txn in books.txns_by_batch.get(number, ())}
    differing = [place for place, entry in enumerate(shown) if entry["differs"]]
    return [place for place in differing if shown[place]["txn_id"] in members] or differing


_TXN = re.compile(r"\btxn (\d+)\b")
_STAN = re.compile(r"\bSTAN (\d{6})\b")
_BATCH = re.compile(r"\bbatch (\d{1,5})\b")


def _is_told(books: HostBooks, txn: Txn) -> bool:
    """Whether a row that no journal has is worth a line: it held money once, or the issuer has some for it."""
    if txn.kind not in KEYED_KINDS:
        return False
    return txn.state not in _WITHOUT_MONEY or bool(_issuer(books, txn)[1])


def _of_pair(books: HostBooks, tid: str, pair: Pair) -> EntryShape:
    txn = books.txn_by_id.get(pair.txn_id)
    word, amount, wrong = _issuer(books, txn) if txn is not None else ("", None, False)
    return {
        "txn_id": pair.txn_id,
        "tid": tid,
        "batch": pair.batch,
        "stan": pair.stan,
        "kind": pair.kind,
        "terminal": _terminal_word(pair),
        "terminal_amount": pair.terminal_amount if pair.terminal_state else None,
        "host": _host_word(books, txn) if txn is not None else "",
        "host_amount": pair.host_amount if txn is not None and pair.host_state else None,
        "issuer": word,
        "issuer_amount": amount,
        "differs": wrong or pair.verdict is not Verdict.SAME,
    }


def _of_host(books: HostBooks, txn: Txn) -> EntryShape:
    word, amount, wrong = _issuer(books, txn)
    batch = books.batch_by_id.get(txn.batch_id)
    return {
        "txn_id": txn.id,
        "tid": txn.tid,
        "batch": txn.wire_batch or (batch.number if batch is not None else ""),
        "stan": txn.stan,
        "kind": str(txn.kind),
        "terminal": "",
        "terminal_amount": None,
        "host": _host_word(books, txn),
        "host_amount": txn.approved_amount or txn.amount,
        "issuer": word,
        "issuer_amount": amount,
        "differs": wrong,
    }


def _terminal_word(pair: Pair) -> str:
    if pair.row is None:
        return ""
    return ", ".join(_words(pair.terminal_state, pair.row.settlement, "not sent yet" if pair.stored else ""))


def _host_word(books: HostBooks, txn: Txn) -> str:
    reasons = sorted({item.reason for item in books.exceptions_by_txn.get(txn.id, ())})
    settlement = txn.settlement if txn.settlement != "none" else ""
    return ", ".join(_words(str(txn.state), settlement, *(f"listed {reason}" for reason in reasons)))


def _words(*words: str) -> Iterator[str]:
    return (word for word in words if word)


def _issuer(books: HostBooks, txn: Txn) -> tuple[str, int | None, bool]:
    """What the issuer says of a purchase: a word, the net debit (None where it was never asked), and whether that is
    another sum than the acquirer's books are worth. Told at the purchase itself, not at what acts on it."""
    if root_of(books, txn).id != txn.id or txn.kind not in KEYED_KINDS:
        return "", None, False
    group = group_of(books, txn)
    if not any(books.issuer_legs_by_txn.get(member.id) for member in group.members):
        return "", None, False
    debited = group.debited
    word = "debited" if debited > 0 else "credited" if debited < 0 else "nothing owed"
    return word, debited, not group.in_flight and debited != group.worth
