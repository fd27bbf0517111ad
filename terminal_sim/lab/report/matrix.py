"""The matrix of the explorer's page: kinds of points down, actions across, the worst class in each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Html, el
from terminal_sim.lab.report.pieces import chips
from terminal_sim.lab.report.shape import CellShape, ExplorationShape, ExploredFindingShape

PLACES: Mapping[str, str] = {
    "wire": "Frames",
    "conn": "Connections",
    "link": "Lines",
    "crash": "Crashes",
    "store": "Writes",
    "op": "People",
    "clock": "Clocks",
    "cal": "Calendar",
}
"""Headings by the first word of a point."""
LISTED_MAX = 40
"""Findings that a field lists."""


def matrix(found: ExplorationShape) -> Html:
    """The whole matrix with its legend. Each field opens what was found there."""
    fields = {(cell["kind"], cell["action"]): (number, cell) for number, cell in enumerate(found["cells"])}
    actions = found["actions"]
    head = el("tr", el("td"), *(el("th", el("span", action), scope="col") for action in actions))
    bodies = [_group(place, list(kinds), actions, fields) for place, kinds in groupby(_ordered(found["kinds"]), _place)]
    table = el("table", el("thead", head), *bodies, cls="matrix")
    return el(
        "div",
        el("div", table, cls="scroll"),
        _letters(found["cells"]),
        *(_sheet(number, cell, found["findings"]) for number, cell in fields.values()),
    )


_Fields = Mapping[tuple[str, str], tuple[int, CellShape]]


def _place(kind: str) -> str:
    return kind.partition("/")[0]


def _ordered(kinds: Sequence[str]) -> list[str]:
    """Kinds of one place side by side, the order inside kept."""
    places = list(PLACES)
    return sorted(kinds, key=lambda kind: places.index(_place(kind)) if _place(kind) in places else len(places))


def _group(place: str, kinds: Sequence[str], actions: Sequence[str], fields: _Fields) -> Html:
    title = el("tr", el("th", PLACES.get(place, place), scope="rowgroup", colspan=len(actions) + 1), cls="kind")
    return el("tbody", title, *(_line(kind, actions, fields) for kind in kinds))


def _line(kind: str, actions: Sequence[str], fields: _Fields) -> Html:
    cells = [_field(*fields[kind, action]) if (kind, action) in fields else el("td", cls="empty") for action in actions]
    return el("tr", el("th", kind, scope="row"), *cells)


def _field(number: int, cell: CellShape) -> Html:
    """The letter of the worst class; a small 2 when it takes a second fault to come to that."""
    worst = words.worst(cell["worst"])
    second = cell["single"] != [] and words.worst(cell["single"]).name != worst.name
    said = f"{cell['kind']}, {cell['action']}: {' '.join(cell['worst']) or words.CLEAN}"
    said += f", {words.many(cell['schedules'], 'schedule')}"
    button = el(
        "button",
        worst.letter,
        el("sup", 2) if second else None,
        type="button",
        popovertarget=_sheet_id(number),
        title=said,
        aria_label=said,
        cls=f"cell {worst.tone}",
    )
    return el("td", button)


def _letters(cells: Sequence[CellShape]) -> Html:
    """What the letters mean, those that occur."""
    seen = {words.worst(cell["worst"]).name for cell in cells}
    items = [
        el("li", el("b", tag.letter, cls=tag.tone), f"{tag.name}: {tag.meaning}")
        for tag in reversed(words.TAGS)
        if tag.name in seen
    ]
    two = el("li", el("b", el("sup", 2)), "only together with a second fault")
    return el("ul", *items, two, cls="letters")


# ---- what stands behind a field


def _sheet_id(number: int) -> str:
    return f"cell{number}"


def _sheet(number: int, cell: CellShape, findings: Sequence[ExploredFindingShape]) -> Html:
    kind = f"{cell['kind']} {cell['action']}"
    led = [finding for finding in findings if kind in finding["kinds"]]
    return el(
        "div",
        el("h4", el("code", cell["kind"]), " ", cell["action"]),
        el("p", f"{words.many(cell['schedules'], 'schedule')} with it.", *_alone(cell)),
        el("ul", *_ends(cell)),
        el("p", el("b", "Findings")) if led else None,
        el("ol", *map(_finding, led[:LISTED_MAX])) if led else None,
        el("p", f"and {len(led) - LISTED_MAX} more", cls="quiet") if len(led) > LISTED_MAX else None,
        id=_sheet_id(number),
        popover=True,
    )


def _alone(cell: CellShape) -> Iterator[Html | str]:
    if cell["single"]:
        yield " Alone: "
        yield chips(cell["single"])


def _ends(cell: CellShape) -> Iterator[Html]:
    for end in words.by_rank(cell["counts"]):
        yield el("li", chips(end.split()), f" {cell['counts'][end]:,}")


def _finding(finding: ExploredFindingShape) -> Html:
    said = "; ".join(finding["schedule"]) or "no fault"
    return el(
        "li", el("a", finding["id"], href=f"#{finding['id']}"), " ", chips(finding["classes"]), " ", el("code", said)
    )
