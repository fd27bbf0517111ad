"""Logs: one line an event on stderr or in a file; JSON when nobody watches. No card number ever comes here clear.

What libraries log (asyncio, uvicorn: an exception nobody caught, with its traceback) takes the same way out, masked.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

from host.errors import ConfigError
from specs.masking import mask_text

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(stream: TextIO, level: str) -> None:
    """Set structlog up for this process. Raises ConfigError for an unknown level."""
    if level not in LEVELS:
        raise ConfigError(f"--log-level {level}: not one of {', '.join(LEVELS)}")
    watched = stream.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            structlog.processors.format_exc_info,
            _mask_event,
            structlog.dev.ConsoleRenderer(colors=watched) if watched else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Patient(stream))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def _mask_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last guard: whoever logs masks by what it knows, this one by what a card number looks like."""
    return {name: _masked(value) for name, value in event.items()}


def _masked(value: object) -> object:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {name: _masked(part) for name, part in value.items()}
    return [_masked(part) for part in value] if isinstance(value, list | tuple) else value


class _Patient:
    """A log is no reason to stop what it tells of: on a full disk its lines are lost, and sales go on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """As of a stream, but never raises OSError."""
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """As of a stream, but never raises OSError."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Forward(logging.Handler):
    """Hands records of the standard library's loggers to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it under its logger's name, with the traceback when there is one."""
        trace = {"trace": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        structlog.get_logger(record.name).log(record.levelno, record.getMessage(), **trace)
