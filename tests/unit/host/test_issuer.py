"""The issuer's books: each leg once, an undo that may come first, and a link that loses what it carries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from host.engine.context import Context, Ids, Settings
from host.engine.events import Ask, IssuerDecision
from host.engine.working import WorkingSet
from host.issuer.cards import index_test_cards
from host.issuer.decide import NOMINAL_BALANCE, CardData, Known, answer
from host.issuer.link import FaultKind, LinkFault
from host.pan_hash import pan_hash
from host.rows import IssuerAccount, IssuerLeg, Leg, Posting, TxnState
from specs.operation import Kind
from specs.profile import Profile
from specs.testcards import TestCard, load_test_cards
from tests.support.engine import CUP, NAC, a_card
from tests.support.host_engine import EngineHost

KEY = bytes(range(32))
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CARDS = {
    "plain": TestCard("plain", "6223164991230014", "3012", "credit", "CUP"),
    "debit": TestCard("debit", "6216261000000000018", "3012", "debit", "CUP", pin="123456", balance=10_000),
    "partial": TestCard("partial", "6250946000000016", "3012", "debit", "CUP", balance=3_000, partial=True),
    "expired": TestCard("expired", "6200000000000005", "2001", "credit", "CUP", expired=True),
    "stolen": TestCard("stolen", "6200000000000047", "3012", "credit", "CUP", stolen=True),
    "lost": TestCard("lost", "6243030000000001", "3012", "credit", "CUP", lost=True),
}
"""Cards of this test alone: what the shipped file says may change."""


class Issuer:
    """The issuer over a working set that keeps what it decided."""

    def __init__(self) -> None:
        self.ws = WorkingSet()
        self.ids = Ids()

    def ask(
        self, card: str, purpose: str = "debit", amount: int = 100, *, txn: int = 1, number: int = 1, **more: Any
    ) -> str:
        """ "" or "partial" when approved, else the refusal."""
        return self.decide(card, purpose, amount, txn=txn, number=number, **more).answer.refusal

    def undo(self, card: str, *, txn: int = 1, number: int = 1, purpose: str = "debit") -> IssuerDecision:
        return self.decide(card, purpose, 100, txn=txn, number=number, undo=True)

    def decide(
        self, card: str, purpose: str, amount: int, *, txn: int, number: int, undo: bool = False, pin: str = ""
    ) -> IssuerDecision:
        hashed = pan_hash(KEY, CARDS[card].pan if card in CARDS else card)
        leg = Leg(txn * 10 + number, txn, number, purpose, amount, "156", hashed, "asking", "", 0, "")
        context = Context(NOW, date(2026, 3, 2), Settings(), self.ids, lambda size: b"\x01" * size)
        return answer(
            self.ws,
            Ask(leg, undo, pin),
            CardData("622316******0014", "CUP"),
            Known(index_test_cards(KEY, CARDS)),
            context,
        )

    @property
    def owed(self) -> int:
        """What cardholders owe; its mirror image is what the issuer owes acquirers."""
        sums = {"cardholder": 0, "issuer-clearing": 0}
        for line in self.ws.all(Posting):
            assert line.book == "issuer"
            sums[line.account.partition(":")[0]] += line.amount
        assert sums["cardholder"] == -sums["issuer-clearing"] == sum(a.debited for a in self.ws.all(IssuerAccount))
        return sums["cardholder"]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.mark.parametrize(
    ("card", "amount", "said", "owed"),
    [
        ("plain", 99_999_999, "", 99_999_999),
        ("6212345678901265", 100, "", 100),
        ("debit", 10_000, "", 10_000),
        ("debit", 10_001, "funds", 0),
        ("partial", 3_000, "", 3_000),
        ("partial", 3_001, "partial", 3_000),
        ("expired", 100, "expired-card", 0),
        ("stolen", 100, "stolen-card", 0),
        ("lost", 100, "lost-card", 0),
    ],
    ids=[
        "no limit",
        "any card",
        "all it has",
        "more than it has",
        "partial: enough",
        "partial",
        "expired",
        "stolen",
        "lost",
    ],
)
def test_what_a_card_may_do(issuer: Issuer, card: str, amount: int, said: str, owed: int) -> None:
    assert issuer.ask(card, amount=amount) == said
    assert issuer.owed == owed


def test_a_card_with_nothing_left_is_not_partial(issuer: Issuer) -> None:
    issuer.ask("partial", amount=3_000)
    assert issuer.ask("partial", amount=1, txn=2) == "funds"


def test_a_leg_that_comes_twice_is_done_once(issuer: Issuer) -> None:
    """Rules 9: idempotent by (transaction, leg number); the repeat hears the same, funds or not."""
    first = issuer.decide("debit", "debit", 10_000, txn=1, number=1)
    again = issuer.decide("debit", "debit", 10_000, txn=1, number=1)
    assert again.answer == first.answer
    assert again.puts == ()
    assert issuer.owed == 10_000
    assert issuer.ask("debit", amount=1, txn=2) == "funds"
    assert issuer.ask("debit", amount=1, txn=2) == "funds"


def test_an_undo_is_done_once_and_acked_each_time(issuer: Issuer) -> None:
    issuer.ask("plain", amount=700)
    for _ in range(3):
        decision = issuer.undo("plain")
        assert (decision.answer.purpose, decision.answer.approved) == ("undo", True)
    assert issuer.owed == 0
    assert issuer.ask("plain", amount=700) == "do-not-honour"  # a leg that was undone stays undone
    assert issuer.owed == 0


def test_an_undo_that_comes_first_refuses_the_late_original(issuer: Issuer) -> None:
    """FC 6 at this link: the 0420 overtook the 0200."""
    assert issuer.undo("plain").answer.approved
    assert issuer.ask("plain") == "do-not-honour"
    assert issuer.owed == 0
    assert issuer.ask("plain", txn=2) == ""


def test_undoing_a_credit_debits_again_also_above_the_limit(issuer: Issuer) -> None:
    """FC 55: the undo of a void's leg must take the money back, whatever the card has spent since."""
    issuer.ask("debit", amount=10_000)
    issuer.ask("debit", "credit", 10_000, txn=2)
    assert issuer.owed == 0
    issuer.ask("debit", amount=9_000, txn=3)
    issuer.undo("debit", txn=2, purpose="credit")
    assert issuer.owed == 19_000


