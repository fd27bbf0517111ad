"""How far an exploration is: a bar with schedules a second and the time left, on a terminal only."""

from __future__ import annotations

from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Silent:
    """Says nothing."""

    def begin(self, total: int) -> None:
        """Nothing."""

    def advance(self, weight: int, schedules: int, findings: int) -> None:
        """Nothing."""


class Bar:
    """The bar. Totals are foreseen from the run without a fault; a random tier without a bound has none."""

    def __init__(self, console: Console, what: str) -> None:
        columns = (
            *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()),
            *(TextColumn("{task.fields[schedules]:,} schedules, {task.fields[rate]:,.0f}/s"),),
            *(TextColumn("{task.fields[suspects]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(what, total=None, schedules=0, rate=0.0, suspects="")
        self._schedules = self._suspects = 0
        self._began = monotonic()

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, total: int) -> None:
        """So much there is to do."""
        self._began = monotonic()
        self._bar.update(self._task, total=total or None)

    def advance(self, weight: int, schedules: int, findings: int) -> None:
        """So much of it is done."""
        self._schedules += schedules
        self._suspects += findings
        rate = self._schedules / max(monotonic() - self._began, 1e-9)
        said = f"[red]{self._suspects:,} not clean[/red]" if self._suspects else "all clean"
        self._bar.update(self._task, advance=weight, schedules=self._schedules, rate=rate, suspects=said)
