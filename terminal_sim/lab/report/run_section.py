"""One run on a page: verdict, what people notice, schedule, steps, purchases and money, findings, time line, replay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Child, Html, el, join
from terminal_sim.lab.report.pieces import chips, number, table
from terminal_sim.lab.report.shape import EntryShape, FindingShape, PurchaseShape, RunShape, StepShape
from terminal_sim.lab.report.timeline import event_id, finding_id, timeline, tone_of

NOTHING = "—"
LINK_MAX = 34
"""Characters of an event's text in a link to it."""


def run_section(run: RunShape, key: str, *, unfolded: bool = True) -> Html:
    """A run under its own heading. key: its anchor, and the beginning of every anchor inside."""
    body = el("details", el("summary", heading(run)), *run_body(run, key), open=unfolded, cls="run")
    return el("section", body, id=key, aria_label=run["title"])


def only_run(run: RunShape, key: str) -> Html:
    """A run that has the page for itself: its heading is the page's."""
    return el("section", *run_body(run, key), id=key, aria_label=run["title"], cls="only")


def run_body(run: RunShape, key: str) -> list[Child]:
    """Everything below the heading."""
    return [
        _verdict(run),
        el("blockquote", run["notice"]) if run["notice"] else None,
        _schedule(run),
        el("div", _steps(run), _settled(run), cls="pair"),
        purchases(run),
        findings(run, key),
        el("h3", "Time line"),
        _legend(),
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
    mark = el("span", "✓" if run["ok"] else "✗", cls="mark", aria_hidden="true")
    tone = "wrong" if not run["ok"] else "good" if run["clean"] else "noted"
    wrong = el("ul", *(el("li", sentence) for sentence in run["mismatches"])) if run["mismatches"] else None
    return el("div", el("p", mark, run["sentence"]), wrong, cls=f"verdict {tone}")


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
            el("td", str(batch["count"]), cls="n"),
            el("td", words.money(batch["amount"], run["currency"]), cls="n"),
            el("td", batch["state"]),
        )
        for batch in run["settled"]
    ]
    rows = rows or [el("tr", el("td", "no batch is closed", colspan=4, cls="quiet"))]
    shown = table("Batches that the host has closed", ("Batch", number("Items"), number("Net"), "State"), rows)
    listed = ", ".join(run["exceptions"])
    return join(
        (el("div", shown, el("p", f"On the host's exception lists: {listed}", cls="quiet") if listed else None),)
    )


def purchases(run: RunShape) -> Html | None:
    """Each purchase with its three numbers, its class and who is out how much."""
    if not run["purchases"]:
        return None
    heads = ["Purchase", *map(number, ("Amount", "Debited", "Settled", "Delivered")), "Class"]
    heads += [
        el("th", party.capitalize(), scope="col", cls=f"n{' first' if party == 'cardholder' else ''}")
        for party in words.PARTIES
    ]
    rows = [_purchase(run, purchase) for purchase in run["purchases"]]
    total = [_share(run["money"][party], run["currency"], party) for party in words.PARTIES]  # type: ignore[literal-required]
    rows.append(el("tr", el("th", "Together", scope="row", colspan=6), *total, cls="sum"))
    note = el("p", "+ has too much, − is out of pocket; the four add up to zero.", cls="quiet")
    return join((table("Purchases, and who is out how much", heads, rows), note))


def _purchase(run: RunShape, purchase: PurchaseShape) -> Html:
    currency, amount = run["currency"], purchase["amount"]
    delivered = NOTHING if purchase["delivered"] is None else f"{purchase['delivered']} ×"
    reason = el("span", f" {purchase['reason']}", cls="quiet") if purchase["reason"] else None
    shares = [_share(purchase["money"][party], currency, party) for party in words.PARTIES]  # type: ignore[literal-required]
    return el(
        "tr",
        el("td", el("b", purchase["name"])),
        el("td", words.money(amount, currency), cls="n"),
        el("td", *_times(purchase["debited"], amount, currency), cls="n"),
        el("td", *_times(purchase["settled"], amount, currency), cls="n"),
        el("td", delivered, cls="n"),
        el("td", chips(purchase["classes"]), reason),
        *shares,
        cls=None if purchase["classes"] in (["clean"], ["late"]) else "struck",
    )


def _times(value: int, amount: int, currency: str) -> list[Child]:
    """ "268.00 1 ×": the sum, and how often it is the purchase's amount."""
    whole = amount and value % amount == 0
    return [words.money(value, currency), el("span", f" {value // amount} ×" if whole else " ≠", cls="quiet")]


def _share(value: int, currency: str, party: str) -> Html:
    place = "n first" if party == words.PARTIES[0] else "n"
    sign = "" if not value else " plus" if value > 0 else " minus"
    return el("td", words.signed(value, partial(words.money, currency=currency)), cls=place + sign)


# ---- findings


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
    heads += [
        el("th", name, scope="colgroup", colspan=2, cls="first")
        for name in ("Terminal's journal", "Host's books", "Issuer")
    ]
    return table("The ledgers side by side", heads, [_entry(run, entry) for entry in entries], "ledgers")


def _entry(run: RunShape, entry: EntryShape) -> Html:
    sides = (
        (entry["terminal"], entry["terminal_amount"]),
        (entry["host"], entry["host_amount"]),
        (entry["issuer"], entry["issuer_amount"]),
    )
    cells = [_side(word, amount, run["currency"]) for word, amount in sides]
    several = len(run["world"]["terminals"]) > 1
    return el(
        "tr",
        el("td", f"{entry['tid']} " if several else None, entry["batch"]),
        el("td", entry["stan"]),
        el("td", entry["kind"]),
        *cells,
        cls="struck" if entry["differs"] else None,
    )


def _side(word: str, amount: int | None, currency: str) -> Html:
    if amount is None and not word:
        return el("td", "nothing", colspan=2, cls="first none")
    shown = words.money(amount, currency) if amount is not None else NOTHING
    return join((el("td", word, cls="first"), el("td", shown, cls="n")))


def _on_the_line(run: RunShape, finding: FindingShape, key: str) -> Html | None:
    if not finding["events"]:
        return None
    links = [_link(run, index, key) for index in finding["events"]]
    return el("p", "On the time line: ", join(links, " · "), cls="links")


def _link(run: RunShape, index: int, key: str) -> Html:
    event = run["trace"][index]
    at = words.clock(run["world"]["start"], event["at"])
    text = words.short(event["text"], LINK_MAX)
    cls = "wrong" if event["fault"] else None
    return el("a", f"{at} {text}", href=f"#{event_id(key, index)}", title=f"{event['lane']}: {event['text']}", cls=cls)


# ---- the end


def _legend() -> Html:
    items = (
        ("arrow-ok", "a frame"),
        ("arrow-lost", "lost"),
        ("arrow-late", "late"),
        ("flag", "a fault strikes"),
        ("hatch", "switched off"),
    )
    return el(
        "ul", *(el("li", el("i", cls=f"key {name}"), text) for name, text in items), cls="legend", aria_hidden="true"
    )


def replay(run: RunShape) -> Html | None:
    """How to play it again."""
    file, command = run["replay"]["file"], run["replay"]["command"]
    if not command:
        return None
    link = el("a", file, href=file) if file else None
    return el(
        "div",
        el("p", el("b", "Play it again"), cls="label"),
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
