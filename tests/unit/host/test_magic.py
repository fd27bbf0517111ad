"""Faults that strike on the way out, one by one, and the magic amounts that ask for them (docs/faults.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from host.checker import report
from host.magic import FAULTS, fault_by_amount
from host.rows import MessageRow, Txn
from host.store.store import open_store
from specs import security
from specs.codec import encode, mab
from specs.kinds import Kind
from specs.operation import Operation
from tests.support.wire_host import WireHost
from tests.unit.host.test_service import SALE, Bench, FakeLine

AMOUNT = bytes.fromhex("000000010000")  # DE 4 of SALE, 100.00


def sale_of(amount: int, stan: str = "000123") -> bytes:
    """The constructed sale of nac.md section 9 with another amount (and STAN)."""
    assert SALE.count(AMOUNT) == 1
    return SALE.replace(AMOUNT, bytes.fromhex(f"{amount:012d}")).replace(bytes.fromhex("000123"), bytes.fromhex(stan))


class Line(FakeLine):
    def stall(self) -> None:
        self.ended = "stalled"


@pytest.fixture
def bench() -> Iterator[Bench]:
    store = open_store("sqlite://", seed=1)
    made = Bench(store)
    made.line = Line("nac://127.0.0.1:1")
    yield made
    store.close()


def struck(bench: Bench, **rule: Any) -> MessageRow:
    """The answer of one sale under one rule, as the log has it."""
    bench.faults.add(rule)
    bench.send()
    row = bench.rows(MessageRow)[-1]
    assert isinstance(row, MessageRow)
    return row


def whole(bench: Bench) -> bytes:
    """The answer as it is without a fault: a replay has the same bytes."""
    bench.send()
    return bench.line.sent.pop()


def test_a_duplicate_reply_is_the_same_bytes_twice(bench: Bench) -> None:
    assert struck(bench, action="duplicate-reply").fate == "sent"
    first, second = bench.line.sent
    assert first == second == whole(bench)


def test_a_duplicate_reply_with_a_gap_comes_later(bench: Bench) -> None:
    struck(bench, action="duplicate-reply", delay_s=3)
    assert len(bench.line.sent) == 1
    ((delay, call, args),) = bench.loop.later
    call(*args)
    assert (delay, len(set(bench.line.sent)), len(bench.line.sent)) == (3, 1, 2)


@pytest.mark.parametrize(("byte", "at"), [(0, 7), (1, 8), (2, 9), (8191, -1)])
def test_a_corrupt_reply_has_one_byte_turned_counted_from_the_mti(bench: Bench, byte: int, at: int) -> None:
    """NAC: two bytes of length, five of TPDU, then the MTI; behind the end it is the last byte."""
    good = whole(bench)
    assert struck(bench, action="corrupt", byte=byte).fate == "corrupted"
    (spoilt,) = bench.line.sent
    differing = [i for i in range(len(good)) if good[i] != spoilt[i]]
    assert differing == [at % len(good)]
    assert good[at] ^ spoilt[at] == 0xFF


def test_a_dripped_reply_comes_byte_by_byte(bench: Bench) -> None:
    good = whole(bench)
    assert struck(bench, action="drip", delay_s=0.2).fate == "dripped"
    gaps = []
    while bench.loop.later:
        delay, call, args = bench.loop.later.pop(0)
        gaps.append(delay)
        call(*args)
    assert bench.line.sent == [good[i : i + 1] for i in range(len(good))]
    assert set(gaps) == {0.2}


def test_a_drip_ends_with_its_line(bench: Bench) -> None:
    struck(bench, action="drip")
    bench.line.send = lambda frame: False  # type: ignore[method-assign]
    delay, call, args = bench.loop.later.pop()
    call(*args)
    assert delay == 0.05
    assert not bench.loop.later


@pytest.mark.parametrize(("phase", "booked"), [("after-commit", 1), ("before-commit", 0)])
def test_a_stalled_line_says_nothing_more(bench: Bench, phase: str, booked: int) -> None:
    struck(bench, action="stall", phase=phase)
    assert (bench.line.sent, bench.line.ended, len(bench.rows(Txn))) == ([], "stalled", booked)


def test_a_bad_mac_where_the_answer_has_none_goes_out_as_it_is(bench: Bench) -> None:
    row = struck(bench, action="bad-mac")
    assert (row.fate, bench.line.sent) == ("sent", [whole(bench)])
    assert "carries no MAC" in row.notes


def test_a_bad_mac_is_wrong_in_every_bit() -> None:
    """security.md 3: the MAC of the answer under the key of the sign-on, against what came."""
    host = WireHost("cup", magic=True)
    host.sign_on()
    answer = host.ask(host.sale(101, 100_108))
    assert answer is not None
    blank = answer.with_fields({64: "0" * 16})
    right = security.mac_ecb(host.key, mab(encode(blank, host.dialect), blank, host.dialect))
    assert (answer[39], bytes(b ^ 0xFF for b in bytes.fromhex(answer[64]))) == ("00", right)
    assert host.rows(MessageRow)[-1].fate == "bad-mac"


@pytest.mark.parametrize(
    ("cents", "fate", "booked"),
    [
        (1, "dropped", True),
        (2, None, False),
        (3, "delayed", True),
        (4, "reset", True),
        (5, "truncated", True),
        (6, "sent", True),
        (7, "corrupted", True),
        (8, "sent", True),
        (9, None, False),
        (10, "sent", True),
        (11, "stalled", True),
        (12, "dripped", True),
    ],
)
def test_an_amount_meets_its_fault(bench: Bench, cents: int, fate: str | None, booked: bool) -> None:
    """What stands in docs/faults.md. The books are as after the same fault rule, and right."""
    bench.send(sale_of(100_100 + cents))
    rows = bench.rows(MessageRow)
    assert [t.response_code for t in bench.rows(Txn)] == (["00"] if booked else [])
    assert ([r.fate for r in rows if r.direction == "out"] or [None]) == [fate]
    assert "by magic amount" in rows[-1].notes
    assert json.loads(rows[-1].notes)[0]["message"].startswith("fault 0: ")
    assert report.check(bench.store.reader().load_books(), {}) == []


def test_a_lying_host_says_05_by_magic(bench: Bench) -> None:
    bench.send(sale_of(100_110))
    assert bench.line.codes() == ["05"]


@pytest.mark.parametrize("amount", [100_100, 100_113, 100_199, 100_200, 1, 99_999])
def test_every_other_amount_is_ordinary(bench: Bench, amount: int) -> None:
    bench.send(sale_of(amount))
    assert bench.line.codes() == ["00"]
    assert "magic" not in "".join(r.notes for r in bench.rows(MessageRow))


def test_a_repeat_meets_it_again_and_the_reversal_does_not() -> None:
    host = WireHost("nac", magic=True)
    assert [host.code(host.sale(101, 100_101)) for _ in range(2)] == ["silence", "silence"]
    assert len(host.rows(Txn)) == 1
    assert host.code(host.reversal(101, 100_101)) == "00"


def test_magic_false_ends_it() -> None:
    host = WireHost("nac", magic=False)
    assert host.code(host.sale(101, 100_101)) == "00"


def test_a_rule_goes_before_an_amount(bench: Bench) -> None:
    bench.faults.add({"action": "answer", "rc": "51"})
    bench.send(sale_of(100_101))
    assert bench.line.codes() == ["51"]


# rules of 1,000.xx (docs/faults.md): requests for money that the host may still refuse, and nothing that has happened.
MEET = {Kind.SALE, Kind.CASH_BACK, Kind.PRE_AUTH, Kind.OFFLINE_SALE}


@pytest.mark.parametrize("kind", Kind)
def test_only_the_kinds_of_the_magic_codes_meet_a_fault(kind: Kind) -> None:
    asked = Operation(kind, "00000001", stan="000001", amount=100_101)
    told = Operation(kind, "00000001", stan="000001", amount=100_101, advice=True)
    assert (fault_by_amount(asked) is not None) == (kind in MEET)
    assert fault_by_amount(told) is None
    assert FAULTS[100_101].because == "by magic amount"
