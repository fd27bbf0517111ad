"""What every party of a world shares: the time, the agenda, the plan of faults, and the record of what happened."""

from __future__ import annotations

from hashlib import sha256

from specs.faults import Facts, Fault
from specs.faults.plan import Plan
from terminal_sim.errors import TerminalError
from terminal_sim.lab.world.agenda import Agenda
from terminal_sim.lab.world.record import Happened, Lane, PointSeen

HEALING = -1


class HostCrash(BaseException):
    """The host process is gone. No handler of its own may catch it."""

    def __init__(self, restart_s: float) -> None:
        super().__init__(restart_s)
        self.restart_s = restart_s


class Endless(TerminalError):
    """A run that does not come to an end: its text says what it was doing."""


class Scene:
    """One run's surroundings. now: seconds since the world's start. step: the place of the step at work."""

    def __init__(self, plan: Plan) -> None:
        self.now = 0.0
        self.step = HEALING
        self.step_id = ""
        self.agenda = Agenda()
        self.plan = plan
        self.trace: list[Happened] = []
        self.points: list[PointSeen] = []
        self.messages = 0
        self.said = b""
        """Of every byte on every line so far: a chain of digests."""

    def tell(self, lane: Lane, who: str, text: str, *, fault: bool = False, point: str = "") -> None:
        """One more thing has happened."""
        self.trace.append(Happened(self.now, self.step, lane, who, text, point, fault))

    def heard(self, data: bytes) -> None:
        """Bytes were put on a line."""
        self.said = sha256(self.said + data).digest()

    def point(self, name: str, facts: Facts | None = None) -> Fault | None:
        """A point is passed: the fault that strikes there, if one does."""
        text, fault = self.plan.passed(name, facts or Facts(step=self.step_id), self.now)
        self.points.append(PointSeen(text, self.step))
        return fault

    def trace_hash(self) -> str:
        """Of all that happened, in its order, and of every byte."""
        lines = (f"{h.at:.3f}|{h.step}|{h.lane}|{h.who}|{h.text}|{h.point}|{h.fault}\n" for h in self.trace)
        return sha256("".join(lines).encode() + self.said).hexdigest()
