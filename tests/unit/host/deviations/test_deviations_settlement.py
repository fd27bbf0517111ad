"""Deviations in the settlement: which batch a 0500 means, and what it is told. Each beside the reference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.events import CloseBatch, Cutover
from host.engine.items import digest
from host.issuer.link import FaultKind, LinkFault
from host.rows import Batch, BatchState, Posting, Txn
from specs.operation import Kind, Outcome, UploadItem, Verdict
from specs.profile import Profile
from specs.totals import Totals
from tests.support.books import cup_totals, nac_totals, uploaded
from tests.support.engine import CUP, NAC, PAN, TID, Desk, code
from tests.support.host_engine import EngineHost
from tests.support.money import MoneyDesk, a_desk

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])


def sales(profile: Profile, count: int, amount: int) -> Totals:
    """The totals of a terminal that has sold so much."""
    return cup_totals((count, amount)) if profile.family == "cup" else nac_totals((count, amount))


def settle(desk: Desk, stan: int, totals: Totals, batch: str = "000001", *, final: bool = False) -> Outcome:
    """The 0500 of a batch (NAC: with its number in DE 60), or its trailer."""
    outcome = desk.send(desk.request(Kind.SETTLE, stan=stan, totals=totals, batch=batch, final=final))
    assert outcome is not None
    return outcome


def item(stan: int, amount: int, rrn: str = "") -> UploadItem:
    """One sale of an upload, as both dialects have it: with the card."""
    return replace(uploaded(stan, amount, rrn=rrn), pan=PAN)


def upload(desk: Desk, stan: int, *items: UploadItem, batch: str | None = "000001") -> Outcome:
    """The 0320 under this STAN; NAC names no batch."""
    request = desk.request(Kind.UPLOAD, stan=stan, items=items, batch=batch if desk.profile is CUP else None)
    outcome = desk.send(replace(request, item_hashes=tuple(f"hash-of-{i.pan[-4:]}" for i in items)))
    assert outcome is not None
    return outcome


def batches(desk: Desk) -> dict[str, str]:
    return {b.number: b.state.value for b in desk.books.batches(TID)}


def closed_once(profile: Profile, *bugs: str) -> MoneyDesk:
    """Batch 000001 with one sale of 100.00, settled and agreed."""
    desk = a_desk(profile, bugs=bugs)
    desk.sale(1)
    assert settle(desk, 90, sales(profile, 1, 10_000)).verdict is Verdict.AGREED
    return desk


# ---- replay-any-totals (cases 31, 47)


def test_replay_any_totals_tells_a_stale_number_00_while_its_items_wait_elsewhere() -> None:
    """FC 31: «stored 00 replayed, T clears unsettled items». T sold 60.00 more under the number that H has closed."""
    desk = closed_once(NAC, "replay-any-totals")
    desk.sale(2, 6_000)
    said = settle(desk, 91, sales(NAC, 1, 6_000))
    assert (said.code, said.totals) == ("00", sales(NAC, 1, 10_000))
    assert batches(desk) == {"000001": "closed", "000002": "open"}


def test_the_reference_calls_a_stale_number_stale() -> None:
    desk = closed_once(NAC)
    desk.sale(2, 6_000)
    assert settle(desk, 91, sales(NAC, 1, 6_000)).code == "80"


@BOTH
def test_replay_any_totals_agrees_with_totals_that_it_never_had(profile: Profile) -> None:
    """FC 47: two units, one TID: the second one's 0500 gets the first one's answer."""
    desk = closed_once(profile, "replay-any-totals")
    said = settle(desk, 91, sales(profile, 7, 70_000))
    assert said.verdict is Verdict.AGREED
    assert all(verdict is Verdict.AGREED for _, verdict in said.sides)
    honest = closed_once(profile)
    assert settle(honest, 91, sales(profile, 7, 70_000)).verdict is Verdict.CLOSED_OTHER


@BOTH
def test_replay_any_totals_compares_an_open_batch(profile: Profile) -> None:
    desk = Desk(profile, bugs=("replay-any-totals",))
    desk.sale(1)
    assert settle(desk, 90, sales(profile, 1, 9_999)).verdict is Verdict.DIFFERS
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert batch.state is BatchState.DISPUTED


# ---- settle-dup-refused, settle-dup-empty (case 28)


@BOTH
def test_settle_dup_refused_leaves_the_terminal_waiting(profile: Profile) -> None:
    """FC 28: «H says duplicate batch and T waits for a phone call»."""
    desk = closed_once(profile, "settle-dup-refused")
    said = [settle(desk, stan, sales(profile, 1, 10_000)) for stan in (91, 92)]
    assert [outcome.code for outcome in said] == ["94", "94"]
    honest = closed_once(profile)
    assert settle(honest, 91, sales(profile, 1, 10_000)).verdict is Verdict.AGREED


@BOTH
def test_settle_dup_refused_only_refuses_a_repeat(profile: Profile) -> None:
    desk = closed_once(profile, "settle-dup-refused")
    assert settle(desk, 91, sales(profile, 2, 10_001)).verdict is Verdict.CLOSED_OTHER


@BOTH
def test_settle_dup_empty_settles_a_batch_twice(profile: Profile) -> None:
    """FC 28: «H opens an empty batch, 95, all items uploaded: DS»."""
    desk = closed_once(profile, "settle-dup-empty")
    assert settle(desk, 91, sales(profile, 1, 10_000)).verdict is Verdict.DIFFERS
    assert upload(desk, 92, item(1, 10_000, rrn=desk.txn(1).rrn)).code == "00"
    end = desk.request(Kind.UPLOAD_END, stan=93, count=1)
    said = desk.send(end) if profile is CUP else settle(desk, 93, sales(profile, 1, 10_000), final=True)
    assert said is not None
    assert said.code == "00"
    assert batches(desk) == {"000001": "closed", "000002": "closed", "000003": "open"}
    assert [t.wire_batch for t in desk.rows(Txn)] == (["000001"] * 2 if profile is CUP else ["", ""])
    assert (desk.payable(), desk.bank.debited) == (20_000, 20_000)


@BOTH
def test_the_reference_settles_it_once(profile: Profile) -> None:
    desk = closed_once(profile)
    assert settle(desk, 91, sales(profile, 1, 10_000)).verdict is Verdict.AGREED
    upload(desk, 92, item(1, 10_000, rrn=desk.txn(1).rrn))
    assert (desk.payable(), desk.bank.debited) == (10_000, 10_000)


# ---- closed-sale-moved (case 29)


def test_closed_sale_moved_books_it_in_the_next_batch() -> None:
    """FC 29: «own-batch hosts book it to b+1»: the terminal counts it in the batch that it has not closed yet."""
    desk = closed_once(CUP, "closed-sale-moved")
    assert [code(desk.sale(2, 6_000, batch="000001")) for _ in range(2)] == ["00", "00"]
    assert (desk.payable(), desk.txn(2).wire_batch) == (16_000, "000001")
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert (batch.number, batch.running) == ("000002", '{"sale": [1, 6000]}')
    assert code(desk.reverse(2, 6_000, batch="000001")) == "00"
    assert (desk.payable(), desk.bank.debited) == (10_000, 10_000)


def test_closed_sale_moved_knows_what_the_closed_batch_has() -> None:
    desk = closed_once(CUP, "closed-sale-moved")
    assert code(desk.sale(1)) == "00"  # a replay
    assert (desk.payable(), len(desk.rows(Txn))) == (10_000, 1)


def test_the_reference_refuses_a_sale_of_a_closed_number() -> None:
    desk = closed_once(CUP)
    assert code(desk.sale(2, 6_000, batch="000001")) == "22"
    assert desk.payable() == 10_000


# ---- batch-follow-empty (case 30)


def test_batch_follow_empty_never_agrees() -> None:
    """FC 30: «H treats 12 as empty: endless 95»."""
    desk = closed_once(NAC, "batch-follow-empty")
    desk.sale(2, 6_000)
    totals = sales(NAC, 1, 6_000)
    for stan in (91, 93, 95):
        assert settle(desk, stan, totals, "000012").code == "95"
        upload(desk, stan, item(2, 6_000, rrn=desk.txn(2).rrn), batch=None)
        assert settle(desk, stan + 1, totals, "000012", final=True).code == "95"
    assert batches(desk) == {"000001": "closed", "000002": "open"}
    honest = closed_once(NAC)
    honest.sale(2, 6_000)
    assert settle(honest, 91, totals, "000012").code == "00"


def test_batch_follow_empty_of_a_cup_host_has_items_that_nobody_settles() -> None:
    desk = Desk(CUP, bugs=("batch-follow-empty",))
    desk.sale(1)
    said = settle(desk, 91, sales(CUP, 1, 10_000), "000012")
    assert dict(said.sides)["domestic"] is Verdict.DIFFERS
    assert batches(desk) == {"000001": "open"}
    honest = Desk(CUP)
    honest.sale(1)
    assert settle(honest, 91, sales(CUP, 1, 10_000), "000012").code == "22"


# ---- splits-day (case 43)


def cutover(desk: Desk) -> None:
    batch = desk.books.open_batch(TID)
    assert batch is not None
    desk.send(Cutover(batch.id, TID, "cutoff", day="2026-03-02", ended_at=desk.now.isoformat()))


@BOTH
def test_splits_day_books_what_was_at_the_issuer_in_the_next_batch(profile: Profile) -> None:
    """FC 43: «T counts in b, H in b+1»: S2 of 60.00 was in flight when the day turned."""
    desk = a_desk(profile, bugs=("splits-day",))
    desk.sale(1)
    desk.bank.mode = "late"
    waits = desk.sale(2, 6_000)
    cutover(desk)
    assert waits is None
    assert batches(desk)["000001"] == "closed-with-exceptions"
    desk.bank.mode = "answers"
    assert code(desk.send(desk.bank.late[0])) == "00"
    assert desk.said[-1][0] == desk.rows(Txn)[1].id  # whoever waits for the sale hears it
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert batch.running == '{"sale": [1, 6000]}'
    assert (desk.payable(), desk.bank.debited) == (16_000, 16_000)
    desk.check_running()


@BOTH
def test_splits_day_tells_a_no_as_the_reference_does(profile: Profile) -> None:
    desk = a_desk(profile, bugs=("splits-day",))
    desk.sale(1)
    desk.bank.mode = "deaf"
    desk.sale(2, 6_000)
    cutover(desk)
    assert [o.code for o in desk.silence()] == ["98" if profile is CUP else "91"]
    assert [t.state for t in desk.rows(Txn)] == ["captured", "declined", "declined"]
    assert (desk.payable(), desk.bank.debited) == (10_000, 10_000)


@BOTH
def test_the_reference_waits_with_the_close(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.sale(1)
    desk.bank.mode = "late"
    desk.sale(2, 6_000)
    cutover(desk)
    assert desk.last.waits_tid
    assert batches(desk) == {"000001": "open"}


def test_splits_day_in_a_whole_host() -> None:
    """The store takes it, and so do both books."""
    host = EngineHost("sqlite://", bugs=("splits-day",))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.faults.append(LinkFault(FaultKind.LATE, times=1, seconds=10))
    sale = host.request(Kind.SALE, stan=2, amount=6_000)
    host.submit(sale)
    host.run()
    batch = host.rows(Batch)[0]
    host.runner.submit(CloseBatch(batch.id, TID, "test"))
    host.run()
    host.later(11)
    host.later(21)
    assert [o.code for r, o in host.heard if r is sale and o is not None] == ["00"]
    assert host.money() == (16_000, 16_000)
    assert [(b.number, b.running) for b in host.rows(Batch)][1] == ("000002", '{"sale": [1, 6000]}')


# ---- drops-carried (case 44)


@pytest.mark.parametrize(("bugs", "booked"), [(("drops-carried",), 0), ((), 4_000)], ids=["deviant", "reference"])
def test_a_stored_sale_that_comes_after_the_close(bugs: tuple[str, ...], booked: int) -> None:
    """FC 44: «counted as settled by T: SNF»: answered 00, in nobody's books."""
    desk = closed_once(CUP, *bugs)
    for _ in range(2):
        said = desk.send(desk.request(Kind.OFFLINE_SALE, stan=2, amount=4_000, batch="000001"))
        assert code(said) == "00"
    assert (desk.payable(), desk.bank.debited) == (10_000 + booked, 10_000 + booked)
    assert code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=3, amount=1_000, batch="000002"))) == "00"
    assert desk.payable() == 11_000 + booked