def test_debit_again_has_no_limit_check_and_can_be_undone(issuer: Issuer) -> None:
    issuer.ask("debit", amount=10_000)
    assert issuer.ask("debit", "debit-again", 5_000, number=2) == ""
    assert issuer.owed == 15_000
    issuer.undo("debit", number=2, purpose="debit-again")
    assert issuer.owed == 10_000


def test_the_undo_of_a_refused_leg_moves_nothing(issuer: Issuer) -> None:
    issuer.ask("debit", amount=99_999)
    issuer.undo("debit")
    assert issuer.owed == 0


def test_an_inquiry_shows_what_is_left_and_moves_nothing(issuer: Issuer) -> None:
    issuer.ask("debit", amount=4_000)
    assert issuer.decide("debit", "inquiry", 0, txn=2, number=1).answer.balance == 6_000
    assert issuer.decide("plain", "inquiry", 0, txn=3, number=1).answer.balance == NOMINAL_BALANCE
    assert issuer.owed == 4_000


def test_three_wrong_pins_block_the_card(issuer: Issuer) -> None:
    """55 three times, then 75 even for the right one (rules.md 8); no PIN entered is nothing to check."""
    assert issuer.ask("debit", txn=1, pin="123456") == ""
    assert [issuer.ask("debit", txn=n, pin="000000") for n in (2, 3)] == ["wrong-pin", "wrong-pin"]
    assert issuer.ask("debit", txn=4, pin="123456") == ""  # a right one starts the count again
    assert [issuer.ask("debit", txn=n, pin="000000") for n in (5, 6, 7, 8)] == ["wrong-pin"] * 3 + ["pin-tries"]
    assert issuer.ask("debit", txn=9, pin="123456") == "pin-tries"
    assert issuer.ask("debit", txn=10) == ""
    assert issuer.owed == 300


def test_a_repeated_wrong_pin_counts_once(issuer: Issuer) -> None:
    for _ in range(5):
        assert issuer.ask("debit", txn=1, pin="000000") == "wrong-pin"
    assert [a.pin_tries for a in issuer.ws.all(IssuerAccount)] == [1]


def test_no_clear_card_or_pin_is_kept(issuer: Issuer) -> None:
    issuer.ask("debit", pin="123456")
    kept = repr(issuer.ws.all(IssuerAccount)) + repr(issuer.ws.all(IssuerLeg)) + repr(issuer.ws.all(Posting))
    assert "6216261000000000018" not in kept
    assert "123456" not in kept.replace(pan_hash(KEY, "6216261000000000018"), "")
    assert "123456" not in repr(Ask(Leg(1, 1, 1, "debit", 1, "156", "h", "", "", 0, ""), False, "123456"))


