"""A world of a few states, to try the explorer by itself: one terminal sells, owes reversals, settles.

What goes wrong in it is known by hand. A sale is three points (request, answer, journal) and a power cut or a lost
frame leaves a reversal owed, which goes before the next sale and at the settlement. Bugs, each with its smallest
schedule:

    forgets-second   a lost 0210 whose 0400 is lost in the same step leaves nothing owed        two drops, only two
    gives-up         the second 0400 that nobody answers was the last                  a power cut and a window
    double-post      a sale delivered twice is posted twice                                     one dup
    chance           (no bug of the day) the trace differs each time                            not deterministic
    breaks           the world gives up at a sale delivered twice                               an error, no verdict
    hidden           (no bug of the day) the key says nothing of what went wrong                sharing lies
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from math import inf

from host.checker.books import Finding, HostBooks
from specs.faults import Fault
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.explore.space import base_of
from terminal_sim.lab.explore.stage import HEALING, Playing
from terminal_sim.lab.scenario.model import Scenario, StepSpec, TerminalSpec, WorldSpec
from terminal_sim.lab.world.record import PointSeen, Run

TID = "T0000001"
STEP_S = 1000.0
REQUEST, ANSWER = f"wire/{TID}>H/0200", f"wire/H>{TID}/0210"
REVERSAL, REVERSED = f"wire/{TID}>H/0400", f"wire/H>{TID}/0410"
CLOSE, JOURNAL = f"wire/{TID}>H/0500", f"crash/{TID}/journal.before"
_chance = count()


def day(*deeds: str) -> Scenario:
    """A scenario of sales and settlements."""
    steps = tuple(
        StepSpec(f"S{n}", do, at=n * STEP_S, unit=TID, args={"amount": 1000} if do == "sale" else {})
        for n, do in enumerate(deeds)
    )
    return Scenario("toy", WorldSpec(cutoff="23:00"), (TerminalSpec(TID),), steps)


def fitting(base: str) -> tuple[Fault, ...]:
    """What may be done at a point."""
    if base == JOURNAL:
        return (Fault(base, "stop"),)
    return (Fault(base, "drop"), Fault(base, "dup")) if base in (REQUEST, ANSWER) else (Fault(base, "drop"),)


@dataclass(frozen=True)
class State:
    """posted: by the host, less what was reversed; sold: goods handed over; owed: unanswered tries, -1 = nothing;
    lost: posted and forgotten."""

    posted: int = 0
    sold: int = 0
    settled: int = 0
    owed: int = -1
    double: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Copy:
    at: int
    state: State
    faults: tuple[Fault, ...]
    fired: tuple[int, ...]
    counts: tuple[tuple[str, int], ...]
    points: tuple[PointSeen, ...]
    said: str
    ends: tuple[tuple[int, float], ...]


@dataclass
class ToyStage:
    """bugs: names of the module's table. never_quiet: steps after which no copy can be made."""

    scenario: Scenario
    bugs: frozenset[str] = frozenset()
    never_quiet: frozenset[int] = frozenset()
    runs: int = 0

    def start(self, faults: Sequence[Fault], scenario: Scenario | None = None) -> Playing:
        self.runs += 1
        return Toy(self, scenario or self.scenario, tuple(faults))

    def resume(
        self, snapshot: object, faults: Sequence[Fault], *, watched: bool = False, known: Container[str] = ()
    ) -> Playing:
        assert isinstance(snapshot, Copy)
        assert tuple(faults[: len(snapshot.faults)]) == snapshot.faults
        toy = Toy(self, self.scenario, tuple(faults))
        toy.at_step, toy.state, toy.said = snapshot.at, snapshot.state, snapshot.said
        toy.counts, toy.points = dict(snapshot.counts), [*snapshot.points]
        toy.fire = [*snapshot.fired, *[0] * (len(faults) - len(snapshot.fired))]
        toy.until = dict(snapshot.ends)
        toy.watched, toy.known = watched, known
        return toy


class Enough(BaseException):
    """The rest is known."""


