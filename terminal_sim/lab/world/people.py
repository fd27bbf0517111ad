"""The people at the tills: they do what the scenario says, and follow their habits when the outcome is in doubt.

RO1: after doubt, query; found -> reprint, not found -> charge again. Goods are handed over when the terminal says
approved, when a slip is in hand, or when the query finds the sale; each time it is counted (E5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from host.checker.purchases import Attempt, Intent
from specs.faults import Fault
from specs.faults.checking import params_of
from specs.kinds import RESERVATIONS, Kind
from terminal_sim import hostquery, recovery, reprints
from terminal_sim.lab.scenario.model import SELLING, OperatorSpec, Scenario, StepSpec
from terminal_sim.lab.world import deeds, meddling
from terminal_sim.lab.world.agenda import Again, Idle
from terminal_sim.lab.world.minds import Task, Wanted
from terminal_sim.lab.world.record import Lane, StepEnd
from terminal_sim.lab.world.scene import Scene
from terminal_sim.lab.world.till import Till
from terminal_sim.moves import ClearReversal, End, ForceSettle, Order, Result, Settle, SignOn
from terminal_sim.recovery import next_wait
from terminal_sim.state import Memory, Row, RowState

PAUSE_S = 20.0
"""Between two tries of an operator."""
LOOK_S = 10.0
"""Until somebody asks what became of it."""
IDLE_S = 60.0
"""rules.md section 10; without its jitter: nothing here is by chance."""
SIGN_ON_CODES = frozenset({"22", "A0", "63", "58"})
CLOSED_CODE = "22"
"""The batch is closed at the host: rows in it are settled first, a sign-on alone would bring the same answer again
(rules.md section 4)."""
LATER_CODES = frozenset({"68", "91", "96", "98"})
NEXT_STAN = frozenset({"94"})
SOLD = frozenset({End.APPROVED, End.PARTIAL})
BUYING = frozenset({"sale", "offline-sale", "complete", "refund"})
"""Deeds after whose yes goods (of a refund the money) change hands: each is a purchase, or part of one."""
AT_REST = ""

Ask = Callable[[Memory, str], hostquery.Reply]
"""Memory and STAN -> the host's word on it."""


def _is_wanted(step: StepSpec) -> bool:
    """Whether it is a purchase, or part of one: a reservation only if it names one, and then nothing is handed over."""
    return step.do in BUYING or (step.do == "preauth" and bool(step.intent))


