"""The exhaustive walk: every single fault of a day, and after each of them every second one.

It goes by *legs*. A leg begins at a node, a boundary between two steps at which the world could be copied, with at most
two faults of its own, and ends at the next boundary at which the world is quiet again and all of them have had their
turn. So no prefix is played twice, and a second fault in a later step is played from the boundary before that step.

**Sharing.** `state_key` covers all that decides what happens from here on: both ends' books and flash, what is under
way, windows still open, the operator's attempts, goods handed over. Two schedules with the same key before the same
step therefore have the same future: the same messages, the same points (told from here, `space.shifted`), the same
books at the end. Two things are taken from that:

- the end of a schedule whose faults are all spent: `_ends`, by boundary and key;
- all ends of all single faults still to come: `_futures`, by boundary and key.

Within the leg of a first fault there is no boundary, but often the same state: power that fails after one write or
before the next leaves the same behind, and so do a lost frame and an unreadable one. So the state is also looked at in
the middle of the first fault's leg, at the first point after it struck where the host is at rest (`Playing.middle`).
Two first faults from the same node with the same state there, which then pass the same points in the same order and
come to the same boundary, have the same second faults from there on: `_middles`. The order of points stands for what
a key cannot hold, the calls that are at work. A second fault is looked at in its middle too: when another schedule
from the same node was in the same state at the same point after its last fault, its end is this one's, and the leg
goes no further (`_rests`). Here the point alone stands for the calls that are at work: what a terminal has still to
write is the difference between its memory and its flash, which the key has both.

What may be lost by it, and why it is not: a verdict is drawn from the final books. They are one part state, which is
equal, and one part the log of messages, of which the key holds what the checks of the log read (who said what of which
transaction), not how often and when. So a finding about the prefix comes from rows that both prefixes have: the known
future has it too, since it was judged at its end over prefix and future together. Nothing is judged without its own
books or equal ones. That the key tells the truth is not believed but tried: a part of the shared schedules is played
whole from the beginning (`Sampling.verify`), and a verdict that differs is a finding about the explorer; `plain.py`
plays everything whole, and a test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from specs.faults import Fault
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.space import ALONE, Space, counted, is_window, kind_of, shifted
from terminal_sim.lab.explore.stage import HEALING, Playing, Stage, Verdict, judged
from terminal_sim.lab.explore.tally import Allowed, Tally
from terminal_sim.lab.world.record import PointSeen

SAMPLES_MAX, SAMPLE_ONE_IN = 8, 7
"""Schedules that are kept of a future to be tried whole, and of how many each is one."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much is played again. twice: one leg in so many, 1 = all, 0 = none; verify: one first fault in so many has
    one of its shared schedules played whole."""

    twice: int = 1
    verify: int = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the exploring itself. what: "not deterministic", "did not fire", "sharing"."""

    what: str
    schedule: tuple[Fault, ...]
    text: str = ""


@dataclass(slots=True)
class Node:
    """A boundary. faults: those that have struck on the way here; counts: how often each point was passed on it.
    snapshot None: its future is known."""

    step: int
    key: str
    snapshot: object
    faults: tuple[Fault, ...]
    counts: dict[str, int]


@dataclass(slots=True)
class Leg:
    """What a leg came to. points: passed in it. node: where it ended; None at the end of the day. end: how the day
    ended, when that is known without going on from the node. mark: of all that happened. middle: as
    Playing's, its place counted in `points`."""

    points: Sequence[PointSeen]
    reached: int
    node: Node | None = None
    end: Verdict | None = None
    mark: tuple[object, ...] = ()
    finished: bool = False
    middle: tuple[int, str] | None = None
    cut: bool = False


@dataclass(slots=True)
class Future:
    """All that can come of a boundary. end: without another fault; singles: with one more, told from the boundary;
    samples: a few of them."""

    end: Verdict
    singles: Tally
    samples: list[tuple[Fault, Verdict]] = field(default_factory=list)


@dataclass(slots=True)
class Middle:
    """What comes of second faults from the middle of a leg on, told from there."""

    seconds: Tally
    samples: list[tuple[Fault, Verdict]]


@dataclass(slots=True)
class First:
    """A fault and what came of it. doubles: with each second one, faults told from the start of the day."""

    fault: Fault
    single: Verdict
    doubles: Tally = field(default_factory=Tally)


