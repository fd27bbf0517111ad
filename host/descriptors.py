"""File descriptors: how many lines the process can hold, and what it does when none is left.

Terminals must never take the last one: the store needs some for its files, and the API, which has to say what is
wrong, needs one a caller.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys

import structlog

log = structlog.get_logger("host.server")

RESERVE = 96
"""Descriptors that lines never get: store and log files, the API's connections, Python's own, and the spares."""
SPARES = 16
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def connections_within(wanted: int) -> int:
    """How many lines there can be: `wanted`, or what the process's limit of open files leaves after the reserve.

    Raises the soft limit towards the hard one where that helps. Says so in the log when it has to lower the number.
    """
    if sys.platform == "win32":  # sockets are no files there, and there is no such limit
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted + RESERVE
    if soft != resource.RLIM_INFINITY and soft < need:
        raised = need if hard == resource.RLIM_INFINITY else min(need, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY or soft >= need:
        return wanted
    allowed = max(1, soft - RESERVE)
    log.warning("fewer connections than configured", connections=allowed, configured=wanted, open_files_limit=soft)
    return allowed


class Spares:
    """Descriptors kept open for nothing, to be let go when the process has no other."""

    def __init__(self, count: int = SPARES) -> None:
        self._count = count
        self._held: list[int] = []

    def refill(self) -> bool:
        """Take what is missing; whether all are held now, and one more could be had: else the spares themselves would
        be what the process has no room for. What a failed try has taken it gives back."""
        taken: list[int] = []
        try:
            while len(self._held) + len(taken) < self._count:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            for descriptor in taken:
                os.close(descriptor)
            return False
        self._held += taken
        return True

    def release(self) -> None:
        """Give all to whoever needs one."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()
