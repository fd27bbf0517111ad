"""The lines between terminals and host: frames on their way, and what faults make of them.

A frame takes LATENCY_S. What is held up finds its terminal again by a later line (agenda.ToTill.late); a line that is
deaf swallows everything both ways, as a half-open one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from specs import codec
from specs.dialect import Dialect
from specs.errors import SpecError
from specs.faults import Across, Behind, Effect, End, Facts, Passage, Put, With
from specs.faults.checking import effects as effects_of
from specs.framing import LENGTH_BYTES, frame
from specs.message import Message
from terminal_sim.lab.world.agenda import HostLineEnds, Loose, TillLineEnds, ToHost, ToTill
from terminal_sim.lab.world.record import Lane
from terminal_sim.lab.world.scene import Scene

LATENCY_S = 0.02
TO_HOST, TO_TILL = "T>H", "H>T"


class Refused(Exception):
    """No connection."""


@dataclass(frozen=True, slots=True)
class Held:
    """A frame that waits for others to overtake it."""

    unit: str
    direction: str
    line: int
    data: bytes = field(repr=False)
    left: int


@dataclass(frozen=True, slots=True)
class Glued:
    """A frame that waits for the next one of its direction."""

    unit: str
    direction: str
    line: int
    data: bytes = field(repr=False)
    token: int


@dataclass(frozen=True, slots=True)
class WireShot:
    """The wires at rest."""

    present: Mapping[str, int]
    held: tuple[Held, ...]
    glued: tuple[Glued, ...]
    deaf: frozenset[int]
    count: int


Reseal = Callable[[str, Message], bytes]
"""Unit and changed message -> payload with a right MAC."""


class Wires:
    """See the module. dialects, tids: by unit."""

    def __init__(self, scene: Scene, dialects: Mapping[str, Dialect], tids: Mapping[str, str], reseal: Reseal) -> None:
        self.scene = scene
        self.host_is_up: Callable[[], bool] = lambda: True
        self._dialects, self._tids, self._reseal = dialects, tids, reseal
        self.present: dict[str, int] = {}
        """Unit -> its line, while its own end is open."""
        self.unit_of: dict[int, str] = {}
        self._held: list[Held] = []
        self._glued: list[Glued] = []
        self._deaf: set[int] = set()
        self._under_way: dict[int, float] = {}
        """Line -> when the last byte that the terminal put on it arrives: its end comes behind it."""
        self._count = 0

    # ---- lines

    def open(self, unit: str) -> int:
        """A new line. Raises: Refused."""
        scene, tid = self.scene, self._tids[unit]
        if scene.plan.is_down(tid, scene.now):
            scene.tell(Lane.WIRE, unit, "the link is down", fault=True)
            raise Refused("the link is down")
        fault = scene.point(f"conn/{tid}", Facts(tid=tid, step=scene.step_id))
        if fault is not None:
            scene.tell(Lane.WIRE, unit, f"connection: {fault.action}", fault=True, point=f"conn/{tid}")
            if fault.action == "refuse":
                raise Refused("refused")
        if not self.host_is_up():
            scene.tell(Lane.WIRE, unit, "connection refused: the host is not there")
            raise Refused("connection refused")
        self._count += 1
        line = self._count
        self.present[unit], self.unit_of[line] = line, unit
        if fault is not None:
            if fault.action == "half-open":
                self._deaf.add(line)
            else:  # taken, and ended before the first byte is read
                self._deaf.add(line)
                scene.agenda.put(scene.now + 2 * LATENCY_S, TillLineEnds(unit, line))
        return line

    def close(self, unit: str, *, quietly: bool = False) -> None:
        """The terminal's end is closed. quietly: without a word to the host, as when its power is gone."""
        line = self.present.pop(unit, None)
        if line is not None and not quietly and line not in self._deaf:
            last = self._under_way.pop(line, 0.0)
            self.scene.agenda.put(max(self.scene.now, last) + LATENCY_S, HostLineEnds(line))

    def host_ends(self, line: int, broken: bool) -> None:
        """The host's end is closed."""
        unit = self.unit_of.get(line)
        if unit is not None and self.present.get(unit) == line and line not in self._deaf:
            self.scene.agenda.put(self.scene.now + LATENCY_S, TillLineEnds(unit, line))

    # ---- frames

    def from_till(self, unit: str, line: int, payload: bytes, message: Message, kind: str, amount: int) -> None:
        """A terminal's frame leaves."""
        data = frame(payload, self._dialects[unit].frame)
        tid = self._tids[unit]
        facts = Facts(tid, message.mti, kind, message.get(11) or "", amount, "", self.scene.step_id)
        self._pass(unit, TO_HOST, line, data, message, facts)

    def from_host(self, line: int, data: bytes) -> bool:
        """The host's frame leaves; False when nobody knows the line."""
        unit = self.unit_of.get(line)
        if unit is None:
            return False
        dialect = self._dialects[unit]
        try:
            message = codec.decode_payload(data[LENGTH_BYTES[dialect.frame.length] :], dialect)
        except SpecError:
            message = Message(mti="????")
        amount = int(message.get(4) or -1)
        facts = Facts(self._tids[unit], message.mti, "", message.get(11) or "", amount, "", self.scene.step_id)
        self._pass(unit, TO_TILL, line, data, message, facts)
        return True

    def _pass(self, unit: str, direction: str, line: int, data: bytes, message: Message, facts: Facts) -> None:
        scene = self.scene
        scene.messages += 1
        scene.heard((b">" if direction == TO_HOST else b"<") + data)
        tid = facts.tid
        way = f"{tid}>H" if direction == TO_HOST else f"H>{tid}"
        point = f"wire/{way}/{message.mti}"
        fault = scene.point(point, facts)
        text = f"{way} {message.mti} STAN {facts.stan}{_code(message)}"
        if line in self._deaf or scene.plan.is_down(tid, scene.now):
            scene.tell(Lane.WIRE, unit, f"{text} lost", fault=True, point=scene.points[-1].point)
            return
        effects: list[Effect] = [Put(data)]
        if fault is not None:
            passage = Passage(data, self._dialects[unit], message, lambda m: self._sealed(unit, m))
            effects = effects_of(fault, passage)
        action = f" ✗ {fault.action}" if fault is not None else ""
        scene.tell(Lane.WIRE, unit, text + action, fault=fault is not None, point=scene.points[-1].point)
        glued = self._take_glued(unit, direction)
        for effect in effects:
            if glued and isinstance(effect, Put):
                effect, glued = replace(effect, data=glued + effect.data), b""
            self._apply(effect, unit, direction, line)
        if glued:
            self._arrive(unit, direction, line, glued, 0.0)
        self._overtaken(unit, new=sum(isinstance(effect, Behind) for effect in effects))

    def _sealed(self, unit: str, message: Message) -> bytes:
        return frame(self._reseal(unit, message), self._dialects[unit].frame)

    def _apply(self, effect: Effect, unit: str, direction: str, line: int) -> None:
        scene = self.scene
        match effect:
            case Put(data, after):
                self._arrive(unit, direction, line, data, after)
            case End("half-open", _):
                self._deaf.add(line)
            case End(_, after):
                at = scene.now + LATENCY_S + after
                scene.agenda.put(at, HostLineEnds(line, broken=True))
                scene.agenda.put(at, TillLineEnds(unit, line))
            case Behind(data, frames):
                self._held.append(Held(unit, direction, line, data, frames))
            case With(data, most):
                self._count += 1
                self._glued.append(Glued(unit, direction, line, data, self._count))
                scene.agenda.put(scene.now + most, Loose(unit, direction, self._count))
            case Across(data, tid):
                other = next((name for name, its in self._tids.items() if tid in (its, name)), "")
                if other in self.present:
                    scene.agenda.put(scene.now + LATENCY_S, ToTill(other, self.present[other], data))

    def _arrive(self, unit: str, direction: str, line: int, data: bytes, after: float) -> None:
        at = self.scene.now + LATENCY_S + after
        if direction == TO_HOST:
            self._under_way[line] = max(at, self._under_way.get(line, 0.0))
            self.scene.agenda.put(at, ToHost(unit, line, data))
        else:
            self.scene.agenda.put(at, ToTill(unit, line, data, late=after > 0))

    def _take_glued(self, unit: str, direction: str) -> bytes:
        mine = [g for g in self._glued if (g.unit, g.direction) == (unit, direction)]
        self._glued = [g for g in self._glued if g not in mine]
        return b"".join(g.data for g in mine)

    def loose(self, errand: Loose) -> None:
        """Nobody came: it leaves alone."""
        for g in [g for g in self._glued if g.token == errand.token]:
            self._glued.remove(g)
            self._arrive(g.unit, g.direction, g.line, g.data, 0.001)

    def _overtaken(self, unit: str, new: int) -> None:
        """One more frame of this terminal has passed: what waits behind it comes nearer."""
        mine = [h for h in self._held if h.unit == unit]
        for held in mine[: len(mine) - new]:
            self._held.remove(held)
            if held.left > 1:
                self._held.append(replace(held, left=held.left - 1))
            else:
                self._arrive(held.unit, held.direction, held.line, held.data, 0.001)

    def release(self) -> None:
        """Everything that still waits arrives; lines hear again."""
        held, self._held = self._held, []
        for one in held:
            self._arrive(one.unit, one.direction, one.line, one.data, 0.001)
        self._deaf.clear()

    # ---- at rest

    def shot(self) -> WireShot:
        """Copy."""
        held, glued = tuple(self._held), tuple(self._glued)
        return WireShot(dict(self.present), held, glued, frozenset(self._deaf), self._count)

    def put_back(self, shot: WireShot) -> None:
        """Be what was copied."""
        self.present = dict(shot.present)
        self._held, self._glued = list(shot.held), list(shot.glued)
        self._deaf, self._count = set(shot.deaf), shot.count
        self._under_way.clear()


def _code(message: Message) -> str:
    code = message.get(39)
    return f" code {code}" if code else ""
