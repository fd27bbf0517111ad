"""A host in one dictionary: requests, and a Desk that runs `decide` over books in memory, with an issuer that obeys.

    desk = Desk()                                   # CUP, provisioning auto; desk = Desk(NAC) for the other scheme
    sale = desk.sale(stan=1, amount=10_000)         # an Outcome, or None while it waits for the issuer
    desk.issuer = SILENT                            # asks are kept in desk.asked; desk.silence() times them out
    desk.reverse(stan=1, amount=10_000)
    desk = Desk(NAC, bugs=("dup-posts",))           # a host that breaks a rule (host.deviations)

Each `send` decides one event over only what `needs(event)` names of the books (so a rule that reads more than it asked
for fails here as in the host), applies the puts, answers asks as `issuer` says, and collects what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from host.deviations import needs_with, with_bugs
from host.engine.context import Context, Ids, Settings
from host.engine.decide import decide
from host.engine.events import Ask, Decision, Event, IssuerAnswer, LegOverdue, MacEvidence, Request
from host.engine.needs import needs
from host.engine.working import Needs, WorkingSet
from host.rows import (
    Adjustment,
    Alarm,
    Batch,
    BatchState,
    ExceptionItem,
    Leg,
    Merchant,
    Posting,
    Row,
    StagedItem,
    Terminal,
    Txn,
    TxnState,
)
from specs.operation import (
    ADJUSTMENTS,
    DEBITS,
    RESERVATIONS,
    VOIDS,
    Card,
    Entry,
    Kind,
    Operation,
    OriginalRef,
    Outcome,
)
from specs.profile import KeyScheme, Profile

R = TypeVar("R")

TID, MID = "T0000001", "123456789012345"
PAN = "6223164991230014"
"""A published UnionPay test card (cup.md, section 7)."""
NOW = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
CUP = Profile(family="cup", key_scheme=KeyScheme.WIRE_BATCH)
"""Without sign-on and MAC, which have tests of their own."""
NAC = Profile(family="nac", key_scheme=KeyScheme.HOST_BATCH)
ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME)

Issuer = Callable[[Ask], IssuerAnswer | None]


def approve(ask: Ask) -> IssuerAnswer | None:
    """The issuer says yes to everything; an inquiry finds 500.00."""
    leg = ask.leg
    if ask.undo:
        return IssuerAnswer(leg.id, leg.txn_id, "undo", True, leg.amount, "")
    balance = 50_000 if leg.purpose == "inquiry" else -1
    return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, True, leg.amount, "", balance)


def refuse(refusal: str) -> Issuer:
    """The issuer says no to whatever may be refused; what is owed it takes."""

    def answer(ask: Ask) -> IssuerAnswer | None:
        if ask.undo or ask.leg.state == "owing" or ask.leg.purpose == "debit-again":
            return approve(ask)
        return IssuerAnswer(ask.leg.id, ask.leg.txn_id, ask.leg.purpose, False, 0, refusal)

    return answer


def partly(amount: int) -> Issuer:
    """The issuer approves this much."""

    def answer(ask: Ask) -> IssuerAnswer | None:
        said = approve(ask)
        return (
            said
            if ask.undo or said is None or not ask.partial
            else replace(said, approved_amount=amount, refusal="partial", balance=0)
        )

    return answer


def silent(ask: Ask) -> IssuerAnswer | None:
    """The issuer says nothing."""
    return None


def code(outcome: Outcome | None) -> str:
    """DE 39, or «waits» for a request that got no answer yet."""
    return outcome.code if outcome is not None else "waits"


def keys(size: int) -> bytes:
    """The same key bytes each time, of odd parity."""
    return bytes.fromhex("1C2A3B4C5D6E7F80F1E2D3C4B5A69788")[:size]


def a_card(pan: str = PAN, **changes: Any) -> Card:
    return Card(pan=pan, expiry=changes.pop("expiry", "3012"), entry=Entry.SWIPE, **changes)


_SHOWS_A_CARD = DEBITS | RESERVATIONS | {Kind.BALANCE, Kind.REFUND}
ADVICES = ADJUSTMENTS | {Kind.OFFLINE_SALE, Kind.COMPLETION_ADVICE}
"""Kinds that tell what has happened; in CUP a refund too, which says so itself."""
_TAKEN_BACK = (*VOIDS, Kind.PRE_AUTH_VOID)


def _processing(kind: Kind, *, wire_batch: bool) -> str:
    """DE 3 (cup.md section 4, nac.md section 4)."""
    if kind in _TAKEN_BACK:
        return "200000" if wire_batch else "020000"
    other = {Kind.BALANCE: "310000", Kind.REFUND: "200000", Kind.CASH_BACK: "090000"}
    return "030000" if wire_batch and kind is Kind.PRE_AUTH else other.get(kind, "000000")


def a_request(kind: Kind, profile: Profile = CUP, *, mac: MacEvidence | None = None, **changes: Any) -> Request:
    """A request as a dialect's reader makes it; `changes` are Operation fields, stan may be an integer.

    CUP: batch 000001 unless named. DE 3 and the compared content follow from the kind.
    """
    wire_batch = profile.key_scheme is KeyScheme.WIRE_BATCH
    if isinstance(changes.get("stan"), int):
        changes["stan"] = f"{changes['stan']:06d}"
    changes.setdefault("processing_code", _processing(kind, wire_batch=wire_batch))
    changes.setdefault("tid", TID)
    changes.setdefault("mid", MID)
    if wire_batch:
        changes.setdefault("batch", "000001")
        changes.setdefault("currency", "156")
    if kind in _SHOWS_A_CARD:
        changes.setdefault("card", a_card())
    changes.setdefault("advice", kind in ADVICES)
    pan = changes["card"].pan if changes.get("card") else ""
    changes.setdefault("content", (("processing", changes["processing_code"][:2]), ("pan", pan)))
    operation = Operation(kind=kind, **changes)
    return Request(
        token=1,
        operation=operation,
        profile=profile,
        dialect=profile.family,
        mac=mac or MacEvidence(b"", None, required=False),
        pan_hash=f"hash-of-{pan[-4:]}" if pan else "",
        pan_masked=f"{pan[:6]}******{pan[-4:]}" if pan else "",
        organisation="CUP" if pan else "",
    )


@dataclass
class Desk:
    """One host's books and one issuer. said: every outcome with its txn; notes and asked: as they came."""

    profile: Profile = CUP
    settings: Settings = field(default_factory=Settings)
    issuer: Issuer = approve
    now: datetime = NOW
    ids: Ids = field(default_factory=Ids)
    books: WorkingSet = field(default_factory=WorkingSet)
    said: list[tuple[int, Outcome]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    last: Decision = field(default_factory=Decision)
    bugs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, since: int | None = None) -> None:
        """A new process over the same books. since: as of `with_bugs`."""
        self._decide, self._needs = with_bugs(decide, self.bugs, since), needs_with(needs, self.bugs)

    # ---- events

    def send(self, event: Event) -> Outcome | None:
        """Decide, commit, ask, answer; None = this event's sender still waits."""
        decision = self.decide(event)
        outcome = decision.outcome
        for ask in decision.asks:
            self.asked.append(ask)
            answer = self.issuer(ask)
            if answer is not None:
                after = self.send(answer)
                outcome = outcome or (after if ask.leg.txn_id == decision.waits_txn else None)
        return outcome

    def decide(self, event: Event) -> Decision:
        """One decision over what the event needs; its puts are in the books afterwards."""
        decision = self._decide(load(self.books, self._needs(event)), event, self.context())
        self.books.apply(decision.puts)
        said = (note if isinstance(note, str) else f"DE {note.de}: {note.expected}" for note in decision.notes)
        self.notes.extend(said)
        if decision.outcome is not None:
            self.said.append((decision.txn_id, decision.outcome))
        self.last = decision
        return decision

    def context(self) -> Context:
        profiles = {self.profile.family: self.profile}
        return Context(self.now, self.now.date(), self.settings, self.ids, keys, profiles)

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def silence(self, *, restart: bool = False) -> list[Outcome]:
        """The issuer timeout passes for every unfinished leg (or the host starts again); what was said then."""
        before = len(self.said)
        for leg in self.rows(Leg):
            if leg.state != "done":
                self.send(LegOverdue(leg.id, leg.txn_id, restart))
        return [outcome for _, outcome in self.said[before:]]

    def answer(self, ask: Ask, issuer: Issuer = approve) -> Outcome | None:
        """The issuer's word on one ask comes now."""
        said = issuer(ask)
        assert said is not None
        return self.send(said)

    # ---- messages

    def request(self, kind: Kind, **changes: Any) -> Request:
        return a_request(kind, self.profile, **changes)

    def sale(self, stan: int, amount: int = 10_000, **changes: Any) -> Outcome | None:
        return self.send(self.request(Kind.SALE, stan=stan, amount=amount, **changes))

    def void(self, stan: int, of: int, amount: int = 10_000, **changes: Any) -> Outcome | None:
        """Void the sale with STAN `of`: CUP names batch and STAN, NAC the RRN."""
        sale = next((t for t in reversed(self.rows(Txn)) if t.stan == f"{of:06d}"), None)
        ref = OriginalRef(stan=f"{of:06d}", batch=changes.get("batch", "000001"))
        if self.profile.key_scheme is KeyScheme.HOST_BATCH:
            ref = OriginalRef(rrn=sale.rrn if sale else "999999999999")
        changes.setdefault("original", ref)
        return self.send(self.request(Kind.VOID, stan=stan, amount=amount, **changes))

    def reverse(self, stan: int, amount: int | None = 10_000, of: Kind = Kind.SALE, **changes: Any) -> Outcome | None:
        """The 0400 of the original with this STAN: same DE 3 and 4."""
        changes.setdefault("processing_code", a_request(of, self.profile, stan=stan).operation.processing_code)
        return self.send(self.request(Kind.REVERSAL, stan=stan, amount=amount, **changes))

    # ---- the books

    def rows(self, table: type[R]) -> list[R]:
        return self.books.all(table)

    def txn(self, stan: int) -> Txn:
        """The newest row under a STAN."""
        return self.books.txns_by_stan(TID, f"{stan:06d}")[-1]

    def alarms(self) -> list[str]:
        return [alarm.code for alarm in self.rows(Alarm)]

    def balance(self, account: str) -> int:
        return sum(p.amount for p in self.rows(Posting) if p.account == account)

    def payable(self) -> int:
        """What the acquirer owes the merchant."""
        return -self.balance(f"merchant-payable:{MID}")

    def close_batch(self) -> Batch:
        """Close the open batch as an agreed settlement would and open the next, without the dialogue."""
        batch = self.books.open_batch(TID)
        assert batch is not None
        closed_at = self.now.isoformat(timespec="milliseconds")
        self.books.apply([replace(batch, state=BatchState.CLOSED, closed_at=closed_at, business_date="2026-03-02")])
        fresh = replace(batch, id=self.ids.new("Batch"), number=f"{int(batch.number) + 1:06d}", running="{}")
        self.books.apply([fresh])
        for txn in self.books.txns_of_batch(batch.id):
            if txn.settlement == "open":
                self.books.apply([replace(txn, settlement="settled")])
        return fresh


