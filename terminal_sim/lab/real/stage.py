"""Sockets of a real run: who asks (the points of terminals), who dials (their lines), who answers (the host).

One thread reads them all, one after the other, so that a run is a sequence; the threads of the terminals' processes
only bring their ends.
"""

from __future__ import annotations

import contextlib
import json
import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from terminal_sim.lab.errors import LabError
from terminal_sim.lab.interrupt import Interrupted

READ_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)
Heard = Callable[[Any], None]


def listening(port: int = 0) -> socket.socket:
    """A listener on loopback; port 0: any free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(8)
    listener.setblocking(False)
    return listener


def end(line: socket.socket, *, broken: bool = False) -> None:
    """Close a connection. broken: by a reset."""
    if broken:
        with contextlib.suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    line.close()


class Asker:
    """One terminal process at its points. unit: its name, once it has said it."""

    def __init__(self, connection: socket.socket, stage: Stage) -> None:
        self._connection, self._stage = connection, stage
        self._rest = b""
        self.unit = ""

    def answer(self, value: object) -> None:
        """Say it to the process; one that is gone hears nothing."""
        with contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(value).encode() + b"\n")

    def read(self) -> None:
        """Take what was said."""
        try:
            data = self._connection.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._stage.forget(self._connection)
            self._connection.close()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "unit" in said:
                self.unit = str(said["unit"])
            else:
                self._stage.hears[self.unit](self, said)


class Stage:
    """See the module. hears: unit -> who takes what its process says. ends: of processes, as calls to be made.
    halt: set by who does not want to wait for the end of the run."""

    def __init__(self, halt: threading.Event | None = None) -> None:
        self._halt = halt or threading.Event()
        self._selector = selectors.DefaultSelector()
        self._door = listening()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self.hears: dict[str, Callable[[Asker, dict[str, Any]], None]] = {}
        self.ends: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.watch(self._door, self._enter)
        self.watch(self._woken, self._ended)

    def where(self, unit: str) -> str:
        """What a process of this unit needs to find us."""
        return f"127.0.0.1:{self._door.getsockname()[1]}/{unit}"

    def watch(self, sock: socket.socket, act: Callable[[], None]) -> None:
        """Call when there is something to read."""
        self._selector.register(sock, selectors.EVENT_READ, act)

    def forget(self, sock: socket.socket) -> None:
        """No more of it."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)

    def pump(self, seconds: float) -> bool:
        """Do what is there to be done, waiting for the first of it; False when nothing came."""
        ready = self._selector.select(seconds)
        for key, _ in ready:
            key.data()
        return bool(ready)

    def until(self, done: Callable[[], bool], seconds: float, why: str) -> None:
        """Pump until it is so. Raises: LabError with `why`, Interrupted."""
        limit = time.monotonic() + seconds
        while not done():
            self.go_on()
            self.pump(0.5)
            if time.monotonic() > limit:
                raise LabError(f"{why}: nothing happens for {seconds:g} s")

    def go_on(self) -> None:
        """Asked wherever a run may last. Raises: Interrupted."""
        if self._halt.is_set():
            raise Interrupted

    def ended(self, act: Callable[[], None]) -> None:
        """From another thread: have it called by ours; nobody calls it when the run is over."""
        self.ends.put(act)
        with contextlib.suppress(OSError):
            self._waker.send(b".")

    def close(self) -> None:
        """The end of it: processes that still ask hear that nobody plays any more."""
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()
        self._waker.close()

    def _enter(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._door.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watch(connection, Asker(connection, self).read)

    def _ended(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(READ_BYTES)
        while not self.ends.empty():
            self.ends.get()()
