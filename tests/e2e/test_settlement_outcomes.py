"""Settlement in all its outcomes, with the exact answers on the wire: rules.md, section 6, row by row; and the worked
example of section 5 from the terminal's keys to the digits of the 0500 and 0510.

What no good terminal sends comes from tests.support.raw_day. In every row the host has two sales, 100.00 and 50.00.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from specs.message import Message
from terminal_sim.cards import card_from
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.moves import Adjust, End, OfflineSale, Refund, Sale, Settle, Void
from tests.e2e.conftest import HostCommand
from tests.support.raw_day import RawTill, Sums, cup_totals, iso_totals, nac_totals
from tests.support.tcp_till import LOST_S, TcpTill

pytestmark = pytest.mark.e2e

DIALECTS = ("cup", "nac", "iso87")
RIGHT: Sums = (2, 15000)
ONE: Sums = (1, 10000)
"""A claim without the second sale."""
WRONG_SUM: Sums = (2, 15100)
"""The right number of items and a wrong sum."""
STRICT = 'extends = "nac"\ntitle = "NAC that knows its numbers"\n[profile]\nbatch_number = "strict"\n'


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    folder = tmp_path_factory.mktemp("outcomes")
    (folder / "strict.toml").write_text(STRICT, "utf-8")
    strict = f"{folder / 'strict.toml'}://127.0.0.1:0"
    with HostProcess(folder, dialects=DIALECTS, options=("--listen", strict, "--log-level", "warning")) as running:
        yield running


@pytest.fixture(params=DIALECTS)
def till(request: pytest.FixtureRequest, host: HostProcess) -> Iterator[RawTill]:
    """A terminal of this dialect, number and test, with two sales at the host."""
    dialect = request.param
    with RawTill(host.url(dialect), tid_of(request)) as raw:
        assert [raw.sale(10000)[39], raw.sale(5000)[39]] == ["00", "00"]
        yield raw


_TIDS: dict[str, str] = {}


def tid_of(request: pytest.FixtureRequest) -> str:
    """A terminal for each test."""
    name = request.node.nodeid
    return _TIDS.setdefault(name, f"OUT{len(_TIDS):05d}")


def said(answer: Message) -> dict[int, str]:
    """The elements of a 0510, 0330 or 0530 that say how it went."""
    told = (39, 48, 63, 66, *range(74, 78), *range(86, 90), 97)
    found = {de: answer[de] for de in told if de in answer}
    if len(found.get(63, "")) == len("01 "):
        found.pop(63)  # CUP: the operator, echoed
    return found


def expected(
    till: RawTill, *, cup: str, nac: str, iso: str, shown: Sums, code: str = "", claimed: Sums | None = None
) -> dict[int, str]:
    """cup: both codes; nac: DE 39; iso: DE 66. shown: the host's figures; claimed: what stands in a CUP 0510."""
    if till.family == "cup":
        digits = cup_totals(claimed or shown, codes=cup)
        return {48: digits} | ({39: code} if code else {})
    if till.family == "nac":
        return {39: nac, 63: nac_totals(shown)}
    return {39: "00", 66: iso} | iso_totals(shown)


def batch_of(host: HostProcess, till: RawTill | TcpTill, at: int = 0) -> dict[str, Any]:
    """A batch of the terminal, whole; 0 the first."""
    found = host.api.items("/batches", tid=till.tid)
    return host.api.get(f"/batches/{found[at]['id']}")


def reasons(batch: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(e["reason"], e["host_amount"], e["terminal_amount"]) for e in batch["exceptions"]]


def stans(till: RawTill) -> tuple[int, int]:
    """Of the two sales: CUP's sign-on took a number before them."""
    return (2, 3) if till.family == "cup" else (1, 2)


def finish(till: RawTill, claim: Sums, items: tuple[tuple[int, int], ...]) -> Message:
    """After a dispute: upload, and the end message of the dialect."""
    if till.family != "iso87":
        assert set(till.upload(*items)) == {"00"}
    return till.end(len(items)) if till.family == "cup" else till.settle(claim, final=True)


# ---- agreed


