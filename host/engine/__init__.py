"""Decisions: pure functions from (working set, event, context) to a Decision. No socket, store, clock or randomness."""