def load(books: WorkingSet, wanted: Needs) -> WorkingSet:
    """What the store would load for these needs (host/engine/working.py, `Needs`), out of books in memory."""
    named = _named(books, wanted)
    own = [b for b in books.all(Batch) if b.tid in wanted.tids]
    closed = [b for b in own if b.state not in (BatchState.OPEN, BatchState.DISPUTED)]
    batches = {b for b in own if b not in closed} | set(closed[-1:])
    batches |= {b for tid, n in wanted.numbers if (b := books.batch_numbered(tid, n)) is not None}
    batches |= {b for b in books.all(Batch) if b.id in wanted.batch_ids or _of_day(b, wanted)}
    whole = {b.id for b in batches if b.tid in wanted.items_of_tids}
    items = {t for t in books.all(Txn) if t.batch_id in whole}
    named |= {t for t in items if t.state in (TxnState.PENDING, TxnState.AUTHORISED)}
    named |= {t for s in books.all(StagedItem) if s.batch_id in whole and (t := books.txn(s.txn_id)) is not None}
    related = _with_relatives(books, named, wanted)
    batches |= {b for b in books.all(Batch) if b.id in {t.batch_id for t in related}}
    tids = wanted.tids | {t.tid for t in related}
    txns = items | related
    rows: Iterable[Row] = [
        *(t for t in books.all(Terminal) if t.tid in tids),
        *(m for m in books.all(Merchant) if m.mid in wanted.mids),
        *batches,
        *txns,
        *(g for g in books.all(Leg) if g.txn_id in {t.id for t in related}),
        *(a for a in books.all(Adjustment) if a.txn_id in {t.id for t in related}),
        *(s for s in books.all(StagedItem) if s.batch_id in whole),
        *(e for e in books.all(ExceptionItem) if e.batch_id in whole),
    ]
    return WorkingSet(rows)


