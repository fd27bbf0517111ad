"""One run on a page: verdict, what people notice, schedule, steps, purchases and money, findings, time line, replay."""

from __future__ import annotations

from host.rows import BatchState
from terminal_sim.lab.report import words
from terminal_sim.lab.report.finding_section import findings
from terminal_sim.lab.report.html import Child, Html, el
from terminal_sim.lab.report.money_table import purchases
from terminal_sim.lab.report.pieces import cell, number, table, verdict
from terminal_sim.lab.report.shape import RunShape, StepShape
from terminal_sim.lab.report.timeline import timeline, tone_of, unit_chip

NOTHING = "—"
ALONE = (
    f"{BatchState.CLOSED_WITH_EXCEPTIONS}: the host has closed it without an agreement with the terminal on its totals "
    "(at the cutoff, by hand, or after an upload that did not settle it). Where nothing differs, no list has an item."
)
"""What the state of a batch means that reads as if something had to be on a list (rules.md, section 7)."""


def run_section(run: RunShape, key: str, *, unfolded: bool = True) -> Html:
    """A run under its own heading. key: its anchor, and the beginning of every anchor inside."""
    body = el("details", el("summary", heading(run)), *run_body(run, key), open=unfolded, cls="run")
    return el("section", body, id=key, aria_label=run["title"])


def only_run(run: RunShape, key: str) -> Html:
    """A run that has the page for itself: its heading is the page's."""
    return el("section", *run_body(run, key), id=key, aria_label=run["title"], cls="only")


def run_body(run: RunShape, key: str, *, found: bool = False) -> list[Child]:
    """Everything below the heading. found: the run shows what an exploration has found, whatever its file expected."""
    return [
        verdict(run["end"] + ".", "wrong") if found else _verdict(run),
        el("blockquote", run["notice"]) if run["notice"] else None,
        _schedule(run),
        el("div", _steps(run), _settled(run), cls="pair"),
        purchases(run),
        findings(run, key),
        el("h3", "Time line"),
        _legend(run),
        timeline(run, key),
        replay(run),
    ]


# ---- heading and verdict


def heading(run: RunShape, level: str = "h2") -> Html:
    """The title of a run, with its number and its variant."""
    number = el("span", f"Case {run['case']}", cls="case") if run["case"] else None
    variant = el("span", f"with {run['variant']}", cls="variant") if run["variant"] else None
    return el(level, number, " ", run["title"], " ", variant)


def _verdict(run: RunShape) -> Html:
    tone = "wrong" if not run["ok"] else "good" if run["clean"] else "noted"
    return verdict(run["sentence"], tone, run["mismatches"])


def _schedule(run: RunShape) -> Html:
    world = run["world"]
    setting = [f"{world['dialect']}, profile {world['profile']}", f"operator: {world['on_unknown']}"]
    setting += [f"with {bug}" for bug in world["bugs"]]
    return el(
        "div",
        el("p", el("b", "Schedule"), cls="label"),
        el("ol", *_fault_lines(run), cls="faults") if run["faults"] else el("p", "no fault", cls="quiet"),
        el("p", " · ".join(setting), cls="setting"),
        cls="schedule",
    )


def _fault_lines(run: RunShape) -> list[Html]:
    return [
        el("li", el("code", fault["text"]), "" if fault["fired"] else el("b", " never struck", cls="wrong"))
        for fault in run["faults"]
    ]


# ---- tables


def _steps(run: RunShape) -> Html:
    return table("Steps", ("Over at", "Step", "What", "End"), [_step(run, step) for step in run["steps"]])


def _step(run: RunShape, step: StepShape) -> Html:
    over = words.clock(run["world"]["start"], step["at"]) if step["at"] >= 0 else NOTHING
    code = f" {step['code']}" if step["code"] else ""
    tries = f" · {words.many(step['attempts'], 'attempt')}" if step["attempts"] > 1 else ""
    end = el("span", f"{step['end']}{code}", cls=f"end {tone_of(step['end'])}") if step["end"] else "never begun"
    said = el("span", tries, cls="quiet") if tries else None
    return el(
        "tr",
        el("td", over, cls="t"),
        el("td", el("b", step["id"])),
        el("td", step["what"], _at(run, step)),
        el("td", end, said),
    )


def _at(run: RunShape, step: StepShape) -> Html | None:
    several = len(run["world"]["terminals"]) > 1 and step["unit"]
    return el("span", f" at {step['unit']}", cls="quiet") if several else None


def _settled(run: RunShape) -> Html:
    rows = [
        el(
            "tr",
            el("td", f"{batch['tid']} ", el("b", batch["batch"])),
            cell("Items", batch["count"]),
            cell("Net", words.money(batch["amount"], run["currency"])),
            el("td", batch["state"]),
        )
        for batch in run["settled"]
    ]
    rows = rows or [el("tr", el("td", "no batch is closed", colspan=4, cls="quiet"))]
    shown = table("Batches that the host has closed", ("Batch", number("Items"), number("Net"), "State"), rows)
    listed = ", ".join(run["exceptions"])
    alone = any(batch["state"] == BatchState.CLOSED_WITH_EXCEPTIONS for batch in run["settled"])
    return el(
        "div",
        shown,
        el("p", f"On the host's exception lists: {listed}", cls="quiet") if listed else None,
        el("p", ALONE, cls="quiet note") if alone else None,
    )


# ---- the end


def _legend(run: RunShape) -> Html:
    items = (
        ("arrow-ok", "a frame"),
        ("arrow-lost", "lost"),
        ("arrow-late", "late"),
        ("flag", "a fault strikes"),
        ("hatch", "switched off, or the line is down"),
    )
    keys = [el("li", el("i", cls=f"key {name}", aria_hidden="true"), text) for name, text in items]
    units = run["world"]["terminals"]
    if len(units) > 1:
        keys += [el("li", unit_chip(units, unit), f" {unit}") for unit in units]
    return el("ul", *keys, cls="legend")


def replay(run: RunShape) -> Html | None:
    """How to play it again."""
    file, command = run["replay"]["file"], run["replay"]["command"]
    if not command:
        return None
    link = el("a", file, href=file) if file else None
    return el(
        "div",
        el("p", el("b", "Play it again"), " in the folder of this page", cls="label"),
        el("pre", command, cls="command"),
        el(
            "p",
            "Scenario file: " if link else None,
            link,
            " · " if link else None,
            "trace ",
            el("code", run["trace_hash"][:16]),
            cls="quiet",
        ),
        cls="replay",
    )
