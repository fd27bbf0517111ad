"""A3: a message that arrives often leaves the same ledger as one that arrives once, and gets the same answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from host.checker.books import (
    ACQUIRER,
    KEYED_KINDS,
    STANDING,
    Finding,
    HostBooks,
    describe,
    fields_of,
    grouped,
    is_clearing,
)
from host.rows import MessageRow, Txn, TxnState
from specs.codes import FORMAT_IDENTITY_KEY, TRANSIENT
from specs.journal import TerminalBook
from specs.operation import DEBITS, Kind

ORIGINAL_REVERSED = "12"
NEVER_STORED = TRANSIENT | FORMAT_IDENTITY_KEY
"""Codes after which a delivery is decided afresh (rules.md, section 2), so they are no stored answer."""
REVERSED_NOW = "00"
ANSWER_BY_FAULT = re.compile(r"fault \d+: answer\b")
"""How a note names the rule that puts another code on the wire than the one decided (host.faults.ACTIONS)."""


def a3(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Deliveries of one message lead to one transaction and get equal DE 37, 38 and 39; it is captured once at most.

    The same message is the same digest of its bytes; in another batch of a dialect whose wire has neither number nor
    year the same bytes may be another sale. An original that comes after its reversal was acknowledged gets
    12; a code that is never stored (transient, format, identity, key) is no answer to compare; nor is one that a fault
    rule wrote. What moves money and is captured has exactly one capture entry in the ledger.
    """
    for txn in books.txns:
        if txn.kind in DEBITS:
            yield from _captured_once(books, txn)
    booked: dict[tuple[str, str, int], int] = {}
    for txn_id, messages in books.messages_by_txn.items():
        if txn_id:
            yield from _booked_once(books, txn_id, messages, booked)
            yield from _answered_alike(books, txn_id, messages)


def _booked_once(
    books: HostBooks, txn_id: int, messages: Iterable[MessageRow], booked: dict[tuple[str, str, int], int]
) -> Iterator[Finding]:
    """booked: (TID, digest, batch) -> the transaction that it has led to; each new one is added."""
    txn = books.txn_by_id.get(txn_id)
    if txn is None or txn.kind not in KEYED_KINDS or txn.state not in _MOVED:
        return
    for message in messages:
        if message.direction == "in" and message.digest and message.kind == txn.kind:
            first = booked.setdefault((txn.tid, message.digest, txn.batch_id), txn_id)
            if first != txn_id:
                text = (
                    f"was booked for a message that txn {first} was booked for already (digest {message.digest[:12]})"
                )
                yield Finding("A3", f"txn {txn_id}", text, (describe(books.txn_by_id[first]), describe(txn)))
                return


_MOVED = STANDING | {TxnState.REVERSED, TxnState.EXPIRED}
"""What was approved once."""


def _captured_once(books: HostBooks, sale: Txn) -> Iterator[Finding]:
    lines = [
        posting
        for posting in books.postings_by_txn.get(sale.id, ())
        if posting.book == ACQUIRER and posting.reason == "capture" and is_clearing(posting)
    ]
    entries = len({posting.entry_id for posting in lines})
    least = 1 if _must_be_posted(books, sale) else 0
    if not least <= entries <= 1:
        text = f"is {sale.state} with {entries} capture entries, expected {'one' if least else 'one at most'}"
        yield Finding("A3", f"txn {sale.id}", text, (describe(sale), *map(str, lines)))


def _must_be_posted(books: HostBooks, sale: Txn) -> bool:
    """Captured; a voided one unless it was held only (TC); not one that came back after a close that had left it out
    (TC), whose money is an adjustment."""
    if sale.state is TxnState.VOIDED:
        return any(leg.purpose == "debit" for leg in books.legs_by_txn.get(sale.id, ()))
    voids = books.voids_by_sale.get(sale.id, ())
    came_back = any(a.amount > 0 for void in voids for a in books.adjustments_by_txn.get(void.id, ()))
    held_only = any(leg.purpose == "hold" for leg in books.legs_by_txn.get(sale.id, ()))
    return sale.state is TxnState.CAPTURED and not (came_back and held_only)


def _answered_alike(books: HostBooks, txn_id: int, messages: Iterable[MessageRow]) -> Iterator[Finding]:
    deliveries = [m for m in messages if m.direction == "in" and m.digest]
    answers = {m.id: [a for a in books.answers_by_request.get(m.id, ()) if _counts(a)] for m in deliveries}
    reversed_at = _reversed_at(deliveries, answers)
    for digest, same in grouped(deliveries, lambda m: m.digest).items():
        replies = [(delivery, answer) for delivery in same for answer in answers[delivery.id]]
        if same[0].kind in KEYED_KINDS:
            late = [pair for pair in replies if reversed_at and pair[0].id > reversed_at]
            yield from _refused(txn_id, late)
            replies = [pair for pair in replies if pair not in late and not _overtaken(pair[1], reversed_at)]
        elif txn_id in books.acting_on:
            continue  # what a reversal of it is told depends on what acts on it just then (rules.md, section 3)
        seen = Counter((a.rrn, a.auth_code, a.code) for _, a in replies)
        if len(seen) > 1:
            text = (
                f"{len(replies)} answers to one message (digest {digest[:12]}) differ in DE 37, 38, 39: "
                + " / ".join(f"{rrn or '-'} {auth or '-'} {code or '-'}" for rrn, auth, code in seen)
            )
            yield Finding("A3", f"txn {txn_id}", text, tuple(_line(a) for _, a in replies))


