"""Where terminals in the field decide otherwise than the reference: one value that the machine asks at those points.

The default of every field is the reference (failure-catalogue.md section 2, RT1 to RT10). A deviation is a value and
not a branch of its own: terminal_sim.bugs has one small file for each that is known, and any of them go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from terminal_sim.state import COUNTER_MAX


class Writes(StrEnum):
    """How an approval gets onto the flash."""

    ONE_WRITE = "one-write"
    """RT2: row in and reversal out together."""
    CLEAR_FIRST = "clear-first"
    """The reversal goes, then comes the row: two writes, and a cut between them leaves nothing."""
    ROW_FIRST = "row-first"
    """The row comes, then the reversal goes: two writes, and a cut between them leaves both."""


class Rest(StrEnum):
    """What becomes of a frame that is not whole when its line ends."""

    DROPPED = "dropped"
    """The reader of the next line begins empty."""
    PARSED = "parsed"
    """It is read as it is, with what stood in the buffer before behind it."""
    KEPT = "kept"
    """What the next line brings is read behind it; and no length, however wrong, ends a line."""


class Doubt(StrEnum):
    """Why a sent request is reversed; the first three are values of terminal_sim.wire.Failure."""

    NO_ANSWER = "98"
    GARBLED = "06"
    BAD_MAC = "A0"
    CARD = "card"
    """The host said yes and the card no."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """The decision points. Nothing in it changes while a terminal lives."""

    # --- what is on flash before a message leaves

    stan_first: bool = True
    """RT1: the STAN is stored before it is used; else when the wait for the answer is over."""
    image_first: bool = True
    """RT1: the reversal is stored before the request leaves; else when the answer has not come."""
    freeze_first: bool = True
    """RT6: batch and totals are frozen before the 0500 leaves; else when the wait for the 0510 is over."""
    stan_max: int = COUNTER_MAX
    """Behind it comes 000001."""
    skips_stans: bool = True
    """RT1: a STAN that stands in the open journal or is owed is not taken again, also after the wrap."""
    heeds_flash: bool = True
    """RT1: a write that the flash refuses ends the order; else it goes on with what it has in mind. Asked by whoever
    keeps the flash."""

    # --- what counts as an answer

    one_read_framing: bool = False
    """One read of the line is taken for one message, whatever its length header says. Asked by the line."""
    unfinished: Rest = Rest.DROPPED
    """The end of a frame whose line has ended in it. Asked by the line."""
    not_compared: frozenset[int] = frozenset()
    """RT5: elements in which an approving 0210 may differ from the 0200 that is open."""

    late_sells: bool = False
    """RT5: an approving 0210 that comes while the 0400 of its sale is open is booked, and the reversal is dropped."""

    # --- an approval and its row

    booking: Writes = Writes.ONE_WRITE
    keeps_replies: bool = False
    """Every approval is stored beside the reversal and finished by the boot, as in profile roll-forward."""
    unique_rows: bool = True
    """A row that stands already is written over, not beside itself."""
    approved_amount: bool = True
    """A partial approval counts with what was approved, not with what was asked for."""
    full_refuses: bool = True
    """A full journal takes no sale; else the oldest row gives way."""

    # --- what the terminal itself refuses

    voids_archived: bool = False
    """The void of a sale of a closed batch goes to the host, who knows better."""
    completion_limit: bool = True
    """A completion above the limit is refused here first; else the host is asked."""

    # --- the reversal

    reversed_on: frozenset[Doubt] = frozenset(Doubt)
    """Any other doubt ends like a refusal: the stored reversal goes."""
    rev_before_all: bool = True
    """RT3: it goes before whatever speaks to the host, settlement and boot too; else before a sale and its like."""
    idle_timer: bool = True
    """RT3: a terminal at rest sends what it owes. Asked by whoever keeps its clock."""
    rev_acks: frozenset[str] | None = None
    """RT4: the codes that end it; None: those of the dialect."""
    rev_tries_max: int = 0
    """After so many sends without an acknowledgement it is dropped; 0: never (RT4)."""
    rev_own_stan: bool = False
    """It is sent under a new STAN, which names nothing."""
    rev_mac_kept: bool = False
    """Its MAC is made once, with the key of that day."""
    rev_takes_row: bool = True
    """RT2: its acknowledgement takes a row that stands beside it out of totals and upload."""
    void_marks_early: bool = False
    """A void without an answer stands in the journal as done."""
    abandon_recorded: bool = True
    """A reversal that the supervisor gives up leaves a slip and a record, and nothing else goes with it."""

    # --- stored items

    refused_leaves_totals: bool = True
    """RT9: an advice that the host refuses counts no more."""
    adjusts_before_close: bool = True
    """RT9: stored tips and adjustments are sent before the 0500."""

    # --- settlement

    carries_rows: bool = False
    """A sign-on changes the batch number under rows that are not settled."""
    clears_on_send: bool = False
    """The batch is closed here when the 0500 is sent, whatever the host will say."""
    heeds_differences: bool = True
    """«Totals differ» leads to the upload; else it is taken for «agreed»."""
    closed_ends_it: bool = True
    """«Closed already» or «another number» leads on; else the batch waits for somebody to phone."""
    disputed_ends_it: bool = True
    """A batch that the host has closed without agreement is closed here too; else it stays pending."""
    upload_reads_code: bool = True
    """RT8: a record is flagged by the code of its answer; else by any answer."""
    upload_resumes: bool = True
    """The upload goes on where it stopped; else at its first record."""
    archive_first: bool = True
    """RT7: the batch is closed on flash before its slip is printed; else only its number is, and the rows go once the
    paper is out."""
    number_with_archive: bool = True
    """RT7: the next batch number is part of that write; else of a later one."""
    local_settle: bool = False
    """The service menu settles on paper alone."""

    # --- paper

    marks_reprints: bool = True
    """A slip that is printed again says so."""


REFERENCE = Firmware()
"""As the rules have it."""
