"""Fault rules at the issuer's link (`wire/H>I`): from the request that asks to the message that is struck.

A rule is matched on the request; the message to the issuer knows only its leg. So the writer, which sees both, notes
the leg before the commit, and the link asks when the message is handed over. The writer's thread only.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from host.engine.events import Ask
from host.faults import Facts, Fault, FaultTable, Phase
from host.issuer.link import FaultKind, LinkFault

KINDS = {
    "silence": FaultKind.SILENT,
    "late": FaultKind.LATE,
    "outage": FaultKind.OUTAGE,
    "lose-after-issuer": FaultKind.LOSE_AFTER_ISSUER,
}
STRUCK_MAX = 10_000
"""Legs that are noted and were not handed over yet; a group has fewer, so more of them were never asked."""


class LinkFaults:
    """What the rules of a table do to the link."""

    def __init__(self, table: FaultTable) -> None:
        self._table = table
        self._struck: dict[tuple[int, bool], Fault] = {}
        self._outages: dict[int, datetime | None] = {}

    def note(self, asks: Iterable[Ask], facts: Facts) -> Fault | None:
        """The rule that strikes the messages that this request leads to, counted as fired."""
        asked = [ask for ask in asks if (ask.leg.id, ask.undo) not in self._struck]
        if not asked:
            return None
        fault = self._table.fires(facts, Phase.BEFORE_COMMIT, to_issuer=True)
        if fault is not None:
            if len(self._struck) >= STRUCK_MAX:
                self._struck.clear()
            self._struck |= {(ask.leg.id, ask.undo): fault for ask in asked if _named(fault, ask)}
        return fault

    def strikes(self, ask: Ask, now: datetime) -> LinkFault | None:
        """What happens to this message: by the rule that was noted for it, or by an outage that goes on."""
        for rule_id, until in list(self._outages.items()):
            if not self._table.has(rule_id) or (until is not None and until <= now):
                del self._outages[rule_id]
                continue
            self._struck.pop((ask.leg.id, ask.undo), None)
            self._table.struck_again(rule_id)
            return LinkFault(FaultKind.OUTAGE)
        fault = self._struck.pop((ask.leg.id, ask.undo), None) if self._struck else None
        if fault is None:
            return None
        if fault.action == "outage":
            self._outages[fault.id] = now + timedelta(seconds=float(fault.until)) if fault.until else None
        return LinkFault(KINDS[fault.action], seconds=float(fault.params.get("seconds", 0.0)))


def _named(fault: Fault, ask: Ask) -> bool:
    """Whether the rule's point names this message: 0420 undoes, any other MTI asks."""
    return not fault.mti or fault.mti.startswith("04") == ask.undo
