"""Deviations in corrections, and in what a number names: voids, refunds, completions, twins. Beside the reference."""

from __future__ import annotations

import json

import pytest

from host.rows import Batch, Txn, TxnState
from specs.operation import Kind, OriginalRef, Verdict
from specs.profile import Profile
from tests.support.books import cup_totals, nac_totals
from tests.support.engine import CUP, NAC, a_card, code
from tests.support.host_engine import EngineHost
from tests.support.money import ISO87, MoneyDesk, a_desk

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
ALL = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
OTHER_CARD = a_card("4761340000000019")


# ---- twin-replay (case 47)


@BOTH
@pytest.mark.parametrize(("bugs", "said"), [(("twin-replay",), "00"), ((), "94")], ids=["deviant", "reference"])
def test_the_other_unit_s_answer(profile: Profile, bugs: tuple[str, ...], said: str) -> None:
    """FC 47: «stored reply of the other unit's sale given: SNF»: goods for a card that was never asked."""
    desk = a_desk(profile, bugs=bugs)
    desk.sale(1)
    twin = desk.sale(1, card=OTHER_CARD)
    assert twin is not None
    assert (twin.code, twin.rrn == desk.txn(1).rrn) == (said, bool(bugs))
    assert (desk.payable(), len(desk.rows(Txn))) == (10_000, 1)


def test_twin_replay_refuses_what_was_reversed() -> None:
    desk = a_desk(bugs=("twin-replay",))
    desk.sale(1)
    desk.reverse(1)
    assert code(desk.sale(1)) == "12"


# ---- overwrites-key (case 49)


@BOTH
def test_overwrites_key_loses_the_earlier_sale(profile: Profile) -> None:
    """FC 49: «H replays or overwrites: SNF, CNSale»: the first card has paid, the merchant has the second sale only."""
    desk = a_desk(profile, bugs=("overwrites-key",))
    desk.sale(1)
    assert code(desk.sale(1, 6_000)) == "00"
    assert [(t.state, t.amount) for t in desk.rows(Txn)] == [("reversed", 10_000), ("captured", 6_000)]
    assert (desk.payable(), desk.bank.debited) == (6_000, 16_000)
    desk.check_running()
    assert code(desk.sale(1, 6_000)) == "00"  # its own repeat is a replay
    assert len(desk.rows(Txn)) == 2
    honest = a_desk(profile)
    honest.sale(1)
    assert (code(honest.sale(1, 6_000)), honest.payable(), honest.bank.debited) == ("94", 10_000, 10_000)


@BOTH
def test_overwrites_key_has_nothing_to_lose_of_a_reversed_sale(profile: Profile) -> None:
    desk = a_desk(profile, bugs=("overwrites-key",))
    desk.sale(1)
    desk.reverse(1)
    assert code(desk.sale(1, 6_000)) == "00"
    assert (desk.payable(), desk.bank.debited) == (6_000, 6_000)


@BOTH
def test_overwrites_key_passes_the_store_that_forbids_two_of_one_key(profile: Profile) -> None:
    host = EngineHost("sqlite://", profile=profile, bugs=("overwrites-key",))
    assert host.ask(Kind.SALE, stan=1, amount=10_000) == ["00"]
    assert host.ask(Kind.SALE, stan=1, amount=6_000) == ["00"]
    assert [(t.state, t.amount) for t in host.rows(Txn)] == [("reversed", 10_000), ("captured", 6_000)]


# ---- void-by-batch-ref (case 53)


@ALL
@pytest.mark.parametrize(
    ("bugs", "said", "hit"),
    [(("void-by-batch-ref",), "00", "voided"), ((), "12", "captured")],
    ids=["deviant", "reference"],
)
def test_a_void_of_a_settled_sale(profile: Profile, bugs: tuple[str, ...], said: str, hit: str) -> None:
    """FC 53: «void matched by batch reference hits another sale: AMT»: 100.00 is voided, 60.00 goes back."""
    desk = a_desk(profile, bugs=bugs)
    desk.do(Kind.SALE, 1, 10_000)
    desk.close_batch()
    desk.do(Kind.SALE, 2, 6_000)
    desk.do(Kind.SALE, 3, 1_000)
    outcome = desk.outcome(Kind.VOID, 4, 10_000, of=1)
    assert outcome is not None
    assert (outcome.code, outcome.amount) == (said, None)  # the answer repeats what was asked
    assert desk.states(1, 2, 3) == ["captured", hit, "captured"]
    desk.check()


def test_void_by_batch_ref_of_the_open_batch_is_the_one_that_is_meant() -> None:
    desk = a_desk(bugs=("void-by-batch-ref",))
    desk.do(Kind.SALE, 1, 10_000)
    desk.do(Kind.SALE, 2, 6_000)
    assert desk.do(Kind.VOID, 3, 10_000, of=1) == "00"
    assert desk.states(1, 2) == ["voided", "captured"]


# ---- refund-unlimited (case 56)


def refunds(profile: Profile, *bugs: str) -> tuple[MoneyDesk, list[str]]:
    """A sale of 100.00; refunds of it: 100.00, 100.00 once more, and one of 300.00."""
    desk = a_desk(profile, bugs=bugs)
    desk.do(Kind.SALE, 1, 10_000)
    return desk, [desk.do(Kind.REFUND, stan, amount, of=1) for stan, amount in ((2, 10_000), (3, 10_000), (4, 30_000))]


