"""A desk that speaks every kind of original, and an issuer with books of its own: a second opinion on the money.

desk = a_desk(NAC)                              # a Bank answers; desk.bank.mode = "down" | "deaf" | …
desk.do(Kind.PRE_AUTH, 1, 10_000); desk.do(Kind.COMPLETION, 2, 11_000, of=1)
desk.check()                                    # the acquirer's books, the rows and the issuer say the same

References are made as each key scheme has them on the wire: CUP batch and STAN, NAC RRN, ISO 87 STAN and DE 7; a
pre-authorisation by card and approval code (ISO 87: DE 90).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from host.engine import capturing
from host.engine.draft import Draft
from host.engine.events import Ask, IssuerAnswer
from host.rows import Batch, BatchState, Leg, Posting, Txn, TxnState
from specs.operation import ADJUSTMENTS, DEBITS, FINANCIAL, VOIDS, Kind, OriginalRef, Outcome
from specs.profile import KeyScheme, Profile
from tests.support.engine import CUP, TID, Desk, a_card, a_request

ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME, reversed="both")
ENOUGH = 20_000
"""The bank refuses a new debit or hold of this much and more, and approves 5,000 for 3,000."""
CUT, CUT_TO = 5_000, 3_000

#: Purpose of a leg -> what its amount does to (debited, held); Leg.release always lessens what is held.
_DOES = {
    "debit": (1, 0),
    "credit": (-1, 0),
    "hold": (0, 1),
    "release": (0, -1),
    "debit-again": (1, 0),
    "hold-again": (0, 1),
    "inquiry": (0, 0),
}
STANDS = (TxnState.CAPTURED, TxnState.AUTHORISED)
_BY_CODE = frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.PRE_AUTH_VOID, Kind.PRE_AUTH_INCREMENT})


@dataclass
class Bank:
    """Legs by (transaction, number). mode: "answers"; "down" is known to be away, "deaf" never gets it, "lost" acts and
    is not heard, "late" acts and its word waits in `late`."""

    mode: str = "answers"
    did: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    undone: set[tuple[int, int]] = field(default_factory=set)
    late: list[IssuerAnswer] = field(default_factory=list)

    def __call__(self, ask: Ask) -> IssuerAnswer | None:
        if self.mode == "down":
            leg = ask.leg
            return None if ask.undo else IssuerAnswer(leg.id, leg.txn_id, leg.purpose, False, 0, "issuer-down")
        if self.mode == "deaf":
            return None
        answer = self.act(ask)
        if self.mode == "late":
            self.late.append(answer)
        return answer if self.mode == "answers" else None

    def act(self, ask: Ask) -> IssuerAnswer:
        leg = ask.leg
        key = (leg.txn_id, leg.number)
        if ask.undo:
            self.undone.add(key)
            return IssuerAnswer(leg.id, leg.txn_id, "undo", True, 0, "")
        if key in self.undone:
            return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, False, 0, "do-not-honour")
        asked = leg.purpose in ("debit", "hold") and leg.state != "owing" and leg.release == 0
        if asked and leg.amount >= ENOUGH:
            return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, False, 0, "funds")
        approved = CUT_TO if asked and leg.amount == CUT and ask.partial else leg.amount
        debited, held = _DOES[leg.purpose]
        self.did[key] = (debited * approved, held * approved - leg.release)
        return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, True, approved, "", 0)

    def _sum(self, which: int) -> int:
        return sum(moved[which] for key, moved in self.did.items() if key not in self.undone)

    @property
    def debited(self) -> int:
        """What the cardholders owe, net."""
        return self._sum(0)

    @property
    def held(self) -> int:
        """What is held."""
        return self._sum(1)


@dataclass
class MoneyDesk(Desk):
    """A Desk whose issuer is a Bank."""

    bank: Bank = field(default_factory=Bank)

    def do(self, kind: Kind, stan: int, amount: int | None = None, *, of: int = 0, **changes: Any) -> str:
        """One original; of: the STAN of what it names. The code, or «waits»."""
        outcome = self.outcome(kind, stan, amount, of=of, **changes)
        return outcome.code if outcome is not None else "waits"

    def outcome(
        self, kind: Kind, stan: int, amount: int | None = None, *, of: int = 0, **changes: Any
    ) -> Outcome | None:
        return self.send(self.message(kind, stan, amount, of=of, **changes))

    def message(self, kind: Kind, stan: int, amount: int | None = None, *, of: int = 0, **changes: Any) -> Any:
        if of:
            changes.setdefault("original", self.reference(kind, self.txn(of)))
        if self.profile.key_scheme is KeyScheme.WIRE_BATCH:
            changes.setdefault("batch", self.number)
            if kind is Kind.REFUND:
                changes.setdefault("advice", True)
        if self.profile.key_scheme is KeyScheme.LOCAL_TIME:
            changes.setdefault("transmitted", transmitted(stan))
        changes.setdefault("card", a_card())
        return a_request(kind, self.profile, stan=stan, amount=amount, **changes)

    def reference(self, kind: Kind, of: Txn) -> OriginalRef:
        scheme = self.profile.key_scheme
        if scheme is KeyScheme.LOCAL_TIME:
            mti = "0100" if of.kind in ("pre-auth", "pre-auth-increment") else "0200"
            return OriginalRef(stan=of.stan, transmitted=of.transmitted, mti=mti, auth_code=of.auth_code)
        if kind in _BY_CODE:
            return OriginalRef(auth_code=of.auth_code)
        if scheme is KeyScheme.WIRE_BATCH:
            return OriginalRef(stan=of.stan, batch=of.wire_batch, date=of.answered_at[:4])
        return OriginalRef(rrn=of.rrn)

    @property
    def number(self) -> str:
        """The batch number that a CUP terminal would send now."""
        live = [b for b in self.rows(Batch) if b.state in (BatchState.OPEN, BatchState.DISPUTED)]
        return live[0].number if live else "000001"

    def undo(self, stan: int, amount: int | None = None, **changes: Any) -> str:
        """The reversal of the original with this STAN, with its own amount unless another is said."""
        of = self.txn(stan)
        said = of.amount if amount is None else amount
        ref = OriginalRef(stan=of.stan, transmitted=of.transmitted) if of.transmitted else None
        changes.setdefault("processing_code", of.processing_code)
        if of.wire_batch:
            changes.setdefault("batch", of.wire_batch)
        reversal = a_request(Kind.REVERSAL, self.profile, stan=stan, amount=said, original=ref, **changes)
        outcome = self.send(reversal)
        assert outcome is not None
        return outcome.code

    def capture_all(self, *lost: int) -> Batch:
        """Profile TC: the open batch is settled; what has one of these STANs the terminal has lost."""
        batch = self.books.open_batch(TID)
        assert batch is not None
        draft = Draft(self.books, self.context())
        for txn in self.books.txns_of_batch(batch.id):
            if txn.kind in FINANCIAL and txn.state is TxnState.AUTHORISED:
                gone = int(self.final(self.sale_of(txn)).stan) in lost
                (capturing.let_go if gone else capturing.capture)(draft, txn)
        asked = tuple(draft.asks)
        fresh = self.close_batch()
        for ask in asked:
            self.asked.append(ask)
            answer = self.bank(ask)
            if answer is not None:
                self.send(answer)
        return fresh

    def sale_of(self, txn: Txn) -> Txn:
        """The sale behind an adjustment, else the transaction itself."""
        return (self.books.txn(txn.original_id) if txn.kind in ADJUSTMENTS else None) or txn

    # ---- what must agree

    def heal(self) -> None:
        """The issuer is back, and everything that is owed is asked until it is done."""
        self.bank.mode = "answers"
        while self.bank.late:
            self.send(self.bank.late.pop())
        for _ in range(4):
            self.silence()
        assert all(g.state == "done" for g in self.rows(Leg))

    def check(self) -> None:
        """Entries sum to zero; merchant, clearing and issuer agree; what is held is what the rows say."""
        self.heal()
        self.check_books()
        assert self.bank.debited == self.payable()
        assert self.bank.held == sum(t.held for t in self.rows(Txn))

    def check_books(self) -> None:
        """What holds between any two events."""
        sums: Counter[int] = Counter()
        for line in self.rows(Posting):
            sums[line.entry_id] += line.amount
        assert set(sums.values()) <= {0}
        assert self.payable() == self.balance("issuer-clearing") == self.worth()
        assert all(t.held >= 0 for t in self.rows(Txn))
        assert all(not t.held for t in self.rows(Txn) if t.state is not TxnState.AUTHORISED)
        self.check_running()

    def worth(self) -> int:
        """What the merchant is owed by the rows: sales that stand, at the amount of their newest adjustment, less
        refunds. Voids and what they void are nothing together."""
        total = 0
        for txn in self.rows(Txn):
            if txn.state is not TxnState.CAPTURED:
                continue
            if txn.kind in DEBITS:
                total += self.final(txn).approved_amount
            elif txn.kind == Kind.REFUND:
                total -= txn.approved_amount
        return total

    def final(self, sale: Txn) -> Txn:
        """The newest live adjustment of a sale, else itself; let go of or not."""
        tips = [t for t in self.rows(Txn) if t.original_id == sale.id and t.kind in ADJUSTMENTS and t.state in STANDS]
        return tips[-1] if tips else sale

    def check_running(self) -> None:
        """A8, from the rows alone."""
        for batch in (b for b in self.rows(Batch) if b.state in (BatchState.OPEN, BatchState.DISPUTED)):
            sums: dict[str, list[int]] = {}
            for txn in self.books.txns_of_batch(batch.id):
                counted = txn.kind in FINANCIAL and txn.state in (*STANDS, TxnState.VOIDED)
                if counted and not txn.carried and not txn.replaced_by:
                    one = sums.setdefault(txn.kind, [0, 0])
                    one[0] += 1
                    one[1] += txn.approved_amount
            assert json.loads(batch.running) == sums

    def states(self, *stans: int) -> list[str]:
        """The states of the newest rows under these STANs."""
        return [str(self.txn(stan).state) for stan in stans]

    def purposes(self) -> list[tuple[str, int, int]]:
        """Every leg: purpose, amount, release; «undo» before it when it was taken back."""
        return [("undo " * (g.result == "undone") + g.purpose, g.amount, g.release) for g in self.rows(Leg)]


def a_desk(profile: Profile = CUP, **more: Any) -> MoneyDesk:
    bank = Bank()
    desk = MoneyDesk(profile, issuer=bank, bank=bank, **more)
    desk.check_books()
    return desk


def transmitted(stan: int) -> str:
    """A DE 7 of its own for each STAN."""
    return f"0302{stan // 3600 % 24:02d}{stan // 60 % 60:02d}{stan % 60:02d}"


def days(count: int) -> timedelta:
    return timedelta(days=count)


__all__ = ["CUP", "ISO87", "TID", "VOIDS", "Bank", "MoneyDesk", "a_desk", "days", "transmitted"]
