"""A scenario against a host that runs already (`--connect`, `--api`): its lines, its clock, its word on the books.

The process is not ours: it is not killed, and its settings are what they are. Where the scenario wants others, that is
said before anything is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as time_of_day
from typing import Any, cast

from host.checker.books import Finding, HostBooks
from specs import journal
from specs.dialect import Dialect
from specs.endpoint import Endpoint, parse
from specs.errors import SpecError
from specs.faults import Place
from specs.faults.model import HOST
from specs.faults.points import parse_point
from specs.journal import TerminalBook
from specs.profile import profile_of
from terminal_sim.errors import NotConnected
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.real import refusals, told
from terminal_sim.lab.real.client import Client, Gone
from terminal_sim.lab.real.host import RealHost
from terminal_sim.lab.real.refusals import of_the_host, refused
from terminal_sim.lab.real.world import RealWorld
from terminal_sim.lab.scenario.expecting import mismatches
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import world_of
from terminal_sim.wire import Wire

FROM_A_RUN = ("L1", "L2")
"""Invariants that are judged here whatever the host says: whether the terminals sell again."""


NOT_OURS = "the host is not ours; without --connect it can"


class AttachedHost(RealHost):
    """See the module. endpoint: where its listener is; base: of its API; tids: of the scenario's terminals."""

    def __init__(self, endpoint: Endpoint, base: str, tids: Sequence[str], *host: Any, **hooks: Any) -> None:
        self._endpoint, self._base, self._tids = endpoint, base, tids
        self._ran = True
        super().__init__(*host, **hooks)

    def _launch(self) -> None:
        """It runs."""

    def _come_up(self) -> None:
        self._client = Client(self._base)
        try:
            clock = self._client.call("GET", "/clock")
        except Gone as gone:
            raise NotConnected(f"--api {self._base}: {gone}") from None
        self._ran = bool(clock["running"])
        self.start = self._first_day(clock)
        known = {row["tid"] for row in told.listed(self._ask, "/terminals")}
        for tid in sorted(known & set(self._tids)):  # as after a re-flash: what it sent on other days stays there
            self._client.call("POST", "/reset", {"scope": "terminal", "id": tid, "keep_history": True})
        self._old = told.before(self._ask, self._tids)
        self.up = True
        self._client.call("PUT", "/clock", {"running": False})
        self._pushed = datetime.fromisoformat(clock["now"])
        self.push()
        for place, rule in self._rules.items():
            self._set_rule(place, rule)
        self.settle()

    def _first_day(self, clock: Mapping[str, Any]) -> datetime:
        """The scenario's start, or that time of the first day that is still to come: a clock never goes back."""
        now = datetime.fromisoformat(clock["now"])
        if now.utcoffset():
            raise refused(f"the host's clock ({now:%z})", 'scenarios are in UTC: start it with timezone = "UTC"')
        cutoff = (self.cutoff or time_of_day.min).isoformat("minutes")
        if clock["cutoff"] != cutoff:
            raise refused(f"the host's cutoff ({clock['cutoff']})", f"the scenario has {cutoff}")
        days = max(0, (now - self.start).days + (1 if (now - self.start) % timedelta(days=1) else 0))
        return self.start + timedelta(days=days)

    def _ask(self, path: str) -> Any:
        return self._client.call("GET", path)

    def _address(self, dialect: str) -> tuple[str, int]:
        return self._endpoint.address, self._endpoint.port

    @property
    def api(self) -> str:
        """Where its API is."""
        return self._base

    def books(self) -> HostBooks:
        """As far as its API tells them."""
        self.settle()
        return told.books(self._ask, self._tids, self._old)

    def hand_over(self, book: TerminalBook) -> None:
        """A terminal's journal, for its checker."""
        self._client.call("POST", f"/terminals/{book.tid}/journal", journal.dump(book))

    def findings(self) -> list[Finding]:
        """What its checker says, but for what is older than the run."""
        return [finding for finding in told.findings(self._ask) if told.about(finding, self._old)]

    def close(self) -> None:
        """Its lines; its clock runs again where it did, from where the scenario has left it."""
        for line in list(self._lines):
            self.line_ended(line, broken=False)
        if self.up:
            with contextlib.suppress(Gone):
                self.heal()
                self._client.call("PUT", "/clock", {"running": self._ran})
        self._client.close()

    def _has_crashed(self, why: str) -> None:
        raise NotConnected(f"--connect: the host does not answer any more: {why}")

    def _line_is_over(self, line: int) -> None:
        self._end(line, broken=False)


