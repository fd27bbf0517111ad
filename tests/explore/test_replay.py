"""A finding's file is the same run on every machine: these hashes were seen on another one than yours.

They change with every word of a trace: then write down the new ones, after a look at why.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from terminal_sim.lab.scenario.reading import load
from terminal_sim.lab.world.world import World

FOUND = Path(__file__).parent / "found"
SEEN_ELSEWHERE = {
    "rev-drop-n": "744f5134dbee8e3407936a653ceee5cb2007fdbd98c579ca7e7f54b9789aa774",
    "void-rev-release": "5e3ea434cc5f1b50c5908a5859abcf255d8f011364ace01bfe914c8928736f83",
    "restart-upload": "f750435045b3f3378cb0b8ceeb663b0b94ea76b59fba8a53fd3b793c3d7b9d04",
}


@pytest.mark.parametrize("name", SEEN_ELSEWHERE)
def test_a_finding_replays_to_the_hash_that_another_machine_has_seen(name: str) -> None:
    assert World(load(FOUND / f"{name}.toml")).run().trace_hash == SEEN_ELSEWHERE[name]
