"""What the disk under the store costs: it bounds one till that waits for each answer."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.bench.histogram import Histogram

WRITES = 300
PAGE_BYTES = 4096


def filesystem(folder: Path) -> str:
    """The type of the file system that holds a folder, as /proc/mounts says."""
    best, kind = "", "?"
    for row in Path("/proc/mounts").read_text("utf8").splitlines():
        _, mounted, name = row.split()[:3]
        if folder.resolve().is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, name
    return kind


def fdatasync_us(folder: Path, writes: int = WRITES) -> Histogram:
    """Latencies of appending a page and waiting for the disk, in µs."""
    found = Histogram()
    path = folder / "page"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(writes):
            start = time.perf_counter()
            os.write(handle, bytes(PAGE_BYTES))
            os.fdatasync(handle)
            found.record(int((time.perf_counter() - start) * 1e6))
    finally:
        os.close(handle)
        path.unlink()
    return found
