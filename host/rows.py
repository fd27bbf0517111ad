"""The rows of the host's books: frozen values, one class a table. `id` is the primary key, in order of birth.

A change is a row: new or in its new form (Put), keyed by (class, id). Postings, messages and alarms are only ever
added. Money is integer minor units; times are ISO 8601 text with offset, from the host's clock; digests are hex.
Nothing here ever holds a clear card number, track, PIN or CVV: `pan` is masked, `pan_hash` is keyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from specs.values import quick_init


class TxnState(StrEnum):
    """interface.md, section 3."""

    PENDING = "pending"  # in flight to the issuer
    AUTHORISED = "authorised"  # a live pre-authorisation; profile TC: approved, captured at the settlement
    EXPIRED = "expired"  # a pre-authorisation whose hold ran out
    CAPTURED = "captured"
    DECLINED = "declined"
    REVERSED = "reversed"
    VOIDED = "voided"
    TOMBSTONE = "tombstone"


class BatchState(StrEnum):
    """interface.md, section 3, as far as batches are stored: «stale» would be a matter of age."""

    OPEN = "open"
    DISPUTED = "disputed"
    CLOSED = "closed"
    CLOSED_WITH_EXCEPTIONS = "closed-with-exceptions"


@quick_init
@dataclass(frozen=True)
class Merchant:
    """Who is paid. provisioned «auto»: made on first contact, with the MID as its name."""

    id: int
    mid: str
    name: str
    currency: str
    provisioned: str  # "auto" | "config"


@quick_init
@dataclass(frozen=True, repr=False)
class Terminal:
    """A terminal, with its keys in hex: documented test keys and what was drawn for it at sign-on, nothing else.

    epoch counts re-flashes (rules.md 4). last_stan: the highest STAN seen in this epoch. sign_on: number of sign-ons.
    """

    id: int
    tid: str
    mid: str
    dialect: str
    provisioned: str
    signed_on: bool
    tmk: str
    pik: str
    mak: str
    tdk: str
    old_mak: str  # valid until the new one is used (FC 23); several with blanks between: the one last used, then newer
    epoch: int
    last_stan: str
    last_seen: str
    currency: str
    request: str = "0"  # header digit 6 of the next answers, until the terminal has done it (cup.md 1)
    serial: str = ""  # as its last sign-on showed it: two units under one TID differ here (FC 47)
    status: str = ""  # of the last status upload, hex
    spent_mak: str = ""  # the one before the key in use: verifies nothing, but tells whose MAC a wrong one is
    restart_stan: str = ""  # of a sign-on that may mean a re-flash, until a later message tells (rules.md 4)

    @property
    def key_in_use(self) -> str:
        """The MAK that the terminal last used, as far as is known: what signs an answer that comes later."""
        return self.old_mak.partition(" ")[0] or self.mak

    def __repr__(self) -> str:
        return f"Terminal({self.tid}, {self.dialect}, signed_on={self.signed_on}, epoch={self.epoch})"


@quick_init
@dataclass(frozen=True)
class Batch:
    """One batch of one terminal.

    number: 6 digits, what the wire says now. generation counts the uses of a number. running: JSON of the running
    totals {"kind": [count, amount]} over live items, kept by the engine at each change (A8 recomputes it).
    claimed, answered: JSON of Totals as the terminal claimed and as answered at the last settlement, "" before one.
    verdict: Verdict of the last answer; sides: JSON [[side, verdict]]. digest: of the items at the close (A7).
    forced: closed by the host without the terminal (cutoff, back office, terminal reset): the reason, else "".
    """

    id: int
    tid: str
    number: str
    generation: int
    epoch: int
    state: BatchState
    opened_at: str
    closed_at: str
    business_date: str
    running: str
    claimed: str
    answered: str
    verdict: str
    sides: str
    upload_rounds: int
    end_count: int
    digest: str
    forced: str
    stale_since: str = ""  # TC at cutoff, and what nobody settles: shown as state «stale» while it is open
    day: str = ""  # YYYY-MM-DD: the host's date when its first item was booked (ISO 87: DE 15 of the answers)
    moved_at: str = ""  # when the last 0500 or 0320 of its dispute came: the grace at a cutoff starts there


@quick_init
@dataclass(frozen=True)
class Txn:
    """One original (01xx, 02xx) or a tombstone. Key: rules.md, section 1.

    batch_id: the host batch it is an item of; wire_batch: the number it was sent under ("" when none).
    kind: specs.operation.Kind. amount: requested; approved_amount: approved (partial approval), 0 when declined.
    content: JSON object of the compared content, PAN replaced by pan_hash. original_id: of a void or refund, else 0.
    undone_by: what undid it: "" | "reversal" | "void:<txn id>" | "no-answer" (issuer silent, leg undone) | "expiry".
    replaced_by: the adjustment that stands in this item's place, or the completion of this pre-authorisation; else 0.
    held: of a live pre-authorisation what the issuer still holds for it, increments included; profile TC: of what is
    authorised and not captured yet, too; else 0. An adjustment holds for what it has replaced.
    tip, cash: parts of the amount. transmitted: DE 7 (ISO 87). advice: it came as an advice (0120, 0220).
    voids_kind: of a void, the kind of what it takes back. chip: JSON of what the chip's data said and became
    ({"arqc": "good|bad|not-checked", "script": …, "tc": …}), never card data; "" for none.
    carried: counts in batch_id's funding but not in its comparison (RH4, RH6).
    settlement: none | open | settled | exception.
    answered_at: host local "MMDDhhmmss" of the stored final answer; answer code and texts are replayed from here.
    """

    id: int
    tid: str
    mid: str
    epoch: int
    dialect: str
    kind: str
    state: TxnState
    batch_id: int
    wire_batch: str
    stan: str
    local_time: str
    rrn: str
    auth_code: str
    response_code: str
    refusal: str
    amount: int
    approved_amount: int
    balance: int  # -1 = the answer carries none
    currency: str
    pan: str
    pan_hash: str
    organisation: str
    foreign: bool
    entry: str
    processing_code: str
    invoice: str
    content: str
    original_id: int
    undone_by: str
    carried: bool
    settlement: str
    business_date: str
    created_at: str
    answered_at: str
    note: str
    replaced_by: int = 0
    held: int = 0
    tip: int = 0
    cash: int = 0
    transmitted: str = ""
    advice: bool = False
    voids_kind: str = ""
    chip: str = ""
    chip_answer: str = ""  # DE 55 of the answer in hex, for replays


@quick_init
@dataclass(frozen=True)
class Posting:
    """One line of a double entry. entry_id groups lines that sum to zero within one book.

    book: acquirer | issuer. amount: + debit, - credit, minor units. reason: capture | undo | void | adjustment | ...
    batch_id 0 = belongs to no batch (issuer's book).
    """

    id: int
    entry_id: int
    book: str
    account: str
    amount: int
    currency: str
    txn_id: int
    batch_id: int
    reason: str
    at: str


@quick_init
@dataclass(frozen=True)
class Adjustment:
    """RH4: the equal adjustment in the open batch for an original reversed after its batch closed. Signed amount."""

    id: int
    txn_id: int
    batch_id: int
    amount: int
    reason: str
    at: str


@quick_init
@dataclass(frozen=True)
class Leg:
    """RH7: one issuer leg in flight. Durable before it is sent, done with the outcome's commit.

    purpose: debit | credit | hold | release | inquiry, and «again» forms that no limit stops: debit-again, hold-again.
    release: how much of an earlier hold of this card is dropped with it; negative: a hold that comes back with it.
    state: asking | undoing | owing | done. Idempotent at the issuer by (txn_id, number). asking: its transaction waits
    for it. undoing: a 0420 is owed until acked, nobody waits. owing: the leg itself is owed, as it is, until acked; the
    issuer does not refuse it (a debit-again; an advice that was answered while the issuer was away; a TC capture).
    deadline: ISO time after which an asking leg is undone, an owed one repeated. tries counts the repeats.
    result: approved | partial | a refusal | overdue | undone.
    """

    id: int
    txn_id: int
    number: int
    purpose: str
    amount: int
    currency: str
    pan_hash: str
    state: str
    deadline: str
    tries: int
    result: str
    release: int = 0


@quick_init
@dataclass(frozen=True)
class IssuerAccount:
    """A card as its issuer keeps it. limit -1 = none. debited: net of what was debited and credited back."""

    id: int
    pan_hash: str
    pan: str
    organisation: str
    card_class: str
    status: str  # ok | expired | stolen | lost
    limit: int
    debited: int
    pin_hash: str
    pin_tries: int
    held: int = (
        0  # reserved by pre-authorisations and uncaptured TC sales; below 0 only while an owed hold is on its way
    )


@quick_init
@dataclass(frozen=True)
class IssuerLeg:
    """What the issuer did for (txn_id, number): it answers a repeat from here. undone: a 0420 has undone it."""

    id: int
    txn_id: int
    number: int
    purpose: str
    amount: int
    approved_amount: int
    code: str
    pan_hash: str
    undone: bool
    at: str
    released: int = 0  # of an earlier hold, by this leg; negative: put back


@quick_init
@dataclass(frozen=True)
class StagedItem:
    """One record of a batch upload, staged under the item's own key (never the STAN of the 0320).

    known: "" | "known" | "unknown" | "reversed" | "amount-differs". txn_id 0 when unknown. form: a value
    of specs.operation.UploadForm. evidence: a chip record of a balanced side or without money (203, 204, 206 but reason
    05): kept, compared with nothing. pan_hash, currency: what TC and `offline_unknown = "capture"` need to post an
    unknown offline sale.
    """

    id: int
    batch_id: int
    item_key: str
    txn_id: int
    kind: str
    amount: int
    pan: str
    known: str
    at: str
    form: str = "group"
    evidence: bool = False
    pan_hash: str = ""
    currency: str = ""


@quick_init
@dataclass(frozen=True)
class ExceptionItem:
    """One line of a batch's exception list (E1). side_amount: the terminal's, 0 if none.

    reason: host-only | terminal-only | AMT | reversed | rejected | adjusted-later | carried | forced-close |
    totals-differ | report-after-close.
    """

    id: int
    batch_id: int
    tid: str
    txn_id: int
    item_key: str
    reason: str
    amount: int
    side_amount: int
    detail: str
    at: str


@quick_init
@dataclass(frozen=True)
class MessageRow:
    """Every frame in and out, decoded and masked, with notes. fields: JSON of masked elements; notes: JSON list.

    direction: in | out. fate of an outgoing frame: sent | dropped (by a fault) | no-connection. reply_to: id of the
    request this answers, 0 for requests. delivery digest: hash of the unmasked body, to tell the same bytes again.
    raw: masked hex, at most 512 bytes of it, of what `fields` cannot give back: a body that nobody could read, or one
    that breaks its dialect; else "".
    """

    id: int
    at: str
    direction: str
    peer: str
    dialect: str
    tid: str
    mti: str
    kind: str
    stan: str
    code: str
    rrn: str
    auth_code: str
    txn_id: int
    reply_to: int
    fields: str
    notes: str
    fate: str
    digest: str
    raw: str = ""


@quick_init
@dataclass(frozen=True)
class Alarm:
    """Something a person should look at. code: stan-twice | near-miss | void-of-reversed | terminal-reset |
    store-trouble (tid "": of the host) | ..."""

    id: int
    at: str
    tid: str
    code: str
    text: str
    txn_id: int
    batch_id: int


@quick_init
@dataclass(frozen=True)
class JournalUpload:
    """A terminal's own journal as handed over by the API: JSON lines (specs.journal), the newest one counts."""

    id: int
    tid: str
    at: str
    lines: str


Row = (
    Merchant
    | Terminal
    | Batch
    | Txn
    | Posting
    | Adjustment
    | Leg
    | IssuerAccount
    | IssuerLeg
    | StagedItem
    | ExceptionItem
    | MessageRow
    | Alarm
    | JournalUpload
)

TABLES: tuple[type, ...] = (
    Merchant,
    Terminal,
    Batch,
    Txn,
    Posting,
    Adjustment,
    Leg,
    IssuerAccount,
    IssuerLeg,
    StagedItem,
    ExceptionItem,
    MessageRow,
    Alarm,
    JournalUpload,
)

BORN: Mapping[type, tuple[str, ...]] = {
    Txn: (
        *("id", "tid", "mid", "epoch", "dialect", "kind", "batch_id", "wire_batch", "stan", "local_time", "rrn"),
        *("amount", "currency", "pan", "pan_hash", "organisation", "foreign", "entry", "processing_code", "invoice"),
        *("content", "original_id", "created_at", "tip", "cash", "transmitted", "advice", "voids_kind"),
    ),
    Leg: ("id", "txn_id", "number", "purpose", "amount", "currency", "pan_hash", "release"),
    IssuerAccount: ("id", "pan_hash", "pan", "organisation", "card_class", "limit", "pin_hash"),
    IssuerLeg: ("id", "txn_id", "number", "purpose", "amount", "pan_hash", "at"),
}
"""What a row has from its first form to its last. The store writes it once, and so leaves most indexes alone later."""
