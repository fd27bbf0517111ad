"""A14: every answer belongs to the request that it answers, and goes where that came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.checker.books import Finding, HostBooks
from host.rows import MessageRow
from specs.errors import SpecError
from specs.journal import TerminalBook
from specs.mti import Mti


def a14(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Each outgoing message answers an earlier incoming one: its MTI, the same STAN and TID, on the same connection.

    What one of the two does not carry is not compared. The log is the host's; whether a terminal took what does not
    fit (RT5) shows in its journal, against the host's books (A6, E1, E8).
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
