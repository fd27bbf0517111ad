"""The terminal's flash: one value, saved whole at named steps, and the power that may fail around any of them.

Steps are those of failure-catalogue.md section 4: stan, rev-store, journal, rev-clear, freeze, settle-pending,
upload-flag, archive, number, key-store, and saf-store, saf-flag for what is stored; `send`, `recv` and `print` are
steps of the driver with the same power. In profile roll-forward the approval that came is saved under `recv` too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from terminal_sim.errors import FlashBusy, FlashError, PowerCut
from terminal_sim.flash_format import TORN, WAY_BACK, FormatError, dump, load
from terminal_sim.state import Memory

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: one process per folder is then the operator's care
    fcntl = None  # type: ignore[assignment]

STEPS = (
    *("stan", "rev-store", "send", "recv", "journal", "rev-clear", "print"),
    *("freeze", "settle-pending", "upload-flag", "archive", "number", "key-store", "saf-store", "saf-flag"),
)
DESK_STEPS = ("operator", "reprint")
"""Saves of the desk, between orders: who is logged in, and that a slip was printed again."""
WHENS = ("before", "after")
KILLED = 137
"""Exit status of a process that lost its power, as of one killed by SIGKILL."""


class Power(Protocol):
    """Asked before and after every step; does not come back when the power fails there."""

    def at(self, step: str, when: str) -> None:
        """step: one of STEPS; when: before or after it."""


class SteadyPower:
    """Power that never fails."""

    def at(self, step: str, when: str) -> None:
        """Always comes back; an unknown step is our own mistake."""
        assert step in STEPS + DESK_STEPS, step


class CutPower:
    """Power that fails at the nth time a step is reached. fail: what then happens (must not return)."""

    def __init__(self, step: str, when: str, nth: int = 1, fail: Callable[[str, str], None] | None = None) -> None:
        assert step in STEPS + DESK_STEPS, step
        assert when in WHENS, when
        self._step, self._when, self._left = step, when, nth
        self._fail = fail or _raise

    def at(self, step: str, when: str) -> None:
        """Fails at the nth time that the chosen step is reached."""
        assert step in STEPS + DESK_STEPS, step
        if (step, when) != (self._step, self._when):
            return
        self._left -= 1
        if self._left == 0:
            self._fail(step, when)


def _raise(step: str, when: str) -> None:
    raise PowerCut(step, when)


def _exit(step: str, when: str) -> None:
    os._exit(KILLED)  # no handler, no flush, no unlocking: what a power cut leaves


def power_from(text: str) -> Power:
    """The power that CLOSEOUT_CRASH_AT=STEP.before|after describes; "" = steady. Raises: FlashError."""
    if not text:
        return SteadyPower()
    step, _, when = text.rpartition(".")
    if step not in STEPS + DESK_STEPS or when not in WHENS:
        raise FlashError(
            f"CLOSEOUT_CRASH_AT={text}: expected STEP.before or STEP.after, STEP one of {', '.join(STEPS)}"
        )
    return CutPower(step, when, fail=_exit)


class Flash(Protocol):
    """Where a terminal's memory outlives its power."""

    power: Power

    def load(self) -> Memory:
        """What was saved last. Raises: FlashError naming the file."""

    def save(self, step: str, memory: Memory) -> None:
        """Durable when it returns. Raises: FlashError when it cannot be: the machine must then not go on."""


class MemoryFlash:
    """A flash in memory, for tests and the world. refuse: the step whose write fails (the store is full)."""

    def __init__(self, memory: Memory, power: Power | None = None, refuse: str = "") -> None:
        self._memory = memory
        self.power: Power = power or SteadyPower()
        self.refuse = refuse
        self.steps: list[str] = []

    def load(self) -> Memory:
        """See Flash."""
        return self._memory

    def save(self, step: str, memory: Memory) -> None:
        """See Flash. Refuses the step that `refuse` names, as a full store does."""
        self.power.at(step, "before")
        if step == self.refuse:
            raise FlashError(f"memory: no room for {step}")
        self._memory = memory
        self.steps.append(step)
        self.power.at(step, "after")


class DirFlash:
    """A folder: `terminal.json` written whole beside itself, synced, renamed, the folder synced; `lock` while in use.

    The rename is the moment of the save: a cut before it leaves the old file, after it the new one, never a mixture.
    """

    STATE = "terminal.json"
    LOCK = "lock"

    def __init__(self, folder: Path, power: Power | None = None) -> None:
        self._folder = folder
        self.power: Power = power or SteadyPower()
        self._lock: int | None = None

    @property
    def path(self) -> Path:
        """The file that holds the memory."""
        return self._folder / self.STATE

    def open(self) -> DirFlash:
        """Take the folder for this process. Raises: FlashBusy when another has it, FlashError when there is none."""
        if not self._folder.is_dir():
            raise FlashError(f"{self._folder}: no such folder; `terminal-sim init` makes a terminal")
        if not self.path.exists():  # told before the lock is made: nothing of ours is left in a stranger's folder
            raise FlashError(f"{self._folder}: no terminal lives here (no {self.STATE}); `terminal-sim init` makes one")
        return self._take()

    def _take(self) -> DirFlash:
        try:
            self._lock = os.open(self._folder / self.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise FlashBusy(f"{self._folder}: another process is working with this terminal") from None
        except OSError as error:
            self.close()
            raise FlashError(f"{self._folder / self.LOCK}: {error.strerror}") from None
        return self

    def close(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> DirFlash:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self) -> Memory:
        """See Flash. A missing or torn file is never taken for an empty terminal."""
        return _read(self.path, "; `terminal-sim init` makes a terminal")

    def save(self, step: str, memory: Memory) -> None:
        """See Flash."""
        self.power.at(step, "before")
        self._write(dump(memory).encode())
        self.power.at(step, "after")

    def create(self, memory: Memory, *, over: bool = False) -> None:
        """The first save of a new terminal. over: also where one lived. Raises: FlashError when one lives there."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FlashError(f"{self._folder}: {error.strerror}") from None
        with contextlib.closing(self._take()):
            if self.path.exists() and not over:
                raise FlashError(f"{self.path}: a terminal lives here already; init makes a new one in another folder")
            self._write(dump(memory).encode())

    def _write(self, content: bytes) -> None:
        try:
            with os.fdopen(os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._beside, self.path)
            self._sync_folder()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._beside.unlink(missing_ok=True)  # what did not fit must not keep the room from what may
            raise FlashError(f"{self.path}: {error.strerror}") from None

    @property
    def _beside(self) -> Path:
        """One name: the lock keeps others out, and a cut leaves one file at most."""
        return self.path.with_suffix(".tmp")

    def _sync_folder(self) -> None:
        if os.name != "posix":  # pragma: no cover - no such thing on Windows
            return
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(path: Path, when_missing: str = "") -> Memory:
    try:
        return load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FlashError(f"{path}: is missing{when_missing}") from None
    except UnicodeDecodeError:
        raise FlashError(f"{path}: {TORN}: {WAY_BACK}") from None
    except FormatError as error:
        raise FlashError(f"{path}: {error}") from None
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}") from None


def read_copy(path: Path) -> Memory:
    """The memory of a copy of the flash. Raises: FlashError as a flash does."""
    return _read(path)


def write_copy(path: Path, memory: Memory) -> None:
    """A copy of the flash, for its owner alone. Raises: FlashError when it cannot be written, or is there already."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(dump(memory).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}") from None
