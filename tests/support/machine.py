"""Machine faults that really happen: a full disk, a slow or failing sync, a clock that jumps, no more files.

Linux only, and some need root or a C compiler. On a user's machine a test that cannot have its fault is skipped with
the reason; where CI is set it fails.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("machine.c")


def need(what: str, *, root: bool = False, command: str = "", missing: str = "") -> None:
    """Skip, or fail where CI is set, when this machine cannot have the fault. what, missing: for the reason."""
    if not sys.platform.startswith("linux"):
        missing = "Linux"
    elif root and os.geteuid() != 0:
        missing = "root"
    elif command and shutil.which(command) is None:
        missing = command
    if not missing:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what} needs {missing}, and CI must not skip this test")
    pytest.skip(f"{what} needs {missing}")


# ---- a small disk


class Disk:
    """A file system of its own, some megabytes small. Everything on it is gone with it."""

    BALLAST = "ballast"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Take all the room that is left."""
        with (self.folder / self.BALLAST).open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Give it back."""
        (self.folder / self.BALLAST).unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int = 48, *options: str) -> Iterator[Disk]:
    """A tmpfs at this folder. options: of mount, e.g. "ro". megabytes: where a test fills and frees it, well above the
    17 that SQLite's log may take before it is moved into the books; a log that leaves no room has no place to go."""
    need("a small disk", root=True, command="mount")
    folder.mkdir(parents=True, exist_ok=True)
    how = ",".join([f"size={megabytes}m", *options])
    command = ["mount", "-t", "tmpfs", "-o", how, "closeout-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    if mounted.returncode:
        need("a small disk", missing=f"the right to mount one ({mounted.stderr.strip()})")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)


# ---- a library in front of the C library


class _Orders(ctypes.Structure):
    """`struct orders` of machine.c."""

    _fields_ = (
        ("clock_ms", ctypes.c_int64),
        ("sync_ms", ctypes.c_int32),
        ("sync_errno", ctypes.c_int32),
        ("write_errno", ctypes.c_int32),
        ("failures", ctypes.c_int32),
        ("syncs", ctypes.c_int32),
        ("failed", ctypes.c_int32),
    )


class Shim:
    """What a process with `environment` meets from now on; it can be changed while the process runs."""

    def __init__(self, library: Path, folder: Path) -> None:
        path = folder / "machine.orders"
        path.write_bytes(b"\0" * ctypes.sizeof(_Orders))
        with path.open("r+b") as file:
            self._orders = _Orders.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(_Orders)))
        self.environment = {"LD_PRELOAD": str(library), "MACHINE_ORDERS": str(path)}

    def jump(self, seconds: float) -> None:
        """The wall clock is set on (or back) by so much."""
        self._orders.clock_ms += int(seconds * 1000)

    def slow_syncs(self, seconds: float) -> None:
        """Each sync takes so much longer; 0 = as the machine is."""
        self._orders.sync_ms = int(seconds * 1000)

    def fail_syncs(self, code: int, times: int = -1) -> None:
        """Syncs fail with this errno."""
        self._orders.failures, self._orders.sync_errno = times, code

    def fail_writes(self, code: int, times: int = -1) -> None:
        """Writes of the store fail with this errno."""
        self._orders.failures, self._orders.write_errno = times, code

    def heal(self) -> None:
        """Nothing fails any more; the clock stays where it is."""
        self._orders.sync_ms = self._orders.sync_errno = self._orders.write_errno = self._orders.failures = 0

    @property
    def syncs(self) -> int:
        """How many syncs were asked for so far."""
        return int(self._orders.syncs)

    @property
    def failed(self) -> int:
        """How many calls have failed so far."""
        return int(self._orders.failed)


def compiled(folder: Path) -> Path:
    """The library of machine.c, made by the C compiler."""
    need("a library in front of the C library", command="gcc")
    library = folder / "machine.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(SOURCE), "-ldl"],
        check=True,
        timeout=60,
    )
    return library


# ---- files


def limit_files(pid: int, extra: int | None) -> int:
    """Let a process open so many files more than it has now; None = as many as it may. How many it has."""
    need("a limit on the files of another process", root=True)
    now = len(os.listdir(f"/proc/{pid}/fd"))
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # The limit counts numbers, not files: the lowest free number is what the next file would get.
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = (number for number in range(hard) if number not in taken)
    soft = hard
    if extra is not None:
        for _ in range(extra + 1):
            soft = next(free)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return now
