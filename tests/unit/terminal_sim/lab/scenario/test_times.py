"""Moments and durations, worked out by hand; the world starts at nine on 2 March 2026."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_sim.lab.scenario.times import duration, moment, number, start_of, written

START = start_of("2026-03-02T09:00")
HOUR = 3_600
_EARLIEST, _LATEST = start_of("2020-01-01T00:00"), start_of("2030-01-01T00:00")


@pytest.mark.parametrize(
    ("text", "before", "seconds"),
    [
        ("09:05", 0.0, 300),
        ("09:05:30", 0.0, 330),
        ("09:05:30.5", 0.0, 330.5),
        ("09:05", None, 300),
        ("22:00", 0.0, 13 * HOUR),
        ("22:00", 24.0 * HOUR, 37 * HOUR),  # the step before was on the second day
        ("00:30", 15.5 * HOUR, 15.5 * HOUR),  # half past midnight, and so is the step before
        ("day1 09:00", 0.0, 0),
        ("day2 09:00", 0.0, 24 * HOUR),
        ("day31 08:00", 0.0, 30 * 24 * HOUR - HOUR),
        ("2026-03-03T09:00", 0.0, 24 * HOUR),
        ("2026-04-01T09:00", 5.0, 30 * 24 * HOUR),
        ("+10m", 300.0, 900),
        ("+90", 0.0, 90),
        ("08:59", 0.0, -60),
        (17.5, None, 17.5),
    ],
)
def test_moments(text: str | float, before: float | None, seconds: float) -> None:
    assert moment(text, START, before) == seconds


@pytest.mark.parametrize(
    "text", ["9:05", "24:00", "09:60", "day0 09:00", "+", "10m", "", "2026-02-30T09:00", "tomorrow"]
)
def test_what_is_no_moment_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|no such day"):
        moment(text, START)


def test_a_step_after_one_without_a_time_cannot_count_from_it() -> None:
    with pytest.raises(ValueError, match="no time of its own"):
        moment("+10m", START, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("1.5h", 5400), ("90", 90)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "10 m", "1h30m", "10w"])
def test_what_is_no_duration_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


def test_a_moment_is_written_as_people_read_it() -> None:
    assert written(300.0, START) == "day1 09:05"
    assert written(24 * HOUR + 7.0, START) == "day2 09:00:07"
    assert written(0.25, START) == 0.25
    assert [number(5.0), number(5.5)] == ["5", "5.5"]


@given(st.floats(0, 10**7) | st.integers(0, 10**7).map(float), st.datetimes(_EARLIEST, _LATEST))
def test_a_written_moment_is_read_as_the_same(at: float, start: datetime) -> None:
    assert moment(written(at, start), start) == at
