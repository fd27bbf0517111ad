"""The power fails at every named step of every operation, against a real host over TCP; then the day is finished.

docs/power-matrix.md says for each operation, dialect and step how often it is reached and what became of the
operation when the power failed there. It is what these tests compare with, so a step that a change makes unreachable,
or an outcome that changes, does not pass unseen. POWER_CUTS: «sample» (the default) cuts at a seeded sample of the
points, «all» at every one, «write» does so too and writes the document anew. POWER_SEED draws another sample.

In process the power is that of the folder's steps; the same points are cut in real processes by CLOSEOUT_CRASH_AT, and
others by SIGKILL at a random moment.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from host.checker import report
from host.checker.books import HostBooks
from host.checker.compare import compare
from host.rows import TxnState
from host.store.store import open_reader
from terminal_sim.flash import KILLED, STEPS, WHENS, CutPower
from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.lab.spawner import Spawner
from terminal_sim.moves import End
from tests.e2e.conftest import HostCommand
from tests.support.power import AGAIN, DIALECTS, SCENES, Cell, CountedPower, PowerTill, Scene, Spoilt, scenes, words_of

pytestmark = pytest.mark.e2e

DOCUMENT = Path(__file__).parents[2] / "docs" / "power-matrix.md"
MODE = os.environ.get("POWER_CUTS", "sample")
SEED = int(os.environ.get("POWER_SEED", "20260302"))
SAMPLE, PROCESSES, KILLS = (60, 4, 2) if MODE == "sample" else (0, 0, 20)
"""For each dialect: cuts in process, cuts in real processes, SIGKILLs; 0 = all."""
KILL_S = (0.15, 0.60)
"""When a process is killed after its start: while it loads, sells, or has just ended."""


# ---- the document


Fates = tuple[str, str]
"""What became of it when the power failed before, and after."""
Matrix = dict[tuple[str, str], dict[str, list[Fates]]]
"""(operation, dialect) -> step -> one entry for each time that the step is reached."""

INTRO = """# The power fails: every step of every operation

Each row is an operation, each column a named step of the terminal (failure-catalogue.md, section 4;
`CLOSEOUT_CRASH_AT=STEP.before|after`). An entry is one time that the operation reaches the step: what became of it when
the power failed just **before / after** it, once the terminal had booted from its flash, sold once more and settled. In
all of them the next settlement closes the batch, terminal and host hold the same items, no reversal is left, and
`audit` ends with 0.

| entry | meaning |
|---|---|
| `-` | nothing happened: the host never heard of it, or the terminal sold nothing |
| `u` | undone: a reversal went, and nothing is left of it at either end |
| `s` | it stands, once, in both books; its slip can be printed again |
| `n` | nothing stands: the host had declined it, or was still deciding when the reversal came |
| `x` | has no transaction of its own (sign-on, settlement): it is done again, and ends as if nothing had been |
| empty | the operation never reaches the step |

