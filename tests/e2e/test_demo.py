"""`make run`: the demo day, twice at the same time, and the host that it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specs.testcards import load_test_cards
from terminal_sim.lab.host_process import python_environment
from terminal_sim.lab.ladder import WIDTH

pytestmark = pytest.mark.e2e

COMMAND = (sys.executable, "-m", "terminal_sim.lab.demo")
END_S = 120


def _demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=python_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_demo_days_at_once_both_agree_and_leave_nothing_behind(tmp_path: Path) -> None:
    days = [_demo(tmp_path / name, "--once") for name in ("one", "two")]
    try:
        ends = [day.communicate(timeout=END_S) for day in days]
    finally:
        for day in days:
            day.kill()
    assert [(day.returncode, err) for day, (_, err) in zip(days, ends, strict=True)] == [(0, ""), (0, "")]
    text = ends[0][0]
    assert list((tmp_path / "one").iterdir()) == []
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    # the story: a chip, a tip, a reply lost after commit and its reversal, a settlement that agrees, one that does not
    story = [
        r"0200 sale 268\.00 by chip · STAN 000003",
        r"0220 tip 8\.00 on 80\.00 · STAN 000008",
        r"0200 sale 99\.00 · STAN 000009",
        r"✗ ─+ 0210 · 00 approved .*│ drop-reply after commit",
        r"0400 reversal 99\.00 · STAN 000009",
        r"0410 · 00 approved",
        r"0200 sale 99\.00 · STAN 000010",
        r"terminal: domestic debit 4/467\.50, credit 1/12\.50, foreign debit 1/45\.00",
        r"0510 · agreed",
        r"0320 upload of a chip item · STAN 000003",
        r"0320 end of the upload: 1 item",
        r"0100 pre-auth 500\.00",
        r"0200 completion 420\.00",
        r"0510 · domestic totals differ, foreign agreed",
        r"0320 upload of 1 item",
        r"000002  000015  sale +— +75\.00 journaled +host-only",
        r"exception: batch 000002 STAN 000015 sale: host-only: ",
        r"DEMO0001: books agree: 9 items equal, 1 reversal on both sides; 1 difference, explained",
        r"0200 refund 35\.00",
        r"offline sale of 30\.00[^\n]*\n *terminal: approved by itself; nothing is sent yet",
        r"0220 offline sale 30\.00",
        r"0510 · 95 totals differ",
        r"0510 · 77 still differ",
        r"DEMO0002: books agree: 5 items equal; 1 difference, explained",
        r"0220 completion advice 310\.00",
        r"0200 sale with cash back 64\.00",
        r"✗ ─+ 0210 · 00 approved .*│ reset after commit",
        r"0420 reversal 64\.00 · STAN 000004",
        r"0430 · 00 approved",
        r"0510 · 00 totals differ",
        r"0520 settle: the last word",
        r"0530 · 00 still differ",
        r"DEMO0003: books agree: 4 items equal; 1 difference, explained",
    ]
    at = 0
    for pattern in story:
        found = re.compile(pattern).search(text, at)
        assert found, f"after character {at}: {pattern}"
        at = found.end()
    for card in load_test_cards().values():
        assert card.pan not in text


SERVE = "import sys; from terminal_sim.lab.demo import say, serve; sys.exit(serve(sys.argv[1:], say))"


def _serve(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """What follows the day, without the day; a process group of its own, as a shell gives it."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, *arguments],
        cwd=folder,
        env=python_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C", "SIGINT to it alone"])
def test_the_users_own_host_stays_until_ctrl_c_and_ends_with_0(tmp_path: Path, whole_group: bool) -> None:
    shop = _serve(tmp_path / "shop", "--lan", "--listen", "nac://127.0.0.1:0", "--api", "127.0.0.1:0")
    assert shop.stdout is not None
    seen: list[str] = []
    deadline = time.monotonic() + END_S
    try:
        while not any("Ctrl-C" in line for line in seen):
            assert time.monotonic() < deadline
            line = shop.stdout.readline()
            assert line, "ended before it said what to do next"
            seen.append(line)
        (os.killpg if whole_group else os.kill)(shop.pid, signal.SIGINT)
        shop.communicate(timeout=30)
    finally:
        shop.kill()
    assert shop.returncode == 0
    text = "".join(seen)
    for said in ("terminal-sim init", "Type into the POS", "TPDU", "port", "plain, no TLS"):
        assert said in text
    assert (tmp_path / "shop" / "closeout.db").exists()
    assert str(tmp_path / "shop" / "closeout.db") in text, "the store's absolute path is printed"


def test_a_host_that_cannot_start_gives_its_own_line_and_exit_code(tmp_path: Path) -> None:
    shop = _serve(tmp_path / "shop", "--listen", "nac://127.0.0.1:0", "--api", "127.0.0.1:x")
    out, err = shop.communicate(timeout=END_S)
    assert (shop.returncode, out) == (2, "")
    assert "127.0.0.1:x" in err
