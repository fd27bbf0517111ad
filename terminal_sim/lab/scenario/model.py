"""A scenario as values: the world, its terminals, steps, faults, the operator's habits and what is expected.

Everything is by name and nothing by chance. Amounts are minor units, moments seconds since the world's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specs.faults import Fault

Value = str | int | float | bool
Table = Mapping[str, Value]

SELLING = frozenset({"sale", "offline-sale", "complete", "refund", "void", "adjust", "tip", "preauth"})
TERMINAL_DEEDS = SELLING | {
    *("signon", "signoff", "echo", "balance", "preauth-void", "settle", "send-stored", "boot", "recover", "reprint"),
}
"""What a step does at a terminal: the words of `terminal-sim`, and `boot` (power off and on)."""
OPERATOR_DEEDS = frozenset({"clear-rev", "force-settle", "swap", "restore", "wipe-row"})
"""What people do to a terminal beside its menu (failure-catalogue 21, 45, 46; `wipe-row` loses a row)."""
HOST_DEEDS = frozenset({"force-close", "cutoff", "restart-host", "reset-terminal"})
"""What people do at the host."""
OTHER_DEEDS = frozenset({"wait"})
DEEDS = TERMINAL_DEEDS | OPERATOR_DEEDS | HOST_DEEDS | OTHER_DEEDS


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """The world. profile: HC or TC. start: "2026-03-02T09:00", the host's local time (UTC in the world). cutoff "":
    midnight. timeouts in seconds. switches: of the dialect's profile (rules.md). bugs: host deviations."""

    dialect: str = "cup"
    profile: str = "HC"
    start: str = "2026-03-02T09:00"
    cutoff: str = "23:00"
    holidays: tuple[str, ...] = ()
    timeout: float = 30.0
    settle_timeout: float = 60.0
    issuer_timeout: float = 20.0
    seed: int = 7
    switches: Table = field(default_factory=dict)
    bugs: tuple[str, ...] = ()
    unknown_cards: str = "accept"


@dataclass(frozen=True, slots=True)
class TerminalSpec:
    """One unit. unit: its name in this file, the TID unless two units share one (case 47). firmware: a profile of
    terminal_sim.state.PROFILES. config: fields of terminal_sim.state.Config. auto_settle: "22:00", "" never."""

    tid: str
    unit: str = ""
    mid: str = "123456789012345"
    firmware: str = "reference"
    bugs: tuple[str, ...] = ()
    dialect: str = ""
    stan: str = "000000"
    batch: str = "000001"
    auto_settle: str = ""
    config: Table = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How steps and points call it."""
        return self.unit or self.tid


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One deed. at: seconds since the world's start; -1 = as soon as the step before it is over. unit: of a terminal,
    "" for deeds of the host. intent: the purchase that it belongs to. args: what the deed needs (amount, card, entry,
    pin, tip, cash, of, percent, auth_code, seconds, batch …); `of` names an earlier step. expect: of this step's end:
    "end" (a word of moves.End, or a list of them), "code". line: in the file, 0 = none."""

    id: str
    do: str
    at: float = -1.0
    unit: str = ""
    intent: str = ""
    args: Table = field(default_factory=dict)
    expect: Mapping[str, Value | tuple[str, ...]] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """Habits. on_unknown: "query-then-rekey" (RO1), "rekey", "rekey-on" (the next unit), "wait", "nothing".
    max_tries: attempts of one purchase. on_refused: the same words, for a refusal that another try may mend."""

    on_unknown: str = "query-then-rekey"
    max_tries: int = 3
    rekey_on: str = ""


@dataclass(frozen=True, slots=True)
class SettledSpec:
    """A batch that must be closed with these figures: count of items that stand, and their net in minor units."""

    tid: str
    batch: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Expect:
    """How it must end; None = not said. classes: the tags of the run, ("clean",) alone when all is well. findings: the
    invariants that are broken, None = none may be. exceptions: reasons on the host's lists, sorted. purchases: intent
    -> {"debited","settled","delivered"} in multiples of its amount. shown, not_shown: pieces of text that a screen must
    show, and that none may. steps: step -> its end, as StepSpec.expect: for a variant, which is not held to what the
    steps themselves expect."""

    classes: tuple[str, ...] | None = None
    settled: tuple[SettledSpec, ...] | None = None
    exceptions: tuple[str, ...] | None = None
    findings: tuple[str, ...] | None = None
    purchases: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()
    steps: Mapping[str, Mapping[str, Value | tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variant:
    """Another run of the same file: with bugs, other switches, other habits, and its own end. bugs: of every terminal
    named in `units` (all when empty). world, operator: fields of WorldSpec and OperatorSpec that are other; `switches`
    are all of them, the file's included."""

    name: str
    bugs: tuple[str, ...] = ()
    host_bugs: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    world: Mapping[str, Value | Table] = field(default_factory=dict)
    operator: Table = field(default_factory=dict)
    expect: Expect = field(default_factory=Expect)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole file. notice: its first comment, what a shopkeeper or cardholder would notice. case: its number in the
    catalogue, 0 = none. source: the file's name, "" = made in memory."""

    slug: str
    world: WorldSpec
    terminals: tuple[TerminalSpec, ...]
    steps: tuple[StepSpec, ...]
    faults: tuple[Fault, ...] = ()
    operator: OperatorSpec = field(default_factory=OperatorSpec)
    expect: Expect = field(default_factory=Expect)
    variants: tuple[Variant, ...] = ()
    notice: str = ""
    title: str = ""
    case: int = 0
    source: str = ""
    waiting: str = ""
    """Why it cannot be played yet; "" = it can."""