# ---- late-into-closed (case 44)


@pytest.mark.parametrize(
    ("bugs", "batch", "settlement"),
    [(("late-into-closed",), "000001", "settled"), ((), "000002", "open")],
    ids=["deviant", "reference"],
)
def test_the_batch_of_a_stored_sale_that_comes_after_the_close(
    bugs: tuple[str, ...], batch: str, settlement: str
) -> None:
    """FC A7: «the item digest of a closed batch never changes»."""
    desk = closed_once(CUP, *bugs)
    first = desk.books.batches(TID)[0]
    said = desk.send(desk.request(Kind.OFFLINE_SALE, stan=2, amount=4_000, batch="000001"))
    assert code(said) == "00"
    late = desk.txn(2)
    home = desk.books.get(Batch, late.batch_id)
    assert home is not None
    assert (home.number, late.settlement, late.carried) == (batch, settlement, not bugs)
    assert {p.batch_id for p in desk.rows(Posting) if p.txn_id == late.id} == {home.id}
    items = desk.books.txns_of_batch(first.id)
    assert (digest(items) == first.digest) is not bool(bugs)
    assert (desk.payable(), desk.bank.debited) == (14_000, 14_000)


def test_late_into_closed_leaves_what_comes_in_time_alone() -> None:
    desk = closed_once(CUP, "late-into-closed")
    assert code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=3, amount=1_000, batch="000002"))) == "00"
    assert code(desk.sale(4, 2_000, batch="000002")) == "00"
    assert [t.settlement for t in desk.rows(Txn)] == ["settled", "open", "open"]
    desk.check()


