"""Markup from values: nothing that anybody wrote can become markup."""

from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_sim.lab.report.html import Html, el, join, text


def test_text_is_escaped_and_markup_is_not() -> None:
    assert el("p", "a < b & c", el("b", '"x"')) == "<p>a &lt; b &amp; c<b>&quot;x&quot;</b></p>"


def test_attributes() -> None:
    made = el("a", "x", href="#r1", cls='k" onclick="y', aria_label="say", open=True, hidden=False, title=None)
    assert made == '<a href="#r1" class="k&quot; onclick=&quot;y" aria-label="say" open>x</a>'


def test_children_may_be_numbers_nothing_and_lists() -> None:
    assert el("p", 1, None, ["a", [el("br")]]) == "<p>1a<br></p>"
    assert join(["<", Html("<i>")], " & ") == "&lt; &amp; <i>"


def test_a_void_element_holds_nothing() -> None:
    with pytest.raises(AssertionError):
        el("br", "x")


@pytest.mark.parametrize("bad", ["\x00", "\x1b[31m", "\u202e", "\u2066", "\ufffe", "\ud800", "\x85"])
def test_what_cannot_be_shown_or_turns_the_writing_around_is_replaced(bad: str) -> None:
    shown = text(f"a{bad}b")
    assert "\ufffd" in shown
    assert bad[0] not in shown


@given(st.text())
def test_any_text_stays_text(value: str) -> None:
    made = text(value)
    assert not set(made) & set("<>\"'")
    assert "&" not in made.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").replace("&quot;", "").replace(
        "&#x27;", ""
    )
    if "\ufffd" not in made:
        assert unescape(made) == value
