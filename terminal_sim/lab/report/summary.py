"""What a terminal window shows after a run: a few lines, exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from terminal_sim.lab.report import words
from terminal_sim.lab.report.shape import ExplorationShape, ExploredFindingShape, RunShape

_STYLES: Mapping[str, str] = {"clean": "green", "late": "yellow", "bad": "red"}
NAMES_MAX = 6
"""Points and actions that a line names before it counts the rest."""
ALL = "all of them in the report (--report DIR)"


def summary(runs: Sequence[RunShape], console: Console) -> None:
    """How many runs ended as expected and in which classes; then every one that did not."""
    for line in run_lines(runs):
        console.print(line, soft_wrap=True)


def summary_exploration(found: ExplorationShape, console: Console) -> None:
    """What was played, what was found, what was missed."""
    for line in exploration_lines(found):
        console.print(line, soft_wrap=True)


def run_lines(runs: Sequence[RunShape]) -> Iterator[Text]:
    """The lines of `summary`."""
    wrong = [run for run in runs if not run["ok"]]
    frames = sum(run["messages"] for run in runs)
    free = sum(run["ok"] and not run["expected"] for run in runs)
    head = Text(f"{words.many(len(runs), 'run')}: {len(runs) - len(wrong) - free:,} as expected")
    head.append(f", {free:,} of which nothing was expected" if free else "", "yellow")
    head.append(f", {len(wrong):,} not", "bold red" if wrong else "")
    yield head.append(f" · {words.many(frames, 'frame')}")
    if runs:
        yield _classes(Counter(name for run in runs for name in run["classes"]))
    for run in wrong:
        yield from _wrong(run)


def _wrong(run: RunShape) -> Iterator[Text]:
    named = f"{run['slug']} with {run['variant']}" if run["variant"] else run["slug"]
    yield Text("✗ ", "bold red").append(named, "bold").append(f": {run['sentence']}", "")
    for sentence in run["mismatches"]:
        yield Text(f"    {sentence}")
    for fault in run["faults"]:
        if not fault["fired"]:
            yield Text(f"    never struck: {fault['text']}", "yellow")


def _classes(found: Counter[str]) -> Text:
    line = Text("classes: ")
    for place, name in enumerate(words.by_rank(found)):
        tone = words.worst(name.split()).tone
        line.append(", " if place else "").append(f"{name} {found[name]:,}", _STYLES[tone])
    return line


# ---- the explorer


def exploration_lines(found: ExplorationShape) -> Iterator[Text]:
    """The lines of `summary_exploration`."""
    counts, seconds = found["counts"], found["seconds"]
    kinds = [words.many(counts["singles"], "single"), words.many(counts["doubles"], "double")]
    kinds += [f"{counts['random']:,} random"] if counts["random"] else []
    rate = f", {counts['schedules'] / seconds:,.0f} a second" if seconds else ""
    yield Text(f"{found['slug']}: {found['setting']}", "bold")
    yield Text(f"{words.many(counts['schedules'], 'schedule')} ({', '.join(kinds)}) in {words.span(seconds)}{rate}")
    early = words.stopped(found)
    if early:
        yield Text(f"{early}; what follows is what was found until then", "yellow")
    yield _classes(Counter(found["classes"]))
    yield from _findings(found["findings"], bool(early))
    yield from _bugs(found)
    never = "not {} yet" if early else "never {}"
    unused = (("points", "reached", found["unreached"]), ("actions", "fired", found["unfired"]))
    for noun, names in ((f"{what} {never.format(done)}", names) for what, done, names in unused):
        if names:
            yield _named(noun, names)


def _findings(findings: Sequence[ExploredFindingShape], early: bool) -> Iterator[Text]:
    if not findings:
        yield Text("no findings until then", "yellow") if early else Text("no findings", "green")
        return
    schedules = sum(finding["count"] for finding in findings)
    yield Text(f"{words.many(len(findings), 'finding')} in {words.many(schedules, 'schedule')}", "bold red")
    for finding in findings:
        broken = f" ({', '.join(finding['invariants'])})" if finding["invariants"] else ""
        line = Text(f"  {finding['id']} ").append(finding["problem"] or " + ".join(finding["classes"]), "red")
        line.append(f"{broken}, {finding['count']:,} ×: {'; '.join(finding['schedule']) or 'no fault'}", "")
        yield line.append(f" ({finding['rough']})", "yellow") if finding["rough"] else line


def _bugs(found: ExplorationShape) -> Iterator[Text]:
    bugs = found["bugs"]
    if not bugs:
        return
    missed = sorted({bug["name"] for bug in bugs if not bug["found"]})
    names = {bug["name"] for bug in bugs}
    yield Text(f"planted bugs: {len(names) - len(missed):,} of {len(names):,} found", "red" if missed else "green")
    if missed:
        yield Text(f"  {'not found yet' if found['stopped'] else 'missed'}: {', '.join(missed)}", "red")


def _named(noun: str, names: Sequence[str]) -> Text:
    rest = f" and {len(names) - NAMES_MAX:,} more: {ALL}" if len(names) > NAMES_MAX else ""
    return Text(f"{noun}: {', '.join(names[:NAMES_MAX])}{rest}", "yellow")
