"""The state of a world as a key in which names do not count: equal keys, equal futures.

The world's own key (`lab.world.key`) tells states apart by every STAN, reference number and id in them, so that a sale
which was tried twice makes the rest of the day another one, though nothing in it goes another way. Here such a name is
told by where it comes first in the state (the third STAN that is met is «3»), and two kinds of things that decide
nothing any more are left out:

- what was undone altogether: declined, reversed or only reserved by a reversal, without a leg under way, a posting, a
  debit at the issuer or a row at the terminal that is left of it (ISO 87 counts reversed sales until the close: there
  they stay);
- when something was, and the texts of answers that only a repeat would bring out again.

As long as a frame is under way, held up or glued, or the issuer still owes a word, none of this holds (a late 0200 may
bring any name back): then it is the world's own key. What a closed batch came to stays in the key, at both ends, so the
verdict about the past is told by it as well as the future is.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from hashlib import blake2b
from io import BytesIO
from types import MappingProxyType
from typing import Any, cast

from host.rows import (
    Adjustment,
    Batch,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    Leg,
    StagedItem,
    Terminal,
    Txn,
    TxnState,
)
from host.store.schema import table_name
from terminal_sim.lab.world.agenda import Deadline, HostTick, HostUp, Idle, PowerOn
from terminal_sim.lab.world.key import history
from terminal_sim.lab.world.till import Till
from terminal_sim.lab.world.world import World
from terminal_sim.state import Memory, Pending, Row
from terminal_sim.turn import Running

UNDONE = frozenset({TxnState.DECLINED, TxnState.REVERSED, TxnState.TOMBSTONE})
_NOTHING = frozenset({"", "0", 0, "000000", None})
_ISO87 = "iso87"
_AT_REST = Running()
_GIVES = frozenset({"credit", "release"})


class _Names:
    """The names of one state: (domain, name) -> the place where it was met first."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, object], int] = {}

    def __call__(self, domain: str, name: object) -> object:
        if name in _NOTHING:
            return ""
        return self._places.setdefault((domain, name), len(self._places))

    def has(self, domain: str, name: object) -> bool:
        return (domain, name) in self._places


def canonical_key(world: World) -> str:
    """Hex. The world is quiet."""
    if not _settled_down(world):
        return world.state_key()
    made = blake2b(digest_size=16)
    for part in _parts(world):
        made.update(repr(part).encode())
        made.update(b"\0")
    return made.hexdigest()


def _settled_down(world: World) -> bool:
    """Whether nothing is under way that carries a name."""
    wires = world.wires.shot()
    if wires.held or wires.glued or world.host.link._on_the_way:
        return False
    plain = (HostTick, HostUp, Idle, PowerOn, Deadline)
    errands = (errand for _, _, errand in world.scene.agenda.listed())
    return all(isinstance(errand, plain) or type(errand).__name__ == "AutoSettle" for errand in errands)


def _parts(world: World) -> Iterator[object]:
    scene, names = world.scene, _Names()
    yield world.at_step
    following = world.scenario.steps[world.at_step : world.at_step + 1]
    if following and following[0].at < 0:
        yield round(scene.now, 3)
    yield scene.plan.ahead(scene.now), world.host.skew_s, world.host.up, world.host.told()
    for name, till in world.tills.items():
        yield name, till.on, till.skew_s, till._machine is None, till._reader.kept
        yield _memory(till.flash, names)
        machine = till._machine
        if machine is not None and machine.memory is not till.flash:
            yield _memory(machine.memory, names)
        if machine is not None and machine.running != _AT_REST:
            yield repr(machine.running.queue), machine.running.job is None, machine.running.late
    yield sorted(_errand(at, errand) for at, _, errand in scene.agenda.listed() if not isinstance(errand, HostTick))
    yield from _host(world, names)
    people = world.people
    for wanted in people.wanted.values():
        known = [names("stan", (a.tid, a.stan)) for a in wanted.attempts if names.has("stan", (a.tid, a.stan))]
        yield wanted.name, wanted.amount, wanted.delivered, known
    units = {step.id: step.unit for step in world.scenario.steps}
    tids = {name: till.tid for name, till in world.tills.items()}
    later = {str(step.args.get("of", "")) for step in world.scenario.steps[world.at_step :]}
    for step, stan in sorted(people.stans.items()):
        if step in later:
            yield step, names("stan", (tids.get(units.get(step, ""), ""), stan))
    yield sorted(people.recovering.items())
    yield sorted((unit, round(until, 1)) for unit, until in people.forgetful.items() if until > scene.now)


def _errand(at: float, errand: object) -> tuple[object, ...]:
    name = type(errand).__name__
    return (name, round(at, 1), getattr(errand, "unit", ""), getattr(errand, "wait", 0))


