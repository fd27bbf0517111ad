"""The order of checks of rules.md, section 2, over whole frames: of two faults in one message the earlier one answers.

30 → 97/89 → 03 → not signed on → MAC → key → closed batch → type 12/40 → amount 13/61 → card 14/15/54
→ original 25/12/64 → PIN → funds
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from host.rows import Terminal, Txn
from specs.message import Message
from tests.support.wire_host import MID, PAN, TID, WireHost, twelve

WRONG = b"AAAAAAAA"
NO_SUCH_CARD = "6223164991230015"
"""Its check digit is wrong."""
GARBLED_PIN = {"de52": "0000000000000000", "de26": "12", "de53": "2600000000000000"}


def not_offered(stan: str = "000050") -> Message:
    """Refund of electronic cash (0220, 60.1 = 27) of cup.md, section 4: known, and not served."""
    fields = {2: PAN, 3: "200000", 4: twelve(1), 11: stan, 22: "012", 25: "00", 37: "0" * 12, 41: TID, 42: MID}
    fields |= {49: "156", 60: "2700000200050", 61: "0000010000020302", 63: "CUP"}
    return Message("0220", fields, tpdu="6000030000", header="603100310000")


def unknown_type() -> Message:
    """DE 3 and 60.1 that no table has."""
    return replace(not_offered(), mti="0200").with_fields({3: "770000", 60: "9900000200050", 61: None, 63: None})


@pytest.fixture
def host() -> WireHost:
    """CUP, signed on; batch 000001 is closed with one sale, 000002 is open."""
    host = WireHost("cup")
    host.sign_on(1)
    assert host.code(host.sale(2, 100)) == "00"
    host.ask(host.settle(3, (1, 100)))
    assert host.batches() == [("000001", "closed"), ("000002", "open")]
    return host


@pytest.mark.parametrize(
    ("message", "mac", "code"),
    [
        pytest.param(lambda h: h.sale(4, 100, de22=None), WRONG, "30", id="format before MAC"),
        pytest.param(lambda h: h.sale(2, 777), WRONG, "A0", id="MAC before key"),
        pytest.param(lambda h: h.sale(2, 100), None, "00", id="key before closed batch: the replay"),
        pytest.param(lambda h: h.sale(5, 0), None, "22", id="closed batch before amount"),
        pytest.param(lambda h: h.sale(6, 0, pan=NO_SUCH_CARD, batch="000002"), None, "13", id="amount before card"),
        pytest.param(
            lambda h: h.sale(7, 1, pan=NO_SUCH_CARD, batch="000002", **GARBLED_PIN), None, "14", id="card before PIN"
        ),
        pytest.param(
            lambda h: h.void(8, 1, of=99, batch="000002", de2=NO_SUCH_CARD), None, "14", id="card before original"
        ),
        pytest.param(
            lambda h: h.void(9, 1, of=99, batch="000002", **GARBLED_PIN), None, "25", id="original before PIN"
        ),
        pytest.param(lambda h: not_offered(), WRONG, "A0", id="MAC before a type that is not offered"),
        pytest.param(lambda h: not_offered(), b"", "A0", id="a missing MAC before a type that is not offered"),
        pytest.param(lambda h: not_offered(), None, "40", id="a type that is not offered"),
        pytest.param(lambda h: unknown_type(), WRONG, "A0", id="MAC before an unknown type"),
        pytest.param(lambda h: unknown_type(), None, "12", id="an unknown type"),
    ],
)
def test_the_earlier_fault_answers(
    host: WireHost, message: Callable[[WireHost], Message], mac: bytes | None, code: str
) -> None:
    before = host.rows(Txn), host.payable()
    assert host.code(message(host), mac=mac) == code
    if code in ("30", "A0", "40"):
        assert (host.rows(Txn), host.payable()) == before
    host.check()


def test_who_is_not_signed_on_is_told_so_and_not_what_is_offered(host: WireHost) -> None:
    host.ask(host.manage(10, "002"))
    assert host.code(not_offered()) == "A0"
    # A download carries no MAC and may come before the sign-on, one that is not offered too.
    assert host.code(host.message("0800", {11: "000011", 60: "00000002360"})) == "00"
    assert host.code(host.message("0800", {11: "000012", 60: "00000002390"})) == "40"


@pytest.mark.parametrize(("dialect", "code"), [("cup", "97"), ("nac", "89")])
def test_strict_provisioning_comes_before_every_type(dialect: str, code: str) -> None:
    host = WireHost(dialect, provisioning="strict", terminal_reset="keep")
    message = not_offered()
    if host.nac:
        message = host.message("0800", {3: "970000", 11: "000001"})
    assert [host.code(m) for m in (host.sale(2, 100), host.reversal(2, 100), message)] == [code] * 3
    assert (host.rows(Terminal), host.rows(Txn)) == ([], [])


def test_what_is_not_served_makes_no_terminal() -> None:
    host = WireHost("nac")
    assert host.code(host.message("0800", {3: "970000", 11: "000001"})) == "40"
    assert host.rows(Terminal) == []


def test_a_0500_of_an_unknown_function_is_refused_with_both_codes_3(host: WireHost) -> None:
    answer = host.ask(host.settle(4, (1, 100), batch="000002").with_fields({60: "00000002999"}))
    assert answer is not None
    assert (answer[39], answer[48][30], answer[48][61]) == ("12", "3", "3")