class AttachedWorld(RealWorld):
    """See the module. connect: the URL of a listener, as of `init`; api: of the same host's API. Raises: Unplayable
    also for what this host is not set up for, NotConnected when there is none."""

    def __init__(
        self, scenario: Scenario, variant: Variant | None = None, *, connect: str, api: str, **more: Any
    ) -> None:
        self._endpoint, self._base = parse(connect), api.rstrip("/")
        check(scenario, variant, self._endpoint.dialect)
        super().__init__(scenario, variant, **more)

    def _dialect(self, name: str) -> Dialect:
        assert name == self._endpoint.dialect.name
        return self._endpoint.dialect

    def _dialect_url(self, name: str) -> str:
        return self._endpoint.url.partition("://")[0]

    def _connect(self, dialect: str, port: int) -> str:
        _, mark, options = self._endpoint.url.partition("?")
        return f"{super()._connect(dialect, port)}{mark}{options}"

    def _host(self, urls: Mapping[str, str], wires: Mapping[str, Wire]) -> RealHost:
        cutoff = time_of_day.fromisoformat(self.spec.cutoff) if self.spec.cutoff else None
        tids = [terminal.tid for terminal in self.scenario.terminals]
        host = AttachedHost(
            *(self._endpoint, self._base, tids, self.scene, self._stage, cast(Any, None), wires, self.start, cutoff),
            of_the_host(self.faults),
            speak=self.wires.from_host,
            hang=self.wires.host_ends,
        )
        self.start = host.start
        self._stack.callback(host.close)
        return host

    def finish(self) -> Run:
        """See World. Of the invariants the host's own checker has the last word, with the terminals' journals."""
        run = super().finish()
        host = cast(AttachedHost, self.host)
        for book in run.terminals.values():
            host.hand_over(book)
        own = [finding for finding in run.findings if finding.invariant in FROM_A_RUN]
        run = replace(run, findings=(*host.findings(), *own))
        expect = self.variant.expect if self.variant is not None else self.scenario.expect
        return replace(run, mismatches=mismatches(run, expect))


def check(scenario: Scenario, variant: Variant | None, ours: Dialect) -> None:
    """As refusals.check, also for what a host that is not ours is not set up for, as far as it need not be asked.
    ours: of --connect. Raises: Unplayable."""
    refusals.check(scenario, variant, scenario.faults)
    for fault in scenario.faults:
        point = parse_point(fault.at)
        if point.place is Place.CRASH and point.who == HOST and fault.action != "nothing":
            raise refused(f"{fault.action} at {fault.at}", NOT_OURS)
    for step in scenario.steps:
        if step.do == "restart-host":
            raise refused(f"step {step.id}: restart-host", NOT_OURS)
    wanted = world_of(scenario, variant)
    for name in sorted({terminal.dialect or wanted.dialect for terminal in scenario.terminals}):
        if name != ours.name:
            raise refused(name, f"--connect speaks {ours.name}")
    for key, value in {"capture": wanted.profile, **wanted.switches}.items():
        if profile_of(ours.name, {**ours.profile, key: value}) != profile_of(ours.name, ours.profile):
            raise refused(f"{key} = {value}", "the dialect of --connect has it otherwise")


def checked(connect: str, api: str) -> None:
    """Raises: LabError when only one of the two is given, or cannot be read."""
    if not (connect and api):
        missing, given = ("--api", "--connect") if connect else ("--connect", "--api")
        raise LabError(f"{given}: needs {missing} too, the same host's; without both a host is started")
    try:
        endpoint = parse(connect)
    except SpecError as error:
        raise LabError(f"--connect: {error}") from None
    if endpoint.tls is not None:
        raise LabError("--connect: a TLS line cannot be looked into; give a plain listener")
    if not api.startswith("http://"):
        raise LabError(f"--api {api}: expected http://ADDR:PORT")
