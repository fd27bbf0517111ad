"""What the API may change (faults, scripts, clock, journals, reset, shutdown) and what it tells about the process."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from host.api import shapes
from host.api.problems import Problem
from host.capture import Capture
from host.clock import Clock, ClockError
from host.desk import Desk
from host.engine.context import Context
from host.engine.events import CloseBatch, Record
from host.engine.working import Needs
from host.errors import Busy
from host.faults import FaultTable
from host.issuer.scripts import ScriptTable
from host.rows import Batch, BatchState, JournalUpload, Merchant, MessageRow, Row, Terminal
from host.runner import Runner
from host.server import Server
from host.store.pruning import Chunk
from host.store.store import Store
from specs import journal
from specs.masking import mask_pan, mask_text

log = structlog.get_logger("host.api")

CONFIGURED = "config"
"""`provisioned` of what a person named, beside what came by itself («auto»)."""
JOURNAL_BYTES_MAX = 4 * 1024 * 1024
CLOSE_WAIT_S = 5.0
"""Beyond the issuer timeout, which a close may have to wait for."""
KEYS_MAX = 1_000
"""Idempotency keys of closes by hand that are remembered; older ones are told by the batch itself."""


def program_version() -> str:
    """The installed version; "0" when run from a bare checkout."""
    try:
        return version("closeout")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """Shape: methods give plain values or raise Problem. stop: asks the process to end as on SIGTERM."""

    desk: Desk
    clock: Clock
    faults: FaultTable
    runner: Runner
    server: Server
    stop: Callable[[], None]
    scripts: ScriptTable = field(default_factory=ScriptTable)
    capture: Capture | None = None
    closes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Idempotency key of a close by hand -> (batch, what was asked of it)."""

    # ---- about the process

    def version(self) -> dict[str, Any]:
        """Name and version of this program, and what it runs on; `name` tells a Closeout host from any other."""
        found = {"name": "closeout", "version": program_version(), "python": platform.python_version()}
        return found | {"sqlite": sqlite3.sqlite_version}

    def not_ready(self) -> list[str]:
        """Reasons why terminals would not be served now; empty = ready."""
        reasons = []
        if not self.runner.alive:
            reasons.append("the ledger writer is not running")
        elif trouble := self.runner.trouble:
            reasons.append(f"the store: {trouble}")
        if not self.server.listening:
            reasons.append("no listener is open")
        if self.server.trouble:
            reasons.append(self.server.trouble)
        return reasons

    def metrics(self) -> str:
        """Prometheus text; counters are read now, so nothing is kept for it while requests are served."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> list[Metric]:
        """For prometheus_client: what is counted right now."""
        counters = self.server.counters
        found: list[Metric] = [
            GaugeMetricFamily("closeout_connections", "open terminal lines", value=self.server.connections),
            GaugeMetricFamily("closeout_queue", "events waiting for the writer", value=self.runner.queued),
        ]
        for name in counters.__slots__:
            text = name.replace("_", " ")
            found.append(CounterMetricFamily(f"closeout_{name}", text, value=getattr(counters, name)))
        groups = self.runner.counters
        for name in groups.__slots__:
            found.append(CounterMetricFamily(f"closeout_{name}", name.replace("_", " "), value=getattr(groups, name)))
        if self.capture is not None:
            on = not self.capture.stopped
            found.append(GaugeMetricFamily("closeout_capture_running", "0 once the capture has stopped", value=on))
            for name in self.capture.counters.__slots__:
                value = getattr(self.capture.counters, name)
                found.append(CounterMetricFamily(f"closeout_{name}", name.replace("_", " "), value=value))
        hit = CounterMetricFamily("closeout_limit_hit", "how often each limit was hit", labels=["limit"])
        for limit, times in self.server.hits.counts.items():
            hit.add_metric([limit], times)
        found.append(hit)
        fired = CounterMetricFamily("closeout_faults_fired", "how often each fault fired", labels=["fault", "name"])
        for fault in self.faults.list():
            fired.add_metric([str(fault.id), fault.name], fault.fired)
        return [*found, fired]

    # ---- the clock

    def clock_shape(self) -> dict[str, Any]:
        """Time with offset, business date and when it turns (hh:mm), and whether the clock runs."""
        now = self.clock.now()
        shape = {"now": now.isoformat(timespec="milliseconds"), "running": self.clock.running}
        shape["cutoff"] = self.clock.cutoff.isoformat(timespec="minutes")
        return shape | {"business_date": self.clock.business_date().isoformat()}

    def set_clock(self, now: str | None, running: bool | None) -> dict[str, Any]:
        """Set the time, run or freeze; None leaves as is. Raises Problem: 422 for no time, 409 for a step back."""
        if now is not None:
            self._turn(lambda: self.clock.set(self._moment(now, "body/now")))
        if running is not None:
            (self.clock.run if running else self.clock.freeze)()
        return self.clock_shape()

    def advance_clock(self, seconds: float | None, until: str | None) -> dict[str, Any]:
        """Move on by seconds, or to a time. Raises Problem: 422 for no time, 409 for a step back."""
        if until is not None:
            self._turn(lambda: self.clock.set(self._moment(until, "body/until")))
        elif seconds is not None:
            self._turn(lambda: self.clock.advance(seconds))
        return self.clock_shape()

    def _turn(self, turn: Callable[[], object]) -> None:
        try:
            turn()
        except ClockError as error:
            raise Problem(409, "clock", str(error), "body") from error
        self.runner.wake()

    def _moment(self, text: str, where: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise Problem(422, "validation", f"{text!r} is not an RFC 3339 time", where) from error
        return moment if moment.tzinfo else moment.replace(tzinfo=self.clock.now().tzinfo)

    # ---- terminals

    def put_terminal(
        self, tid: str, mid: str | None = None, tmk: str | None = None, request: str | None = None
    ) -> bool:
        """Make a terminal known, change its merchant or master key, or ask it for something (CUP header digit 6, in
        every answer until it has done it); True when it is new. None = as it was.

        A new master key ends the sign-on: working keys under the old one are of no use. A new terminal without tmk has
        the documented test key. Raises Problem: 422 for a new terminal without a merchant.
        """
        made = self.runner.call(lambda store, ctx: self._put_terminal(store, ctx, tid, mid, tmk, request))
        log.info("terminal configured", tid=tid, mid=mid)
        return made

    def _put_terminal(
        self, store: Store, ctx: Context, tid: str, mid: str | None, tmk: str | None, request: str | None
    ) -> bool:
        """On the writer, between two groups: keys that a sign-on has just changed are not overwritten."""
        ws = store.load(Needs(tids={tid}, mids={mid} if mid is not None else set()))
        old, settings = ws.terminal(tid), self.runner.settings
        if mid is None and old is None:
            raise Problem(422, "validation", f"terminal {tid!r} is new: it needs a merchant", "body/mid")
        rows: list[Row] = []
        if mid is not None and ws.merchant(mid) is None:
            rows.append(Merchant(ctx.ids.new(Merchant.__name__), mid, mid, settings.currency, CONFIGURED))
        key = tmk or (old.tmk if old else settings.test_tmk)
        base = old or Terminal(
            id=ctx.ids.new(Terminal.__name__),
            tid=tid,
            mid="",
            dialect="",
            provisioned=CONFIGURED,
            signed_on=False,
            tmk=key,
            pik="",
            mak="",
            tdk="",
            old_mak="",
            epoch=1,
            last_stan="",
            last_seen="",
            currency="",
        )
        changed = replace(
            base,
            mid=base.mid if mid is None else mid,
            tmk=key,
            provisioned=base.provisioned if mid is None and tmk is None else CONFIGURED,
            signed_on=base.signed_on and base.tmk == key,
            request=base.request if request is None else request,
        )
        store.commit([*rows, changed])
        return old is None

    # ---- batches

    def close_batch(self, batch: str, user: str, reason: str, key: str) -> dict[str, Any]:
        """Close a batch by hand with a name and a reason; the batch whole, as it is then.

        key: the Idempotency-Key; the same one again closes nothing and gives the batch as it is. Waits for the
        terminal's requests in flight. Raises Problem: 404 for no such batch, 409 when it is not open, when its terminal
        still has a request in flight, or when the key was used for another close.
        """
        asked = f"{user}: {reason}"
        found = self._batch(batch)
        before = self.closes.get(key)
        if before is not None and before != (batch, asked):
            raise Problem(409, "idempotency-key", "this key was used for another close", "header/Idempotency-Key")
        if before is None and found.forced != asked:
            if found.state not in (BatchState.OPEN, BatchState.DISPUTED):
                raise Problem(409, "not-open", f"batch {batch} is {found.state.value} already", "path")
            wait = self.runner.settings.issuer_timeout_s + CLOSE_WAIT_S
            try:
                self.runner.submit_and_wait(CloseBatch(found.id, found.tid, asked), wait)
            except (Busy, TimeoutError) as error:
                raise Problem(409, "in-flight", f"nothing is closed yet: {error or 'no answer'}", "path") from error
            found = self._batch(batch)
            if found.state in (BatchState.OPEN, BatchState.DISPUTED):
                raise Problem(409, "in-flight", f"terminal {found.tid} has a request in flight; try again", "path")
            while len(self.closes) >= KEYS_MAX:
                self.closes.pop(next(iter(self.closes)))
            self.closes[key] = (batch, asked)
            log.info("batch closed by hand", batch=batch, tid=found.tid, by=user)
        shape = self.desk.batch(batch)
        assert shape is not None, f"batch {batch} has gone"
        return shape

    def _batch(self, public: str) -> Batch:
        batch_id = shapes.row_id(Batch, public)
        found = self.desk.reader.select(Batch, {"id": batch_id}) if batch_id is not None else []
        if not found:
            raise Problem(404, "not-found", f"there is no batch {public!r}", "path")
        return found[0]

    # ---- a terminal's journal, reset, shutdown

    def take_journal(self, tid: str, raw: bytes) -> dict[str, Any]:
        """Keep the newest journal of a terminal beside the host's books, for /findings."""
        if len(raw) > JOURNAL_BYTES_MAX:
            raise Problem(413, "too-large", f"at most {JOURNAL_BYTES_MAX} bytes of journal", "body")
        try:
            text = raw.decode()
            book = journal.parse(text.splitlines())
        except UnicodeDecodeError as error:
            raise Problem(422, "bad-journal", "not UTF-8 text", "body") from error
        except journal.JournalError as error:
            raise Problem(422, "bad-journal", str(error), "body") from error
        if book.tid != tid:
            raise Problem(422, "bad-journal", f"this is the journal of {book.tid}, not of {tid}", "body/tid")
        # A terminal that does not mask its journal must not bring card numbers into the store.
        masked = replace(book, rows=tuple(replace(row, pan=_masked(row.pan)) for row in book.rows))
        lines = mask_text(journal.dump(masked))
        old = next((u for u in self.desk.journals() if u.tid == tid), None)

        def rows(ctx: Context) -> tuple[Row, ...]:
            row_id = old.id if old else ctx.ids.new(JournalUpload.__name__)
            return (JournalUpload(row_id, tid, ctx.now.isoformat(timespec="milliseconds"), lines),)

        self.runner.submit_and_wait(Record(rows))
        return {"tid": tid, "rows": len(book.rows), "archived": len(book.archived), "events": len(book.events)}

    def reset(self, scope: str, key: str, *, keep_history: bool) -> None:
        """Clear books, messages, faults and findings of a scope; merchants, terminals and keys stay."""
        column = {"terminal": "tid", "merchant": "mid"}.get(scope)
        if column is not None and not self.desk.reader.select(Terminal, {column: key}, limit=1):
            raise Problem(404, "not-found", f"there is no {scope} {key!r}", "body/id")
        try:
            self.runner.reset(scope, key, keep_history=keep_history)
        except Busy as error:
            raise Problem(409, "in-flight", str(error), "body/id") from error
        if scope == "all":
            self.faults.clear()
            self.scripts.clear()

    def prune(self, rows: int, days: int) -> int:
        """Drop old messages, a step at a time between two groups; how many went. 0 = no bound of that kind."""
        now = self.clock.now()

        def step(store: Store, after: int) -> Chunk:
            through = max(0, store.newest(MessageRow) - rows) if rows else 0
            return store.prune(after, through, now - timedelta(days=days) if days else None)

        after = gone = 0
        while True:
            chunk = self.runner.call(lambda store, _, after=after: step(store, after))  # type: ignore[misc]
            after, gone = chunk.looked, gone + chunk.gone
            if not chunk.more:
                return gone

    def shutdown(self) -> None:
        """As SIGTERM; returns at once, the end comes after what is decided has been answered."""
        self.stop()


def _masked(pan: str) -> str:
    """A card number as the books keep it; one that came masked stays as it is."""
    return mask_pan(pan) if pan.isdigit() else pan
