"""The message log has an end: old messages go, oldest first, a few at a time.

What stays however old it is: the messages of a transaction that is not over (in a batch that is open or disputed,
pending, a live pre-authorisation, a leg in flight, an adjustment in an open batch) and of all that belongs to it. The
books themselves are never touched. The meta table keeps up to where messages are gone, in the same transaction, so that
whoever reads the log for evidence knows what it cannot say.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from host.store.driver import Driver, transaction

PRUNED = "messages pruned"
"""Of the meta table: a Pruned as JSON."""
CHUNK = 64
"""Messages that one step looks at: a few milliseconds."""
KIN_MAX = 16
"""How far kin are followed: as host.checker.kin."""

LIVE_BATCH = "SELECT b.id FROM batch b WHERE b.state IN ('open', 'disputed')"


@dataclass(frozen=True, slots=True)
class Pruned:
    """through: no message with a higher id is gone. until: the newest time among those that are, ISO 8601.
    rows: how many are."""

    through: int
    until: str
    rows: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one step did. looked: the last id that it looked at; more: whether there may be more behind it."""

    looked: int
    gone: int
    more: bool


def pruned_in(meta: Mapping[str, str]) -> Pruned | None:
    """Up to where messages are gone; None = none is."""
    text = meta.get(PRUNED)
    return Pruned(**json.loads(text)) if text else None


def prune_chunk(
    driver: Driver, set_meta: str, after: int, through: int, before: datetime | None, most: int = CHUNK
) -> Chunk:
    """Look at the next messages behind id `after`: those up to id `through`, or older than `before`, may go.

    Only what goes is a transaction, so a step that finds nothing costs no write. Raises StoreUnavailable.
    """
    mark = driver.mark
    sql = f"SELECT id, at, txn_id FROM message WHERE id > {mark} ORDER BY id LIMIT {int(most)}"
    found = [(int(row[0]), str(row[1]), int(row[2])) for row in driver.query(sql, (after,))]
    old = _leading(found, through, before)
    if not old:
        return Chunk(after, 0, more=False)
    needed = _needed(driver, {txn_id for _, _, txn_id in old if txn_id})
    going = [(row_id, at) for row_id, at, txn_id in old if txn_id not in needed]
    more = len(old) == most
    if going:
        with transaction(driver, write=True):
            _delete(driver, [row_id for row_id, _ in going])
            _note(driver, set_meta, going)
    return Chunk(old[-1][0], len(going), more)


def _leading(found: list[tuple[int, str, int]], through: int, before: datetime | None) -> list[tuple[int, str, int]]:
    """Without gaps from the oldest: the first that is neither too many nor too old ends it."""
    for at, (row_id, when, _) in enumerate(found):
        if row_id > through and (before is None or datetime.fromisoformat(when) >= before):
            return found[:at]
    return found


def _delete(driver: Driver, row_ids: list[int]) -> None:
    marks = ", ".join([driver.mark] * len(row_ids))
    driver.execute(f"DELETE FROM message WHERE id IN ({marks})", row_ids)


def _note(driver: Driver, set_meta: str, going: list[tuple[int, str]]) -> None:
    last = pruned_in(dict(driver.query(f"SELECT name, value FROM meta WHERE name = {driver.mark}", (PRUNED,))))
    through, until, rows = (last.through, last.until, last.rows) if last else (0, "", 0)
    moments = [at for _, at in going] + ([until] if until else [])
    now = Pruned(max(through, going[-1][0]), max(moments, key=datetime.fromisoformat), rows + len(going))
    driver.execute(set_meta, (PRUNED, json.dumps(asdict(now))))


def _needed(driver: Driver, txn_ids: Collection[int]) -> set[int]:
    """Those of these transactions that are not over, or belong to one that is not."""
    kin = _kin(driver, txn_ids)
    everybody = {member for members in kin.values() for member in members}
    live = _live(driver, everybody)
    return {txn_id for txn_id, members in kin.items() if members & live}


def _kin(driver: Driver, txn_ids: Collection[int]) -> dict[int, set[int]]:
    """Transaction -> all that hangs together with it: originals, what replaced them, and what acts on them."""
    linked: dict[int, set[int]] = {txn_id: set() for txn_id in txn_ids}
    fresh = set(txn_ids)
    for _ in range(KIN_MAX):
        if not fresh:
            break
        pairs = _links(driver, fresh)
        known = set(linked)
        for one, other in pairs:
            linked.setdefault(one, set()).add(other)
            linked.setdefault(other, set()).add(one)
        fresh = set(linked) - known
    return {txn_id: _reach(linked, txn_id) for txn_id in txn_ids}


def _links(driver: Driver, ids: Collection[int]) -> list[tuple[int, int]]:
    up = "SELECT t.id, t.original_id, t.replaced_by FROM txn t WHERE t.id IN ({marks})"
    down = (
        "SELECT t.id, t.original_id, t.replaced_by FROM txn t WHERE t.original_id <> 0 AND t.original_id IN ({marks})"
    )
    rows = [row for sql in (up, down) for row in _by_ids(driver, sql, ids)]
    return [(int(row[0]), int(other)) for row in rows for other in row[1:] if other]


def _reach(linked: Mapping[int, set[int]], start: int) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        for other in linked.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _live(driver: Driver, ids: Collection[int]) -> set[int]:
    asked = (
        f"SELECT t.id FROM txn t WHERE t.id IN ({{marks}}) AND (t.batch_id IN ({LIVE_BATCH})"
        " OR t.state IN ('pending', 'authorised'))",
        "SELECT g.txn_id FROM leg g WHERE g.txn_id IN ({marks}) AND g.state <> 'done'",
        f"SELECT a.txn_id FROM adjustment a WHERE a.txn_id IN ({{marks}}) AND a.batch_id IN ({LIVE_BATCH})",
    )
    return {int(row[0]) for sql in asked for row in _by_ids(driver, sql, ids)}


def _by_ids(driver: Driver, sql: str, ids: Collection[int]) -> Iterable[tuple[Any, ...]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        marks = ", ".join([driver.mark] * len(chunk))
        yield from driver.query(sql.format(marks=marks), chunk)
