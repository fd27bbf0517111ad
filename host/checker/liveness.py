"""L1, L2: once nothing fails any more, everything gets going again, and it takes no more messages than it should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from host.checker.books import Finding, HostBooks, name_batch
from host.rows import BatchState
from specs.journal import TerminalBook

SENDS = 3
"""Sends of one request, advice or item in one try (rules.md, section 10)."""
ROUNDS = 3
"""Upload rounds of one settlement."""
SERVICE = 4
"""Other requests of one cycle: sign-on and echo, each perhaps twice."""


@dataclass(frozen=True, slots=True)
class Healed:
    """What became of one terminal after the last fault: whoever ran it says so, no book does.

    sells: whether a sale was approved within one retry cycle. owed: what the terminal has still to do after `cycles`
    of them, in words (`owed_of`). messages: frames that it sent while it healed; messages_max: how many it may
    (`most_messages`).
    """

    tid: str
    sells: bool
    owed: tuple[str, ...] = ()
    cycles: int = 1
    messages: int = 0
    messages_max: int = 0


def owed_of(book: TerminalBook) -> tuple[str, ...]:
    """What a terminal has still to do, by its journal: a reversal, stored items, a frozen batch."""
    owed = [f"the reversal of STAN {book.pending_reversal}"] if book.pending_reversal else []
    owed += [f"the stored {row.kind} of STAN {row.stan}" for row in book.rows if row.stored]
    owed += [f"the settlement of batch {book.batch}"] if book.frozen else []
    return tuple(owed)


def most_messages(*, rows: int, owed: int, cycles: int) -> int:
    """How many frames a terminal may send in so many cycles, at most, with so many rows in its journal and so many
    reversals and advices owed: by the bounds of rules.md, section 10."""
    settlement = SENDS + ROUNDS * (SENDS * rows + SENDS)
    return cycles * (SERVICE + SENDS * (owed + 1) + settlement)


def l1(books: HostBooks, terminals: Mapping[str, TerminalBook], healed: Iterable[Healed]) -> Iterator[Finding]:
    """After the healing each terminal sells again within one retry cycle, and after n cycles it owes nothing: no
    reversal, no stored item, no frozen batch."""
    for one in healed:
        if not one.sells:
            yield Finding("L1", f"terminal {one.tid}", "does not sell within one retry cycle after the last fault")
        left = dict.fromkeys(one.owed)
        left |= dict.fromkeys(what for book in terminals.values() if book.tid == one.tid for what in owed_of(book))
        if left:
            text = f"after {one.cycles} cycles without a fault still owes {', '.join(left)}"
            yield Finding("L1", f"terminal {one.tid}", text)


def l2(books: HostBooks, terminals: Mapping[str, TerminalBook], healed: Iterable[Healed]) -> Iterator[Finding]:
    """The healing takes a bounded number of messages, and every dispute (95) has ended: no batch stays disputed."""
    healing = {one.tid: one for one in healed}
    for one in healing.values():
        if one.messages > one.messages_max:
            text = f"sent {one.messages} messages in {one.cycles} cycles without a fault, {one.messages_max} at most"
            yield Finding("L2", f"terminal {one.tid}", text)
    for batch in books.batches:
        if batch.state is BatchState.DISPUTED and batch.tid in healing:
            text = (
                f"is {batch.state} after {healing[batch.tid].cycles} cycles, expected closed or closed-with-exceptions"
            )
            yield Finding("L2", name_batch(batch), text, (batch.claimed, batch.answered))
