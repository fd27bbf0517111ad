"""A14: every answer belongs to the request that it answers, and goes where that came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.checker.books import Finding, HostBooks
from host.rows import MessageRow
from specs.errors import SpecError
from specs.journal import TerminalBook
from specs.mti import Mti


def a14(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Each outgoing message answers an earlier incoming one: its MTI, the same STAN and TID, on the same connection.

    What one of the two does not carry is not compared. No terminal has taken what does not fit (RT5): the RRN of a row
    in its journal was on the wire under that row's STAN and TID, if it was in any answer at all.
    """
    for answer in books.messages:
        if answer.direction != "out":
            continue
        request = books.message_by_id.get(answer.reply_to)
        if request is None and 0 < answer.reply_to <= books.pruned_through:
            continue  # it was pruned
        if request is None or request.direction != "in" or request.id > answer.id:
            text = f"answers message {answer.reply_to or 'none'}, which is no request before it"
            yield Finding("A14", f"message {answer.id}", text, (_line(answer),))
            continue
        for what, asked, said in _compared(request, answer):
            if asked and said and asked != said:
                text = f"answers message {request.id} with {what} {said}, expected {asked}"
                yield Finding("A14", f"message {answer.id}", text, (_line(request), _line(answer)))
    for book in terminals.values():
        yield from _taken(books, book)


def _taken(books: HostBooks, book: TerminalBook) -> Iterator[Finding]:
    said = _rrns(books)
    for row in book.rows:
        others = said.get(row.rrn) if row.rrn else None
        if others is None or (book.tid, row.stan) in others:
            continue
        own = books.messages_by_stan.get((book.tid, row.stan), ())
        if any(message.rrn == row.rrn for message in own) or not (own or books.log_covers(row.at)):
            continue
        tid, stan = min(others)
        text = f"STAN {row.stan} of batch {row.batch} has RRN {row.rrn}, which answered STAN {stan} of {tid}"
        yield Finding("A14", f"terminal {book.tid}", text, tuple(map(_line, own)))


def _rrns(books: HostBooks) -> Mapping[str, set[tuple[str, str]]]:
    """RRN -> (TID, STAN) of the answers that carried it; stars are of messages that nobody could read."""
    found: dict[str, set[tuple[str, str]]] = {}
    for message in books.messages:
        if message.direction == "out" and message.rrn and "*" not in message.tid + message.stan:
            found.setdefault(message.rrn, set()).add((message.tid, message.stan))
    return found


def _compared(request: MessageRow, answer: MessageRow) -> tuple[tuple[str, str, str], ...]:
    return (
        ("MTI", _answer_mti(request.mti), answer.mti),
        ("STAN", request.stan, answer.stan),
        ("TID", request.tid, answer.tid),
        ("peer", request.peer, answer.peer),
    )


def _answer_mti(request: str) -> str:
    """The MTI of the answer; "" for what has none."""
    try:
        return str(Mti.parse(request).response())
    except SpecError:
        return ""


def _line(message: MessageRow) -> str:
    head = f"message {message.id}: {message.direction} {message.mti} {message.tid} STAN {message.stan}"
    return f"{head} code {message.code or '-'} peer {message.peer or '-'}"
