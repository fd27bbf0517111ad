"""The machine form of reports: what stands in `report.json` and `exploration.json`, and all that the pages know.

A page is drawn from these plain values alone, so it can be drawn again from its JSON. Amounts are minor units, moments
seconds since the world's start unless a name says otherwise. No value holds clear card data.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

REPORT_SCHEMA = "closeout.report/1"
EXPLORATION_SCHEMA = "closeout.exploration/1"


class MoneyShape(TypedDict):
    """Who is out how much: + has too much, - lacks it. The four add up to zero."""

    cardholder: int
    merchant: int
    acquirer: int
    issuer: int


class WorldShape(TypedDict):
    """Under which rules the run was played. start: the host's local time, "2026-03-02T09:00"."""

    dialect: str
    profile: str
    start: str
    cutoff: str
    on_unknown: str
    terminals: list[str]
    bugs: list[str]


class FaultShape(TypedDict):
    """One fault of the schedule. text: in words, one line. fired: how often it struck. lost: it keeps a frame from
    arriving (drop, down, …)."""

    at: str
    action: str
    text: str
    fired: int
    lost: bool


class StepShape(TypedDict):
    """One deed. what: in words ("sale 268.00, credit1"). end, code, text, attempts: as StepEnd; end "" = never begun.
    at: when it was over, -1 = never."""

    id: str
    do: str
    unit: str
    what: str
    intent: str
    end: str
    code: str
    text: str
    at: float
    attempts: int


class PurchaseShape(TypedDict):
    """One purchase (E5). delivered None: nobody knows. debited, settled: signed, over all attempts."""

    name: str
    amount: int
    debited: int
    settled: int
    delivered: int | None
    classes: list[str]
    reason: str
    money: MoneyShape


class EntryShape(TypedDict):
    """One transaction as the books have it, side by side. terminal, host, issuer: state in words, "" = not there.
    amounts None = none there. differs: the books say different things of it."""

    txn_id: int
    tid: str
    batch: str
    stan: str
    kind: str
    terminal: str
    terminal_amount: int | None
    host: str
    host_amount: int | None
    issuer: str
    issuer_amount: int | None
    differs: bool


class FindingShape(TypedDict):
    """A broken invariant. entries, events: places in RunShape.entries and RunShape.trace of what it speaks of."""

    invariant: str
    subject: str
    text: str
    evidence: list[str]
    entries: list[int]
    events: list[int]


class EventShape(TypedDict):
    """One thing on the time line, as record.Happened in words. from_books: the trace does not tell it, but a row of the
    books that is dated so."""

    at: float
    step: int
    lane: str
    who: str
    text: str
    point: str
    fault: bool
    from_books: bool


class SettledShape(TypedDict):
    """A batch that the host has closed."""

    tid: str
    batch: str
    count: int
    amount: int
    state: str
    business_date: str


class ReplayShape(TypedDict):
    """How to play it again. file: beside the page, a relative path, "" = none."""

    file: str
    command: str


class RunShape(TypedDict):
    """A whole run. ok: it ended as its file expects and every fault struck. sentence: the verdict in one sentence.
    schedule: its faults in one or two lines. messages: frames on the wire."""

    slug: str
    title: str
    case: int
    notice: str
    variant: str
    ok: bool
    clean: bool
    sentence: str
    classes: list[str]
    mismatches: list[str]
    world: WorldShape
    schedule: list[str]
    faults: list[FaultShape]
    steps: list[StepShape]
    purchases: list[PurchaseShape]
    money: MoneyShape
    settled: list[SettledShape]
    exceptions: list[str]
    findings: list[FindingShape]
    entries: list[EntryShape]
    trace: list[EventShape]
    trace_hash: str
    messages: int
    currency: str
    replay: ReplayShape


class ReportShape(TypedDict):
    """`report.json`."""

    schema: str
    runs: list[RunShape]


# ---- the explorer


class CountsShape(TypedDict):
    """Complete schedules that were played, by what they are. pruned: left out, since an equal future was played.
    shrinking: played to make findings smaller."""

    baseline: int
    singles: int
    doubles: int
    swarm: int
    pruned: int
    shrinking: int


class ScheduleShape(TypedDict):
    """One schedule that was played. text: its faults, one or two lines. finding: the id of what it led to, "" none."""

    text: str
    classes: list[str]
    finding: str


class CellShape(TypedDict):
    """A point and an action. classes: of the single, ("clean",) when all was well. runs: schedules played that begin
    with it, the single included. schedules: the single first, then those that did not end clean (bounded); `left_out`
    more of them are not listed."""

    point: str
    action: str
    classes: list[str]
    runs: int
    schedules: list[ScheduleShape]
    left_out: NotRequired[int]


class ExploredFindingShape(TypedDict):
    """A group of runs with one signature, shown by its smallest. id: short and stable ("F1"), a file name too.
    classes, invariants, points: the signature (points: kinds, "wire/T>H/0400"). count: schedules with it. faults,
    steps: sizes of the smallest. schedule: its faults in one or two lines. toml: the scenario file to replay.
    explained: why it is no mistake of the rules, "" = it is one (or nobody knows yet)."""

    id: str
    classes: list[str]
    invariants: list[str]
    points: list[str]
    count: int
    faults: int
    steps: int
    schedule: list[str]
    toml: str
    run: RunShape
    explained: NotRequired[str]


class BugShape(TypedDict):
    """A planted bug that was looked for. schedule: the smallest that shows it, [] = missed. runs: played to find it."""

    name: str
    meaning: str
    case: int
    profile: str
    found: bool
    schedule: list[str]
    classes: list[str]
    invariants: list[str]
    faults: int
    runs: int


class UnusedShape(TypedDict):
    """A point never reached or an action never fired. why: in one clause, "" = not known."""

    name: str
    why: str


class SwarmShape(TypedDict):
    """The random tier. seeds: how many were played, from `seed` on."""

    seed: int
    seeds: int
    seconds: float
    failures: int


class ExplorationShape(TypedDict):
    """`exploration.json`. setting: profile, operator, bugs in a line. depth: the largest number of faults. points: in
    the order in which the run without a fault passes them, then those met later. actions: in the order of their
    columns. interrupted: stopped by hand or by the time limit. differing: schedules that ended otherwise when played
    again, of `repeated` that were played twice."""

    schema: str
    slug: str
    title: str
    setting: str
    depth: int
    jobs: int
    seconds: float
    interrupted: bool
    counts: CountsShape
    repeated: int
    differing: int
    points: list[str]
    actions: list[str]
    cells: list[CellShape]
    findings: list[ExploredFindingShape]
    unreached: list[UnusedShape]
    unfired: list[UnusedShape]
    bugs: list[BugShape]
    swarm: NotRequired[SwarmShape]
