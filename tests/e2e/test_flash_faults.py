"""The flash that fails (FC 83): full, read-only, torn, written by two, or one that says «saved» and has not.

Against a real host over TCP. «stop before sending» and «no slip without its row»: what the terminal cannot save it does
not do. What a flash that lies can cost is said in LOST, step by step, and who sees it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from host.checker import report
from host.checker.compare import compare
from host.store.store import open_reader
from terminal_sim.errors import PowerCut
from terminal_sim.flash import DirFlash
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Ran, Till
from terminal_sim.moves import End
from terminal_sim.state import Memory
from tests.support.liar import Act, Heard, Liar
from tests.support.power import DIALECTS, SCENES, PowerTill, Scene

pytestmark = pytest.mark.e2e

BY_NAME = {scene.name: scene for scene in SCENES}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    options = ("--log-level", "warning")
    with HostProcess(tmp_path_factory.mktemp("flash"), dialects=DIALECTS, options=options) as running:
        yield running


@dataclass
class Tills:
    """Terminals of one module, each with its number."""

    host: HostProcess
    folder: Path
    made: int = 0

    def make(self, dialect: str, folder: Path | None = None) -> PowerTill:
        self.made += 1
        tid, mid = f"{dialect[0].upper()}X{self.made:06d}", f"FLASH{self.made:010d}"
        return PowerTill(folder or self.folder / str(self.made), self.host.url(dialect), tid, mid)

    def ready(self, scene: Scene, dialect: str) -> PowerTill:
        till = self.make(dialect)
        till.prepare(scene, self.host.api)
        return till


@pytest.fixture(scope="module")
def tills(host: HostProcess, tmp_path_factory: pytest.TempPathFactory) -> Tills:
    return Tills(host, tmp_path_factory.mktemp("tills"))


Call = Callable[..., Ran]


@pytest.fixture
def call(spawner: Spawner | None) -> Call:
    """call(till, "sale", "5000", …): `terminal-sim ACTION DIR …`, a process of its own."""

    def run(till: PowerTill, action: str, *words: object) -> Ran:
        return Till(till.folder, till.tid, till.mid, spawner).run(action, *words)

    return run


def equal(host: HostProcess, *tills_: PowerTill) -> None:
    """Both books, item by item, and every invariant over these terminals."""
    books = open_reader(host.store).load_books()
    for till in tills_:
        compared = compare(books, till.book())
        assert compared.agrees, compared.differing
    found = report.check(books, {till.tid: till.book() for till in tills_})
    mine = tuple(till.tid for till in tills_)
    assert not [f for f in found if any(tid in str(f) for tid in mine)], report.render(found)


# ---- full


class NoRoom:
    """os.fsync of a file system that has no room for the nth file that is written."""

    def __init__(self, nth: int) -> None:
        self._left, self._real = nth, os.fsync

    def __call__(self, handle: int) -> None:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            self._left -= 1
            if self._left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._real(handle)


class Remembering(DirFlash):
    """A folder that remembers its saves."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[str] = []

    def save(self, step: str, memory: Memory) -> None:
        self.steps.append(step)
        super().save(step, memory)