def test_agreed(till: RawTill, host: HostProcess) -> None:
    assert said(till.settle(RIGHT)) == expected(till, cup="11", nac="00", iso="1", shown=RIGHT)
    batch = batch_of(host, till)
    assert (batch["state"], reasons(batch), len(batch["items"])) == ("closed", [], 2), "closed at the 0510"
    if till.family == "cup":
        assert said(till.end(0, "207")) == {39: "00", 48: "0000"}, "and this changes nothing"
        assert batch_of(host, till)["state"] == "closed"


def test_agreed_on_both_sides(host: HostProcess, request: pytest.FixtureRequest) -> None:
    """CUP: the foreign card stands on the other side."""
    with RawTill(host.url("cup"), tid_of(request)) as till:
        till.sale(10000)
        till.sale(3000, pan="4111111111111111")
        answer = till.settle(ONE, foreign=(1, 3000))
        assert said(answer) == {48: cup_totals(ONE, foreign=(1, 3000), codes="11")}


@pytest.mark.parametrize(
    ("domestic", "foreign", "codes"), [((1, 9999), (1, 3000), "21"), (ONE, (0, 0), "12"), ((0, 0), (0, 0), "22")]
)
def test_each_side_of_cup_has_its_own_code(
    host: HostProcess, request: pytest.FixtureRequest, domestic: Sums, foreign: Sums, codes: str
) -> None:
    with RawTill(host.url("cup"), tid_of(request)) as till:
        till.sale(10000)
        till.sale(3000, pan="4111111111111111")
        answer = till.settle(domestic, foreign=foreign)
        assert (answer[48][30], answer[48][61], answer.get(39)) == (codes[0], codes[1], None)
        assert batch_of(host, till)["state"] == "disputed"


# ---- not agreed


def test_not_agreed(till: RawTill, host: HostProcess) -> None:
    answer = said(till.settle(ONE))
    if till.family == "cup":
        assert (answer[48][30], answer[48][61], 39 in answer) == ("2", "1", False)
    else:
        assert answer == expected(till, cup="", nac="95", iso="2", shown=RIGHT)
    batch = batch_of(host, till)
    assert (batch["state"], batch["exceptions"]) == ("disputed", [])


def test_the_same_0500_again_is_answered_the_same(till: RawTill, host: HostProcess) -> None:
    assert said(till.settle(ONE)) == said(till.settle(ONE))
    assert batch_of(host, till)["state"] == "disputed"


def test_other_totals_while_disputed_are_compared_anew(till: RawTill, host: HostProcess) -> None:
    till.settle(ONE)
    assert said(till.settle(RIGHT)) == expected(till, cup="11", nac="00", iso="1", shown=RIGHT)
    assert batch_of(host, till)["state"] == "closed"


# ---- the upload, complete


def test_upload_complete_and_agreed(till: RawTill, host: HostProcess) -> None:
    """CUP and NAC: the sum was wrong and each item right. ISO 87 has no items: the 0520 says the right sum."""
    till.settle(WRONG_SUM)
    first, second = stans(till)
    answer = finish(till, RIGHT if till.family == "iso87" else WRONG_SUM, ((first, 10000), (second, 5000)))
    if till.family == "cup":
        assert said(answer) == {39: "00", 48: "0002"}
    else:
        assert said(answer) == expected(till, cup="", nac="00", iso="1", shown=RIGHT)
    batch = batch_of(host, till)
    assert (batch["state"], batch["exceptions"]) == ("closed", [])
    assert len(batch["uploaded"]) == (0 if till.family == "iso87" else 2)


def test_upload_incomplete(host: HostProcess, request: pytest.FixtureRequest) -> None:
    """NAC: fewer items than the counts of DE 63 say: 95, once; after the rest has come it closes."""
    with RawTill(host.url("nac"), tid_of(request)) as till:
        till.sale(10000)
        till.sale(5000)
        till.settle(WRONG_SUM)
        till.upload((1, 10000))
        assert till.settle(WRONG_SUM, final=True)[39] == "95"
        assert batch_of(host, till)["state"] == "disputed"
        till.upload((1, 10000), (2, 5000))
        assert till.settle(WRONG_SUM, final=True)[39] == "00"
        batch = batch_of(host, till)
        assert (batch["state"], len(batch["uploaded"])) == ("closed", 2), "the repeated item is staged once"


