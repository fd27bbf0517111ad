"""An exploration as plain values (shape.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from terminal_sim.lab.report import words
from terminal_sim.lab.report.machine import run_shape
from terminal_sim.lab.report.shape import (
    EXPLORATION_SCHEMA,
    BugShape,
    CellShape,
    CountsShape,
    ExplorationShape,
    ExploredFindingShape,
)

if TYPE_CHECKING:
    from terminal_sim.lab.scenario.model import Scenario


def exploration_shape(exploration: Any, bugs: Sequence[BugShape] = ()) -> ExplorationShape:
    """The machine form of an exploration (terminal_sim.lab.explore.result.Exploration).

    bugs: of a search for planted bugs with their smallest schedules; none given: those that this exploration had on.
    """
    scenario, cells = exploration.scenario, exploration.cells
    return {
        "schema": EXPLORATION_SCHEMA,
        "slug": scenario.slug,
        "title": scenario.title or scenario.slug,
        "setting": setting(scenario, (*exploration.bugs, *exploration.host_bugs)),
        "faults_max": exploration.faults_max,
        "seed": exploration.seed,
        "jobs": exploration.jobs,
        "seconds": exploration.seconds,
        "stopped": exploration.stopped,
        "firsts": exploration.firsts,
        "spent": dict(exploration.spent),
        "counts": cast(CountsShape, asdict(exploration.counts)),
        "classes": dict(exploration.classes),
        "kinds": _kinds(exploration),
        "actions": list(dict.fromkeys(cell.action for cell in cells)),
        "cells": [_cell(cell) for cell in cells],
        "findings": [_finding(f"F{number}", found) for number, found in enumerate(exploration.findings, start=1)],
        "unreached": list(exploration.never_reached),
        "unfired": list(exploration.never_fired),
        "bugs": list(bugs) or [_planted(planted, scenario) for planted in exploration.planted],
        "sample": run_shape(exploration.fault_free) if exploration.fault_free is not None else None,
    }


def setting(scenario: Scenario, bugs: Sequence[str] = ()) -> str:
    """Profile, operator and bugs in a line."""
    said = f"{scenario.world.dialect}, profile {scenario.world.profile}, operator {scenario.operator.on_unknown}"
    return f"{said}, with {', '.join(bugs)}" if bugs else said


def _kinds(exploration: Any) -> list[str]:
    return list(dict.fromkeys((*exploration.points, *(cell.kind for cell in exploration.cells))))


def _cell(cell: Any) -> CellShape:
    return {
        "kind": cell.kind,
        "action": cell.action,
        "schedules": cell.schedules,
        "worst": words.worst_first(cell.worst),
        "single": words.worst_first(cell.single),
        "counts": dict(cell.counts),
    }


def _finding(name: str, found: Any) -> ExploredFindingShape:
    signature, smallest = found.signature, found.scenario
    return {
        "id": name,
        "problem": found.problem,
        "classes": words.worst_first(signature.classes),
        "invariants": list(signature.invariants),
        "kinds": list(signature.kinds),
        "count": found.count,
        "faults": len(smallest.faults),
        "steps": len(smallest.steps),
        "schedule": words.schedule(smallest.faults, smallest.world.start),
        "first": words.schedule(found.schedule, smallest.world.start),
        "toml": found.text,
        "run": run_shape(found.run) if found.run is not None else None,
        "tries": found.tries,
        "rough": found.rough,
    }


def _planted(planted: Any, scenario: Scenario) -> BugShape:
    return {
        "name": planted.name,
        "meaning": "",
        "case": 0,
        "profile": scenario.world.profile,
        "found": planted.found,
        "schedule": [],
        "classes": [],
        "invariants": [],
        "schedules": planted.schedules,
    }
