"""Apply mutants to a copy of the tree, one at a time, and demand that the tests named with each fail by an assertion.

    python -m tests.mutants.run [NAME...] [--jobs N]        NAME: of a mutant (rt1-image-late) or of a rule (RT1)

The checkout is never changed. First all tests concerned run without a mutant and must pass. Exit 0 when every mutant
is killed, 1 when one survives or its tests are red anyway, 2 for a name that does not exist.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from xml.etree import ElementTree

from tests.mutants.rules import ROOT, Mutant, load, mutants

PACKAGES = ("specs", "host", "terminal_sim")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.db*", "certs")
TEST_S = 20
RUN_S = 600
BY_ASSERTION = ("AssertionError", "assert ", "Failed")
"""How the message of a failure begins when a test has judged; anything else is a crash, which proves less."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mutant came to. failed: the tests that judged it; crashed: those that ended in another exception."""

    mutant: Mutant
    failed: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()
    unharmed: tuple[str, ...] = ()
    seconds: float = 0.0
    trouble: str = ""

    @property
    def killed(self) -> bool:
        """Whether every test named with it has failed by an assertion."""
        return not (self.trouble or self.unharmed)

    def __str__(self) -> str:
        word = "killed" if self.killed else "SURVIVED"
        why = self.trouble or "; ".join(f"passes: {test}" for test in self.unharmed)
        return f"{word:9}{self.mutant.name:32}{len(self.failed):3} failed{self.seconds:6.1f} s  {why}".rstrip()


@dataclass(slots=True)
class Tree:
    """A copy of the tree for mutants. writes: counted, so that no compiled file passes for that of newer text."""

    root: Path
    writes: int = 0

    def environment(self) -> dict[str, str]:
        """For every process that runs here: the copy's modules go before an installed checkout."""
        return os.environ | {"PYTHONPATH": str(self.root)}

    def check_imports(self) -> None:
        """Raises: RuntimeError unless the copy's own packages are what a process here imports."""
        ask = f"import {', '.join(PACKAGES)}; print(*({', '.join(f'{name}.__file__' for name in PACKAGES)},))"
        found = self._python("-c", ask).stdout.split()
        if [Path(path).parent for path in found] != [self.root / name for name in PACKAGES]:
            raise RuntimeError(f"the copy in {self.root} imports other modules: {found}")

    def test(self, tests: Iterable[str]) -> dict[str, str]:
        """Run tests. Node id with its parameters -> "" when it passed, else how its failure begins.

        Raises: RuntimeError when pytest could not run them at all, such as a name that does not exist.
        """
        report = self.root / "mutants-report.xml"
        report.unlink(missing_ok=True)
        ran = self._python(
            *("-m", "pytest", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"),
            *("-o", "junit_family=xunit1", f"--junitxml={report}", f"--timeout={TEST_S}", *sorted(set(tests))),
        )
        if ran.returncode not in (0, 1) or not report.exists():
            raise RuntimeError(f"pytest ended with {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
        return dict(_outcome(case) for case in ElementTree.parse(report).iter("testcase"))

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """The tree with one mutant in it. Raises: ValueError when it does not apply."""
        path = self.root / mutant.path
        before = path.read_text("utf-8")
        self._write(path, mutant.applied(before))
        try:
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        self.writes += 1
        later = int(time.time()) + 10 * self.writes
        os.utime(path, (later, later))

    def _python(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    name = f"{case.get('file')}::{case.get('name')}"
    for word in ("failure", "error", "skipped"):
        found = case.find(word)
        if found is not None:
            said = (found.get("message") or "").strip() or "?"
            return name, said if word == "failure" else f"{word}: {said}"
    return name, ""


@contextmanager
def trees(count: int) -> Iterator[list[Tree]]:
    """Copies of the tree, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="closeout-mutants-") as folder:
        made = []
        for at in range(count):
            root = Path(folder).resolve() / f"tree{at}"
            shutil.copytree(ROOT, root, ignore=LEFT_OUT)
            made.append(Tree(root))
            made[-1].check_imports()
        yield made


def red(tree: Tree, chosen: Sequence[Mutant]) -> list[str]:
    """The tests of these mutants that fail without any mutant."""
    ran = tree.test(test for mutant in chosen for test in mutant.tests)
    return [f"{test}: {said.splitlines()[0]}" for test, said in ran.items() if said]


def judge(tree: Tree, mutant: Mutant) -> Verdict:
    """One mutant: apply, run its tests, take it back."""
    begun = time.monotonic()
    try:
        with tree.mutated(mutant):
            ran = tree.test(mutant.tests)
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        return Verdict(mutant, trouble=str(error))
    failed = tuple(test for test, said in ran.items() if said.startswith(BY_ASSERTION))
    crashed = tuple(test for test, said in ran.items() if said and not said.startswith(BY_ASSERTION))
    unharmed = tuple(named for named in mutant.tests if not any(_is_of(test, named) for test in failed))
    return Verdict(mutant, failed, crashed, unharmed, time.monotonic() - begun)


def _is_of(test: str, named: str) -> bool:
    """Whether a test that ran is the named one, or one of its parameters."""
    return test == named or test.startswith(f"{named}[")


@dataclass(slots=True)
class Report:
    """Verdicts as they come."""

    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        print(verdict, flush=True)
        for test in verdict.crashed:
            print(f"         crashed: {test}")

    @property
    def survivors(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.killed]


def run(chosen: Sequence[Mutant], jobs: int = 1) -> Report:
    """All of them; each tree has one at a time. Raises: RuntimeError when their tests fail without a mutant."""
    report = Report()
    with trees(min(jobs, len(chosen))) as made:
        if failing := red(made[0], chosen):
            raise RuntimeError("red without a mutant:\n" + "\n".join(failing))
        free: SimpleQueue[Tree] = SimpleQueue()
        for tree in made:
            free.put(tree)

        def one(mutant: Mutant) -> Verdict:
            tree = free.get()
            try:
                return judge(tree, mutant)
            finally:
                free.put(tree)

        with ThreadPoolExecutor(len(made)) as pool:
            for verdict in pool.map(one, chosen):
                report.add(verdict)
    return report


def main(words: Sequence[str] | None = None) -> int:
    """The command. Gives back its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description="run mutants of the rules")
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants or rules; none: all")
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree at work beside one another")
    asked = parser.parse_args(words)
    every = mutants(load())
    unknown = set(asked.names) - {m.name for m in every} - {m.rule for m in every}
    if unknown:
        print(f"no such mutant or rule: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [m for m in every if not asked.names or {m.name, m.rule} & set(asked.names)]
    begun = time.monotonic()
    try:
        report = run(chosen, max(1, asked.jobs))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    judged = sum(len(verdict.failed) for verdict in report.verdicts)
    print(
        f"{len(chosen)} mutants, {len(chosen) - len(report.survivors)} killed, {len(report.survivors)} survived, "
        f"{judged} tests failed as they must, {time.monotonic() - begun:.0f} s"
    )
    return 1 if report.survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