def middle_key(world: World) -> str:
    """Of all that is known in the middle of a step: "" when the host is at work, or something cannot be told.

    Names count here: it is held only against others from the same boundary. The message log, screens and slips stay
    out, as do the calls that are at work (terminal_sim.lab.explore.walk).
    """
    host, scene, people = world.host, world.scene, world.people
    if host.up and not host.quiet:
        return ""
    lines = [(line, held) for line, one in sorted(host.lines.items()) if (held := bytes(one._reader._buffer))]
    rows = _Rows(world)
    tables = [rows.query(f"{_selection(one)[1]}") for one in (*_BOOKS, IssuerLeg)]
    known = (
        *(scene.now, scene.agenda.listed(), world.wires.shot(), scene.plan.ahead(scene.now)),
        *(host.up, host.skew_s, host.told(), host.link._on_the_way, lines, tables),
        [(name, _volatile(till)) for name, till in world.tills.items()],
        *(people.tasks, people.wanted, people.stans, people.recovering, people._idle, people._token, people.forgetful),
    )
    written = BytesIO()
    pickler = _Pickler(written, protocol=5)
    pickler.fast = True  # by value alone: a memo would tell one object in two places from two equal ones
    pickler.dump(known)
    return blake2b(written.getbuffer(), digest_size=16).hexdigest()


class _Pickler(pickle.Pickler):
    """Messages keep their elements in a read-only view."""

    dispatch_table = copyreg.dispatch_table.copy()
    dispatch_table[MappingProxyType] = lambda view: (dict, (dict(view),))


def _volatile(till: Till) -> object:
    machine = till._machine
    memory = machine.memory if machine is not None else None
    bare = [
        replace(one, events=(), last_slip=None, settlement_slip=None) for one in (till.flash, memory) if one is not None
    ]
    running = machine.running if machine is not None else None
    return (
        till.on,
        till.busy,
        till.skew_s,
        till._token,
        till._heard,
        till._spoke,
        bare,
        [history(one) for one in (till.flash, memory) if one is not None],
        running,
        (till._reader.unfinished, till._reader.kept),
    )


_NAMING: tuple[type, ...] = (StagedItem, ExceptionItem, Adjustment)
_BOOKS: tuple[type, ...] = (Terminal, Batch, Txn, Leg, IssuerAccount, StagedItem, ExceptionItem, Adjustment)


# ---- a terminal


def _memory(memory: Memory, names: _Names) -> Iterable[object]:
    tid = memory.config.tid
    return (
        *(memory.batch, memory.signed_on, names("keys", memory.key_block), memory.download, memory.operator),
        [_row(tid, row, names) for row in memory.rows],
        _pending(tid, memory.pending, names),
        memory.settlement,
        [(c.batch, c.totals, c.result, c.code, [_row(tid, row, names) for row in c.rows]) for c in memory.archive],
        memory.script is not None,
        *(memory.parameters, memory.ca_keys, memory.ic_parameters),
        history(memory),
    )


def _pending(tid: str, owed: Pending | None, names: _Names) -> object:
    if owed is None:
        return None
    failed = _row(tid, owed.failed, names) if owed.failed is not None else None
    reply = (_row(tid, owed.reply.row, names), owed.reply.code) if owed.reply is not None else None
    return (
        *(names("stan", (tid, owed.stan)), owed.batch, str(owed.kind), owed.amount, owed.reason, owed.sent),
        *(owed.tries, failed, reply),
    )


_ROW_LEFT_OUT = frozenset(
    {"stan", "rrn", "auth_code", "at", "image", "transmitted", "local_at", "original_stan", "invoice"}
)
_ROW_FIELDS = tuple(f.name for f in fields(Row) if f.name not in _ROW_LEFT_OUT)


def _row(tid: str, row: Row, names: _Names) -> tuple[object, ...]:
    return (
        *(names("stan", (tid, row.stan)), names("rrn", row.rrn), names("auth", row.auth_code), row.at[:4]),
        *(names("stan", (tid, row.original_stan)), row.image is None),
        *(getattr(row, name) for name in _ROW_FIELDS),
    )


# ---- the host


