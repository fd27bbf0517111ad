"""Every test here that takes `store_url` runs on a SQLite file and on PostgreSQL (marker pg)."""

from __future__ import annotations

from tests.support.stores import store_url

__all__ = ["store_url"]
