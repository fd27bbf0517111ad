"""Any order of originals of every kind, reversals, repeats, silences and late answers, in the three key schemes and in
both capture profiles: money is neither made nor lost, and nothing stays held that no row stands for.

The issuer here is a few lines of its own (tests.support.money), so its books are a second opinion: when everything that
is owed has been acknowledged, what the cardholders were debited is what the acquirer counts on and what the merchant is
owed, and what is held is the sum of the live holds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host.engine.events import Expire
from host.rows import Batch, BatchState, Leg, Txn, TxnState
from specs.operation import ADJUSTMENTS, DEBITS, FINANCIAL, RESERVATIONS, VOIDS, Kind, Operation, Outcome
from specs.profile import KeyScheme
from tests.support.engine import CUP, NAC
from tests.support.money import ISO87, MoneyDesk, a_desk

MOODS = st.sampled_from(["answers", "answers", "answers", "answers", "deaf", "late", "lost", "down"])
AMOUNTS = st.sampled_from([1_000, 5_000, 10_000, 10_000, 20_000])
ALONE = st.sampled_from([Kind.SALE, Kind.SALE, Kind.CASH_BACK, Kind.OFFLINE_SALE, Kind.PRE_AUTH, Kind.PRE_AUTH])
STANDS = (TxnState.CAPTURED, TxnState.AUTHORISED)


class Days(RuleBasedStateMachine):
    """One terminal. Rules mostly act on what is there: random numbers alone would nearly always name nothing."""

    @initialize(profile=st.sampled_from([CUP, NAC, ISO87]), capture=st.sampled_from(["HC", "TC"]))
    def begin(self, profile: object, capture: str) -> None:
        assert isinstance(profile, type(CUP))
        self.desk: MoneyDesk = a_desk(replace(profile, capture=capture))
        self.stan = 0
        self.answers: dict[Operation, Outcome] = {}
        self.undone: set[int] = set()

    def fresh(self) -> int:
        self.stan += 1
        return self.stan

    def all(self, *kinds: Kind) -> list[Txn]:
        return [t for t in self.desk.rows(Txn) if t.kind in kinds and t.state is not TxnState.TOMBSTONE]

    def pick(self, data: st.DataObject, *kinds: Kind) -> Txn:
        """Mostly one that stands, so that something comes of it."""
        found = self.all(*kinds)
        live = [t for t in found if t.state in STANDS]
        choose_live = bool(live) and data.draw(st.sampled_from([True, True, True, False]))
        return data.draw(st.sampled_from(live if choose_live else found))

    def send(self, kind: Kind, stan: int, amount: int, *, of: int = 0, **changes: Any) -> None:
        request = self.desk.message(kind, stan, amount, of=of, **changes)
        said = self.desk.send(request)
        row = self.desk.books.txn(self.desk.last.txn_id) if said else None
        if said is None or row is None or said.code in ("94", "22"):
            return
        if row.state in (TxnState.REVERSED, TxnState.TOMBSTONE):
            assert said.code == "12"
            return
        known = self.answers.setdefault(request.operation, said)
        assert (known.code, known.rrn, known.auth_code) == (said.code, said.rrn, said.auth_code)  # A3

    # ---- what happens

    @rule(kind=ALONE, amount=AMOUNTS, mode=MOODS)
    def an_original(self, kind: Kind, amount: int, mode: str) -> None:
        self.desk.bank.mode = mode
        self.send(kind, self.fresh(), amount)

    @precondition(lambda self: self.all(Kind.SALE, Kind.OFFLINE_SALE))
    @rule(data=st.data(), other=st.sampled_from([0, 0, 0, 1]))
    def one_comes_again_or_its_stan_does(self, data: st.DataObject, other: int) -> None:
        txn = self.pick(data, Kind.SALE, Kind.OFFLINE_SALE)
        changes: dict[str, Any] = {"batch": txn.wire_batch} if txn.wire_batch else {}
        self.send(Kind(txn.kind), int(txn.stan), txn.amount + other, **changes)

    @precondition(lambda self: self.all(*DEBITS, Kind.REFUND))
    @rule(data=st.data(), mode=MOODS)
    def a_void(self, data: st.DataObject, mode: str) -> None:
        self.desk.bank.mode = mode
        txn = self.pick(data, *DEBITS, Kind.REFUND)
        cup = self.desk.profile.family == "cup"
        of_completion = txn.kind in (Kind.COMPLETION, Kind.COMPLETION_ADVICE)
        kind = Kind.COMPLETION_VOID if cup and of_completion else Kind.VOID
        changes: dict[str, Any] = {"processing_code": "220000"} if txn.kind == Kind.REFUND and not cup else {}
        self.send(kind, self.fresh(), self.desk.final(txn).approved_amount or 1, of=int(txn.stan), **changes)

    @precondition(lambda self: self.all(*DEBITS))
    @rule(data=st.data(), amount=st.sampled_from([1, 2_000, 10_000]), mode=MOODS)
    def a_refund(self, data: st.DataObject, amount: int, mode: str) -> None:
        self.desk.bank.mode = mode
        txn = self.pick(data, *DEBITS)
        self.send(Kind.REFUND, self.fresh(), amount, of=int(txn.stan))

    @precondition(lambda self: self.all(*DEBITS))
    @rule(
        data=st.data(),
        more=st.sampled_from([1_000, 1_000, 0, -1]),
        kind=st.sampled_from([Kind.TIP, Kind.ADJUST]),
        mode=MOODS,
    )
    def a_tip(self, data: st.DataObject, more: int, kind: Kind, mode: str) -> None:
        self.desk.bank.mode = mode
        txn = self.pick(data, *DEBITS)
        self.send(kind, self.fresh(), max(1, self.desk.final(txn).approved_amount + more), of=int(txn.stan))

    @precondition(lambda self: self.all(Kind.PRE_AUTH))
    @rule(
        data=st.data(),
        kind=st.sampled_from(
            [Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.PRE_AUTH_VOID, Kind.PRE_AUTH_INCREMENT, Kind.OFFLINE_SALE]
        ),
        share=st.sampled_from([0, 0, 115, 116, 50]),
        mode=MOODS,
    )
    def something_of_a_preauth(self, data: st.DataObject, kind: Kind, share: int, mode: str) -> None:
        """share: percent of what is held, 0 = all."""
        self.desk.bank.mode = mode
        txn = self.pick(data, Kind.PRE_AUTH)
        amount = max(1, txn.held * (share or 100) // 100)
        if kind is Kind.OFFLINE_SALE:
            self.send(kind, self.fresh(), amount, auth_code=txn.auth_code)
        else:
            self.send(kind, self.fresh(), 1_000 if kind is Kind.PRE_AUTH_INCREMENT else amount, of=int(txn.stan))

    @precondition(lambda self: self.all(Kind.PRE_AUTH))
    @rule(data=st.data(), mode=MOODS)
    def a_preauth_expires(self, data: st.DataObject, mode: str) -> None:
        self.desk.bank.mode = mode
        txn = self.pick(data, Kind.PRE_AUTH)
        self.desk.send(Expire(txn.id, txn.tid))

    @precondition(lambda self: self.all(*FINANCIAL, *RESERVATIONS))
    @rule(data=st.data(), wrong=st.sampled_from([0, 0, 0, 0, 1]), mode=MOODS)
    def a_reversal(self, data: st.DataObject, wrong: int, mode: str) -> None:
        self.desk.bank.mode = mode
        txn = self.pick(data, *FINANCIAL, *RESERVATIONS)
        self.reverse(txn, wrong)

    def reverse(self, txn: Txn, wrong: int = 0) -> None:
        said = self.desk.undo(int(txn.stan), txn.amount + wrong)
        assert said in ("00", "12", "25")
        if said == "00":
            self.undone.add(self.desk.said[-1][0])
            self.answers = {k: v for k, v in self.answers.items() if int(k.stan) != int(txn.stan)}

    @precondition(lambda self: self.stan < 8)
    @rule(amount=AMOUNTS, comes=st.booleans())
    def a_reversal_overtakes_its_sale(self, amount: int, comes: bool) -> None:
        stan = self.fresh()
        request = self.desk.message(Kind.SALE, stan, amount)
        operation = request.operation
        ref = {"transmitted": operation.transmitted} if operation.transmitted else {}
        reversal = replace(operation, kind=Kind.REVERSAL, advice=False, **ref)
        self.desk.send(replace(request, operation=reversal))
        if comes:
            self.send(Kind.SALE, stan, amount)

    @rule()
    def the_issuer_timeout_passes(self) -> None:
        self.desk.later(seconds=21)
        self.desk.silence()

    @precondition(lambda self: self.desk.bank.late)
    @rule(data=st.data())
    def a_late_answer_comes(self, data: st.DataObject) -> None:
        late = self.desk.bank.late
        self.desk.send(late.pop(data.draw(st.integers(0, len(late) - 1))))

    @precondition(lambda self: self.desk.bank.late)
    @rule(data=st.data())
    def a_reversal_overtakes_the_issuer(self, data: st.DataObject) -> None:
        """What the issuer's word is about, or what that acts on, is reversed while the word is on its way."""
        late = self.desk.bank.late
        answer = late.pop(data.draw(st.integers(0, len(late) - 1)))
        txn = self.desk.books.txn(answer.txn_id)
        assert txn is not None
        self.reverse(self.desk.books.txn(txn.original_id) or txn)
        self.desk.send(answer)

    @precondition(lambda self: not any(g.state == "asking" for g in self.desk.rows(Leg)) and self.desk.rows(Batch))
    @rule(data=st.data())
    def the_batch_closes(self, data: st.DataObject) -> None:
        """TC: now and then the terminal has lost one of its items."""
        open_batches = [b for b in self.desk.rows(Batch) if b.state is BatchState.OPEN]
        items = [t for b in open_batches for t in self.desk.books.txns_of_batch(b.id)]
        items = [t for t in items if t.kind in FINANCIAL and t.state is TxnState.AUTHORISED and not t.replaced_by]
        lost = data.draw(st.lists(st.sampled_from(items), max_size=1)) if items else []
        self.desk.capture_all(*(int(t.stan) for t in lost))
        self.answers.clear()

    @rule()
    def everything_owed_is_acknowledged(self) -> None:
        self.desk.check()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.check()

    # ---- what always holds

    @invariant()
    def entries_sum_to_zero_and_the_merchant_is_owed_what_stands(self) -> None:
        self.desk.check_books()

    @invariant()
    def what_was_told_undone_stays_undone(self) -> None:
        assert {t.state for t in self.desk.rows(Txn) if t.id in self.undone} <= {TxnState.REVERSED}

    @invariant()
    def a_tombstoned_key_is_never_captured(self) -> None:
        """A4: in CUP nothing else ever stands under the key; else nothing of that type, amount and time."""
        for stone in (t for t in self.desk.rows(Txn) if t.state is TxnState.TOMBSTONE):
            same = [t for t in self.desk.books.txns_by_stan(stone.tid, stone.stan) if t.id > stone.id]
            if self.desk.profile.key_scheme is KeyScheme.WIRE_BATCH:
                assert [t for t in same if t.wire_batch == stone.wire_batch] == []
            else:
                assert [t for t in same if (t.processing_code, t.amount) == (stone.processing_code, stone.amount)] == []

    @invariant()
    def one_row_at_most_lives_under_a_key(self) -> None:
        keys = Counter((t.batch_id, t.stan) for t in self.desk.rows(Txn) if t.state in (*STANDS, TxnState.VOIDED))
        assert max(keys.values(), default=0) <= 1

    @invariant()
    def a_preauth_is_completed_once_and_within_its_limit(self) -> None:
        """A11. A completion void that is reversed after another completion is an alarm, and the one exception."""
        if "completed-twice" in self.desk.alarms():
            return
        done = Counter(t.original_id for t in self.live(Kind.COMPLETION, Kind.COMPLETION_ADVICE))
        assert max(done.values(), default=0) <= 1
        for txn_id in done:
            preauth = self.desk.books.txn(txn_id)
            assert preauth is not None
            assert preauth.state is TxnState.CAPTURED

    @invariant()
    def no_more_is_refunded_than_was_sold(self) -> None:
        """A11, but for a sale that was reversed after its refund (an alarm), or lost by a TC terminal."""
        refunded: Counter[int] = Counter()
        for refund in self.live(Kind.REFUND):
            refunded[refund.original_id] += refund.approved_amount
        for txn_id, amount in refunded.items():
            sale = self.desk.books.txn(txn_id)
            assert sale is not None
            if sale.state in STANDS:
                assert amount <= self.desk.final(sale).approved_amount

    @invariant()
    def what_is_voided_has_its_void(self) -> None:
        voids = {f"void:{t.id}" for t in self.live(*VOIDS, Kind.PRE_AUTH_VOID)}
        assert {t.undone_by for t in self.desk.rows(Txn) if t.state is TxnState.VOIDED} <= voids
        assert all(t.replaced_by == 0 or self.replaced(t) for t in self.desk.rows(Txn) if t.state in STANDS)

    def replaced(self, txn: Txn) -> bool:
        after = self.desk.books.txn(txn.replaced_by)
        if after is None or (after.kind in ADJUSTMENTS) == (txn.kind == Kind.PRE_AUTH):
            return False
        # A TC completion that the terminal lost was let go, hold and all: its pre-authorisation stays completed.
        let_go = txn.kind == Kind.PRE_AUTH and after.state is TxnState.EXPIRED
        return let_go or after.state in STANDS

    def live(self, *kinds: Kind) -> list[Txn]:
        return [t for t in self.all(*kinds) if t.state in STANDS]


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