def _host(world: World, names: _Names) -> Iterator[object]:
    rows = _Rows(world)
    for terminal in rows.of(Terminal):
        keys = [names("keys", terminal[key]) for key in ("pik", "mak", "tdk", "spent_mak")]
        old = [names("keys", key) for key in str(terminal["old_mak"]).split()]
        yield (
            terminal["tid"],
            terminal["signed_on"],
            terminal["epoch"],
            terminal["request"],
            terminal["serial"],
            terminal["restart_stan"],
            keys,
            old,
        )
        till = next((till for till in world.tills.values() if till.tid == terminal["tid"]), None)
        yield _distance(till, str(terminal["last_stan"])) if till is not None else 0
    batches = list(rows.of(Batch))
    for batch in batches:
        names("batch", batch["id"])
        yield [batch[name] for name in _BATCH_FIELDS], bool(batch["moved_at"])
    for txn in _kept(world, rows, names, batches):
        yield _txn(txn, names)
    for leg in rows.of(Leg):
        if leg["state"] != "done":
            yield (
                *(
                    names("txn", leg["txn_id"]),
                    leg["number"],
                    leg["purpose"],
                    leg["amount"],
                    leg["state"],
                    leg["tries"],
                ),
                *(leg["result"], leg["release"], leg["deadline"]),
            )
    yield [
        (a["pan_hash"], a["status"], a["limit"], a["debited"], a["pin_tries"], a["held"])
        for a in rows.of(IssuerAccount)
    ]
    for item in rows.of(StagedItem):
        yield (
            *(names("batch", item["batch_id"]), names("txn", item["txn_id"]), item["kind"], item["amount"]),
            *(item["known"], item["form"], item["evidence"]),
        )
    for line in rows.of(ExceptionItem):
        yield (
            *(names("batch", line["batch_id"]), line["tid"], names("txn", line["txn_id"]), line["reason"]),
            *(line["amount"], line["side_amount"]),
        )
    for change in rows.of(Adjustment):
        yield names("txn", change["txn_id"]), names("batch", change["batch_id"]), change["amount"], change["reason"]
    yield rows.query("SELECT book, account, SUM(amount) FROM posting GROUP BY book, account ORDER BY book, account")


def _distance(till: Till, last: str) -> object:
    """How far the terminal's counter is ahead of what the host has seen; only a leap decides anything (rules.md 4)."""
    ahead = int(till.flash.stan) - int(last or 0)
    return ahead if ahead < 0 or ahead > 50 else 0


_BATCH_FIELDS = (
    *("tid", "number", "generation", "epoch", "state", "business_date", "running", "claimed", "answered", "verdict"),
    *("sides", "upload_rounds", "end_count", "forced", "stale_since", "day"),
)
_TXN_FIELDS = (
    *("tid", "kind", "state", "wire_batch", "response_code", "refusal", "amount", "approved_amount", "balance"),
    *("currency", "pan_hash", "organisation", "foreign", "carried", "settlement", "business_date", "held", "tip"),
    *("cash", "advice", "voids_kind"),
)


def _txn(txn: Mapping[str, Any], names: _Names) -> tuple[object, ...]:
    return (
        *(names("txn", txn["id"]), names("stan", (txn["tid"], txn["stan"])), names("rrn", txn["rrn"])),
        *(names("auth", txn["auth_code"]), names("batch", txn["batch_id"]), names("txn", txn["original_id"])),
        *(names("txn", txn["replaced_by"]), str(txn["undone_by"]).partition(":")[0]),
        *(txn[name] for name in _TXN_FIELDS),
    )


def _kept(world: World, rows: _Rows, names: _Names, batches: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The transactions of which something is left."""
    posted = {
        row[0] for row in rows.query("SELECT txn_id FROM posting GROUP BY txn_id, account HAVING SUM(amount) != 0")
    }
    under_way = {leg["txn_id"] for leg in rows.of(Leg) if leg["state"] != "done"}
    named = {txn["original_id"] for txn in rows.of(Txn) if txn["state"] not in UNDONE}
    named |= {line["txn_id"] for kind in _NAMING for line in rows.of(kind)}
    at_issuer = _debited(rows)
    closed = {batch["id"] for batch in batches if batch["closed_at"]}
    for txn in rows.of(Txn):
        left = txn["id"] in posted or txn["id"] in under_way or txn["id"] in named or at_issuer.get(txn["id"])
        left = left or names.has("stan", (txn["tid"], txn["stan"]))
        left = left or (
            txn["dialect"] == _ISO87 and txn["batch_id"] not in closed and txn["state"] == TxnState.REVERSED
        )
        if left or txn["state"] not in UNDONE:
            yield txn


def _debited(rows: _Rows) -> dict[int, int]:
    """What each transaction has taken at the issuer and not given back."""
    found: dict[int, int] = {}
    for leg in rows.of(IssuerLeg):
        if leg["undone"] or leg["code"] not in ("00", "10", ""):
            continue
        sign = -1 if leg["purpose"] in _GIVES else 1
        found[leg["txn_id"]] = found.get(leg["txn_id"], 0) + sign * leg["approved_amount"]
    return found


class _Rows:
    """The host's rows, each table read once."""

    def __init__(self, world: World) -> None:
        self._driver: Any = cast(Any, world.host.store)._driver
        self._tables: dict[type, list[Mapping[str, Any]]] = {}

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of any query."""
        return [tuple(row) for row in self._driver.query(text)]

    def of(self, row_class: type) -> list[Mapping[str, Any]]:
        """A whole table in order of its ids."""
        known = self._tables.get(row_class)
        if known is None:
            columns, text = _selection(row_class)
            known = [dict(zip(columns, row, strict=True)) for row in self._driver.query(text)]
            self._tables[row_class] = known
        return known


@cache
def _selection(row_class: type) -> tuple[tuple[str, ...], str]:
    columns = tuple(f.name for f in fields(row_class))
    quoted = ", ".join(f'"{name}"' for name in columns)
    return columns, f"SELECT {quoted} FROM {table_name(row_class)} ORDER BY id"