@ALL
def test_refund_unlimited_gives_back_more_than_was_sold(profile: Profile) -> None:
    """FC 56: «refund twice: M loses»."""
    desk, said = refunds(profile, "refund-unlimited")
    assert said == ["00"] * 3
    assert desk.payable() == -40_000
    assert [t.original_id for t in desk.rows(Txn)][1:] == [1, 1, 1]
    desk.check()
    _, honest = refunds(profile)
    assert honest == ["00", "64", "64"]


@ALL
@pytest.mark.parametrize(("bugs", "said"), [(("refund-unlimited",), "00"), ((), "25")], ids=["deviant", "reference"])
def test_a_refund_without_its_sale(profile: Profile, bugs: tuple[str, ...], said: str) -> None:
    desk = a_desk(profile, bugs=bugs)
    desk.do(Kind.SALE, 1, 10_000)
    nothing = OriginalRef(stan="000077", batch="000001", rrn="999999999999", date="0302")
    assert desk.do(Kind.REFUND, 2, 1_000, original=nothing) == said
    desk.check()


@pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])
def test_refund_unlimited_gives_to_a_card_that_has_bought_nothing(profile: Profile) -> None:
    desk = a_desk(profile, bugs=("refund-unlimited",))
    assert desk.do(Kind.REFUND, 1, 1_000, original=OriginalRef(rrn="999999999999")) == "00"
    assert desk.payable() == -1_000
    desk.check()


def test_refund_unlimited_replays_a_repeat() -> None:
    desk = a_desk(bugs=("refund-unlimited",))
    desk.do(Kind.SALE, 1, 10_000)
    assert [desk.do(Kind.REFUND, 2, 1_000, of=1) for _ in range(2)] == ["00", "00"]
    assert desk.payable() == 9_000


# ---- over-completion (case 58)


@ALL
@pytest.mark.parametrize("how", [Kind.COMPLETION, Kind.COMPLETION_ADVICE], ids=["request", "advice"])
@pytest.mark.parametrize(("bugs", "said"), [(("over-completion",), "00"), ((), "61")], ids=["deviant", "reference"])
def test_a_completion_of_three_times_what_is_held(
    profile: Profile, how: Kind, bugs: tuple[str, ...], said: str
) -> None:
    """FC 58: «accepted: AMT dispute»; the limit is 115 %."""
    desk = a_desk(profile, bugs=bugs)
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    assert desk.do(how, 2, 30_000, of=1) == said
    assert desk.payable() == (30_000 if bugs else 0)
    assert desk.txn(1).state is (TxnState.CAPTURED if bugs else TxnState.AUTHORISED)
    desk.check()


# ---- void-rev-uncounted (case 54)


@BOTH
@pytest.mark.parametrize(
    ("bugs", "running", "agrees"),
    [(("void-rev-uncounted",), {"sale": [2, 16_000], "void": [1, 10_000]}, False), ((), {"sale": [2, 16_000]}, True)],
    ids=["deviant", "reference"],
)
def test_a_void_that_was_reversed(
    profile: Profile, bugs: tuple[str, ...], running: dict[str, list[int]], agrees: bool
) -> None:
    """FC A8: «running totals = totals recomputed from items»: the sale lives again, the totals go on with its void."""
    desk = a_desk(profile, bugs=bugs)
    desk.do(Kind.SALE, 1, 10_000)
    desk.do(Kind.VOID, 2, 10_000, of=1)
    assert desk.undo(2) == "00"
    desk.do(Kind.SALE, 3, 6_000)
    assert desk.states(1, 2) == ["captured", "reversed"]
    assert (desk.payable(), desk.bank.debited) == (16_000, 16_000)
    (batch,) = desk.rows(Batch)
    assert json.loads(batch.running) == running
    totals = cup_totals((2, 16_000)) if profile is CUP else nac_totals((2, 16_000))
    said = desk.send(desk.request(Kind.SETTLE, stan=90, totals=totals, batch="000001"))
    assert said is not None
    assert (said.verdict is Verdict.AGREED) is agrees
    assert desk.states(1, 2) == ["captured", "reversed"]
    assert desk.txn(1).settlement == ("settled" if agrees else "open")


def test_void_rev_uncounted_agrees_with_a_terminal_of_the_same_mistake() -> None:
    """And the sale, which stands at the issuer and in the ledger, is settled with its batch."""
    desk = a_desk(NAC, bugs=("void-rev-uncounted",))
    desk.do(Kind.SALE, 1, 10_000)
    desk.do(Kind.VOID, 2, 10_000, of=1)
    desk.undo(2)
    desk.do(Kind.SALE, 3, 6_000)
    said = desk.send(desk.request(Kind.SETTLE, stan=90, totals=nac_totals((1, 6_000)), batch="000001"))
    assert said is not None
    assert said.verdict is Verdict.AGREED
    assert [(str(t.state), t.settlement) for t in desk.rows(Txn) if t.kind is Kind.SALE] == [
        ("captured", "settled")
    ] * 2
    assert desk.states(2) == ["reversed"]


@BOTH
def test_void_rev_uncounted_still_counts_what_is_voided_or_reversed(profile: Profile) -> None:
    desk = a_desk(profile, bugs=("void-rev-uncounted",))
    desk.do(Kind.SALE, 1, 10_000)
    desk.do(Kind.SALE, 2, 6_000)
    desk.undo(1)
    desk.do(Kind.VOID, 3, 6_000, of=2)
    desk.check()
