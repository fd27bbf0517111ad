"""The catalogue's actions as rules of the host: on the answer, on the request, on the issuer's link, on the host."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from host.delivery import BEHIND_MOST_S
from host.faults import ACTIONS, Facts, FaultError, FaultTable, Phase
from host.issuer.link import ImmediateLink
from host.rows import IssuerLeg, Leg, MessageRow, Txn
from host.store.store import open_store
from specs.faults import Place
from specs.faults.actions import ACTIONS as CATALOGUE
from tests.unit.host.test_service import SALE, Bench, FakeLine

Call = tuple[float, int, Callable[..., Any], tuple[Any, ...]]


class Loop:
    """A loop whose time is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._later: list[Call] = []
        self._order = itertools.count()

    def call_soon_threadsafe(self, call: Callable[..., Any], *args: Any) -> None:
        call(*args)

    def call_soon(self, call: Callable[..., Any], *args: Any) -> None:
        self.call_later(0.0, call, *args)

    def call_later(self, delay: float, call: Callable[..., Any], *args: Any) -> None:
        heapq.heappush(self._later, (self.now + delay, next(self._order), call, args))

    def run(self, seconds: float = 0.0) -> None:
        until = self.now + seconds
        while self._later and self._later[0][0] <= until + 1e-9:
            self.now, _, call, args = heapq.heappop(self._later)
            call(*args)
        self.now = until


class Line(FakeLine):
    """A line that knows its neighbours."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__("nac://127.0.0.1:1")
        self.tid, self.lines = "", lines
        self.handed = 0
        lines.append(self)

    def line_of(self, tid: str) -> Line | None:
        return next((line for line in self.lines if line.tid == tid), None)

    def request_again(self) -> None:
        self.handed += 1

    def stall(self) -> None:
        self.ended = "half-open"

    def hang_up(self) -> None:
        self.ended = "fin"


class Rules(Bench):
    """A host with rules, its loop's time in our hands, and a second terminal."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.loop: Any = Loop()
        self.service.start(self.runner, cast(asyncio.AbstractEventLoop, self.loop))
        lines: list[Line] = []
        self.line: Any = Line(lines)
        self.other: Any = Line(lines)
        assert isinstance(self.runner.link, ImmediateLink)
        self.runner.link.by_rule = self.service.link_faults.strikes

    def rule(self, **body: Any) -> None:
        self.faults.add(body)

    def send(self, payload: bytes = SALE, line: Any = None) -> None:
        line = line or self.line
        line.handed += 1
        super().send(payload, line)

    def later(self, seconds: float) -> None:
        """Let time pass, with whatever the writer has to do then."""
        self.loop.run(seconds)
        self.runner.run_until_quiet()
        self.loop.run()

    @property
    def fired(self) -> list[int]:
        return [rule.fired for rule in self.faults.list()]

    def fates(self) -> list[str]:
        return [row.fate for row in self.rows(MessageRow) if row.direction == "out"]


@pytest.fixture
def host() -> Iterator[Rules]:
    store = open_store("sqlite://", seed=1)
    yield Rules(store)
    store.close()


def stan(number: str) -> bytes:
    return SALE.replace(bytes.fromhex("000123"), bytes.fromhex(number))


def of_other() -> bytes:
    """The sale of another terminal: DE 41 is text, and DE 42 after it begins with the same digits."""
    assert SALE.count(b"12345678123456789012345") == 1
    return stan("000900").replace(b"12345678", b"87654321", 1)


def good(host: Rules) -> bytes:
    """The answer as it is without a fault: a replay has the same bytes."""
    host.send()
    return bytes(host.line.sent.pop())


# ---- the answer


def test_split_and_wrong_length_on_the_line(host: Rules) -> None:
    whole = good(host)
    host.rule(action="split", sizes="1,3", gap=0.5)
    host.send()
    assert host.line.sent == [whole[:1]]
    host.later(0.5)
    host.later(0.5)
    assert host.line.sent == [whole[:1], whole[1:4], whole[4:]]
    host.line.sent.clear()
    host.rule(action="wrong-length", by=5)
    host.send()
    assert host.line.sent == [(len(whole) - 2 + 5).to_bytes(2, "big") + whole[2:]]
    assert host.fates() == ["sent", "sent", "corrupted"]


def test_truncate_then_reset(host: Rules) -> None:
    whole = good(host)
    host.rule(action="truncate", n=1)
    host.send()
    assert (host.line.sent, host.line.ended) == ([whole[:1]], "")
    host.later(0.1)
    assert (host.line.sent, host.line.ended) == ([whole[:1]], "reset")


@pytest.mark.parametrize("how", ["fin", "half-open", "reset"])
@pytest.mark.parametrize(("phase", "booked"), [("after-commit", 1), ("before-commit", 0)])
def test_a_line_that_ends(host: Rules, how: str, phase: str, booked: int) -> None:
    host.rule(action=how, phase=phase)
    host.send()
    assert (host.line.sent, host.line.ended, len(host.rows(Txn))) == ([], how, booked)