def _refused(txn_id: int, late: Iterable[tuple[MessageRow, MessageRow]]) -> Iterator[Finding]:
    for delivery, answer in late:
        if answer.code != ORIGINAL_REVERSED:
            text = f"delivered again after it was reversed, answered {answer.code}, expected {ORIGINAL_REVERSED}"
            yield Finding("A3", f"txn {txn_id}", text, (_line(delivery), _line(answer)))


def _reversed_at(deliveries: Iterable[MessageRow], answers: Mapping[int, list[MessageRow]]) -> int:
    """The id of the first acknowledgement that undid it, 0 when none did."""
    acks = [a.id for m in deliveries if m.kind == Kind.REVERSAL for a in answers[m.id] if a.code == REVERSED_NOW]
    return min(acks, default=0)


def _overtaken(answer: MessageRow, reversed_at: int) -> bool:
    """An original that was still at the issuer when its reversal came is answered 12 after it."""
    return bool(reversed_at) and answer.id > reversed_at and answer.code == ORIGINAL_REVERSED


def _counts(answer: MessageRow) -> bool:
    return answer.code not in NEVER_STORED and not written_by_fault(answer)


def written_by_fault(answer: MessageRow) -> bool:
    """Whether a fault rule put the code there."""
    return ANSWER_BY_FAULT.search(answer.notes) is not None


NOT_ITS_OWN = frozenset({"12", "22", "80", "94"})
"""What a message is told whose key is taken or closed: no answer to the transaction that has the key."""


def is_own_answer(answer: MessageRow) -> bool:
    """Whether it says what was decided for its transaction, for good, and no fault rule wrote it."""
    return _counts(answer) and answer.code not in NOT_ITS_OWN


def steady_answers(books: HostBooks) -> Iterator[Finding]:
    """A13, the host's half: its answer to a key never changes once final, however the message is wrapped.

    A3 holds deliveries of the same bytes against each other; here a repeat may have another MAC, header or connection.
    12 is the answer to what has been reversed; an approved request that is told 12 with no reversal of it in the log
    has lost its answer.
    """
    for txn_id, messages in books.messages_by_txn.items():
        txn = books.txn_by_id.get(txn_id)
        deliveries = [m for m in messages if txn is not None and m.direction == "in" and m.kind == txn.kind]
        if txn is None or len({m.digest for m in deliveries}) < 2:
            continue
        said = [a for m in deliveries for a in books.answers_by_request.get(m.id, ())]
        final = [a for a in said if (is_own_answer(a) or _lost(books, txn, messages, a))]
        by_bytes = [{(_own_rrn(books, a), a.auth_code, a.code) for a in same} for same in _by_bytes(books, final)]
        seen = set().union(*by_bytes)
        changed = len({rrn for rrn, _, _ in seen} - {_ECHOED}) > 1 or len({(auth, code) for _, auth, code in seen}) > 1
        # Within the same bytes it is A3 that speaks.
        if changed and all(len(each) == 1 for each in by_bytes):
            shown = " / ".join(f"{rrn or '-'} {auth or '-'} {code or '-'}" for rrn, auth, code in sorted(seen))
            text = f"its final answer changed, DE 37, 38, 39: {shown}"
            yield Finding("A13", f"txn {txn_id}", text, tuple(map(_line, final)))


def _lost(books: HostBooks, txn: Txn, messages: Iterable[MessageRow], answer: MessageRow) -> bool:
    """Whether 12 is said to an approved request, sent once more, of which no reversal has come before."""
    if answer.code != ORIGINAL_REVERSED or txn.advice or txn.state not in STANDING:
        return False
    asked = books.message_by_id[answer.reply_to]
    first = next(m for m in messages if m.direction == "in" and m.kind == txn.kind)
    was, now = fields_of(first.fields), fields_of(asked.fields)
    same = all(was.get(de) == now.get(de) for de in _CONTENT)
    return same and not any(m.kind == Kind.REVERSAL and m.id < answer.id for m in messages)


_CONTENT = ("2", "3", "4")
"""Of what every dialect compares (rules.md, section 1), what the log shows: masked card, processing code, amount."""


_ECHOED = "as sent"


def _own_rrn(books: HostBooks, answer: MessageRow) -> str:
    """The RRN that the host gave; one that the request brought says nothing of it."""
    return _ECHOED if echoes(books, answer) else answer.rrn


def echoes(books: HostBooks, answer: MessageRow) -> bool:
    """Whether its RRN is the one that the request brought (ISO 87)."""
    request = books.message_by_id.get(answer.reply_to)
    return bool(answer.rrn) and request is not None and answer.rrn == request.rrn


def _by_bytes(books: HostBooks, answers: Iterable[MessageRow]) -> Iterable[list[MessageRow]]:
    return grouped(answers, lambda answer: books.message_by_id[answer.reply_to].digest).values()


def _line(message: MessageRow) -> str:
    return f"message {message.id}: {message.direction} {message.mti} STAN {message.stan} code {message.code or '-'}"
