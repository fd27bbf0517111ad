"""Magic amounts 1,001.00 to 1,001.99: faults that a terminal asks for by what it charges, without any control channel.

Their neighbours 1,000.xx answer by themselves (host.engine.sale). The same requests meet both: a sale, a sale with cash
back, a pre-authorisation, a CUP offline sale by chip; never an advice, a refund, a void or a reversal. Every request of
such an amount meets its fault, a repeat too, and its reversal does not: so the way out is always open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from host.engine import sale
from host.engine.effects import EFFECTS
from host.faults import Fault, read_rule
from specs.operation import Operation

FAULT_BASE, FAULT_COUNT = 100_100, 100
FAULTS: Mapping[int, Fault] = {
    FAULT_BASE + cents: replace(read_rule(rule), because=sale.BY_MAGIC_AMOUNT)
    for cents, rule in {
        1: {"action": "drop-reply"},
        2: {"action": "drop-request"},
        3: {"action": "late-reply"},
        4: {"action": "reset"},
        5: {"action": "half-reply"},
        6: {"action": "duplicate-reply"},
        7: {"action": "corrupt"},
        8: {"action": "bad-mac"},
        9: {"action": "reset", "phase": "before-commit"},
        10: {"action": "answer", "rc": "05"},
        11: {"action": "stall"},
        12: {"action": "drip"},
    }.items()
}
"""Amount in minor units -> what becomes of its request or answer; every other amount is ordinary."""


def fault_by_amount(operation: Operation) -> Fault | None:
    """The fault that this request asks for by its amount; None for nearly all."""
    fault = FAULTS.get(operation.amount or 0)
    if fault is None or operation.advice:
        return None
    effect = EFFECTS.get(operation.kind)
    return fault if effect is not None and effect.plan is sale.plan else None
