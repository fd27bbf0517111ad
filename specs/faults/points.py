"""Points: the places of a run where a fault may strike, as text and as a value.

    wire/T0000001>H/0200#2   the second 0200 of that terminal          wire/T>H/0200   any terminal's
    wire/T>H                 any message in that direction             conn/T0000001#3 the third connection
    crash/H/commit.after#4   after the host's fourth commit            link/T0000001   its line, over a time

«#n» counts the passings of the text before it, from 1. «T» stands for any terminal. Source: failure-catalogue.md,
section 4; what each kind holds: specs.faults.model.Place.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from specs.errors import DecodeError
from specs.faults.errors import FaultError, nearest
from specs.faults.model import ANY_TERMINAL, HOST, ISSUER, Place
from specs.mti import Mti

TERMINAL_STEPS = (
    *("stan", "rev-store", "send", "recv", "journal", "rev-clear", "print", "saf-store", "saf-flag"),
    *("freeze", "settle-pending", "upload-flag", "archive", "number", "key-store"),
)
"""Where a terminal's power may fail; those of them that write its flash are its files of `store` points."""
NOT_WRITTEN = ("send", "recv", "print")
"""Steps that write nothing as a rule (a terminal that rolls forward keeps the answer under recv)."""
HOST_STEPS = (
    *("recv", "issuer-sent", "issuer-got", "commit", "reply"),
    *("rev-commit", "compare", "stage", "close", "payout"),
)
HOST_FILES = ("commit", "issuer-commit")
MOMENTS = ("after-unknown", "query", "after-declined", "end-of-day")
WHENS = ("before", "after")
DIRECTIONS = ("T>H", "H>T", "H>I", "I>H")
_FORMS = {
    Place.WIRE: "wire/A>B/MTI",
    Place.CONN: "conn/TID",
    Place.LINK: "link/TID",
    Place.CRASH: "crash/TID|H/STEP.before|after",
    Place.STORE: "store/TID|H/FILE",
    Place.OPERATOR: "op/TID/MOMENT",
    Place.CLOCK: "clock/TID|H",
    Place.CALENDAR: "cal/H",
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_NUMBER = re.compile(r"#([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Point:
    """A point. who: a TID, T, H or I; of a wire point where the frame comes from, and `to` where it goes. what: the MTI
    ("" = any), the step, the file, the moment. when: before | after, at crash points. nth: 0 = no number."""

    place: Place
    who: str
    to: str = ""
    what: str = ""
    when: str = ""
    nth: int = 0

    def __str__(self) -> str:
        return self.text + (f"#{self.nth}" if self.nth else "")

    @property
    def text(self) -> str:
        """Without its number."""
        who = f"{self.who}>{self.to}" if self.to else self.who
        what = f"/{self.what}" if self.what else ""
        when = f".{self.when}" if self.when else ""
        return f"{self.place.value}/{who}{what}{when}"

    @property
    def direction(self) -> str:
        """At a wire point one of DIRECTIONS, else ""."""
        return f"{_side(self.who)}>{_side(self.to)}" if self.to else ""

    @property
    def terminal(self) -> str:
        """The TID that it names, T for any; "" = it is no terminal's."""
        return next((name for name in (self.who, self.to) if _side(name) == ANY_TERMINAL and name), "")


def _side(name: str) -> str:
    return name if name in (HOST, ISSUER) else ANY_TERMINAL


@lru_cache(maxsize=65_536)
def parse_point(text: str) -> Point:
    """A point from its text. Raises: FaultError with the nearest known name; its key is "at"."""
    base, mark, number = text.partition("#")
    numbered = _NUMBER.fullmatch(mark + number)
    if mark and numbered is None:
        raise _wrong(text, "after # stands a number from 1 on")
    kind, _, rest = base.partition("/")
    if kind not in Place.__members__.values():
        raise _wrong(text, f"{kind!r} is no kind of point; {nearest(kind, [p.value for p in Place])}")
    place = Place(kind)
    who, _, what = rest.partition("/")
    point = _READERS[place](text, place, who, what)
    nth = int(numbered[1]) if numbered else 0
    return Point(place, point.who, point.to, point.what, point.when, nth)


def check_terminal(point: Point, terminals: Collection[str]) -> None:
    """Raises: FaultError when the point names a terminal that is none of these."""
    name = point.terminal
    if name not in ("", ANY_TERMINAL) and name not in terminals:
        raise _wrong(str(point), f"there is no terminal {name!r}; {nearest(name, [*terminals, ANY_TERMINAL])}")


@lru_cache(maxsize=65_536)
def general(text: str) -> tuple[str, ...]:
    """The texts without number that a fault may use for this point: itself first, then with «T» for its terminal and
    without its MTI. Raises: FaultError."""
    point = parse_point(text)
    whos = dict.fromkeys((point.who, _side(point.who)))
    tos = dict.fromkeys((point.to, _side(point.to) if point.to else ""))
    whats = dict.fromkeys((point.what, "" if point.place is Place.WIRE else point.what))
    return tuple(Point(point.place, who, to, what, point.when).text for what in whats for who in whos for to in tos)


def _wrong(text: str, why: str) -> FaultError:
    return FaultError("", "at", f"{text!r}: {why}")


def _one(text: str, place: Place, who: str, what: str) -> Point:
    if not _NAME.fullmatch(who) or what or who == ISSUER:
        raise _wrong(text, f"expected {_FORMS[place]}")
    if place in (Place.CONN, Place.LINK) and who == HOST:
        raise _wrong(text, f"expected {_FORMS[place]}")
    if place is Place.CALENDAR and who != HOST:
        raise _wrong(text, "only the host has a calendar: cal/H")
    return Point(place, who)


def _wire(text: str, place: Place, who: str, what: str) -> Point:
    sender, _, receiver = who.partition(">")
    if not (_NAME.fullmatch(sender) and _NAME.fullmatch(receiver)):
        raise _wrong(text, f"expected {_FORMS[place]}, as wire/T>H/0200")
    point = Point(place, sender, receiver, what)
    if point.direction not in DIRECTIONS:
        raise _wrong(text, f"no frame goes that way; one of {', '.join(DIRECTIONS)}")
    if what:
        try:
            Mti.parse(what)
        except DecodeError:
            raise _wrong(text, f"{what!r} is no MTI") from None
    return point


def _crash(text: str, place: Place, who: str, what: str) -> Point:
    step, _, when = what.rpartition(".")
    if not _NAME.fullmatch(who) or who == ISSUER or not step:
        raise _wrong(text, f"expected {_FORMS[place]}")
    if when not in WHENS:
        raise _wrong(text, f"{when!r} is neither before nor after")
    _known(text, step, HOST_STEPS if who == HOST else TERMINAL_STEPS, "step")
    return Point(place, who, what=step, when=when)


def _store(text: str, place: Place, who: str, what: str) -> Point:
    if not _NAME.fullmatch(who) or who == ISSUER or not what:
        raise _wrong(text, f"expected {_FORMS[place]}")
    _known(text, what, HOST_FILES if who == HOST else TERMINAL_STEPS, "file")
    return Point(place, who, what=what)


def _operator(text: str, place: Place, who: str, what: str) -> Point:
    if who in MOMENTS and not what:
        raise _wrong(text, f"the terminal is missing: write op/TID/{who} or op/T/{who}")
    if not _NAME.fullmatch(who) or who in (HOST, ISSUER) or not what:
        raise _wrong(text, f"expected {_FORMS[place]}")
    _known(text, what, MOMENTS, "moment")
    return Point(place, who, what=what)


def _known(text: str, word: str, known: Collection[str], kind: str) -> None:
    if word not in known:
        raise _wrong(text, f"{word!r} is no {kind}; {nearest(word, known)}")


_READERS = {
    Place.WIRE: _wire,
    Place.CONN: _one,
    Place.LINK: _one,
    Place.CRASH: _crash,
    Place.STORE: _store,
    Place.OPERATOR: _operator,
    Place.CLOCK: _one,
    Place.CALENDAR: _one,
}
