"""The host of a real run: a process of its own over TCP, its clock moved through its API, its books read from disk.

It is given one thing after the other, and what it says to each is awaited before time goes on: it has said all when it
has answered, or when its writer was asked SYNCS times since and nothing came. Its crashes are real ones: `kill -9`, or
its own fault rule where the moment lies inside it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from datetime import time as time_of_day
from typing import Any

from host.checker.books import HostBooks
from host.store.store import open_reader
from specs import codec
from specs.errors import FrameError, SpecError
from specs.faults import Facts, Fault
from specs.faults.checking import params_of
from specs.framing import LENGTH_BYTES, FrameReader, frame
from specs.kinds import FINANCIAL, RESERVATIONS, Kind
from specs.operation import Operation
from terminal_sim.errors import NotConnected
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.real import stage as staging
from terminal_sim.lab.real.client import CALL_S, Client, Gone
from terminal_sim.lab.real.stage import Stage
from terminal_sim.lab.world.agenda import HostUp
from terminal_sim.lab.world.record import Lane
from terminal_sim.lab.world.scene import HostCrash, Scene
from terminal_sim.wire import Wire

SYNCS = 4
"""Turns of the host's writer: the request, the issuer's answer, the outcome, and one more."""
PATIENCE_S = 0.03
EARLY = timedelta(seconds=90)
"""A host takes seconds to start, and its clock runs meanwhile; it is set forward when it is up, never back."""
ALL_ROWS = 10**9
Speak = Callable[[int, bytes], bool]
Hang = Callable[[int, bool], None]


@dataclass(slots=True)
class _Line:
    """A connection to the host. asked: requests on it without an answer, oldest first; whole: their frames are."""

    socket: socket.socket
    wire: Wire
    said: FrameReader
    heard: FrameReader
    asked: list[Operation] = field(default_factory=list)
    broken: bool = False


class RealHost:
    """See the module. rules: fault rules of the issuer's link by their place in the schedule."""

    def __init__(
        self,
        scene: Scene,
        stage: Stage,
        process: HostProcess,
        wires: Mapping[str, Wire],
        start: datetime,
        cutoff: time_of_day | None,
        rules: Mapping[int, Mapping[str, Any]],
        *,
        speak: Speak,
        hang: Hang,
    ) -> None:
        self.scene, self._stage, self.process, self._wires = scene, stage, process, wires
        self.start, self.cutoff = start, cutoff
        self.skew_s = 0.0
        self.up = False
        self._speak, self._hang = speak, hang
        self._rules = {place: dict(rule) for place, rule in rules.items()}
        self._rule_ids: dict[int, str] = {}
        self._struck: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._lines: dict[int, _Line] = {}
        self._known: set[tuple[str, str, str]] = set()
        self._crash_rule = ""
        self._crash: Fault | None = None
        self._launch()
        self._come_up()

    # ---- the process

    def _launch(self) -> None:
        early = self.start + timedelta(seconds=self.scene.now + self.skew_s) - EARLY
        options = [*self.process.options]
        if "--clock" in options:
            del options[options.index("--clock") : options.index("--clock") + 2]
        self.process.options = (*options, "--clock", early.isoformat(timespec="seconds"))
        self.process.launch()

    def _come_up(self) -> None:
        self.process.await_ready()
        self._client = Client(self.process.api.base)
        self.up = True
        self._client.call("PUT", "/clock", {"running": False})
        self._pushed = self.now() - EARLY
        self.push()
        for place, rule in self._rules.items():
            self._set_rule(place, rule)
        self.settle()

    def die(self, restart_s: float) -> None:
        """kill -9; it is started again at once, and is there after its time."""
        self._count_rules()
        self.process.kill()
        self._is_gone(restart_s)

    def _is_gone(self, restart_s: float) -> None:
        self.up = False
        self._client.close()
        for line in list(self._lines):
            self._end(line, broken=True)
        self.scene.tell(Lane.HOST, "H", "the host process is gone", fault=True)
        self.scene.agenda.put(self.scene.now + restart_s, HostUp())
        self._launch()

    def come_up(self) -> None:
        """Started again."""
        if not self.up:
            self.scene.tell(Lane.HOST, "H", "the host starts again")
            self._come_up()

    def close(self) -> None:
        """The end of the run."""
        for line in list(self._lines.values()):
            self._stage.forget(line.socket)
            staging.end(line.socket)
        self._lines.clear()
        self._client.close()
        if self.process.running:
            self.process.kill()

    # ---- time

    def now(self) -> datetime:
        """What its clock shall show."""
        return self.start + timedelta(seconds=self.scene.now + self.skew_s)

    def push(self, most_s: float = 0.0) -> bool:
        """Its clock to the scene's time; False when it is less than so many seconds behind, or there already. One that
        is ahead waits for us."""
        now = self.now()
        if not self.up or (now - self._pushed).total_seconds() <= most_s:
            return False
        self._pushed = now
        with self._or_gone():
            self._client.call("PUT", "/clock", {"now": now.isoformat()})
        return True

    def settle(self, turns: int = SYNCS) -> None:
        """Let it do what is due, and say what there is to say."""
        for _ in range(turns):
            if not self.up:
                return
            with self._or_gone():
                self._client.call("POST", "/messages/prune", {"rows": ALL_ROWS})  # asks the writer, and drops nothing
            while self._stage.pump(0.0):
                pass

    def skew(self, seconds: float) -> None:
        """Somebody moves its clock forward."""
        self.skew_s += max(0.0, seconds)
        self.push()
        self.settle()

    @contextlib.contextmanager
    def _or_gone(self) -> Any:
        """A host that has ended by a rule of ours, inside a request, is a crash; any other end is a mistake."""
        try:
            yield
        except Gone as gone:
            if not self.up:
                return
            self._has_crashed(str(gone))

    def _has_crashed(self, why: str) -> None:
        crash, self._crash, self._crash_rule = self._crash, None, ""
        if crash is None:
            raise LabError(f"the host does not answer any more: {why}\n{self.process.log_tail()}")
        self.process.wait()
        point = self.scene.points[-1].point
        self.scene.tell(Lane.HOST, "H", f"crash {crash.at.rpartition('/')[2]}", fault=True, point=point)
        self._is_gone(float(params_of(crash)["seconds"]))

    # ---- lines

    def hear(self, line: int, unit: str, dialect: str, data: bytes) -> None:
        """Bytes arrive on a line; one that the host does not know is opened."""
        del unit
        if not self.up:
            return
        there = self._lines.get(line) or self._open(line, dialect)
        asked = self._asked(there, data)
        try:
            for operation in asked or []:
                self._before(operation)
        except HostCrash as crash:
            self.die(crash.restart_s)
            return
        self.push()
        there.asked += asked or []
        with contextlib.suppress(OSError):
            there.socket.sendall(data)
        if asked is None or asked:
            self._await(line)

    def _open(self, line: int, dialect: str) -> _Line:
        address, port = self._address(dialect)
        try:
            connection = socket.create_connection((address, port), CALL_S)
        except OSError as error:
            raise NotConnected(f"{address}:{port}: {error}") from None
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        form = self._wires[dialect].dialect.frame
        there = self._lines[line] = _Line(connection, self._wires[dialect], FrameReader(form), FrameReader(form))
        self._stage.watch(connection, lambda: self._readable(line))
        return there

    def _address(self, dialect: str) -> tuple[str, int]:
        return "127.0.0.1", self.process.listening.ports[dialect]

    @property
    def api(self) -> str:
        """Where its API is."""
        return self.process.api.base

    def _asked(self, there: _Line, data: bytes) -> list[Operation] | None:
        """The requests that are whole now; None when the frames cannot be told apart any more."""
        if there.broken:
            return None
        try:
            payloads = there.said.feed(data)
        except FrameError:
            there.broken = True
            return None
        found = []
        for payload in filter(None, payloads):
            try:
                message = codec.decode_payload(payload, there.wire.dialect)
                operation = there.wire.family.read_request(message, there.wire.dialect)
            except (SpecError, ValueError):
                return None
            if not isinstance(operation, Operation):
                return None
            found.append(operation)
        return found

    def _await(self, line: int) -> None:
        """Until it has answered what is asked on this line, or will not."""
        for _ in range(SYNCS):
            for _ in range(50):
                if not self.up or (there := self._lines.get(line)) is None or not (there.asked or there.broken):
                    return
                if not self._stage.pump(PATIENCE_S):
                    break
            self.settle(1)

    def _readable(self, line: int) -> None:
        there = self._lines.get(line)
        if there is None:
            return
        try:
            data = there.socket.recv(staging.READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._line_is_over(line)
            return
        form = there.wire.dialect.frame
        for payload in filter(None, there.heard.feed(data)):
            try:
                self._answers(line, there, frame(payload, form))
            except HostCrash as crash:
                self.die(crash.restart_s)
                return

    def _line_is_over(self, line: int) -> None:
        if self._crash is not None and self.process.ends_within(1.0):
            self._has_crashed("")
            return
        self._end(line, broken=False)

    def _end(self, line: int, *, broken: bool) -> None:
        there = self._lines.pop(line, None)
        if there is not None:
            self._stage.forget(there.socket)
            staging.end(there.socket)
            self._hang(line, broken)

    def line_ended(self, line: int, *, broken: bool) -> None:
        """The other end is gone."""
        there = self._lines.pop(line, None)
        if there is not None:
            self._stage.forget(there.socket)
            staging.end(there.socket, broken=broken)

    # ---- points

    def _crosses(self, step: str, when: str, facts: Facts) -> None:
        fault = self.scene.point(f"crash/H/{step}.{when}", facts)
        if fault is not None:
            point = self.scene.points[-1].point
            self.scene.tell(Lane.HOST, "H", f"crash {step}.{when}", fault=True, point=point)
            raise HostCrash(float(params_of(fault)["seconds"]))

    def _before(self, operation: Operation) -> None:
        """What a request passes on its way in; the commit that it will lead to is inside the host: its own rule."""
        facts = self._facts(operation)
        self._crosses("recv", "before", facts)
        self._crosses("recv", "after", facts)
        step = _step_of(operation)
        if not step or self._is_known(operation):
            return
        fault = self.scene.point(f"crash/H/{step}.before", facts)
        if fault is not None:
            match = {"tid": operation.tid, "stan": operation.stan}
            rule = {"action": "crash", "phase": "before-commit", "match": match}
            self._crash = fault
            self._crash_rule = str(self._client.call("POST", "/faults", rule)["id"])

    def _answers(self, line: int, there: _Line, data: bytes) -> None:
        """An answer is on its way out: what it answers is in the books."""
        operation = self._asked_by(there, data)
        if self._crash_rule:  # it was answered without the commit that was to end it
            self._client.call("DELETE", f"/faults/{self._crash_rule}")
            self._crash, self._crash_rule = None, ""
        facts = self._facts(operation)
        step = _step_of(operation) if operation is not None else ""
        if operation is not None and step and not self._is_known(operation, note=True):
            self._crosses(step, "after", facts)
        self._crosses("reply", "before", facts)
        self._speak(line, data)
        self._crosses("reply", "after", facts)

    def _asked_by(self, there: _Line, data: bytes) -> Operation | None:
        try:
            message = codec.decode_payload(data[LENGTH_BYTES[there.wire.dialect.frame.length] :], there.wire.dialect)
        except SpecError:
            return there.asked.pop(0) if there.asked else None
        stan = message.get(11) or ""
        found = next((operation for operation in there.asked if operation.stan == stan), None)
        if found is not None:
            there.asked.remove(found)
        return found

    def _is_known(self, operation: Operation, *, note: bool = False) -> bool:
        """Whether it was answered before: a repeat books nothing."""
        key = (operation.tid, operation.stan, operation.kind.value)
        known = key in self._known
        if note:
            self._known.add(key)
        return known

    def _facts(self, operation: Operation | None) -> Facts:
        if operation is None:
            return Facts(step=self.scene.step_id)
        amount = -1 if operation.amount is None else operation.amount
        return Facts(operation.tid, "", operation.kind.value, operation.stan, amount, "", self.scene.step_id)

    # ---- rules of the issuer's link

    def _set_rule(self, place: int, rule: Mapping[str, Any]) -> None:
        body = dict(rule)
        at, mark, nth = str(body["at"]).partition("#")
        if mark:
            left = int(nth) - self._seen.get(place, 0)
            if left < 1:
                return
            body["at"] = f"{at}#{left}"
        self._rule_ids[place] = str(self._client.call("POST", "/faults", body)["id"])

    def _count_rules(self) -> None:
        """How often they have struck, before the process that knows it is gone."""
        if not self._rule_ids or not self.up:
            return
        with self._or_gone():
            there = {str(item["id"]): item for item in self._client.call("GET", "/faults")["items"]}
            for place, rule_id in self._rule_ids.items():
                self._struck[place] = self._struck.get(place, 0) + int(there[rule_id]["fired"])
                self._seen[place] = self._seen.get(place, 0) + int(there[rule_id]["seen"])
        self._rule_ids.clear()

    def heal(self) -> Mapping[int, int]:
        """No more faults; how often each of its rules has struck, by the place in the schedule."""
        self._count_rules()
        self._rules.clear()
        if self.up:
            self._client.call("DELETE", "/faults")
        return self._struck

    # ---- what people do at it

    def close_batches(self, reason: str, tid: str = "") -> None:
        """The back office closes what is open, of one terminal or all."""
        for batch in self._client.call("GET", "/batches?limit=1000")["items"]:
            if batch["state"] in ("open", "disputed") and tid in ("", batch["tid"]):
                path, key = f"/batches/{batch['id']}/close", {"Idempotency-Key": f"{batch['id']}"}
                self._client.call("POST", path, {"user": "back office", "reason": reason}, key)
        self.settle()

    def cutoff_now(self) -> None:
        """No such thing over the API. See terminal_sim.lab.real.refusals."""
        raise LabError("--real: a host has no cutoff by hand")

    def reset_terminal(self, tid: str) -> None:
        """`POST /reset` of one terminal, its history kept."""
        self._client.call("POST", "/reset", {"scope": "terminal", "id": tid, "keep_history": True})
        self.settle()

    def tick(self) -> None:
        """Its deadlines are its own."""
        self.settle()

    def books(self) -> HostBooks:
        """All rows as of now, read from its store beside it."""
        self.settle()
        with contextlib.closing(open_reader(self.process.store)) as reader:
            return reader.load_books()


def _step_of(operation: Operation) -> str:
    """The step of the catalogue that it leads to, where a request alone tells it."""
    if operation.kind is Kind.REVERSAL:
        return "rev-commit"
    if operation.kind is Kind.UPLOAD:
        return "stage"
    return "commit" if operation.kind in _BOOKED else ""


_BOOKED = FINANCIAL | RESERVATIONS
