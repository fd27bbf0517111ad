"""A terminal of a real run: each order a process of `terminal-sim`, its flash a folder, its line a TCP connection.

The process asks at its points (terminal_sim.asked) and waits for our word, so we are where a terminal of the world is:
before and after each step. Its line ends at a port of ours; what becomes of a frame behind it is the wires' business.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

from specs import codec
from specs.errors import FrameError, SpecError
from specs.framing import FrameReader
from specs.message import Message
from specs.operation import Operation
from terminal_sim.firmware import Firmware
from terminal_sim.flash import KILLED, DirFlash
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.real import stage as staging
from terminal_sim.lab.real.stage import Asker, Stage
from terminal_sim.lab.real.wires import RealWires
from terminal_sim.lab.real.words import result, words
from terminal_sim.lab.till import Ran
from terminal_sim.lab.world.agenda import Deadline
from terminal_sim.lab.world.record import Lane
from terminal_sim.lab.world.scene import Scene
from terminal_sim.lab.world.till import KEYED, POWER_OFF_S, PowerCut, Till
from terminal_sim.lab.world.wires import Refused
from terminal_sim.moves import Order
from terminal_sim.state import Memory, Slip
from terminal_sim.wire import Wire

GONE_S = 60.0
"""A process that says nothing for so long hangs."""
Run = Callable[[list[str], dict[str, str]], tuple[int, str, str]]
"""Arguments and environment of a process -> exit code, stdout, stderr."""


class RealTill(Till):
    """See the module. run: how a process is started. folder: of its flash; what stands there goes."""

    def __init__(
        self,
        stage: Stage,
        run: Run,
        folder: Path,
        *,
        scene: Scene,
        wires: RealWires,
        name: str,
        wire: Wire,
        memory: Memory,
        firmware: Firmware,
        start: datetime,
    ) -> None:
        self._stage, self._start_process, self.folder = stage, run, folder
        self._resets = wires.resets
        self._known: Memory | None = None
        super().__init__(scene, wires, name, wire, memory, firmware, start)
        stage.hears[name] = self._hears
        self._port = 0
        self._listener: socket.socket | None = None
        self._line: socket.socket | None = None
        self._frames = FrameReader(wire.dialect.frame)
        self._asker: Asker | None = None
        self._alive = self._waiting = self._sent = False
        self._due = -1.0

    # ---- its flash

    @property
    def flash(self) -> Memory:
        """What stands in the folder."""
        if self._known is None:
            self._known = DirFlash(self.folder).load()
        return self._known

    @flash.setter
    def flash(self, memory: Memory) -> None:
        """Put another one in its place."""
        DirFlash(self.folder).create(memory, over=True)
        self._known = memory

    # ---- its port

    def port(self) -> int:
        """Where it dials; the kernel refuses it while nobody listens."""
        if self._listener is None:
            self._listener = staging.listening(self._port)
            self._port = self._listener.getsockname()[1]
        return self._port

    def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def running(self) -> bool:
        """Whether its process is at work and does not wait for anything of ours."""
        return self._alive and not self._waiting

    # ---- orders

    def press(self, order: Order | None) -> None:
        """See Till: a process of its own."""
        assert self.on, self.name
        assert not self._busy, (self.name, order)
        self._stage.until(lambda: not self._alive, GONE_S, self.name)
        self._busy, self._spoke, self._sent = True, False, False
        self._alive, self._waiting = True, False
        arguments = words(order, self.folder)
        environment = {"CLOSEOUT_POINTS": self._stage.where(self.name)}

        def play() -> None:
            try:
                ran = Ran(tuple(arguments), *self._start_process(arguments, environment))
            except Exception as error:  # told by the thread that plays
                ran = Ran(tuple(arguments), -1, "", f"{type(error).__name__}: {error}")
            self._stage.ended(lambda: self._ended(ran))

        Thread(target=play, daemon=True).start()

    def _ended(self, ran: Ran) -> None:
        """The process is gone."""
        self._drain()
        self._asker = None
        self._alive = self._waiting = False
        self._known = None
        self._hang_up()
        if self._busy:  # else its power was cut, and that is told already
            if ran.code in (KILLED, -1):
                raise LabError(f"a terminal broke down: {ran}")
            self._over(result(ran, self.screen[-1] if self.screen else ""))

    def power_off(self, restart_s: float = -1.0) -> None:
        """See Till. The process is told with the answer to what it asked."""
        super().power_off(restart_s)
        self._hang_up()

    def meddle(self, memory: Memory) -> None:
        """See Till."""
        self.flash = memory

    # ---- what its process says

    def _hears(self, asker: Asker, said: dict[str, Any]) -> None:
        self._asker, self._known = asker, None
        self._waiting = False
        self._drain()
        if "wait" in said:
            self._waits_until(float(said["wait"]))
        elif "now" in said:
            asker.answer(self.time())
        elif "seconds" in said:
            asker.answer(self.scene.now)
        else:
            self._is_asked(asker, said)

    def _is_asked(self, asker: Asker, said: dict[str, Any]) -> None:
        try:
            answer, cut = self._told(said), None
        except PowerCut as error:
            answer, cut = "cut", error.restart_s
        asker.answer(answer)
        if cut is None and answer == "torn-write":
            cut = POWER_OFF_S
        if cut is not None:
            self.power_off(cut)
            self.cut(self.name)

    def _told(self, said: dict[str, Any]) -> str:
        if "at" in said:
            return self._at(str(said["at"]), str(said["when"]))
        if "store" in said:
            return self._writes(str(said["store"]))
        if "slip" in said:
            self.slips.append(Slip(str(said["slip"]), ()))
            self.scene.tell(Lane.SCREEN, self.name, f"slip {said['slip']}")
        elif "show" in said:
            self._show(str(said["show"]))
        return ""

    def _at(self, step: str, when: str) -> str:
        if (step, when) == ("send", "after"):
            self._await_frame()
        answer = self._power(step, when)
        if step == "print" and answer:
            self.scene.tell(Lane.SCREEN, self.name, "no paper", fault=True)
        if (step, when) == ("send", "before"):
            self._dials()
        return answer

    def _writes(self, step: str) -> str:
        """See Till._save; whether it was written is seen in the folder."""
        fault = self.scene.point(f"store/{self.tid}/{step}", self._facts())
        kind = fault.action if fault is not None else ""
        told = {"disk-full": "no room", "torn-write": "torn", "lost-write": "LOST"}.get(kind, "")
        self.scene.tell(Lane.FLASH, self.name, f"{step} {told}".rstrip(), fault=bool(kind))
        return kind

    # ---- its line

    def _dials(self) -> None:
        """Before a frame is sent: without a line the process will dial, and we say whether somebody is there."""
        self._sent = False
        if self.name in self.wires.present:
            return
        try:
            self.wires.open(self.name)
            self.port()
        except Refused:
            self._refuse()

    def _drain(self) -> None:
        """What has come in on its line so far."""
        if self._line is None and self._listener is not None:
            with contextlib.suppress(BlockingIOError):
                self._line, _ = self._listener.accept()
                self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._line.setblocking(False)
                self._frames = FrameReader(self.wire.dialect.frame)
        while self._line is not None:
            try:
                data = self._line.recv(staging.READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                self.wires.close(self.name)
                return
            self._says(data)

    def _says(self, data: bytes) -> None:
        try:
            payloads = self._frames.feed(data)
        except FrameError as error:
            raise LabError(f"{self.name} sends what is no frame: {error}") from None
        for payload in filter(None, payloads):
            self._sent = True
            self._passes(payload)

    def _passes(self, payload: bytes) -> None:
        dialect = self.wire.dialect
        message = codec.decode_payload(payload, dialect)
        operation = _operation(self.wire, message)
        self._spoke, self._heard = True, 0
        kind, amount = "", -1
        if operation is not None:
            kind, amount = operation.kind.value, -1 if operation.amount is None else operation.amount
            if operation.kind in KEYED:
                batch = operation.batch or self.flash.batch
                self.sent_as(self.name, operation.kind, operation.stan, batch)
        self._due = -1.0
        self._token += 1
        self.wires.from_till(self.name, self.wires.present[self.name], payload, message, kind, amount or -1)

    def _await_frame(self) -> None:
        """It has left the process, and is here in a moment."""
        limit = time.monotonic() + GONE_S
        while not self._sent and self._line is not None and time.monotonic() < limit:
            select.select([self._line], [], [], 0.5)
            self._drain()

    def _waits_until(self, deadline: float) -> None:
        self._waiting = True
        if self._due != deadline:
            self._due = deadline
            self._token += 1
            self.scene.agenda.put(deadline, Deadline(self.name, self._token))
        if self._line is None or self.name not in self.wires.present:  # ended before it began to listen
            self._hang_up()

    @property
    def _waits(self) -> bool:
        return self._busy and self._waiting

    def hear(self, line: int, data: bytes, *, late: bool) -> None:
        """See Till."""
        present = self.wires.present.get(self.name)
        if not self.on or present is None or (present != line and not late) or self._line is None:
            return
        with contextlib.suppress(OSError):
            self._line.setblocking(True)
            self._line.sendall(data)
            self._waiting = False  # it says again that it waits when this was not all
        with contextlib.suppress(OSError):
            self._line.setblocking(False)

    def line_ended(self, line: int) -> None:
        """See Till."""
        if self.on and self.wires.present.get(self.name) == line:
            self.wires.close(self.name)
            self._hang_up(broken=line in self._resets)
            self._waiting = False

    def deadline(self, token: int) -> None:
        """See Till: it hears that its time is over, and leaves the line itself."""
        if self.on and token == self._token and self._waits and self._asker is not None:
            self._waiting = False
            self._asker.answer("overdue")

    def _hang_up(self, *, broken: bool = False) -> None:
        if self._line is not None:
            staging.end(self._line, broken=broken)
            self._line = None

    def close(self) -> None:
        """The end of the run."""
        self._hang_up()
        self._refuse()


def _operation(wire: Wire, message: Message) -> Operation | None:
    try:
        read = wire.family.read_request(message, wire.dialect)
    except (SpecError, ValueError):
        return None
    return read if isinstance(read, Operation) else None
