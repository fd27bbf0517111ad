"""What cannot be played with real processes, said before anything is started; and which faults the host itself plays.

A fault that is not played would make the verdict one of another run, so it is never left out: it is refused in a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specs.faults import Fault, Place
from specs.faults.model import HOST, ISSUER
from specs.faults.points import Point, parse_point
from terminal_sim.bugs import with_bugs
from terminal_sim.firmware import Rest
from terminal_sim.lab.errors import Unplayable
from terminal_sim.lab.scenario.model import Scenario, Variant

HOST_STEPS = ("recv", "reply", "commit", "rev-commit")
"""Of crash/H: what can be seen from outside, or ended from inside by a rule of the host."""
LINK_ACTIONS = ("silence", "late", "outage", "lose-after-issuer")
_MATCHED = frozenset({"tid", "kind", "stan", "amount", "nth"})
"""What a rule of the host knows; not the scenario's step."""
_ANSWERS = {"late": "late", "delay": "late", "drop": "lose-after-issuer", "silence": "lose-after-issuer"}
"""A fault of the issuer's answer -> the same of the question: the issuer acts, and what it says is late or lost."""


def check(scenario: Scenario, variant: Variant | None, faults: Sequence[Fault]) -> None:
    """Raises: Unplayable naming what cannot be played, and why."""
    bugs = (*scenario.world.bugs, *(variant.host_bugs if variant is not None else ()))
    if bugs:
        raise refused(f"host bug {bugs[0]}", "a host that serves terminals keeps the rules: play it in the world")
    for bug in _bugs_of_terminals(scenario, variant):
        if with_bugs((bug,)).unfinished is not Rest.DROPPED:
            raise refused(f"bug {bug}", "each order is a process, and no buffer outlives it: play it in the world")
    for step in scenario.steps:
        if step.do == "cutoff":
            raise refused(
                f"step {step.id}: cutoff", "a host has no cutoff by hand: let its time come, or close the batch"
            )
    for fault in faults:
        why = _why_not(parse_point(fault.at), fault)
        if why:
            raise refused(f"{fault.action} at {fault.at}", why)


def _bugs_of_terminals(scenario: Scenario, variant: Variant | None) -> tuple[str, ...]:
    own = [bug for unit in scenario.terminals for bug in unit.bugs]
    return (*own, *(variant.bugs if variant is not None else ()))


def refused(what: str, why: str) -> Unplayable:
    """The line that says so."""
    return Unplayable("--real", what, why)


def _why_not(point: Point, fault: Fault) -> str:
    if fault.action == "nothing":
        return ""
    if fault.action == "prompt":
        return "nobody is there to be asked; it is for real hardware, as a rule of the host (POST /api/v1/faults)"
    if point.place is Place.STORE and point.who == HOST:
        return "the disk of a real host takes its writes"
    if point.place is Place.CALENDAR:
        return "a host has no calendar by hand"
    if point.place is Place.CRASH and point.who == HOST:
        return "" if point.what in HOST_STEPS else f"{point.what} is inside the host; what can: {', '.join(HOST_STEPS)}"
    if ISSUER in (point.who, point.to):
        return _why_not_at_the_issuer(point, fault)
    return ""


def _why_not_at_the_issuer(point: Point, fault: Fault) -> str:
    if point.who == ISSUER and (point.what == "0430" or fault.action not in _ANSWERS):
        return "of the issuer's answers only those to a question can be late or lost"
    if point.who == HOST and fault.action not in LINK_ACTIONS:
        return f"the host's link to the issuer knows {', '.join(LINK_ACTIONS)}"
    unknown = sorted(set(fault.match) - _MATCHED)
    if unknown:
        return f"the host's own rules cannot be matched on {unknown[0]}"
    if fault.since or fault.until.startswith("step:"):
        return "the host's own rules know no steps and no moments"
    return ""


def of_the_host(faults: Sequence[Fault]) -> Mapping[int, Mapping[str, Any]]:
    """Place in the schedule -> the rule of `/faults` that plays it, for those at the issuer's link."""
    rules: dict[int, Mapping[str, Any]] = {}
    for place, fault in enumerate(faults):
        point = parse_point(fault.at)
        if ISSUER in (point.who, point.to) and fault.action != "nothing":
            rules[place] = _rule(point, fault)
    return rules


def _rule(point: Point, fault: Fault) -> Mapping[str, Any]:
    mti = "0420" if point.what in ("0420", "0430") else "0200"
    number = f"#{point.nth}" if point.nth else ""
    answers = point.who == ISSUER
    rule: dict[str, Any] = {
        "at": f"wire/H>I/{mti}{number}",
        "action": _ANSWERS[fault.action] if answers else fault.action,
        "match": dict(fault.match),
        "times": fault.times,
        "probability": fault.probability,
        "seed": fault.seed,
    }
    if fault.until:
        rule["until"] = f"+{float(fault.until.removeprefix('+')):g}s"
    if "seconds" in fault.params:
        rule["seconds"] = fault.params["seconds"]
    return rule
