"""The hold on a store file: one host process at a time.

An advisory lock on PATH.lock, with the holder's process id inside. The lock belongs to the open file, so the system
gives it back when the process ends in whatever way: kill -9 leaves no stale lock, only a file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from host.errors import StoreHeld, StoreUnavailable

_LOCKED_BYTE = 1 << 20
"""Far behind the text: a locked byte cannot be read on Windows."""


class FileHold:
    """Held from construction to `release`. Raises StoreHeld naming the holder's process id."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise StoreUnavailable(f"cannot write beside the store: {self.path}: {error.strerror}") from None
        try:
            _lock(self._fd)
        except OSError:
            holder = os.read(self._fd, 64).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreHeld(f"{store} is held by another host, process {holder}") from None
        try:
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, f"{os.getpid()}\n".encode("ascii"))
        except OSError as error:  # the disk is full
            self.release()
            raise StoreUnavailable(f"cannot write beside the store: {self.path}: {error.strerror}") from None

    def release(self) -> None:
        """The file stays: taking it away would let two hosts lock two files of one name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
