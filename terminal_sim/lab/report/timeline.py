"""The time line as HTML: one lane a party, time downwards, frames as arrows, faults in colour, crashes as breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Html, el
from terminal_sim.lab.report.layout import HEALING, Chapter, Sort, Spot, chapters
from terminal_sim.lab.report.shape import RunShape, StepShape

FOLD_FROM = 120
"""A trace with more events shows only those steps in which a fault struck, the others folded."""
HEADS: tuple[tuple[str, str, str], ...] = (
    ("operator", "Operator", "and cardholder"),
    ("screen", "Terminal", "screen"),
    ("flash", "Terminal", "flash"),
    ("wire", "Wire", "terminal ⇄ host"),
    ("host", "Host", "acquirer"),
    ("link", "Wire", "host ⇄ issuer"),
    ("issuer", "Issuer", "card's bank"),
    ("merchant", "Merchant", "account"),
)
_TITLES: Mapping[str, str] = {name: f"{first} {second}" for name, first, second in HEADS}
_PARTY: Mapping[str, str] = {"H": "host", "I": "issuer"}
_ZIGZAG = "M0 3" + "".join(f"L{x} {1 if index % 2 else 5}" for index, x in enumerate(range(3, 100, 3)))


def timeline(run: RunShape, key: str) -> Html:
    """The time line of a run. key: begins every id on it ("r3"), so that a page can hold several."""
    found = chapters(run["trace"], run["faults"])
    if not found:
        return el("p", "Nothing happened.", cls="quiet")
    told = _links(run, key)
    fold = len(run["trace"]) > FOLD_FROM
    body = [_chapter(run, place, chapter, key, told, fold=fold) for place, chapter in enumerate(found)]
    return el(
        "div",
        el("div", *(el("span") for _ in range(len(HEADS) + 1)), cls="rails", aria_hidden="true"),
        el("div", el("span", "Time", cls="t"), *(_head(*head) for head in HEADS), cls="heads", aria_hidden="true"),
        *body,
        cls="tl",
        role="group",
        aria_label=f"Time line of {run['title']}",
    )


def event_id(key: str, index: int) -> str:
    """The anchor of an event."""
    return f"{key}-e{index}"


def finding_id(key: str, index: int) -> str:
    """The anchor of a finding."""
    return f"{key}-f{index}"


def _links(run: RunShape, key: str) -> dict[int, list[Html]]:
    """By event at which a fault struck: links back to the findings that name it."""
    found: dict[int, dict[str, Html]] = {}
    for place, finding in enumerate(run["findings"]):
        name = finding["invariant"]
        link = el("a", name, href=f"#{finding_id(key, place)}", cls="back", title="to the finding")
        for index in (index for index in finding["events"] if run["trace"][index]["fault"]):
            found.setdefault(index, {}).setdefault(name, link)
    return {index: list(links.values()) for index, links in found.items()}


def _head(name: str, first: str, second: str) -> Html:
    return el("span", el("b", first), " ", second, cls=f"h-{name}")


# ---- steps


def _chapter(
    run: RunShape, place: int, chapter: Chapter, key: str, told: Mapping[int, list[Html]], *, fold: bool
) -> Html:
    room = f"padding-top:{chapter.first.gap_px // 2}px" if place else None
    rows: list[Html] = []
    before: Spot | None = None
    for spots in chapter.rows:
        if before is not None and spots[0].gap_label:
            rows.append(_wait(spots[0]))
        rows.append(_row(run, spots, before, key, told))
        before = spots[0]
    return el(
        "details",
        el("summary", *_band(run, place, chapter), style=room),
        el("ol", *rows),
        open=chapter.eventful or not (fold or _is_healing(run, place, chapter)),
        cls="chapter struck" if chapter.eventful else "chapter",
    )


def _band(run: RunShape, place: int, chapter: Chapter) -> tuple[Html, Html]:
    """The heading of a step: how long nothing happened before it, what it does, how it ended."""
    waited = chapter.first.gap_label if place else ""
    return el("span", waited, cls="t"), el("span", *_title(run, place, chapter), cls="band")


def _title(run: RunShape, place: int, chapter: Chapter) -> list[Html | str]:
    count = el("span", words.many(chapter.count, "event"), cls="count")
    if _is_healing(run, place, chapter):
        text = "then what is owed is done, and each terminal shows that it can sell and settle"
        return [el("b", "All faults end"), el("span", text, cls="what"), count]
    if chapter.step == HEALING:
        return [el("b", "Before the first step"), count]
    step = run["steps"][chapter.step]
    return [el("b", f"{step['id']} "), el("span", step["what"], cls="what"), *_end(step), count]


def _is_healing(run: RunShape, place: int, chapter: Chapter) -> bool:
    return chapter.step >= len(run["steps"]) or (chapter.step == HEALING and place > 0)


def _end(step: StepShape) -> list[Html | str]:
    if not step["end"]:
        return []
    code = f" {step['code']}" if step["code"] else ""
    return [el("span", f"{step['end']}{code}", cls=f"end {tone_of(step['end'])}")]


_TONES: Mapping[str, str] = {
    **dict.fromkeys(("approved", "ok", "agreed", "done", "nothing"), "clean"),
    **dict.fromkeys(("partial", "not-agreed", "pending", "declined", "refused-locally", "not-sent"), "late"),
    **dict.fromkeys(("unknown", "unanswered", "power-cut"), "bad"),
}


def tone_of(end: str) -> str:
    """The colour of how a step ended."""
    return _TONES.get(end, "late")


# ---- rows


def _wait(spot: Spot) -> Html:
    style = f"height:{spot.gap_px}px"
    return el("li", el("span", spot.gap_label, cls="t"), *_off(spot.off_before), el("i"), cls="wait", style=style)


def _row(run: RunShape, spots: Sequence[Spot], before: Spot | None, key: str, told: Mapping[int, list[Html]]) -> Html:
    first = spots[0]
    at = words.clock(run["world"]["start"], first.at)
    same = before is not None and words.clock(run["world"]["start"], before.at) == at
    moment = el("time", at, cls="t same" if same else "t", title=f"{first.at:.3f} s after the start")
    cells = [_DRAW[spot.sort](run, spot, key, _marks(spot, told.get(spot.index, []))) for spot in spots]
    return el("li", moment, *_off(first.off), *cells, cls=f"row {first.sort}{' struck' if first.struck else ''}")


def _marks(spot: Spot, back: Sequence[Html]) -> Html | None:
    """The fault's flag, and links back to the findings."""
    flag = [_flag(spot)] if spot.fault else []
    return el("span", *flag, *back, cls="marks") if flag or back else None


