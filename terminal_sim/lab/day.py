"""The demo day as data: what is done at each terminal, what goes wrong on the line, how each step must end.

`play` does it for real: terminals are processes, the host is another one, TCP between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from terminal_sim.lab.api import Api
from terminal_sim.lab.till import Ran, Till

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One key press.

    arguments: a word in braces is the STAN that the step of that id took. fault: a host rule that is set just before;
    its match gets the terminal's TID. exit: the exit code that it must end with. show_slip: whether the reader sees it.
    """

    title: str
    action: str
    arguments: tuple[str, ...] = ()
    id: str = ""
    fault: Mapping[str, Any] = field(default_factory=dict)
    exit: int = 0
    show_slip: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """What happens at one terminal."""

    tid: str
    dialect: str
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """One step as it went, with the messages that it caused, oldest first."""

    step: Step
    ran: Ran
    messages: tuple[Json, ...]

    @property
    def as_expected(self) -> bool:
        """Whether the call ended with the exit code that the day foresees."""
        return self.ran.code == self.step.exit

    @property
    def said(self) -> Json:
        """The JSON object of the terminal."""
        return self.ran.json


_LOST_REPLY = {"action": "drop-reply", "phase": "after-commit", "match": {"kind": "sale"}}
_CUT_LINE = {"action": "reset", "phase": "after-commit", "match": {"kind": "sale"}}
"""As a lost reply, but the terminal hears that the line broke and need not wait."""
_TOLD_NO = {"action": "answer", "rc": "05", "phase": "after-commit", "match": {"kind": "sale"}}
"""The host books the sale and the terminal hears a refusal: the plainest way to books that do not agree."""

CUP_DAY = Day(
    "DEMO0001",
    "cup",
    "a UnionPay terminal: a reply is lost, then a batch whose totals do not agree",
    (
        Step("sign-on: working keys, the host's time and batch number", "signon"),
        Step("echo test", "echo"),
        Step("balance of a debit card, with PIN", "balance", ("--card", "debit1", "--pin", "card")),
        Step("sale of 268.00 by chip", "sale", ("26800", "--card", "credit1", "--entry", "chip"), show_slip=True),
        Step("sale of 45.00 on a foreign card", "sale", ("4500", "--card", "foreign1")),
        Step("sale of 12.50, keyed wrong", "sale", ("1250", "--card", "debit1"), id="wrong"),
        Step("the 12.50 is voided", "void", ("--stan", "{wrong}")),
        Step("dinner: sale of 80.00", "sale", ("8000",), id="dinner"),
        Step("the guest adds a tip of 8.00: stored, the host is told later", "tip", ("800", "--stan", "{dinner}")),
        Step(
            "sale of 99.00: the tip goes first; booked by the host, and its answer is lost",
            "sale",
            ("9900", "--card", "credit1"),
            fault=_LOST_REPLY,
            exit=3,
        ),
        Step("the customer pays again: the terminal first reverses what it does not know", "sale", ("9900",)),
        Step("settlement of the first batch: the totals agree; the chip's certificate", "settle", show_slip=True),
        Step("second batch: 500.00 reserved for a hotel room", "preauth", ("50000",), id="room"),
        Step("the guest leaves: completion of 420.00", "complete", ("42000", "--stan", "{room}")),
        Step(
            "sale of 75.00: booked by the host, but the terminal is told 05 (do not honour)",
            "sale",
            ("7500",),
            fault=_TOLD_NO,
            exit=1,
        ),
        Step("settlement: the totals differ, the batch is uploaded and closed", "settle", exit=1, show_slip=True),
    ),
)

NAC_DAY = Day(
    "DEMO0002",
    "nac",
    "a NAC/EDC terminal: no sign-on; settlement 920000, upload, settlement 960000",
    (
        Step("test message", "echo"),
        Step("sale of 80.00", "sale", ("8000",), id="goods"),
        Step("sale of 20.00", "sale", ("2000",), id="wrong"),
        Step("the 20.00 is voided", "void", ("--stan", "{wrong}")),
        Step("35.00 of the first sale are refunded", "refund", ("3500", "--stan", "{goods}")),
        Step("offline sale of 30.00 on a foreign card", "offline-sale", ("3000", "--card", "foreign1")),
        Step(
            "the offline sale goes first; sale of 60.00: booked by the host, but the terminal is told 05",
            "sale",
            ("6000",),
            fault=_TOLD_NO,
            exit=1,
        ),
        Step("settlement: 95, the upload, and 960000", "settle", exit=1, show_slip=True),
    ),
)

ISO87_DAY = Day(
    "DEMO0003",
    "iso87",
    "an ISO 8583:1987 terminal: DE 90 names originals, DE 66 says how the day ends",
    (
        Step("sign-on", "signon"),
        Step("300.00 reserved for a hire car", "preauth", ("30000",), id="car"),
        Step(
            "the car is back: completion of 310.00, as an advice", "complete", ("31000", "--stan", "{car}", "--advice")
        ),
        Step(
            "the completion goes first; sale of 64.00 with 20.00 cash back: the line breaks, no answer",
            "sale",
            ("6400", "--cash", "2000"),
            fault=_CUT_LINE | {"match": {"kind": "cash-back"}},
            exit=3,
        ),
        Step("once more: the reversal is an advice, 0420", "sale", ("6400", "--cash", "2000")),
        Step(
            "sale of 55.00: booked by the host, but the terminal is told 05 (do not honour)",
            "sale",
            ("5500",),
            fault=_TOLD_NO,
            exit=1,
        ),
        Step("settlement: DE 66 = 2, no upload exists, and 0520 closes the day", "settle", exit=1, show_slip=True),
    ),
)

DAYS = (CUP_DAY, NAC_DAY, ISO87_DAY)


def play(day: Day, till: Till, api: Api) -> Iterator[Played]:
    """Do the steps one after the other, yielding each when it is done. Raises LabError when a process does not answer.

    A sale's answer is in the host's log before it is on the line, so a step's messages are there when the step ends.
    """
    stans: dict[str, str] = {}
    last = ""
    for step in day.steps:
        if step.fault:
            rule = dict(step.fault)
            api.fault(rule.pop("action"), {"tid": day.tid, **rule.pop("match", {})}, **rule)
        words = [stans[word[1:-1]] if word.startswith("{") else word for word in step.arguments]
        ran = till.run(step.action, *words, "--json")
        messages = api.items("/messages", after=last, tid=day.tid)
        last = messages[-1]["id"] if messages else last
        played = Played(step, ran, tuple(messages))
        if step.id:
            stans[step.id] = str(played.said.get("stan", ""))
        yield played
