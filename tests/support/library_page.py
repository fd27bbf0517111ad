"""docs/library.md from the scenario files: `python -m tests.support.library_page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from host.checker.auditor import AUDIT
from host.checker.classes import CLASSES
from host.checker.invariants import INVARIANTS, LIVENESS, WAITING
from terminal_sim.lab.scenario import reading
from terminal_sim.lab.scenario.model import Expect, Scenario

PAGE = Path(__file__).resolve().parents[2] / "docs" / "library.md"
_SHOWN = 12
"""Runs of one line."""
_HEAD = """# The library of failures

One scenario file for each of the 84 cases of the failure catalogue, under its number and name, in
`terminal_sim/lab/scenarios`. `terminal-sim run NAME` plays one, `terminal-sim run --all` all that can be played; the
shape of a file is described in [scenarios.md](scenarios.md), the bugs in [planted-bugs.md](planted-bugs.md).
{counted}

Each is played with the reference terminal and host, and once more for each typical bug. The tags of an end are those of
the catalogue: `clean`; `late` clean, after the promised day; `CNS` charged, not settled; `SNC` settled, not charged;
`CNSale` charged, no sale; `SNF` sold, not funded; `DC` double charged; `DS` double settled; `AMT` wrong amount; `TM`
totals do not agree; `STUCK` cannot sell or settle. Where the end by the rules is not `clean`, the money is not lost
without a trace: what stands behind it is on the host's list of exceptions, or on the terminal's slip. Some files begin
with a terminal or host that has a bug already («with …»), since the rules are about what the other end does then.

This page is written from the files by `python -m tests.support.library_page`.

<!-- library -->
| case | name | what people notice | end, rules kept | end with a bug |
|---|---|---|---|---|
"""
_TRIPPED = """
## What trips what

Each invariant, and each tag, with the scenarios that break it or end so, in brackets the run with a bug of that file;
what nothing trips does not count as tested. `AUDIT` is the auditor, which works the balances out from the messages
alone. `E3`, `E4` and `E7` wait for funding.

<!-- tripped -->
| what | tripped by |
|---|---|
"""
_WAITING = """
## Waiting

These are in the library by name and are not played yet:

<!-- waiting -->
| case | name | what people notice | what it waits for |
|---|---|---|---|
"""


def scenarios() -> list[Scenario]:
    """The file of every case, by its number; days that nothing is wrong with have none."""
    every = (reading.load(path) for path in reading.library().values())
    return sorted((one for one in every if one.case), key=lambda one: one.case)


def page(every: list[Scenario]) -> str:
    """The whole page."""
    played = "".join(_played(one) for one in every if not one.waiting)
    waiting = "".join(_waiting(one) for one in every if one.waiting)
    return _HEAD.replace("{counted}", _counted(every)) + played + _TRIPPED + "".join(_trips(every)) + _WAITING + waiting


def _counted(every: list[Scenario]) -> str:
    """How many there are to play, and how many are not played yet."""
    playable = [one for one in every if not one.waiting]
    runs = sum(1 + len(one.variants) for one in playable)
    waiting = ", ".join(str(one.case) for one in every if one.waiting)
    return (
        f"{len(playable)} cases can be played: {runs} runs with their variants, and the standard days besides. "
        f"{len(every) - len(playable)} wait for funding, which is not built ({waiting})."
    )


def tripped(every: Iterable[Scenario]) -> dict[str, tuple[str, ...]]:
    """Invariant or tag -> the runs that end with it, as their files say it: `slug`, `slug [variant]`.

    What a file says of its findings and tags is all there is, or its run fails (tests/explore/test_library_runs.py).
    """
    found: dict[str, list[str]] = {}
    for one in every:
        ends = ((one.slug, one.expect), *((f"{one.slug} [{v.name}]", v.expect) for v in one.variants))
        for name, expect in () if one.waiting else ends:
            for tag in (*(expect.findings or ()), *(expect.classes or ())):
                found.setdefault(tag, []).append(name)
    return {tag: tuple(runs) for tag, runs in found.items()}


def _trips(every: Iterable[Scenario]) -> Iterator[str]:
    runs = tripped(every)
    for tag in (*INVARIANTS, *LIVENESS, AUDIT, *CLASSES):
        named = runs.get(tag, ("nothing",))
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        yield f"| `{tag}` | {', '.join(f'`{name}`' for name in named[:_SHOWN])}{more} |\n"
    for tag in WAITING:
        yield f"| `{tag}` | waits for funding: {WAITING[tag]} |\n"


def _played(one: Scenario) -> str:
    ends = "; ".join(_variants(one)) or "-"
    return f"| {one.case} | `{one.slug}` | {one.notice} | {_setting(one)}{_end(one.expect)} | {ends} |\n"


def _waiting(one: Scenario) -> str:
    return f"| {one.case} | `{one.slug}` | {one.notice} | {one.waiting} |\n"


def _setting(one: Scenario) -> str:
    """What is wrong from the beginning."""
    bugs = (*one.world.bugs, *(bug for unit in one.terminals for bug in unit.bugs))
    return f"with `{'`, `'.join(bugs)}`: " if bugs else ""


def _variants(one: Scenario) -> Iterator[str]:
    for variant in one.variants:
        bugs = (*variant.bugs, *variant.host_bugs)
        name = f"`{'` + `'.join(bugs)}`" if bugs else variant.name
        profile = variant.world.get("profile", one.world.profile)
        where = f" ({profile})" if profile != one.world.profile else ""
        yield f"{name}{where} {_end(variant.expect)}"


def _end(expect: Expect) -> str:
    return ", ".join(expect.classes or ("not said",))


if __name__ == "__main__":
    PAGE.write_text(page(scenarios()), encoding="utf8")