@dataclass
class Toy:
    stage: ToyStage
    scenario: Scenario
    faults: tuple[Fault, ...]
    at_step: int = 0
    state: State = State()
    points: list[PointSeen] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    said: str = ""
    fire: list[int] = field(default_factory=list)
    until: dict[int, float] = field(default_factory=dict)
    watched: bool = False
    known: Container[str] = ()
    cut_short: bool = False
    middle: tuple[int, str] | None = None
    captured: bool | None = None
    """What a call that is at work knows, and no state does."""

    def begin(self) -> None:
        self.fire = [0] * len(self.faults)

    @property
    def fired(self) -> tuple[int, ...]:
        return tuple(self.fire)

    @property
    def trace_hash(self) -> str:
        return sha256(self.said.encode()).hexdigest()

    @property
    def quiet(self) -> bool:
        return self.at_step not in self.stage.never_quiet

    def snapshot(self) -> object:
        assert self.quiet
        counts = tuple(self.counts.items())
        points = tuple(self.points)
        return Copy(
            *(self.at_step, self.state, self.faults, self.fired, counts, points, self.said),
            tuple(self.until.items()),
        )

    def state_key(self) -> str:
        now = self.at_step * STEP_S
        state = replace(self.state, lost=0, double=0) if "hidden" in self.stage.bugs else self.state
        return repr((state, [end for end in self.until.values() if end > now]))

    # ---- a step

    def step(self) -> bool:
        try:
            return self._step()
        except Enough:
            self.cut_short = True
            return False

    def _step(self) -> bool:
        if self.at_step >= len(self.scenario.steps):
            return False
        step = self.scenario.steps[self.at_step]
        for place, fault in enumerate(self.faults):
            if fault.since == f"step:{step.id}":
                self.until[place] = self._end(fault)
        self._reverse()
        if step.do == "sale" and self.state.owed < 0:
            self._sell()
        elif step.do == "settle" and self.state.owed < 0 and self._passes(CLOSE):
            self._set(settled=self.state.posted)
        self.at_step += 1
        return self.at_step < len(self.scenario.steps)

    def _end(self, fault: Fault) -> float:
        now = self.at_step * STEP_S
        if not fault.until:
            return inf
        if fault.until.startswith("+"):
            return now + float(fault.until[1:])
        if fault.until.startswith("step:"):
            places = {f"step:{step.id}": place for place, step in enumerate(self.scenario.steps)}
            return places.get(fault.until, len(places)) * STEP_S
        return float(fault.until)

    def _sell(self) -> None:
        if not (action := self._passes(REQUEST)):
            self._doubt()
            return
        self._set(posted=self.state.posted + 1)
        if action == "dup" and "double-post" in self.stage.bugs:
            self._set(double=self.state.double + 1)
        if action == "dup" and "breaks" in self.stage.bugs:
            raise LabError("this world has no end")
        if not self._passes(ANSWER):
            self._doubt(captured=True)
            return
        if not self._passes(JOURNAL):
            self._set(owed=0)  # the power is gone: the reversal goes when it is back
            return
        self._set(sold=self.state.sold + 1)

    def _doubt(self, *, captured: bool = False) -> None:
        self._set(owed=0)
        self._reverse(captured=captured)

    def _reverse(self, *, captured: bool | None = None) -> None:
        self.captured = captured
        if self.state.owed < 0:
            return
        there = self.state.posted > self.state.sold
        if self._passes(REVERSAL):
            self._set(posted=self.state.posted - 1 if there else self.state.posted)
            if self._passes(REVERSED):
                self._set(owed=-1)
                return
        tries = self.state.owed + 1
        forgets = "forgets-second" in self.stage.bugs and captured
        gives_up = "gives-up" in self.stage.bugs and tries >= 2
        over = forgets or gives_up
        still = self.state.posted > self.state.sold
        self._set(owed=-1 if over else tries)
        if over and still:
            self._set(posted=self.state.posted - 1, lost=self.state.lost + 1)

    def _set(self, **changes: int) -> None:
        self.state = replace(self.state, **changes)

    def _passes(self, base: str) -> str:
        """What happens at a point: "" = it does not get through."""
        if self.watched and self.middle is None and self.fire[-1] and not self.faults[-1].since:
            self.middle = (len(self.points), f"{self.state_key()} {self.at_step} {base} {self.captured}")
            if self.middle[1] in self.known:
                raise Enough
        number = self.counts[base] = self.counts.get(base, 0) + 1
        text = f"{base}#{number}"
        self.points.append(PointSeen(text, self.at_step if self.at_step < len(self.scenario.steps) else HEALING))
        happens = "yes"
        for place, fault in enumerate(self.faults):
            if fault.action == "split":
                self.fire[place] += base.startswith(fault.at)
            elif fault.at == text or (self._is_down(place, fault) and base_of(base).startswith("wire")):
                self.fire[place] += 1
                happens = happens if fault.action == "delay" else "dup" if fault.action == "dup" and happens else ""
        self.said = sha256(f"{self.said}{text}{happens}".encode()).hexdigest()
        if "chance" in self.stage.bugs:
            self.said += str(next(_chance))
        return happens

    def _is_down(self, place: int, fault: Fault) -> bool:
        """A line that brings its frames in pieces is not."""
        return fault.at.startswith("link/") and self.until.get(place, 0) > self.at_step * STEP_S

    # ---- the end

    def finish(self) -> Run:
        assert self.at_step == len(self.scenario.steps)
        self.until.clear()
        for _ in range(3):
            self._reverse()
        broken = []
        classes = []
        if self.state.lost:
            classes.append("CNSale")
            broken.append(Finding("E5", "toy", f"{self.state.lost} posted and not sold"))
        if self.state.double:
            classes.append("DC")
        return Run(
            scenario=self.scenario,
            variant="",
            faults=self.faults,
            fired=self.fired,
            steps=(),
            trace=(),
            points=tuple(self.points),
            trace_hash=self.trace_hash,
            findings=tuple(broken),
            purchases=(),
            classes=tuple(sorted(classes)) or ("clean",),
            settled=(),
            exceptions=(),
            messages=0,
            books=HostBooks(),
            terminals={},
        )
