"""The explorer's page: what was played, the matrix, the findings with their smallest schedules, what was missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Child, Html, el
from terminal_sim.lab.report.matrix import matrix
from terminal_sim.lab.report.page import document
from terminal_sim.lab.report.pieces import cell, chips, number, table, verdict
from terminal_sim.lab.report.run_section import run_body
from terminal_sim.lab.report.shape import BugShape, ExplorationShape, ExploredFindingShape

NOT_YET = "not found yet"
OPEN_MAX = 3
"""So many findings stand open from the start."""


def exploration_page(found: ExplorationShape) -> str:
    """All of it on one page."""
    body: list[Child] = [
        _top(found),
        el("h3", "Points and actions"),
        el("p", "A press on a field shows how its schedules ended.", cls="quiet"),
        matrix(found),
        *_findings(found["findings"]),
        _bugs(found["bugs"], NOT_YET if found["stopped"] else "missed"),
        _unused("Points not reached yet" if found["stopped"] else "Points never reached", found["unreached"]),
        _unused("Actions not fired yet" if found["stopped"] else "Actions never fired", found["unfired"]),
        _sample(found),
    ]
    return document(f"{found['title']}, explored", body)


# ---- the top


def _top(found: ExplorationShape) -> Html:
    return el(
        "header",
        el("p", "Closeout · exploration", cls="brand"),
        el("h1", found["title"]),
        el("p", found["setting"], cls="setting"),
        _verdict(found),
        el("dl", *_facts(found), cls="facts"),
        el("ul", *_ends(found)),
        _spent(found),
        cls="top",
    )


def _verdict(found: ExplorationShape) -> Html:
    findings = found["findings"]
    played = words.many(found["counts"]["schedules"], "schedule")
    wrong = sum(finding["count"] for finding in findings)
    text = f"No findings in {played}."
    if findings:
        text = f"{words.many(len(findings), 'finding')}: {wrong:,} of {played} did not end as the rules say."
    stopped = words.stopped(found)
    early = f" S{stopped[1:]}; what was not played is not known." if stopped else ""
    return verdict(text + early, "wrong" if findings else "noted" if early else "good")


def _facts(found: ExplorationShape) -> Iterator[Html]:
    counts, seconds = found["counts"], found["seconds"]
    rate = f"{counts['schedules'] / seconds:,.0f} a second" if seconds else "–"
    rows = (
        ("Schedules", f"{counts['schedules']:,}"),
        ("One fault", f"{counts['singles']:,}"),
        ("Two faults", f"{counts['doubles']:,}"),
        ("Random", f"{counts['random']:,}"),
        ("With an outage", f"{counts['windows']:,}"),
        ("Time", words.span(seconds)),
        ("Rate", rate),
        ("Processes", str(found["jobs"])),
        ("Played twice", f"{counts['twice']:,}"),
        ("Shared ends", f"{counts['shared']:,}"),
    )
    for name, value in rows:
        if value != "0":
            yield el("div", el("dt", name), el("dd", value))


def _ends(found: ExplorationShape) -> Iterator[Html]:
    for end in words.by_rank(found["classes"]):
        yield el("li", chips(end.split()), f" {found['classes'][end]:,}")


def _spent(found: ExplorationShape) -> Html | None:
    whole = sum(found["spent"].values())
    if not whole:
        return None
    shares = sorted(found["spent"].items(), key=lambda item: -item[1])
    text = ", ".join(f"{name} {100 * seconds / whole:.0f} %" for name, seconds in shares)
    return el("p", f"Where the time went: {text}.", cls="quiet")


# ---- findings


def _findings(findings: Sequence[ExploredFindingShape]) -> list[Html]:
    if not findings:
        return []
    return [el("h3", "Findings"), *(_finding(found, unfolded=len(findings) <= OPEN_MAX) for found in findings)]


def _finding(found: ExploredFindingShape, *, unfolded: bool) -> Html:
    title = el("h2", found["id"], " ", _name(found), cls="inline")
    run = found["run"]
    size = f"{words.many(found['faults'], 'fault')}, {words.many(found['steps'], 'step')}"
    size += f", after {words.many(found['tries'], 'run')} of shrinking" if found["tries"] else ""
    kinds = ", ".join(found["kinds"]) or "no fault"
    signature = f"{words.many(found['count'], 'schedule')} with this signature: {kinds}."
    which = f"As it was found ({found['rough']})" if found["rough"] else "The smallest"
    body: list[Child] = [el("p", f"{signature} {which}: {size}.", cls="quiet"), _as_found(found)]
    if run is not None:
        body += run_body(run, found["id"], found=True)
    else:
        body += [*(el("p", el("code", line)) for line in found["schedule"]), el("pre", found["toml"], cls="command")]
    return el("section", el("details", el("summary", title), *body, open=unfolded, cls="run"), id=found["id"])


def _name(found: ExploredFindingShape) -> list[Child]:
    if found["problem"]:
        return [found["problem"]]
    broken = ", ".join(found["invariants"])
    return [chips(found["classes"]), el("span", f" {broken}", cls="variant") if broken else None]


def _as_found(found: ExploredFindingShape) -> Html | None:
    if found["first"] == found["schedule"] or not found["first"]:
        return None
    lines = el("ol", *(el("li", el("code", line)) for line in found["first"]), cls="faults")
    return el("details", el("summary", "As it was found", cls="quiet"), lines)


# ---- what was looked for, and what was not met


def _bugs(bugs: Sequence[BugShape], unseen: str) -> Html | None:
    """unseen: what is said of one that was not found."""
    if not bugs:
        return None
    heads: list[str | Html] = ["Planted bug", "Case", "Profile", "Result", "Smallest schedule", "Class", "Invariants"]
    missed = sum(not bug["found"] for bug in bugs)
    caption = f"Planted bugs: {len(bugs) - missed} found, {missed} {unseen}"
    return table(caption, [*heads, number("Schedules")], [_bug(bug, unseen) for bug in bugs])


def _bug(bug: BugShape, unseen: str) -> Html:
    result = el("span", "found", cls="ok") if bug["found"] else el("b", unseen, cls="wrong")
    schedule = [el("div", el("code", line)) for line in bug["schedule"]]
    return el(
        "tr",
        el(
            "td",
            el("b", bug["name"]),
            el("div", bug["meaning"], cls="quiet") if bug["meaning"] else None,
            cls="whole",
        ),
        cell("Case", bug["case"] or None, cls=""),
        cell("Profile", bug["profile"], cls=""),
        el("td", result),
        el("td", *schedule, cls="whole"),
        el("td", chips(bug["classes"])),
        el("td", ", ".join(bug["invariants"])),
        cell("Schedules", f"{bug['schedules']:,}"),
        cls=None if bug["found"] else "struck",
    )


def _unused(title: str, names: Sequence[str]) -> Html | None:
    if not names:
        return None
    listed = el("ul", *(el("li", el("code", name)) for name in names), cls="columns")
    return el("div", el("h3", f"{title}: {len(names)}"), listed)


def _sample(found: ExplorationShape) -> Html | None:
    run = found["sample"]
    if run is None:
        return None
    title = el("h2", "The day without a fault")
    return el("section", el("details", el("summary", title), *run_body(run, "day"), cls="run"), id="day")
