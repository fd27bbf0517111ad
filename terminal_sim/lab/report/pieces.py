"""Small pieces that both pages share: a class as a coloured word, a table with its caption."""

from __future__ import annotations

from collections.abc import Sequence

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Child, Html, el, join


def chip(name: str) -> Html:
    """A class as a coloured word."""
    tag = words.tag(name)
    return el("span", name, cls=f"chip {tag.tone}", title=tag.meaning)


def chips(classes: Sequence[str]) -> Html:
    """Several of them."""
    return join((chip(name) for name in classes), " ")


def table(caption: str, heads: Sequence[str | Html], rows: Sequence[Html], cls: str = "") -> Html:
    """A table that is stacked where the page is narrow: a row becomes a card, its cells stand in lines, and each says
    its `data-label` (`cell`), since the heads are gone. heads: texts, or cells that are made already."""
    head = el("tr", *(h if isinstance(h, Html) else el("th", h, scope="col") for h in heads))
    title = el("caption", caption) if caption else None
    body = el("table", title, el("thead", head), el("tbody", *rows), cls=f"stack {cls}".rstrip())
    return el("div", body, cls="scroll")


def cell(label: str, *children: Child, cls: str = "n") -> Html:
    """A cell that says on a phone what it is: the head of its column, as a label beside it."""
    return el("td", *children, data_label=label, cls=cls or None)


def number(text: str) -> Html:
    """The head of a column of figures."""
    return el("th", text, scope="col", cls="n")


def verdict(sentence: str, tone: str, wrong: Sequence[str] = ()) -> Html:
    """What it comes to, in a box. tone: "good", "noted" (as expected, and not good) or "wrong"."""
    mark = el("span", "✗" if tone == "wrong" else "✓", cls="mark", aria_hidden="true")
    listed = el("ul", *(el("li", text) for text in wrong)) if wrong else None
    return el("div", el("p", mark, sentence), listed, cls=f"verdict {tone}")