def _of_day(batch: Batch, wanted: Needs) -> bool:
    days = {(batch.tid, day[5:].replace("-", "")) for day in (batch.day, batch.business_date) if day}
    return bool(days & wanted.days)


def _named(books: WorkingSet, wanted: Needs) -> set[Txn]:
    legs = [g for g in books.all(Leg) if g.id in wanted.leg_ids or g.state != "done"]
    unfinished = {g.txn_id for g in legs if (t := books.txn(g.txn_id)) and t.tid in wanted.tids}
    by_leg = {g.txn_id for g in legs if g.id in wanted.leg_ids}
    return {
        t
        for t in books.all(Txn)
        if t.id in wanted.txn_ids | unfinished | by_leg
        or (t.tid, t.stan) in wanted.stans
        or (t.tid, t.rrn) in wanted.rrns
        or (t.tid, t.invoice) in wanted.invoices
        or (t.mid, t.rrn) in wanted.merchant_rrns
        or (t.mid, t.stan) in wanted.merchant_stans
        or ((t.mid, t.pan_hash) in wanted.merchant_cards and _by_card(t))
    }


def _by_card(txn: Txn) -> bool:
    never = (TxnState.DECLINED, TxnState.PENDING, TxnState.TOMBSTONE)
    return txn.kind in DEBITS | {Kind.PRE_AUTH} and txn.state not in never


def _with_relatives(books: WorkingSet, named: set[Txn], wanted: Needs) -> set[Txn]:
    """The originals that they go back to, what replaced any of them, and what acts on the originals, on
    pre-authorisations and on what was named by a message about an original."""
    every, fresh = set(named), named
    while fresh:
        fresh = {o for t in fresh for i in (t.original_id, t.replaced_by) if (o := books.txn(i))} - every
        every |= fresh
    acted_on = {t.original_id for t in every} | {t.id for t in every if t.kind == Kind.PRE_AUTH}
    merchants = {mid for mid, _ in wanted.merchant_rrns | wanted.merchant_stans | wanted.merchant_cards}
    acted_on |= {t.id for t in named if t.tid in wanted.kin_of_tids or t.mid in merchants}
    return every | {t for i in acted_on for t in books.acting_on(i) if t.state is not TxnState.DECLINED}
