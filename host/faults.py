"""Fault rules of the host: which message to spoil, how, and how often it happened.

A rule is matched against a request. It strikes the request on its way in (`wire/T>H`), before anything is decided, or
its answer (`wire/H>T`), as a rule after the books were committed; what it has the host ask of the issuer (`wire/H>I`);
or the host itself (`crash/H/commit`). Names and parameters are those of the catalogue (specs.faults.actions); the short
names of users stand for them, and the catalogue's are what is kept and reported. Chance comes from each rule's own
seed, so a run with the same rules and the same messages spoils the same ones.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from host.errors import HostError
from specs import faults as vocabulary
from specs.errors import DecodeError, EncodeError
from specs.faults import Facts as Facts
from specs.faults.actions import ACTIONS as CATALOGUE
from specs.faults.checking import action_at, checked_params, seconds_of
from specs.faults.model import ANY_TERMINAL, Value
from specs.faults.plan import NTH, chance
from specs.faults.reading import PHASES, SEED_MAX, match_from, real, whole
from specs.mti import Mti

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
    default first. fate: what becomes of the answer (`MessageRow.fate`). delay_s: its seconds when the rule gives none;
    None = it knows no time. time: the catalogue's parameter that delay_s stands for. inward: the phases that it has at
    `wire/T>H`, for a rule that says `at`."""

    action: str
    point: str
    phases: tuple[Phase, ...]
    fate: str
    delay_s: float | None = None
    time: str = ""
    inward: bool = False

    @property
    def params(self) -> tuple[str, ...]:
        """The parameters that a rule of this name may give, by the catalogue's names."""
        return tuple(param.name for param in CATALOGUE[self.action].params if self.action != "stop")


_IN, _OUT, _ISSUER = "wire/T>H", "wire/H>T", "wire/H>I"
CRASH = "crash/H/commit"
_BEFORE = (Phase.BEFORE_COMMIT,)
_AFTER = (Phase.AFTER_COMMIT,)
_BOTH = (Phase.AFTER_COMMIT, Phase.BEFORE_COMMIT)
LATE_S = 35.0
"""Beyond the 30 s that a terminal waits for its answer (rules.md, section 10)."""
DRIP_S = 0.05
ISSUER_LATE_S = 45.0
"""Beyond the 20 s that the host waits for the issuer."""
ACTIONS: Mapping[str, Name] = {
    "drop-request": Name("drop", _IN, _BEFORE, "dropped", inward=True),
    "drop-reply": Name("drop", _OUT, _BOTH, "dropped"),
    "delay": Name("delay", _OUT, _AFTER, "delayed", 1.0, "seconds", inward=True),
    "late-reply": Name("delay", _OUT, _AFTER, "delayed", LATE_S, "seconds"),
    "reset": Name("reset", _OUT, _BOTH, "reset", inward=True),
    "half-reply": Name("truncate", _OUT, _AFTER, "truncated"),
    "duplicate-reply": Name("dup", _OUT, _AFTER, "sent", 0.0, "gap"),
    "corrupt": Name("corrupt", _OUT, _AFTER, "corrupted", inward=True),
    "bad-mac": Name("bad-mac", _OUT, _AFTER, "bad-mac", inward=True),
    "answer": Name("answer", _OUT, _BOTH, "sent"),
    "stall": Name("half-open", _OUT, _BOTH, "stalled"),
    "drip": Name("drip", _OUT, _AFTER, "dripped", DRIP_S, "rate"),
    "crash": Name("stop", CRASH, _BOTH, "dropped"),
    "drop": Name("drop", _OUT, _BOTH, "dropped", inward=True),
    "dup": Name("dup", _OUT, _AFTER, "sent", inward=True),
    "reorder": Name("reorder", _OUT, _AFTER, "delayed", inward=True),
    "truncate": Name("truncate", _OUT, _AFTER, "truncated"),
    "wrong-length": Name("wrong-length", _OUT, _AFTER, "corrupted"),
    "split": Name("split", _OUT, _AFTER, "sent"),
    "coalesce": Name("coalesce", _OUT, _AFTER, "delayed"),
    "cross": Name("cross", _OUT, _AFTER, "crossed"),
    "prompt": Name("prompt", _OUT, _AFTER, "delayed"),
    "fin": Name("fin", _OUT, _BOTH, "closed", inward=True),
    "half-open": Name("half-open", _OUT, _BOTH, "stalled", inward=True),
    "stop": Name("stop", CRASH, _BOTH, "dropped"),
    "silence": Name("silence", _ISSUER, _BEFORE, "sent"),
    "late": Name("late", _ISSUER, _BEFORE, "sent", ISSUER_LATE_S, "seconds"),
    "outage": Name("outage", _ISSUER, _BEFORE, "sent"),
    "lose-after-issuer": Name("lose-after-issuer", _ISSUER, _BEFORE, "sent"),
}
"""What a user writes -> what it is: the one table of what the host can spoil. How it does it: host/delivery.py and
host/request_faults.py for the lines, host/link_faults.py for the issuer's."""
_MATCH_KEYS = ("tid", "mti", "kind", "stan", "amount", NTH)
_RULE_KEYS = ("match", "action", "at", "phase", "times", "probability", "seed")
TIMES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. times 0 = without end. at: the point as the user gave it, "" = he gave none. mti: of that point, in its
    direction. params: of the action, by the catalogue's names. delay_s: what `delay_s` of the rule is, 0 = it knows
    none. until: of an outage, as specs.faults.Fault has it. id 0: no user has set it, the amount of the message asked
    for it (host.magic), and `because` says so."""

    id: int
    name: str
    action: str
    point: str
    phase: Phase
    match: Mapping[str, Value]
    times: int = 1
    probability: float = 1.0
    seed: int = 0
    delay_s: float = 0.0
    params: Mapping[str, Value] = field(default_factory=dict)
    at: str = ""
    mti: str = ""
    until: str = ""
    because: str = ""
    seen: int = 0
    fired: int = 0

    @property
    def rc(self) -> str:
        """The code that `answer` says; "" of any other."""
        return str(self.params.get("rc", ""))

    @property
    def inward(self) -> bool:
        """Whether it strikes the request on its way in."""
        return self.point == _IN

    @property
    def to_issuer(self) -> bool:
        """Whether it strikes what the host asks of the issuer."""
        return self.point == _ISSUER

    @property
    def asked(self) -> vocabulary.Fault:
        """The same in the words of the catalogue: its action and parameters."""
        return vocabulary.Fault(self.point, self.action, self.params)

    def to_json(self) -> dict[str, object]:
        """As the API shows it: with the catalogue's names and how often it fired."""
        shown: dict[str, object] = {"id": str(self.id), "name": self.name, "action": self.action}
        shown |= {"at": self.at or self.point, "phase": self.phase.value, "match": dict(self.match)}
        shown |= {"times": self.times, "probability": self.probability, "seed": self.seed}
        if ACTIONS[self.name].delay_s is not None:
            shown["delay_s"] = self.delay_s
        shown |= self.params
        if self.action == "corrupt" and "field" not in self.params:
            shown.setdefault("byte", 0)
        shown |= {"until": self.until} if self.until else {}
        return shown | {"seen": self.seen, "fired": self.fired}


