"""Advices: at the issuer at once; its no is the answer, its absence is not (rules.md, section 8; RH2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.events import IssuerAnswer
from host.rows import Posting, TxnState
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, NAC, TID, a_card, code
from tests.support.money import ISO87, MoneyDesk, a_desk

ALL = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
AWAY = pytest.mark.parametrize("away", ["down", "deaf", "lost"])


def offline(desk: MoneyDesk, stan: int, amount: int, away: str) -> str:
    """The answer to an offline sale; a silent issuer is waited for."""
    desk.bank.mode = away
    said = desk.do(Kind.OFFLINE_SALE, stan, amount)
    if said != "waits":
        return said
    desk.later(seconds=20)
    return desk.silence()[0].code


@ALL
def test_an_offline_sale_is_captured_at_once(profile: Profile) -> None:
    desk = a_desk(profile)
    assert desk.do(Kind.OFFLINE_SALE, 1, 10_000, auth_code="VOICE1") == "00"
    txn = desk.txn(1)
    assert (txn.state, txn.auth_code, txn.advice, desk.payable()) == (TxnState.CAPTURED, "VOICE1", True, 10_000)
    desk.check()


@ALL
def test_the_issuers_no_is_the_answer_and_stays_it(profile: Profile) -> None:
    desk = a_desk(profile)
    assert desk.do(Kind.OFFLINE_SALE, 1, 20_000) == "51"
    assert (desk.states(1), desk.rows(Posting)) == (["declined"], [])
    assert desk.do(Kind.OFFLINE_SALE, 1, 20_000) == "51"
    assert desk.do(Kind.OFFLINE_SALE, 2, 100, card=a_card(expiry="2602")) == "54"
    desk.check()


@ALL
def test_an_advice_is_approved_whole_or_not_at_all(profile: Profile) -> None:
    """The bank cuts 50.00 to 30.00, but the goods are gone: partial approval is not for what has happened."""
    desk = a_desk(profile)
    assert desk.do(Kind.OFFLINE_SALE, 1, 5_000) == "00"
    assert desk.payable() == 5_000


def test_a_chips_offline_sale_is_not_approved_in_part_though_it_is_a_request() -> None:
    """CUP 0200/36: the terminal takes only 00 for a stored item, and the card has had its goods."""
    desk = a_desk(CUP)
    assert desk.do(Kind.OFFLINE_SALE, 1, 5_000, advice=False) == "00"
    assert (desk.payable(), desk.asked[0].partial) == (5_000, False)


@AWAY
@ALL
def test_while_the_issuer_is_away_it_is_00_and_forwarded_later(profile: Profile, away: str) -> None:
    desk = a_desk(profile)
    assert offline(desk, 1, 10_000, away) == "00"
    assert (desk.states(1), desk.payable()) == (["captured"], 10_000)
    legs = [
        (g.number, g.purpose, g.amount, g.state)
        for g in sorted(desk.books.legs_of(desk.txn(1).id), key=lambda g: g.number)
    ]
    assert legs[1] == (2, "debit", 10_000, "owing")
    assert legs[0][3] == ("done" if away == "down" else "undoing")
    for _ in range(3):  # asked again and again, and nobody is told anything more
        assert desk.silence() == []
    desk.check()
    assert desk.bank.debited == 10_000
    assert desk.do(Kind.OFFLINE_SALE, 1, 10_000) == "00"


@AWAY
@ALL
def test_what_is_owed_is_not_refused_later(profile: Profile, away: str) -> None:
    """200.00 would be too much for the bank if it were asked: it has happened, so it is taken."""
    desk = a_desk(profile)
    assert offline(desk, 1, 20_000, away) == ("51" if away == "answers" else "00")
    desk.check()
    assert (desk.bank.debited, desk.alarms()) == (20_000, [])


def test_a_refusal_of_what_is_owed_is_an_alarm() -> None:
    desk = a_desk()
    offline(desk, 1, 100, "down")
    owed = next(a for a in desk.asked if a.leg.state == "owing")
    desk.send(IssuerAnswer(owed.leg.id, owed.leg.txn_id, "debit", False, 0, "stolen-card"))
    assert desk.alarms() == ["owed-leg-refused"]


@AWAY
@ALL
def test_a_completion_advice_while_the_issuer_is_away(profile: Profile, away: str) -> None:
    desk = a_desk(profile)
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    desk.bank.mode = away
    said = desk.do(Kind.COMPLETION_ADVICE, 2, 11_000, of=1)
    assert said == "00" if away == "down" else [o.code for o in desk.silence()][:1] == ["00"]
    assert (desk.states(1, 2), desk.txn(1).held) == (["captured", "captured"], 0)
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (11_000, 0)
    assert desk.undo(2) == "00"
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (0, 10_000)


@AWAY
def test_a_cup_refund_while_the_issuer_is_away(away: str) -> None:
    desk = a_desk(CUP)
    desk.do(Kind.SALE, 1, 10_000)
    desk.bank.mode = away
    said = desk.do(Kind.REFUND, 2, 4_000, of=1)
    assert said == "00" if away == "down" else [o.code for o in desk.silence()][:1] == ["00"]
    assert desk.payable() == 6_000
    desk.check()
    assert desk.bank.debited == 6_000


@AWAY
def test_a_preauth_as_advice_while_the_issuer_is_away(away: str) -> None:
    """ISO 87: 0120."""
    desk = a_desk(ISO87)
    desk.bank.mode = away
    said = desk.do(Kind.PRE_AUTH, 1, 10_000, advice=True)
    assert said == "00" if away == "down" else [o.code for o in desk.silence()][:1] == ["00"]
    assert desk.txn(1).held == 10_000
    desk.check()


@ALL
def test_a_request_while_the_issuer_is_away_is_refused(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.bank.mode = "down"
    assert desk.do(Kind.SALE, 1, 10_000) == "91"
    desk.check()


@ALL
def test_a_late_yes_to_an_advice_that_was_forwarded_does_not_debit_twice(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.bank.mode = "late"
    assert desk.do(Kind.OFFLINE_SALE, 1, 10_000) == "waits"
    assert [o.code for o in desk.silence()][:1] == ["00"]
    desk.check()
    assert desk.bank.debited == 10_000


@ALL
def test_an_advice_is_found_unfinished_after_a_restart(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.bank.mode = "deaf"
    desk.do(Kind.OFFLINE_SALE, 1, 10_000)
    assert [o.code for o in desk.silence(restart=True)][:1] == ["00"]
    desk.check()


@ALL
def test_an_owed_advice_is_reversed(profile: Profile) -> None:
    """Its 0420 may overtake it at the issuer."""
    desk = a_desk(profile)
    offline(desk, 1, 10_000, "down")
    assert desk.undo(1) == "00"
    desk.check()
    assert (desk.bank.debited, desk.payable()) == (0, 0)


def test_an_advice_of_a_closed_batch_is_carried() -> None:
    """RH6: it counts in the funding of the open batch and not in its comparison, and keeps its key."""
    desk = a_desk(CUP)
    desk.do(Kind.SALE, 1, 100)
    fresh = desk.close_batch()
    late = desk.message(Kind.OFFLINE_SALE, 2, 10_000, batch="000001")
    assert code(desk.send(late)) == "00"
    assert code(desk.send(late)) == "00"
    txn, batch = desk.txn(2), desk.books.open_batch(TID)
    assert batch is not None
    assert (txn.carried, txn.batch_id, batch.id, batch.running) == (True, fresh.id, fresh.id, "{}")
    assert desk.payable() == 10_100
    assert desk.do(Kind.TIP, 3, 11_000, of=2) == "00"
    assert (desk.txn(3).carried, desk.payable()) == (True, 11_100)
    desk.check()
    assert desk.undo(2) == "00"
    assert desk.payable() == 100
    desk.check()


def test_an_advice_that_was_answered_96_is_decided_again() -> None:
    desk = a_desk(CUP)
    desk.do(Kind.OFFLINE_SALE, 1, 20_000)
    desk.books.apply([replace(desk.txn(1), response_code="96", refusal="own-trouble")])
    assert desk.do(Kind.OFFLINE_SALE, 1, 20_000) == "51"
    assert len(desk.books.txns_by_stan(TID, "000001")) == 2
