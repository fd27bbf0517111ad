"""One decision in the making: rows put so far, visible at once to what the same decision reads next.

A Draft writes into the working set and remembers how to take it back; `discard` is what an exception while deciding
leads to, so a failed decision leaves no trace.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TypeVar

from host.engine.context import Context
from host.engine.events import Ask, Remark
from host.engine.working import WorkingSet
from host.rows import BORN, Alarm, Row

RowT = TypeVar("RowT", bound=Row)
_BORN = {row_class: itemgetter(*names) for row_class, names in BORN.items()}
"""Row class -> what its rows are born with and keep in every later form, out of their `__dict__`."""


class Draft:
    """Shape: `ws` the books as they stand within this decision; `ctx` time, settings, ids; `puts` in order."""

    def __init__(self, ws: WorkingSet, ctx: Context) -> None:
        self.ws = ws
        self.ctx = ctx
        self._puts: list[Row] = []
        self._before: list[Row | None] = []
        """What stood in the place of each of these."""
        self.notes: list[str | Remark] = []
        self.asks: list[Ask] = []
        """Legs that are owed to the issuer and that the decision does not hand over itself."""

    @property
    def puts(self) -> tuple[Row, ...]:
        """The final form of every row this decision changed, one each, in order of first change."""
        return tuple({(type(row), row.id): row for row in self._puts}.values())

    def put(self, row: RowT) -> RowT:
        """Remember a new row or a new form of one; gives it back for chaining."""
        old = self.ws.put(row)
        self._puts.append(row)
        self._before.append(old)
        if old is not None and (born := _BORN.get(type(row))) is not None:
            assert born(old.__dict__) == born(row.__dict__), (old, row)
        return row

    def discard(self) -> None:
        """Take everything back, last first."""
        for row, old in zip(reversed(self._puts), reversed(self._before), strict=True):
            self.ws.take_back(row, old)
        self._before.clear()
        self._puts.clear()
        self.notes.clear()
        self.asks.clear()

    def new_id(self, table: type) -> int:
        """The next id of a table; one that a discarded draft took stays unused."""
        return self.ctx.ids.new(table.__name__)

    @property
    def now(self) -> str:
        """The host's time as rows store it."""
        return self.ctx.stamp

    def note(self, text: str | Remark) -> None:
        """Something worth telling beside the message (kept with it in the message log)."""
        self.notes.append(text)

    def alarm(self, tid: str, code: str, text: str, *, txn_id: int = 0, batch_id: int = 0) -> None:
        """Something a person should look at; also a note."""
        self.put(Alarm(self.new_id(Alarm), self.now, tid, code, text, txn_id, batch_id))
        self.note(f"{code}: {text}")
