"""A terminal on a bench: machine, memory flash and scripted host in one thread, with power that can be cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specs.dialect import load
from specs.operation import FINANCIAL, Card, Entry
from terminal_sim.bugs import with_bugs
from terminal_sim.driver import Driver
from terminal_sim.errors import PowerCut
from terminal_sim.flash import CutPower, MemoryFlash, SteadyPower
from terminal_sim.moves import Boot, End, Event, Key, Order, Result, SignOn
from terminal_sim.state import Config, Memory, Slip
from terminal_sim.terminal import Terminal
from terminal_sim.wire import Wire
from tests.support.scripted_host import ScriptedHost, ScriptedLine

CARD = Card("6223164991230014", "3012", "6223164991230014D30122010000000000", entry=Entry.SWIPE)
FOREIGN = Card("4111111111111111", "3012", "4111111111111111D30122010000000000", entry=Entry.SWIPE)


class FixedClock:
    """Time that stands still."""

    def now(self) -> str:
        return "2026-11-21T09:30:15+08:00"

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Screen:
    """What people saw."""

    lines: list[str] = field(default_factory=list)
    slips: list[Slip] = field(default_factory=list)

    def show(self, text: str) -> None:
        self.lines.append(text)

    def print(self, slip: Slip) -> None:
        self.slips.append(slip)


class Till:
    """See the module. `press` keeps one machine alive; `power_up` boots a new one from the flash."""

    def __init__(self, dialect: str = "cup", **config_: Any) -> None:
        self.wire = Wire.of(load(dialect))
        config = Config("12345678", "123456789012345", f"{dialect}://127.0.0.1:1", **config_)
        self.flash = MemoryFlash(Memory(config))
        self.host = ScriptedHost(load(dialect))
        self.line = ScriptedLine(self.host)
        self.screen = Screen()
        self._boot()

    def _boot(self) -> None:
        memory = self.flash.load()
        terminal = Terminal(self.wire, memory, firmware=with_bugs(memory.config.bugs))
        self.driver = Driver(terminal, self.flash, self.line, FixedClock(), self.screen)

    @property
    def memory(self) -> Memory:
        """What is on flash."""
        return self.flash.load()

    def press(self, order: Order) -> Result:
        """One order on the living machine."""
        return self.driver.run(Key(order))

    def power_up(self, order: Order | None = None) -> Result:
        """Power is back: a new machine over the flash."""
        self.flash.power = SteadyPower()
        self.line.close()
        self._boot()
        return self.driver.run(Boot(order))

    def power_up_and_cut(self, order: Order, step: str, when: str) -> bool:
        """Power is back and fails again at a step; whether it did."""
        self.line.close()
        self._boot()
        return self._cut(Boot(order), step, when, 1)

    def press_and_cut(self, order: Order, step: str, when: str, nth: int = 1) -> bool:
        """The order with the power failing at a step; whether it did fail there."""
        return self._cut(Key(order), step, when, nth)

    def _cut(self, event: Event, step: str, when: str, nth: int) -> bool:
        self.flash.power = CutPower(step, when, nth)
        try:
            self.driver.run(event)
        except PowerCut:
            return True
        finally:
            self.flash.power = SteadyPower()
        return False


def a_till(*bugs: str, dialect: str = "cup", **config: Any) -> Till:
    """A till with bugs, signed on where that is needed."""
    till = Till(dialect, bugs=bugs, **config)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    return till


def agree(till: Till) -> None:
    """Terminal and host hold the same live sales, closed batches and nothing half done."""
    rows = [row for closed in till.memory.archive for row in closed.rows] + list(till.memory.rows)
    standing = {
        row.stan: (row.kind, row.amount)
        for row in rows
        if row.kind in FINANCIAL and row.state == "journaled" and not row.adjusted and not row.stored
    }
    assert standing == till.host.standing()
    assert len({(row.stan, row.batch) for row in rows}) == len(rows)
    assert till.memory.pending is None
    if till.wire.name != "iso87":  # there a batch has a day and no number
        assert {closed.batch for closed in till.memory.archive} == set(till.host.closed)
