"""Scenario files: what is done, what goes wrong, and how it must end (failure-catalogue.md, section 4)."""
