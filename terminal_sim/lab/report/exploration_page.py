"""The explorer's page (being written)."""

from __future__ import annotations

from terminal_sim.lab.report.page import document
from terminal_sim.lab.report.shape import ExplorationShape


def exploration_page(found: ExplorationShape) -> str:
    """All of it on one page."""
    return document(found["title"], [])
