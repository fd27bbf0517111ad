"""What the engine is told, and what it says back. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from host.engine.context import Context
from host.rows import IssuerLeg, Leg, Row
from specs.codes import Refusal
from specs.operation import Operation, Outcome
from specs.profile import Profile
from specs.values import quick_init


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a check refused, said of one data element (0 = the message as a whole): a note whose place the edge finds,
    since it has the bytes. expected, got: safe words. more: what else may help, "" = nothing.
    """

    de: int
    expected: str
    got: str
    more: str = ""


@quick_init
@dataclass(frozen=True)
class MacEvidence:
    """What is needed to verify the MAC of a request: covered bytes, and DE 64 (or 128) as received (None = absent)."""

    covered: bytes = field(repr=False)
    received: bytes | None
    required: bool
    de: int = 64


@quick_init
@dataclass(frozen=True)
class Request:
    """An Operation that arrived on a connection. token: opaque handle of whoever waits for the answer."""

    token: int
    operation: Operation
    profile: Profile
    dialect: str
    mac: MacEvidence
    peer: str = ""
    pan_hash: str = ""
    """Keyed hash of the card number, made by the caller (the key is not the engine's)."""
    pan_masked: str = ""
    organisation: str = ""
    foreign: bool = False
    item_hashes: tuple[str, ...] = ()
    """Keyed hashes of the PANs in operation.items, in order; "" where the item carries none."""
    unserved: Refusal | None = None
    """For kind OTHER: what it is told when terminal, merchant, sign-on and MAC are in order."""


@quick_init
@dataclass(frozen=True)
class IssuerAnswer:
    """The issuer's word on one leg. code: neutral refusal name ("" = approved, "partial" = approved for less).

    arqc: what its check of the chip's cryptogram said (specs.emv.Arqc), "" = there was none to check. chip: DE 55 of
    the answer. note: for people, never card data.
    """

    leg_id: int
    txn_id: int
    purpose: str  # as asked, or "undo" for the ack of a 0420
    approved: bool
    approved_amount: int
    refusal: str
    balance: int = -1
    arqc: str = ""
    chip: bytes = field(default=b"", repr=False)
    note: str = ""


@quick_init
@dataclass(frozen=True)
class LegOverdue:
    """No answer within the issuer timeout, or a restart found the leg unfinished."""

    leg_id: int
    txn_id: int
    restart: bool = False


@dataclass(frozen=True, slots=True)
class CloseBatch:
    """Back-office close: a forced close with a name and a reason (rules.md, section 7)."""

    batch_id: int
    tid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cutover(CloseBatch):
    """The business date has turned for a batch that holds something of an earlier day (rules.md, section 7).

    day: YYYY-MM-DD, the one that ends; ended_at: when it did, ISO, for the grace of a dispute.
    """

    day: str = ""
    ended_at: str = ""


@dataclass(frozen=True, slots=True)
class Expire:
    """A pre-authorisation's days are over: what is held for it is let go (failure-catalogue 57). tid: its terminal."""

    txn_id: int
    tid: str


@dataclass(frozen=True, slots=True)
class Record:
    """Rows that need no decision (the log line of an unreadable message, a terminal's own journal): written with the
    group's commit. make: called in the writer with the context, so that ids stay in order."""

    make: Callable[[Context], tuple[Row, ...]]


Event = Request | IssuerAnswer | LegOverdue | CloseBatch | Expire | Record


@quick_init
@dataclass(frozen=True)
class Ask:
    """A message to the issuer over the link H>I. undo: a 0420 for the leg, else the leg itself."""

    leg: Leg
    undo: bool
    pin: str = field(default="", repr=False)
    """Clear digits for the issuer to check, "" = none was entered. In memory only: what a restart asks again is an undo
    or an owed leg, which need none."""
    partial: bool = True
    """Whether the terminal takes a partial approval; if not, too little on the card is a no."""
    chip: bytes | None = field(default=None, repr=False)
    """DE 55 of a request that asks the card's issuer. In memory only, as the PIN."""
    yes: str = "00"
    """DE 39 of a whole approval: the issuer's own cryptogram (ARPC) covers it."""


@quick_init
@dataclass(frozen=True)
class Decision:
    """What one event leads to. Nothing here has happened yet: the caller commits `puts`, then asks, then answers.

    answers: (token or None for the event's own, outcome). txn_id: whom an answer is about, 0 none; the caller keeps the
    tokens that wait for a pending txn and speaks to all of them when `outcome` comes.
    outcome None with waits_txn: this request waits for that txn's outcome (its own leg, or joins a pending one).
    outcome None with waits_tid: this request is decided again when the terminal has nothing in flight any more.
    outcome None with none of both (internal events): nothing to say.
    """

    puts: tuple[Row, ...] = ()
    outcome: Outcome | None = None
    txn_id: int = 0
    waits_txn: int = 0
    waits_tid: bool = False
    asks: tuple[Ask, ...] = ()
    notes: tuple[str | Remark, ...] = ()
    sign_key: str = ""
    """Hex of the key that signs the answer, "" = no MAC; masked by never being logged."""
    mac: str = ""
    """Algorithm name for sign_key."""

    def __repr__(self) -> str:
        return f"Decision(outcome={self.outcome}, txn={self.txn_id}, puts={len(self.puts)}, asks={len(self.asks)})"


@quick_init
@dataclass(frozen=True)
class IssuerDecision:
    """What the issuer's own decision leads to: its rows (own transaction), then its answer."""

    puts: tuple[Row, ...]
    answer: IssuerAnswer
    leg: IssuerLeg
    scripts: tuple[int, ...] = ()
    """Ids of the scripts that the answer carries (host.issuer.scripts)."""
