"""Ctrl-C as a wish: what is at work comes to a good end, and what it has found is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(BaseException):
    """Somebody has pressed Ctrl-C: the run that is being played comes to no end. No handler of a run may catch it."""


@contextmanager
def interruptible(halt: threading.Event) -> Iterator[threading.Event]:
    """Ctrl-C sets `halt`, and the event that is given; a second one ends the process as ever."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def press(_number: int, _frame: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()
        halt.set()

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def leave_to_parent() -> None:
    """In a process that works for another one: Ctrl-C is pressed for that one, whose end is the end of our orders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