def test_upload_incomplete_closes_in_cup(host: HostProcess, request: pytest.FixtureRequest) -> None:
    """The end says two and one was staged: 0330 00 all the same, and the missing one is the host's alone."""
    with RawTill(host.url("cup"), tid_of(request)) as till:
        till.sale(10000)
        till.sale(5000)
        till.settle(WRONG_SUM)
        till.upload((2, 10000))
        assert till.end(2)[39] == "00"
        batch = batch_of(host, till)
        assert (batch["state"], reasons(batch)) == ("closed-with-exceptions", [("host-only", 5000, 0)])
        notes = [n["message"] for m in host.api.items("/messages", tid=till.tid) for n in m["notes"]]
        assert any("2" in note and "1" in note for note in notes)


# ---- still not agreed


def test_still_not_agreed(till: RawTill, host: HostProcess) -> None:
    till.settle(ONE)
    answer = finish(till, ONE, ((stans(till)[0], 10000),))
    if till.family == "cup":
        assert said(answer) == {39: "00", 48: "0001"}
    else:
        assert said(answer) == expected(till, cup="", nac="77", iso="2", shown=RIGHT)
    batch = batch_of(host, till)
    assert batch["state"] == "closed-with-exceptions"
    if till.family == "iso87":  # no items on its wire: one exception for each figure that differs
        assert {(e["reason"], e["host_amount"], e["terminal_amount"]) for e in batch["exceptions"]} == {
            ("totals-differ", 15000, 10000)
        }
    else:
        assert reasons(batch) == [("host-only", 5000, 0)]


def test_an_item_that_the_host_never_saw(till: RawTill, host: HostProcess) -> None:
    """Terminal-only: an exception, never a posting."""
    if till.family == "iso87":
        return  # no items on the wire
    before = host.api.get("/unsettled", tid=till.tid)["items"]
    till.settle((3, 16000))
    first, second = stans(till)
    finish(till, (3, 16000), ((first, 10000), (second, 5000), (77, 1000)))
    batch = batch_of(host, till)
    assert reasons(batch) == [("terminal-only", 0, 1000)]
    assert len(before) == 2
    assert [t["amount"] for t in host.api.items("/transactions", tid=till.tid) if t["kind"] == "sale"] == [10000, 5000]


# ---- closed already


def test_closed_already_with_the_same_totals(till: RawTill, host: HostProcess) -> None:
    first = said(till.settle(RIGHT))
    assert said(till.settle(RIGHT)) == first == expected(till, cup="11", nac="00", iso="1", shown=RIGHT)
    assert batch_of(host, till)["state"] == "closed"
    assert batch_of(host, till)["exceptions"] == []


def test_closed_after_a_dispute_and_asked_again(till: RawTill, host: HostProcess) -> None:
    """The stored codes: 2/1, 77, 66 = 2; the end of the upload again: 00."""
    till.settle(ONE)
    finish(till, ONE, ((stans(till)[0], 10000),))
    exceptions = batch_of(host, till)["exceptions"]
    answer = said(till.settle(ONE))
    if till.family == "cup":
        assert (answer[48][30], answer[48][61]) == ("2", "1")
        assert till.end(1)[39] == "00"
    else:
        assert answer == expected(till, cup="", nac="77", iso="2", shown=RIGHT)
    assert batch_of(host, till)["exceptions"] == exceptions


def test_closed_already_with_other_totals(till: RawTill, host: HostProcess) -> None:
    till.settle(RIGHT)
    ledger = [t["state"] for t in host.api.items("/transactions", tid=till.tid)]
    answer = said(till.settle((3, 17000)))
    if till.family == "cup":
        assert (answer[48][30], answer[48][61], 39 in answer) == ("3", "1", False)
    else:
        assert answer == expected(till, cup="", nac="77", iso="3", shown=RIGHT)
    batch = batch_of(host, till)
    assert batch["state"] == "closed"
    assert batch["exceptions"], "what the terminal reports is kept"
    assert [t["state"] for t in host.api.items("/transactions", tid=till.tid)] == ledger
    if till.family == "cup":  # T uploads as for a 2
        assert till.upload((2, 10000), (3, 5000), (9, 2000)) == ["00"]
        assert till.end(3)[39] == "00"
        assert [t["state"] for t in host.api.items("/transactions", tid=till.tid)] == ledger


