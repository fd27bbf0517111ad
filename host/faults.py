"""Fault rules of the host: which message to spoil, how, and how often it happened.

A rule is matched against a request; it acts either before anything is decided (`before-commit`) or on the answer, after
the books were committed (`after-commit`). Short names of users become catalogue names (failure-catalogue, section 4),
which are what is kept and reported. Chance comes from each rule's own seed, so a run with the same rules and the same
messages spoils the same ones.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from host.errors import HostError
from specs.operation import Kind

RULES_MAX = 1_000
"""More rules than this are refused: each message walks the list."""
DELAY_MAX_S = 3_600.0


class FaultError(HostError):
    """A fault rule that cannot be used. where: the JSON pointer of the key at fault."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class Phase(StrEnum):
    """On which side of the commit a rule strikes: whether the books know of the request."""

    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"


@dataclass(frozen=True, slots=True)
class Name:
    """What a user's word for a fault stands for. action, point: the catalogue's names. phases: where it may strike, the
    default first. delay_s: its seconds when the rule gives none; None = it knows no time. fate: what becomes of the
    answer (`MessageRow.fate`)."""

    action: str
    point: str
    phases: tuple[Phase, ...]
    fate: str
    delay_s: float | None = None


_AFTER = (Phase.AFTER_COMMIT,)
_BOTH = (Phase.AFTER_COMMIT, Phase.BEFORE_COMMIT)
LATE_S = 35.0
"""Beyond the 30 s that a terminal waits for its answer (rules.md, section 10)."""
DRIP_S = 0.05
ACTIONS: Mapping[str, Name] = {
    "drop-request": Name("drop", "wire/T>H", (Phase.BEFORE_COMMIT,), "dropped"),
    "drop-reply": Name("drop", "wire/H>T", _BOTH, "dropped"),
    "delay": Name("delay", "wire/H>T", _AFTER, "delayed", 1.0),
    "late-reply": Name("delay", "wire/H>T", _AFTER, "delayed", LATE_S),
    "reset": Name("reset", "wire/H>T", _BOTH, "reset"),
    "half-reply": Name("truncate+reset", "wire/H>T", _AFTER, "truncated"),
    "duplicate-reply": Name("dup", "wire/H>T", _AFTER, "sent", 0.0),
    "corrupt": Name("corrupt", "wire/H>T", _AFTER, "corrupted"),
    "bad-mac": Name("bad-mac", "wire/H>T", _AFTER, "bad-mac"),
    "answer": Name("answer", "wire/H>T", _BOTH, "sent"),
    "stall": Name("stall", "wire/H>T", _BOTH, "stalled"),
    "drip": Name("drip", "wire/H>T", _AFTER, "dripped", DRIP_S),
}
"""What a user writes -> what it is: the one table of what the host can spoil; how it does it is in host/delivery.py."""
_MATCH_KEYS = ("tid", "mti", "kind", "stan", "amount", "nth")
_RULE_KEYS = ("match", "action", "phase", "times", "probability", "seed", "delay_s", "rc", "byte")
BYTE_MAX = 8191


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule can be matched on. amount -1 = the message carries none."""

    tid: str
    mti: str
    kind: str
    stan: str
    amount: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. times 0 = without end. delay_s: how late (delay), the gap to the second copy (dup) or between two bytes
    (drip). byte: which one of the answer is spoilt (corrupt), counted from the MTI. id 0: no user has set it, the
    amount of the message asked for it (host.magic), and `because` says so."""

    id: int
    name: str
    action: str
    point: str
    phase: Phase
    match: Mapping[str, str | int]
    times: int = 1
    probability: float = 1.0
    seed: int = 0
    delay_s: float = 0.0
    rc: str = ""
    byte: int = 0
    because: str = ""
    seen: int = 0
    fired: int = 0

    def to_json(self) -> dict[str, object]:
        """As the API shows it: with the catalogue's names and how often it fired."""
        shown: dict[str, object] = {"id": str(self.id), "name": self.name, "action": self.action, "at": self.point}
        shown |= {"phase": self.phase.value, "match": dict(self.match), "times": self.times}
        shown |= {"probability": self.probability, "seed": self.seed}
        if ACTIONS[self.name].delay_s is not None:
            shown["delay_s"] = self.delay_s
        if self.action == "corrupt":
            shown["byte"] = self.byte
        if self.action == "answer":
            shown["rc"] = self.rc
        return shown | {"seen": self.seen, "fired": self.fired}


