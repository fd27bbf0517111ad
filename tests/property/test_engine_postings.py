"""Any order of sales, voids, reversals, repeats, silences and late answers: money is neither made nor lost.

The issuer here is a few lines of its own, so its books are a second opinion: when everything that is owed has been
acknowledged, what the cardholders were debited is what the acquirer counts on and what the merchant is owed.
"""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host.engine.events import Ask, IssuerAnswer
from host.rows import Batch, BatchState, Leg, Posting, Txn, TxnState
from specs.operation import Kind, Operation, Outcome
from specs.profile import Profile
from tests.support.engine import CUP, NAC, Desk, code

AMOUNTS = st.sampled_from([1, 5_000, 10_000])
MOODS = st.sampled_from(["answers", "answers", "answers", "deaf", "late", "lost"])
"""Of the issuer at one message: deaf never gets it, late answers some time after, lost acts and is not heard."""
LIMIT = 10_000
"""Of a sale: the issuer refuses more than this and approves 5,000 in part."""


class Issuer:
    """Legs by (transaction, number): what each debited; an undone one is worth nothing for ever."""

    def __init__(self) -> None:
        self.debited: dict[tuple[int, int], int] = {}
        self.undone: set[tuple[int, int]] = set()

    def act(self, ask: Ask) -> IssuerAnswer:
        leg = ask.leg
        key = (leg.txn_id, leg.number)
        if ask.undo:
            self.undone.add(key)
            return IssuerAnswer(leg.id, leg.txn_id, "undo", True, 0, "")
        if key in self.undone:
            return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, False, 0, "do-not-honour")
        sign = -1 if leg.purpose == "credit" else 1
        approved = 3_000 if leg.purpose == "debit" and leg.amount == 5_000 else leg.amount
        if leg.purpose == "debit" and leg.amount >= LIMIT * 2:
            return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, False, 0, "funds")
        self.debited[key] = sign * approved
        return IssuerAnswer(leg.id, leg.txn_id, leg.purpose, True, approved, "")

    @property
    def net(self) -> int:
        return sum(amount for key, amount in self.debited.items() if key not in self.undone)