def test_the_store_takes_what_late_into_closed_writes() -> None:
    host = EngineHost("sqlite://", profile=CUP, bugs=("late-into-closed",))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.ask(Kind.SETTLE, stan=90, totals=cup_totals((1, 10_000)), batch="000001")
    assert host.ask(Kind.OFFLINE_SALE, stan=2, amount=4_000, batch="000001") == ["00"]
    host.later(21)
    assert [(t.batch_id, t.settlement) for t in host.rows(Txn)] == [(1, "settled"), (1, "settled")]


# ---- stale-refused (case 42)


@BOTH
@pytest.mark.parametrize(
    ("bugs", "age", "verdict", "paid"),
    [
        ((), 3, Verdict.AGREED, 10_000),
        (("stale-refused",), 1, Verdict.AGREED, 10_000),
        (("stale-refused",), 3, Verdict.DIFFERS, 0),
    ],
    ids=["reference", "in-time", "deviant"],
)
def test_a_sale_that_is_settled_days_late(
    profile: Profile, bugs: tuple[str, ...], age: int, verdict: Verdict, paid: int
) -> None:
    """FC 42: «holds expire, I refuses old items: SNF»: the goods are gone, the card is free, nobody pays."""
    desk = a_desk(replace(profile, capture="TC"), bugs=bugs)
    desk.sale(1)
    desk.later(days=age)
    assert settle(desk, 90, sales(profile, 1, 10_000)).verdict is verdict
    assert (desk.payable(), desk.bank.debited, desk.bank.held) == (paid, paid, 0)
    desk.check()


def test_stale_refused_leaves_what_was_captured_at_once() -> None:
    """HC: there is no hold that could run out."""
    desk = a_desk(bugs=("stale-refused",))
    desk.sale(1)
    desk.later(days=9)
    assert settle(desk, 90, sales(CUP, 1, 10_000)).verdict is Verdict.AGREED
    assert desk.payable() == 10_000