class People:
    """See the module. over: told when a step has ended."""

    def __init__(
        self,
        scene: Scene,
        scenario: Scenario,
        habits: OperatorSpec,
        tills: Mapping[str, Till],
        ask: Ask,
        start: datetime,
    ) -> None:
        self.scene, self.scenario, self.habits, self.tills = scene, scenario, habits, tills
        self._ask, self._start = ask, start
        self.tasks: dict[str, Task] = {}
        self.wanted: dict[str, Wanted] = {}
        self.stans: dict[str, str] = {}
        self.ends: list[StepEnd] = []
        self.recovering: dict[str, tuple[int, float]] = {}
        """Unit -> which step of a recovery is at work (-1 = none), and the wait after it."""
        self._idle: dict[str, int] = {}
        self.forgetful: dict[str, float] = {}
        """Unit -> until when nobody thinks of settling there."""
        self._token = 0
        self.alone: Callable[[str, Result], None] | None = None
        """Who gives orders in place of the people (the healing); told of their ends."""

    # ---- a step

    def free(self, unit: str) -> bool:
        """Whether nobody does anything at this till."""
        till = self.tills[unit]
        return unit not in self.tasks and not till.busy and till.on

    def begin(self, index: int) -> None:
        """A step at a till that is free."""
        step = self.scenario.steps[index]
        self._token += 1
        self.recovering.pop(step.unit, None)
        self.tasks[step.unit] = Task(step.unit, index, self._token)
        name = step.intent or step.id
        if _is_wanted(step) and name not in self.wanted:
            sign = -1 if step.do == "refund" else 1
            self.wanted[name] = Wanted(name, sign * int(step.args.get("amount", 0)))
        self.scene.tell(Lane.OPERATOR, step.unit, f"{step.id}: {step.do} {step.args.get('amount', '')}".rstrip())
        if step.do == "reprint":
            self._reprint(self.tasks[step.unit])
            return
        if step.do == "boot":
            self.tills[step.unit].power_off()
            self.tills[step.unit].power_on()
            self.tasks[step.unit].phase = "boot"
            self.tills[step.unit].press(None)
            return
        if step.do == "recover":
            self._finish(self.tasks[step.unit], "done")
            self._recover(step.unit, 0, IDLE_S)
            return
        if step.do == "settle" and self._end_of_day(self.tasks[step.unit]):
            return
        self._press(self.tasks[step.unit])

    def _end_of_day(self, task: Task) -> bool:
        """Whether something else is done than settling: forgotten, or settled on paper by the service menu."""
        till, now = self.tills[task.unit], self.scene.now
        fault = self._at(task, "end-of-day") if now >= self.forgetful.get(task.unit, 0.0) else None
        action = fault.action if fault is not None else ""
        if fault is not None and action == "forget":
            self.forgetful[task.unit] = self._morning(int(params_of(fault)["days"]))
        if action == "swap":
            meddling.swapped(till)
        if action == "force-settle":
            task.phase = "instead"
            till.press(ForceSettle())
            return True
        forgotten = action == "nothing" or now < self.forgetful.get(task.unit, 0.0)
        if forgotten:
            self._finish(task, "forgotten")
        return forgotten

    def _morning(self, days: int) -> float:
        """Midnight, so many days from today, in seconds of the world."""
        today = (self._start + timedelta(seconds=self.scene.now)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (today + timedelta(days=days) - self._start).total_seconds()

    def _reprint(self, task: Task) -> None:
        """A slip once more, at the desk: nothing is sent (terminal_sim.reprints)."""
        step, till = self._step(task), self.tills[task.unit]
        what = str(step.args.get("what", "last"))
        stan = self.stans.get(str(step.args.get("of", "")), str(step.args.get("stan", "")))
        firmware, family = till.firmware, till.wire.name
        if stan:
            again = reprints.transaction(till.memory, family, stan=stan, firmware=firmware)
        elif what == "settlement":
            again = reprints.settlement(till.memory, firmware)
        elif what == "detail":
            again = reprints.listing(till.memory, family, firmware=firmware)
        else:
            again = reprints.last(till.memory, firmware)
        if again.slip is not None:
            till.meddle(reprints.noted(till.memory, again, what, till.time()))
            till.print_again(again.slip)
        for text in filter(None, (again.why, again.remark)):
            till.screen.append(text)
            self.scene.tell(Lane.SCREEN, till.name, text)
        self._finish(task, "done" if again.slip is not None else "refused-locally")

    def _press(self, task: Task) -> None:
        step = self._step(task)
        till = self.tills[task.unit]
        if not till.on:
            self._finish(task, "power-off")
            return
        order = deeds.order(step, till.memory, self.stans)
        if order is None:
            self._finish(task, "nothing-to-name")
            return
        task.phase, task.cut, task.printed = "main", False, len(till.slips)
        task.tries += 1
        task.before = frozenset(row.stan for row in till.memory.rows)
        task.began = task.before if task.began is None else task.began
        till.press(order)

    def sent_as(self, unit: str, kind: Kind, stan: str, batch: str) -> None:
        """A transaction leaves under this key."""
        task = self.tasks.get(unit)
        if task is None or task.phase != "main":
            return
        step = self._step(task)
        if step.do in SELLING and stan not in task.before:  # else: stored by an earlier step, and sent along now
            task.stan, task.batch = stan, batch
            self.stans[step.id] = stan
            self._attempt(task, unit, stan, batch)

    def _attempt(self, task: Task, unit: str, stan: str, batch: str) -> None:
        wanted = self._wanted(task)
        if wanted is not None and stan:
            attempt = Attempt(self.tills[unit].tid, stan, batch)
            if all((a.tid, a.stan, a.batch) != (attempt.tid, attempt.stan, attempt.batch) for a in wanted.attempts):
                wanted.attempts.append(replace(attempt, at=self.tills[unit].time()))

    def _wanted(self, task: Task) -> Wanted | None:
        """The purchase of a step that makes one; of a void or tip that of the sale that it changes."""
        step = self._step(task)
        return self.wanted[step.intent or step.id] if _is_wanted(step) else None

    def _changed(self, step: StepSpec) -> Wanted | None:
        named = next((s for s in self.scenario.steps if s.id == step.args.get("of")), None)
        return self.wanted.get(named.intent or named.id) if named is not None else None

    def _step(self, task: Task) -> StepSpec:
        return self.scenario.steps[task.step]

    # ---- how an order ended

    def finished(self, unit: str, result: Result) -> None:
        """The terminal is done with an order."""
        if self.alone is not None:
            self.alone(unit, result)
            return
        if unit not in self.tasks and result.end in SOLD:
            self._late_slip(unit, result)
        if unit in self.recovering and unit not in self.tasks:
            self._recovered(unit)
            return
        task = self.tasks.get(unit)
        if task is None:
            self._watch(unit)
            return
        if task.phase == "boot":
            if task.cut:
                task.cut = False
                self._resolve(task)
            else:
                self._finish(task, str(result.end))
        elif task.phase == "mend" or (task.phase == "instead" and result.end is End.REFUSED_LOCALLY):
            self._later(task, 1.0)
        elif task.phase == "instead":
            task.last = result
            self._finish(task, str(result.end))
        else:
            self._judge(task, result)

    def _late_slip(self, unit: str, result: Result) -> None:
        """A slip comes out at a till where nobody has pressed a key: it is taken for what was in doubt."""
        row = self.tills[unit].memory.row(stan=result.stan)
        if row is not None and row.kind in RESERVATIONS:
            return
        for wanted in self.wanted.values():
            asked = any((a.tid, a.stan) == (self.tills[unit].tid, result.stan) for a in wanted.attempts)
            if asked and not wanted.delivered:
                wanted.delivered += 1
                self.scene.tell(Lane.OPERATOR, unit, f"{wanted.name}: the goods are handed over")

    def _judge(self, task: Task, result: Result) -> None:
        step, unit = self._step(task), task.unit
        task.last = result
        if result.stan and step.do in SELLING:
            task.stan = result.stan
            self.stans[step.id] = result.stan
            self._attempt(task, unit, result.stan, result.batch or self.tills[unit].memory.batch)
        if step.do in SELLING:
            self._sold(task, result) if result.end in SOLD else self._not_sold(task, result)
        elif result.end is End.REFUSED_LOCALLY and self._signed_off(task):
            self._mend(task, SignOn())
        elif result.end in (End.UNKNOWN, End.UNANSWERED, End.NOT_SENT, End.PENDING, End.REFUSED_LOCALLY):
            self._try_again(task, result)
        elif result.end is End.DECLINED and result.code in SIGN_ON_CODES and step.do != "signon":
            self._mend(task, SignOn())
        else:
            self._finish(task, str(result.end))

    def _sold(self, task: Task, result: Result) -> None:
        step = self._step(task)
        self._hand_over(task, result.approved_amount if result.end is End.PARTIAL else None)
        if step.do in ("void", "adjust", "tip"):
            changed = self._changed(step)
            if changed is not None and step.do == "void":
                changed.delivered -= 1
            elif changed is not None:
                amount = int(step.args.get("amount", 0))
                changed.amount = amount if step.do == "adjust" else changed.amount + amount
        self._finish(task, str(result.end))

    def _hand_over(self, task: Task, amount: int | None = None) -> None:
        """The goods change hands (of a refund the money)."""
        wanted = self._wanted(task)
        if wanted is None or task.handed or self._step(task).do not in BUYING:
            return
        task.handed = True
        wanted.delivered += 1
        sign = -1 if self._step(task).do == "refund" else 1
        own = amount or int(self._step(task).args.get("amount", 0)) or self._row(task) or 0
        wanted.amount = sign * own if wanted.delivered == 1 else wanted.amount
        what = "the money is given back" if wanted.amount < 0 else "the goods are handed over"
        self.scene.tell(Lane.OPERATOR, task.unit, f"{wanted.name}: {what}")

    def _row(self, task: Task) -> int | None:
        row = self.tills[task.unit].memory.row(stan=task.stan)
        return row.amount if row is not None else None

    def _not_sold(self, task: Task, result: Result) -> None:
        match result.end:
            case End.DECLINED if result.code == CLOSED_CODE and self.tills[task.unit].memory.rows:
                self._mend(task, Settle())
            case End.DECLINED if result.code in SIGN_ON_CODES:
                self._mend(task, SignOn())
            case End.DECLINED if result.code in LATER_CODES | NEXT_STAN:
                self._try_again(task, result)
            case End.UNKNOWN:
                self._in_doubt(task)
            case End.NOT_SENT:
                self._try_again(task, result)
            case End.REFUSED_LOCALLY:
                self._refused(task, result)
            case End.DECLINED:
                self._declined(task, result)
            case _:
                self._finish(task, str(result.end))

    def _declined(self, task: Task, result: Result) -> None:
        """A no is a no, unless somebody keys it again."""
        fault = self._at(task, "after-declined")
        if fault is None or not self._again_somewhere(task, fault):
            self._finish(task, str(result.end))

    def _at(self, task: Task, moment: str) -> Fault | None:
        """What people do otherwise than they should at this moment."""
        fault = self.scene.point(f"op/{self.tills[task.unit].tid}/{moment}")
        if fault is not None:
            self.scene.tell(Lane.OPERATOR, task.unit, fault.action, fault=True)
        return fault

    def _again_somewhere(self, task: Task, fault: Fault) -> bool:
        """Keyed again here or at another till, as a fault has it; False when it is neither, or was tried too often."""
        if fault.action not in ("rekey", "rekey-on") or task.tries >= self.habits.max_tries:
            return False
        if fault.action == "rekey" or not self._move(task, str(params_of(fault)["tid"])):
            self._later(task, LOOK_S)
        return True

    def _refused(self, task: Task, result: Result) -> None:
        memory = self.tills[task.unit].memory
        if self._signed_off(task):
            self._mend(task, SignOn())
        elif memory.settlement is not None or "journal full" in result.text:
            self._mend(task, Settle())
        else:
            self._finish(task, str(result.end))

    def _signed_off(self, task: Task) -> bool:
        """Whether the terminal takes nothing before a sign-on."""
        till = self.tills[task.unit]
        return till.wire.profile.requires_sign_on and not till.memory.signed_on

    def _mend(self, task: Task, order: Order) -> None:
        """Something else first, then the same again."""
        till = self.tills[task.unit]
        asked = task.last is not None and task.last.end is not End.REFUSED_LOCALLY  # a try that the host has seen
        if task.mended >= 2 or not till.on or (asked and task.tries >= self.habits.max_tries):
            self._finish(task, str(task.last.end) if task.last else "given-up")
            return
        task.mended += 1
        task.tries -= 1
        task.phase = "mend"
        self.scene.tell(Lane.OPERATOR, till.name, f"{type(order).__name__} first")
        till.press(order)

    def _try_again(self, task: Task, result: Result) -> None:
        if task.tries >= self.habits.max_tries:
            self._give_up(task, str(result.end))
            return
        self._later(task, PAUSE_S)

    def _later(self, task: Task, seconds: float) -> None:
        self._token += 1
        task.phase, task.token = "pause", self._token
        self.scene.agenda.put(self.scene.now + seconds, Again(task.unit, task.token))

    def again(self, errand: Again) -> None:
        """The pause is over."""
        task = self.tasks.get(errand.unit)
        if task is None or task.token != errand.token or task.phase not in ("pause", "look"):
            return
        if task.phase == "look":
            self._look(task)
        else:
            self._press(task)

    # ---- doubt

    def _in_doubt(self, task: Task) -> None:
        fault = self._at(task, "after-unknown")
        habit = fault.action if fault is not None else self.habits.on_unknown
        if habit == "swap":
            meddling.swapped(self.tills[task.unit])
            habit = self.habits.on_unknown
        if habit in ("rekey", "rekey-on"):
            other = str(params_of(fault).get("tid", "")) if fault is not None else self.habits.rekey_on
            if task.tries >= self.habits.max_tries:
                self._give_up(task, "given-up")
            elif habit == "rekey-on" and self._move(task, other):
                return
            else:
                self._later(task, LOOK_S)
        elif habit == "clear-rev":
            self._mend(task, ClearReversal())
        elif habit in ("query", "query-then-rekey"):
            self._token += 1
            task.phase, task.token = "look", self._token
            self.scene.agenda.put(self.scene.now + LOOK_S, Again(task.unit, task.token))
        else:
            self._give_up(task, "unknown")

    def _move(self, task: Task, other: str) -> bool:
        """To the next till: the same purchase there."""
        unit = next((name for name, till in self.tills.items() if other in (name, till.tid)), "")
        if not unit or not self.free(unit) or unit == task.unit:
            return False
        self.scene.tell(Lane.OPERATOR, task.unit, f"goes to {unit}")
        del self.tasks[task.unit]
        self._watch(task.unit)
        moved = Task(unit, task.step, task.token, tries=task.tries)
        self.tasks[unit] = moved
        self._press(moved)
        return True

    def _look(self, task: Task) -> None:
        """RO1, as `terminal-sim recover` and `query` say it."""
        step = self._step(task)
        till = self.tills[task.unit]
        fault = self._at(task, "query")
        if fault is not None:  # nobody asks
            if not self._again_somewhere(task, fault):
                self._give_up(task, "unknown")
            return
        reply = self._ask(till.memory, task.stan)
        advice = hostquery.advice(till.memory, reply)
        self.scene.tell(Lane.OPERATOR, task.unit, advice.text)
        if advice.do is hostquery.Do.REPRINT:
            self._hand_over(task)
            self._finish(task, "approved")
        elif advice.do is hostquery.Do.CHARGE_AGAIN and step.do in ("sale", "offline-sale", "void", "complete"):
            if task.tries >= self.habits.max_tries:
                self._give_up(task, "given-up")
            else:
                self._later(task, LOOK_S)
        elif task.looks < self.habits.max_tries:
            task.looks += 1
            self._token += 1
            task.phase, task.token = "look", self._token
            self.scene.agenda.put(self.scene.now + IDLE_S, Again(task.unit, task.token))
        else:
            self._give_up(task, "unknown")

    # ---- power

    def cut(self, unit: str) -> None:
        """The power has failed at this till."""
        task = self.tasks.get(unit)
        if task is not None:
            task.cut = True
            step = self._step(task)
            self._stored_as(task)
            if step.do in SELLING and len(self.tills[unit].slips) > task.printed and task.phase == "main":
                self._hand_over(task)  # the slip is in hand

    def _stored_as(self, task: Task) -> None:
        """What was stored without a message has its STAN in the journal only."""
        new = [row for row in self.tills[task.unit].memory.rows if row.stan not in task.before]
        if task.phase == "main" and not task.stan and new and self._step(task).do in SELLING:
            task.stan = self.stans[self._step(task).id] = new[-1].stan
            self._attempt(task, task.unit, new[-1].stan, new[-1].batch)

    def power_on(self, unit: str) -> None:
        """It is on again: what is owed goes first, then somebody asks what became of it."""
        till = self.tills[unit]
        if till.busy or not till.on:
            return
        task = self.tasks.get(unit)
        if task is not None:
            task.phase = "boot"
        till.press(None)

    def _resolve(self, task: Task) -> None:
        """After a power cut: the last transaction in the journal, else doubt."""
        step = self._step(task)
        if step.do not in SELLING:
            self._later(task, 1.0) if task.tries < self.habits.max_tries else self._finish(task, "power-cut")
            return
        row = self._standing(task)
        looks = task.handed or self.habits.on_unknown in ("query", "query-then-rekey", "wait")
        if row is not None and looks:
            self._reprinted(task, row)
        elif task.handed:
            self._finish(task, "approved")
        elif not task.stan or step.do in ("refund", "adjust", "tip"):
            self._later(task, 1.0) if task.tries < self.habits.max_tries else self._finish(task, "power-cut")
        else:
            self._in_doubt(task)

    def _give_up(self, task: Task, end: str) -> None:
        """Nobody tries or asks any more. What is stored goes through by itself: that needs nobody."""
        row = self._standing(task)
        if row is not None and row.stored and self._step(task).do in SELLING:
            self._reprinted(task, row)
        else:
            self._finish(task, end)

    def _standing(self, task: Task) -> Row | None:
        """The row of an attempt, when it stands in the journal and nothing is owed that takes it out: the last one's,
        or that of one before it."""
        memory = self.tills[task.unit].memory
        owed = memory.pending.stan if memory.pending is not None else ""
        began = task.before if task.began is None else task.began
        tried = [row for row in memory.rows if row.stan == task.stan or (row.stored and row.stan not in began)]
        tried.sort(key=lambda row: row.stan == task.stan, reverse=True)
        return next((row for row in tried if row.state is RowState.JOURNALED and row.stan != owed), None)

    def _reprinted(self, task: Task, row: Row) -> None:
        """The terminal's last transaction, with a slip in hand."""
        task.stan = row.stan
        self.stans[self._step(task).id] = row.stan
        self._attempt(task, task.unit, row.stan, row.batch)
        self.scene.tell(Lane.OPERATOR, task.unit, f"last transaction: STAN {row.stan}, printed again")
        self._sold(task, Result(End.APPROVED, stan=row.stan))

    # ---- the end of a step

    def _finish(self, task: Task, end: str) -> None:
        step, unit = self._step(task), task.unit
        del self.tasks[unit]
        result = task.last
        code, text = (result.code, result.text) if result is not None else ("", "")
        self.ends.append(StepEnd(step.id, end, code, text, self.scene.now, task.tries))
        self.scene.tell(Lane.OPERATOR, unit, f"{step.id}: {end}")
        self._watch(unit)

    # ---- the idle timer (RT3)

    def _watch(self, unit: str, wait: float = IDLE_S) -> None:
        till = self.tills[unit]
        if till.firmware.idle_timer and till.on and recovery.owed(till.memory):
            self._token += 1
            self.recovering[unit] = (-1, wait)
            self._idle[unit] = self._token
            self.scene.agenda.put(self.scene.now + wait, Idle(unit, self._token, wait))

    def idle(self, errand: Idle) -> None:
        """The timer of a till at rest."""
        if self._idle.get(errand.unit) != errand.token or not self.free(errand.unit) or self.alone is not None:
            return
        self._recover(errand.unit, 0, errand.wait)

    def stale(self, errand: Idle) -> bool:
        """Whether this timer means nothing any more."""
        return self._idle.get(errand.unit) != errand.token

    def _recover(self, unit: str, at: int, wait: float) -> None:
        """The steps of `recover`, from one of them on."""
        till = self.tills[unit]
        while at < len(recovery.STEPS):
            boot = recovery.STEPS[at](till.memory, till.wire)
            if boot is not None:
                self.recovering[unit] = (at, wait)
                till.press(boot.order)
                return
            at += 1
        self.recovering.pop(unit, None)
        self._watch(unit, next_wait(wait, IDLE_S, clear=not recovery.owed(till.memory)))

    def _recovered(self, unit: str) -> None:
        at, wait = self.recovering[unit]
        self._recover(unit, at + 1, wait)

    # ---- at the end

    def intents(self) -> tuple[Intent, ...]:
        """Every purchase that somebody wanted."""
        return tuple(Intent(w.name, w.amount, w.delivered, tuple(w.attempts)) for w in self.wanted.values())
