"""What goes into the machine (orders, events) and what comes out (actions, results). All are immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from specs.message import Message
from specs.operation import Card
from terminal_sim.state import Memory, Slip

# --- orders: what the operator's key asks for -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignOn:
    """Fetch working keys, date and batch number (签到).

    rename: take the host's number for an unfinished batch (22). quiet: done by the terminal itself after another order,
    whose result stands.
    """

    rename: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class SignOff:
    """End of the cashier's day (签退). quiet: done by the terminal itself behind a settlement, whose result stands."""

    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Echo:
    """Is the host there? (回响测试)"""


@dataclass(frozen=True, slots=True)
class Balance:
    """Ask for the card's balance; moves no money, owes nothing."""

    card: Card
    pin: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sale:
    """Sell. Units: amount, the whole, in minor units; tip and cash are parts of it (NAC, ISO 87). chip_refuses: the
    card says no after the host's yes (failure-catalogue 80)."""

    amount: int
    card: Card
    tip: int = 0
    cash: int = 0
    pin: str = field(default="", repr=False)
    chip_refuses: bool = False


@dataclass(frozen=True, slots=True)
class Void:
    """Cancel a sale, refund (NAC, ISO 87) or completion of the open batch, named by its STAN or RRN; the row tells
    which message it becomes."""

    stan: str = ""
    rrn: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Give money back for an earlier sale, of any batch: named by STAN when it is in the journal or archive, else by
    RRN and date (MMDD, "" unknown). Without either: unreferenced (NAC, ISO 87)."""

    amount: int
    card: Card | None = None
    stan: str = ""
    rrn: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class PreAuth:
    """Reserve. increment: add to a reservation of the same card (named by STAN, RRN or authorisation code if given)."""

    amount: int
    card: Card
    pin: str = field(default="", repr=False)
    increment: bool = False
    stan: str = ""
    auth_code: str = ""


@dataclass(frozen=True, slots=True)
class PreAuthVoid:
    """Drop a reservation, named by its STAN or RRN."""

    stan: str = ""
    rrn: str = ""


@dataclass(frozen=True, slots=True)
class Complete:
    """Take money on a reservation. amount None: all of it. advice: tell the host that it was done (0220)."""

    stan: str = ""
    rrn: str = ""
    amount: int | None = None
    advice: bool = False


@dataclass(frozen=True, slots=True)
class OfflineSale:
    """Sell without the host: a stored advice. auth_code: of a phone approval, "" for small amounts."""

    amount: int
    card: Card
    auth_code: str = ""


@dataclass(frozen=True, slots=True)
class Adjust:
    """Another total for a sale of the open batch: a stored advice. amount: the new total; tip: or a tip on top."""

    stan: str = ""
    rrn: str = ""
    amount: int | None = None
    tip: int | None = None


@dataclass(frozen=True, slots=True)
class SendStored:
    """Send what is stored now.

    sends: of the first item in this try. skipped: STANs that this try has given up for now. quiet: put in by the
    terminal itself before or behind an order, whose result stands and which goes on whatever comes of it. first:
    nothing of the first item had left before this try. unread: how often the host could not read it in this try.
    """

    sends: int = 0
    skipped: tuple[str, ...] = ()
    quiet: bool = False
    first: bool = False
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Download:
    """CUP. what: "parameters", "ca-keys", "ic-parameters" or "status" (an upload).

    quiet: asked for by the host (header digit 6) and done behind an order, whose result stands. stage: 60.3 of the
    message at work, "" at the beginning. wanted: list entries not asked for yet, hex. got: what came so far, hex.
    listed: entries of the list received so far.
    """

    what: str = "parameters"
    quiet: bool = False
    stage: str = ""
    wanted: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    listed: int = 0


@dataclass(frozen=True, slots=True)
class Settle:
    """Close the batch. renumbered: how often the number was changed within this order (bounded)."""

    renumbered: int = 0


@dataclass(frozen=True, slots=True)
class ClearReversal:
    """The service menu's «clear reversal» (清冲正): the supervisor gives up what is owed, with a slip and a record."""


@dataclass(frozen=True, slots=True)
class ForceSettle:
    """The service menu's «settle here»: no host is asked. The reference refuses it."""