def test_coalesce_waits_for_the_next_answer(host: Rules) -> None:
    whole = good(host)
    host.rule(action="coalesce")
    host.send()
    assert host.line.sent == []
    host.send(stan("000124"))
    (both,) = host.line.sent
    assert both.startswith(whole)
    assert len(both) == 2 * len(whole)
    host.later(10)
    assert len(host.line.sent) == 1


def test_coalesce_goes_alone_when_nothing_follows(host: Rules) -> None:
    whole = good(host)
    host.rule(action="coalesce", seconds=2)
    host.send()
    host.later(1.9)
    assert host.line.sent == []
    host.later(0.2)
    assert host.line.sent == [whole]


def test_reorder_lets_others_pass(host: Rules) -> None:
    whole = good(host)
    host.rule(action="reorder", frames=2)
    host.send()
    host.send(stan("000124"))  # a request and its answer: two frames
    host.loop.run()
    assert len(host.line.sent) == 2
    assert host.line.sent[1] == whole
    assert host.line.sent[0] != whole


def test_reorder_ends_by_itself(host: Rules) -> None:
    whole = good(host)
    host.rule(action="reorder", frames=3)
    host.send()
    host.later(BEHIND_MOST_S)
    assert host.line.sent == [whole]


def test_cross_goes_to_the_other_terminal_s_line(host: Rules) -> None:
    whole = good(host)
    host.send(of_other(), host.other)
    host.other.sent.clear()
    host.rule(action="cross", tid="87654321")
    host.send()
    assert (host.line.sent, host.other.sent) == ([], [whole])
    assert host.fates()[-1] == "crossed"


def test_cross_to_nobody_is_lost(host: Rules) -> None:
    host.rule(action="cross", tid="NOBODY00")
    host.send()
    assert host.line.sent == host.other.sent == []


def test_a_prompt_holds_the_answer_until_its_rule_goes(host: Rules) -> None:
    whole = good(host)
    host.rule(action="prompt", text="cut the power now")
    host.send()
    host.later(100)
    assert host.line.sent == []
    host.faults.clear()
    host.later(0.2)
    assert host.line.sent == [whole]


def test_corrupt_of_a_field(host: Rules) -> None:
    host.rule(action="corrupt", field=39)
    host.send()
    assert [answer[39] for answer in host.answers()] == ["01"]
    assert [t.response_code for t in host.rows(Txn)] == ["00"]


def test_a_rule_with_a_point_of_the_catalogue(host: Rules) -> None:
    """wire/H>T/0210#2: the second answer of that MTI, whatever else passes."""
    host.rule(action="drop", at="wire/H>12345678/0210#2")
    host.send(of_other(), host.other)
    host.send()
    host.send(stan("000124"))
    assert (len(host.other.sent), len(host.line.sent), host.fired) == (1, 1, [1])
    (shown,) = [rule.to_json() for rule in host.faults.list()]
    assert (shown["at"], shown["match"]) == ("wire/H>12345678/0210#2", {"nth": 2, "tid": "12345678"})


# ---- the request


def test_a_request_twice(host: Rules) -> None:
    host.rule(action="dup", at="wire/T>H/0200")
    host.send()
    assert host.line.codes() == ["00", "00"]
    assert len(host.rows(Txn)) == 1
    assert host.line.handed == host.line.requests_ended == 2
    assert "on its way in" in host.rows(MessageRow)[0].notes


def test_a_late_request_is_decided_when_it_comes(host: Rules) -> None:
    host.rule(action="delay", at="wire/T>H", seconds=45)
    host.send()
    host.later(44.9)
    assert host.rows(Txn) == []
    host.later(0.2)
    assert host.line.codes() == ["00"]
    assert host.line.handed == host.line.requests_ended == 1


def test_a_request_that_others_overtake(host: Rules) -> None:
    host.rule(action="reorder", at="wire/T>H/0200#1")
    host.send()
    host.send(stan("000124"))
    host.later(0)
    assert [answer[11] for answer in host.answers()] == ["000124", "000123"]


def test_a_spoilt_request_is_read_as_it_came(host: Rules) -> None:
    host.rule(action="corrupt", at="wire/T>H", field=4)
    host.send()
    assert [t.amount for t in host.rows(Txn)] == [10_001]
    host.rule(action="corrupt", at="wire/T>H", byte=0)
    host.send(stan("000124"))
    assert len(host.rows(Txn)) == 1


# ---- the issuer's link


@pytest.mark.parametrize(("action", "debited"), [("silence", False), ("lose-after-issuer", True)])
def test_an_issuer_that_is_not_heard(host: Rules, action: str, debited: bool) -> None:
    host.rule(action=action, match={"kind": "sale"})
    host.send()
    assert host.line.sent == []
    assert host.fired == [1]
    assert [leg.state for leg in host.rows(Leg)] == ["asking"]
    assert len(host.rows(IssuerLeg)) == debited
    host.send(stan("000124"))
    assert host.line.codes() == ["00"]


