"""A host that watches itself; stands before the usual command line as its wrapper (see tests.bench.profile).

    python -m tests.bench.profiled_host calls|samples OUT PYTHON -m host serve …

It begins to watch at SIGUSR1, so that the start is left out, and writes what it saw when the host ends.

calls: cProfile in the loop's thread and the writer's, on each thread's own CPU clock; exact counts, but small functions
look dearer than they are. samples: every few milliseconds the stack of each thread, weighed with the CPU time that the
thread has used since; the host runs at its usual speed, but time is put down to where a thread lets the interpreter go
(SQL, sockets). OUT: JSON for samples, a folder of pstats files for calls.
"""

from __future__ import annotations

import cProfile
import json
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

EVERY_S = 0.002
SWITCH_S = 20e-6
"""A thread is asked to let go at once, or its samples gather where it does so by itself: in SQL and sockets."""
DEPTH_MAX = 60


class Calls:
    """One cProfile for each of the two threads that work for terminals."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._profiles: dict[str, cProfile.Profile] = {}
        self._begun = False
        threading.setprofile(self._each)

    def begin(self) -> None:
        """The loop's thread now; the writer's at its next call."""
        self._begun = True
        self._watch("loop")

    def _each(self, _frame: FrameType, _event: str, _argument: Any) -> None:
        """What each later thread calls at each of its calls, until it is watched or is none of ours."""
        if threading.current_thread().name != "writer":
            sys.setprofile(None)
        elif self._begun:
            self._watch("writer")

    def _watch(self, name: str) -> None:
        self._profiles[name] = cProfile.Profile()
        self._profiles[name].enable()

    def end(self) -> None:
        """Write what was seen."""
        sys.setprofile(None)
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, profile in self._profiles.items():
            profile.create_stats()
            profile.dump_stats(self._folder / f"{name}.pstats")


class Samples:
    """Stacks, weighed by CPU time."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._stacks: dict[str, Counter[tuple[str, ...]]] = {}

    def begin(self) -> None:
        """Look from now on."""
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def _run(self) -> None:
        used: dict[int, float] = {}
        while not self._ends.wait(EVERY_S):
            frames = sys._current_frames()
            for thread in threading.enumerate():
                if thread is self._thread or thread.ident is None or thread.ident not in frames:
                    continue
                try:
                    cpu = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
                except OSError:
                    continue
                spent = cpu - used.get(thread.ident, cpu)
                used[thread.ident] = cpu
                if spent > 0:
                    stack = _stack(frames[thread.ident])
                    name = "loop" if thread is threading.main_thread() else thread.name
                    self._stacks.setdefault(name, Counter())[stack] += round(spent * 1e6)  # µs

    def end(self) -> None:
        """Write what was seen."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()
        rows = [[name, us, list(stack)] for name, stacks in self._stacks.items() for stack, us in stacks.items()]
        self._out.write_text(json.dumps(rows), "utf8")


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    """`file:function`, the innermost first."""
    found: list[str] = []
    while frame is not None and len(found) < DEPTH_MAX:
        found.append(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return tuple(found)


def main(arguments: list[str]) -> None:
    """Watch, and be the host."""
    how, out, *command = arguments
    assert command[1:3] == ["-m", "host"], command
    watch: Calls | Samples = Calls(Path(out)) if how == "calls" else Samples(Path(out))
    from host import cli

    sys.argv = ["acquirer-host", *command[3:]]
    signal.signal(signal.SIGUSR1, lambda _number, _frame: watch.begin())
    try:
        cli.main()
    finally:
        watch.end()


if __name__ == "__main__":
    main(sys.argv[1:])
