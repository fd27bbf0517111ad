"""The exceptions of host, one tree.

HostError
├── ConfigError        bad argument, URL or file: one line, exit code 2
├── Busy               more requests queued than the bound allows: 96
├── StoreUnavailable   the store cannot be read or written now: 96 or silence, service goes on
├── StoreHeld          another host holds this store: exit code 2
├── StoreVersion       the store was written by a newer program, or must be upgraded first: exit code 2
└── LedgerBroken       a ledger invariant failed inside a commit: nothing is written, the host stops
"""

from __future__ import annotations


class HostError(Exception):
    """Root of everything that host raises."""


class ConfigError(HostError):
    """A bad argument, listener URL or file; the text names it and says why."""


class Busy(HostError):
    """The writer's queue is full, or the host is stopping: nothing was taken, the answer is 96."""


class StoreUnavailable(HostError):
    """The store refused a read or a write (disk full, locked, connection lost).

    unknown: the failure came while the commit itself was under way, so the rows may be on disk all the same; whoever
    asked must then hear nothing rather than a refusal that the books could belie.
    """

    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown


class StoreHeld(HostError):
    """Another host process holds this store; the text names it."""


class StoreVersion(HostError):
    """The store's schema is newer than this program's, or older and not upgraded; the text says what to do."""


class LedgerBroken(HostError):
    """A ledger invariant does not hold for what was about to be written."""
