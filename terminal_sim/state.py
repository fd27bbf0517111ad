"""What a terminal's flash holds, as one immutable value.

Every save replaces the whole value (terminal_sim.flash), so what must change together does: the journal row and the
cleared reversal (RT2), the archive and the next batch number (RT7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from specs.journal import TerminalEvent
from specs.masking import mask_pan
from specs.message import Message
from specs.operation import RESERVATIONS, Entry, Kind
from specs.security import WorkingKeys, unwrap_keys
from specs.totals import BatchItem, Totals

ROWS_MAX = 300
"""rules.md section 10."""
ROWS_WARNING_PERCENT = 90
EVENTS_MAX = 1000
"""The oldest are dropped: the file is written anew at every step."""
ARCHIVE_MAX = 30
"""Closed batches kept for reprint and comparison."""
COUNTER_MAX = 999_999
RESTORED_STANS = 1_000
"""How far the STAN goes on when a copy of the flash is put back: past every number that was taken since the copy, or so
far behind it that the host sees a terminal that was reset (rules.md, section 4). None may be used twice (RT1)."""
REFERENCE = "reference"
ROLL_FORWARD = "roll-forward"
PROFILES: Mapping[str, str] = {
    REFERENCE: "what has no journal row when the power fails is reversed, its answer known or not",
    ROLL_FORWARD: "an approval that has arrived is stored, and finished after a power cut instead of reversed",
}
"""The ways to come back after a power cut (failure-catalogue.md, RT2)."""
TEST_TMK = "0123456789ABCDEFFEDCBA9876543210"
"""The documented test key (security.md section 1)."""


@dataclass(frozen=True, slots=True)
class Config:
    """How the terminal was set up. Units: timeouts in seconds; tmk 16 or 32 hex digits; currency ISO 4217 numeric."""

    tid: str
    mid: str
    connect: str
    api: str = ""
    tmk: str = field(default=TEST_TMK, repr=False)
    merchant_name: str = "TEST MERCHANT"
    operator: str = "01"
    currency: str = "156"
    timeout_s: float = 30.0
    settle_timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    connect_tries: int = 3
    settle_empty: bool = False
    language: str = ""
    """Of slips: "" as the dialect has it (CUP both, else English), "zh", "en" or "both"."""
    auto_signoff: bool = False
    """Sign off after each closed settlement (flows.md, section 5)."""
    tip_percent: int = 100
    """The largest tip, in percent of the sale (CUP parameter 19)."""
    offline_limit: int = 100_000
    """The largest offline sale, minor units."""
    stored_max: int = 10
    """Stored items before the terminal sends them by itself (flows.md, section 6)."""
    test_mode: bool = False
    """Slips carry the mark of a test (flows.md, section 10)."""
    profile: str = REFERENCE
    """One of PROFILES."""
    bugs: tuple[str, ...] = ()
    """Names of terminal_sim.bugs: how this terminal deviates from the reference."""
    rows_max: int = ROWS_MAX
    """Rows of the journal."""


class RowState(StrEnum):
    """What became of an approved transaction; the words of specs.journal."""

    JOURNALED = "journaled"
    VOIDED = "voided"
    REVERSED = "reversed"
    REJECTED = "rejected"
    """A stored item that the host refused: on the slip's list, in no total."""


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One approved transaction. Units: amount in minor units (of a tip or adjustment the new total); at MMDDhhmmss as
    the host said.

    batch: the number under which it was sent, which a renamed batch does not change. uploaded: acked with 00 or 94;
    rejected: the code of a refused upload or advice, "" otherwise (RT8). stored: an advice whose 0230 has not come.
    image: the advice as it is sent, repeated and copied (0220, without track, PIN and MAC). adjusted: an adjustment
    stands in its place. of: what a void takes back. day: DE 15 of the answer, MMDD. transmitted, local_at: DE 7 and
    DE 13+12 as sent (ISO 87). chip: DE 55 for the upload, hex. chip_end: "" no chip | "tc" | "arpc-wrong" | "aac".
    """

    stan: str
    batch: str
    kind: Kind
    amount: int
    pan: str
    expiry: str = ""
    entry: Entry = Entry.UNKNOWN
    state: RowState = RowState.JOURNALED
    rrn: str = ""
    auth_code: str = ""
    response_code: str = ""
    at: str = ""
    foreign: bool = False
    organisation: str = ""
    issuer: str = ""
    acquirer: str = ""
    original_stan: str = ""
    invoice: str = ""
    uploaded: bool = False
    rejected: str = ""
    tip: int = 0
    cash: int = 0
    adjusted: bool = False
    stored: bool = False
    advice: bool = False
    image: Message | None = None
    of: Kind | None = None
    day: str = ""
    transmitted: str = ""
    local_at: str = ""
    chip: str = ""
    chip_end: str = ""
    operator: str = ""
    """Who was at the till; it stands on the slip, today and when it is printed again."""
    sent: bool = False
    """A stored advice: it may have left before, so that ISO 87 marks it as repeated."""
    certificate: str = ""
    """NAC: DE 39 of the answer to the upload of its TC, "" while that is owed."""

    def __repr__(self) -> str:
        return f"Row({self.stan}, {self.kind}, {self.amount}, {mask_pan(self.pan)}, {self.state})"

    def as_item(self) -> BatchItem:
        """What counts of it in totals; a voided sale still does, in some dialects."""
        return BatchItem(
            self.kind,
            self.amount,
            self.foreign,
            voided=self.state is RowState.VOIDED,
            adjusted=self.adjusted,
            reversed=self.state is RowState.REVERSED,
            of=self.of,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An approval that fits its request, ready to be booked: its row, the rows that it changes, its DE 39."""

    row: Row
    code: str
    changed: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """The reversal that is owed (冲正记录): the 0400 as it will be sent, without track and PIN. reason: its DE 39."""

    stan: str
    batch: str
    kind: Kind
    amount: int
    image: Message
    reason: str = "98"
    sent: bool = False
    """It may have left before, so that ISO 87 marks it as repeated."""
    failed: Row | None = None
    """The record of what the host approved and the card refused; it goes into the journal with the reversal's ack."""
    tries: int = 0
    """Sends without an acknowledgement, of a firmware that counts them (failure-catalogue 2)."""
    reply: Reply | None = None
    """Profile roll-forward: from here on nothing is reversed, and every boot finishes this first."""


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """The result of an issuer's script, owed as a 0620 before the next online transaction (flows.md, section 9)."""

    stan: str
    batch: str
    image: Message
    sends: int = 0


