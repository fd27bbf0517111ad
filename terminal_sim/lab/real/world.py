"""A scenario with real processes: a host over TCP, a `terminal-sim` for each order, and the people of the world.

    RealWorld(scenario).run() -> Run

The seconds are the scenario's: the host's clock is frozen and moved through its API, terminals ask for the time and are
told when theirs is over. Time goes on only while every process waits, so a slow machine plays the same run as a fast
one. Plan, people, wires, healing and verdict are those of terminal_sim.lab.world; what happens to a frame happens
between the terminal's connection and the host's.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, cast

from specs.dialect import Dialect
from specs.faults import Fault
from specs.faults.plan import Plan
from terminal_sim import hostquery
from terminal_sim.bugs import with_bugs
from terminal_sim.flash import DirFlash
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.real import refusals
from terminal_sim.lab.real.host import RealHost
from terminal_sim.lab.real.processes import Processes
from terminal_sim.lab.real.setup import config_lines, write_dialect
from terminal_sim.lab.real.stage import Stage
from terminal_sim.lab.real.till import GONE_S, RealTill
from terminal_sim.lab.real.wires import RealWires
from terminal_sim.lab.scenario.model import Scenario, TerminalSpec, Variant
from terminal_sim.lab.world.people import People
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import World, dialect_of, wire_of
from terminal_sim.state import Memory
from terminal_sim.wire import Wire

STRIDES = ((60.0, 10.0), (600.0, 60.0), (7_200.0, 900.0))
"""Up to so many seconds after the last message the host's clock moves in steps of so many; then by the hour."""
HOUR_S = 3_600.0
AT_ONCE_S = 0.5
"""The host is not told of times that pass as quickly as this; before each message it is."""
FRAME_S = 60
"""rules.md section 10. Of the machine's own seconds, which a scenario's are not: a slow frame is cut off in the world
only."""


class RealPlan(Plan):
    """A plan some of whose faults somebody else plays."""

    def strikes(self, times: Mapping[int, int]) -> None:
        """How often those have struck, by their place."""
        for place, count in times.items():
            self._fired[place] = count


