"""The log of a host that is played in our own process: it meets faults on purpose, and nobody wants to read of each."""

from __future__ import annotations

import logging

import structlog


def critical_only() -> None:
    """From here on only what ends a host is told, in whatever way the log was set up before."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
