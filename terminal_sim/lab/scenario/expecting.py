"""The verdict of a run: what is not as its file expects, one sentence each; none = all is as expected.

Two things are wrong whatever the file says: a fault that never struck, since the run then did not do what the file
says, and a broken invariant that the file does not name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from host.checker.purchases import Purchase
from terminal_sim.lab.scenario.model import Expect, SettledSpec, Value
from terminal_sim.lab.world.record import Lane, Run, Settled, StepEnd

Ends = Mapping[str, Value | tuple[str, ...]]
"""What is expected of a step: "end" (a word or several), "code"."""


def mismatches(run: Run, expect: Expect) -> tuple[str, ...]:
    """What is not as expected. expect: of the file, or of the variant that was played: it has its own end, and what the
    steps themselves expect does not hold for it."""
    return tuple(_sentences(run, expect))


def _sentences(run: Run, expect: Expect) -> Iterator[str]:
    yield from unfired(run)
    if not run.variant:
        yield from _steps(run, {step.id: step.expect for step in run.scenario.steps if step.expect})
    yield from _steps(run, expect.steps)
    if expect.classes is not None and set(expect.classes) != set(run.classes):
        yield f"classes {_listed(run.classes)}; expected {_listed(expect.classes)}"
    yield from _findings(run, expect.findings or ())
    if expect.settled is not None:
        yield from _settled(run.settled, expect.settled)
    if expect.exceptions is not None and Counter(expect.exceptions) != Counter(run.exceptions):
        yield f"exceptions {_listed(run.exceptions)}; expected {_listed(expect.exceptions)}"
    yield from _purchases({one.intent.name: one for one in run.purchases}, expect.purchases)
    yield from _shown(run, expect)


def nothing_expected(run: Run) -> bool:
    """Whether the file, or the variant that was played, says nothing of how it must end."""
    scenario = run.scenario
    if run.variant:
        return next((one.expect for one in scenario.variants if one.name == run.variant), Expect()) == Expect()
    return scenario.expect == Expect() and not any(step.expect for step in scenario.steps)


def unfired(run: Run) -> Iterator[str]:
    """Faults that never struck, by their place in the file, from 1."""
    for nth, (fault, times) in enumerate(zip(run.faults, run.fired, strict=True), start=1):
        if not times:
            line = f", line {fault.line}" if fault.line else ""
            yield f"fault {nth} ({fault.action} at {fault.at}{line}) never fired"


def _steps(run: Run, expected: Mapping[str, Ends]) -> Iterator[str]:
    ended = {end.id: end for end in run.steps}
    for name, wanted in expected.items():
        if name not in ended:
            yield f"step {name} never ended; expected {_wanted(wanted)}"
        elif not _as_wanted(ended[name], wanted):
            end = ended[name]
            code = f" ({end.code})" if end.code else ""
            yield f"step {name} ended {end.end}{code}; expected {_wanted(wanted)}"


def _as_wanted(end: StepEnd, wanted: Ends) -> bool:
    return end.end in (_words(wanted["end"]) if "end" in wanted else (end.end,)) and wanted.get("code", end.code) == (
        end.code
    )


def _words(value: Value | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _wanted(wanted: Ends) -> str:
    end = " or ".join(_words(wanted["end"])) if "end" in wanted else "any end"
    return f"{end} ({wanted['code']})" if "code" in wanted else end


def _findings(run: Run, expected: Sequence[str]) -> Iterator[str]:
    yield from (f"finding {finding}" for finding in run.findings if finding.invariant not in expected)
    broken = {finding.invariant for finding in run.findings}
    yield from (f"{name} holds; expected to be broken" for name in expected if name not in broken)


def _settled(closed: Sequence[Settled], expected: Sequence[SettledSpec]) -> Iterator[str]:
    """Every batch that holds anything, as often as it was closed: a number may serve again."""
    left = list(closed)
    missing = [wanted for wanted in expected if not _take(left, wanted, whole=True)]
    for wanted in missing:
        name = f"batch {wanted.batch} of {wanted.tid}"
        other = _take(left, wanted, whole=False)
        is_so = f"closed with {_figures(other)}" if other else "not closed"
        if other or wanted.count or wanted.amount:
            yield f"{name} is {is_so}; expected {_figures(wanted)}"
    for batch in left:
        if batch.count or batch.amount:
            yield f"batch {batch.batch} of {batch.tid} is closed with {_figures(batch)}; nothing is expected of it"


def _take(left: list[Settled], wanted: SettledSpec, *, whole: bool) -> Settled | None:
    """The batch that is meant, taken off the list. whole: with its figures."""
    for batch in left:
        same = (batch.tid, batch.batch) == (wanted.tid, wanted.batch)
        if same and (not whole or (batch.count, batch.amount) == (wanted.count, wanted.amount)):
            left.remove(batch)
            return batch
    return None


def _figures(batch: Settled | SettledSpec) -> str:
    return f"{batch.count} item{'' if batch.count == 1 else 's'}, net {batch.amount}"


def _purchases(ended: Mapping[str, Purchase], expected: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, figures in expected.items():
        if name not in ended:
            yield f"purchase {name} was never tried; expected {_listed(f'{k} {v}' for k, v in figures.items())}"
            continue
        one = ended[name]
        got = {"debited": one.debited, "settled": one.settled}
        for figure, times in figures.items():
            if figure == "delivered":
                if one.intent.delivered != times:
                    told = "nobody knows" if one.intent.delivered is None else str(one.intent.delivered)
                    yield f"purchase {name}: delivered {told}; expected {times}"
            elif got[figure] != times * one.intent.amount:
                yield f"purchase {name}: {figure} {got[figure]}; expected {times} x {one.intent.amount}"


def _shown(run: Run, expect: Expect) -> Iterator[str]:
    screens = [seen.text for seen in run.trace if seen.lane is Lane.SCREEN]
    there = {piece for piece in (*expect.shown, *expect.not_shown) if any(piece in text for text in screens)}
    yield from (f"no screen showed «{piece}»" for piece in expect.shown if piece not in there)
    yield from (f"a screen showed «{piece}»" for piece in expect.not_shown if piece in there)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
