"""One worker reads all lines: it stays with a line until its frame is whole, and nobody else is heard meanwhile."""

from __future__ import annotations

from host.deviations.model import Deviation

DEVIATION = Deviation(
    name="one-at-a-time",
    what="A line is read to the end of its frame before another is: who sends slowly keeps all others waiting.",
    cases=(73,),
    rule="L1",
    one_line=True,
)
