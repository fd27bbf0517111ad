"""Every action that makes sense at a point, with standard parameters: what an explorer tries there.

Left out is what no rule can repair, since it is no fault of a machine or a line: a host that lies about a sale, a
message changed so that only a MAC can tell, a supervisor who clears what is owed. Scenarios have these by name. A line
that goes down is tried at an answer, where nothing after the request gets through; from step to step it has no point of
its own, only a time (terminal_sim.lab.explore.space).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from specs.faults.checking import action_at
from specs.faults.model import HOST, ISSUER, Fault, Place, Value
from specs.faults.points import NOT_WRITTEN, Point, parse_point

BEYOND_TIMEOUT_S = 45.0
"""Beyond the 30 s that a terminal waits for a sale (rules.md, section 10)."""
BEYOND_SETTLE_TIMEOUT_S = 75.0
"""Beyond the 60 s that it waits for a settlement and an upload."""
BEYOND_ISSUER_TIMEOUT_S = 25.0
OUTAGE_S = 600
_Try = tuple[str, Mapping[str, Value]]
_LEADING: tuple[_Try, ...] = (("drop", {}), ("dup", {}), ("reorder", {"frames": 3}), ("reset", {}))
_OTHERS: tuple[_Try, ...] = (
    *(("reorder", {"frames": 1}), ("corrupt", {"byte": 0}), ("bad-mac", {}), ("truncate", {})),
    *(("wrong-length", {"by": 0}), ("wrong-length", {"by": 1}), ("wrong-length", {"by": -1})),
    *(("split", {"sizes": "1"}), ("coalesce", {}), ("drip", {"rate": 4.0}), ("fin", {}), ("half-open", {})),
)
_ISSUER: tuple[_Try, ...] = (
    *(("silence", {}), ("late", {"seconds": BEYOND_ISSUER_TIMEOUT_S}), ("outage", {}), ("lose-after-issuer", {})),
)
_MOMENTS: Mapping[str, tuple[_Try, ...]] = {
    "after-unknown": (("rekey", {}), ("query", {}), ("nothing", {})),
    "after-declined": (("rekey", {}), ("nothing", {})),
    "query": (("rekey", {}), ("nothing", {})),
    "end-of-day": (("forget", {"days": 1}), ("nothing", {})),
}
_AGAIN = frozenset({"0410", "0230", "0330", "0510", "0530", "0810"})
"""Answers after which a terminal tries again when they say «system trouble»; an 0210 would be a lie."""
_LASTING = frozenset({"outage", "down"})
_SETTLING = ("05", "03")


@lru_cache(maxsize=65_536)
def fitting(point: str, *, few: bool = False) -> tuple[Fault, ...]:
    """The faults to try at a point, in a fixed order, the simplest first; each keeps the point's number.

    few: at a wire only the ones that differ in what they leave behind (lost, late, twice, behind others, line ended);
    the rest end as one of them unless a machine cannot read a stream. Raises: FaultError.
    """
    at = parse_point(point)
    return tuple(_fault(point, name, params) for name, params in _tries(at, few=few))


def _tries(point: Point, *, few: bool) -> tuple[_Try, ...]:
    match point.place:
        case Place.WIRE:
            return _on_wire(point, few=few)
        case Place.CONN:
            return (("refuse", {}), ("reset", {}), ("half-open", {})) if not few else (("refuse", {}),)
        case Place.CRASH:
            return (
                (("stop", {}), ("paper-out", {}))
                if (point.what, point.when) == ("print", "before")
                else (("stop", {}),)
            )
        case Place.STORE:
            return () if point.what in NOT_WRITTEN else (("disk-full", {}), ("torn-write", {}), ("lost-write", {}))
        case Place.OPERATOR:
            return _MOMENTS[point.what]
        case Place.CLOCK:
            return (("skew", {"seconds": 600.0}), ("skew", {"seconds": -600.0}))
        case Place.CALENDAR:
            return (("cutoff-now", {}), ("holiday", {}))
    return ()


def _on_wire(point: Point, *, few: bool) -> tuple[_Try, ...]:
    if ISSUER in (point.who, point.to):
        return _ISSUER
    late = BEYOND_SETTLE_TIMEOUT_S if point.what.startswith(_SETTLING) else BEYOND_TIMEOUT_S
    delay: _Try = ("delay", {"seconds": late})
    again: tuple[_Try, ...] = (("answer", {"rc": "96"}),) if point.who == HOST and point.what in _AGAIN else ()
    cut: tuple[_Try, ...] = (("down", {}),) if point.who == HOST else ()
    return (_LEADING[0], delay, *_LEADING[1:], *(() if few else _OTHERS), *again, *cut)


def _fault(at: str, name: str, params: Mapping[str, Value]) -> Fault:
    action_at(at, name)
    return Fault(at, name, params, until=f"+{OUTAGE_S}" if name in _LASTING else "")
