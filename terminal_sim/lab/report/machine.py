"""A run as plain values (shape.py): what the JSON says and all that a page is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from specs.masking import mask_text
from terminal_sim.lab.report import words
from terminal_sim.lab.report.ledgers import entries, entries_of
from terminal_sim.lab.report.shape import (
    EntryShape,
    EventShape,
    FaultShape,
    FindingShape,
    MoneyShape,
    PurchaseShape,
    RunShape,
    SettledShape,
    StepShape,
    WorldShape,
)
from terminal_sim.lab.report.telling import told
from terminal_sim.lab.scenario.expecting import nothing_expected

if TYPE_CHECKING:
    from host.checker.books import Finding
    from host.checker.purchases import Money, Purchase
    from specs.faults import Fault
    from terminal_sim.lab.scenario.model import Scenario
    from terminal_sim.lab.world.record import Run

DEFAULT_CURRENCY = "156"
UNMASKED = frozenset({"trace_hash", "schema", "toml"})
"""Keys of values that look like card data and are none: a digest; a scenario file, which names cards by name."""
EVENTS_MAX = 6
"""Links of one finding into the time line."""

T = TypeVar("T")


def run_shape(run: Run) -> RunShape:
    """The machine form of a run. Its `replay` is empty until a file is written beside a page."""
    scenario, currency = run.scenario, _currency(run.scenario)
    shown = entries(run.books, run.terminals)
    trace = told(run, currency)
    purchases = [_purchase(purchase) for purchase in run.purchases]
    money = _sum([purchase["money"] for purchase in purchases])
    end = _end(run, money, currency)
    shape: RunShape = {
        "slug": scenario.slug,
        "title": scenario.title or scenario.slug,
        "case": scenario.case,
        "notice": scenario.notice,
        "variant": run.variant,
        "expected": not nothing_expected(run),
        "ok": not run.mismatches and not run.unfired,
        "clean": run.clean,
        "sentence": _sentence(run, end),
        "end": end,
        "classes": words.worst_first(run.classes),
        "mismatches": list(run.mismatches),
        "world": _world(run),
        "schedule": words.schedule(run.faults, run.scenario.world.start),
        "faults": _faults(run),
        "steps": _steps(run, currency),
        "purchases": purchases,
        "money": money,
        "settled": [_settled(settled) for settled in run.settled],
        "exceptions": list(run.exceptions),
        "findings": [_finding(finding, run, shown, trace) for finding in run.findings],
        "entries": shown,
        "trace": trace,
        "trace_hash": run.trace_hash,
        "messages": run.messages,
        "currency": currency,
        "replay": {"file": "", "command": ""},
    }
    return masked(shape)


def masked(value: T) -> T:
    """The same value with whatever looks like card data in any of its texts hidden: the last gate before a file."""
    return cast(T, _masked(value))


def _masked(value: object, key: str = "") -> object:
    if isinstance(value, str):
        return value if key in UNMASKED else mask_text(value)
    if isinstance(value, Mapping):
        return {name: _masked(part, name) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [_masked(part) for part in value]
    return value


# ---- the verdict


def _end(run: Run, money: MoneyShape, currency: str) -> str:
    """The classes, what they mean, and who is out how much."""
    end = f"{_names(run.classes)}: {words.meaning(run.classes)}"
    losses = words.losses(money, currency)
    return f"{end} ({losses})" if losses else end


def _sentence(run: Run, end: str) -> str:
    """The verdict in one sentence."""
    if run.mismatches:
        return f"Not as expected: {end}."
    if run.unfired:
        return f"A fault never struck, so the run shows nothing: {end}."
    if nothing_expected(run):
        return f"Nothing was expected; the end is {end}."
    return f"As expected: {end}."


def _names(classes: Sequence[str]) -> str:
    return " + ".join(words.worst_first(classes)) or words.CLEAN


# ---- the schedule


def _world(run: Run) -> WorldShape:
    scenario, world = run.scenario, run.scenario.world
    bugs = [f"{unit.name}: {bug}" for unit in scenario.terminals for bug in unit.bugs]
    return {
        "dialect": world.dialect,
        "profile": world.profile,
        "start": world.start,
        "cutoff": world.cutoff or "00:00",
        "on_unknown": scenario.operator.on_unknown,
        "terminals": [unit.name for unit in scenario.terminals],
        "bugs": bugs + [f"host: {bug}" for bug in world.bugs],
    }


def _faults(run: Run) -> list[FaultShape]:
    found: list[FaultShape] = []
    for fault, fired in zip(run.faults, run.fired, strict=True):
        since, until = _window(run, fault)
        found.append(
            {
                "at": fault.at,
                "action": fault.action,
                "text": words.fault_text(fault, run.scenario.world.start),
                "fired": fired,
                "lost": fault.action in words.LOSING,
                "since": since,
                "until": until,
            }
        )
    return found


def _window(run: Run, fault: Fault) -> tuple[float, float]:
    """From when to when it held; an open end is the last event's."""
    if not fault.since and not fault.until:
        return 0.0, 0.0
    since = _moment(run, fault.since, 0.0, 0.0) if fault.since else _struck_at(run, fault)
    return since, _moment(run, fault.until, since, run.trace[-1].at if run.trace else since)


