"""Downloads, the status upload, and what header digit 6 asks of a terminal (cup.md, sections 1 and 5.10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from host.rows import Merchant, Terminal, Txn
from specs.operation import Kind, Outcome
from tests.support.engine import CUP, MID, NAC, TID, Desk, code, silent


def first_contact(profile: Any = CUP) -> Desk:
    desk = Desk(profile)
    desk.send(desk.request(Kind.ECHO, stan=1))
    return desk


def asked(desk: Desk, request: str) -> Desk:
    """The terminal is asked for something from now on, as by the API."""
    (terminal,) = desk.rows(Terminal)
    desk.books.apply([replace(terminal, request=request)])
    return desk


def download(desk: Desk, function: str, data: bytes = b"") -> Outcome:
    said = desk.send(desk.request(Kind.DOWNLOAD, stan="", function=function, data=data))
    assert said is not None
    return said


def wanted(desk: Desk) -> str:
    return desk.rows(Terminal)[0].request


def test_parameters_come_with_the_merchant_s_name() -> None:
    """cup.md 5.10: N2 tag and fixed value; 22 = the name, 40 bytes, GBK."""
    desk = first_contact()
    (merchant,) = desk.rows(Merchant)
    desk.books.apply([replace(merchant, name="Corner Shop")])
    said = download(desk, "360")
    assert said.code == "00"
    assert said.data is not None
    assert b"22Corner Shop".ljust(42) in said.data
    assert download(desk, "361").data is None
    assert desk.rows(Txn) == []


def test_lists_and_items_are_handed_out() -> None:
    """cup.md 5.10: byte 1 of a list 1 = complete; of an item 0 = no such."""
    desk = first_contact()
    listed = download(desk, "372", b"100").data
    assert listed is not None
    assert (listed[:1], listed[1:4].hex()) == (b"1", "9f0605")
    assert download(desk, "380", bytes.fromhex("9F0605FFFFFFFFFF")).data == b"0"
    assert download(desk, "371").data is None


def test_a_status_is_kept() -> None:
    desk = first_contact()
    assert download(desk, "362", b"\x01\xab").code == "00"
    assert desk.rows(Terminal)[0].status == "01AB"


def test_a_download_needs_no_sign_on() -> None:
    desk = Desk(replace(CUP, requires_sign_on=True))
    assert download(desk, "360").code == "00"
    assert code(desk.sale(2)) == "A0"


@pytest.mark.parametrize("request_", ["1", "2", "3", "4", "5"])
def test_every_answer_says_what_is_asked_until_it_is_done(request_: str) -> None:
    desk = asked(first_contact(), request_)
    outcomes = [
        desk.sale(2),  # of the issuer's answer
        desk.sale(2),  # a replay
        desk.sale(3, amount=0),  # a refusal
        desk.reverse(9),
        desk.send(desk.request(Kind.ECHO, stan=4)),
    ]
    assert [o.request for o in outcomes if o is not None] == [request_] * 5
    desk.issuer = silent
    desk.sale(5)
    assert [o.request for o in desk.silence()] == [request_]


@pytest.mark.parametrize(
    ("request_", "function"), [("1", "360"), ("1", "361"), ("2", "362"), ("4", "371"), ("5", "381")]
)
def test_each_request_ends_with_its_own_message(request_: str, function: str) -> None:
    desk = asked(first_contact(), request_)
    others = {"360", "361", "362", "370", "371", "372", "380", "381", "382"} - {function}
    for other in sorted(others - ({"360", "361"} if request_ == "1" else set())):
        assert download(desk, other).request == request_
    assert (download(desk, function).request, wanted(desk)) == ("0", "0")
    said = desk.sale(2)
    assert said is not None
    assert said.request == "0"


def test_sign_on_again_ends_with_a_sign_on() -> None:
    desk = asked(first_contact(), "3")
    said = desk.send(desk.request(Kind.SIGN_ON, stan=2, key_layout=40))
    assert said is not None
    assert (said.request, wanted(desk)) == ("0", "0")
    asked(desk, "1")
    said = desk.send(desk.request(Kind.SIGN_ON, stan=3, key_layout=40))
    assert said is not None
    assert (said.request, wanted(desk)) == ("1", "1")


def test_22_asks_for_a_sign_on_first() -> None:
    desk = asked(first_contact(), "1")
    desk.sale(2)
    desk.close_batch()
    said = desk.sale(3)
    assert said is not None
    assert (said.code, said.request) == ("22", "3")


def test_only_cup_has_a_header() -> None:
    desk = asked(first_contact(NAC), "1")
    said = desk.sale(2)
    assert said is not None
    assert said.request == "0"


def test_the_name_of_a_message_without_merchant_is_the_terminal_s() -> None:
    desk = first_contact()
    said = desk.send(desk.request(Kind.DOWNLOAD, stan="", function="360", mid=""))
    assert said is not None
    assert said.data is not None
    assert f"22{MID}".encode() in said.data
    assert desk.books.terminal(TID) is not None
