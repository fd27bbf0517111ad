"""The state of a world as a key: equal keys, equal futures.

Left out is what no decision looks at: the message log, alarms, screens, slips, and past moments; what is written under
new ids is told by its content where it can be. Kept are the flash of every terminal, the books, what is in flight with
its time, what people have in mind, and what the checks will find in a terminal's event list (`history`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

from host.rows import Adjustment, Batch, ExceptionItem, IssuerAccount, Leg, StagedItem, Terminal, Txn
from host.store.schema import table_name
from specs.journal import TerminalEvent
from terminal_sim.lab.world.agenda import HostTick, ToHost, ToTill
from terminal_sim.state import Memory, Row

if TYPE_CHECKING:
    from terminal_sim.lab.world.world import World

_PAST = frozenset(
    {"created_at", "answered_at", "opened_at", "last_seen", "at", "deadline", "asked_at", "local_time", "transmitted"}
)
"""Columns that only say when."""
_TABLES: tuple[type, ...] = (Terminal, Batch, Txn, Leg, IssuerAccount, StagedItem, ExceptionItem, Adjustment)


def state_key(world: World) -> str:
    """Hex."""
    made = blake2b(digest_size=16)
    for part in _parts(world):
        made.update(repr(part).encode())
        made.update(b"\0")
    return made.hexdigest()


def _parts(world: World) -> Iterable[object]:
    scene = world.scene
    yield world.at_step
    following = world.scenario.steps[world.at_step : world.at_step + 1]
    if not following or following[0].at < 0:
        yield round(scene.now, 3)
    for name, till in world.tills.items():
        shot = till.shot()
        yield name, shot.on, till.skew_s, _plain(shot.flash), shot.buffer
        if shot.memory is not None and shot.memory is not shot.flash:
            yield _plain(shot.memory)
    errands = [(round(at, 3), errand) for at, _, errand in scene.agenda.listed() if not isinstance(errand, HostTick)]
    yield [(at, errand, _bytes_of(errand)) for at, errand in errands]
    wires = world.wires.shot()
    yield [(held, held.data) for held in wires.held], [(one, one.data) for one in wires.glued], sorted(wires.deaf)
    yield [
        (w.name, w.amount, w.delivered, [(a.tid, a.stan, a.batch) for a in w.attempts])
        for w in world.people.wanted.values()
    ]
    yield sorted(world.people.stans.items())
    yield sorted((unit, until) for unit, until in world.people.forgetful.items() if until > scene.now)
    yield world.host.skew_s, world.host.told(), scene.plan.ahead(scene.now)
    yield [(str(at), answer) for at, _, answer in sorted(world.host.link._on_the_way, key=lambda one: one[:2])]
    yield from _tables(world)


def _bytes_of(errand: object) -> bytes:
    """What a frame under way says: no repr shows it."""
    return errand.data if isinstance(errand, ToHost | ToTill) else b""


def _tables(world: World) -> Iterable[object]:
    driver: Any = cast(Any, world.host.store)._driver
    for row_class in _TABLES:
        columns = ", ".join(f'"{f.name}"' for f in fields(row_class) if f.name not in _PAST)
        yield driver.query(f"SELECT {columns} FROM {table_name(row_class)} ORDER BY id")
    yield driver.query(f"SELECT id, deadline FROM {table_name(Leg)} WHERE state != 'done' ORDER BY id")
    yield driver.query("SELECT account, SUM(amount) FROM posting GROUP BY account ORDER BY account")


def _plain(memory: Memory) -> object:
    bare = replace(memory, events=(), last_slip=None, settlement_slip=None, host_time="", archive=())
    archive = [(c.batch, [_row(r) for r in c.rows], c.totals, c.result, c.code) for c in memory.archive]
    rows = [_row(row) for row in bare.rows]
    rest = [getattr(bare, f.name) for f in fields(bare) if f.name not in ("rows", "config", "pending")]
    pending = memory.pending
    owed = (
        None
        if pending is None
        else (
            *(pending.stan, pending.batch, str(pending.kind), pending.amount, pending.reason, pending.sent),
            *(pending.tries, pending.failed and _row(pending.failed), pending.reply and _row(pending.reply.row)),
        )
    )
    return rows, archive, owed, rest, history(memory)


def history(memory: Memory) -> tuple[int, int, int, bool]:
    """What is wrong already, by the list of events alone: reversals that were stored and never ended (A5; the one that
    is owed aside), STANs that stood for more than one transaction (A13), sales while a batch was frozen (A12), and
    whether one is."""
    owed: set[str] = set()
    lost = sold = 0
    stored: Counter[tuple[str, str]] = Counter()
    frozen = False
    for event in memory.events:
        if event.event == "rev-stored":
            lost, owed = lost + len(owed), {event.stan}
            stored[event.batch, event.stan] += 1
        elif event.event in ("rev-cleared", "rev-abandoned"):
            owed.discard(event.stan)
        elif event.event in ("frozen", "archived"):
            frozen = event.event == "frozen"
        sold += frozen and bool(event.stan) and (event.event == "rev-stored" or _slip(event))
    if memory.pending is not None:
        owed.discard(memory.pending.stan)
    return lost + len(owed), stored.total() - len(stored), sold, frozen


def _slip(event: TerminalEvent) -> bool:
    return (event.event, event.detail) == ("slip", "approved")


def _row(row: Row) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _ROW_FIELDS)


_ROW_FIELDS = tuple(f.name for f in fields(Row) if f.name not in ("at", "image", "transmitted", "local_at"))
