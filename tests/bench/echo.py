"""The bare echo: a uvloop Protocol that writes back what came, and nothing else. The floor that the host stands beside.

python -m tests.bench.echo READY_FILE        writes its port there, ends on SIGTERM
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

import uvloop


class Echo(asyncio.Protocol):
    """One line."""

    __slots__ = ("_transport",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """The same bytes back."""
        self._transport.write(data)


async def serve(ready_file: Path) -> None:
    """Listen on a free port until the process is ended."""
    listener = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
    written = ready_file.with_suffix(".part")
    written.write_text(str(listener.sockets[0].getsockname()[1]), "utf8")
    written.replace(ready_file)
    await listener.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1])))
