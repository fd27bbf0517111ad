"""Which data elements an answer has, and that a repeat gets the same ones: cup.md 6.2, nac.md 4, rules.md section 2.

Whole frames through the whole host; the sets are copied from the tables of the protocol.
"""

from __future__ import annotations

import pytest

from specs.message import Message
from tests.support.wire_host import WireHost

MONEY = {2, 3, 4, 11, 12, 13, 14, 15, 25, 32, 37, 39, 41, 42, 44, 49, 60}
"""cup.md 6.2, column «sale / void», without what is conditional (38, 53, 54, 55, 64) and 63."""


@pytest.fixture
def cup() -> WireHost:
    host = WireHost("cup")
    host.sign_on(1)
    return host


def answered(host: WireHost, message: Message) -> Message:
    answer = host.ask(message)
    assert answer is not None
    return answer


def same(host: WireHost, message: Message, first: Message) -> bool:
    """Minutes later the same message gets the same answer."""
    host.later(180)
    return answered(host, message) == first


def test_cup_sign_on_sign_off_and_echo(cup: WireHost) -> None:
    sign_on = cup.sign_on(2)
    assert set(sign_on.fields) == {11, 12, 13, 32, 37, 39, 41, 42, 60, 62}
    assert sign_on[60] == "00000001003"
    assert set(answered(cup, cup.manage(None, "301")).fields) == {12, 13, 39, 41, 42, 60}
    assert set(answered(cup, cup.manage(3, "301")).fields) == {11, 12, 13, 39, 41, 42, 60}
    assert set(answered(cup, cup.manage(4, "002")).fields) == {11, 12, 13, 32, 37, 39, 41, 42, 60}


def test_cup_money(cup: WireHost) -> None:
    sale = answered(cup, cup.sale(2, 10_000))
    assert set(sale.fields) == MONEY | {38, 53, 63, 64}
    assert same(cup, cup.sale(2, 10_000), sale)
    declined = answered(cup, cup.sale(3, 0))
    assert (declined[39], set(declined.fields)) == ("13", MONEY | {53, 63})
    assert same(cup, cup.sale(3, 0), declined)
    balance = answered(cup, cup.balance(4))
    assert set(balance.fields) == MONEY - {4, 15} | {53, 54, 64}
    assert balance[54] == "1002156C000099990000"  # 1,000,000.00 of a card without limit, less 100.00
    assert same(cup, cup.balance(4), balance)
    void = answered(cup, cup.void(5, 10_000, of=2))
    assert set(void.fields) == MONEY | {38, 63, 64}
    assert same(cup, cup.void(5, 10_000, of=2), void)
    reversal = answered(cup, cup.reversal(5, 10_000, void=True))
    assert set(reversal.fields) == MONEY | {64}
    cup.check()


@pytest.mark.parametrize("repeat", ["0400", "0401"])
def test_cup_a_repeated_reversal_gets_the_same_answer(cup: WireHost, repeat: str) -> None:
    cup.ask(cup.sale(2, 10_000))
    first = answered(cup, cup.reversal(2, 10_000))
    again = answered(cup, Message(repeat, cup.reversal(2, 10_000).fields, "6000030000", "603100310000"))
    assert again == first
    unseen = answered(cup, cup.reversal(77, 10_000))
    assert (unseen[39], 64 in unseen) == ("25", False)
    assert answered(cup, cup.reversal(77, 10_000)) == unseen


def test_cup_a0_has_no_mac_and_a_new_key_makes_the_mac_of_a_replay(cup: WireHost) -> None:
    refused = cup.ask(cup.sale(9, 100), mac=b"AAAAAAAA")
    assert refused is not None
    assert (refused[39], 64 in refused) == ("A0", False)
    first = answered(cup, cup.sale(2, 100))
    cup.sign_on(3)
    again = answered(cup, cup.sale(2, 100))
    assert {de for de in first.fields if first[de] != again.get(de)} == {64}
    assert bytes.fromhex(again[64]) == cup.mac_of(again.with_fields({64: None}))


def test_cup_settlement_and_upload(cup: WireHost) -> None:
    cup.ask(cup.sale(2, 10_000))
    settled = answered(cup, cup.settle(3, (1, 9_999)))
    assert set(settled.fields) == {11, 12, 13, 15, 32, 37, 41, 42, 48, 49, 60, 63}
    assert settled[48] == "00000001000000100000000000000020000000000000000000000000000001"
    item = answered(cup, cup.upload(4, (2, 10_000)))
    assert (set(item.fields), item[48]) == ({11, 12, 13, 32, 37, 39, 41, 42, 48, 60}, "01")
    end = answered(cup, cup.end(5, 1))
    assert (set(end.fields), end[48]) == (set(item.fields), "0001")
    again = answered(cup, cup.settle(6, (1, 9_999)))
    assert {de for de in settled.fields if settled[de] != again.get(de)} == {11, 37}


def test_nac() -> None:
    host = WireHost("nac")
    assert set(answered(host, host.manage(1, "")).fields) == {3, 11, 12, 13, 24, 39, 41}
    sale = answered(host, host.sale(2, 10_000))
    assert set(sale.fields) == {3, 4, 11, 12, 13, 24, 37, 38, 39, 41}
    assert same(host, host.sale(2, 10_000), sale)
    reversal = answered(host, host.reversal(2, 10_000))
    assert set(reversal.fields) == {3, 4, 11, 12, 13, 24, 37, 39, 41}
    host.later(180)
    again = answered(host, host.reversal(2, 10_000))  # A3: DE 37, 38, 39; the clock goes on
    assert {de for de in reversal.fields if reversal[de] != again.get(de)} == {12}
    settled = answered(host, host.settle(3, (1, 10_000)))
    assert (settled[39], set(settled.fields)) == ("95", {3, 11, 12, 13, 24, 37, 39, 41, 63})
    assert settled[63] == "0" * 90
    item = answered(host, host.upload(4, (2, 10_000)))
    assert (item[39], set(item.fields)) == ("00", {3, 4, 11, 12, 13, 24, 37, 39, 41})