Order = (
    SignOn
    | SignOff
    | Echo
    | Balance
    | Sale
    | Void
    | Refund
    | PreAuth
    | PreAuthVoid
    | Complete
    | OfflineSale
    | Adjust
    | SendStored
    | Download
    | Settle
    | ClearReversal
    | ForceSettle
)


# --- further jobs that the machine puts before or after an order ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reverse:
    """Send the reversal that is owed. sends: of this try. lenient: a refused reversal does not stop what comes next.
    first: nothing of it had left before this try."""

    sends: int = 0
    lenient: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class SendScript:
    """Send the result of an issuer's script, if one is owed (CUP, ISO 87: 0620)."""


@dataclass(frozen=True, slots=True)
class SendCertificates:
    """NAC: upload the TC of every chip sale that the host was not told of yet. sends: of the first of them."""

    sends: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """Send the next records of the batch. sends: of this group. round: of the whole upload. renumbered: as Settle.
    unread: how often the host could not read this group."""

    sends: int = 0
    round: int = 1
    renumbered: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class UploadEnd:
    """All records are flagged: end the upload (CUP 0320/202 or 207, NAC 0500/960000, ISO 87 0520)."""

    sends: int = 0
    round: int = 1
    renumbered: int = 0


Job = Order | Reverse | SendScript | SendCertificates | Upload | UploadEnd


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Boot:
    """Power is back (or a process starts). What is owed goes first; `order`, if any, follows."""

    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """The operator's order."""

    order: Order


@dataclass(frozen=True, slots=True)
class Received:
    """A whole frame's payload arrived."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Overdue:
    """The deadline of the open request has passed."""


@dataclass(frozen=True, slots=True)
class LinkLost:
    """No connection, or it ended. sent: whether a byte of the request may have left."""

    sent: bool


Event = Boot | Key | Received | Overdue | LinkLost


# --- actions, to be done strictly in their order --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Save:
    """Put the memory on flash; the next action waits until it is there."""

    step: str
    memory: Memory = field(repr=False)


@dataclass(frozen=True, slots=True)
class Send:
    """Send the message, then wait for Received, Overdue or LinkLost. Always the last of a list."""

    message: Message
    payload: bytes = field(repr=False)
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Show:
    """A line on the terminal's screen."""

    text: str


@dataclass(frozen=True, slots=True)
class Print:
    """A slip on paper. It decides nothing: what it says is on flash already.

    must: of a firmware that goes on only when the paper is out; then nothing behind it happens without.
    """

    slip: Slip
    must: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The order is finished."""

    result: Result


Action = Save | Send | Show | Print | Done


class End(StrEnum):
    """How an order ended. The first six are the words of interface.md, section 4."""

    APPROVED = "approved"
    PARTIAL = "partial"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    NOT_SENT = "not-sent"
    REFUSED_LOCALLY = "refused-locally"
    OK = "ok"
    AGREED = "agreed"
    NOT_AGREED = "not-agreed"
    PENDING = "pending"
    """The host answered, and the batch is still not closed."""
    UNANSWERED = "unanswered"
    NOTHING = "nothing"


EXIT_CODES = {
    End.APPROVED: 0,
    End.OK: 0,
    End.AGREED: 0,
    End.NOTHING: 0,
    End.PARTIAL: 1,
    End.DECLINED: 1,
    End.NOT_AGREED: 1,
    End.PENDING: 1,
    End.UNKNOWN: 3,
    End.UNANSWERED: 3,
    End.NOT_SENT: 4,
    End.REFUSED_LOCALLY: 4,
}
"""interface.md section 1: 1 not as expected, 3 query first, 4 nothing was sent."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an order came to. Units: amounts in minor units; "" or None = not said.

    text: for the screen. slip: what was printed.
    """

    end: End
    text: str = ""
    code: str = ""
    amount: int | None = None
    approved_amount: int | None = None
    stan: str = ""
    rrn: str = ""
    auth_code: str = ""
    batch: str = ""
    slip: Slip | None = None

    @property
    def exit_code(self) -> int:
        """What the process ends with (interface.md, section 1)."""
        return EXIT_CODES[self.end]
