"""Deviations in the upload: what it posts, what it counts, what it drops. Each beside the reference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.rows import ExceptionItem, StagedItem, Txn, TxnState
from specs.operation import Kind, Outcome, UploadItem, Verdict
from specs.profile import Profile
from specs.totals import Totals
from tests.support.books import cup_totals, nac_totals, uploaded
from tests.support.engine import CUP, NAC, PAN, TID, Desk, code
from tests.support.host_engine import EngineHost
from tests.support.money import MoneyDesk, a_desk

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])


def sales(profile: Profile, count: int, amount: int) -> Totals:
    return cup_totals((count, amount)) if profile.family == "cup" else nac_totals((count, amount))


def settle(desk: Desk, stan: int, count: int, amount: int, *, final: bool = False) -> Outcome:
    totals = sales(desk.profile, count, amount)
    outcome = desk.send(desk.request(Kind.SETTLE, stan=stan, totals=totals, batch="000001", final=final))
    assert outcome is not None
    return outcome


def upload(desk: Desk, stan: int, *items: tuple[int, int]) -> str:
    """The 0320 under this STAN, with items of (STAN, amount) and their card; NAC with the RRN where H gave one."""
    request = desk.request(
        *(Kind.UPLOAD,),
        stan=stan,
        items=tuple(_item(desk, of, amount) for of, amount in items),
        batch="000001" if desk.profile is CUP else None,
    )
    return code(desk.send(replace(request, item_hashes=tuple("hash-of-0014" for _ in items))))


def _item(desk: Desk, stan: int, amount: int) -> UploadItem:
    known = desk.books.txns_by_stan(TID, f"{stan:06d}")
    return replace(uploaded(stan, amount, rrn=known[0].rrn if known and desk.profile is NAC else ""), pan=PAN)


def end(desk: Desk, stan: int, count: int, amount: int) -> Outcome:
    """CUP 202 with its count; NAC 960000 with the totals."""
    if desk.profile is NAC:
        return settle(desk, stan, count, amount, final=True)
    outcome = desk.send(desk.request(Kind.UPLOAD_END, stan=stan, count=count))
    assert outcome is not None
    return outcome


def in_dispute(profile: Profile, count: int, amount: int, *bugs: str) -> MoneyDesk:
    """Two sales of 100.00 and 20.00 at the host; the terminal claims otherwise."""
    desk = a_desk(profile, bugs=bugs)
    desk.sale(1)
    desk.sale(2, 2_000)
    assert settle(desk, 90, count, amount).verdict is Verdict.DIFFERS
    return desk


def listed(desk: Desk) -> list[tuple[str, str]]:
    return [(e.item_key.rpartition("/")[2], e.reason) for e in desk.rows(ExceptionItem)]


# ---- closes-partial (case 35)


@BOTH
def test_closes_partial_drops_what_has_not_come(profile: Profile) -> None:
    """FC 35: «H closes on partial set: missing items SNF»: STAN 2 is in neither the upload nor any list."""
    desk = in_dispute(profile, 3, 12_300, "closes-partial")
    upload(desk, 91, (1, 10_000))
    assert end(desk, 92, 3, 12_300).code == "00"
    assert [(b.number, b.state) for b in desk.books.batches(TID)] == [("000001", "closed"), ("000002", "open")]
    assert listed(desk) == []
    assert [t.settlement for t in desk.rows(Txn)] == ["settled", "exception"]


def test_the_reference_asks_a_nac_terminal_for_the_rest() -> None:
    desk = in_dispute(NAC, 3, 12_300)
    upload(desk, 91, (1, 10_000))
    assert end(desk, 92, 3, 12_300).code == "95"
    assert [b.state for b in desk.books.batches(TID)] == ["disputed"]


def test_the_reference_closes_a_cup_batch_with_what_is_missing_on_the_list() -> None:
    desk = in_dispute(CUP, 3, 12_300)
    upload(desk, 91, (1, 10_000))
    assert end(desk, 92, 3, 12_300).code == "00"
    assert [b.state for b in desk.books.batches(TID)] == ["closed-with-exceptions", "open"]
    assert listed(desk) == [("000002", "host-only")]


@pytest.mark.parametrize(
    ("bugs", "reasons"), [(("closes-partial",), []), ((), ["host-only"])], ids=["deviant", "reference"]
)
def test_under_tc_what_has_not_come_is_not_captured(bugs: tuple[str, ...], reasons: list[str]) -> None:
    """FC 35: the money is lost either way; with the deviation on no list."""
    desk = in_dispute(replace(NAC, capture="TC"), 3, 12_300, *bugs)
    for stan in (91, 93):  # the reference asks for the rest, and it does not come
        desk.send(desk.request(Kind.UPLOAD, stan=stan, items=(uploaded(1, 10_000),), batch=None))
        settle(desk, stan + 1, 3, 12_300, final=True)
    assert desk.states(1, 2) == ["captured", "expired"]
    assert sorted({reason for _, reason in listed(desk)}) == reasons


# ---- upload-dedupe-stan (case 36)


@BOTH
@pytest.mark.parametrize(("bugs", "times"), [(("upload-dedupe-stan",), 2), ((), 1)], ids=["deviant", "reference"])
def test_an_item_sent_again_under_a_new_stan(profile: Profile, bugs: tuple[str, ...], times: int) -> None:
    """FC 36: «dedupe by 0320 STAN: DS»: the ack was lost, the terminal begins again at item 1."""
    desk = in_dispute(profile, 1, 10_000, *bugs)
    assert upload(desk, 91, (1, 10_000)) == "00"
    assert upload(desk, 91, (1, 10_000)) == "00"  # the very same message
    assert (len(desk.rows(StagedItem)), desk.payable()) == (1, 12_000)
    assert upload(desk, 92, (1, 10_000)) == "00"
    assert len(desk.rows(StagedItem)) == times
    assert (desk.payable(), desk.bank.debited) == (times * 10_000 + 2_000,) * 2


# ---- posts-unknown (case 38)


@BOTH
@pytest.mark.parametrize(("bugs", "posted"), [(("posts-unknown",), 4_000), ((), 0)], ids=["deviant", "reference"])
def test_an_item_that_the_host_never_saw(profile: Profile, bugs: tuple[str, ...], posted: int) -> None:
    """FC 38: «HC host posts it: charge without authorisation»."""
    desk = in_dispute(profile, 3, 16_000, *bugs)
    upload(desk, 91, (1, 10_000), (2, 2_000), (7, 4_000))
    assert (desk.payable(), desk.bank.debited) == (12_000 + posted, 12_000 + posted)
    assert listed(desk) == []
    end(desk, 92, 3, 16_000)
    assert listed(desk) == ([] if posted else [("000007", "terminal-only")])


# ---- recaptures-reversed (case 39)


@BOTH
@pytest.mark.parametrize(
    ("bugs", "state", "money"),
    [(("recaptures-reversed",), TxnState.CAPTURED, 12_000), ((), TxnState.REVERSED, 2_000)],
    ids=["deviant", "reference"],
)
def test_a_reversed_item_that_is_uploaded(profile: Profile, bugs: tuple[str, ...], state: TxnState, money: int) -> None:
    """FC 39: «captured again after release: CNSale»."""
    desk = a_desk(profile, bugs=bugs)
    desk.sale(1)
    desk.sale(2, 2_000)
    desk.reverse(1)
    settle(desk, 90, 2, 12_000)
    assert upload(desk, 91, (1, 10_000), (2, 2_000)) == "00"
    assert (desk.txn(1).state, desk.payable(), desk.bank.debited) == (state, money, money)
    desk.check_running()


# ---- in a whole host


@pytest.mark.parametrize("name", ["upload-dedupe-stan", "posts-unknown"])
def test_the_store_takes_what_they_write(name: str) -> None:
    host = EngineHost("sqlite://", profile=NAC, bugs=(name,))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.ask(Kind.SETTLE, stan=90, totals=nac_totals((2, 14_000)), batch="000001")
    for stan, of, amount in ((91, 1, 10_000), (92, 1, 10_000), (93, 7, 4_000)):
        item = replace(uploaded(of, amount), pan=PAN)
        made = replace(host.request(Kind.UPLOAD, stan=stan, items=(item,)), item_hashes=(host.txn(1).pan_hash,))
        host.submit(made)
        host.run()
    host.later(21)
    assert [o.code for r, o in host.heard if r.operation.kind is Kind.UPLOAD and o] == ["00"] * 3
    assert host.money() == ((20_000, 20_000) if name == "upload-dedupe-stan" else (14_000, 14_000))


# ---- upload-overwrites (case 33)


@BOTH
@pytest.mark.parametrize(
    ("uploaded_as", "bugs", "booked"),
    [
        (15_000, ("upload-overwrites",), 15_000),
        (7_000, ("upload-overwrites",), 7_000),
        (15_000, (), 10_000),
        (7_000, (), 10_000),
    ],
)
def test_an_item_of_another_amount(profile: Profile, uploaded_as: int, bugs: tuple[str, ...], booked: int) -> None:
    """FC A9: «an upload item with known k changes no ledger»; the card has paid 100.00 and 20.00 either way."""
    desk = in_dispute(profile, 2, uploaded_as + 2_000, *bugs)
    assert upload(desk, 91, (1, uploaded_as), (2, 2_000)) == "00"
    assert (desk.txn(1).approved_amount, desk.payable(), desk.bank.debited) == (booked, booked + 2_000, 12_000)
    desk.check_running()
    end(desk, 92, 2, uploaded_as + 2_000)
    assert listed(desk) == ([] if bugs else [("000001", "AMT")])


@BOTH
def test_upload_overwrites_leaves_what_agrees_and_what_is_unknown_alone(profile: Profile) -> None:
    desk = in_dispute(profile, 3, 16_000, "upload-overwrites")
    upload(desk, 91, (1, 10_000), (2, 2_000), (7, 4_000))
    desk.check()
    assert desk.payable() == 12_000
    end(desk, 92, 3, 16_000)
    assert listed(desk) == [("000007", "terminal-only")]
