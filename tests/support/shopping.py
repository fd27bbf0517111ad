"""Whole shopping days: every order that a terminal takes, both ends in one thread, drawn at random and played again.

    day = shop("cup", "TC", [SignOn(), Sell(100), Retotal(0, 130), Reserve(500), Collect(0, 115), Settle()])
    day.digest()                                   # the same for the same day: messages, both books

A day is a list of deeds, or of steps of tests.support.two_books where something goes wrong in a deed. A deed names what
it acts on by its place among the terminal's own rows, so that a shorter day still means something. Money is checked
after each deed by the checker, and at the end by sums that are made here, each from one book alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256

from specs.operation import DEBITS, Card, Kind
from specs.testcards import load_test_cards
from terminal_sim import originals
from terminal_sim.moves import (
    Adjust,
    Complete,
    End,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
)
from terminal_sim.state import Memory, Row
from tests.support.two_books import Act, ForceClose, Meddle, Step, TwoBooks, Typed, Void, Wait, card, nth_row, typed

CARD_NAMES = {known.pan: name for name, known in load_test_cards().items()}
DAY_S = 86_400.0
_UNTIL_MIDNIGHT_S = 14 * 3_600.0
"""The days begin at nine."""
HOLDS_END_DAYS = 32
"""All pre-authorisations have run out by then (`preauth_days` = 30)."""


@dataclass(frozen=True, repr=False)
class GiveBack(Typed):
    """A refund of the nth sale that the terminal remembers. percent: of its amount. how: named by its "stan", by "rrn",
    date and card, or by the "card" alone."""

    nth: int
    percent: int = 100
    how: str = "stan"

    def order(self, memory: Memory) -> Order | None:
        row = nth_row(_remembered(memory), DEBITS, self.nth)
        if row is None:
            return None
        amount = max(1, originals.final_amount(memory, row) * self.percent // 100)
        if self.how == "stan":
            return Refund(amount, stan=row.stan)
        named = {"rrn": row.rrn, "date": row.at[:4]} if self.how == "rrn" else {}
        return Refund(amount, _again(row), **named)


@dataclass(frozen=True, repr=False)
class Reserve(Typed):
    """A pre-authorisation."""

    amount: int
    card: str = "credit1"
    entry: str = "swipe"
    pin: str = ""

    def order(self, memory: Memory) -> Order:
        return PreAuth(self.amount, card(self.card, self.entry), self.pin)


@dataclass(frozen=True, repr=False)
class Increase(Typed):
    """An increment of the nth pre-authorisation that the terminal remembers."""

    nth: int
    amount: int

    def order(self, memory: Memory) -> Order | None:
        row = _reservation(memory, self.nth)
        return PreAuth(self.amount, _again(row), increment=True, stan=row.stan) if row else None


@dataclass(frozen=True, repr=False)
class Release(Typed):
    """The void of the nth pre-authorisation that the terminal remembers."""

    nth: int

    def order(self, memory: Memory) -> Order | None:
        row = _reservation(memory, self.nth)
        return PreAuthVoid(stan=row.stan) if row else None


@dataclass(frozen=True, repr=False)
class Collect(Typed):
    """The completion of the nth pre-authorisation that the terminal remembers. percent: of what is held."""

    nth: int
    percent: int = 100
    advice: bool = False

    def order(self, memory: Memory) -> Order | None:
        row = _reservation(memory, self.nth)
        if row is None:
            return None
        held = originals.held(memory, row)
        amount = None if self.percent == 100 else max(1, held * self.percent // 100)
        return Complete(stan=row.stan, amount=amount, advice=self.advice)


@dataclass(frozen=True, repr=False)
class SellOffline(Typed):
    """A stored sale. auth_code: of a phone approval."""

    amount: int
    card: str = "credit1"
    entry: str = "manual"
    auth_code: str = ""

    def order(self, memory: Memory) -> Order:
        return OfflineSale(self.amount, card(self.card, self.entry), self.auth_code)


@dataclass(frozen=True, repr=False)
class Retotal(Typed):
    """Another total for the nth sale of the open journal. percent: of its own amount."""

    nth: int
    percent: int

    def order(self, memory: Memory) -> Order | None:
        row = nth_row(memory.rows, DEBITS, self.nth)
        return Adjust(stan=row.stan, amount=max(1, row.amount * self.percent // 100)) if row else None


@dataclass(frozen=True, repr=False)
class Tip(Typed):
    """A tip on the nth sale of the open journal. percent: of its own amount."""

    nth: int
    percent: int

    def order(self, memory: Memory) -> Order | None:
        row = nth_row(memory.rows, DEBITS, self.nth)
        return Adjust(stan=row.stan, tip=max(1, row.amount * self.percent // 100)) if row else None


def _remembered(memory: Memory) -> list[Row]:
    """Every row that the terminal keeps, the newest first, so that 0 is the last."""
    return list(originals.newest_first(memory))


def _again(row: Row) -> Card:
    """The card of a row, once more."""
    name = CARD_NAMES[row.pan]
    return card(name, "manual" if load_test_cards()[name].card_class == "qr" else "swipe")


def _reservation(memory: Memory, nth: int) -> Row | None:
    return nth_row(_remembered(memory), {Kind.PRE_AUTH}, nth)


# ---- a day


def shop(dialect: str, capture: str, deeds: Iterable[Act | Step], *, watch: bool = True) -> TwoBooks:
    """A whole day and its end: everything settled, both books alike, and a month later nothing held."""
    world = TwoBooks(dialect, capture, watch=watch)
    steps = [deed if isinstance(deed, Step) else Step(deed) for deed in deeds]
    plain = is_plain(steps)
    for step in steps:
        result = world.play(step)
        if plain and result is not None:
            assert result.code not in _NO_CAUSE - _may_miss(step.deed), (step, result)
            assert result.end not in (End.UNKNOWN, End.UNANSWERED, End.PENDING, End.NOT_AGREED), (step, result)
    world.heal()
    world.settled()
    world.again()
    world.play(Step(Wait(HOLDS_END_DAYS * DAY_S)))
    world.nothing_held()
    return world


_NO_CAUSE = frozenset(
    (
        *("03", "12", "13", "22", "25", "30", "40", "58", "61", "63", "64", "77", "80"),
        *("89", "91", "94", "95", "96", "97", "98", "99", "A0"),
    )
)
"""Never the answer to an order that the terminal itself has let through, on a day when nothing goes wrong: it has seen
all that the host has. Cards are refused with other codes."""


def _may_miss(deed: Act | None) -> frozenset[str]:
    """A refund that names no row of the terminal may find nothing, or too little left; and the terminal cannot tell
    which sale it was for, so that its void is refused, or its next refund."""
    if isinstance(deed, Void):
        return frozenset({"12"})
    return frozenset({"25", "64"}) if isinstance(deed, GiveBack) else frozenset()


def is_plain(steps: Iterable[Step]) -> bool:
    """Whether nothing goes wrong in a day, nobody else closes its batch, and it ends before midnight."""
    waited = 0.0
    for step in steps:
        if step != Step(step.deed) or isinstance(step.deed, ForceClose | Meddle):
            return False
        waited += step.deed.seconds if isinstance(step.deed, Wait) else 0.0
    return waited < _UNTIL_MIDNIGHT_S


def call_of(dialect: str, capture: str, steps: Iterable[Step]) -> str:
    """What has to be typed to have this day again."""
    plain = (step if step != Step(step.deed) or step.deed is None else step.deed for step in steps)
    deeds = (repr(deed) if isinstance(deed, Step) else typed(deed) for deed in plain)
    return f"shop({dialect!r}, {capture!r}, [{', '.join(deeds)}])"


def digest(world: TwoBooks) -> str:
    """Of every byte on the line, the host's books and the terminal's flash: the same for the same day."""
    said = sha256(world.line.said.digest())
    said.update(repr(_bare(world.host.books())).encode())
    said.update(repr(_bare(world.memory)).encode())
    return said.hexdigest()


def _bare(value: object) -> object:
    """A value with nothing that its repr would leave out."""
    if is_dataclass(value):
        return [_bare(getattr(value, f.name)) for f in fields(value)]
    if isinstance(value, Mapping):
        return [(key, _bare(worth)) for key, worth in value.items()]
    return [_bare(one) for one in value] if isinstance(value, tuple) else value
