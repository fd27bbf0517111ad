"""The order of checks (rules.md, section 2): of two things that are wrong the earlier one answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest

from host.engine import checks
from host.engine.context import Settings
from host.engine.events import MacEvidence
from host.rows import Merchant, Terminal, Txn
from specs.operation import Card, Kind, OriginalRef
from specs.profile import Profile
from specs.security import mac_ecb, pin_block
from tests.support.engine import CUP, MID, NAC, PAN, TID, Desk, a_card, a_request, code, keys, silent

MAK, PIK = keys(8).hex().upper(), keys(16).hex().upper()
SIGNING = replace(CUP, requires_sign_on=True, mac="cup-ecb")
COVERED = b"0200 and all up to DE 63"
GOOD_MAC = MacEvidence(COVERED, mac_ecb(bytes.fromhex(MAK), COVERED), required=True)
BAD_MAC = MacEvidence(COVERED, b"00000000", required=True)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request: the code it leads to alone, and how to bring it about."""

    name: str
    code: str
    fields: dict[str, Any]
    terminal: dict[str, Any]


def fault(name: str, answer: str, terminal: dict[str, Any] | None = None, **fields: Any) -> Fault:
    return Fault(name, answer, fields, terminal or {})


#: In the order of rules.md, section 2, for a CUP void with a PIN.
ORDER = [
    fault("terminal", "97", tid="T9999999"),
    fault("merchant", "03", mid="999999999999999"),
    fault("not signed on", "A0", {"signed_on": False}),
    fault("MAC", "A0", mac=BAD_MAC),
    fault("key", "94", stan=1),
    fault("closed batch", "22", batch="000009"),
    fault("type", "40", advice=True),
    fault("amount", "13", amount=0),
    fault("card", "14", card=a_card("6223164991230015")),
    fault("original", "25", original=OriginalRef(stan="000099", batch="000001")),
    fault("PIN", "99", pin_block=b"\x00" * 8),
]

#: A CUP key has the batch in it, so no key is taken and of a wrong batch at once; an advice has no wrong batch, it is
#: carried (and its key is answered 12).
NEIGHBOURS = [(one, other) for one, other in pairwise(ORDER) if one.name not in ("key", "closed batch")]
NEIGHBOURS += [(ORDER[4], ORDER[7]), (ORDER[5], ORDER[7])]


def a_desk(**terminal: Any) -> Desk:
    """Strict, with one terminal signed on that has one captured sale (STAN 1)."""
    desk = Desk(SIGNING, settings=Settings(provisioning="strict"))
    row = Terminal(1, TID, MID, "cup", "config", True, "", PIK, MAK, "", "", 1, "", "", "156")
    desk.books.apply([row, Merchant(1, MID, "Tea House", "156", "config")])
    assert code(desk.send(a_request(Kind.SALE, SIGNING, mac=GOOD_MAC, stan=1, amount=10_000))) == "00"
    desk.books.apply([replace(row, **terminal)])
    return desk


def void(desk: Desk, *faults: Fault) -> str:
    fields: dict[str, Any] = {
        "stan": 2,
        "amount": 10_000,
        "card": a_card(),
        "original": OriginalRef(stan="000001", batch="000001"),
        "pin_block": pin_block("1234", PAN, bytes.fromhex(PIK)),
        "mac": GOOD_MAC,
    }
    for wrong in faults:
        fields |= wrong.fields
    return code(desk.send(a_request(Kind.VOID, SIGNING, **fields)))


def test_nothing_wrong_is_approved() -> None:
    assert void(a_desk()) == "00"


@pytest.mark.parametrize("wrong", ORDER, ids=lambda f: f.name)
def test_each_check_alone(wrong: Fault) -> None:
    assert void(a_desk(**wrong.terminal), wrong) == wrong.code


@pytest.mark.parametrize(("first", "second"), NEIGHBOURS, ids=lambda f: f.name)
def test_of_two_neighbours_the_earlier_answers(first: Fault, second: Fault) -> None:
    assert void(a_desk(**first.terminal, **second.terminal), first, second) == first.code


def test_the_key_comes_before_the_closed_batch() -> None:
    """A sale whose answer was lost is answered from the books though its batch has closed since; a new one gets 22."""
    desk = Desk()
    first = desk.sale(1)
    desk.close_batch()
    assert desk.sale(1) == first
    assert code(desk.sale(2)) == "22"


def test_with_everything_wrong_it_is_the_terminal() -> None:
    assert void(a_desk(signed_on=False), *ORDER) == "97"


def test_the_tables_stand_in_this_order() -> None:
    assert [name for name, _ in (*checks.GATE, *checks.BODY)] == [
        "97/89 terminal",
        "03 merchant",
        "not signed on",
        "MAC",
        "closed batch",
        "type 12/40",
        "amount 13/61",
        "card 14/15/54",
        "original 25/12/61/64",
        "PIN",
    ]


