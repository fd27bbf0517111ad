"""Mutated real messages never bring the host down, never lead to wrong books, and show no card number.

FUZZ sets how many (2,000 here, 200,000 for `make fuzz`), FUZZ_SEED which.
"""

from __future__ import annotations

import os

import pytest

from tests.support.fuzz import LISTENERS, throw

INPUTS = int(os.environ.get("FUZZ", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "20260302"))


@pytest.mark.timeout(60 + INPUTS // 20)
def test_whatever_comes_is_answered_or_ends_its_line_and_leaves_the_books_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = throw(SEED, INPUTS)
    logged = capsys.readouterr()
    assert "Traceback" not in logged.out + logged.err
    assert "cannot be decided" not in logged.out + logged.err
    assert tally.inputs == INPUTS
    # A run in which nothing came past the reader, or nothing was refused, would prove nothing.
    assert {"00", "30"} <= set(tally.answers), tally
    assert tally.closed, tally
    with capsys.disabled():
        answers = ", ".join(f"{code} {count}" for code, count in sorted(tally.answers.items()))
        print(f"\nseed {SEED}, {INPUTS} inputs: {tally.frames} frames, {tally.closed} lines closed; answers {answers}")


def test_every_kind_of_listener_is_reached_by_a_long_run() -> None:
    tally = throw(SEED + 1, 10 * len(LISTENERS), per_host=10)
    assert tally.inputs == 10 * len(LISTENERS)
