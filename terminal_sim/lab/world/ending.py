"""The end of a run: faults stop, the world heals, people follow the manual for some cycles; then the books are judged.

Catalogue, section 4: links up, power on, n cycles; then the end checks. «Sells again» is shown by a sale and a
settlement of their own, after the figures of the day were taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING

from host.checker import report
from host.checker.classes import classes
from host.checker.items import items
from host.checker.liveness import Healed, l1, l2
from host.checker.purchases import purchases
from host.rows import Batch
from specs.faults import Fault
from specs.faults.plan import Plan
from terminal_sim import recovery
from terminal_sim.book import book
from terminal_sim.cards import card_from
from terminal_sim.jobs.closing import to_settle
from terminal_sim.lab.scenario.expecting import mismatches
from terminal_sim.lab.world.record import Run, Settled
from terminal_sim.lab.world.scene import Endless
from terminal_sim.moves import End, Order, Result, Sale, Settle, SignOn

if TYPE_CHECKING:
    from terminal_sim.lab.world.till import Till
    from terminal_sim.lab.world.world import World

CYCLES = 6
"""Rounds of the manual until everything must be closed (L1)."""
RETRY_CYCLES = 1
"""Rounds within which it sells again (L1): one settlement, for whatever the day has left open."""
CYCLE_S = 100.0
MESSAGES_A_STEP = 60
"""A step whose terminal sends more than this storms (L2): its transaction, three sends each of what is owed, sign-ons,
and an upload of what a small day holds."""
LAST_SALE = 321
TRIES = 3


def finish(world: World) -> Run:
    """Heal and judge."""
    _calm(world)
    cycles = {name: _clean_up(world, till) for name, till in world.tills.items()}
    _next_day(world)
    day = _settled(world.host.books().batches, world)
    messages = world.scene.messages
    healed = tuple(_healed(world, till, cycles[name], messages) for name, till in world.tills.items())
    world._pass_time(world.scene.now + 60.0)
    return _judged(world, healed, day)


def _calm(world: World) -> None:
    """No more faults; what is on its way arrives; whatever is off is switched on."""
    scene = world.scene
    world.struck = scene.plan.fired
    scene.plan = Plan([replace(fault, since="") for fault in world.faults if _stays(fault)])
    world.people.tasks.clear()
    world.wires.release()
    world._pass_time(scene.now + 200.0)
    world.people.alone = lambda _unit, _result: None
    for till in world.tills.values():
        limit = scene.now + 600.0
        while till.busy and world._one(limit):
            pass
        if not till.on:
            till.power_on()
        till.cut = lambda _unit: None
    if not world.host.up:
        world._pass_time(scene.now + 30.0)


def _stays(fault: Fault) -> bool:
    """A line that brings every frame in pieces is not broken: nothing heals there, TCP is like that."""
    return fault.action == "split" and not fault.times and not fault.until


def ask(world: World, till: Till, order: Order | None) -> Result:
    """One order from beginning to end, in the healed world."""
    ended: list[Result] = []
    world.people.alone = lambda unit, result: ended.append(result) if unit == till.name else None
    till.press(order)
    count = 0
    while not ended:
        if not world._one(world.scene.now + 86_400.0) or (count := count + 1) > 20_000:
            raise Endless(f"{till.name}: {type(order).__name__} has no end")
    world.people.alone = lambda _unit, _result: None
    return ended[0]


def _clean_up(world: World, till: Till) -> int:
    """What is owed, then the settlement, until nothing is left. How many cycles it took; CYCLES + 1 = not done."""
    ask(world, till, None)
    for cycle in range(CYCLES):
        if _clean(till):
            return cycle
        if till.wire.profile.requires_sign_on and (
            recovery.must_sign_on(till.memory, till.wire) or cycle or not till.memory.signed_on
        ):
            ask(world, till, SignOn())
        ask(world, till, Settle())
        world._pass_time(world.scene.now + CYCLE_S)
    return CYCLES if _clean(till) else CYCLES + 1


def _clean(till: Till) -> bool:
    """ISO 87: a batch of nothing but a sale and its reversal wants its settlement too, for both count there."""
    memory = till.memory
    waiting = memory.live_rows or to_settle(memory, till.wire)
    return not (waiting or memory.pending or memory.settlement or memory.script)


def _next_day(world: World) -> None:
    """Past the cutoff, so that what the host closes by itself is closed."""
    now = world.start + timedelta(seconds=world.scene.now)
    cutoff = time_of_day.fromisoformat(world.spec.cutoff) if world.spec.cutoff else time_of_day.min
    turn = datetime.combine(now.date(), cutoff, UTC)
    while turn <= now:
        turn += timedelta(days=1)
    world._pass_time((turn - world.start).total_seconds() + 7_200.0)


def _healed(world: World, till: Till, cycles: int, messages: int) -> Healed:
    """Whether it sells again, and closes what it sold."""
    owed = tuple(str(debt) for debt in recovery.owed(till.memory))
    if till.wire.profile.requires_sign_on:
        ask(world, till, SignOn())
    sold = closed = None
    for _ in range(TRIES):
        sold = ask(world, till, Sale(LAST_SALE, card_from("credit1", "swipe")))
        if sold.end is End.APPROVED:
            break
        if till.wire.profile.requires_sign_on:
            ask(world, till, SignOn())
    for _ in range(TRIES):
        closed = ask(world, till, Settle())
        if closed.end in (End.AGREED, End.NOT_AGREED):
            break
    closes = closed is not None and closed.end in (End.AGREED, End.NOT_AGREED)
    sells = sold is not None and sold.end is End.APPROVED and closes and cycles <= RETRY_CYCLES
    most = MESSAGES_A_STEP * (len(world.scenario.steps) + CYCLES) * len(world.tills)
    return Healed(till.tid, sells, owed, cycles, messages, most)


def _settled(batches: Iterable[Batch], world: World) -> tuple[Settled, ...]:
    """What the host has closed so far of batches that hold anything."""
    books = world.host.books()
    found = []
    for batch in batches:
        if batch.closed_at:
            held = items(books, batch)
            if held:
                stand = [item for item in held if item.net]
                net, state, day = sum(item.net for item in stand), str(batch.state), batch.business_date
                found.append(Settled(batch.tid, batch.number, len(stand), net, state, day))
    return tuple(found)


def _judged(world: World, healed: tuple[Healed, ...], day: tuple[Settled, ...]) -> Run:
    scene = world.scene
    books = world.host.books()
    terminals = {name: book(till.memory) for name, till in world.tills.items()}
    found = [*report.check(books, terminals), *l1(books, terminals, healed), *l2(books, terminals, healed)]
    ended = purchases(books, terminals, world.people.intents())
    run = Run(
        scenario=world.scenario,
        variant=world.variant.name if world.variant else "",
        faults=world.faults,
        fired=world.struck,
        steps=tuple(world.people.ends),
        trace=tuple(scene.trace),
        points=tuple(scene.points),
        trace_hash=scene.trace_hash(),
        findings=tuple(found),
        purchases=ended,
        classes=classes(books, terminals, ended, healed),
        settled=day,
        exceptions=tuple(sorted(entry.reason for entry in books.exceptions)),
        messages=scene.messages,
        books=books,
        terminals=terminals,
    )
    expect = world.variant.expect if world.variant is not None else world.scenario.expect
    return replace(run, mismatches=mismatches(run, expect))
