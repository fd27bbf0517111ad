"""One run of a scenario, from its first step to the healed end, in one thread and on a virtual clock.

    World(scenario).run() -> Run                       the same scenario gives the same run, byte for byte
    world.begin(); while world.step(): …               step by step; between two steps a quiet world can be copied
    shot = world.snapshot(); World.resume(shot, faults)

What it joins is real: codec, service, runner, engine, ledger on SQLite, the machine, its rules. What it makes itself is
time, lines, power and people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from typing import Any

from host.engine.context import Settings
from host.pan_hash import pan_hash
from host.rows import Batch, Txn
from specs.dialect import Dialect, load
from specs.faults import Fault
from specs.faults.checking import params_of
from specs.faults.plan import Plan, State
from terminal_sim import hostquery
from terminal_sim.bugs import with_bugs
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.scenario.model import HOST_DEEDS, Scenario, StepSpec, TerminalSpec, Variant, WorldSpec
from terminal_sim.lab.world import meddling
from terminal_sim.lab.world.agenda import (
    Again,
    Agenda,
    AutoSettle,
    Deadline,
    Errand,
    FrameOverdue,
    HostLineEnds,
    HostTick,
    HostUp,
    Idle,
    Loose,
    PowerOn,
    TillLineEnds,
    ToHost,
    ToTill,
)
from terminal_sim.lab.world.host_party import HostParty, HostShot
from terminal_sim.lab.world.minds import PeopleShot, Wanted
from terminal_sim.lab.world.people import People
from terminal_sim.lab.world.record import Happened, Lane, PointSeen, Run, StepEnd
from terminal_sim.lab.world.scene import HEALING, Endless, Scene
from terminal_sim.lab.world.till import Till, TillShot
from terminal_sim.lab.world.wires import Wires, WireShot
from terminal_sim.moves import Settle
from terminal_sim.state import Config, Memory
from terminal_sim.wire import Wire

ERRANDS_MAX = 20_000
"""Of one step: a whole upload of a full journal with every repeat is less."""
STEP_S_MAX = 4 * 86_400.0
"""No step takes longer than this; the people have given up long before."""


@dataclass(frozen=True)
class Snapshot:
    """A world at rest between two steps, as a value (but for the host's shell, which is used again)."""

    world: World
    at_step: int
    now: float
    agenda: tuple[tuple[float, int, Errand], ...]
    agenda_count: int
    plan: State
    trace: tuple[Happened, ...]
    points: tuple[PointSeen, ...]
    messages: int
    said: bytes
    host: HostShot
    tills: Mapping[str, TillShot]
    wires: WireShot
    people: PeopleShot
    skews: Mapping[str, float]
    copies: Mapping[tuple[str, str], Memory]


class World:
    """See the module. Raises: LabError for what a scenario asks and no world has, ConfigError for an unknown bug."""

    def __init__(
        self, scenario: Scenario, variant: Variant | None = None, faults: Sequence[Fault] | None = None
    ) -> None:
        self.scenario, self.variant = scenario, variant
        self.spec = world_of(scenario, variant)
        self.habits = _habits_of(scenario, variant)
        self.faults = tuple(scenario.faults if faults is None else faults)
        _check_faults(self.faults)
        self.start = datetime.fromisoformat(self.spec.start).replace(tzinfo=UTC)
        self.at_step = 0
        self._began = False
        self.scene = Scene(Plan(self.faults, [step.id for step in scenario.steps]))
        self.struck: tuple[int, ...] = ()
        self.copies: dict[tuple[str, str], Memory] = {}
        """Unit and step -> the flash at its beginning."""
        self._make_parties()

    # ---- putting it together

    def _make_parties(self) -> None:
        scene, spec = self.scene, self.spec
        names = {t.dialect or spec.dialect for t in self.scenario.terminals}
        dialects = {name: dialect_of(name, spec.profile, tuple(sorted(spec.switches.items()))) for name in names}
        by_unit = {t.name: dialects[t.dialect or spec.dialect] for t in self.scenario.terminals}
        self.wires = Wires(scene, by_unit, {t.name: t.tid for t in self.scenario.terminals}, self._resealed)
        self.host = HostParty(
            scene,
            dialects,
            self.start,
            time_of_day.fromisoformat(spec.cutoff) if spec.cutoff else None,
            Settings(magic=False, issuer_timeout_s=int(spec.issuer_timeout), unknown_cards=spec.unknown_cards),
            seed=spec.seed,
            bugs=(*spec.bugs, *(self.variant.host_bugs if self.variant else ())),
            speak=self.wires.from_host,
            hang=self.wires.host_ends,
        )
        self.wires.host_is_up = lambda: self.host.up
        self.tills = {t.name: self._till(t, by_unit[t.name]) for t in self.scenario.terminals}
        self.people = People(scene, self.scenario, self.habits, self.tills, self._asked, self.start)
        for till in self.tills.values():
            till.finished, till.cut, till.sent_as = self.people.finished, self.people.cut, self.people.sent_as

    def _till(self, spec: TerminalSpec, dialect: Dialect) -> Till:
        bugs = spec.bugs
        variant = self.variant
        if variant is not None and (not variant.units or spec.name in variant.units):
            bugs = (*bugs, *variant.bugs)
        config = Config(
            spec.tid,
            spec.mid,
            f"{dialect.name}://127.0.0.1:1",
            timeout_s=self.spec.timeout,
            settle_timeout_s=self.spec.settle_timeout,
            profile=spec.firmware,
            bugs=bugs,
            **dict(spec.config),  # type: ignore[arg-type]
        )
        memory = Memory(config, stan=spec.stan, batch=spec.batch)
        wire = wire_of(dialect)
        return Till(self.scene, self.wires, spec.name, wire, memory, with_bugs(bugs), self.start)

    def _resealed(self, unit: str, message: Any) -> bytes:
        return self.tills[unit].sealed(message)

    def _asked(self, memory: Memory, stan: str) -> hostquery.Reply:
        """What the host's API would say (GET /transactions), by TID, STAN and, where the wire carries it, batch."""
        if not self.host.up or self.scene.plan.is_down(memory.config.tid, self.scene.now):
            return hostquery.Reply(hostquery.Found.CANNOT_TELL, stan, why="no answer")
        rows = self.host.store.reader().select(Txn, {"tid": memory.config.tid, "stan": stan})
        question = hostquery.question(memory, stan)
        if question is not None and any(row.wire_batch for row in rows):
            rows = [row for row in rows if row.wire_batch == question.batch]
        if question is not None and question.amount is not None:
            rows = [row for row in rows if row.amount == question.amount]
        if not rows:
            return hostquery.Reply(hostquery.Found.NO, stan)
        newest = max(rows, key=lambda row: row.id)
        item = {"id": str(newest.id), "state": str(newest.state), "response_code": newest.response_code}
        return hostquery.Reply(hostquery.Found.YES, stan, item | {"amount": newest.amount})

    # ---- a run

    def run(self) -> Run:
        """From the first step to the verdict."""
        self.begin()
        while self.step():
            pass
        return self.finish()

    def begin(self) -> None:
        """Before the first step."""
        assert not self._began
        self._began = True
        for spec in self.scenario.terminals:
            if spec.auto_settle:
                self._auto_settle(spec.name, spec.auto_settle)

    def step(self) -> bool:
        """Play one step and what follows it until the next may begin. False when there was none left."""
        if self.at_step >= len(self.scenario.steps):
            return False
        scene, step = self.scene, self.scenario.steps[self.at_step]
        self._until_free(step)
        scene.step, scene.step_id = self.at_step, step.id
        scene.plan.step_began(step.id, scene.now)
        self._time_points()
        for name, till in self.tills.items():
            self.copies[name, step.id] = till.memory
        self._begin_step(step)
        self.at_step += 1
        self._until_next()
        return True

    def _begin_step(self, step: StepSpec) -> None:
        """Do it."""
        if step.do in HOST_DEEDS or step.do == "wait":
            self._at_the_host(step)
        elif step.do in meddling.DEEDS:
            meddling.DEEDS[step.do](self, step)
            self.people.ends.append(StepEnd(step.id, "done", at=self.scene.now))
        elif not self.tills[step.unit].on:
            self.people.ends.append(StepEnd(step.id, "power-off", at=self.scene.now))
        else:
            self.people.begin(self.at_step)

    def _at_the_host(self, step: StepSpec) -> None:
        scene = self.scene
        tid = self.tills[step.unit].tid if step.unit else str(step.args.get("tid", ""))
        scene.tell(Lane.OPERATOR, "H", f"{step.id}: {step.do}")
        match step.do:
            case "force-close":
                self.host.close_batches(str(step.args.get("reason", "back office")), tid)
            case "cutoff":
                self.host.cutoff_now()
            case "restart-host":
                self.host.die(float(step.args.get("seconds", 1.0)))
            case "reset-terminal":
                self.host.reset_terminal(tid)
            case _:
                self._pass_time(scene.now + float(step.args.get("seconds", 0.0)))
        self.people.ends.append(StepEnd(step.id, "done", at=scene.now))

    def _time_points(self) -> None:
        """Where faults of time strike: at the beginning of each step."""
        scene = self.scene
        for unit, till in self.tills.items():
            fault = scene.point(f"clock/{till.tid}")
            if fault is not None:
                till.skew_s += float(params_of(fault)["seconds"])
                scene.tell(Lane.FLASH, unit, f"the clock is off by {till.skew_s:g} s", fault=True)
        fault = scene.point("clock/H")
        if fault is not None:
            self.host.skew(float(params_of(fault)["seconds"]))
        fault = scene.point("cal/H")
        if fault is not None and fault.action == "cutoff-now":
            self.host.cutoff_now()

    # ---- time

    def _until_free(self, step: StepSpec) -> None:
        """To the step's time, and until whoever does it has nothing else to do."""
        if step.at > self.scene.now:
            self._pass_time(step.at)
        limit = self.scene.now + STEP_S_MAX
        count = 0
        while step.unit and not self._free(step.unit):
            self._one(limit)
            count += 1
            if count > ERRANDS_MAX:
                raise Endless(f"step {step.id}: {step.unit} is never free")

    def _free(self, unit: str) -> bool:
        till = self.tills[unit]
        if unit in self.people.tasks or till.busy:
            return False
        return till.on or not self._comes_on(unit)

    def _comes_on(self, unit: str) -> bool:
        return any(isinstance(e, PowerOn) and e.unit == unit for _, _, e in self.scene.agenda.listed())

    def _until_next(self) -> None:
        """Until the next step's time; without one, until everybody is done with what they do."""
        following = self.scenario.steps[self.at_step : self.at_step + 1]
        if following and following[0].at > self.scene.now:
            self._pass_time(following[0].at)
        limit = self.scene.now + STEP_S_MAX
        count = 0
        while not (following and following[0].at >= 0) and any(not self._free(unit) for unit in self.tills):
            self._one(limit)
            count += 1
            if count > ERRANDS_MAX:
                raise Endless(f"step {self.scene.step_id} does not end")
        if following and following[0].unit and following[0].at >= 0:
            self._until_free(following[0])

    def _pass_time(self, until: float) -> None:
        """Everything that is due by then, then it is then."""
        count = 0
        while self._one(until):
            count += 1
            if count > ERRANDS_MAX:
                raise Endless(f"step {self.scene.step_id} does not end")
        self.scene.now = max(self.scene.now, until)

    def _one(self, until: float) -> bool:
        """The next errand that is due by then; False when none is."""
        scene = self.scene
        at = scene.agenda.next_at
        if at is None or at > until:
            return False
        at, errand = scene.agenda.pop()
        scene.now = max(scene.now, at)
        self._run_errand(errand)
        return True

    def _run_errand(self, errand: Errand) -> None:
        match errand:
            case ToHost(unit, line, data):
                self.host.hear(line, unit, self.tills[unit].wire.dialect.name, data)
            case ToTill(unit, line, data, late):
                self.tills[unit].hear(line, data, late=late)
            case HostLineEnds(line, broken):
                self.host.line_ended(line, broken=broken)
            case TillLineEnds(unit, line):
                self.tills[unit].line_ended(line)
            case Deadline(unit, token):
                self.tills[unit].deadline(token)
            case Idle():
                self.people.idle(errand)
            case PowerOn(unit):
                self.tills[unit].power_on()
                self.people.power_on(unit)
            case Again():
                self.people.again(errand)
            case Loose():
                self.wires.loose(errand)
            case HostUp():
                self.host.come_up()
            case HostTick():
                self.host.tick()
            case FrameOverdue(line):
                self.host.frame_overdue(line)
            case AutoSettle(unit):
                self._settle_itself(unit)

    def _auto_settle(self, unit: str, at: str) -> None:
        """Every day at that time of the terminal's own clock."""
        clock = time_of_day.fromisoformat(at)
        first = datetime.combine(self.start.date(), clock, UTC)
        if first <= self.start:
            first += timedelta(days=1)
        self.scene.agenda.put((first - self.start).total_seconds(), AutoSettle(unit))

    def _settle_itself(self, unit: str) -> None:
        self.scene.agenda.put(self.scene.now + 86_400.0, AutoSettle(unit))
        till = self.tills[unit]
        if self.people.free(unit):
            self.scene.tell(Lane.SCREEN, unit, "settles by itself")
            till.press(Settle())

    # ---- the end

    def finish(self) -> Run:
        """Heal, look at the books, judge."""
        from terminal_sim.lab.world.ending import finish

        self.scene.step, self.scene.step_id = HEALING, ""
        return finish(self)

    # ---- forks

    @property
    def quiet(self) -> bool:
        """Whether it can be copied now."""
        busy = any(till.busy for till in self.tills.values()) or self.people.tasks
        return not busy and self.host.quiet

    def snapshot(self) -> Snapshot | None:
        """A copy of everything, None while something is at work. Taken between steps."""
        if not self.quiet:
            return None
        self._tidy()
        scene, people = self.scene, self.people
        return Snapshot(
            world=self,
            at_step=self.at_step,
            now=scene.now,
            agenda=scene.agenda.listed(),
            agenda_count=scene.agenda.count,
            plan=scene.plan.snapshot(),
            trace=tuple(scene.trace),
            points=tuple(scene.points),
            messages=scene.messages,
            said=scene.said,
            host=self.host.shot(),
            tills={name: till.shot() for name, till in self.tills.items()},
            wires=self.wires.shot(),
            people=PeopleShot(
                {w.name: (w.amount, w.delivered, tuple(w.attempts)) for w in people.wanted.values()},
                dict(people.stans),
                tuple(people.ends),
                people._token,
                dict(people.recovering),
                dict(people._idle),
                dict(people.forgetful),
            ),
            skews={name: till.skew_s for name, till in self.tills.items()},
            copies=dict(self.copies),
        )

    @classmethod
    def resume(cls, shot: Snapshot, faults: Sequence[Fault]) -> World:
        """The world of a snapshot once more, with a schedule whose first faults are those that it had. It takes over
        the parties of the world that was copied, so that one must not be used any more."""
        world = shot.world
        scene = world.scene
        world.faults = tuple(faults)
        scene.plan = Plan(world.faults)
        scene.plan.restore(shot.plan)
        scene.now, scene.messages, scene.said = shot.now, shot.messages, shot.said
        scene.agenda = Agenda(shot.agenda, shot.agenda_count)
        scene.trace, scene.points = list(shot.trace), list(shot.points)
        scene.step = shot.at_step - 1
        scene.step_id = world.scenario.steps[scene.step].id if scene.step >= 0 else ""
        world.at_step = shot.at_step
        world.copies = dict(shot.copies)
        world.host.put_back(shot.host)
        for name, till in world.tills.items():
            till.put_back(shot.tills[name])
            till.skew_s = shot.skews[name]
            till.finished, till.cut = world.people.finished, world.people.cut
        world.wires.put_back(shot.wires)
        people = world.people
        people.tasks.clear()
        people.alone = None
        people.wanted = {n: Wanted(n, a, d, list(t)) for n, (a, d, t) in shot.people.wanted.items()}
        people.stans, people.ends = dict(shot.people.stans), list(shot.people.ends)
        people._token = shot.people.token
        people.recovering, people._idle = dict(shot.people.recovering), dict(shot.people.idle)
        people.forgetful = dict(shot.people.forgetful)
        return world

    def _tidy(self) -> None:
        """Errands that mean nothing any more go, so that equal futures look equal."""

        def dead(errand: object) -> bool:
            match errand:
                case Deadline(unit, token):
                    return self.tills[unit].void(token)
                case Idle():
                    return self.people.stale(errand)
                case Again() | FrameOverdue():  # no frame is under way in a quiet world
                    return True
            return False

        self.scene.agenda.drop(dead)

    def state_key(self) -> str:
        """Of everything that decides the future: see terminal_sim.lab.world.key."""
        from terminal_sim.lab.world.key import state_key

        self._tidy()
        return state_key(self)

    @property
    def points(self) -> list[PointSeen]:
        """Passed so far, those of a snapshot's past too."""
        return self.scene.points

    @property
    def fired(self) -> tuple[int, ...]:
        """How often each fault has struck so far."""
        return self.scene.plan.fired

    @property
    def trace_hash(self) -> str:
        """Of all that has happened so far."""
        return self.scene.trace_hash()

    def hash_of(self, pan: str) -> str:
        """A card's keyed hash."""
        return pan_hash(self.host.store.pan_hash_key, pan)

    def open_batches(self) -> list[Batch]:
        """Of the host."""
        return [batch for batch in self.host.store.reader().select(Batch, {}) if not batch.closed_at]


# ---- what a scenario asks of the world


def world_of(scenario: Scenario, variant: Variant | None) -> WorldSpec:
    """The surroundings of a file, or of one of its variants. Raises: LabError for a key that no world has."""
    changes = dict(variant.world) if variant is not None else {}
    try:
        spec = replace(scenario.world, **changes)  # type: ignore[arg-type]
    except TypeError as error:
        raise LabError(f"variant {variant.name if variant else ''}: world: {error}") from None
    date.fromisoformat(spec.start[:10])
    return spec


def _check_faults(faults: Sequence[Fault]) -> None:
    for nth, fault in enumerate(faults, start=1):
        if fault.action == "prompt":
            line = f" (line {fault.line})" if fault.line else ""
            raise LabError(
                f"faults[{nth}]{line}: prompt is for real hardware: a rule of the host (POST /api/v1/faults)"
            )


def _habits_of(scenario: Scenario, variant: Variant | None) -> Any:
    return replace(scenario.operator, **(dict(variant.operator) if variant is not None else {}))  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def dialect_of(name: str, capture: str, switches: tuple[tuple[str, Any], ...]) -> Dialect:
    """A built-in dialect under a capture profile and other switches."""
    dialect = load(name)
    return replace(dialect, profile={**dialect.profile, "capture": capture, **dict(switches)})


@lru_cache(maxsize=64)
def wire_of(dialect: Dialect) -> Wire:
    """One wire for all terminals of a dialect."""
    return Wire.of(dialect)
