"""A terminal of a world: the machine as it is, its flash, its power, its end of the line. Driven by errands.

The order of what happens around an action is that of terminal_sim.driver, so that points have the same numbers here and
on a real terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from specs.errors import FrameError
from specs.faults import Facts
from specs.faults.checking import params_of
from specs.message import Message
from specs.operation import Kind
from terminal_sim.driver import ANSWERS_MAX
from terminal_sim.errors import PaperOut
from terminal_sim.firmware import Firmware
from terminal_sim.jobs.money import UNKNOWN
from terminal_sim.lab.world.agenda import Deadline, PowerOn
from terminal_sim.lab.world.record import Lane
from terminal_sim.lab.world.scene import Scene
from terminal_sim.lab.world.wires import Refused, Wires
from terminal_sim.moves import (
    Boot,
    Done,
    End,
    Event,
    Key,
    LinkLost,
    Order,
    Overdue,
    Print,
    Received,
    Result,
    Save,
    Send,
    Show,
)
from terminal_sim.reads import Reader, reader
from terminal_sim.state import Memory, Slip
from terminal_sim.terminal import Terminal
from terminal_sim.turn import Running
from terminal_sim.wire import Wire

POWER_OFF_S = 5.0
KEYED = frozenset(
    {Kind.SALE, Kind.CASH_BACK, Kind.VOID, Kind.REFUND, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.COMPLETION_VOID}
    | {Kind.OFFLINE_SALE, Kind.ADJUST, Kind.TIP}
)


class PowerCut(Exception):
    """The power is gone. restart_s: until somebody switches it on; negative = only the healing does."""

    def __init__(self, restart_s: float) -> None:
        super().__init__(restart_s)
        self.restart_s = restart_s


class FlashRefuses(Exception):
    """The flash takes no write."""


@dataclass(frozen=True, slots=True)
class TillShot:
    """A terminal at rest."""

    flash: Memory
    memory: Memory | None
    running: Running
    token: int
    on: bool
    screen: tuple[str, ...]
    slips: tuple[Slip, ...]
    buffer: bytes
    """What its last line has left in it."""


Finished = Callable[[str, Result], None]
"""Unit and result."""
Cut = Callable[[str], None]


class Till:
    """See the module. finished, cut: told when an order is over, and when the power failed."""

    def __init__(
        self, scene: Scene, wires: Wires, name: str, wire: Wire, memory: Memory, firmware: Firmware, start: datetime
    ) -> None:
        self.scene, self.wires, self.name, self.wire = scene, wires, name, wire
        self.firmware = firmware
        self.flash = memory
        self.tid = memory.config.tid
        self.skew_s = 0.0
        self.finished: Finished = lambda _unit, _result: None
        self.cut: Cut = lambda _unit: None
        self.sent_as: Callable[[str, Kind, str, str], None] = lambda _unit, _kind, _stan, _batch: None
        self.screen: list[str] = []
        self.slips: list[Slip] = []
        self.on = True
        self._start = start
        self._machine: Terminal | None = None
        self._reader: Reader = reader(wire.dialect.frame, firmware)
        self._token = 0
        self._heard = 0
        self._spoke = False
        self._busy = False

    @property
    def memory(self) -> Memory:
        """What it knows: of a living machine what it has in mind, which a flash that lies may not hold."""
        return self._machine.memory if self._machine is not None else self.flash

    @property
    def busy(self) -> bool:
        """Whether an order is at work."""
        return self._busy

    # ---- orders

    def press(self, order: Order | None) -> None:
        """An order on the living machine, or the boot of a new one over the flash; None: only what is owed."""
        assert self.on, self.name
        assert not self._busy, (self.name, order)
        self._busy, self._spoke = True, False
        if self._machine is not None and order is not None:
            self.feed(Key(order))
            return
        self._machine = self._machine or Terminal(self.wire, self.flash, firmware=self.firmware)
        self.feed(Boot(order))

    def power_off(self, restart_s: float = -1.0) -> None:
        """Nothing volatile is left; the host is told nothing."""
        self.on = self._busy = False
        self._forget()
        self._token += 1
        self.wires.close(self.name, quietly=True)
        self.scene.tell(Lane.FLASH, self.name, "power off", fault=True)
        if restart_s >= 0:
            self.scene.agenda.put(self.scene.now + restart_s, PowerOn(self.name))

    def power_on(self) -> None:
        """Switched on; who wants something of it boots it."""
        if not self.on:
            self.on = True
            self.scene.tell(Lane.FLASH, self.name, "power on")

    def meddle(self, memory: Memory) -> None:
        """Somebody changes the flash by hand; the machine starts from it again."""
        self.flash = memory
        self._forget()

    def _forget(self) -> None:
        """Nothing volatile is left: neither what the machine has in mind nor what its line has in its buffer."""
        self._machine = None
        self._reader = reader(self.wire.dialect.frame, self.firmware)

    # ---- events

    def feed(self, event: Event) -> None:
        """Let the machine act on an event, and on what its actions bring, until it waits or is done."""
        try:
            self._feed(event)
        except PowerCut as cut:
            self.power_off(cut.restart_s)
            self.cut(self.name)
        except PaperOut as error:  # it hangs there, and whoever finds it switches it off and on
            text = f"the terminal stops: {error}"
            self._show(text)
            self._forget()
            self._over(Result(End.PENDING, text))
        except FlashRefuses as error:
            text = f"the terminal stops: {error}" + (f": {UNKNOWN}" if self._spoke else "")  # RT10
            self._show(text)
            self._forget()  # what it believes beyond its flash is gone with it
            self._over(Result(End.UNKNOWN if self._spoke else End.NOT_SENT, text))

    def _feed(self, event: Event) -> None:
        pending: Event | None = event
        while pending is not None:
            machine = self._machine
            assert machine is not None
            pending, waits = self._perform(machine, pending)
            if pending is None and waits:
                self._power("recv", "before")
                if self._heard >= ANSWERS_MAX:
                    self.wires.close(self.name)
                    pending = LinkLost(sent=True)

    def _perform(self, machine: Terminal, event: Event) -> tuple[Event | None, bool]:
        """What a failed send has brought; and whether an answer is awaited."""
        for action in machine.handle(event, self.time()):
            match action:
                case Save(step, memory):
                    self._save(step, memory)
                case Show(text):
                    self._show(text)
                case Print(slip, must):
                    self._print(slip, must=must)
                case Send():
                    return self._send(action), True
                case Done(result):
                    self._over(result)
                    return None, False
        return None, True

    def _save(self, step: str, memory: Memory) -> None:
        self._power(step, "before")
        fault = self.scene.point(f"store/{self.tid}/{step}", self._facts())
        kind = fault.action if fault is not None else ""
        if kind == "disk-full":
            self.scene.tell(Lane.FLASH, self.name, f"{step}: no room", fault=True)
            if self.firmware.heeds_flash:
                raise FlashRefuses(f"flash: no room for {step}")
            self._power(step, "after")
            return
        if (
            kind == "torn-write"
        ):  # the file is written beside and renamed: a torn one leaves the old, and the power is gone
            self.scene.tell(Lane.FLASH, self.name, f"{step}: torn", fault=True)
            raise PowerCut(POWER_OFF_S)
        if kind != "lost-write":
            self.flash = memory
        self.scene.tell(Lane.FLASH, self.name, f"{step}{' LOST' if kind else ''}", fault=bool(kind))
        self._power(step, "after")

    def _show(self, text: str) -> None:
        self.screen.append(text)
        self.scene.tell(Lane.SCREEN, self.name, text)

    def _print(self, slip: Slip, *, must: bool) -> None:
        """Raises: PaperOut when the firmware waits for the paper and there is none."""
        if self._power("print", "before") == "paper-out":
            self.scene.tell(Lane.SCREEN, self.name, f"no paper for {slip.title}", fault=True)
            if must:
                raise PaperOut
            self._show(f"no paper for {slip.title}: print the slip again later")
        else:
            self.slips.append(slip)
            self.scene.tell(Lane.SCREEN, self.name, f"slip {slip.title}")
        self._power("print", "after")

    def print_again(self, slip: Slip) -> None:
        """A slip at the desk; what it says is told, so that its mark can be looked for."""
        self.slips.append(slip)
        self.screen.append(slip.copies[0])
        self.scene.tell(Lane.SCREEN, self.name, f"slip {slip.title} again: {slip.copies[0].splitlines()[0].strip()}")

    def _send(self, action: Send) -> Event | None:
        self._power("send", "before")
        machine = self._machine
        assert machine is not None
        try:
            line = self.wires.present.get(self.name) or self._dial()
        except Refused as error:
            self._show(f"no connection: {error}")
            return LinkLost(sent=False)
        self._spoke, self._heard = True, 0
        exchange = machine.running.exchange
        assert exchange is not None
        operation = exchange.operation
        if operation.kind in KEYED:
            self.sent_as(self.name, operation.kind, operation.stan, operation.batch or self.memory.batch)
        self.wires.from_till(
            self.name, line, action.payload, action.message, operation.kind.value, operation.amount or -1
        )
        self._token += 1
        self.scene.agenda.put(self.scene.now + action.timeout_s, Deadline(self.name, self._token))
        self._power("send", "after")
        return None

    def _dial(self) -> int:
        self._reader = reader(self.wire.dialect.frame, self.firmware, self._reader.kept)
        return self.wires.open(self.name)

    # ---- what the line and the clock bring

    def hear(self, line: int, data: bytes, *, late: bool) -> None:
        """Bytes arrive."""
        present = self.wires.present.get(self.name)
        if not self.on or present is None or (present != line and not late):
            return
        try:
            payloads = self._reader.feed(data)
        except FrameError:
            self.line_ended(present)
            return
        for payload in payloads:
            if payload and self._busy and self.wires.present.get(self.name) == present:
                self._heard += 1
                self.feed_received(payload)

    def feed_received(self, payload: bytes) -> None:
        """A whole payload, at the point `recv.after`."""
        try:
            self._power("recv", "after")
        except PowerCut as cut:
            self.power_off(cut.restart_s)
            self.cut(self.name)
            return
        self.feed(Received(payload))

    def line_ended(self, line: int) -> None:
        """The line is gone; who waits for an answer hears it."""
        if self.on and self.wires.present.get(self.name) == line:
            self.wires.close(self.name)
            for payload in self._reader.ended() if self._waits else ():
                self.feed_received(payload)
            if self._waits and self.name not in self.wires.present:  # else it asks already on another
                self._token += 1
                self.feed(LinkLost(sent=True))

    def deadline(self, token: int) -> None:
        """The answer is overdue."""
        if self.on and token == self._token and self._waits:
            self.wires.close(self.name)
            self.feed(Overdue())

    @property
    def _waits(self) -> bool:
        return self._busy and self._machine is not None and self._machine.running.exchange is not None

    def void(self, token: int) -> bool:
        """Whether a deadline of this token means nothing any more."""
        return token != self._token or not self._waits

    # ---- the rest

    def _over(self, result: Result) -> None:
        self._busy = False
        self._token += 1
        self.wires.close(self.name)
        self.finished(self.name, result)

    def _power(self, step: str, when: str) -> str:
        """A point of the power; "" or the action that the caller sees to. Raises: PowerCut."""
        name = f"crash/{self.tid}/{step}.{when}"
        fault = self.scene.point(name, self._facts())
        if fault is None:
            return ""
        if fault.action == "paper-out":
            return fault.action
        self.scene.tell(
            Lane.FLASH, self.name, f"power cut {when} {step}", fault=True, point=self.scene.points[-1].point
        )
        raise PowerCut(float(params_of(fault)["seconds"]))

    def _facts(self) -> Facts:
        return Facts(tid=self.tid, step=self.scene.step_id)

    def time(self) -> str:
        """The terminal's own time, RFC 3339."""
        return (self._start + timedelta(seconds=self.scene.now + self.skew_s)).isoformat()

    def sealed(self, message: Message) -> bytes:
        """A changed answer under today's key."""
        return self.wire.payload(self.wire.sealed(message, self.memory.keys()))

    # ---- at rest

    def shot(self) -> TillShot:
        """Copy; only while no order is at work."""
        machine = self._machine
        return TillShot(
            flash=self.flash,
            memory=machine.memory if machine is not None else None,
            running=machine.running if machine is not None else Running(),
            token=self._token,
            on=self.on,
            screen=tuple(self.screen),
            slips=tuple(self.slips),
            buffer=self._reader.kept,
        )

    def put_back(self, shot: TillShot) -> None:
        """Be what was copied."""
        self.flash, self.on, self._token = shot.flash, shot.on, shot.token
        self._machine = None
        if shot.memory is not None:
            self._machine = Terminal(self.wire, shot.memory, shot.running, firmware=self.firmware)
        self.screen, self.slips = list(shot.screen), list(shot.slips)
        self._busy = False
        self._reader = reader(self.wire.dialect.frame, self.firmware, shot.buffer)


def with_config(memory: Memory, **changes: object) -> Memory:
    """The same flash with other settings."""
    return replace(memory, config=replace(memory.config, **changes))  # type: ignore[arg-type]
