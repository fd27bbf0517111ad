"""Deviations towards the issuer: what it is told, and what it is not told any more. Each beside the reference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.events import Expire
from host.issuer.link import FaultKind, LinkFault
from host.rows import IssuerAccount, Leg, Txn, TxnState
from specs.codes import Refusal
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, NAC, TID, Desk, approve, code, refuse, silent
from tests.support.host_engine import EngineHost
from tests.support.money import ISO87, a_desk

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
DOWN = refuse(Refusal.ISSUER_DOWN)


def told_to_the_issuer(desk: Desk) -> list[tuple[str, bool]]:
    """Every message over H>I: purpose of its leg, and whether it is a 0420."""
    return [(ask.leg.purpose, ask.undo) for ask in desk.asked]


# ---- transient-cached (case 25)


@BOTH
@pytest.mark.parametrize("away", ["down", "silent"])
def test_transient_cached_answers_an_advice_later_for_ever(profile: Profile, away: str) -> None:
    """FC 25: «H stores 91 as k's answer; T retries for ever»."""
    desk = Desk(profile, bugs=("transient-cached",))
    desk.issuer = silent if away == "silent" else DOWN
    first = desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=10_000))
    said = code(desk.silence()[0] if away == "silent" else first)
    assert said == ("98" if (profile, away) == (CUP, "silent") else "91")
    desk.issuer = approve  # back again
    for _ in range(3):
        assert code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=10_000))) == said
    assert (desk.txn(1).state, desk.txn(1).kind, desk.payable()) == (TxnState.DECLINED, Kind.OFFLINE_SALE, 0)
    assert desk.txn(1).advice


@BOTH
def test_the_reference_takes_an_advice_while_the_issuer_is_away(profile: Profile) -> None:
    desk = Desk(profile, issuer=DOWN)
    assert code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=10_000))) == "00"
    assert (desk.txn(1).state, desk.payable()) == (TxnState.CAPTURED, 10_000)


def test_transient_cached_leaves_requests_and_a_willing_issuer_alone() -> None:
    desk = Desk(bugs=("transient-cached",))
    assert code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=10_000))) == "00"
    desk.issuer = DOWN
    assert code(desk.sale(2)) == "91"


# ---- void-rev-release (case 55)


@BOTH
def test_void_rev_release_never_debits_again(profile: Profile) -> None:
    """FC 55: «rev of a void only "releases"»: the books have the sale again, the card has its money back."""
    desk = Desk(profile, bugs=("void-rev-release",))
    desk.sale(1)
    desk.void(2, of=1)
    assert code(desk.reverse(2, of=Kind.VOID)) == "00"
    assert (desk.txn(1).state, desk.payable()) == (TxnState.CAPTURED, 10_000)
    assert told_to_the_issuer(desk) == [("debit", False), ("credit", False)]


@BOTH
def test_the_reference_debits_again_when_a_void_is_reversed(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.void(2, of=1)
    assert code(desk.reverse(2, of=Kind.VOID)) == "00"
    assert told_to_the_issuer(desk) == [("debit", False), ("credit", False), ("debit-again", False)]


@pytest.mark.parametrize(("bugs", "undone"), [(("void-rev-release",), []), ((), [("credit", True)])])
def test_the_void_half_done_at_the_issuer(bugs: tuple[str, ...], undone: list[tuple[str, bool]]) -> None:
    """FC 55: the issuer has given the money back and says nothing; the host answers 98 and the sale stands."""
    desk = Desk(bugs=bugs)
    desk.sale(1)
    desk.issuer = silent
    desk.void(2, of=1)
    assert [o.code for o in desk.silence()] == ["98"]
    assert (desk.txn(1).state, desk.payable()) == (TxnState.CAPTURED, 10_000)
    assert told_to_the_issuer(desk)[2:] == undone
    desk.silence()
    assert told_to_the_issuer(desk)[2:] == undone * 2  # the reference asks until acked


def test_void_rev_release_still_undoes_a_sale() -> None:
    desk = Desk(bugs=("void-rev-release",))
    desk.sale(1)
    assert code(desk.reverse(1)) == "00"
    assert told_to_the_issuer(desk) == [("debit", False), ("debit", True)]


# ---- no-inflight (case 17)


@BOTH
@pytest.mark.parametrize(
    ("bugs", "undone", "owed"),
    [(("no-inflight",), [], 10_000), ((), [("debit", True)], 0)],
    ids=["deviant", "reference"],
)
def test_a_crash_while_the_issuer_says_yes(
    profile: Profile, bugs: tuple[str, ...], undone: list[tuple[str, bool]], owed: int
) -> None:
    """FC 17: «no in-flight log: CNS in pure form»: debited, unknown to the host; the terminal is done with it."""
    desk = a_desk(profile, bugs=bugs)
    desk.bank.mode = "lost"
    desk.sale(1)
    desk.restart()
    desk.silence(restart=True)
    assert told_to_the_issuer(desk)[1:] == undone
    assert code(desk.reverse(1)) == "12"
    assert (desk.payable(), desk.bank.debited) == (0, owed)
    assert all(g.state == "done" for g in desk.rows(Leg)) is bool(bugs)


def test_no_inflight_waits_like_the_reference_while_it_lives() -> None:
    desk = Desk(bugs=("no-inflight",), issuer=silent)
    desk.sale(1)
    desk.silence()
    assert told_to_the_issuer(desk) == [("debit", False), ("debit", True)]


# ---- gives-up (case 19)


@BOTH
@pytest.mark.parametrize(("bugs", "owed"), [(("gives-up",), 10_000), ((), 0)], ids=["deviant", "reference"])
def test_an_issuer_that_was_heard_by_nobody(profile: Profile, bugs: tuple[str, ...], owed: int) -> None:
    """FC 19: «H gives up: CNS»: the terminal has its no, the card stays debited."""
    desk = a_desk(profile, bugs=bugs)
    desk.bank.mode = "lost"
    desk.sale(1)
    asked = desk.asked[0]
    assert [o.code for o in desk.silence()] == ["98" if profile is CUP else "91"]
    desk.bank.mode = "answers"
    desk.silence()
    assert (desk.payable(), desk.bank.debited) == (0, owed)
    desk.answer(asked)  # its yes, at last
    assert (desk.txn(1).state, desk.payable(), desk.bank.debited) == (TxnState.DECLINED, 0, owed)


def test_gives_up_tells_the_issuer_of_a_reversal() -> None:
    desk = a_desk(bugs=("gives-up",))
    desk.sale(1)
    desk.reverse(1)
    assert desk.bank.debited == 0


# ---- late-captured (case 20)


@BOTH
@pytest.mark.parametrize(("bugs", "sold"), [(("late-captured",), 10_000), ((), 0)], ids=["deviant", "reference"])
def test_a_yes_that_comes_too_late(profile: Profile, bugs: tuple[str, ...], sold: int) -> None:
    """FC 20: «H captures: CNSale»: the shop said no, the card pays, the merchant has too much."""
    desk = a_desk(profile, bugs=bugs)
    desk.bank.mode = "late"
    desk.sale(1)
    desk.silence()
    desk.bank.mode = "answers"
    desk.send(desk.bank.late[0])
    assert (desk.payable(), desk.bank.debited) == (sold, sold)
    assert desk.txn(1).state is (TxnState.CAPTURED if bugs else TxnState.DECLINED)


@pytest.mark.parametrize(
    ("bugs", "money"),
    [(("late-captured",), (10_000, 10_000)), (("gives-up",), (0, 10_000)), ((), (0, 0))],
    ids=["late-captured", "gives-up", "reference"],
)
def test_a_late_yes_in_the_books_of_both(bugs: tuple[str, ...], money: tuple[int, int]) -> None:
    """A whole host and the issuer's own books: (what merchants are owed, what cards owe)."""
    host = EngineHost("sqlite://", bugs=bugs)
    host.faults.append(LinkFault(FaultKind.LATE, seconds=40))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    for _ in range(6):
        host.later(21)
    merchants, cards = (host.balance(*of) for of in (("acquirer", "merchant-payable"), ("issuer", "cardholder")))
    assert (-merchants, cards) == money


# ---- hold-stranded, hold-captured (case 57)

EACH = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])


