"""One request on its way through the checks, with what they have found so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from host.engine.draft import Draft
from host.engine.events import Request
from host.rows import Batch, Terminal, Txn
from specs.codes import Refusal
from specs.operation import Kind, Operation
from specs.profile import Profile
from specs.values import quick_init


@dataclass(slots=True)
class Case:
    """What the checks find; the later ones and the decision use it.

    key: hex of the MAK that verified the request and so signs the answer. pin: clear digits, never stored or shown.
    original: of a void, adjustment, refund the sale (or refund) itself, never an adjustment of it; of a completion,
    increment or pre-auth void the pre-authorisation. carried: it goes into the batch's funding but out of its
    comparison (RH4, RH6). operation, profile: those of the request. kind: what it is in the books, when a check finds
    that it is not what its message says.
    """

    draft: Draft
    request: Request
    terminal: Terminal | None = None
    key: str = ""
    batch: Batch | None = None
    original: Txn | None = None
    pin: str = field(default="", repr=False)
    carried: bool = False
    operation: Operation = field(init=False, repr=False)
    profile: Profile = field(init=False, repr=False)
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        self.operation = self.request.operation
        self.profile = self.request.profile
        self.kind = self.operation.kind

    @property
    def known_terminal(self) -> Terminal:
        """The terminal; only for checks behind the one that finds it."""
        assert self.terminal is not None, "asked for the terminal before the gate"
        return self.terminal

    @property
    def known_original(self) -> Txn:
        """The original; only for what comes behind the check that finds it."""
        assert self.original is not None, "the checks found no original and did not refuse"
        return self.original


Check = Callable[[Case], Refusal | None]


@quick_init
@dataclass(frozen=True)
class Plan:
    """What an admitted original asks of its issuer.

    purpose: of the leg (host.rows.Leg), "" = the issuer is not asked and the answer is yes. Units: amount (of the row),
    leg_amount and release (of the leg) in minor units. owed: nobody waits for the leg and the issuer does not refuse
    it; the answer is yes at once. code: a no that needs no issuer (a magic amount).
    """

    purpose: str
    amount: int
    leg_amount: int = 0
    release: int = 0
    owed: bool = False
    code: str = ""
    note: str = ""

    @property
    def asks(self) -> bool:
        """Whether there is a leg at all: not for nothing."""
        return (bool(self.purpose) and (self.leg_amount, self.release) != (0, 0)) or self.purpose == "inquiry"