def _struck_at(run: Run, fault: Fault) -> float:
    """When a fault first struck at its point; 0 for a line as a whole, which has none."""
    return next((happened.at for happened in run.trace if happened.fault and happened.point == fault.at), 0.0)


def _moment(run: Run, text: str, since: float, otherwise: float) -> float:
    """ "step:B", "+600" (after `since`) or "1200": seconds since the world's start."""
    if text.startswith("step:"):
        place = next((n for n, step in enumerate(run.scenario.steps) if step.id == text.removeprefix("step:")), -1)
        return next((happened.at for happened in run.trace if happened.step == place >= 0), otherwise)
    try:
        return since + float(text) if text.startswith("+") else float(text)
    except ValueError:
        return otherwise


def _steps(run: Run, currency: str) -> list[StepShape]:
    ends = {end.id: end for end in run.steps}
    found: list[StepShape] = []
    for step in run.scenario.steps:
        end = ends.get(step.id)
        found.append(
            {
                "id": step.id,
                "do": step.do,
                "unit": step.unit,
                "what": words.step_text(step, partial(words.money, currency=currency)),
                "intent": step.intent,
                "end": end.end if end else "",
                "code": end.code if end else "",
                "text": end.text if end else "",
                "at": end.at if end else -1.0,
                "attempts": end.attempts if end else 0,
            }
        )
    return found


def _currency(scenario: Scenario) -> str:
    found = (unit.config.get("currency") for unit in scenario.terminals)
    return next((value for value in found if isinstance(value, str)), DEFAULT_CURRENCY)


# ---- money and books


def _purchase(purchase: Purchase) -> PurchaseShape:
    return {
        "name": purchase.intent.name,
        "amount": purchase.intent.amount,
        "debited": purchase.debited,
        "settled": purchase.settled,
        "delivered": purchase.intent.delivered,
        "classes": words.worst_first(purchase.classes),
        "reason": purchase.reason,
        "money": _money(purchase.money),
    }


def _money(money: Money) -> MoneyShape:
    return {
        "cardholder": money.cardholder,
        "merchant": money.merchant,
        "acquirer": money.acquirer,
        "issuer": money.issuer,
    }


def _sum(shares: Sequence[MoneyShape]) -> MoneyShape:
    return {
        "cardholder": sum(share["cardholder"] for share in shares),
        "merchant": sum(share["merchant"] for share in shares),
        "acquirer": sum(share["acquirer"] for share in shares),
        "issuer": sum(share["issuer"] for share in shares),
    }


def _settled(settled: object) -> SettledShape:
    return cast(SettledShape, {name: getattr(settled, name) for name in SettledShape.__annotations__})


def _finding(finding: Finding, run: Run, shown: Sequence[EntryShape], trace: Sequence[EventShape]) -> FindingShape:
    places = entries_of(finding, shown, run.books)
    return {
        "invariant": finding.invariant,
        "subject": finding.subject,
        "text": finding.text,
        "evidence": list(finding.evidence),
        "entries": places,
        "events": _events_of([shown[place]["stan"] for place in places], trace),
    }


def _events_of(stans: Sequence[str], trace: Sequence[EventShape]) -> list[int]:
    """Where on the time line a finding began: the faults that struck at a point, and the first words about its
    transactions."""
    struck = [place for place, event in enumerate(trace) if event["fault"] and event["point"]]
    told = [place for place, event in enumerate(trace) if any(f"STAN {stan}" in event["text"] for stan in stans)]
    return sorted({*struck[:EVENTS_MAX], *told[:EVENTS_MAX]})[:EVENTS_MAX]
