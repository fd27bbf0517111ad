"""The load's own parts: its MACs, its frames, its reading of answers, its percentiles."""

from __future__ import annotations

import random

import pytest

from specs.codec import decode_payload
from tests.bench.histogram import BUCKETS, Histogram, bucket_of, highest_of
from tests.bench.tills import CUP, Till, Wrong, ecb_macs, read_answer

MAB = bytes.fromhex(
    "0200302004C020C0981100000000000001000000012302100012376223164991230014D3012201000001234567803132333435363738313233343536"
    "373839303132333435313536F5D4AEDECBD608332600000000000000001322000001000500"
)
"""security.md, section 3, worked example."""
MAK = bytes.fromhex("1C2A3B4C5D6E7F80")
ANSWER = bytes.fromhex(
    "009C60000000036031003100000210703E00810ED08813166223164991230014000000000000010000000123101112091330120913000848001234"
    "3030303030303030303132334131323334353030313233343536373831323334353637383930313233343522303130323030303020202034383030"
    "31323334202020313536260000000000000000132200000100050000034355503339383446303834"
)
"""cup.md, section 7, answer 0210 RC 00."""


def test_the_macs_of_many_sales_are_those_of_each() -> None:
    assert ecb_macs(MAK, [MAB, ANSWER[13:-8], MAB]) == [b"9102B657", b"3984F084", b"9102B657"]


def test_an_answer_is_read_without_the_codec() -> None:
    assert read_answer(ANSWER) == ("0210", 123, 10_000, "00")


@pytest.mark.parametrize("answer", [b"", ANSWER[:-1], ANSWER + b"\0", b"\0\x15" + bytes(21)])
def test_what_is_no_answer_is_told(answer: bytes) -> None:
    with pytest.raises(Wrong):
        read_answer(answer)


def test_frames_made_ahead_and_made_at_once_are_the_same_sales() -> None:
    ahead, at_once = Till(7), Till(7)
    ahead.prepare(3)
    for stan in (1, 2, 3, 4):
        frame = ahead.next_sale()
        assert frame == at_once.next_sale()
        message = decode_payload(frame[2:], CUP)
        assert (message.mti, message[11], message[41]) == ("0200", f"{stan:06d}", "BNC00007")
        assert int(message[4]) == Till.amount(stan)


def test_only_the_approval_of_what_was_sent_counts() -> None:
    till = Till(1)
    till.next_sale()
    with pytest.raises(Wrong, match="STAN 000123"):
        till.took(ANSWER)
    assert till.approved == till.sum == 0


def test_percentiles_are_within_a_bucket_of_the_sorted_values() -> None:
    chance = random.Random(4)
    values = [int(chance.expovariate(1 / 5_000)) for _ in range(10_000)]
    found = Histogram()
    for value in values:
        found.record(value)
    values.sort()
    for percent in (1, 50, 99, 99.9, 100):
        exact = values[max(1, -int(-len(values) * percent // 100)) - 1]
        assert exact <= found.percentile(percent) <= exact * 1.016 + 1


def test_buckets_leave_no_gap() -> None:
    for bucket in range(BUCKETS - 1):
        assert bucket_of(highest_of(bucket)) == bucket
        assert bucket_of(highest_of(bucket) + 1) == bucket + 1
