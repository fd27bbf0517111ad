"""What became of each purchase that somebody wanted to make: one intent, whatever number of attempts it took (E5).

The books know transactions; only the people know that two of them were for the same goods. So the caller says which
attempts belong together, and how often goods were handed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host.checker.books import HostBooks
from specs.journal import TerminalBook


@dataclass(frozen=True, slots=True)
class Attempt:
    """A transaction as the terminal sent it: its key on the wire. at: RFC 3339, when it was sent; "" unknown."""

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
    """One Purchase an intent, in their order."""
    raise NotImplementedError
