"""Messages that break their dialect: an answer where one can be paired, the line closed where not, never silence."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from host.rows import MessageRow
from specs import security
from specs.codec import encode_payload
from specs.message import Message
from tests.support.wire_host import MID, PAN, TID, WireHost

MAKERS: tuple[Callable[[WireHost, int], Message], ...] = (
    lambda host, stan: host.sale(stan, 100),
    lambda host, stan: host.void(stan, 100, of=stan - 3),
    lambda host, stan: host.reversal(stan - 1, 100),
    lambda host, stan: host.settle(stan, (1, 100)),
    lambda host, stan: host.upload(stan, (stan - 1, 100)),
    lambda host, stan: host.manage(stan, "301"),
)
MESSAGES = 150
BOTH = pytest.mark.parametrize("dialect", ["cup", "nac"])


def a_host(dialect: str, options: str = "") -> WireHost:
    host = WireHost(dialect)
    host.url += options
    if not host.nac:
        host.sign_on(1)
    return host


def spoiled(host: WireHost, stan: int) -> bytes:
    """A sale with a letter in an element that its answer echoes: DE 53 of CUP, DE 24 of NAC."""
    payload = bytearray(encode_payload(host.with_mac(host.sale(stan, 100)), host.dialect))
    at = payload.index(bytes.fromhex("00030037" if host.nac else "0600000000000000"))
    payload[at + 1] = 0xAA
    return remade(host, payload)


def remade(host: WireHost, payload: bytearray) -> bytes:
    """With a right MAC over the wrong bytes, where there is one."""
    start = host.dialect.frame.prefix_bytes
    if not host.nac and len(payload) > start + 18 and payload[start + 9] & 1:
        payload[-8:] = security.mac_ecb(host.key, bytes(payload[start:-8]))
    return bytes(payload)


@BOTH
def test_a_lenient_listener_answers_without_the_element_that_no_answer_can_hold(dialect: str) -> None:
    host = a_host(dialect)
    line = host.send_raw(spoiled(host, 2))
    host.runner.run_until_quiet()
    answer = host.heard(line)
    assert answer is not None, "silence"
    assert (answer[39], answer[11], 24 in answer, 53 in answer) == ("00", "000002", False, False)
    assert "expected digits" in host.notes()
    assert (host.payable(), host.charged()) == (100, 100)
    host.check()


@BOTH
def test_a_strict_listener_answers_30_and_books_nothing(dialect: str) -> None:
    host = a_host(dialect, "?strict=1")
    line = host.send_raw(spoiled(host, 2))
    host.runner.run_until_quiet()
    answer = host.heard(line)
    assert answer is not None
    assert (answer[39], answer[11]) == ("30", "000002")
    assert host.payable() == 0
    assert host.code(host.sale(2, 100)) == "00"


@BOTH
@pytest.mark.parametrize("options", ["", "?strict=1"], ids=["lenient", "strict"])
def test_whatever_comes_is_answered_or_ends_its_line_and_is_logged(dialect: str, options: str) -> None:
    """Messages with a few wrong bytes each, under a right MAC."""
    host = a_host(dialect, options)
    chance = random.Random(5)
    logged = len([m for m in host.rows(MessageRow) if m.direction == "in"])
    for stan in range(1000, 1000 + MESSAGES):
        message = chance.choice(MAKERS)(host, stan)
        payload = bytearray(encode_payload(host.with_mac(message), host.dialect))
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(host.dialect.frame.prefix_bytes, len(payload))
            payload[at] = chance.choice((chance.randrange(256), 0xFF, 0xAA, 0))
        if chance.random() < 0.1:
            payload = payload[: chance.randrange(1, len(payload))]
        line = host.send_raw(remade(host, payload))
        host.runner.run_until_quiet()
        assert line.heard or line.closed, f"silence for {payload.hex()}"
    assert len([m for m in host.rows(MessageRow) if m.direction == "in"]) == logged + MESSAGES
    host.check()
    if not host.nac:
        host.sign_on(1400)  # a spoiled message may have been read as a sign-off
    assert host.code(host.sale(1401, 100, batch=host.batches()[-1][0])) == "00"


# ---- what mutated messages have found (make fuzz)


@BOTH
def test_a_batch_beyond_what_the_totals_can_hold_ends_all_the_same(dialect: str) -> None:
    """12 digits an amount (cup.md 5.5, nac.md 5): two of the largest sales are one too many."""
    host = a_host(dialect)
    for stan in (2, 3):
        assert host.code(host.sale(stan, 999_999_999_999)) == "00"
    answer = host.ask(host.settle(4, (2, 999_999_999_999)))
    assert answer is not None
    if host.nac:
        assert (answer[39], 63 in answer) == ("95", False)
    else:
        assert (answer.get(39), answer[48][:15], answer[48][30]) == (None, "999999999999002", "2")
    host.check()


def test_a_letter_in_the_time_that_is_part_of_the_key_is_30_also_where_the_listener_is_lenient() -> None:
    """ISO 87 knows a transaction by DE 13 and 12 (rules.md, section 1) and gives both back (iso87.md 3)."""
    host = WireHost("iso87")
    fields = {3: "000000", 4: "000000000100", 7: "1121093000", 11: "000002", 12: "093000", 13: "1121", 18: "5999"}
    fields |= {22: "022", 25: "00", 35: f"{PAN}D30122010000000000", 41: TID, 42: MID, 49: "156"}
    payload = encode_payload(Message("0200", fields), host.dialect).replace(b"0930001121", b"093000k121")
    line = host.send_raw(payload)
    host.runner.run_until_quiet()
    answer = host.heard(line)
    assert answer is not None, "silence"
    assert (answer[39], answer[12], answer[13], host.payable()) == ("30", "093000", "0302", 0)
    host.check()


def test_money_without_items_is_not_settled_by_an_upload_of_nothing() -> None:
    """A 960000 that counts no item and claims 500.00: nothing has come that could prove it."""
    host = a_host("nac")
    assert host.code(host.settle(1, (0, 50_000), final=True)) == "77"
    host.check()


@BOTH
def test_a_lenient_sale_with_bytes_behind_it_is_audited_like_any_other(dialect: str) -> None:
    """Its log line has stars over amount and STAN: nobody knows what stands where in a message like that."""
    host = a_host(dialect)
    line = host.send_raw(encode_payload(host.with_mac(host.sale(2, 100)), host.dialect) + b"\x62\x23\x16\x49" * 4)
    host.runner.run_until_quiet()
    answer = host.heard(line)
    assert answer is not None
    assert answer[39] == "00"
    assert host.payable() == 100
    host.check()