@EACH
@pytest.mark.parametrize(
    ("bugs", "held", "debited", "state"),
    [
        ((), 0, 0, TxnState.EXPIRED),
        (("hold-stranded",), 12_000, 0, TxnState.EXPIRED),
        (("hold-captured",), 0, 12_000, TxnState.CAPTURED),
    ],
    ids=["reference", "hold-stranded", "hold-captured"],
)
def test_a_pre_authorisation_that_nobody_completes(
    profile: Profile, bugs: tuple[str, ...], held: int, debited: int, state: TxnState
) -> None:
    """FC 57: «hold stranded, or captured at expiry». What was added to it goes the same way."""
    desk = a_desk(profile, bugs=bugs)
    assert desk.do(Kind.PRE_AUTH, 1, 10_000) == "00"
    assert desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1) == "00"
    preauth = desk.txn(1)
    for _ in range(2):
        desk.send(Expire(preauth.id, TID))
    desk.heal()
    kept = desk.books.txn(preauth.id)
    assert kept is not None
    assert (desk.bank.held, desk.bank.debited, desk.payable()) == (held, debited, debited)
    assert (kept.state, kept.held) == (state, 0)
    desk.check_books()


def test_hold_captured_waits_for_the_settlement_where_that_captures() -> None:
    """TC: the completion holds what it draws on, and posts nothing yet."""
    desk = a_desk(replace(CUP, capture="TC"), bugs=("hold-captured",))
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    desk.send(Expire(desk.txn(1).id, TID))
    assert (desk.bank.held, desk.bank.debited, desk.payable()) == (10_000, 0, 0)
    desk.check()


@pytest.mark.parametrize("bug", ["hold-stranded", "hold-captured"])
def test_a_pre_authorisation_that_has_ended_does_not_expire(bug: str) -> None:
    desk = a_desk(bugs=(bug,))
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    desk.do(Kind.COMPLETION, 2, 10_000, of=1)
    desk.send(Expire(desk.txn(1).id, TID))
    assert (desk.bank.held, desk.bank.debited, desk.payable()) == (0, 10_000, 10_000)
    desk.check()


@EACH
@pytest.mark.parametrize(
    ("bugs", "money", "held"),
    [((), 0, 0), (("hold-stranded",), 0, 10_000), (("hold-captured",), 10_000, 0)],
    ids=["reference", "hold-stranded", "hold-captured"],
)
def test_an_expiry_in_a_whole_host(profile: Profile, bugs: tuple[str, ...], money: int, held: int) -> None:
    """With the store's guard against two of one key."""
    host = EngineHost("sqlite://", profile=profile, bugs=bugs)
    assert host.ask(Kind.PRE_AUTH, stan=1, amount=10_000) == ["00"]
    host.later(32 * 86_400)
    assert host.money() == (money, money)
    assert [account.held for account in host.rows(IssuerAccount)] == [held]
    assert len(host.rows(Txn)) == (2 if money else 1)
