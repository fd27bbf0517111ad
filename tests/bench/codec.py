"""The codec against pyiso8583 with the same spec dictionaries: reading and writing a typical 0200 of each family.

    python -m tests.bench.codec [--rounds 400] [--doc PAGE]

Both sides take turns in one process on one core, turns of the same length, and of each the best one counts: what others
do on the machine only makes a turn slower. Before the clock runs, both must have read and written the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import iso8583

from specs import codec
from specs.dialect import load
from specs.quick import PATIENCE
from tests.bench.processes import SERVER_CORE, on_core
from tests.vectors.test_vectors import VECTORS, best, body_of

Figures = dict[str, Any]
TYPICAL = {
    "CUP": "cup-0200-purchase-tracks-j8583",
    "NAC": "nac-0200-sale-chip-crediban",
    "ISO 87": "iso87-0200-iso8583lib",
}
"""Family -> a real 0200 of tests/vectors/vectors.json: sales from tracks with a PIN, from a chip, from tracks."""
GOAL = 8
"""Times as fast as pyiso8583, reading and writing together."""
TURN_US = 500.0
"""Of one function: short, so that some turns are left alone on a busy machine too, and as many of either side."""
ROUNDS = 400
MARK = "codec"


@dataclass(frozen=True, slots=True)
class Sides:
    """What is timed: each takes nothing and gives back what it read or wrote."""

    elements: int
    size: int
    read: tuple[Callable[[], object], Callable[[], object]]
    write: tuple[Callable[[], object], Callable[[], object]]


def sides(name: str) -> Sides:
    """Ours and pyiso8583's for one real message, after both have agreed on it. Raises: AssertionError."""
    row = next(row for row in VECTORS if row["name"] == name)
    found = best(row)
    dialect, body = load(found.dialect), body_of(row, found)
    spec = codec._plan(dialect).spec
    for _ in range(PATIENCE + 1):
        message = codec.decode(body, dialect)
        assert codec.encode(message, dialect) == body, name
    values, _ = iso8583.decode(body, spec)
    assert {de: values[str(de)] for de in message.fields} == message.fields, name
    assert bytes(iso8583.encode(values, spec)[0]) == body, name
    return Sides(
        len(message.fields),
        len(body),
        (lambda: codec.decode(body, dialect), lambda: iso8583.decode(body, spec)),
        (lambda: codec.encode(message, dialect), lambda: iso8583.encode(values, spec)),
    )


def measure(rounds: int = ROUNDS) -> list[Figures]:
    """One row a family. Units: microseconds a message, [ours, pyiso8583]."""
    found = []
    with on_core(SERVER_CORE):
        for family, name in TYPICAL.items():
            timed = sides(name)
            turns = (*timed.read, *timed.write)
            least = [_us(act, 20) for act in turns]
            for _ in range(rounds):
                for at, act in enumerate(turns):
                    least[at] = min(least[at], _us(act, max(1, round(TURN_US / least[at]))))
            about = {"family": family, "vector": name, "elements": timed.elements, "bytes": timed.size}
            found.append(about | {"read": least[:2], "write": least[2:]})
    return found


def _us(act: Callable[[], object], calls: int) -> float:
    begun = time.perf_counter()
    for _ in range(calls):
        act()
    return (time.perf_counter() - begun) / calls * 1e6


def table(found: Iterable[Figures]) -> str:
    """The table, in Markdown."""
    rows = ["| µs a message | codec | pyiso8583 | times as fast |", "|---|---|---|---|"]
    for each in found:
        about = f"{each['family']} 0200, {each['elements']} elements, {each['bytes']} bytes"
        for what in ("read", "write"):
            rows.append(_row(f"{about}: {what}", *each[what]))
        both = [sum(pair) for pair in zip(each["read"], each["write"], strict=True)]
        rows.append(_row(f"{about}: **both** (goal: {GOAL})", *both))
    return "\n".join(rows)


def _row(what: str, ours: float, theirs: float) -> str:
    return f"| {what} | {ours:.1f} | {theirs:.1f} | {theirs / ours:.1f} |"


def main() -> None:
    """Measure, print, and put it into a page if one is named."""
    from tests.bench.report import put_into

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--doc", type=Path, default=None, help="a page that has the marks: the table goes between")
    given = parser.parse_args()
    text = table(measure(given.rounds))
    print(text)
    if given.doc is not None:
        given.doc.write_text(put_into(given.doc.read_text("utf8"), text, MARK), "utf8")


if __name__ == "__main__":
    main()