def _flag(spot: Spot) -> Html:
    return el("span", f"fault {spot.fault}: {spot.action}", cls="flag", title=spot.point or None)


def _off(columns: Sequence[str]) -> list[Html]:
    return [el("i", cls=f"off c-{column}", title="switched off") for column in columns]


def _note(run: RunShape, spot: Spot, key: str, marks: Html | None) -> Html:
    return _cell(spot, key, _title_of(spot.column), el("span", *_who(run, spot), spot.text, cls="text"), marks)


def _frame(run: RunShape, spot: Spot, key: str, marks: Html | None) -> Html:
    mti, label = _label(spot)
    fate = "lost" if spot.lost else "late" if spot.late else ""
    way = _way(spot)
    text = el("span", *_who(run, spot), el("b", mti), f" {label}" if label else "", cls="text")
    arrow = el("span", "✗" if spot.lost else None, cls="arrow", aria_hidden="true")
    said = el("span", f"; {fate}" if fate else None, cls="sr")
    classes = " ".join(("right" if spot.rightward else "left", fate))
    return _cell(spot, key, way, text, said, arrow, marks, cls=classes)


def _break(run: RunShape, spot: Spot, key: str, marks: Html | None) -> Html:
    path = el("path", d=_ZIGZAG)
    zigzag = el("svg", path, cls="zigzag", viewBox="0 0 99 6", preserveAspectRatio="none", aria_hidden="true")
    text = el("span", *_who(run, spot), spot.text, cls="text")
    return _cell(spot, key, _title_of(spot.column), text, marks, zigzag, cls="wide" if spot.column == "screen" else "")


_DRAW = {Sort.NOTE: _note, Sort.FRAME: _frame, Sort.BREAK: _break}


def _cell(spot: Spot, key: str, said: str, *children: Html | None, cls: str = "") -> Html:
    lane = el("span", f"{said}: ", cls="lane")
    anchor = event_id(key, spot.index)
    return el("div", lane, *children, id=anchor, tabindex=-1, cls=f"c c-{spot.column} {cls}".rstrip())


def _title_of(column: str) -> str:
    return _TITLES.get(column, column)


def _way(spot: Spot) -> str:
    """Which way a frame goes, in words."""
    ends = ("host", "issuer") if spot.column == "link" else ("terminal", "host")
    return " → ".join(ends if spot.rightward else reversed(ends))


def _who(run: RunShape, spot: Spot) -> list[Html | str]:
    """Which terminal it is, where there are several: by the end of its name that tells it from the others."""
    units = run["world"]["terminals"]
    if len(units) < 2 or spot.who not in units:
        return []
    return [unit_chip(units, spot.who), " "]


def unit_chip(units: Sequence[str], unit: str) -> Html:
    """A terminal's short name; the whole one on a closer look."""
    return el("span", short_names(units)[unit], cls=f"unit u{units.index(unit) % 4}", title=unit)


def short_names(units: Sequence[str]) -> dict[str, str]:
    """The fewest last characters, two at least, that tell all units apart."""
    longest = max(map(len, units), default=0)
    for size in range(2, longest + 1):
        if len({unit[-size:] for unit in units}) == len(units):
            return {unit: unit[-size:] for unit in units}
    return {unit: unit for unit in units}


def _label(spot: Spot) -> tuple[str, str]:
    """The MTI and the words beside it: a trace may begin its text with the MTI or leave it to the point."""
    mti = spot.point.split("/")[2].partition("#")[0] if spot.point.count("/") >= 2 else ""
    head, _, rest = spot.text.partition(" ")
    if head.isdigit() and len(head) == 4:
        return head, rest.lstrip(" ·:")
    return mti, spot.text