class FaultTable:
    """The rules in force, oldest first; the first one that fires wins. Used by several threads."""

    def __init__(self) -> None:
        self._rules: dict[int, Fault] = {}
        self._chance: dict[int, random.Random] = {}
        self._next = 1
        self._lock = threading.Lock()

    def add(self, body: Mapping[str, object]) -> Fault:
        """Take a rule in the shape of interface.md section 5. Raises FaultError naming the key."""
        rule = read_rule(body)
        with self._lock:
            if len(self._rules) >= RULES_MAX:
                raise FaultError("", f"there are {RULES_MAX} rules already: delete some")
            rule = replace(rule, id=self._next)
            self._next += 1
            self._rules[rule.id] = rule
            self._chance[rule.id] = random.Random(rule.seed)
        return rule

    def list(self) -> list[Fault]:
        """A copy, oldest rule first: the caller may look at it while rules change."""
        with self._lock:
            return list(self._rules.values())

    def remove(self, rule_id: int) -> bool:
        """Take a rule out; False when there is none with this id."""
        with self._lock:
            self._chance.pop(rule_id, None)
            return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules out; ids go on counting, so an old id never names a new rule."""
        with self._lock:
            self._rules.clear()
            self._chance.clear()

    @property
    def empty(self) -> bool:
        """Whether there is no rule, so that nobody needs to ask about each message."""
        return not self._rules

    def fires(self, facts: Facts, phase: Phase) -> Fault | None:
        """The rule that spoils this message in this phase, counted as fired; None when none does."""
        with self._lock:
            hit: Fault | None = None
            for rule in list(self._rules.values()):
                if rule.phase is not phase or not _matches(rule.match, facts):
                    continue
                rule = replace(rule, seen=rule.seen + 1)
                if hit is None and self._strikes(rule):
                    rule = replace(rule, fired=rule.fired + 1)
                    hit = rule
                self._rules[rule.id] = rule
            return hit

    def _strikes(self, rule: Fault) -> bool:
        if rule.times and rule.fired >= rule.times:
            return False
        nth = int(rule.match.get("nth", 0))
        if nth and rule.seen != nth:
            return False
        return rule.probability >= 1.0 or self._chance[rule.id].random() < rule.probability


def _matches(match: Mapping[str, str | int], facts: Facts) -> bool:
    shown = {"tid": facts.tid, "mti": facts.mti, "kind": facts.kind, "stan": facts.stan, "amount": facts.amount}
    return all(shown[key] == value for key, value in match.items() if key != "nth")


def read_rule(body: Mapping[str, object]) -> Fault:
    """A rule in the shape of interface.md section 5, with id 0. Raises FaultError naming the key."""
    _known(body, _RULE_KEYS, "")
    name = body.get("action")
    if not isinstance(name, str) or name not in ACTIONS:
        raise FaultError("/action", f"{name!r} is not one of {', '.join(ACTIONS)}")
    known = ACTIONS[name]
    phase_text = body.get("phase", known.phases[0].value)
    phases = [p.value for p in known.phases]
    if phase_text not in phases:
        raise FaultError("/phase", f"{phase_text!r}: {name} works in {' or '.join(phases)}")
    rc = body.get("rc", "")
    if name == "answer" and not (isinstance(rc, str) and len(rc) == 2 and rc.isalnum()):
        raise FaultError("/rc", "answer needs the response code, two characters")
    for key, used in (("rc", name == "answer"), ("byte", name == "corrupt"), ("delay_s", known.delay_s is not None)):
        if key in body and not used:
            raise FaultError(f"/{key}", f"{name} knows none")
    return Fault(
        id=0,
        name=name,
        action=known.action,
        point=known.point,
        phase=Phase(phase_text),
        match=_match(body.get("match", {})),
        times=_whole(body, "times", 1, 0, 1_000_000),
        probability=_real(body, "probability", 1.0, 0.0, 1.0),
        seed=_whole(body, "seed", 0, 0, 2**63 - 1),
        delay_s=_real(body, "delay_s", known.delay_s or 0.0, 0.0, DELAY_MAX_S),
        rc=str(rc),
        byte=_whole(body, "byte", 0, 0, BYTE_MAX),
    )


def _match(value: object) -> Mapping[str, str | int]:
    if not isinstance(value, Mapping):
        raise FaultError("/match", "expected an object")
    _known(value, _MATCH_KEYS, "/match")
    found: dict[str, str | int] = {}
    for key in ("tid", "mti", "kind", "stan"):
        if key in value:
            if not isinstance(value[key], str):
                raise FaultError(f"/match/{key}", "expected text")
            found[key] = value[key]
    if "mti" in found and not re.fullmatch(r"[0-9]{4}", str(found["mti"])):
        raise FaultError("/match/mti", "expected four digits")
    if "kind" in found and found["kind"] not in {k.value for k in Kind}:
        raise FaultError("/match/kind", f"{found['kind']!r} is not one of {', '.join(k.value for k in Kind)}")
    if "amount" in value:
        found["amount"] = _whole(value, "amount", 0, 0, 10**12, "/match")
    if "nth" in value:
        found["nth"] = _whole(value, "nth", 0, 1, 10**9, "/match")
    return found


def _known(body: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    for key in body:
        if key not in names:
            raise FaultError(f"{where}/{key}", f"not one of {', '.join(names)}")


def _whole(body: Mapping[str, object], key: str, default: int, low: int, high: int, where: str = "") -> int:
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FaultError(f"{where}/{key}", f"expected a whole number from {low} to {high}")
    return value


def _real(body: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise FaultError(f"/{key}", f"expected a number from {low:g} to {high:g}")
    return float(value)
