"""Holds at the issuer: what they lessen, what drops them, what is owed and so never refused (rules.md, section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from host.engine.context import Context, Ids, Settings
from host.engine.events import Ask, IssuerDecision
from host.engine.working import WorkingSet
from host.issuer.cards import index_test_cards
from host.issuer.decide import CardData, Known, answer
from host.issuer.link import FaultKind, LinkFault
from host.pan_hash import pan_hash
from host.rows import IssuerAccount, IssuerLeg, Leg, Posting, Txn
from specs.operation import Kind, OriginalRef
from specs.testcards import TestCard
from tests.support.host_engine import EngineHost

KEY = bytes(range(32))
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CARD = TestCard("debit", "6216261000000000018", "3012", "debit", "CUP", pin="123456", balance=10_000)
CUT = TestCard("partial", "6250946000000016", "3012", "debit", "CUP", balance=3_000, partial=True)
STOLEN = TestCard("stolen", "6200000000000047", "3012", "credit", "CUP", stolen=True)
CARDS = {card.name: card for card in (CARD, CUT, STOLEN)}


class Issuer:
    """The issuer over a working set that keeps what it decided; one leg a transaction."""

    def __init__(self, card: TestCard = CARD) -> None:
        self.ws = WorkingSet()
        self.ids = Ids()
        self.hash = pan_hash(KEY, card.pan)

    def leg(self, txn: int, purpose: str, amount: int, release: int = 0, state: str = "asking") -> Leg:
        return Leg(txn, txn, 1, purpose, amount, "156", self.hash, state, "", 0, "", release)

    def ask(
        self,
        txn: int,
        purpose: str,
        amount: int,
        release: int = 0,
        *,
        state: str = "asking",
        undo: bool = False,
        pin: str = "",
        partial: bool = True,
    ) -> IssuerDecision:
        context = Context(NOW, date(2026, 3, 2), Settings(), self.ids, lambda size: b"\x01" * size)
        ask = Ask(self.leg(txn, purpose, amount, release, state), undo, pin, partial)
        return answer(self.ws, ask, CardData("622316******0014", "CUP"), Known(index_test_cards(KEY, CARDS)), context)

    def said(self, txn: int, purpose: str, amount: int, release: int = 0, **more: object) -> str:
        return self.ask(txn, purpose, amount, release, **more).answer.refusal  # type: ignore[arg-type]

    @property
    def card(self) -> tuple[int, int]:
        """(debited, held); the entries must say the same of what is debited."""
        (account,) = self.ws.all(IssuerAccount)
        owed = sum(p.amount for p in self.ws.all(Posting) if p.account.startswith("cardholder"))
        assert sum(p.amount for p in self.ws.all(Posting)) == 0
        assert owed == account.debited
        return account.debited, account.held


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def test_a_hold_is_no_money_and_lessens_what_is_left(issuer: Issuer) -> None:
    assert issuer.said(1, "hold", 6_000) == ""
    assert (issuer.card, issuer.ws.all(Posting)) == ((0, 6_000), [])
    assert issuer.ask(2, "inquiry", 0).answer.balance == 4_000
    assert issuer.said(3, "debit", 4_001) == "funds"
    assert issuer.said(4, "hold", 4_001) == "funds"
    assert issuer.said(5, "debit", 4_000) == ""
    assert issuer.card == (4_000, 6_000)


def test_a_completion_draws_on_its_hold_and_is_not_refused_for_funds(issuer: Issuer) -> None:
    issuer.ask(1, "hold", 10_000)
    assert issuer.said(2, "debit", 11_500, 10_000) == ""
    assert issuer.card == (11_500, 0)


@pytest.mark.parametrize(
    ("purpose", "amount", "release", "after"),
    [
        ("release", 4_000, 0, (0, 0)),
        ("debit", 3_000, 4_000, (3_000, 0)),
        ("hold", 5_000, 4_000, (0, 5_000)),
        ("hold-again", 1_000, 0, (0, 5_000)),
        ("credit", 1_000, -2_000, (-1_000, 6_000)),
        ("debit-again", 3_000, 4_000, (3_000, 0)),
    ],
)
def test_an_undo_is_the_exact_inverse(
    issuer: Issuer, purpose: str, amount: int, release: int, after: tuple[int, int]
) -> None:
    issuer.ask(1, "hold", 4_000)
    assert issuer.said(2, purpose, amount, release) == ""
    assert issuer.card == after
    for _ in range(2):
        assert issuer.ask(2, purpose, amount, release, undo=True).answer.approved
    assert issuer.card == (0, 4_000)


@pytest.mark.parametrize("purpose", ["debit", "hold"])
def test_what_is_owed_is_never_refused(purpose: str) -> None:
    issuer = Issuer(STOLEN)
    assert issuer.said(1, purpose, 100) == "stolen-card"
    assert issuer.said(2, purpose, 99_999, state="owing") == ""
    assert sum(issuer.card) == 99_999


def test_an_owed_leg_that_comes_twice_is_done_once(issuer: Issuer) -> None:
    first = issuer.ask(1, "debit", 20_000, state="owing")
    again = issuer.ask(1, "debit", 20_000, state="owing")
    assert (again.answer, again.puts, issuer.card) == (first.answer, (), (20_000, 0))


def test_a_hold_may_be_cut_only_for_a_terminal_that_takes_it() -> None:
    issuer = Issuer(CUT)
    assert issuer.said(1, "hold", 5_000, partial=False) == "funds"
    decided = issuer.ask(2, "hold", 5_000)
    assert (decided.answer.refusal, decided.answer.approved_amount) == ("partial", 3_000)
    assert issuer.card == (0, 3_000)
    assert [leg.released for leg in issuer.ws.all(IssuerLeg)] == [0, 0]


def test_the_card_comes_before_the_pin_and_the_pin_before_the_funds(issuer: Issuer) -> None:
    assert issuer.said(1, "hold", 99_999, pin="000000") == "wrong-pin"
    assert issuer.said(2, "hold", 99_999, pin="123456") == "funds"
    stolen = Issuer(STOLEN)
    assert stolen.said(1, "hold", 100, pin="000000") == "stolen-card"


def test_a_refused_leg_releases_nothing(issuer: Issuer) -> None:
    issuer.ask(1, "hold", 4_000)
    for txn in (2, 3, 4):
        issuer.ask(txn, "debit", 100, pin="000000")
    assert issuer.said(5, "debit", 100, 4_000, pin="123456") == "pin-tries"
    assert issuer.card == (0, 4_000)
    issuer.ask(5, "debit", 100, 4_000, undo=True)
    assert issuer.card == (0, 4_000)


def test_a_release_that_overtakes_an_owed_hold_comes_out_even(issuer: Issuer) -> None:
    issuer.ask(2, "release", 4_000)
    assert issuer.ask(3, "inquiry", 0).answer.balance == 10_000
    issuer.ask(1, "hold", 4_000, state="owing")
    assert issuer.card == (0, 0)


# ---- the link and the store, with the real engine behind them


@pytest.fixture
def host() -> Iterator[EngineHost]:
    opened = EngineHost("sqlite://")
    yield opened
    opened.store.close()


def held(host: EngineHost) -> int:
    """What the issuer holds; the rows must say the same."""
    found = sum(a.held for a in host.rows(IssuerAccount))
    assert found == sum(t.held for t in host.rows(Txn))
    return found


def test_a_preauth_and_its_completion_through_the_store(host: EngineHost) -> None:
    assert host.ask(Kind.PRE_AUTH, stan=1, amount=10_000) == ["00"]
    code = OriginalRef(auth_code=host.txn(1).auth_code)
    assert host.ask(Kind.PRE_AUTH_INCREMENT, stan=2, amount=1_000, original=code) == ["00"]
    assert held(host) == 11_000
    assert host.ask(Kind.COMPLETION, stan=3, amount=12_000, original=code) == ["00"]
    assert (host.money(), held(host)) == ((12_000, 12_000), 0)
    ref = OriginalRef(stan="000003", batch="000001")
    assert host.ask(Kind.COMPLETION_VOID, stan=4, amount=12_000, original=ref) == ["00"]
    assert (host.money(), held(host)) == ((0, 0), 11_000)
    assert host.ask(Kind.REVERSAL, stan=4, amount=12_000) == ["00"]
    assert (host.money(), held(host)) == ((12_000, 12_000), 0)
    assert host.ask(Kind.REVERSAL, stan=3, amount=12_000) == ["00"]
    assert (host.money(), held(host)) == ((0, 0), 11_000)
    assert host.ask(Kind.PRE_AUTH_VOID, stan=5, amount=11_000, original=code) == ["00"]
    assert held(host) == 0


def test_an_advice_and_a_tip_live_through_an_outage_and_a_crash(host: EngineHost) -> None:
    outage = LinkFault(FaultKind.OUTAGE)
    host.faults.append(outage)
    assert host.ask(Kind.OFFLINE_SALE, stan=1, amount=10_000) == ["00"]
    ref = OriginalRef(stan="000001", batch="000001")
    assert host.ask(Kind.TIP, stan=2, amount=11_000, original=ref) == ["00"]
    for _ in range(5):
        host.later(60)
    assert (host.balance("acquirer", "issuer-clearing"), host.rows(IssuerLeg)) == (11_000, [])
    outage.times = 0
    host.later(61)
    assert host.money() == (11_000, 11_000)


def test_a_lost_answer_to_an_advice_is_forwarded_once(host: EngineHost) -> None:
    host.faults.append(LinkFault(FaultKind.LOSE_AFTER_ISSUER, on="ask", times=1))
    assert host.ask(Kind.OFFLINE_SALE, stan=1, amount=10_000) == []
    host.later(20)
    assert [o.code for _, o in host.heard if o] == ["00"]
    assert host.money() == (10_000, 10_000)


def test_refunds_and_tips_through_the_store(host: EngineHost) -> None:
    assert host.ask(Kind.SALE, stan=1, amount=10_000) == ["00"]
    sale = OriginalRef(stan="000001", batch="000001", date="0302")
    assert host.ask(Kind.TIP, stan=2, amount=11_000, original=sale) == ["00"]
    assert host.ask(Kind.REFUND, stan=3, amount=5_000, original=sale, advice=True) == ["00"]
    assert host.ask(Kind.REFUND, stan=4, amount=6_001, original=sale, advice=True) == ["64"]
    assert host.money() == (6_000, 6_000)
    assert host.ask(Kind.REVERSAL, stan=1, amount=10_000) == ["00"]
    assert host.money() == (-5_000, -5_000)
