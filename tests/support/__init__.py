"""Builders, clocks, lines and host processes that tests share; imported as `tests.support`."""
