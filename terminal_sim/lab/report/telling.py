"""What happened, in the words of a time line: the trace's own lines made readable, and between them what the books say
was done at that moment at the host, at the issuer and for the merchant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

from host.checker.books import ACQUIRER, CLOSED, HostBooks
from host.rows import MessageRow, Posting
from specs import codes
from terminal_sim.lab.report import words
from terminal_sim.lab.report.shape import EventShape

if TYPE_CHECKING:
    from terminal_sim.lab.world.record import Happened, Run

SAVED: Mapping[str, str] = {
    "stan": "STAN used up",
    "rev-store": "reversal stored",
    "recv": "reply stored",
    "journal": "row into the journal",
    "rev-clear": "reversal cleared",
    "freeze": "batch frozen",
    "settle-pending": "settlement owed",
    "upload-flag": "item flagged as uploaded",
    "archive": "batch archived",
    "number": "next batch number",
    "key-store": "keys stored",
    "saf-store": "advice stored",
    "saf-flag": "advice flagged as sent",
}
"""What a write to the flash means, by its step (terminal_sim.flash.STEPS)."""
_BOOKED: Mapping[str, str] = {
    "capture": "captures",
    "refund": "captures a refund of",
    "void": "voids",
    "refund-void": "voids a refund of",
    "adjust": "adjusts by",
    "undo": "undoes",
    "debit-again": "restores",
    "adjustment": "adjusts in the open batch",
}
"""What an entry of the acquirer's book means (host.engine.ledger.REASONS)."""
ANSWER, ISSUER_ANSWER = r"wire/\d\d[13579]", r"issuer/\d\d[13579]"
_UNDOES = ("0420", "0421")
_SAME_MOMENT_S = 0.001
_WAY = re.compile(r"(?P<way>[^ >]+>[^ ]+) (?P<mti>\d{4})(?P<rest>.*)", re.DOTALL)
_STAN = re.compile(r"STAN (\d{6})")
_CODE = re.compile(r"\bcode ([0-9A-Z]{2,4})\b")
_LEG = re.compile(r"\b([a-z]+(?:-again)?) (-?\d+)")
_SHORT = re.compile(r" [/(]|[;,]")
"""Where the first of several meanings of a code ends."""


@dataclass(frozen=True, slots=True)
class _Deed:
    """Something that the books date. before: the frames that tell of it, by lane and text, and so come after it."""

    at: float
    lane: str
    who: str
    text: str
    before: str


def told(run: Run, currency: str) -> list[EventShape]:
    """The events of a time line, in order."""
    money = partial(words.money, currency=currency)
    speak = _Speaker(run, money)
    trace = [_event(happened, speak.line(happened)) for happened in run.trace]
    return _merged(trace, sorted(_deeds(run, money), key=lambda deed: deed.at))


def _event(happened: Happened, text: str) -> EventShape:
    return {
        "at": round(happened.at, 3),
        "step": happened.step,
        "lane": str(happened.lane),
        "who": happened.who,
        "text": text,
        "point": happened.point,
        "fault": happened.fault,
        "from_books": False,
    }


# ---- the trace's own lines


class _Speaker:
    """Turns the lines of one run's trace into words."""

    def __init__(self, run: Run, money: Callable[[int], str]) -> None:
        self._money = money
        self._steps = {step.id: words.step_text(step, money) for step in run.scenario.steps}
        self._dialect = run.scenario.world.dialect
        self._by_frame = {(m.tid, m.mti, m.stan): m for m in run.books.messages}

    def line(self, happened: Happened) -> str:
        """What a line of the trace says to people."""
        speak = {"flash": self._flash, "wire": self._wire, "issuer": self._issuer, "operator": self._operator}
        return speak.get(str(happened.lane), str)(happened.text)

    def _flash(self, text: str) -> str:
        step, between, rest = text.partition(" ")
        return SAVED.get(step, step) + between + rest

    def _operator(self, text: str) -> str:
        step, _, rest = text.partition(": ")
        does = self._steps.get(step, "")
        return f"{step}: {does}" if does and rest.split(" ")[0] == does.split(" ")[0].rstrip(",") else text

    def _wire(self, text: str) -> str:
        """«T0000001>H 0200 STAN 000001» -> «0200 sale 268.00 · STAN 000001»."""
        found = _WAY.match(text)
        if found is None:
            return text
        tid = next((end for end in found["way"].split(">") if end != "H"), "")
        stan = _STAN.search(found["rest"])
        message = self._by_frame.get((tid, found["mti"], stan[1])) if stan else None
        code = _CODE.search(found["rest"])
        fate = _CODE.sub("", _STAN.sub("", found["rest"])).strip()
        about = self._kind(message) if message is not None else ""
        if code:
            about = self._meaning(code[1]) if _is_answer(found["mti"]) else f"{about} ({code[1]})".lstrip()
        number = f" · STAN {stan[1]}" if stan else ""
        return f"{found['mti']} {about}".strip() + number + (f" {fate}" if fate else "")

    def _issuer(self, text: str) -> str:
        found = _WAY.match(text)
        if found is None:
            return text
        undo = found["mti"] in _UNDOES
        rest = _LEG.sub(lambda leg: f"{'undo' if undo else leg[1]} {self._money(int(leg[2]))}", found["rest"])
        return found["mti"] + rest

    def _kind(self, message: MessageRow) -> str:
        """Of a request: what it is and for how much. An answer says its code."""
        if message.direction != "in":
            return ""
        amount = json.loads(message.fields or "{}").get("4", "")
        known = message.kind and message.kind != "unknown"
        worth = f" {self._money(int(amount))}" if amount.isdigit() and message.kind != "settle" else ""
        return f"{message.kind}{worth}" if known else ""

    def _meaning(self, code: str) -> str:
        """«00» -> «00 approved»."""
        family = next((name for name in codes.FAMILIES if self._dialect.startswith(name)), "iso87")
        meaning = _SHORT.split(codes.text(family, code))[0]
        return code if meaning in (code, "unknown code") else f"{code} {meaning}"