def test_an_outage_holds_until_its_rule_goes(host: Rules) -> None:
    host.rule(action="outage")
    host.send()
    host.send(stan("000124"))
    codes = host.line.codes()
    assert len(codes) == 2
    assert "00" not in codes
    assert host.fired == [2]
    host.faults.clear()
    host.send(stan("000125"))
    assert host.line.codes()[-1] == "00"


def test_a_rule_of_the_link_counts_only_requests_that_ask_the_issuer(host: Rules) -> None:
    host.send()
    host.rule(action="silence")
    host.send()  # a replay asks nobody
    assert host.fired == [0]


# ---- the host itself


class Died(BaseException):
    """In place of the end of the process."""


@pytest.mark.parametrize(
    ("phase", "state", "answered"), [("before-commit", "pending", 0), ("after-commit", "captured", 0)]
)
def test_a_crash_at_the_commit(host: Rules, phase: str, state: str, answered: int) -> None:
    """Case 17 before it: the issuer has said yes, and nobody knows. Case 18 after it: booked, and no answer."""

    def die() -> None:
        raise Died

    assert host.service._delivery is not None
    host.service._delivery = replace(host.service._delivery, die=die)
    host.rule(action="crash", phase=phase)
    with pytest.raises(Died):
        host.send()
    assert host.line.sent == []
    assert [t.state for t in host.rows(Txn)] == [state]


# ---- names


def test_every_name_of_the_host_is_an_action_of_the_catalogue_at_a_point_of_it() -> None:
    for name, known in ACTIONS.items():
        action = CATALOGUE[known.action]
        assert name in CATALOGUE or name in {
            *("drop-request", "drop-reply", "late-reply", "half-reply", "duplicate-reply", "stall", "crash"),
        }
        if known.point.startswith("wire/"):
            assert known.point.removeprefix("wire/") in action.ends
        else:
            assert action.places == (Place.CRASH,)


def test_the_catalogue_s_names_are_kept() -> None:
    table = FaultTable()
    for name, kept in (
        ("half-reply", "truncate"),
        ("stall", "half-open"),
        ("duplicate-reply", "dup"),
        ("crash", "stop"),
    ):
        assert table.add({"action": name}).to_json()["action"] == kept
    shown = table.add({"action": "delay", "at": "wire/T>H/0200", "seconds": "45s"}).to_json()
    assert (shown["at"], shown["phase"], shown["seconds"]) == ("wire/T>H/0200", "before-commit", 45.0)
    json.dumps([rule.to_json() for rule in table.list()])


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"action": "drop", "at": "wire/T>H/0200", "phase": "after-commit"}, "/phase"),
        ({"action": "split", "at": "wire/T>H"}, "/at"),
        ({"action": "drop", "at": "wier/T>H"}, "/at"),
        ({"action": "drop", "at": "conn/T"}, "/action"),
        ({"action": "crash", "at": "crash/H/close.after"}, "/at"),
        ({"action": "crash", "at": "crash/H/commit.after", "phase": "before-commit"}, "/phase"),
        ({"action": "drop", "at": "wire/H>T0000001", "match": {"tid": "T0000002"}}, "/match/tid"),
        ({"action": "drop", "match": {"step": "A"}}, "/match/step"),
        ({"action": "delay", "delay_s": 1, "seconds": 2}, "/delay_s"),
        ({"action": "dup", "n": -1}, "/n"),
        ({"action": "corrupt", "byte": 1, "field": 4}, "/field"),
        ({"action": "cross"}, "/tid"),
        ({"action": "outage", "until": "soon"}, "/until"),
        ({"action": "drop", "until": "+5s"}, "/until"),
        ({"action": "crash", "seconds": 5}, "/seconds"),
    ],
)
def test_a_bad_rule_names_the_key(body: dict[str, object], where: str) -> None:
    with pytest.raises(FaultError) as caught:
        FaultTable().add(body)
    assert caught.value.where == where


def test_a_point_names_the_answer_and_the_request_each_in_its_direction() -> None:
    table = FaultTable()
    table.add({"action": "drop", "at": "wire/H>T/0410"})
    reversal, repeat, sale = (Facts(mti=mti) for mti in ("0400", "0401", "0200"))
    assert table.fires(sale, Phase.AFTER_COMMIT) is None
    assert table.fires(repeat, Phase.AFTER_COMMIT) is not None
    table.clear()
    table.add({"action": "drop", "at": "wire/T>H/0400"})
    assert table.fires(repeat, Phase.BEFORE_COMMIT) is None
    assert table.fires(reversal, Phase.BEFORE_COMMIT) is not None
