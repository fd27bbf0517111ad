"""What every test shares: the two hypothesis profiles, stores, the log as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import is_dataclass

import pytest
import structlog
from hypothesis import HealthCheck, settings

# Helpers assert too; rewritten, a failure there shows its values as one in a test does. Before any of them is loaded.
pytest.register_assert_rewrite("tests.support")

from tests.support.stores import databases, memory, on_both, postgres_server  # noqa: E402

__all__ = ["databases", "memory", "postgres_server"]

# dev: quick and different every time. ci: the same examples every time, so that a red run is about the change.
# No deadline in either: the machines are small and shared, and slowness has tests of its own (tests/bench).
settings.register_profile("dev", max_examples=30, deadline=None)
settings.register_profile(
    "ci", max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")  # pytest's --hypothesis-profile overrides it


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What a test keeps in memory, in PostgreSQL too (tests.support.stores)."""
    on_both(metafunc)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command sets the log up for its process. Played inside a test it writes to what that test captures, which is
    closed behind it: whoever logs next would fail."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show values of ours by their own repr, which masks card numbers and keys.

    pytest's explanation of two unequal dataclasses prints each attribute on its own and so passes the mask by.
    """
    if type(left) is not type(right) or not is_dataclass(left):
        return None
    return [f"{left!r} {op} {right!r}"]
