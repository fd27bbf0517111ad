"""One turn of the machine: an event is being handled, actions are being collected.

The jobs (terminal_sim.jobs) are functions over a Turn. It is the only mutable thing in the machine, and it lives no
longer than one call of Terminal.handle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from specs.errors import SecurityError
from specs.message import Message
from specs.operation import Kind, Operation
from specs.security import WorkingKeys, pin_block
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.moves import Action, End, Job, Print, Result, Save, Send, Show
from terminal_sim.state import Memory, Slip
from terminal_sim.when import Moment, moment
from terminal_sim.wire import Wire


@dataclass(frozen=True, slots=True)
class Exchange:
    """The request whose answer is awaited. garbled: something arrived that could not be read."""

    operation: Operation
    request: Message
    garbled: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """What a power cut wipes out: the job at work, the open exchange, the jobs behind it, the result so far.

    spoken: whether anything of this order may have reached the host. heard: whether the host's last word was an answer.
    tended: whether what the host asked for by header digit 6 has been tried behind this order. late: what a firmware
    that stores too late has not stored yet, a step and its changes each.
    """

    job: Job | None = None
    exchange: Exchange | None = None
    queue: tuple[Job, ...] = ()
    result: Result | None = None
    spoken: bool = False
    heard: bool = False
    tended: bool = False
    late: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()


class Turn:
    """Memory and volatile state as they become, and the actions that make them so."""

    def __init__(self, wire: Wire, memory: Memory, running: Running, now: str, firmware: Firmware = REFERENCE) -> None:
        self.wire = wire
        self.memory = memory
        self.running = running
        self.now = now
        self.firmware = firmware
        self.actions: list[Action] = []

    # --- flash

    def save(self, step: str, memory: Memory | None = None, **changes: Any) -> None:
        """Make the changed memory durable under a step's name; nothing after it happens unless it is."""
        self.memory = replace(memory or self.memory, **changes)
        self.actions.append(Save(step, self.memory))

    def note(self, event: str, *, stan: str = "", code: str = "", detail: str = "") -> None:
        """Add an event to the memory; the next save takes it along."""
        self.memory = self.memory.noted(event, stan=stan, code=code, detail=detail, at=self.now)

    def take_stan(self) -> str:
        """The next STAN, on flash before anyone uses it (RT1). A cut right after burns the number: no harm."""
        late = [dict(changes)["stan"] for step, changes in self.running.late if step == "stan"]
        stan = self.next_stan(replace(self.memory, stan=late[-1]) if late else self.memory)
        self.store("stan", first=self.firmware.stan_first, stan=stan)
        return stan

    def next_stan(self, memory: Memory) -> str:
        """The number that this firmware takes behind the last one of a memory."""
        return memory.next_stan(self.firmware.stan_max, skips=self.firmware.skips_stans)

    def store(self, step: str, *, first: bool, **changes: Any) -> None:
        """Save what must be durable before the next message leaves. first False: only when the wait for its answer is
        over, as firmware does whose mark comes after the sending; until then a cut loses it."""
        if first:
            self.save(step, **changes)
        else:
            self.running = replace(self.running, late=(*self.running.late, (step, tuple(changes.items()))))

    def store_late(self) -> None:
        """Save what was put off."""
        if not self.running.late:
            return
        late, self.running = self.running.late, replace(self.running, late=())
        for step, changes in late:
            self.save(step, **dict(changes))

    # --- people

    def show(self, text: str) -> None:
        """Put a line on the screen, in its place among the actions."""
        self.actions.append(Show(text))

    def print(self, slip: Slip, *, must: bool = False) -> None:
        """Put a slip on paper; save what it says before. must: nothing goes on without the paper."""
        self.actions.append(Print(slip, must))

    # --- the line

    def keys(self) -> WorkingKeys | None:
        """Today's keys, None when there are none or the stored block does not fit the TMK."""
        try:
            return self.memory.keys()
        except SecurityError:
            return None

    @property
    def moment(self) -> Moment:
        """Now, as messages say it."""
        return moment(self.now)

    def pin_block(self, pin: str, pan: str) -> bytes | None:
        """DE 52 under today's PIK; None without a PIN. An order with a PIN and no key was refused before."""
        if not pin:
            return None
        keys = self.keys()
        assert keys is not None, "orders.refusal let a PIN pass without a key"
        return pin_block(pin, pan, keys.pik)

    def operation(self, kind: Kind, **parts: Any) -> Operation:
        """An operation of this terminal and its open batch, at this moment (which only some dialects say)."""
        config, at = self.memory.config, self.moment
        common = {"tid": config.tid, "mid": config.mid, "batch": self.memory.batch, "currency": config.currency}
        times = {"transmitted": at.transmitted, "local_date": at.local[:4], "local_time": at.local[4:]}
        return Operation(kind=kind, **(common | times | {"operator": self.memory.who} | parts))

    def send(
        self,
        job: Job,
        operation: Operation,
        request: Message | None = None,
        *,
        slow: bool = False,
        as_stored: bool = False,
    ) -> None:
        """Seal and send; the job waits for the answer. slow: the longer timeout of 0500 and 0320. as_stored: with the
        MAC that the request has."""
        message = request or self.wire.request(operation)
        message = message if as_stored else self.wire.sealed(message, self.keys())
        config = self.memory.config
        timeout = config.settle_timeout_s if slow else config.timeout_s
        self.running = replace(self.running, job=job, exchange=Exchange(operation, message))
        self.actions.append(Send(message, self.wire.payload(message), timeout))

    # --- the queue

    def then(self, *jobs: Job) -> None:
        """Put jobs in front of the queue."""
        self.running = replace(self.running, queue=(*jobs, *self.running.queue))

    def finish(self, result: Result | None = None) -> None:
        """This job is done; the next of the queue follows. None keeps the result of an earlier job."""
        kept = result is None or self._quiet
        self.running = replace(self.running, job=None, exchange=None, result=self.running.result if kept else result)

    def stop(self, result: Result) -> None:
        """This job is done, and what was queued behind it does not happen."""
        running = self.running
        kept = running.result if self._quiet else result
        self.running = Running(result=kept, heard=running.heard, tended=running.tended, late=running.late)

    @property
    def _quiet(self) -> bool:
        """Whether this job was put in by the terminal itself, behind an order that has its result already."""
        return bool(getattr(self.running.job, "quiet", False))

    def refuse(self, text: str) -> None:
        """The terminal itself says no."""
        self.show(text)
        self.stop(Result(End.REFUSED_LOCALLY, text))
