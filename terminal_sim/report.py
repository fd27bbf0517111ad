"""Results and books for people and scripts."""

from __future__ import annotations

from typing import Any

from specs.masking import mask_pan
from specs.money import format_amount
from specs.operation import RESERVATIONS
from terminal_sim import slips
from terminal_sim.moves import Result
from terminal_sim.state import Memory, Row


def as_object(result: Result) -> dict[str, Any]:
    """The object of `--json` (interface: terminal-sim). Units: amounts in minor units; null = not said."""
    return {
        "outcome": str(result.end),
        "response_code": result.code or None,
        "approved_amount": result.approved_amount,
        "stan": result.stan or None,
        "rrn": result.rrn or None,
        "auth_code": result.auth_code or None,
        "batch": result.batch or None,
        "amount": result.amount,
        "slip": slips.on_paper(result.slip) if result.slip else None,
    }


def journal_lines(memory: Memory) -> list[str]:
    """The book as a table: archived batches, then the open one."""
    lines = []
    for closed in memory.archive:
        lines.append(f"batch {closed.batch}: closed, {closed.result}")
        lines += [_line(memory, row) for row in closed.rows]
    state = f"{memory.settlement.phase}" if memory.settlement else "open"
    lines.append(f"batch {memory.batch}: {state}")
    lines += [_line(memory, row) for row in memory.rows]
    if memory.script:
        lines.append(f"the result of an issuer's script is owed for STAN {memory.script.stan}")
    if memory.operators:
        lines.append(f"operator: {memory.operator or 'nobody is logged in'}")
    return lines


def _line(memory: Memory, row: Row) -> str:
    amount = format_amount(row.amount, memory.config.currency)
    flags = [
        f"tip {format_amount(row.tip, memory.config.currency)}" if row.tip else "",
        f"cash {format_amount(row.cash, memory.config.currency)}" if row.cash else "",
        f"of {row.original_stan}" if row.original_stan else "",
        "adjusted" if row.adjusted else "",
        "stored, not sent yet" if row.stored else "",
        "uploaded" if row.uploaded else "",
        f"refused {row.rejected}" if row.rejected else "",
        "in no total" if row.kind in RESERVATIONS else "",
    ]
    tail = "".join(f" {flag}" for flag in flags if flag)
    return f"  {row.stan} {row.kind:<17} {amount:>12} {mask_pan(row.pan):<19} {row.state} rrn {row.rrn or '-'}{tail}"
