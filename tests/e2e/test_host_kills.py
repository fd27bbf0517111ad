"""kill -9 of the host at random moments, under real terminals of all three dialects: after repair all books are right.

Unlike test_kill9, whose clients have no flash, these terminals keep what they owe: reversals go first, a settlement
goes on where it stopped, stored advices are sent again. Most kills follow a message of a chosen kind by up to 30 ms,
some fall into the start-up of the host that has just been killed, the rest wherever they fall. Each round has terminals
of its own, which close their day when it ends; the store lives through all rounds.

CLOSEOUT_KILLS sets how often the host dies (`make kills KILLS=200` for the full show), CLOSEOUT_KILLS_SEED when.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from terminal_sim.lab.host_process import HostProcess, python_environment
from tests.support.mixed_load import Shopper, Verdict, Watch

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("CLOSEOUT_KILLS", "0")) or 6
SEED = int(os.environ.get("CLOSEOUT_KILLS_SEED", "20261122"))
A_ROUND = 10
"""Kills between two verdicts."""
TILLS = (("cup", 2), ("nac", 2), ("iso87", 2))
WISHES = {
    "settle": 20,
    "settle final": 6,
    "upload": 12,
    "upload-end": 8,
    "tc-upload": 3,
    "reversal": 10,
    "sale": 10,
    "void": 5,
    "refund": 4,
    "pre-auth": 3,
    "completion": 4,
    "offline-sale": 5,
    "sign-on": 2,
    "start-up": 10,
    "any": 8,
}
"""After which message the host dies, how often in a hundred or so. start-up: while the next one starts."""
WISH_S = 3.0
SOON_S = 0.030
VERY_SOON_S = 0.004


@pytest.mark.timeout(120 + 15 * KILLS)
@pytest.mark.usefixtures("morning")
def test_all_books_are_right_after_every_kill_of_the_host(tmp_path: Path) -> None:
    chance = Random(SEED)
    host = HostProcess(tmp_path, options=("--log-level", "warning"))
    verdict = Verdict(host)
    met: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    try:
        begun = time.monotonic()
        host.start()
        start_s = time.monotonic() - begun
        for number in range(-(-KILLS // A_ROUND)):
            kills = min(A_ROUND, KILLS - number * A_ROUND)
            shoppers = _round(host, number, kills, chance, start_s, met)
            assert [text for shopper in shoppers for text in shopper.trouble] == []
            for shopper in shoppers:
                shopper.close_day()
                ends.update(shopper.ends)
            assert verdict.over(shoppers) == [], f"seed {SEED}, round {number}"
        assert host.terminate() == 0
        assert _audit(host) == 0
    finally:
        host.stop()
    print(f"{KILLS} kills; in flight at the kill: {dict(met.most_common())}; orders ended: {dict(ends.most_common())}")


def _round(
    host: HostProcess, number: int, kills: int, chance: Random, start_s: float, met: Counter[str]
) -> list[Shopper]:
    """Terminals shop, the host dies `kills` times under them; the terminals, with no order under way."""
    watch = Watch()
    names = [(dialect, at) for dialect, count in TILLS for at in range(count)]
    shoppers = [
        Shopper(
            host.url(dialect), f"{dialect[:3].upper()}{number:03d}{at:02d}", seed=chance.randrange(2**32), watch=watch
        )
        for dialect, at in names
    ]
    for shopper in shoppers:
        shopper.start()
    try:
        for _ in range(kills):
            _kill_once(host, chance.choices([*WISHES], [*WISHES.values()])[0], chance, start_s, watch, met)
        watch.wish("sale", WISH_S)
    finally:
        watch.stop()
        for shopper in shoppers:
            shopper.join(60)
    assert not any(shopper.is_alive() for shopper in shoppers), "a terminal hangs"
    return shoppers


def _kill_once(host: HostProcess, wish: str, chance: Random, start_s: float, watch: Watch, met: Counter[str]) -> None:
    delay = chance.uniform(0.0, chance.choice((VERY_SOON_S, SOON_S)))
    if wish == "start-up":
        watch.wish("sale", WISH_S)
        host.kill()
        host.launch()
        time.sleep(chance.uniform(0.4, 1.2) * start_s)
        met["start-up"] += 1
    elif wish == "any":
        time.sleep(chance.uniform(0.0, 0.5))
    else:
        watch.wish(wish, WISH_S)
        time.sleep(delay)
    waiting = Counter(list(watch.in_flight.values()))
    host.kill()
    met.update(waiting or {"nothing": 1})
    host.start()


def _audit(host: HostProcess) -> int:
    command = [sys.executable, "-m", "host", "audit", "--store", host.store]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=python_environment())
    print(done.stdout[-2000:])
    return done.returncode
