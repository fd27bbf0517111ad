"""The broken invariants of a run: the ledgers that differ side by side, the evidence, and the way to the time line."""

from __future__ import annotations

from collections.abc import Sequence

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Html, el, join
from terminal_sim.lab.report.pieces import cell, table
from terminal_sim.lab.report.shape import EntryShape, FindingShape, RunShape
from terminal_sim.lab.report.timeline import event_id, finding_id

NOTHING = "—"
SIDES = ("Terminal's journal", "Host's books", "Issuer")
LINK_MAX = 34
"""Characters of an event's text in a link to it."""


def findings(run: RunShape, key: str) -> Html | None:
    """The broken invariants, each with its rows in the ledgers, its evidence and where it is on the time line."""
    if not run["findings"]:
        return None
    shown = [_finding(run, finding, finding_id(key, place), key) for place, finding in enumerate(run["findings"])]
    return join((el("h3", f"Broken: {words.many(len(shown), 'invariant finding')}"), *shown))


def _finding(run: RunShape, finding: FindingShape, anchor: str, key: str) -> Html:
    evidence = el("details", el("summary", "Evidence"), el("pre", "\n".join(finding["evidence"])))
    return el(
        "article",
        el("h4", el("span", finding["invariant"], cls="chip bad"), " ", finding["subject"]),
        el("p", finding["text"]),
        _ledgers(run, [run["entries"][place] for place in finding["entries"]]),
        _on_the_line(run, finding, key),
        evidence if finding["evidence"] else None,
        id=anchor,
        tabindex=-1,
        cls="finding",
    )


def _ledgers(run: RunShape, entries: Sequence[EntryShape]) -> Html | None:
    if not entries:
        return None
    heads: list[str | Html] = ["Batch", "STAN", "What"]
    heads += [el("th", name, scope="colgroup", colspan=2, cls="first") for name in SIDES]
    return table("The ledgers side by side", heads, [_entry(run, entry) for entry in entries], "ledgers")


def _entry(run: RunShape, entry: EntryShape) -> Html:
    sides = (
        (entry["terminal"], entry["terminal_amount"]),
        (entry["host"], entry["host_amount"]),
        (entry["issuer"], entry["issuer_amount"]),
    )
    cells = [_side(name, *side, run["currency"]) for name, side in zip(SIDES, sides, strict=True)]
    several = len(run["world"]["terminals"]) > 1
    return el(
        "tr",
        cell("Batch", f"{entry['tid']} " if several else None, entry["batch"], cls=""),
        cell("STAN", entry["stan"], cls=""),
        el("td", entry["kind"]),
        *cells,
        cls="struck" if entry["differs"] else None,
    )


def _side(name: str, word: str, amount: int | None, currency: str) -> Html:
    if amount is None and not word:
        return el("td", "nothing", colspan=2, data_label=name, cls="first none")
    shown = words.money(amount, currency) if amount is not None else NOTHING
    return join((cell(name, word, cls="first"), el("td", shown, cls="n")))


def _on_the_line(run: RunShape, finding: FindingShape, key: str) -> Html | None:
    if not finding["events"]:
        return None
    links = [_link(run, index, key) for index in finding["events"]]
    return el("p", "On the time line: ", join(links, " · "), cls="links")


def _link(run: RunShape, index: int, key: str) -> Html:
    event = run["trace"][index]
    at = words.clock(run["world"]["start"], event["at"])
    text = words.short(event["text"].partition(" ✗")[0], LINK_MAX)
    cls = "wrong" if event["fault"] else None
    return el("a", f"{at} {text}", href=f"#{event_id(key, index)}", title=f"{event['lane']}: {event['text']}", cls=cls)
