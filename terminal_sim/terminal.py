"""The terminal as a sans-IO machine: events in, actions out; no socket, no file, no clock.

`handle` takes Boot, Key, Received, Overdue and LinkLost and returns actions that the driver performs strictly in order:
Save (on flash before the next action), Show, Print, Send (always last: then an answer, the deadline or the end of the
link is awaited) or Done (always last: the order is finished). An empty list means: go on waiting, same deadline.

Everything that must outlive a power cut is in `memory`; `running` is what a cut wipes out. Both are immutable values,
so a copy of the machine is a copy of two references. To boot after a cut: a new Terminal over what the flash holds, and
Boot().
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim import orders
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.jobs import RULES, money, reversal
from terminal_sim.jobs.download import ASKED_BY
from terminal_sim.moves import (
    Action,
    Boot,
    Done,
    Download,
    End,
    Event,
    Job,
    Key,
    LinkLost,
    Order,
    Overdue,
    Received,
    Result,
    Reverse,
    SignOn,
)
from terminal_sim.state import Memory
from terminal_sim.turn import Running, Turn
from terminal_sim.wire import Answer, Failure, Misfit, Wire

JOBS_PER_TURN_MAX = 20
"""Jobs that may start one after another without a message between them; more is a mistake of ours."""


class Terminal:
    """One terminal. See the module. firmware: how it decides where terminals differ."""

    def __init__(
        self, wire: Wire, memory: Memory, running: Running | None = None, firmware: Firmware = REFERENCE
    ) -> None:
        self.wire = wire
        self.memory = memory
        self.running = running or Running()
        self.firmware = firmware

    def copy(self) -> Terminal:
        """Another machine in the same state."""
        return Terminal(self.wire, self.memory, self.running, self.firmware)

    def restart(self, memory: Memory) -> None:
        """Switched off and on again over what its flash holds; Boot comes next."""
        self.memory, self.running = memory, Running()

    def handle(self, event: Event, now: str = "") -> list[Action]:
        """What to do about an event. now: RFC 3339, for the event log only; no decision hangs on it."""
        turn = Turn(self.wire, self.memory, self.running, now, self.firmware)
        turn.store_late()
        match event:
            case Boot(order):
                _boot(turn, order)
            case Key(order):
                assert self.running.exchange is None, "one order at a time"
                turn.running = Running()
                _begin(turn, order)
            case Received(payload):
                _receive(turn, payload)
            case Overdue():
                garbled = self.running.exchange is not None and self.running.exchange.garbled
                _fail(turn, Failure.GARBLED if garbled else Failure.NO_ANSWER)
            case LinkLost(sent):
                _fail(turn, Failure.NO_ANSWER if sent else Failure.NOT_SENT)
        unasked = isinstance(event, Received) and self.running.exchange is None
        if not unasked:
            _go_on(turn)
        self.memory, self.running = turn.memory, turn.running
        return turn.actions


def _boot(turn: Turn, order: Order | None) -> None:
    """After a power cut nothing volatile is left; what is owed is on flash and goes first (RT3).

    Before it comes what the terminal finishes by itself: an approval stored and not booked (RT2, roll-forward).
    """
    turn.running = Running()
    if (kept := turn.memory.kept) is not None:
        turn.show(f"the approval of STAN {kept.row.stan} was stored when the power failed: it is booked now")
        money.finish(turn, kept)
    if order is not None:
        _begin(turn, order)
    else:
        turn.finish(Result(End.OK))
        turn.then(*orders.owed(turn.memory, turn.wire, None, turn.firmware))


def _begin(turn: Turn, order: Order) -> None:
    if why := orders.refusal(turn.memory, turn.wire, order, turn.firmware):
        turn.refuse(why)
        return
    turn.then(*orders.plan(turn.memory, turn.wire, order, turn.firmware))


def _receive(turn: Turn, payload: bytes) -> None:
    """RT5: only what fits the open request counts; all else is noted and ignored until the deadline."""
    running, exchange = turn.running, turn.running.exchange
    if exchange is None or running.job is None:
        turn.note("ignored-answer", detail="nothing was asked")
        return
    reading = turn.wire.read(exchange.request, payload, turn.keys(), turn.firmware.not_compared)
    match reading:
        case Misfit(why, stan, code):
            if turn.firmware.late_sells and isinstance(running.job, Reverse) and reversal.on_late(turn, payload):
                return
            turn.note("ignored-answer", stan=stan, code=code, detail=why)
        case Failure.GARBLED:
            turn.note("ignored-answer", detail="cannot be read")
            turn.running = replace(running, exchange=replace(exchange, garbled=True))
        case Failure():
            _fail(turn, reading)
        case Answer():
            turn.running = replace(running, spoken=True, heard=True)
            _note_request(turn, reading.outcome.request)
            RULES[type(running.job)].on_answer(turn, running.job, reading)


def _fail(turn: Turn, failure: Failure) -> None:
    job = turn.running.job
    assert job is not None, "a deadline or a lost link without a request"
    spoken = turn.running.spoken or failure is not Failure.NOT_SENT
    turn.running = replace(turn.running, spoken=spoken, heard=False)
    RULES[type(job)].on_failure(turn, job, failure)


def _go_on(turn: Turn) -> None:
    """Start the jobs of the queue until one waits for an answer or none is left."""
    for _ in range(JOBS_PER_TURN_MAX):
        if turn.running.exchange is not None:
            return
        if not turn.running.queue and not _tend(turn):
            break
        job, *rest = turn.running.queue
        turn.running = replace(turn.running, job=job, queue=tuple(rest))
        RULES[type(job)].start(turn, job)
    else:
        raise AssertionError("jobs follow one another without end")
    turn.store_late()
    turn.actions.append(Done(turn.running.result or Result(End.OK)))
    turn.running = Running()


# --- what the host asks for in the header (digit 6) -------------------------------------------------------------------

SIGN_ON_AGAIN = "3"


def _note_request(turn: Turn, digit: str) -> None:
    """Remember it until it is done; the next write takes it to flash, at the latest that of `_tend`."""
    if digit == SIGN_ON_AGAIN or digit in ASKED_BY:
        turn.memory = replace(turn.memory, download=digit)


def _tend(turn: Turn) -> bool:
    """Behind an order, once, and only while the host answers: do what it asked for. Whether there is anything to do."""
    running, digit = turn.running, turn.memory.download
    wanted: Job | None = SignOn(quiet=True) if digit == SIGN_ON_AGAIN else None
    if digit in ASKED_BY:
        wanted = Download(ASKED_BY[digit], quiet=True)
    if wanted is None or running.tended or not running.heard:
        return False
    # A cut before this write loses a wish of the host, and no money. After it: asked for again behind the next order.
    turn.save("key-store")
    turn.running = replace(running, tended=True, queue=(wanted,))
    return True