class FaultTable:
    """The rules in force, oldest first; the first one that fires wins. Used by several threads."""

    def __init__(self) -> None:
        self._rules: dict[int, Fault] = {}
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
        return rule

    def list(self) -> list[Fault]:
        """A copy, oldest rule first: the caller may look at it while rules change."""
        with self._lock:
            return list(self._rules.values())

    def remove(self, rule_id: int) -> bool:
        """Take a rule out; False when there is none with this id."""
        with self._lock:
            return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules out; ids go on counting, so an old id never names a new rule."""
        with self._lock:
            self._rules.clear()

    @property
    def empty(self) -> bool:
        """Whether there is no rule, so that nobody needs to ask about each message."""
        return not self._rules

    def has(self, rule_id: int) -> bool:
        """Whether this rule is still in force."""
        return rule_id in self._rules

    def fires(self, facts: Facts, phase: Phase, *, to_issuer: bool = False) -> Fault | None:
        """The rule that spoils this message in this phase, counted as fired; None when none does.

        to_issuer: of the rules of the issuer's link, which only a request that asks it can meet.
        """
        with self._lock:
            hit: Fault | None = None
            for rule in list(self._rules.values()):
                if rule.phase is not phase or rule.to_issuer is not to_issuer or not _matches(rule, facts):
                    continue
                rule = replace(rule, seen=rule.seen + 1)
                if hit is None and _strikes(rule):
                    rule = replace(rule, fired=rule.fired + 1)
                    hit = rule
                self._rules[rule.id] = rule
            return hit

    def struck_again(self, rule_id: int) -> None:
        """Count an outage that met another message."""
        with self._lock:
            if rule := self._rules.get(rule_id):
                self._rules[rule_id] = replace(rule, fired=rule.fired + 1)


def _strikes(rule: Fault) -> bool:
    if rule.times and rule.fired >= rule.times:
        return False
    nth = rule.match.get(NTH)
    if nth and rule.seen != nth:
        return False
    return rule.probability >= 1.0 or chance(rule.seed, rule.seen) < rule.probability


def _matches(rule: Fault, facts: Facts) -> bool:
    if not all(getattr(facts, key) == value for key, value in rule.match.items() if key != NTH):
        return False
    return not rule.mti or rule.to_issuer or rule.mti == (facts.mti if rule.inward else answer_mti(facts.mti))


def answer_mti(mti: str) -> str:
    """0200 -> 0210, 0401 -> 0410; "" for what has no answer."""
    try:
        return str(Mti.parse(mti).response())
    except (DecodeError, EncodeError):
        return ""


def read_rule(body: Mapping[str, object]) -> Fault:
    """A rule in the shape of interface.md section 5, with id 0. Raises FaultError naming the key."""
    try:
        return _rule(body)
    except vocabulary.FaultError as error:
        raise FaultError("/" + error.key.replace(".", "/") if error.key else "", error.why) from None


def _rule(body: Mapping[str, object]) -> Fault:
    name = body.get("action")
    if not isinstance(name, str) or name not in ACTIONS:
        raise FaultError("/action", f"{name!r} is not one of {', '.join(ACTIONS)}")
    known = ACTIONS[name]
    point, mti, named = _place(body, name, known)
    phases = _BEFORE if point == _IN else known.phases
    phase = body.get("phase", named.get("phase", phases[0].value))
    if phase not in PHASES or Phase(str(phase)) not in phases or named.get("phase", phase) != phase:
        raise FaultError("/phase", f"{phase!r}: {name} works in {' or '.join(p.value for p in phases)}")
    _check_keys(body, name, known)
    delay_s, params = _params(body, name, known)
    match = match_from(body.get("match", {}))
    for key in match:
        if key not in _MATCH_KEYS:
            raise FaultError(f"/match/{key}", f"not one of {', '.join(_MATCH_KEYS)}")
    for key, value in named.items():
        if key != "phase" and match.setdefault(key, value) != value:
            raise FaultError(f"/match/{key}", f"{match[key]!r} is not what `at` says: {value!r}")
    return Fault(
        id=0,
        name=name,
        action=known.action,
        point=f"{CRASH}.{str(phase).partition('-')[0]}" if point == CRASH else point,
        phase=Phase(str(phase)),
        match=match,
        times=whole(body, "times", 1, 0, TIMES_MAX),
        probability=real(body, "probability", 1.0, 0.0, 1.0),
        seed=whole(body, "seed", 0, 0, SEED_MAX),
        delay_s=delay_s,
        params=params,
        at=str(body.get("at", "")),
        mti=mti,
        until=_until(body),
    )


def _place(body: Mapping[str, object], name: str, known: Name) -> tuple[str, str, dict[str, Value]]:
    """The point of a rule without its names, the MTI that it names, and what else it says: tid, nth, phase."""
    at = body.get("at")
    if at is None:
        return known.point, "", {}
    if not isinstance(at, str):
        raise FaultError("/at", "expected text")
    point, _ = action_at(at, known.action)
    named: dict[str, Value] = {NTH: point.nth} if point.nth else {}
    if point.text.startswith(CRASH + ".") and known.point == CRASH:
        return CRASH, "", named | {"phase": f"{point.when}-commit"}
    place = f"wire/{point.direction}"
    if place != known.point and not (place == _IN and known.inward):
        more = f" or {_IN}" if known.inward and known.point != _IN else ""
        raise FaultError("/at", f"{at!r}: {name} works at {known.point}{more} in the host")
    if point.terminal not in ("", ANY_TERMINAL):
        named["tid"] = point.terminal
    return place, point.what, named


def _until(body: Mapping[str, object]) -> str:
    value = body.get("until", "")
    if value == "":
        return ""
    seconds = seconds_of(value.removeprefix("+") if isinstance(value, str) else value)
    if seconds is None:
        raise FaultError("/until", "expected seconds, or text as +45s, +10m, +2h")
    return f"+{seconds:g}"


def _check_keys(body: Mapping[str, object], name: str, known: Name) -> None:
    allowed = [*_RULE_KEYS, *known.params]
    allowed += ["delay_s"] if known.delay_s is not None else []
    allowed += ["until"] if known.action == "outage" else []
    for key in body:
        if key not in allowed:
            raise FaultError(f"/{key}", f"{name} knows none; it has {', '.join(allowed)}")


def _params(body: Mapping[str, object], name: str, known: Name) -> tuple[float, dict[str, Value]]:
    """The seconds of `delay_s` and the parameters, the one that it stands for among them."""
    given = {key: body[key] for key in known.params if key in body}
    if "delay_s" in body and known.time in given:
        raise FaultError("/delay_s", f"only one of delay_s and {known.time} can be given")
    if known.time and known.time not in given:
        delay_s = real(body, "delay_s", known.delay_s or 0.0, 0.0, DELAY_MAX_S)
        given[known.time] = (1 / delay_s if delay_s else 1e6) if known.time == "rate" else delay_s
    params = checked_params(CATALOGUE[known.action], given)
    time = float(params.get(known.time, 0.0)) if known.time else 0.0
    return (1 / time if known.time == "rate" else time), params


__all__ = [
    *("ACTIONS", "CRASH", "DELAY_MAX_S", "DRIP_S", "LATE_S", "RULES_MAX", "Facts", "Fault", "FaultError", "FaultTable"),
    *("Name", "Phase", "answer_mti", "read_rule"),
]
