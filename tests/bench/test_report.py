"""The table of `make bench`, and when a rate counts as held, over figures made up here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import codec
from tests.bench.approvals import held
from tests.bench.report import BEGIN, END, middle, put_into, table


def figures(**other: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rate": 2_000,
        "per_second": 2_000.0,
        "cpu_us": 400.0,
        "cpu_share": 0.8,
        "lost": 0,
        "backlog": 0,
    }
    found |= {"due_us": [3_000, 9_000, 20_000], "trip_us": [2_500, 8_000, 19_000], "lag_us": [500, 1_100]}
    return found | {"per_group": 20.0} | other


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({}, True),
        ({"due_us": [50_000, 100_001, 0]}, False),
        ({"lost": 1}, False),
        ({"backlog": 200}, True),
        ({"backlog": 201}, False),
    ],
)
def test_a_rate_is_held_without_loss_backlog_or_late_answers(other: dict[str, Any], expected: bool) -> None:
    assert held(figures(**other)) is expected


def test_rounds_are_put_together_by_their_medians() -> None:
    rounds = [figures(per_second=value, due_us=[value, 2 * value, 0]) for value in (30, 10, 20)]
    assert middle(rounds)["per_second"] == 20
    assert middle(rounds)["due_us"] == [20, 40, 0]


def test_every_row_has_four_columns_and_the_ratio_of_its_own_figures() -> None:
    echo = figures(per_second=40_000.0, cpu_us=8.0, due_us=[1_000, 3_000, 0])
    rounds = {
        f"{server} {name}": of
        for name in ("max", "held", "half")
        for server, of in (("host", figures()), ("echo", echo))
    }
    profile = {"lines": 100, "rate": 2_000, "middle": rounds, "held_rounds": 2, "of_rounds": 3, "books": "7 approvals"}
    names = ("host, new store", "host, its store again", "bare echo", "acquirer-host --help")
    found = {
        "profiles": [profile],
        "idle": {"lines": 10_000, "host": 2_600, "echo": 1_300},
        "start": {name: [1.0 + number, 3.0] for number, name in enumerate(names)},
        "about": {"python": "3", "sqlite": "3", "uvloop": "0", "cores": 2, "load": 0.1, "filesystem": "ext4"}
        | {"fdatasync_us": [80, 350]},
    }
    text, _, below = table(found).partition("\n\n")
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines()]
    assert {len(row) for row in rows} == {4}
    last = {row[0]: row[1:] for row in rows}
    assert last["100 lines: closed loop, answers/s"] == ["2,000", "40,000", "0.05"]
    assert last["100 lines: CPU of the server an answer there, µs"] == ["400", "8.0", "50"]
    assert last["100 lines: approvals a second of its CPU (closed loop)"] == ["2,500", "125,000", "0.02"]
    assert last["100 lines: **rate tried, approvals/s** (open loop)"] == ["**2,000** (held in 2 of 3 rounds)", "", ""]
    assert last["100 lines: p99 at that rate, ms"] == ["9.0", "3.0", "3.00"]
    assert last["memory of an idle line of 10,000, bytes"] == ["2,600", "1,300", "2.00"]
    assert "a page and its fdatasync take 0.08 ms, p99 0.35" in below


def test_a_table_has_its_own_place() -> None:
    page = f"<!-- codec -->\nold\n{END}\n{BEGIN}\nhost\n{END}\n<!-- explorer -->\n{END}\n"
    assert put_into(page, "new", "codec") == page.replace("old", "new")
    assert put_into(page, "new") == page.replace("host", "new")
    assert put_into(page, "new", "explorer") == page.replace("explorer -->", "explorer -->\nnew")


@pytest.mark.parametrize("name", codec.TYPICAL.values())
def test_both_sides_of_the_codec_read_and_write_the_same_before_they_are_timed(name: str) -> None:
    timed = codec.sides(name)
    ours, theirs = (act() for act in timed.write)
    assert isinstance(theirs, tuple)
    assert ours == bytes(theirs[0])


def test_the_codec_table_has_the_ratio_of_its_own_figures() -> None:
    row = {"family": "CUP", "elements": 15, "bytes": 159, "read": [2.0, 30.0], "write": [1.0, 30.0]}
    last = [line.rpartition("| ")[2] for line in codec.table([row]).splitlines()[2:]]
    assert last == ["15.0 |", "30.0 |", "20.0 |"]


def test_the_table_takes_the_place_of_the_last_one() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put_into(page, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no <!-- make bench -->"):
        put_into("a page", "new")