# ---- numbers


def test_a_number_that_nobody_knows(till: RawTill, host: HostProcess) -> None:
    """CUP: 22 and 3/3 while the open batch holds items; NAC follows; ISO 87 has none on the wire."""
    if till.family == "cup":
        answer = till.settle(RIGHT, batch="000009")
        assert (answer[39], answer[48][30], answer[48][61]) == ("22", "3", "3")
        assert batch_of(host, till)["state"] == "open"
        return
    assert till.settle(RIGHT, batch="000009")[39] == "00"
    assert batch_of(host, till)["state"] == "closed"
    if till.family == "nac":
        assert batch_of(host, till)["number"] == "000009"


def test_a_number_that_nobody_knows_is_adopted_by_an_empty_batch(
    host: HostProcess, request: pytest.FixtureRequest
) -> None:
    with RawTill(host.url("cup"), tid_of(request)) as till:
        assert said(till.settle((0, 0), batch="000009")) == {48: cup_totals(codes="11")}


def test_a_strict_nac_host_says_80(host: HostProcess, request: pytest.FixtureRequest) -> None:
    """`batch_number = "strict"`: after the first close any other number than the next is refused, nothing closes."""
    with RawTill(_strict(host), tid_of(request)) as till:
        till.sale(10000)
        assert till.settle(ONE, batch="000005")[39] == "00"
        till.sale(10000)
        assert till.settle(ONE, batch="000009")[39] == "80"
        assert [b["state"] for b in host.api.items("/batches", tid=till.tid)] == ["closed", "open"]
        assert till.settle(ONE, batch="000006")[39] == "00"


def _strict(host: HostProcess) -> str:
    path = next(host.folder.glob("strict.toml"))
    return f"{path}://127.0.0.1:{host.listening.ports['strict']}"


def test_a_stale_number_of_nac_is_80_and_its_items_stay(host: HostProcess, request: pytest.FixtureRequest) -> None:
    """The number is closed and the open batch holds items of the terminal's own: the number is wrong, not the items."""
    with RawTill(host.url("nac"), tid_of(request)) as till:
        till.sale(10000)
        assert till.settle(ONE)[39] == "00"
        till.sale(5000)
        assert till.settle((1, 5000), batch="000001")[39] == "80"
        assert till.settle((1, 5000), batch="000002")[39] == "00"
        batches = host.api.items("/batches", tid=till.tid)
        assert [(b["number"], b["state"]) for b in batches][:2] == [("000001", "closed"), ("000002", "closed")]


