"""Which line the host reads: each as its bytes come, or (a deviation) one to the end of its frame before another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that have arrived at the host's end of a line."""

    line: int
    unit: str
    dialect: str
    data: bytes = field(repr=False)


class EachAsItComes:
    """The reference."""

    def __init__(self, read: Callable[[Piece], None]) -> None:
        self._read = read

    def hear(self, piece: Piece) -> None:
        """Bytes arrive."""
        self._read(piece)

    def go_on(self) -> None:
        """A line has ended, and with it perhaps a frame."""

    def forget(self) -> None:
        """The process is gone."""


class OneAtATime(EachAsItComes):
    """What comes on other lines waits, in order. begun: the line that is inside a frame, 0 = none is."""

    def __init__(self, read: Callable[[Piece], None], begun: Callable[[], int]) -> None:
        super().__init__(read)
        self._begun = begun
        self._waiting: deque[Piece] = deque()

    def hear(self, piece: Piece) -> None:
        """As above."""
        self._waiting.append(piece)
        self.go_on()

    def go_on(self) -> None:
        """Read what may be read by now, in the order in which it came."""
        while (piece := self._next()) is not None:
            self._waiting.remove(piece)
            self._read(piece)

    def _next(self) -> Piece | None:
        begun = self._begun()
        return next((piece for piece in self._waiting if begun in (0, piece.line)), None)

    def forget(self) -> None:
        """As above: what nobody has read is lost with it."""
        self._waiting.clear()