FULL = ("sale", "offline sale", "sale behind a reversal", "settle, agreed")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", FULL)
def test_a_full_flash_stops_the_order_before_what_it_could_not_save(
    name: str, dialect: str, tills: Tills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each save of the order in turn. What was saved before is whole; the day goes on once there is room."""
    scene, played = BY_NAME[name], []
    for nth in range(1, 20):
        till = tills.ready(scene, dialect)
        slips, rows, flash = len(till.screen.slips), len(till.memory.live_rows), Remembering(till.folder)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", NoRoom(nth))
            result = till.press(till.order(scene.step), flash=flash)
        assert result is not None
        if len(flash.steps) < nth:
            break  # the order has no more saves: it went through
        played.append(till)
        step, memory = flash.steps[-1], till.memory
        assert len(flash.steps) == nth, "nothing is saved behind what could not be"
        assert f"{till.path}: No space left on device" in till.screen.lines[-1]
        assert not flash.path.with_suffix(".tmp").exists()
        assert result.exit_code in (3, 4)
        if step in ("stan", "rev-store", "saf-store") and name in ("sale", "offline sale"):
            assert (result.end, memory.pending) == (End.NOT_SENT, None), f"{step}: nothing leaves before it is saved"
        if step == "journal":
            assert (result.end, len(memory.live_rows), len(till.screen.slips)) == (End.UNKNOWN, rows, slips)
            assert memory.pending is not None, "approved, not saved: its reversal is owed, and no slip came out"
        till.finish()
    assert len(played) >= 2
    equal(tills.host, *played)


# ---- a real file system: tmpfs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    if os.geteuid() != 0 or sys.platform != "linux":
        if os.environ.get("CI") == "true":
            pytest.fail("CI mounts a tmpfs, and needs root on Linux")
        pytest.skip("a tmpfs can only be mounted by root, on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "closeout-test", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Until not a byte more goes in."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (4096, 1):
            while True:
                try:
                    file.write(b"x" * size)
                except OSError:
                    break


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_full_disk(dialect: str, tills: Tills, small_disk: Path, call: Call) -> None:
    """Full before the sale: nothing is sent. Full while the host decides: unknown, a reversal owed, no slip."""
    with Liar(tills.host.url(dialect)) as liar:
        till = tills.make(dialect, small_disk / "till")
        till.connect_to(liar.url)
        till.sign_on()
        fill(small_disk)
        heard = len(tills.host.api.items("/messages", tid=till.tid))
        full = call(till, "sale", "5000", "--card", "credit1")
        assert (full.code, full.err) == (4, "")
        assert full.out.splitlines() == [
            f"the terminal stops: {till.folder / 'terminal.json'}: No space left on device"
        ]
        assert len(tills.host.api.items("/messages", tid=till.tid)) == heard
        assert call(till, "journal").code == 0, "what is there can be read"
        (small_disk / "filler").unlink()

        def meanwhile(heard: Heard) -> Iterator[Act]:
            fill(small_disk)
            yield heard.right

        liar.spoil("0200", meanwhile)
        full = call(till, "sale", "6000", "--card", "credit1")
        assert full.code == 3
        assert "No space left on device" in full.out
        assert "a reversal is owed" in full.out
        assert "MERCHANT" not in full.out, "no slip"
        (small_disk / "filler").unlink()
        assert call(till, "sale", "7000", "--card", "credit1").code == 0
        till.finish()
    equal(tills.host, till)
    sold = {t["amount"]: t["state"] for t in tills.host.api.items("/transactions", tid=till.tid)}
    assert sold == {6000: "reversed", 7000: "captured", 1000: "captured"}


def test_a_read_only_disk_is_one_line_and_2(tills: Tills, small_disk: Path, call: Call) -> None:
    till = tills.make("nac", small_disk / "till")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for words in (("sale", "5000", "--card", "credit1"), ("journal",), ("settle",)):
        ran = call(till, *words)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"{till.folder / 'lock'}: Read-only file system\n"
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    till.finish()
    equal(tills.host, till)


# ---- torn


def test_a_torn_flash_is_one_line_and_2_and_a_copy_brings_it_back(tills: Tills, tmp_path: Path, call: Call) -> None:
    """The copy is from before the last sale: the host has that one, and the settlement says so."""
    till = tills.make("nac")
    assert call(till, "sale", "5000", "--card", "credit1").code == 0
    copy = tmp_path / "copy.json"
    assert call(till, "backup", str(copy)).code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    again = call(till, "backup", str(copy))
    assert (again.code, again.err) == (2, f"{copy}: File exists\n")
    assert call(till, "sale", "6000", "--card", "credit1").code == 0
    over = call(till, "restore", str(copy))
    assert over.code == 2
    assert "nothing is put over it" in over.err

    whole = till.path.read_bytes()
    till.path.write_bytes(whole[: len(whole) // 2])
    for words in (("sale", "7000", "--card", "credit1"), ("journal",), ("settle",), ("backup", str(tmp_path / "new"))):
        torn = call(till, *words)
        assert (torn.code, torn.out, torn.err.count("\n")) == (2, "", 1)
        assert f"{till.path}: is torn or no JSON" in torn.err
        assert "`terminal-sim restore`" in torn.err, "what to do"

    back = call(till, "restore", str(copy))
    assert back.code == 0, back.err
    sold = call(till, "sale", "7000", "--card", "credit1", "--json")
    assert (sold.code, json.loads(sold.out)["stan"]) == (0, "001002"), "no number is used twice"
    settled = call(till, "settle", "--json")
    assert settled.code == 1, "the sale that the copy had not seen is on the list"
    (batch,) = [b for b in tills.host.api.items("/batches", tid=till.tid) if b["state"] != "open"]
    listed = tills.host.api.get(f"/batches/{batch['id']}")["exceptions"]
    assert [(e["reason"], e["host_amount"]) for e in listed] == [("host-only", 6000)]


def test_two_processes_on_one_folder_are_one_line_and_2(tills: Tills, call: Call) -> None:
    """The first one is not disturbed: it waits for its answer, and has it."""
    with Liar(tills.host.url("nac")) as liar:
        till = tills.make("nac")
        till.connect_to(liar.url)
        asked, go = Event(), Event()

        def held(heard: Heard) -> Iterator[Act]:
            asked.set()
            go.wait(30)
            yield heard.right

        liar.spoil("0200", held)
        till.waits(30)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(Till(till.folder, till.tid, till.mid).sale, 5000)
            try:
                assert asked.wait(20)
                for words in (("sale", "6000", "--card", "credit1"), ("journal",), ("settle",), ("operator", "list")):
                    second = call(till, *words)
                    assert (second.code, second.out) == (2, "")
                    assert second.err == f"{till.folder}: another process is working with this terminal\n"
            finally:
                go.set()
            assert first.result().code == 0
        till.finish()
    equal(tills.host, till)


# ---- a flash that lies


class Lying(DirFlash):
    """Its nth save says that it is durable and is not; the power fails just before the next one, or after the order.

    That is the worst that one lost write can do: everything up to there was done in the belief that it was saved.
    """

    def __init__(self, folder: Path, nth: int) -> None:
        super().__init__(folder)
        self._left = nth
        self.lost = ""

    def save(self, step: str, memory: Memory) -> None:
        if self.lost:
            raise PowerCut(step, "before")
        self._left -= 1
        if self._left == 0:
            self.lost = step
        else:
            super().save(step, memory)


RIGHT = "right"
"""Both books agree, every settlement too: nothing is lost."""
SEEN = "seen"
"""A difference that is told: a settlement not agreed, an exception, a finding."""
PAPER = "paper"
"""Both books agree that it was not sold, and the customer has a slip: only the paper knows (FC 60: SNF)."""
LOST: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("sale", "cup"): (("stan", RIGHT), ("rev-store", SEEN), ("journal", PAPER)),
    ("sale", "nac"): (("stan", RIGHT), ("rev-store", SEEN), ("journal", PAPER)),
    ("sale", "iso87"): (("stan", RIGHT), ("rev-store", SEEN), ("journal", PAPER)),
    ("offline sale", "nac"): (("stan", RIGHT), ("saf-store", PAPER)),
    ("sale behind a reversal", "iso87"): (
        *(("rev-store", RIGHT), ("rev-clear", RIGHT), ("stan", RIGHT)),
        *(("rev-store", SEEN), ("journal", PAPER)),
    ),
    ("settle with stored items", "cup"): (
        *(("saf-flag", RIGHT), ("saf-flag", RIGHT), ("freeze", RIGHT), ("stan", RIGHT)),
        *(("settle-pending", RIGHT), ("stan", RIGHT), ("archive", RIGHT)),
    ),
}
"""Every save of an order, and what it costs when just that one is lost.

rev-store: the request leaves without its reversal on flash (RT1 rests on this write). The host has a sale of which the
terminal knows nothing: the settlement does not agree, and the host's exception list names it. journal: the reversal is
still on flash, the boot undoes the sale, and the slip is out. saf-store: the host was never told, and the slip is out.
No book can show those two, since the only witness is the paper; a flash that keeps its word (`DirFlash` syncs file and
folder at each save) is what the rules rest on.
"""


def lied(tills: Tills, scene: Scene, dialect: str, nth: int) -> tuple[str, str] | None:
    """The step whose nth save was lost and what came of it; None when the order has no nth save."""
    till = tills.ready(scene, dialect)
    stan, slips, flash = till.memory.next_stan(), len(till.screen.slips), Lying(till.folder, nth)
    till.press(till.order(scene.step), flash=flash)
    if not flash.lost:
        return None
    printed = "".join(copy for slip in till.screen.slips[slips:] for copy in slip.copies)
    agreed = till.close_anyhow()
    books = open_reader(tills.host.store).load_books()
    compared = compare(books, till.book())
    listed = [e for e in books.exceptions if e.tid == till.tid]
    found = [f for f in report.check(books, {till.tid: till.book()}) if till.tid in str(f)]
    if not (agreed and compared.agrees) or listed or found:
        assert not agreed or listed or found, "a difference that nobody is told of"
        return flash.lost, SEEN
    kept = {row.stan for closed in till.memory.archive for row in closed.rows if row.state == "journaled"}
    return flash.lost, PAPER if scene.moves and stan in printed and stan not in kept else RIGHT


@pytest.mark.parametrize(("name", "dialect"), LOST)
def test_a_lost_write_is_mended_or_told(name: str, dialect: str, tills: Tills) -> None:
    found: list[tuple[str, str]] = []
    while (came := lied(tills, BY_NAME[name], dialect, len(found) + 1)) is not None:
        found.append(came)
    assert tuple(found) == LOST[name, dialect]
