"""Mutants: each takes one clause of a reference rule out of the code; the tests named with it must then fail.

rules    the clauses and mutants as they stand in the files RT1.toml … RO2.toml
run      applies them to a copy of the tree and runs their tests (`make mutants`)
table    writes docs/rules-and-tests.md from the same files
"""