# ---- nothing to settle


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_empty_batch(dialect: str, host: HostProcess, request: pytest.FixtureRequest) -> None:
    """Empty on both sides: agreed, and the next number follows."""
    with RawTill(host.url(dialect), tid_of(request)) as till:
        if dialect == "iso87":
            till.ask("0800", {70: "301"})  # a first contact
        answer = said(till.settle((0, 0)))
        if dialect == "cup":
            assert answer == {48: cup_totals(codes="11")}
            assert till.end(0, "207")[39] == "00"
        elif dialect == "nac":
            assert answer == {39: "00", 63: nac_totals()}
        else:
            assert (answer[39], answer[66], answer[97][1:]) == ("00", "1", "0" * 16)
        numbers = [(b["number"], b["state"]) for b in host.api.items("/batches", tid=till.tid)]
        assert numbers[0] == ("000001", "closed")
        till.batch = "000002"
        assert till.sale(1000)[39] == "00"
        assert [b["number"] for b in host.api.items("/batches", tid=till.tid)][1:] == ["000002"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_terminal_sends_nothing_for_an_empty_batch(
    dialect: str, host: HostProcess, request: pytest.FixtureRequest
) -> None:
    with TcpTill(host.url(dialect), tid_of(request)) as till:
        till.sign_on()
        assert till.press(Settle()).end is End.NOTHING
        assert "0500" not in till.requests()


def test_a_0500_that_cannot_be_read(till: RawTill, host: HostProcess) -> None:
    """30, and the batch stays as it is; CUP's codes are 3/3 if any."""
    if till.family == "cup":
        answer = till.ask("0500", {48: "0" * 60, 49: "156", 60: "00000001201", 63: "01 "})
        assert (answer.get(48) or "")[30:31] in ("", "3")
    elif till.family == "nac":
        answer = till.ask("0500", {3: "920000", 60: "000001", 63: "00X" + "0" * 87})
    else:
        answer = till.ask("0500", {15: till.day, 50: "156"})  # DE 74 to 97 are missing
    assert answer[39] == "30"
    assert batch_of(host, till)["state"] == "open"
    assert (till.settle(RIGHT).get(39) or "00") == "00", "and it can be settled after"


# ---- the worked example


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_worked_example_of_the_rules(dialect: str, host: HostProcess, request: pytest.FixtureRequest) -> None:
    """S1 100.00 with tip 10.00; S2 50.00, voided; refund R 20.00; S3 80.00 reversed; O 40.00 offline; F 30.00 foreign.
    Net 160.00; the digits are those of rules.md, section 5."""
    domestic, foreign = card_from("credit1", "swipe"), card_from("foreign1", "swipe")
    with TcpTill(host.url(dialect), tid_of(request)) as till:
        till.sign_on()
        first = till.press(Sale(10000, domestic))
        assert till.press(Adjust(first.stan, tip=1000)).end is End.APPROVED
        second = till.press(Sale(5000, domestic))
        assert till.press(Void(second.stan)).end is End.APPROVED
        assert till.press(Refund(2000, stan=first.stan)).end is End.APPROVED
        host.api.fault("drop-reply", {"tid": till.tid, "kind": "sale", "amount": 8000})
        assert till.press(Sale(8000, domestic), waits_s=LOST_S).end is End.UNKNOWN
        assert till.press(OfflineSale(4000, domestic)).end is End.APPROVED
        assert till.press(Sale(3000, foreign)).end is End.APPROVED
        settled = till.press(Settle())
        assert settled.end is End.AGREED
        (asked,), (answered,) = till.messages("0500"), till.messages("0510")
        till.hand_over(host.api)
    if dialect == "cup":
        debit, credit, abroad, nothing = "000000020000003", "000000007000002", "000000003000001", "0" * 15
        assert asked[48] == f"{debit}{credit}0{abroad}{nothing}0"
        assert answered[48] == f"{debit}{credit}1{abroad}{nothing}1"
        assert 39 not in answered
    elif dialect == "nac":
        digits = "003000000018000" + "001000000002000" + "0" * 60
        assert (asked[63], answered[63], answered[39]) == (digits, digits, "00")
    else:
        figures = {74: "0000000001", 75: "0000000000", 76: "0000000005", 77: "0000000002"}
        figures |= {86: f"{2000:016d}", 87: "0" * 16, 88: f"{31000:016d}", 89: f"{13000:016d}"}
        figures |= {97: "D0000000000016000"}
        assert {de: asked[de] for de in figures} == figures
        assert {de: answered[de] for de in figures} == figures
        assert (answered[39], answered[66]) == ("00", "1")
    batch = batch_of(host, till)
    assert (batch["state"], batch["exceptions"]) == ("closed", [])
    standing = [t for t in batch["items"] if t["state"] == "captured"]
    replaced = {"sale": [t["approved_amount"] for t in standing if t["kind"] == "sale"]}
    assert replaced["sale"] == [10000, 3000], "the 100.00 gives way to the 110.00 of its tip"
    assert 11000 + 4000 + 3000 - 2000 == 16000
    # E2: what is settled is the net, whatever the wire's gross figures
    money = [
        posting["amount"]
        for item in host.api.items("/transactions", tid=till.tid)
        for posting in host.api.get(f"/transactions/{item['id']}")["money"]
        if posting["book"] == "acquirer" and posting["account"].startswith("merchant")
    ]
    assert -sum(money) == 16000


def test_audit_finds_nothing(host: HostProcess, acquirer_host: HostCommand) -> None:
    ended = acquirer_host("audit", "--api", host.api.base)
    assert ended.returncode == 0
    assert ended.stdout.startswith("the books are right: every invariant holds\n")