# ---- the link, with the real engine behind it


@pytest.fixture
def host() -> Iterator[EngineHost]:
    opened = EngineHost("sqlite://")
    yield opened
    opened.store.close()


def test_silence_is_98_and_undone(host: EngineHost) -> None:
    """FC 19 without the issuer's half: it never heard of the leg, and acks the undo all the same."""
    host.faults.append(LinkFault(FaultKind.SILENT, on="ask"))
    assert host.ask(Kind.SALE, stan=1, amount=100) == []
    host.later(20)
    assert [o.code for _, o in host.heard if o] == ["98"]
    assert [leg.state for leg in host.rows(Leg)] == ["done"]
    assert host.money() == (0, 0)


def test_a_lost_answer_is_undone_at_the_issuer(host: EngineHost) -> None:
    """FC 19: the issuer has debited; the acquirer says 98 and owes a 0420."""
    host.faults.append(LinkFault(FaultKind.LOSE_AFTER_ISSUER, on="ask"))
    host.ask(Kind.SALE, stan=1, amount=100)
    assert host.balance("issuer", "cardholder") == 100
    host.later(20)
    assert host.money() == (0, 0)
    assert [leg.undone for leg in host.rows(IssuerLeg)] == [True]


def test_a_late_yes_is_never_captured(host: EngineHost) -> None:
    """FC 20: the yes reaches the host after the host has said 98."""
    host.faults.append(LinkFault(FaultKind.LATE, on="ask", seconds=25))
    host.ask(Kind.SALE, stan=1, amount=100)
    host.later(20)
    host.later(10)
    assert [o.code for _, o in host.heard if o] == ["98"]
    assert host.txn(1).state is TxnState.DECLINED
    assert host.money() == (0, 0)


def test_an_outage_is_91_at_once_and_owes_nothing(host: EngineHost) -> None:
    host.faults.append(LinkFault(FaultKind.OUTAGE))
    assert host.ask(Kind.SALE, stan=1, amount=100) == ["91"]
    assert host.rows(IssuerLeg) == []
    assert [leg.state for leg in host.rows(Leg)] == ["done"]


def test_an_undo_lives_through_an_outage(host: EngineHost) -> None:
    """RH7: until acked, with no count of tries."""
    host.faults.append(LinkFault(FaultKind.LOSE_AFTER_ISSUER, on="ask", times=1))
    host.ask(Kind.SALE, stan=1, amount=100)
    outage = LinkFault(FaultKind.OUTAGE)
    host.faults.append(outage)
    for _ in range(10):
        host.later(60)
    assert host.balance("issuer", "cardholder") == 100
    outage.times = 0
    host.later(61)
    assert host.money() == (0, 0)


def test_a_reversal_while_the_sale_is_at_the_issuer_is_00_and_the_yes_is_undone(host: EngineHost) -> None:
    """Rules 3, «still at the issuer»."""
    host.faults.append(LinkFault(FaultKind.LATE, on="ask", seconds=5))
    assert host.ask(Kind.SALE, stan=1, amount=100) == []
    assert host.ask(Kind.REVERSAL, stan=1, amount=100, processing_code="000000") == ["00"]
    host.later(5)
    assert [(r.operation.kind, o.code) for r, o in host.heard if o] == [(Kind.REVERSAL, "00"), (Kind.SALE, "12")]
    assert host.money() == (0, 0)


def test_a_fault_strikes_as_often_as_it_says(host: EngineHost) -> None:
    host.faults.append(LinkFault(FaultKind.OUTAGE, on="ask", times=2))
    codes = [host.ask(Kind.SALE, stan=n, amount=100) for n in (1, 2, 3)]
    assert codes == [["91"], ["91"], ["00"]]


@pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
def test_the_shipped_test_cards_answer_as_they_are_named(profile: Profile) -> None:
    host = EngineHost("sqlite://", profile=profile)
    cards = load_test_cards()
    codes = {}
    for stan, name in enumerate(("credit1", "nofunds", "stolen", "lost"), start=1):
        card = a_card(cards[name].pan, expiry=cards[name].expiry)
        codes[name] = host.ask(Kind.SALE, stan=stan, amount=100, card=card)
    assert codes == {"credit1": ["00"], "nofunds": ["51"], "stolen": ["43"], "lost": ["41"]}
    host.store.close()
