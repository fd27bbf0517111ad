"""The exceptions of terminal_sim, one tree.

    TerminalError
    ├── ConfigError       the operator's arguments or the terminal's set-up are wrong: exit 2
    ├── FlashError        the folder of a terminal cannot be read or written; names the file: exit 2
    │   └── FlashBusy     another process holds the folder: exit 2
    ├── LineError         the world failed between terminal and host
    │   ├── NotConnected  no connection: nothing was sent, nothing is owed
    │   └── LineLost      the connection ended after bytes may have left
    ├── PaperOut          the printer has none
    └── PowerCut          the power failed at a named step (tests and the world; a real process just ends)

No text of these exceptions ever contains a card number, track, PIN block or key.
"""

from __future__ import annotations


class TerminalError(Exception):
    """Root of everything that terminal_sim raises."""


class ConfigError(TerminalError):
    """An argument, an address or a setting that cannot be used; one line that says which and why."""


class FlashError(TerminalError):
    """A file of the terminal's folder that is missing, torn or cannot be written; names the file."""


class FlashBusy(FlashError):
    """Another process works with this folder: two machines on one flash would each spend the other's STANs."""


class LineError(TerminalError):
    """The connection to the host failed."""


class NotConnected(LineError):
    """No connection could be made, so not one byte left."""


class LineLost(LineError):
    """The connection ended, or its bytes stopped making sense, after the request may have left."""


class PaperOut(TerminalError):
    """The printer has no paper; the slip is on flash and can be printed again."""

    def __init__(self) -> None:
        super().__init__("the printer has no paper")


class PowerCut(TerminalError):
    """The power failed at a named step; whatever is not on flash is gone."""

    def __init__(self, step: str, when: str) -> None:
        super().__init__(f"power cut at {step}.{when}")
        self.step = step
        self.when = when