class Days(RuleBasedStateMachine):
    """One terminal. Rules mostly act on what is there: random numbers alone would nearly always name nothing."""

    @initialize(profile=st.sampled_from([CUP, NAC]))
    def begin(self, profile: Profile) -> None:
        self.bank = Issuer()
        self.stan = 0
        self.late: list[IssuerAnswer] = []
        self.mode = "answers"
        self.desk = Desk(profile, issuer=self.hear)
        self.answers: dict[Operation, Outcome] = {}
        self.undone: set[int] = set()

    def hear(self, ask: Ask) -> IssuerAnswer | None:
        if self.mode == "deaf":
            return None
        answer = self.bank.act(ask)
        if self.mode == "late":
            self.late.append(answer)
        return answer if self.mode == "answers" else None

    def sales(self) -> list[Txn]:
        return [t for t in self.desk.rows(Txn) if t.kind == "sale"]

    def originals(self) -> list[Txn]:
        return [t for t in self.desk.rows(Txn) if t.kind in ("sale", "void")]

    @property
    def number(self) -> str | None:
        if self.desk.profile is NAC:
            return None
        batch = next((b for b in self.desk.rows(Batch) if b.state is BatchState.OPEN), None)
        return batch.number if batch else "000001"

    # ---- what happens

    def fresh_stan(self) -> int:
        self.stan += 1
        return self.stan

    @rule(amount=st.sampled_from([1, 5_000, 10_000, 20_000]), mode=MOODS)
    def a_sale(self, amount: int, mode: str) -> None:
        self.mode = mode
        self.sell(self.fresh_stan(), amount)

    @precondition(lambda self: self.sales())
    @rule(data=st.data(), other=st.sampled_from([0, 0, 0, 1]))
    def a_sale_comes_again_or_its_stan_does(self, data: st.DataObject, other: int) -> None:
        sale = data.draw(st.sampled_from(self.sales()))
        self.sell(int(sale.stan), sale.amount + other)

    def sell(self, stan: int, amount: int) -> None:
        request = self.desk.request(Kind.SALE, stan=stan, amount=amount, batch=self.number)
        said = self.desk.send(request)
        row = self.desk.books.txn(self.desk.last.txn_id) if said else None
        if said is None or row is None or said.code in ("94", "22"):
            return
        if row.state in (TxnState.REVERSED, TxnState.TOMBSTONE):
            assert said.code == "12"
            return
        known = self.answers.setdefault(request.operation, said)
        assert (known.code, known.rrn, known.auth_code) == (said.code, said.rrn, said.auth_code)  # A3

    @precondition(lambda self: self.sales())
    @rule(data=st.data(), mode=MOODS)
    def a_void(self, data: st.DataObject, mode: str) -> None:
        self.mode = mode
        sale = data.draw(st.sampled_from(self.sales()))
        changes = {"batch": self.number} if self.number else {}
        self.desk.void(self.fresh_stan(), int(sale.stan), sale.approved_amount or 1, **changes)

    @precondition(lambda self: self.originals())
    @rule(data=st.data(), wrong=st.sampled_from([0, 0, 0, 0, 1]), mode=MOODS)
    def a_reversal_of_something_known(self, data: st.DataObject, wrong: int, mode: str) -> None:
        self.mode = mode
        txn = data.draw(st.sampled_from(self.originals()))
        self.reverse(int(txn.stan), txn.amount + wrong, Kind(txn.kind), txn.wire_batch or None)

    @rule(amount=AMOUNTS, comes=st.booleans())
    def a_reversal_overtakes_its_sale(self, amount: int, comes: bool) -> None:
        stan = self.fresh_stan()
        self.reverse(stan, amount, Kind.SALE, self.number)
        if comes:
            self.sell(stan, amount)

    def reverse(self, stan: int, amount: int, of: Kind, number: str | None) -> None:
        said = self.desk.reverse(stan, amount, of, batch=number)
        assert code(said) in ("00", "12", "25")
        if code(said) == "00":
            self.undone.add(self.desk.said[-1][0])
            self.answers = {k: v for k, v in self.answers.items() if int(k.stan) != stan}

    @rule()
    def the_issuer_timeout_passes(self) -> None:
        self.desk.later(seconds=21)
        self.desk.silence()

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_late_answer_comes(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.late) - 1))
        self.desk.send(self.late.pop(at))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_reversal_overtakes_the_issuer(self, data: st.DataObject) -> None:
        """The sale (or the sale that a void is for) is reversed while the issuer's word is on its way."""
        answer = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        txn = self.desk.books.txn(answer.txn_id)
        assert txn is not None
        sale = self.desk.books.txn(txn.original_id) or txn
        self.reverse(int(sale.stan), sale.amount, Kind(sale.kind), sale.wire_batch or None)
        self.desk.send(answer)

    @precondition(lambda self: not any(g.state == "asking" for g in self.desk.rows(Leg)) and self.desk.rows(Batch))
    @rule()
    def the_batch_closes(self) -> None:
        if any(t.state is TxnState.PENDING for t in self.desk.rows(Txn)):
            return
        self.desk.close_batch()
        self.answers.clear()

    @rule()
    def everything_owed_is_acknowledged(self) -> None:
        self.heal()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.heal()

    def heal(self) -> None:
        """The issuer answers, late words arrive, and what is unfinished is asked until it is done."""
        self.mode = "answers"
        while self.late:
            self.desk.send(self.late.pop())
        for _ in range(4):
            self.desk.silence()
        assert all(g.state == "done" for g in self.desk.rows(Leg))
        assert self.bank.net == self.desk.balance("issuer-clearing") == self.live_sales()

    # ---- what always holds

    def live_sales(self) -> int:
        return sum(t.approved_amount for t in self.desk.rows(Txn) if t.kind == "sale" and t.state is TxnState.CAPTURED)

    @invariant()
    def every_entry_sums_to_zero(self) -> None:
        sums: Counter[int] = Counter()
        for line in self.desk.rows(Posting):
            sums[line.entry_id] += line.amount
        assert set(sums.values()) <= {0}

    @invariant()
    def the_merchant_is_owed_the_sales_that_live(self) -> None:
        assert self.desk.payable() == self.live_sales()

    @invariant()
    def what_was_told_undone_stays_undone(self) -> None:
        assert {t.state for t in self.desk.rows(Txn) if t.id in self.undone} <= {TxnState.REVERSED}

    @invariant()
    def a_tombstoned_key_is_never_captured(self) -> None:
        """A4: in CUP nothing else ever stands under the key; in NAC nothing of that type and amount in its day."""
        for stone in (t for t in self.desk.rows(Txn) if t.state is TxnState.TOMBSTONE):
            same = [t for t in self.desk.books.txns_by_stan(stone.tid, stone.stan) if t.id > stone.id]
            if self.desk.profile is CUP:
                assert [t for t in same if t.wire_batch == stone.wire_batch] == []
            else:
                assert [t for t in same if (t.processing_code, t.amount) == (stone.processing_code, stone.amount)] == []

    @invariant()
    def running_totals_are_those_of_the_items(self) -> None:
        """A8, recomputed from the rows alone; a closed batch keeps what it closed with."""
        for batch in (b for b in self.desk.rows(Batch) if b.state is BatchState.OPEN):
            sums: dict[str, list[int]] = {}
            for txn in self.desk.books.txns_of_batch(batch.id):
                if txn.kind in ("sale", "void") and txn.state in (TxnState.CAPTURED, TxnState.VOIDED):
                    one = sums.setdefault(txn.kind, [0, 0])
                    one[0] += 1
                    one[1] += txn.approved_amount
            assert json.loads(batch.running) == sums

    @invariant()
    def one_row_at_most_lives_under_a_key(self) -> None:
        keys = Counter(
            (t.batch_id, t.stan) for t in self.desk.rows(Txn) if t.state in (TxnState.CAPTURED, TxnState.VOIDED)
        )
        assert max(keys.values(), default=0) <= 1


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
