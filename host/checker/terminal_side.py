"""A5, A6: what a terminal did with its owed reversal, and what it told people, against its journal and the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.checker.books import KEYED_KINDS, STANDING, Finding, HostBooks, describe
from host.checker.delivery import written_by_fault
from host.rows import MessageRow, Txn
from specs.codes import FAMILIES, REVERSAL_ACK, is_approved
from specs.journal import TerminalBook, TerminalEvent
from specs.operation import Kind

ALL_ACKS = frozenset().union(*REVERSAL_ACK.values())
STAN_TWICE = "94"
"""The key names another transaction at the host, so what stands there is not the declined one."""
NOT_SENT = "not-sent"


def a5(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """A stored reversal goes only by an answer or a recorded abandonment, and is the one owed until then.

    Each rev-stored is followed, before the next one, by rev-abandoned, or by rev-cleared with a code that the dialect
    takes as acknowledgement, with the code of the answer that was shown for the same STAN, or because nothing was sent
    (then the host has nothing under that STAN). A code that acknowledges was on the wire in an answer to the reversal,
    or else the approval is in the journal: what the host holds live is not forgotten on the way from one to the other.
    The last one may still be pending: then it is the journal's own.
    """
    for book in terminals.values():
        tid = book.tid
        owed: TerminalEvent | None = None
        for at, event in enumerate(book.events):
            if event.event == "rev-stored":
                if owed is not None:
                    yield _forgotten(tid, owed, f"another was stored for STAN {event.stan}")
                owed = event
            elif event.event in ("rev-cleared", "rev-abandoned") and owed is not None and event.stan == owed.stan:
                if event.event == "rev-cleared":
                    yield from _cleared(books, book, owed, event, book.events[at:])
                owed = None
        if owed is not None and book.pending_reversal != owed.stan:
            yield _forgotten(tid, owed, f"the journal owes {book.pending_reversal or 'none'}")


def _forgotten(tid: str, owed: TerminalEvent, instead: str) -> Finding:
    text = f"reversal of STAN {owed.stan} stored and never cleared or abandoned; {instead}"
    return Finding("A5", f"terminal {tid}", text, (_line(owed),))


def _cleared(
    books: HostBooks, book: TerminalBook, owed: TerminalEvent, cleared: TerminalEvent, after: tuple[TerminalEvent, ...]
) -> Iterator[Finding]:
    evidence = (_line(owed), _line(cleared))
    if cleared.detail == NOT_SENT:
        held = [t for t in _named(books, book.tid, owed) if t.state in STANDING]
        if held:
            text = f"reversal of STAN {owed.stan} cleared as not sent, but the host has it {held[0].state}"
            yield Finding("A5", f"terminal {book.tid}", text, (*evidence, *map(describe, held)))
        return
    if cleared.code in REVERSAL_ACK.get(books.family_of(book.tid), ALL_ACKS):
        yield from _given_away(books, book, owed, cleared)
        return
    said = (e for e in after if e.event in ("slip", "shown") and e.stan == owed.stan and e.code == cleared.code)
    answer = next((e for e in said if e.detail in ("approved", "declined")), None)
    if not cleared.code or answer is None:
        text = f"reversal of STAN {owed.stan} cleared by code {cleared.code or 'none'}, which acknowledges nothing"
        yield Finding("A5", f"terminal {book.tid}", text, evidence)


def _given_away(books: HostBooks, book: TerminalBook, owed: TerminalEvent, cleared: TerminalEvent) -> Iterator[Finding]:
    """Cleared as if acknowledged, and what it was to undo stands at the host with no row here and no such answer."""
    told = any(e.stan == owed.stan and e.detail in ("approved", "declined") for e in book.events)  # A6 looks at those
    if told or owed.batch not in remembered(book) or any(row.stan == owed.stan for row in book.rows):
        return
    held = [txn for txn in _named(books, book.tid, owed) if txn.state in STANDING]
    if not held or not books.log_covers(owed.at):
        return
    answers = [m for txn in held for m in books.messages_by_txn.get(txn.id, ()) if m.direction == "out"]
    # Some send a reversal under a STAN of its own.
    stored = {event.stan for event in book.events if event.event == "rev-stored"} - {owed.stan}
    answers += [m for m in books.messages if m.direction == "out" and m.tid == book.tid and m.stan not in stored]
    if not any(m.kind == Kind.REVERSAL and m.code == cleared.code for m in answers):
        text = f"reversal of STAN {owed.stan} cleared by code {cleared.code}, but no reversal was answered with it"
        evidence = (_line(owed), _line(cleared), *map(describe, held), *map(_message, answers[:1]))
        yield Finding("A5", f"terminal {book.tid}", text, evidence)


def remembered(book: TerminalBook) -> frozenset[str]:
    """The batch numbers of which the journal has everything: the open one and those in its archive."""
    return frozenset((book.batch, *(archived.batch for archived in book.archived), *(row.batch for row in book.rows)))


def a6(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Slip or screen said approved: the transaction is in the journal (voided or reversed later, perhaps).

    Declined: with a code that the host put on the wire for that STAN and that does not approve, and the host has not
    captured it, unless a fault rule wrote that answer or the code is 94. What the journal has forgotten (a batch that
    it neither holds open nor keeps archived) is not looked for.
    """
    for book in terminals.values():
        tid = book.tid
        rows = {(row.batch, row.stan) for row in book.rows}
        known = remembered(book)
        for event in book.events:
            if event.event not in ("slip", "shown") or not event.stan:
                continue
            if event.detail == "approved" and event.batch in known and (event.batch, event.stan) not in rows:
                if _moves_money(books, tid, event):
                    text = f"{event.event} said STAN {event.stan} of batch {event.batch} is approved: no journal row"
                    yield Finding("A6", f"terminal {tid}", text, (_line(event),))
            elif event.detail == "declined":
                yield from _declined(books, tid, event)


