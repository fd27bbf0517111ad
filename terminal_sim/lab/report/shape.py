"""The machine form of reports: what stands in `report.json` and `exploration.json`, and all that the pages know.

A page is drawn from these plain values alone, so it can be drawn again from its JSON. Amounts are minor units, moments
seconds since the world's start unless a name says otherwise. No value holds clear card data.
"""

from __future__ import annotations

from typing import TypedDict

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
    arriving (drop, down, …). since, until: of a window, seconds; both 0 = it has none."""

    at: str
    action: str
    text: str
    fired: int
    lost: bool
    since: float
    until: float


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
    """A whole run. ok: it ended as its file expects and every fault struck. expected False: its file says nothing of
    its end, so ok praises nothing. sentence: the verdict in one sentence. end:
    the classes, what they mean, and who is out how much. schedule: its faults, one a line. messages: frames on the
    wire."""

    slug: str
    title: str
    case: int
    notice: str
    variant: str
    ok: bool
    expected: bool
    clean: bool
    sentence: str
    end: str
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


class SkippedShape(TypedDict):
    """A run that was not played. variant: "" = the file as it stands."""

    slug: str
    title: str
    case: int
    variant: str
    why: str


class ReportShape(TypedDict):
    """`report.json`. stopped: why these are not all, "" = they are. skipped: what was not to be played."""

    schema: str
    stopped: str
    runs: list[RunShape]
    skipped: list[SkippedShape]


# ---- the explorer


class CountsShape(TypedDict):
    """Complete schedules (explore.result.Counts): schedules = the run without a fault + singles + doubles + random.
    windows: those with an outage window. The rest says what was done for them."""

    schedules: int
    singles: int
    doubles: int
    random: int
    windows: int
    legs: int
    shared: int
    whole: int
    twice: int
    verified: int
    steps: int


class CellShape(TypedDict):
    """A kind of point and an action. single: tags of the worst end of this fault alone, [] = never alone. worst: of any
    schedule with it. counts: schedules by their tags, joined by a space."""

    kind: str
    action: str
    schedules: int
    worst: list[str]
    single: list[str]
    counts: dict[str, int]


class ExploredFindingShape(TypedDict):
    """A group of runs with one signature, shown by its smallest. id: short and stable ("F1"), a file name too.
    problem: what is wrong with the exploring itself, "" = a finding about the day. classes, invariants, kinds: the
    signature (kinds: "wire/T>H/0400 drop"). count: schedules with it. schedule: the smallest, one fault a line; first:
    as it was found. toml: the scenario file to replay, "" = none. run: of the smallest, None = it was not played.
    tries: runs that the shrinking took. rough: why `schedule` may not be the smallest, "" = it is."""

    id: str
    problem: str
    classes: list[str]
    invariants: list[str]
    kinds: list[str]
    count: int
    faults: int
    steps: int
    schedule: list[str]
    first: list[str]
    toml: str
    run: RunShape | None
    tries: int
    rough: str


class BugShape(TypedDict):
    """A planted bug that was looked for. found False: missed, or not found yet when the exploration was stopped.
    schedule: the smallest that shows it, [] = missed or not told. schedules: how many
    were played to look for it. case: in the catalogue, 0 = not told."""

    name: str
    meaning: str
    case: int
    profile: str
    found: bool
    schedule: list[str]
    classes: list[str]
    invariants: list[str]
    schedules: int


class ExplorationShape(TypedDict):
    """`exploration.json`. setting: profile, operator and bugs in a line. faults_max: the most faults of a schedule,
    the random tier left out. stopped: "" = it went to its end; then a bug that is not found is not found yet. firsts:
    first faults that there are, of which counts.singles were played, 0 = no end is known (random tier). spent:
    seconds by what they went for. classes: all schedules by their tags, joined by a space. kinds: of points that were
    reached, in the order of the day. actions: the columns of the matrix."""

    schema: str
    slug: str
    title: str
    setting: str
    faults_max: int
    seed: int
    jobs: int
    seconds: float
    stopped: str
    firsts: int
    spent: dict[str, float]
    counts: CountsShape
    classes: dict[str, int]
    kinds: list[str]
    actions: list[str]
    cells: list[CellShape]
    findings: list[ExploredFindingShape]
    unreached: list[str]
    unfired: list[str]
    bugs: list[BugShape]
    sample: RunShape | None
    """The run without a fault."""