class RealWorld(World):
    """See the module. processes: how terminals are started. Raises: Unplayable for what cannot be played with real
    processes, LabError for a process that breaks down."""

    def __init__(
        self,
        scenario: Scenario,
        variant: Variant | None = None,
        faults: Sequence[Fault] | None = None,
        *,
        processes: Processes,
    ) -> None:
        schedule = scenario.faults if faults is None else faults
        refusals.check(scenario, variant, schedule)
        self._processes = processes
        self._stack = contextlib.ExitStack()
        self._spoke_at = 0.0
        try:
            super().__init__(scenario, variant, faults)
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """End every process and take the folder away."""
        self._stack.close()

    def __enter__(self) -> RealWorld:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- putting it together

    def _make_parties(self) -> None:
        scene, spec = self.scene, self.spec
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="closeout-real-")))
        scene.plan = RealPlan(self.faults, [step.id for step in self.scenario.steps])
        names = sorted({t.dialect or spec.dialect for t in self.scenario.terminals})
        dialects = {name: self._dialect(name) for name in names}
        urls = {name: self._dialect_url(name) for name in names}
        wires = {name: wire_of(dialect) for name, dialect in dialects.items()}
        by_unit = {t.name: dialects[t.dialect or spec.dialect] for t in self.scenario.terminals}
        self._stage = Stage(self._processes.halt)
        self._stack.callback(self._stage.close)
        self.wires = RealWires(scene, by_unit, {t.name: t.tid for t in self.scenario.terminals}, self._resealed)
        real = self._host(urls, wires)
        self.host = cast(Any, real)
        self.wires.host_is_up = lambda: real.up
        self.tills = {t.name: self._real_till(t, urls, by_unit[t.name]) for t in self.scenario.terminals}
        self.people = People(scene, self.scenario, self.habits, self.tills, self._asked, self.start)
        for till in self.tills.values():
            till.finished, till.cut, till.sent_as = self.people.finished, self.people.cut, self.people.sent_as

    def _dialect(self, name: str) -> Dialect:
        return dialect_of(name, self.spec.profile, tuple(sorted(self.spec.switches.items())))

    def _connect(self, dialect: str, port: int) -> str:
        """What a terminal dials: always a port of ours."""
        return f"{dialect}://127.0.0.1:{port}"

    def _dialect_url(self, name: str) -> str:
        changes = dict(self.spec.switches)
        if dialect_of(name, self.spec.profile, ()) != dialect_of(name, "HC", ()):
            changes["capture"] = self.spec.profile
        return write_dialect(self._folder, dialect_of(name, "HC", ()), changes)

    def _host(self, urls: Mapping[str, str], wires: Mapping[str, Wire]) -> RealHost:
        spec = self.spec
        cutoff = time_of_day.fromisoformat(spec.cutoff) if spec.cutoff else None
        settings = {"timezone": "UTC", "cutoff": spec.cutoff or "00:00", "magic": False}
        settings["unknown_cards"] = spec.unknown_cards
        config = self._folder / "closeout.toml"
        lines = config_lines(settings, {"issuer_timeout_s": int(spec.issuer_timeout), "frame_s": FRAME_S})
        config.write_text("\n".join(lines) + "\n", "utf-8")
        options = ("--config", str(config), "--seed", str(spec.seed), "--log-level", "warning")
        process = self._processes.host(self._folder / "host", tuple(urls.values()), options)
        self._stack.callback(lambda: process.kill() if process.running else None)
        rules = refusals.of_the_host(self.faults)
        host = RealHost(
            *(self.scene, self._stage, process, wires, self.start, cutoff, rules),
            speak=self.wires.from_host,
            hang=self.wires.host_ends,
        )
        self._stack.callback(host.close)
        return host

    def _real_till(self, spec: TerminalSpec, urls: Mapping[str, str], dialect: Dialect) -> RealTill:
        bugs = self._bugs_of(spec)
        folder = self._folder / spec.name
        self._processes.init(spec.name, folder, self._init_words(spec, urls, bugs))
        memory = DirFlash(folder).load()
        till = RealTill(
            *(self._stage, self._processes.runner(spec.name), folder),
            scene=self.scene,
            wires=cast(RealWires, self.wires),
            name=spec.name,
            wire=wire_of(dialect),
            memory=memory,
            firmware=with_bugs(bugs),
            start=self.start,
        )
        self._stack.callback(till.close)
        config = replace(
            memory.config,
            connect=self._connect(urls[spec.dialect or self.spec.dialect], till.port()),
            timeout_s=self.spec.timeout,
            settle_timeout_s=self.spec.settle_timeout,
            **dict(spec.config),  # type: ignore[arg-type]
        )
        till.flash = replace(memory, config=config, stan=spec.stan, batch=spec.batch)
        return till

    def _bugs_of(self, spec: TerminalSpec) -> tuple[str, ...]:
        variant = self.variant
        if variant is not None and (not variant.units or spec.name in variant.units):
            return (*spec.bugs, *variant.bugs)
        return spec.bugs

    def _init_words(self, spec: TerminalSpec, urls: Mapping[str, str], bugs: Sequence[str]) -> list[str]:
        api = cast(RealHost, self.host).api
        said = ["--connect", self._connect(urls[spec.dialect or self.spec.dialect], 1), "--api", api]
        said += ["--tid", spec.tid, "--mid", spec.mid, "--profile", spec.firmware]
        return said + [word for bug in bugs for word in ("--bug", bug)]

    def _asked(self, memory: Memory, stan: str) -> hostquery.Reply:
        """`terminal-sim query`, over the host's API."""
        if self.scene.plan.is_down(memory.config.tid, self.scene.now):
            return hostquery.Reply(hostquery.Found.CANNOT_TELL, stan, why="no answer")
        wire = next(till.wire for till in self.tills.values() if till.tid == memory.config.tid)
        asked = hostquery.question(memory, stan)
        if asked is None:
            return hostquery.Reply(hostquery.Found.CANNOT_TELL, stan, why="nothing to ask for")
        return hostquery.ask(memory, wire, asked)

    # ---- time

    def _one(self, until: float) -> bool:
        """See World: the next errand, once every process has done what it can do now."""
        while True:
            if self._quiesce():
                return True
            at = self.scene.agenda.next_at
            if at is None or at > until:
                return False
            if not self._walk(at):
                break
        return super()._one(until)

    def _pass_time(self, until: float) -> None:
        """See World."""
        while True:
            super_now = self.scene.now
            while self._one(until):
                pass
            if not self._walk(until):
                break
            assert self.scene.now >= super_now
        self.scene.now = max(self.scene.now, until)
        cast(RealHost, self.host).push()

    def _walk(self, to: float) -> bool:
        """The time goes on to then, for the host too; True when something new is to be done before."""
        host, scene = cast(RealHost, self.host), self.scene
        while scene.now < to:
            self._stage.go_on()
            scene.now = min(to, scene.now + self._stride(), self._next_cutoff())
            messages = scene.messages
            if not host.push(AT_ONCE_S):
                continue
            host.settle(2)
            if scene.messages != messages:
                self._spoke_at = scene.now
            self._quiesce()
            at = scene.agenda.next_at
            if at is not None and at < to and at <= scene.now + 1.0:
                return True
        return False

    def _stride(self) -> float:
        if any(till.busy for till in self.tills.values()):
            return STRIDES[0][1]
        since = self.scene.now - self._spoke_at
        return next((step for limit, step in STRIDES if since < limit), HOUR_S)

    def _next_cutoff(self) -> float:
        now = self.start + timedelta(seconds=self.scene.now)
        cutoff = time_of_day.fromisoformat(self.spec.cutoff) if self.spec.cutoff else time_of_day.min
        turn = datetime.combine(now.date(), cutoff, UTC)
        while turn <= now:
            turn += timedelta(days=1)
        return (turn - self.start).total_seconds()

    def _quiesce(self) -> bool:
        """Until no terminal is at work; False when none was."""
        tills = [cast(RealTill, till) for till in self.tills.values()]
        if not any(till.running for till in tills):
            return False
        messages = self.scene.messages
        self._stage.until(lambda: not any(till.running for till in tills), GONE_S, "the terminals")
        if self.scene.messages != messages:
            self._spoke_at = self.scene.now
        return True

    # ---- the end

    def finish(self) -> Run:
        """See World."""
        plan = self.scene.plan
        assert isinstance(plan, RealPlan)
        plan.strikes(cast(RealHost, self.host).heal())
        return replace(super().finish(), trace_hash="")  # not every event of a host is seen from outside

    def snapshot(self) -> None:
        """Processes cannot be copied."""
        return

    def state_key(self) -> str:
        """Nor is their state known."""
        raise LabError("--real: processes have no state to be told")
