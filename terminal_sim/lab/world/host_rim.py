"""The rim of a host in the world: what stands where sockets and an event loop are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from host.connection import Connection
from host.server import Server
from terminal_sim.lab.world.scene import Scene

if TYPE_CHECKING:
    from terminal_sim.lab.world.host_party import HostParty


class Edge(Server):
    """The rim without sockets."""

    def __init__(self, handler: Any, broken: Any, scene: Scene) -> None:
        super().__init__(handler, broken)
        self._scene = scene

    def loop_time(self) -> float:
        """The scene's time."""
        return self._scene.now

    def opened(self, connection: Connection) -> None:
        """Counted by the world."""

    def closed(self, connection: Connection) -> None:
        """Counted by the world."""


class Loop:
    """As much of an event loop as the service uses: what is to be done soon is done now."""

    def call_soon_threadsafe(self, act: Callable[[], None]) -> None:
        """At once."""
        act()


class NoSocket:
    """A socket that takes any option."""

    def setsockopt(self, *_: object) -> None:
        """Nothing lingers here."""


class Transport:
    """One line as asyncio would give it."""

    def __init__(self, line: int, host: HostParty) -> None:
        self._line, self._host = line, host
        self._closing = False

    def set_write_buffer_limits(self, **_: object) -> None:
        """There are none."""

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        """Where the line comes from."""
        return ("192.0.2.1", 1024 + self._line % 60000)

    def get_write_buffer_size(self) -> int:
        """Nothing waits here."""
        return 0

    def is_closing(self) -> bool:
        """Whether this end was ended."""
        return self._closing

    def write(self, data: bytes) -> None:
        """A frame leaves."""
        self._host.write(self._line, data)

    def close(self) -> None:
        """In order."""
        self._end(broken=False)

    def abort(self) -> None:
        """With a reset."""
        self._end(broken=True)

    def pause_reading(self) -> None:
        """Never needed."""

    def resume_reading(self) -> None:
        """Never needed."""

    def _end(self, *, broken: bool) -> None:
        if not self._closing:
            self._closing = True
            self._host.end_line(self._line, broken=broken)