def _moves_money(books: HostBooks, tid: str, event: TerminalEvent) -> bool:
    """Inquiries are approved too and leave no row; a STAN that the host has never seen is taken to be a sale."""
    kinds = {str(txn.kind) for txn in books.txns_by_stan.get((tid, event.stan), ())}
    kinds |= {m.kind for m in books.messages_by_stan.get((tid, event.stan), ()) if m.kind != "reversal"}
    if not kinds:
        return books.log_covers(event.at)
    return bool(kinds & KEYED_KINDS)


def _declined(books: HostBooks, tid: str, event: TerminalEvent) -> Iterator[Finding]:
    subject, what = f"terminal {tid}", f"{event.event} said STAN {event.stan} of batch {event.batch} is declined"
    families = [books.family_of(tid)] if books.family_of(tid) in FAMILIES else list(FAMILIES)
    if not event.code:
        yield Finding("A6", subject, f"{what} without a code: no answer is not a decline", (_line(event),))
        return
    if all(is_approved(family, event.code) for family in families):
        yield Finding("A6", subject, f"{what} with code {event.code}, which approves", (_line(event),))
        return
    out = [m for m in books.messages_by_stan.get((tid, event.stan), ()) if m.direction == "out"]
    with_code = [m for m in out if m.code == event.code]
    if any(m.tid == tid for m in out) and not with_code and books.log_covers(event.at):
        sent = ", ".join(sorted({m.code or "-" for m in out}))
        yield Finding("A6", subject, f"{what} with code {event.code}; the host answered {sent}", (_line(event),))
    if event.code == STAN_TWICE or any(written_by_fault(m) for m in with_code):
        return
    for txn in _named(books, tid, event):
        if txn.state in STANDING:
            text = f"{what} with code {event.code}, but the host has it {txn.state}"
            yield Finding("A6", subject, text, (_line(event), describe(txn), *map(_message, with_code)))


def _named(books: HostBooks, tid: str, event: TerminalEvent) -> list[Txn]:
    """The host's transactions under the STAN and, where the wire carries one, the batch number of an event."""
    terminal = books.terminal_by_tid.get(tid)
    epoch = terminal.epoch if terminal else None
    found = [t for t in books.txns_by_stan.get((tid, event.stan), ()) if epoch is None or t.epoch == epoch]
    return [t for t in found if t.kind in KEYED_KINDS and _number(books, t) in ("", event.batch)]


def _number(books: HostBooks, txn: Txn) -> str:
    batch = books.batch_by_id.get(txn.batch_id)
    return txn.wire_batch or (batch.number if batch else "")


def _line(event: TerminalEvent) -> str:
    return f"event {event.event} {event.batch}/{event.stan} code {event.code or '-'} {event.detail} {event.at}".rstrip()


def _message(message: MessageRow) -> str:
    return f"message {message.id}: {message.mti} code {message.code} {message.fate} {message.notes}"
