"""A second of load at a low rate: counts, sums and audit. Nothing here says how fast the host is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import books
from tests.bench.processes import BenchError, Stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc"),
]


def test_what_the_tills_were_told_is_what_the_host_has(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    with Stage(folder) as stage:
        stage.dial(5, "SMK")
        echo = stage.play("echo", 100, 0.2)
        sales = stage.play("host", 40, 1.0)
        believed = stage.hang_up()
    assert (echo["answered"], echo["lost"]) == (20, 0)
    assert (sales["answered"], sales["lost"], sales["wrongs"]) == (40, 0, 0)
    # Each till: STAN 1 is its sign-on; 2 to 8 are 2.94, 3.91 … 8.76, and 9 is 1.03 again: 41.98.
    assert believed == {"approved": 40, "sum": 5 * 4_198}
    books.compare(folder / "closeout.db", believed)
    with pytest.raises(BenchError, match="the host has 40 of 20990"):
        books.compare(folder / "closeout.db", believed | {"sum": 20_991})
