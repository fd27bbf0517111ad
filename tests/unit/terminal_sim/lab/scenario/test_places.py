"""Lines of keys in TOML, counted here by hand; and the scanner finds what `tomllib` finds, no more and no less."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from terminal_sim.lab.scenario.places import Spot, lines
from terminal_sim.toml_places import KeyPath

TEXT = '''# first
a = 1 # ] not the end

[[steps]]
id = "A \\" # ] {"
"x y".'z' = """many
["lines" = 3
"""
expect = {end = ["a",  "b"], code='00'}
times = [
  1,
  # between
  [2, 3],
]
  [steps.more]
  q = 1979-05-27T07:32:00
[[steps]]
id = \'\'\'B\'\'\'
[deep.er]
v = [ {a=1},
      {a=2, b.c=true}, ]
'''


def test_lines_are_counted_as_a_person_counts_them() -> None:
    assert lines(TEXT) == {
        ("a",): 2,
        ("steps",): 4,
        ("steps", 0): 4,
        ("steps", 0, "id"): 5,
        ("steps", 0, "x y"): 6,
        ("steps", 0, "x y", "z"): 6,
        ("steps", 0, "expect"): 9,
        ("steps", 0, "expect", "end"): 9,
        ("steps", 0, "expect", "end", 0): 9,
        ("steps", 0, "expect", "end", 1): 9,
        ("steps", 0, "expect", "code"): 9,
        ("steps", 0, "times"): 10,
        ("steps", 0, "times", 0): 11,
        ("steps", 0, "times", 1): 13,
        ("steps", 0, "times", 1, 0): 13,
        ("steps", 0, "times", 1, 1): 13,
        ("steps", 0, "more"): 15,
        ("steps", 0, "more", "q"): 16,
        ("steps", 1): 17,
        ("steps", 1, "id"): 18,
        ("deep",): 19,
        ("deep", "er"): 19,
        ("deep", "er", "v"): 20,
        ("deep", "er", "v", 0): 20,
        ("deep", "er", "v", 0, "a"): 20,
        ("deep", "er", "v", 1): 21,
        ("deep", "er", "v", 1, "a"): 21,
        ("deep", "er", "v", 1, "b"): 21,
        ("deep", "er", "v", 1, "b", "c"): 21,
    }


def _paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _paths(one, (*path, key))
    elif isinstance(value, list):
        for nth, one in enumerate(value):
            yield from _paths(one, (*path, nth))


def test_a_list_of_tables_inside_a_list_of_tables_belongs_to_the_newest() -> None:
    text = "[[a]]\n[[a.b]]\nx=1\n[[a.b]]\nx=2\n[[a]]\n[[a.b]]\nx=3\n[a.c]\ny=1\n"
    assert lines(text)[("a", 0, "b", 1, "x")] == 5
    assert lines(text)[("a", 1, "b", 0, "x")] == 8
    assert set(lines(text)) == set(_paths(tomllib.loads(text)))


_PIECES = st.lists(
    st.sampled_from(
        [
            *("a = 1", 'b.c = "x # ] }"', "d = [1, [2, 3], {e = 4}]", "# comment = 1", "", 'f = """a\n[b]\n"""""'),
            *("[[t]]", "g = {h = {i = []}, j = {}}", "[u.v]", "[[t.w]]", "k = '''\n'''", "l = 1e6", "[ 'm n' . o ]"),
        ]
    ),
    max_size=12,
)


@given(_PIECES)
def test_every_key_that_tomllib_finds_has_a_line_and_no_other(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = lines(text)
    assert set(found) == set(_paths(value))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


def test_windows_line_ends_count_once() -> None:
    assert lines("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}


def test_a_spot_names_itself_from_one_and_stands_where_what_it_is_in_stands() -> None:
    spot = Spot("day.toml", {("steps",): 3, ("steps", 1): 7})
    assert spot.at("steps", 1, "amount").name == "steps[2].amount"
    assert spot.at("steps", 1, "amount").line == 7
    assert str(spot.at("steps", 1, "amount").error("no")) == "day.toml:7: steps[2].amount: no"
    assert str(spot.error("no")) == "day.toml: no"
