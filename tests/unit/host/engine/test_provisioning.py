"""Who may speak, auto and strict; and how a re-flashed terminal shows (rules.md, sections 4 and 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.context import Settings
from host.engine.provisioning import newest_stan, starts_again
from host.rows import Merchant, Terminal
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, MID, NAC, TID, Desk, code

STRICT = Settings(provisioning="strict")


def test_auto_makes_merchant_and_terminal_with_the_documented_test_key() -> None:
    desk = Desk(NAC)
    assert code(desk.sale(1)) == "00"
    terminal, merchant = desk.rows(Terminal)[0], desk.rows(Merchant)[0]
    assert (terminal.tid, terminal.mid, terminal.provisioned, terminal.epoch) == (TID, MID, "auto", 1)
    assert terminal.tmk == "0123456789ABCDEFFEDCBA9876543210"  # security.md, worked example
    assert (merchant.mid, merchant.provisioned) == (MID, "auto")
    assert (terminal.last_stan, terminal.last_seen) == ("000001", "2026-03-02T09:00:00.000+00:00")


@pytest.mark.parametrize(("profile", "unknown"), [(CUP, "97"), (NAC, "89")], ids=["cup", "nac"])
def test_strict_answers_as_the_protocol_says(profile: Profile, unknown: str) -> None:
    desk = Desk(profile, settings=STRICT)
    assert code(desk.sale(1)) == unknown
    assert (desk.rows(Terminal), desk.rows(Merchant)) == ([], [])


def test_strict_wants_the_terminals_own_merchant() -> None:
    desk = Desk(settings=STRICT)
    desk.books.apply([Terminal(1, TID, MID, "cup", "config", False, "", "", "", "", "", 1, "", "", "156")])
    assert code(desk.sale(1)) == "03"  # its merchant is not there
    desk.books.apply([Merchant(1, MID, "Tea", "156", "config"), Merchant(2, "M2", "Other", "156", "config")])
    assert code(desk.sale(1)) == "00"
    assert code(desk.sale(2, mid="M2")) == "03"
    assert code(desk.sale(2, mid="")) == "00"


def test_in_auto_a_terminal_may_move_unless_it_was_configured() -> None:
    desk = Desk()
    desk.sale(1)
    assert code(desk.sale(2, mid="M2")) == "00"
    assert desk.rows(Terminal)[0].mid == "M2"
    assert desk.balance("merchant-payable:M2") == -10_000
    desk.books.apply([replace(desk.rows(Terminal)[0], provisioned="config")])
    assert code(desk.sale(3, mid="M3")) == "03"


def test_the_first_currency_a_terminal_names_is_its_own() -> None:
    desk = Desk(CUP)
    desk.send(desk.request(Kind.ECHO, stan="", currency=""))
    assert code(desk.sale(1, currency="036")) == "00"
    assert desk.txn(1).currency == "036"
    assert code(desk.sale(2, currency="156")) == "13"


@pytest.mark.parametrize(
    ("last", "stan", "expected"),
    [
        ("", "000005", "000005"),
        ("000005", "000006", "000006"),
        ("000006", "000005", "000006"),  # a reversal carries the older number
        ("000006", "", "000006"),
        ("999999", "000001", "000001"),  # the wrap
        ("999010", "999000", "999010"),
    ],
)
def test_the_newest_stan(last: str, stan: str, expected: str) -> None:
    assert newest_stan(last, stan) == expected


@pytest.mark.parametrize(
    ("last", "stan", "expected"),
    [
        ("", "000001", False),  # first contact
        ("000001", "000001", False),  # one number used twice is case 49
        ("000002", "000001", False),  # may be held up on the way: the next message tells
        ("000120", "000070", False),  # 50 below
        ("000121", "000070", True),  # 51 below
        ("000121", "000122", False),
        ("999000", "000001", True),
        ("000052", "000001", True),
        ("000051", "000001", False),
        ("999001", "000001", False),  # a wrap
        ("999999", "000060", False),
    ],
)
def test_which_stan_of_a_sign_on_means_a_re_flash(last: str, stan: str, expected: bool) -> None:
    assert starts_again(last, stan) is expected