@dataclass(frozen=True, slots=True)
class Operator:
    """Who may use the terminal: 99 system manager, 00 supervisor, 01 to 98 cashiers (failure-catalogue.md, section 5).
    password: a salted hash, hex; wrong: tries in a row (terminal_sim.operators)."""

    number: str
    salt: str
    password: str = field(repr=False)
    wrong: int = 0
    locked: bool = False


class Phase(StrEnum):
    """Where an unfinished settlement stands; none is stored for an open batch."""

    FROZEN = "frozen"
    UPLOADING = "uploading"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A settlement that has begun: the same batch and totals until the end (RT6).

    sides: (side, verdict) as first answered (CUP). upload_sides: the sides whose rows are uploaded.
    host_totals: the host's figures, as far as an answer has shown any of its own. day: ISO 87: the DE 15 whose rows
    are settled, MMDD.
    """

    phase: Phase
    batch: str
    totals: Totals
    sides: tuple[tuple[str, str], ...] = ()
    upload_sides: tuple[str, ...] = ()
    host_totals: Totals | None = None
    day: str = ""


@dataclass(frozen=True, slots=True)
class Archived:
    """A closed batch, read-only. result: agreed | not-agreed | forced (here alone). host_totals: what the answer said,
    None when silent."""

    batch: str
    rows: tuple[Row, ...]
    totals: Totals
    result: str
    code: str = ""
    host_totals: Totals | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class Slip:
    """One printing: what, for whom, and the text of each copy. Stored before it is printed (RT7)."""

    title: str
    copies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """The whole flash. stan: the last number taken. batch: the open one. key_block: DE 62 of the last sign-on, hex."""

    config: Config
    stan: str = "000000"
    batch: str = "000001"
    signed_on: bool = False
    key_block: str = field(default="", repr=False)
    pending: Pending | None = None
    rows: tuple[Row, ...] = ()
    settlement: Settlement | None = None
    archive: tuple[Archived, ...] = ()
    events: tuple[TerminalEvent, ...] = ()
    last_slip: Slip | None = None
    host_time: str = ""
    script: ScriptResult | None = None
    operators: tuple[Operator, ...] = ()
    """Empty: nobody has set any up, and nobody is asked."""
    operator: str = ""
    """Who is logged in; "" nobody."""
    download: str = "0"
    """Header digit 6 as the host last asked, until it is done."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Tag and value of the last parameter download (cup.md 5.10)."""
    ca_keys: tuple[str, ...] = ()
    ic_parameters: tuple[str, ...] = ()
    """As downloaded, TLV in hex, one each."""
    settlement_slip: Slip | None = None

    @property
    def batch_empty(self) -> bool:
        """Whether the terminal may take another batch number (rules.md section 4). Pre-authorisations are no items."""
        items = any(row.kind not in RESERVATIONS for row in self.rows)
        return not items and self.pending is None and self.settlement is None

    @property
    def kept(self) -> Reply | None:
        """An approval that a power cut has kept from the journal; the next boot books it (profile roll-forward)."""
        return self.pending.reply if self.pending else None

    @property
    def stored_rows(self) -> tuple[Row, ...]:
        """The advices whose answer has not come yet, oldest first."""
        return tuple(row for row in self.rows if row.stored)

    @property
    def who(self) -> str:
        """The operator's number on slips and in DE 63: who is logged in, else the one of the set-up."""
        return self.operator or self.config.operator

    @property
    def live_rows(self) -> tuple[Row, ...]:
        """The rows that count: all but the reversed."""
        return tuple(row for row in self.rows if row.state is not RowState.REVERSED)

    def keys(self) -> WorkingKeys | None:
        """The working keys. Raises: SecurityError when the stored block does not fit the TMK."""
        if not self.key_block:
            return None
        return unwrap_keys(bytes.fromhex(self.config.tmk), bytes.fromhex(self.key_block))

    def row(self, *, stan: str = "", rrn: str = "") -> Row | None:
        """The newest row of the open journal with this STAN or RRN."""
        wanted = [row for row in self.rows if (stan and row.stan == stan) or (rrn and row.rrn == rrn)]
        return wanted[-1] if wanted else None

    def next_stan(self, most: int = COUNTER_MAX, *, skips: bool = True) -> str:
        """The number after the last one, skipping those of the open journal (stored items among them) and of what is
        owed (rules.md section 1). most: the largest. skips False: of a firmware that takes any (case 48)."""
        used = {row.stan for row in self.rows} | {owed.stan for owed in (self.pending, self.script) if owed}
        used = used if skips else set()
        number = self.stan
        for _ in range(len(used) + 1):
            number = next_number(number, most)
            if number not in used:
                return number
        raise AssertionError("more STANs in use than were tried")

    def with_rows(self, changed: Iterable[Row]) -> Memory:
        """The same memory with rows replaced by STAN and kind."""
        by_key = {(row.stan, row.kind): row for row in changed}
        return replace(self, rows=tuple(by_key.get((row.stan, row.kind), row) for row in self.rows))

    def restored(self, at: str) -> Memory:
        """The memory of a copy that is put back: what was done since is not in it, and its numbers stay spent."""
        stan = f"{(int(self.stan) + RESTORED_STANS - 1) % COUNTER_MAX + 1:06d}"
        return replace(self, stan=stan).noted("restored", detail=f"the copy ended with STAN {self.stan}", at=at)

    def noted(self, event: str, *, stan: str = "", code: str = "", detail: str = "", at: str = "") -> Memory:
        """The same memory with one more event (specs.journal.TerminalEvent)."""
        entry = TerminalEvent(self.config.tid, event, self.batch, stan, code, detail, at)
        return replace(self, events=(*self.events, entry)[-EVENTS_MAX:])


def next_number(number: str, most: int = COUNTER_MAX) -> str:
    """The STAN or batch number after this one: 000001 to 999999 (`most`), never 000000."""
    return f"{int(number) % most + 1:06d}"
