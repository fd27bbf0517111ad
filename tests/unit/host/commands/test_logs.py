"""The host's log: what it cannot write stops nothing."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from host.commands.logs import configure
from host.errors import ConfigError


class FullDisk(io.StringIO):
    """A stream that has room for some characters."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, text: str) -> int:
        if len(text) > self.room:
            raise OSError(28, "No space left on device")
        self.room -= len(text)
        return super().write(text)

    def flush(self) -> None:
        if not self.room:
            raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    logging.basicConfig(force=True)


def test_a_full_disk_loses_lines_and_stops_nothing() -> None:
    stream = FullDisk(0)
    configure(stream, "info")
    structlog.get_logger("host").error("commit failed")
    logging.getLogger("asyncio").error("what a library says")
    stream.room = 1_000
    structlog.get_logger("host").info("there is room again")
    assert [line for line in stream.getvalue().splitlines() if "again" in line]
    assert "failed" not in stream.getvalue()


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ConfigError, match="--log-level loud"):
        configure(io.StringIO(), "loud")