def _is_answer(mti: str) -> bool:
    return int(mti[2]) % 2 == 1


# ---- what the books date


def _deeds(run: Run, money: Callable[[int], str]) -> Iterator[_Deed]:
    start = datetime.fromisoformat(run.scenario.world.start).replace(tzinfo=None)

    def when(at: str) -> float | None:
        """Seconds since the start: rows hold the host's local time, and so does a scenario."""
        try:
            return (datetime.fromisoformat(at).replace(tzinfo=None) - start).total_seconds()
        except ValueError:
            return None

    for at, lane, who, text, before in _dated(run.books, money):
        if (seconds := when(at)) is not None:
            yield _Deed(seconds, lane, who, text, before)


_Dated = tuple[str, str, str, str, str]


def _dated(books: HostBooks, money: Callable[[int], str]) -> Iterator[_Dated]:
    for posting in books.postings:
        if posting.account.startswith("merchant-payable:") and posting.book == ACQUIRER:
            yield posting.at, "host", "H", _booked(books, posting, money), ANSWER
            yield posting.at, "merchant", "M", words.signed(-posting.amount, money), ANSWER
        elif posting.account.startswith("cardholder:"):
            yield posting.at, "issuer", "I", f"card {words.signed(-posting.amount, money)}", ISSUER_ANSWER
    for item in books.exceptions:
        yield (
            item.at,
            "host",
            "H",
            f"lists an exception: {item.reason} {money(item.amount or item.side_amount)}",
            ANSWER,
        )
    for batch in books.batches:
        if batch.state in CLOSED and batch.closed_at:
            by = f" by itself ({batch.forced})" if batch.forced else ""
            yield batch.closed_at, "host", "H", f"closes batch {batch.number}{by}: {batch.state}", ANSWER


def _booked(books: HostBooks, posting: Posting, money: Callable[[int], str]) -> str:
    txn = books.txn_by_id.get(posting.txn_id)
    stan = f", STAN {txn.stan}" if txn is not None else ""
    return f"{_BOOKED.get(posting.reason, posting.reason)} {money(abs(posting.amount))}{stan}"


# ---- both in one order


def _merged(trace: list[EventShape], deeds: list[_Deed]) -> list[EventShape]:
    """Each deed of the books before the frame that tells of it, else behind all else of its moment."""
    found: list[EventShape] = []
    left = deeds
    for event in trace:
        first = [deed for deed in takewhile(partial(_is_due, event), left) if _comes_first(deed, event)]
        found += [_of_deed(deed, found[-1]["step"] if found else event["step"]) for deed in first]
        left = [deed for deed in left if deed not in first] if first else left
        found.append(event)
    return found + [_of_deed(deed, found[-1]["step"] if found else -1) for deed in left]


def _is_due(event: EventShape, deed: _Deed) -> bool:
    return deed.at <= event["at"] + _SAME_MOMENT_S


def _comes_first(deed: _Deed, event: EventShape) -> bool:
    if abs(event["at"] - deed.at) > _SAME_MOMENT_S:
        return deed.at < event["at"]
    return re.match(deed.before, f"{event['lane']}/{event['text']}") is not None


def _of_deed(deed: _Deed, step: int) -> EventShape:
    return {
        "at": round(deed.at, 3),
        "step": step,
        "lane": deed.lane,
        "who": deed.who,
        "text": deed.text,
        "point": "",
        "fault": False,
        "from_books": True,
    }