class Walker:
    """Walks one day. depth: 1 or 2 faults. stop: asked before each second fault; once true, the rest is left out."""

    def __init__(
        self,
        stage: Stage,
        space: Space,
        allowed: Allowed,
        *,
        depth: int = 2,
        sampling: Sampling = Sampling(),
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.meter = Meter()
        self.problems: list[Problem] = []
        self._stage = stage
        self._space = space
        self._allowed = allowed
        self._depth = depth
        self._sampling = sampling
        self._stop = stop
        self._last = len(stage.scenario.steps)
        self._ends: dict[tuple[int, str], Verdict] = {}
        self._futures: dict[tuple[int, str], Future] = {}
        self._middles: dict[tuple[object, ...], Middle] = {}
        self._rests: dict[tuple[int, str], dict[str, Verdict]] = {}

    # ---- the day without a fault

    def day(self) -> list[tuple[Node, Leg]]:
        """The legs of the day, each with the node that it begins at."""
        world = self._stage.start(())
        world.begin()
        node: Node | None = Node(0, world.state_key(), world.snapshot(), (), counted(world.points, {}))
        legs: list[tuple[Node, Leg]] = []
        while node is not None:
            leg = self._leg(node, (), node.step + 1, forking=True)
            legs.append((node, leg))
            node = leg.node
        return legs

    def faults_of(self, node: Node, leg: Leg) -> list[tuple[Fault, int]]:
        """All single faults of a leg, with the step in which each has its turn."""
        return list(self._faults(leg.points, range(node.step, leg.reached), first=True))

    def first(self, node: Node, fault: Fault, step: int) -> First:
        """A fault of the day's leg that begins at this node, alone and with every second one."""
        if self._depth == 1 or fault.action in ALONE:
            return First(fault, self._end_of(node, (fault,), step + 1))
        leg = self._leg(node, (fault,), step + 1, forking=True)
        if leg.node is None:
            assert leg.end is not None
            found = First(fault, leg.end)
        else:
            shared = (leg.node.step, leg.node.key) in self._futures
            future = self._future(leg.node)
            found = First(fault, future.end)
            found.doubles.join(future.singles, leg.node.counts, (fault,), self._allowed)
            if shared:
                self._verify(leg.node, future.samples, fault, leg.node.counts)
        self._second_in(leg, node, found, step)
        return found

    def _second_in(self, leg: Leg, node: Node, found: First, step: int) -> None:
        """Second faults before the leg of the first has ended: both from the node before it."""
        after = _after(leg.points, found.fault, step)
        middle = leg.middle
        if middle is None or self._stop():
            self._seconds(node, found, self._faults(after, range(step + 1, leg.reached)))
            return
        place, state = middle
        early, late = after[: place - (len(leg.points) - len(after))], leg.points[place:]
        self._seconds(node, found, self._faults(early, range(step + 1, leg.reached)))
        counts = counted(leg.points[:place], node.counts)
        told = tuple((shifted(Fault(seen.point, ""), counts, -1).at, seen.step) for seen in late)
        end = (leg.node.step, leg.node.key) if leg.node is not None else leg.end
        key = (node.step, node.key, state, told, end)
        known = self._middles.get(key)
        if known is None:
            known = self._middles[key] = self._from_middle(node, found.fault, late, counts)
        else:
            self.meter.done["shared"] += known.seconds.schedules
            self._verify(node, known.samples, found.fault, counts)
        found.doubles.join(known.seconds, counts, (found.fault,), self._allowed)

    def _from_middle(self, node: Node, fault: Fault, late: Sequence[PointSeen], counts: dict[str, int]) -> Middle:
        middle = Middle(Tally(), [])
        for second, at in self._faults(late, ()):
            if self._stop():
                break
            verdict = self._end_of(node, (fault, second), at + 1)
            told = shifted(second, counts, -1)
            middle.seconds.add(verdict, (told,), self._allowed(verdict, (fault, second)))
            if len(middle.samples) < SAMPLES_MAX and self._is_sampled(SAMPLE_ONE_IN, node, (second,)):
                middle.samples.append((told, verdict))
        return middle

    def _seconds(self, node: Node, found: First, faults: Iterable[tuple[Fault, int]]) -> None:
        for second, at in faults:
            if self._stop():
                return
            schedule = (found.fault, second)
            verdict = self._end_of(node, schedule, at + 1)
            found.doubles.add(verdict, schedule, self._allowed(verdict, schedule))

    # ---- futures

    def _future(self, node: Node) -> Future:
        known = self._futures.get((node.step, node.key))
        if known is not None:
            self.meter.done["shared"] += known.singles.schedules
            return known
        leg = self._leg(node, (), node.step + 1, forking=True)
        singles = Tally()
        samples: list[tuple[Fault, Verdict]] = []
        if leg.node is not None:
            later = self._future(leg.node)
            end = later.end
            singles.join(later.singles, counted(leg.points, {}))
        else:
            assert leg.end is not None
            end = leg.end
        for fault, step in self._faults(leg.points, range(node.step, leg.reached)):
            if self._stop():
                return Future(end, singles)
            verdict = self._end_of(node, (fault,), step + 1)
            told = shifted(fault, node.counts, -1)
            singles.add(verdict, (told,), self._allowed(verdict, (fault,)))
            if len(samples) < SAMPLES_MAX and self._is_sampled(SAMPLE_ONE_IN, node, (fault,)):
                samples.append((told, verdict))
        future = Future(end, singles, samples)
        self._futures[node.step, node.key] = future
        self._ends[node.step, node.key] = end
        return future

    def _end_of(self, node: Node, extra: tuple[Fault, ...], reach: int) -> Verdict:
        """How the day ends from a node, with these faults more."""
        end = self._leg(node, extra, reach, forking=False).end
        assert end is not None
        return end

    def _faults(
        self, points: Iterable[PointSeen], steps: Iterable[int], *, first: bool = False
    ) -> Iterator[tuple[Fault, int]]:
        """The windows of these steps, and what fits these points; of second faults not what is tried alone."""
        for step in steps:
            for window in self._space.windows(step):
                yield window, step
        for seen in points:
            for fault in self._space.at(seen.point):
                if first or fault.action not in ALONE:
                    yield fault, seen.step

    # ---- a leg

    def _leg(self, node: Node, extra: tuple[Fault, ...], reach: int, *, forking: bool) -> Leg:
        twice = bool(extra) and self._is_sampled(self._sampling.twice, node, extra)
        leg = self._play(node, extra, reach, forking=forking, marked=twice)
        self.meter.done["legs"] += 1
        if twice:
            again = self._play(node, extra, reach, forking=forking, marked=True, like=leg)
            self.meter.done["twice"] += 1
            if again.mark != leg.mark:
                text = f"between steps {node.step} and {leg.reached}"
                self.problems.append(Problem("not deterministic", (*node.faults, *extra), text))
        return leg

    def _play(
        self, node: Node, extra: tuple[Fault, ...], reach: int, *, forking: bool, marked: bool, like: Leg | None = None
    ) -> Leg:
        """Plays on to the first boundary from `reach` on where the future is known or can be forked off; or to the
        end. like: as far as that one went."""
        time, faults = self.meter.time, (*node.faults, *extra)
        with time("snapshot"):
            rests = {} if forking or not extra else self._rests.setdefault((node.step, node.key), {})
            known: Container[str] = () if like is not None and not like.cut else rests
            world = self._stage.resume(node.snapshot, faults, watched=bool(extra), known=known)
        passed = len(world.points)
        unknown: list[tuple[int, str]] = []
        while world.at_step < self._last:
            try:
                with time("world"):
                    world.step()
            except Exception as error:
                return self._broken(error, world.points[passed:])
            self.meter.done["steps"] += 1
            if world.cut_short:
                return self._cut_short(world, passed, extra, rests, marked=marked)
            at = world.at_step
            if like is not None:
                if at == like.reached and not like.finished and not like.cut:
                    return Leg((), at, mark=_mark(world, passed))
                continue
            if at < reach or not world.quiet:
                continue
            with time("hashing"):
                key = world.state_key()
            if forking and at < self._last:
                return self._landing(world, at, key, faults, node, passed, marked=marked)
            if (end := self._ends.get((at, key))) is not None:
                self._met(world.points[passed:], world.fired, extra)
                self.meter.done["shared"] += 1
                if world.middle is not None:
                    rests[world.middle[1]] = end
                return Leg(world.points[passed:], at, end=end, mark=_mark(world, passed) if marked else ())
            unknown.append((at, key))
        try:
            with time("checker"):
                run = world.finish()
        except Exception as error:
            return self._broken(error, world.points[passed:])
        points = [seen for seen in world.points[passed:] if seen.step != HEALING]
        verdict = Verdict.of(run)
        self._ends.update((boundary, verdict) for boundary in unknown)
        if world.middle is not None:
            rests[world.middle[1]] = verdict
        if like is None:
            self._met(points, run.fired, extra)
        middle = _middle(world, passed) if forking else None
        return Leg(points, self._last, end=verdict, mark=(run.trace_hash, verdict), finished=True, middle=middle)

    def _broken(self, error: Exception, passed: Sequence[PointSeen]) -> Leg:
        """The world itself came to no end: that is how this schedule ends."""
        points = [seen for seen in passed if seen.step != HEALING]
        return Leg(points, self._last, end=Verdict.broken(error), mark=(str(error),), finished=True)

    def _cut_short(
        self, world: Playing, passed: int, extra: tuple[Fault, ...], rests: dict[str, Verdict], *, marked: bool
    ) -> Leg:
        assert world.middle is not None
        points = world.points[passed:]
        self._met(points, world.fired, extra)
        self.meter.done["shared"] += 1
        self.meter.done["cut"] += 1
        mark = _mark(world, passed) if marked else ()
        return Leg(points, world.at_step, end=rests[world.middle[1]], mark=mark, cut=True)

    def _landing(
        self, world: Playing, at: int, key: str, faults: tuple[Fault, ...], node: Node, passed: int, *, marked: bool
    ) -> Leg:
        points = world.points[passed:]
        snapshot = None
        if (at, key) not in self._futures:
            with self.meter.time("snapshot"):
                snapshot = world.snapshot()
        self._met(points, world.fired, faults[len(node.faults) :])
        there = Node(at, key, snapshot, faults, counted(points, node.counts))
        mark = _mark(world, passed) if marked else ()
        return Leg(points, at, node=there, mark=mark, middle=_middle(world, passed))

    def _met(self, points: Iterable[PointSeen], fired: Sequence[int], extra: tuple[Fault, ...]) -> None:
        self.meter.kinds.update(kind_of(seen.point) for seen in points)
        if not extra:
            return
        for fault, times in zip(extra, fired[-len(extra) :], strict=True):
            if times:
                self.meter.struck.add(fault.action)
            elif not is_window(fault):
                self.problems.append(Problem("did not fire", extra, fault.at))

    # ---- what is tried again

    def _is_sampled(self, one_in: int, node: Node, extra: tuple[Fault, ...]) -> bool:
        if one_in <= 1:
            return one_in == 1
        text = " ".join(f"{fault.at} {fault.action}" for fault in (*node.faults, *extra))
        return crc32(text.encode()) % one_in == 0

    def _verify(self, node: Node, samples: list[tuple[Fault, Verdict]], fault: Fault, counts: dict[str, int]) -> None:
        """Plays one shared schedule whole."""
        if not samples or not self._is_sampled(self._sampling.verify, node, (fault,)):
            return
        later, expected = samples[crc32(fault.at.encode()) % len(samples)]
        schedule = (fault, shifted(later, counts))
        self.meter.done["verified"] += 1
        verdict, _ = judged(self._stage, schedule)
        if verdict != expected:
            text = f"by an equal state {expected}, played whole {verdict}"
            self.problems.append(Problem("sharing", schedule, text))


def _mark(world: Playing, passed: int) -> tuple[object, ...]:
    return (world.trace_hash, len(world.points) - passed, world.fired)


def _middle(world: Playing, passed: int) -> tuple[int, str] | None:
    middle = world.middle
    return (middle[0] - passed, middle[1]) if middle is not None else None


def _after(points: Sequence[PointSeen], fault: Fault, step: int) -> list[PointSeen]:
    """The points that a fault's own run passed from it on."""
    if is_window(fault):
        return [seen for seen in points if seen.step >= step]
    return [*points[next((place + 1 for place, seen in enumerate(points) if seen.point == fault.at), len(points)) :]]
