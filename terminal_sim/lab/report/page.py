"""The page of played runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Child, Html, el
from terminal_sim.lab.report.pieces import cell, chip, chips, number, table
from terminal_sim.lab.report.run_section import heading, only_run, run_section
from terminal_sim.lab.report.shape import ReportShape, RunShape, SkippedShape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""Nothing is fetched from anywhere, whatever a text on the page tries."""
OPEN_MAX = 3
"""So many runs stand open from the start; of more, only those that did not end as expected."""


def report_page(report: ReportShape) -> str:
    """All runs on one page."""
    runs = report["runs"]
    keys = [f"r{number}" for number in range(1, len(runs) + 1)]
    few = len(runs) <= OPEN_MAX
    title = runs[0]["title"] if len(runs) == 1 else "Scenarios played"
    body: list[Child] = [_top(runs)]
    if report["stopped"]:
        body.append(
            el("p", f"Stopped early ({report['stopped']}): what follows is what was played until then.", cls="note")
        )
    if len(runs) == 1:
        body.append(only_run(runs[0], keys[0]))
    else:
        body.append(_index(runs, keys))
        body += [run_section(run, key, unfolded=few or not run["ok"]) for run, key in zip(runs, keys, strict=True)]
    if report["skipped"]:
        body.append(_skipped(report["skipped"]))
    return document(title, body)


def document(title: str, body: Sequence[Child]) -> str:
    """A whole HTML file: style and script inside, nothing outside."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · Closeout"),
        el("style", Html(_asset("style.css"))),
    )
    page = el("body", el("main", *body), el("script", Html(_asset("script.js"))))
    return f"<!DOCTYPE html>\n{el('html', head, page, lang='en')}\n"


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


# ---- the top


def _top(runs: Sequence[RunShape]) -> Html:
    brand = el("p", "Closeout · scenarios", cls="brand")
    if len(runs) == 1:
        return el("header", brand, heading(runs[0], "h1"), cls="top")
    return el("header", brand, el("h1", words.many(len(runs), "run")), el("ul", *_counts(runs)), cls="top")


def _counts(runs: Sequence[RunShape]) -> Iterator[Html]:
    """How many ended as expected, how many did not, which faults never struck, and the classes."""
    wrong = sum(not run["ok"] for run in runs)
    unfired = sum(not fault["fired"] for run in runs for fault in run["faults"])
    yield el("li", el("b", f"{len(runs) - wrong:,}"), " as expected", cls="clean")
    yield el("li", el("b", f"{wrong:,}"), " not", cls="bad" if wrong else None)
    if unfired:
        noun = "fault" if unfired == 1 else "faults"
        yield el("li", el("b", f"{unfired:,}"), f" {noun} never struck", cls="late")
    found = Counter(name for run in runs for name in run["classes"])
    for name in words.worst_first(found):
        yield el("li", chip(name), f" {found[name]:,}", title=words.tag(name).meaning)


def _index(runs: Sequence[RunShape], keys: Sequence[str]) -> Html:
    rows = [_index_row(run, key) for run, key in zip(runs, keys, strict=True)]
    heads = (number("Case"), "Run", "With", "End", "Class", number("Faults"), number("Frames"))
    return table("", heads, rows, "index")


def _skipped(skipped: Sequence[SkippedShape]) -> Html:
    rows = [_skipped_row(one) for one in skipped]
    head = el("tr", *(el("th", name, scope="col") for name in ("Case", "Run", "With", "Why")))
    listed = el("table", el("thead", head), el("tbody", *rows), cls="index")
    return el("section", el("h2", f"Not played: {words.many(len(rows), 'run')}"), el("div", listed, cls="scroll"))


def _skipped_row(one: SkippedShape) -> Html:
    return el(
        "tr",
        el("td", one["case"] or None, cls="n"),
        el("td", one["title"]),
        el("td", one["variant"] or "reference"),
        el("td", one["why"]),
    )


def _index_row(run: RunShape, key: str) -> Html:
    end = el("span", "as expected", cls="ok") if run["ok"] else el("span", "not as expected", cls="wrong")
    return el(
        "tr",
        cell("Case", run["case"] or None),
        el("td", el("a", run["title"], href=f"#{key}")),
        cell("With", run["variant"] or "reference", cls=""),
        el("td", end),
        el("td", chips(run["classes"])),
        cell("Faults", len(run["faults"])),
        cell("Frames", f"{run['messages']:,}"),
        cls=None if run["ok"] else "struck",
    )
