"""What the store loads for an event is enough to decide it: with all the books in memory the decision is the same.

Two terminals of one merchant do whatever terminals do, batches, uploads, cutoffs and re-flashes included. Each event is
decided twice, over a working set that the store has just loaded for it alone and over every row there is; rows, answer,
legs and notes must be equal. The rows are then really committed, so the guards of the database look on as well, and the
money is held against a second opinion (tests.support.money).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

import pytest

from host.engine.decide import decide
from host.engine.events import CloseBatch, Cutover, Decision, Event, Expire, Request
from host.engine.items import batch_items
from host.engine.needs import needs
from host.engine.working import WorkingSet
from host.group import union
from host.rows import TABLES, Batch, BatchState, Txn, TxnState
from host.store.store import Store, open_store
from specs.families import family
from specs.operation import DEBITS, FINANCIAL, RESERVATIONS, VOIDS, Kind, OriginalRef, UploadForm, UploadItem
from specs.profile import KeyScheme, Profile
from specs.totals import Sum, Totals
from tests.support.engine import CUP, NAC, TID, a_card, a_request
from tests.support.money import ISO87, Bank, MoneyDesk

R = TypeVar("R")

PANS = ("6223164991230014", "6223164991230014", "4005550000000019")
TIDS = (TID, TID, TID, "T0000002")
MOODS = ("answers",) * 8 + ("deaf", "late", "lost", "down")
ALONE = (Kind.SALE, Kind.SALE, Kind.SALE, Kind.CASH_BACK, Kind.OFFLINE_SALE, Kind.PRE_AUTH, Kind.PRE_AUTH)
OF_A_SALE = (Kind.VOID, Kind.REFUND, Kind.REFUND, Kind.TIP, Kind.ADJUST, Kind.COMPLETION_VOID, Kind.SCRIPT_RESULT)
OF_A_PREAUTH = (
    *(Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.PRE_AUTH_VOID, Kind.PRE_AUTH_INCREMENT),
    *(Kind.OFFLINE_SALE, Kind.COMPLETION),
)
COMPLETIONS = (Kind.COMPLETION, Kind.COMPLETION_ADVICE)
LIVE = (BatchState.OPEN, BatchState.DISPUTED)
STANDS = (TxnState.CAPTURED, TxnState.AUTHORISED)
STEPS = 200


@dataclass
class ColdDesk(MoneyDesk):
    """A desk that decides from its store alone, and looks over its own shoulder.

    group: how many requests of the terminals are loaded for, decided and committed together, as the writer does it.
    """

    store: Store = field(default_factory=lambda: open_store("sqlite://", seed=7))
    group: int = 1
    waiting: list[Event] = field(default_factory=list)

    def decide(self, event: Event) -> Decision:
        decision = self._decide_from(self.store.load(needs(event)), event)
        self.store.commit(decision.puts)
        return decision

    def _decide_from(self, loaded: WorkingSet, event: Event) -> Decision:
        before = deepcopy(self.ids)
        warm = decide(WorkingSet(self.everything()), event, self.context())
        self.ids = before
        cold = decide(loaded, event, self.context())
        assert cold == warm, event
        self.books.apply(cold.puts)
        self.notes.extend(map(str, cold.notes))
        if cold.outcome is not None:
            self.said.append((cold.txn_id, cold.outcome))
        self.last = cold
        return cold

    def submit(self, request: Request) -> None:
        """Alone, or with those that wait for a full group."""
        self.waiting.append(request)
        if len(self.waiting) >= self.group:
            self.decide_waiting()

    def decide_waiting(self) -> None:
        events, self.waiting = self.waiting, []
        loaded = self.store.load(union(needs(event) for event in events))
        decisions = []
        for event in events:
            decisions.append(self._decide_from(loaded, event))
            loaded.apply(decisions[-1].puts)
        self.store.commit(row for decision in decisions for row in decision.puts)
        for ask in (ask for decision in decisions for ask in decision.asks):
            answer = self.issuer(ask)
            if answer is not None:
                self.send(answer)

    def everything(self) -> Iterator[Any]:
        for table in TABLES:
            yield from self.books.all(table)

    def open_number(self, tid: str) -> str:
        batch = self.books.open_batch(tid)
        return batch.number if batch is not None else "000001"


class Till:
    """Both terminals and all that may happen to them, as a seed has it. Mostly it acts on what is there."""

    def __init__(self, seed: int, profile: Profile, capture: str, group: int = 1) -> None:
        self.random = Random(seed)
        bank = Bank()
        self.desk = ColdDesk(replace(profile, capture=capture), issuer=bank, bank=bank, group=group)
        self.stan = {TID: 0, "T0000002": 0}

    @property
    def scheme(self) -> KeyScheme:
        return self.desk.profile.key_scheme

    def one_of(self, *choices: R) -> R:
        return self.random.choice(choices)

    def fresh(self, tid: str) -> int:
        self.stan[tid] += 1
        return self.stan[tid]

    def txns(self, kinds: Iterable[Kind], tid: str = "") -> list[Txn]:
        wanted = frozenset(kinds)
        found = [t for t in self.desk.rows(Txn) if t.kind in wanted and t.state is not TxnState.TOMBSTONE]
        return [t for t in found if not tid or t.tid == tid]

    def pick(self, kinds: Iterable[Kind]) -> Txn | None:
        """Mostly one that stands, so that something comes of it."""
        found = self.txns(kinds)
        live = [t for t in found if t.state in STANDS]
        found = live if live and self.random.random() < 0.8 else found
        return self.random.choice(found[-6:] if self.random.random() < 0.5 else found) if found else None

    def send(self, kind: Kind, tid: str, stan: int, amount: int | None = None, **changes: Any) -> None:
        """With the batch number or the time that a terminal would send, unless `changes` has them."""
        changes.setdefault("advice", a_request(kind, self.desk.profile, amount=1).operation.advice)
        if self.scheme is KeyScheme.WIRE_BATCH:
            changes.setdefault("batch", self.desk.open_number(tid))
            changes["advice"] |= kind is Kind.REFUND
        else:
            changes.setdefault("local_date", self.desk.now.strftime("%m%d"))
            changes.setdefault("local_time", self.desk.now.strftime("%H%M%S"))
        if self.scheme is KeyScheme.LOCAL_TIME:
            changes.setdefault("transmitted", self.desk.now.strftime("%m%d%H%M%S"))
        self.desk.submit(a_request(kind, self.desk.profile, tid=tid, stan=stan, amount=amount, **changes))

    def card_of(self, txn: Txn) -> Any:
        return a_card(next(pan for pan in PANS if pan[-4:] == txn.pan[-4:]))

    # ---- money

    def an_original(self) -> None:
        """late: by so many seconds its own time lies back."""
        tid, late = self.one_of(*TIDS), self.one_of(0, 0, 0, 3_600, 86_400)
        stan, changes = self.fresh(tid), dict[str, Any]()
        if self.scheme is KeyScheme.HOST_BATCH:
            changes["invoice"] = f"{stan % 5:06d}"
        if self.scheme is KeyScheme.WIRE_BATCH:
            numbers = [b.number for b in self.desk.rows(Batch) if b.tid == tid][-2:]
            changes["batch"] = self.one_of(self.desk.open_number(tid), self.desk.open_number(tid), *numbers)
        self.desk.later(seconds=-late)
        at = {"local_date": self.desk.now.strftime("%m%d"), "local_time": self.desk.now.strftime("%H%M%S")}
        self.desk.later(seconds=late)
        if self.scheme is not KeyScheme.WIRE_BATCH:
            changes |= at
        amount = self.one_of(1_000, 5_000, 10_000, 10_000, 15_000, 20_000)
        self.send(self.one_of(*ALONE), tid, stan, amount, card=a_card(self.one_of(*PANS)), **changes)

    def one_that_names_a_sale(self) -> None:
        of = self.one_of((*DEBITS, Kind.REFUND), (*DEBITS, Kind.REFUND), COMPLETIONS)
        self._names(self.one_of(*OF_A_SALE), self.pick(of))

    def one_that_names_a_preauth(self) -> None:
        self._names(self.one_of(*OF_A_PREAUTH), self.pick([Kind.PRE_AUTH]))

    def _names(self, kind: Kind, of: Txn | None) -> None:
        if of is None:
            return
        share, tid = self.one_of(100, 100, 100, 50, 30, 110, 115, 116), self.one_of(of.tid, of.tid, *TIDS)
        if kind in VOIDS and self.random.random() < 0.8:  # as a terminal would do it, so that something comes of it
            of_completion = self.scheme is KeyScheme.WIRE_BATCH and of.kind in COMPLETIONS
            kind, share, tid = Kind.COMPLETION_VOID if of_completion else Kind.VOID, 100, of.tid
        amount = max(1, (of.held or self.desk.final(of).approved_amount or 1) * share // 100)
        changes = self._reference(kind, of)
        if self.scheme is not KeyScheme.WIRE_BATCH and kind is Kind.VOID and of.kind == Kind.REFUND:
            changes["processing_code"] = "220000"
        if kind not in (Kind.VOID, Kind.COMPLETION_VOID, Kind.SCRIPT_RESULT):
            changes["card"] = self.card_of(of)
        if self.scheme is KeyScheme.WIRE_BATCH:
            changes["batch"] = self.one_of(*[self.desk.open_number(tid)] * 4, of.wire_batch)
        self.send(kind, tid, self.fresh(tid), amount, **changes)

    def _reference(self, kind: Kind, of: Txn) -> dict[str, Any]:
        """How it is named: as its scheme has it, in one of its ways."""
        if kind is Kind.OFFLINE_SALE:
            return {"auth_code": of.auth_code}
        by_invoice = self.scheme is KeyScheme.HOST_BATCH and of.invoice and self.one_of(True, False)
        if kind in OF_A_PREAUTH and self.scheme is not KeyScheme.LOCAL_TIME:
            own_way = {Kind.PRE_AUTH_VOID: self.one_of("", of.rrn), Kind.PRE_AUTH_INCREMENT: ""}
            invoice = {"invoice": of.invoice} if by_invoice and kind is Kind.PRE_AUTH_VOID else {}
            return {"original": OriginalRef(auth_code=of.auth_code, rrn=own_way.get(kind, ""))} | invoice
        if by_invoice:
            return {"original": OriginalRef(invoice=of.invoice), "invoice": of.invoice}
        if kind is Kind.REFUND:
            return self.one_of({}, {"original": OriginalRef(rrn=of.rrn)}, {"original": self.desk.reference(kind, of)})
        return {"original": self.desk.reference(kind, of)}

    def one_comes_again_or_its_stan_does(self) -> None:
        of = self.pick((Kind.SALE, Kind.OFFLINE_SALE, Kind.PRE_AUTH))
        if of is None:
            return
        changes: dict[str, Any] = {"card": self.card_of(of), "invoice": of.invoice, "transmitted": of.transmitted}
        changes |= {"local_date": of.local_time[:4], "local_time": of.local_time[4:]}
        if of.wire_batch:
            changes["batch"] = of.wire_batch
        self.send(Kind(of.kind), of.tid, int(of.stan), of.amount + self.one_of(0, 0, 0, 1), **changes)

    def a_reversal(self) -> None:
        of = self.pick((*FINANCIAL, *RESERVATIONS))
        if of is None:
            return
        changes: dict[str, Any] = {"processing_code": of.processing_code, "batch": of.wire_batch or None}
        stan, tid = int(of.stan), of.tid
        if self.scheme is KeyScheme.LOCAL_TIME:
            changes |= {"original": OriginalRef(stan=of.stan, transmitted=of.transmitted), "batch": None}
        if self.scheme is KeyScheme.HOST_BATCH and of.invoice and self.one_of(True, False):
            stan, changes["invoice"] = self.fresh(tid), of.invoice
        self.send(Kind.REVERSAL, tid, stan, of.amount + self.one_of(0, 0, 0, 0, 1), **changes)

    def a_reversal_overtakes_its_sale(self) -> None:
        tid = self.one_of(*TIDS)
        stan = self.fresh(tid)
        self.send(Kind.REVERSAL, tid, stan, 10_000, processing_code="000000")
        if self.one_of(True, False):
            self.send(Kind.SALE, tid, stan, 10_000)

    def the_issuer_timeout_passes(self) -> None:
        self.desk.later(seconds=21)
        self.desk.silence()

    def a_late_answer_comes(self) -> None:
        late = self.desk.bank.late
        if late:
            self.desk.send(late.pop(self.random.randrange(len(late))))

    def a_preauth_expires(self) -> None:
        txn = self.pick([Kind.PRE_AUTH])
        if txn is not None:
            self.desk.send(Expire(txn.id, txn.tid))

    # ---- batches

    def _claim(self, tid: str) -> Totals:
        """Mostly what the host's books say; else one item more, or another amount, or nothing."""
        batch = self.desk.books.open_batch(tid)
        txns = self.desk.books.txns_of_batch(batch.id) if batch is not None else []
        profile = self.desk.profile
        own = family(profile.family).count(batch_items(txns, reversed_too=profile.reversed == "both"))
        first, change = own.sums[0], self.one_of("none", "none", "amount", "count", "empty")
        if change == "empty":
            return Totals()
        other = Sum(first.side, first.group, first.count + (change == "count"), first.amount + 100)
        return own if change == "none" else Totals((other, *own.sums[1:]))

    def the_terminal_settles(self) -> None:
        tid = self.one_of(*TIDS)
        number = self.desk.open_number(tid)
        old = [b.number for b in self.desk.rows(Batch) if b.tid == tid and b.state not in LIVE]
        changes: dict[str, Any] = {
            "batch": self.one_of(number, number, number, *old[-2:], f"{int(number) + 5:06d}"),
            "totals": self._claim(tid),
        }
        if self.scheme is not KeyScheme.WIRE_BATCH:
            changes["final"] = self.one_of(False, True)
        if self.scheme is KeyScheme.LOCAL_TIME:
            days = sorted({b.day or b.business_date for b in self.desk.rows(Batch) if b.tid == tid} - {""})
            changes |= {"batch": None, "day": self.one_of("", *days)[5:].replace("-", "")}
        self.send(Kind.SETTLE, tid, self.fresh(tid), **changes)

    def the_terminal_uploads(self) -> None:
        if self.scheme is KeyScheme.LOCAL_TIME:
            return
        tid = self.one_of(*TIDS)
        found = self.txns(FINANCIAL, tid)
        for _ in range(self.one_of(1, 2, 5)):
            ref, amount, kind = OriginalRef(stan=f"{self.fresh(tid):06d}"), 700, Kind.OFFLINE_SALE
            if found and self.random.random() < 0.75:
                of = self.random.choice(found)
                amount, kind = of.approved_amount + self.one_of(0, 0, 1), Kind(of.kind)
                ref = OriginalRef(stan=of.stan, batch=of.wire_batch, rrn=of.rrn, invoice=of.invoice)
                if self.scheme is KeyScheme.HOST_BATCH:
                    ref = self.one_of(replace(ref, batch=""), replace(ref, stan="", batch=""))
            self._upload(tid, UploadItem(ref, amount, kind, PANS[0], form=self.one_of(*UploadForm), reason="05"))

    def _upload(self, tid: str, item: UploadItem) -> None:
        kind, number = Kind.UPLOAD, self.desk.open_number(tid)
        if self.scheme is KeyScheme.HOST_BATCH:
            kind, number = self.one_of(Kind.UPLOAD, Kind.TC_UPLOAD), ""
            item = replace(item, form=UploadForm.TC if kind is Kind.TC_UPLOAD else UploadForm.GROUP)
        elif item.form is not UploadForm.GROUP:
            kind = Kind.UPLOAD if item.form is UploadForm.COPY else Kind.TC_UPLOAD
            number = item.ref.batch or number
        request = a_request(kind, self.desk.profile, tid=tid, stan=self.fresh(tid), items=(item,), batch=number or None)
        self.desk.submit(replace(request, item_hashes=(f"hash-of-{item.pan[-4:]}",)))

    def the_upload_ends(self) -> None:
        if self.scheme is KeyScheme.WIRE_BATCH:
            tid = self.one_of(*TIDS)
            self.send(Kind.UPLOAD_END, tid, self.fresh(tid), count=self.one_of(0, 1, 2, 3))

    def the_host_closes(self) -> None:
        """By hand, or because the day turns: just now, or long ago."""
        batches = self.desk.rows(Batch)
        if not batches:
            return
        batch = self.one_of(batches[-1], self.random.choice(batches))
        if self.one_of(True, False):
            self.desk.send(CloseBatch(batch.id, batch.tid, "by hand"))
            return
        day = self.desk.now.date().isoformat()
        self.desk.later(days=1)
        ended_at = self.one_of(self.desk.now, self.desk.now.replace(hour=0)).isoformat()
        self.desk.send(Cutover(batch.id, batch.tid, "cutoff", day=day, ended_at=ended_at))

    def the_terminal_signs_on(self) -> None:
        tid = self.one_of(*TIDS)
        if self.one_of(False, False, True):
            self.stan[tid] = 0
        self.send(Kind.SIGN_ON, tid, self.fresh(tid))

    def time_passes(self) -> None:
        self.desk.later(seconds=self.one_of(1, 60, 3_600))

    def step(self) -> str:
        acts: Sequence[Callable[[], None]] = (
            *[self.an_original] * 6,
            *[self.one_that_names_a_sale] * 6,
            *[self.one_that_names_a_preauth] * 4,
            *[self.a_reversal] * 4,
            *[self.one_comes_again_or_its_stan_does] * 2,
            self.a_reversal_overtakes_its_sale,
            *[self.the_issuer_timeout_passes] * 2,
            *[self.a_late_answer_comes] * 2,
            self.a_preauth_expires,
            *[self.the_terminal_settles] * 3,
            *[self.the_terminal_uploads] * 3,
            *[self.the_upload_ends] * 2,
            self.the_host_closes,
            self.the_terminal_signs_on,
            self.time_passes,
        )
        self.desk.bank.mode = self.one_of(*MOODS)
        act = self.one_of(*acts)
        act()
        self.desk.check_books()
        return act.__name__

    def end(self) -> None:
        """What waits is decided, what is owed is acknowledged, and the books are looked at."""
        self.desk.decide_waiting()
        self.desk.check()
        self.desk.store.close()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("capture", ["HC", "TC"])
@pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
def test_a_decision_from_what_is_loaded_is_the_one_from_all_the_books(
    profile: Profile, capture: str, group: int, seed: int
) -> None:
    till = Till(seed, profile, capture, group)
    for _ in range(STEPS):
        till.step()
    till.end()