Written by `make power WRITE=1` and compared by tests/e2e/test_power_matrix.py. A settlement marked * begins with a
dispute over equal items or a close by the host: its slip says «not agreed», and no item differs.
"""


def render(matrix: Matrix) -> str:
    """The document."""
    parts = [INTRO]
    starred = {scene.name for scene in SCENES if scene.disputed}
    for dialect in DIALECTS:
        rows = [(name, steps) for (name, of), steps in matrix.items() if of == dialect]
        used = [step for step in STEPS if any(step in steps for _, steps in rows)]
        parts.append(f"\n## {dialect}\n\n| operation | {' | '.join(used)} |\n|{'---|' * (len(used) + 1)}\n")
        for name, steps in rows:
            entries = [" ".join("/".join(fates) for fates in steps.get(step, [])) for step in used]
            parts.append(f"| {name}{'*' * (name in starred)} | {' | '.join(entries)} |\n")
        never = [step for step in STEPS if step not in used]
        parts.append(f"\nNever reached: {', '.join(never) or 'none'}.\n")
    return "".join(parts)


def parsed(text: str) -> Matrix:
    """The document, read back."""
    matrix: Matrix = {}
    dialect, used = "", list[str]()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("## "):
            dialect = line[3:]
        elif line.startswith("| operation"):
            used = cells[1:]
        elif dialect and line.startswith("| "):
            found = {
                step: [_fates(entry) for entry in cell.split()] for step, cell in zip(used, cells[1:], strict=True)
            }
            matrix[cells[0].rstrip("*"), dialect] = {step: entries for step, entries in found.items() if entries}
    return matrix


def _fates(entry: str) -> Fates:
    before, after = entry.split("/")
    return before, after


def points(matrix: Matrix, dialect: str) -> list[Cell]:
    """Every cut of a dialect."""
    return [
        Cell(scene, of, step, when, nth)
        for scene, of in scenes()
        if of == dialect
        for step, entries in matrix[scene.name, of].items()
        for nth in range(1, len(entries) + 1)
        for when in WHENS
    ]


# ---- a day with thousands of power cuts


@dataclass
class Played:
    """A terminal whose order was cut, and what is known of it. stan: the number that the order took, "" = none."""

    till: PowerTill
    scene: Scene
    label: str
    cell: Cell | None = None
    stan: str = ""
    slips: int = 0
    """Copies that came out of the printer in the order that was cut."""


@dataclass
class Bench:
    """One host and every terminal that was played against it."""

    host: HostProcess
    folder: Path
    played: list[Played] = field(default_factory=list)
    reached: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def begin(self, scene: Scene, dialect: str) -> PowerTill:
        """A new terminal, everything before the order done."""
        number = len(self.played) + 1
        self.played.append(None)  # type: ignore[arg-type]  # its place; `end` puts it there
        folder = self.folder / f"{number:05d}"
        till = PowerTill(folder, self.host.url(dialect), f"{dialect[0].upper()}{number:07d}", f"{number:015d}")
        till.number = number
        till.prepare(scene, self.host.api)
        return till

    def end(self, played: Played) -> None:
        """The day goes on and is closed."""
        played.till.finish(agreed=not played.scene.disputed)
        self.played[played.till.number - 1] = played


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The flashes lie in memory where there is such a folder: thousands of cuts are not about the disk."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="closeout-power-", dir=shared if shared.is_dir() else None))
    try:
        with HostProcess(
            tmp_path_factory.mktemp("power"), dialects=DIALECTS, options=("--log-level", "warning")
        ) as host:
            yield Bench(host, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cut(bench: Bench, cell: Cell) -> Played:
    """The order with the power failing at the point, in this process; AssertionError when it did not fail there."""
    till = bench.begin(cell.scene, cell.dialect)
    played = Played(till, cell.scene, str(cell), cell, till.memory.next_stan() if cell.scene.moves else "")
    before = len(till.screen.slips)
    result = till.press(till.order(cell.scene.step), CutPower(cell.step, cell.when, cell.nth))
    assert result is None, f"{cell}: the step is not reached any more; the order ended {result and result.end}"
    played.slips = len(till.screen.slips) - before
    bench.end(played)
    return played


@pytest.fixture(scope="module")
def document() -> Matrix:
    """The matrix as it is written down; where it is written anew, as it is found."""
    return {} if MODE == "write" else parsed(DOCUMENT.read_text("utf-8"))


def test_each_operation_reaches_the_steps_of_the_document(bench: Bench, document: Matrix) -> None:
    """Without any cut; a step that is reached once more or less changes the rows of the matrix."""
    for scene, dialect in scenes():
        till = bench.begin(scene, dialect)
        stan, power = till.memory.next_stan() if scene.moves else "", CountedPower()
        result = till.press(till.order(scene.step), power)
        assert result is not None
        bench.reached[scene.name, dialect] = power.steps()
        bench.end(Played(till, scene, f"{scene.name}, {dialect}: no cut", stan=stan))
    if MODE == "write":
        blank = {key: {s: [("", "")] * count for s, count in steps.items()} for key, steps in bench.reached.items()}
        document.update(blank)
    assert {key: {s: len(fates) for s, fates in steps.items()} for key, steps in document.items()} == bench.reached


RULE = {"stan": "-/-", "rev-store": "-/u", "journal": "u/s", "saf-store": "-/s", "print": "s/s"}
"""RT1, RT2, RT7 by step: nothing before the reversal is stored, undone until the row is, and sold from there on."""


def test_the_document_is_what_the_rules_want() -> None:
    """The last time that a transaction of its own passes each of these steps; a declined sale has no row."""
    for (name, dialect), steps in parsed(DOCUMENT.read_text("utf-8")).items():
        scene = next(scene for scene in SCENES if scene.name == name)
        if not scene.moves or scene.step.end in (End.DECLINED, End.NOT_SENT):
            continue
        assert steps.keys() >= {"stan", "print"}, (name, dialect)
        said = {step: "/".join(fates[-1]) for step, fates in steps.items() if step in RULE}
        assert said == {step: RULE[step] for step in said}, (name, dialect)


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_cut_at_any_point_leaves_a_day_that_closes(bench: Bench, document: Matrix, dialect: str) -> None:
    every = points(document, dialect)
    for cell in _some(every, SAMPLE, dialect):
        try:
            cut(bench, cell)
        except AssertionError as error:
            raise AssertionError(f"{cell}: {error}") from error


def _some(cells: list[Cell], count: int, salt: str) -> list[Cell]:
    return random.Random(f"{SEED} {salt}").sample(cells, count) if count else cells


# ---- the same with processes


@pytest.fixture(scope="module")
def terminal_sim() -> Iterator[Callable[..., tuple[int, str, str]]]:
    """terminal_sim(till, words, crash_at): one call, a process of its own; (exit code, stdout, stderr)."""
    with Spawner(python_environment()) as spawner:

        def run(till: PowerTill, words: Iterable[str], crash_at: str = "") -> tuple[int, str, str]:
            action, *rest = words
            extra = {"CLOSEOUT_CRASH_AT": crash_at} if crash_at else {}
            return spawner.run((action, str(till.folder), *rest), extra, 60.0)

        yield run


@pytest.mark.skipif(not Spawner.available(), reason="there is no fork here")
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_process_that_dies_at_a_step_is_a_power_cut(
    bench: Bench, document: Matrix, dialect: str, terminal_sim: Callable[..., tuple[int, str, str]]
) -> None:
    """CLOSEOUT_CRASH_AT ends the process like a SIGKILL at the first time; the next call boots from the flash."""
    firsts = [cell for cell in points(document, dialect) if cell.nth == 1]
    for cell in _some(firsts, PROCESSES, f"{dialect} processes"):
        till = bench.begin(cell.scene, dialect)
        stan = till.memory.next_stan() if cell.scene.moves else ""
        code, out, err = terminal_sim(till, words_of(till.order(cell.scene.step)), f"{cell.step}.{cell.when}")
        assert code == KILLED, f"{cell}: {code} {out} {err}"
        slips = int("MERCHANT" in out)
        bench.end(Played(till, cell.scene, f"{cell}, a process", cell, stan, slips))


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_process_killed_at_any_moment_is_a_power_cut(bench: Bench, dialect: str) -> None:
    """SIGKILL, whatever the process is doing."""
    chance = random.Random(f"{SEED} {dialect} kill")
    kinds = [scene for scene, of in scenes() if of == dialect]
    for _ in range(KILLS):
        scene = chance.choice(kinds)
        till = bench.begin(scene, dialect)
        stan = till.memory.next_stan() if scene.moves else ""
        action, *rest = words_of(till.order(scene.step))
        process = subprocess.Popen(
            [sys.executable, "-m", "terminal_sim", action, str(till.folder), *rest],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=python_environment(),
        )
        after = chance.uniform(*KILL_S)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
        bench.end(Played(till, scene, f"{scene.name}, {dialect}: SIGKILL after {after * 1000:.0f} ms", stan=stan))


# ---- what all these days came to


def test_both_books_agree_item_by_item_and_the_audit_ends_with_0(
    bench: Bench, document: Matrix, acquirer_host: HostCommand
) -> None:
    books = open_reader(bench.host.store).load_books()
    played = [p for p in bench.played if p is not None]
    assert len(played) == len(bench.played), "a terminal whose day was not finished"
    journals = {p.till.tid: p.till.book() for p in played}
    wrong = []
    for p in played:
        compared = compare(books, journals[p.till.tid])
        if not compared.agrees:
            wrong.append(f"{p.label}: {compared.differing or (compared.terminal_totals, compared.host_totals)}")
        if p.cell is not None:
            wrong += _fate(books, p, document)
    assert not wrong, "\n".join(wrong[:20])
    spoilt = {p.till.tid for p in played if Spoilt() in p.scene.before}  # their figures are wrong, and A8 says so
    found = [
        f for f in report.check(books, journals) if not (f.invariant == "A8" and f.subject.endswith(tuple(spoilt)))
    ]
    assert not found, report.render(found[:20])
    waiting = [t for t in books.txns if t.state is TxnState.CAPTURED and t.settlement == "open"]
    assert not waiting, f"captured and in no closed batch: {waiting[:5]}"
    ended = acquirer_host("audit", "--api", bench.host.api.base)
    assert (ended.returncode, ended.stdout) == (0, "the books are right: every invariant holds\n")
    cuts = sum(p.cell is not None for p in played)
    print(f"{len(played)} terminals, {cuts} cuts at named points: all closed, all equal")
    if MODE == "write":
        DOCUMENT.write_text(render(document), "utf-8")


_LETTERS = {
    TxnState.CAPTURED: "s",
    TxnState.AUTHORISED: "s",
    TxnState.REVERSED: "u",
    TxnState.TOMBSTONE: "u",
    TxnState.DECLINED: "n",
}


def _fate(books: HostBooks, played: Played, document: Matrix) -> list[str]:
    """What is wrong with what became of the order that was cut; in writing mode it is put into the document."""
    cell = played.cell
    assert cell is not None
    letter = fate_of(books, played)
    wrong = []
    if played.slips and letter not in "sx":
        wrong.append(f"{played.label}: a slip came out, and its transaction is «{letter}»")
    entries = document[cell.scene.name, cell.dialect][cell.step]
    before, after = entries[cell.nth - 1]
    if MODE == "write" and "process" not in played.label:
        entries[cell.nth - 1] = (letter, after) if cell.when == "before" else (before, letter)
    elif letter != (before if cell.when == "before" else after):
        wrong.append(f"{played.label}: «{letter}», and the document says {before}/{after}")
    return wrong


def fate_of(books: HostBooks, played: Played) -> str:
    """One letter of the document."""
    if not played.stan:
        return "x"
    found = [t for t in books.txns if (t.tid, t.stan) == (played.till.tid, played.stan) and t.amount != AGAIN]
    states = {_LETTERS[t.state] for t in found}
    if not states:
        return "-"
    assert len(states) == 1, f"{played.label}: {found}"
    letter = states.pop()
    return "n" if letter == "u" and played.scene.step.end is End.DECLINED else letter