@pytest.mark.parametrize("wrong", [f for f in ORDER if f.code in ("97", "03", "A0", "99")], ids=lambda f: f.name)
def test_identity_and_keys_leave_no_row_and_no_mac(wrong: Fault) -> None:
    """The next delivery must be decided afresh: a terminal that signs on again sends the same message."""
    desk = a_desk(**wrong.terminal)
    void(desk, wrong)
    assert [t.stan for t in desk.rows(Txn)] == ["000001"]
    if wrong.code != "99":
        assert (desk.last.sign_key, desk.last.mac) == ("", "")
        assert wrong.code == "A0" or len(desk.rows(Terminal)) == 1


def test_a_missing_mac_is_a_bad_one() -> None:
    desk = a_desk()
    request = a_request(Kind.SALE, SIGNING, stan=2, amount=1, mac=MacEvidence(COVERED, None, required=True))
    assert code(desk.send(request)) == "A0"


def test_the_old_key_is_good_until_the_new_one_is_used() -> None:
    """FC 23: the 0810 with the new keys was lost; the terminal goes on with what it has, and answers fit that key."""
    new = "AABBCCDDEEFF0011"
    desk = a_desk(mak=new, old_mak=MAK)
    assert code(desk.send(a_request(Kind.SALE, SIGNING, stan=2, amount=1, mac=GOOD_MAC))) == "00"
    assert desk.last.sign_key == MAK
    with_new = MacEvidence(COVERED, mac_ecb(bytes.fromhex(new), COVERED), required=True)
    assert code(desk.send(a_request(Kind.SALE, SIGNING, stan=3, amount=1, mac=with_new))) == "00"
    assert desk.last.sign_key == new
    assert code(desk.send(a_request(Kind.SALE, SIGNING, stan=4, amount=1, mac=GOOD_MAC))) == "A0"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": 0}, "13"),
        ({"amount": None}, "13"),
        ({"currency": "036"}, "13"),
        ({"amount": 50_001}, "61"),
        ({"amount": 50_000}, "00"),
        ({"card": None}, "14"),
        ({"card": a_card("6223164991230015")}, "14"),
        ({"card": a_card(expiry="2602")}, "54"),
        ({"card": a_card(expiry="2603")}, "00"),  # good to the end of the month
        ({"card": Card(PAN, track2=f"{PAN}D2602201")}, "54"),
        ({"advice": True}, "40"),
    ],
)
def test_amount_card_and_type_of_a_sale(changes: dict[str, Any], expected: str) -> None:
    desk = Desk(settings=Settings(amount_max=50_000))
    desk.sale(1)
    assert code(desk.sale(2, **changes)) == expected


@pytest.mark.parametrize(
    ("cash", "tip", "expected"), [(10_000, None, "00"), (10_001, None, "13"), (None, 10_001, "13")]
)
def test_cash_or_tip_above_the_whole(cash: int | None, tip: int | None, expected: str) -> None:
    desk = Desk()
    assert code(desk.send(desk.request(Kind.CASH_BACK, stan=1, amount=10_000, cash=cash, tip=tip))) == expected


@pytest.mark.parametrize(
    "kind", [Kind.SALE, Kind.CASH_BACK, Kind.VOID, Kind.PRE_AUTH_VOID, Kind.COMPLETION, Kind.BALANCE]
)
def test_what_is_only_ever_asked_for_is_no_advice(kind: Kind) -> None:
    desk = Desk()
    assert code(desk.send(desk.request(kind, stan=1, amount=100, advice=True))) == "40"


@pytest.mark.parametrize(("profile", "expected"), [(SIGNING, "99"), (replace(NAC, mac=""), "81")])
def test_an_unreadable_pin_block(profile: Profile, expected: str) -> None:
    desk = a_desk()
    mac = GOOD_MAC if profile.mac else None
    request = a_request(Kind.SALE, profile, stan=2, amount=100, pin_block=b"\x01" * 8, mac=mac)
    assert code(desk.send(request)) == expected


def test_a_readable_pin_goes_to_the_issuer_and_into_no_row() -> None:
    desk = a_desk()
    desk.issuer = silent
    for with_pan in (PAN, None):
        block = pin_block("4711", with_pan, bytes.fromhex(PIK))
        stan = 2 if with_pan else 3
        desk.send(a_request(Kind.SALE, SIGNING, stan=stan, amount=100, pin_block=block, mac=GOOD_MAC))
        assert desk.asked[-1].pin == "4711"
        assert "4711" not in repr(desk.asked[-1])
        assert "4711" not in repr(desk.last.puts)
