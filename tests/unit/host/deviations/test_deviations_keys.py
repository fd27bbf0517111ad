"""Deviations in what is «the same transaction», and in what a reversal undoes. Each beside the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.rows import Txn, TxnState
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, NAC, TID, code
from tests.support.host_engine import EngineHost
from tests.support.money import ISO87, a_desk

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
EACH = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])


# ---- rev-twice (case 3)


@BOTH
@pytest.mark.parametrize(("bugs", "left"), [(("rev-twice",), -10_000), ((), 0)], ids=["deviant", "reference"])
def test_a_repeated_reversal(profile: Profile, bugs: tuple[str, ...], left: int) -> None:
    """FC 3: «H undoes twice (C gains)»: the merchant pays 100.00 for a sale that never was, the card gets it."""
    desk = a_desk(profile, bugs=bugs)
    desk.sale(1)
    assert [code(desk.reverse(1)) for _ in range(2)] == ["00", "00"]
    assert (desk.payable(), desk.bank.debited) == (left, left)
    assert desk.txn(1).state is TxnState.REVERSED


def test_rev_twice_after_the_close_is_a_second_adjustment() -> None:
    desk = a_desk(bugs=("rev-twice",))
    desk.sale(1)
    desk.close_batch()
    assert [code(desk.reverse(1)) for _ in range(3)] == ["00"] * 3
    assert (desk.payable(), desk.bank.debited) == (-20_000, -20_000)


def test_rev_twice_does_not_undo_what_was_never_seen() -> None:
    desk = a_desk(bugs=("rev-twice",))
    assert [code(desk.reverse(1)) for _ in range(2)] == ["25", "25"]
    assert desk.asked == []


# ---- orphan-approved (case 6)


@EACH
@pytest.mark.parametrize(
    ("bugs", "said", "charged"), [(("orphan-approved",), "00", 10_000), ((), "12", 0)], ids=["deviant", "reference"]
)
def test_the_original_behind_its_reversal(profile: Profile, bugs: tuple[str, ...], said: str, charged: int) -> None:
    """FC 6: «H approves the orphan»: the terminal is done with it, the card has paid."""
    desk = a_desk(profile, bugs=bugs)
    assert code(desk.reverse(1)) == "25"
    assert code(desk.sale(1)) == said
    assert (desk.payable(), desk.bank.debited) == (charged, charged)


# ---- dup-posts (case 9)


@EACH
@pytest.mark.parametrize(("bugs", "times"), [(("dup-posts",), 2), ((), 1)], ids=["deviant", "reference"])
def test_a_request_that_is_delivered_twice(profile: Profile, bugs: tuple[str, ...], times: int) -> None:
    """FC 9: «DC, H count +1»."""
    desk = a_desk(profile, bugs=bugs)
    day, time = ("0302", "090000") if profile is ISO87 else ("", "")
    assert [code(desk.sale(1, local_date=day, local_time=time)) for _ in range(2)] == ["00", "00"]
    assert (desk.payable(), desk.bank.debited) == (times * 10_000, times * 10_000)
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert batch.running == f'{{"sale": [{times}, {times * 10_000}]}}'


def test_dup_posts_keeps_tombstones() -> None:
    desk = a_desk(bugs=("dup-posts",))
    desk.reverse(1)
    assert code(desk.sale(1)) == "12"


@EACH
def test_dup_posts_passes_the_store_that_forbids_two_of_one_key(profile: Profile) -> None:
    host = EngineHost("sqlite://", profile=profile, bugs=("dup-posts",))
    for _ in range(2):
        assert host.ask(Kind.SALE, stan=1, amount=10_000) == ["00"]
    assert host.money() == (20_000, 20_000)
    assert len(host.rows(Txn)) == 2


# ---- forget-keys (case 18)


@BOTH
@pytest.mark.parametrize(("bugs", "times"), [(("forget-keys",), 2), ((), 1)], ids=["deviant", "reference"])
def test_a_repeat_after_a_restart(profile: Profile, bugs: tuple[str, ...], times: int) -> None:
    """FC 18: «H restart loses dedupe table: repeat posts again, DC»."""
    desk = a_desk(profile, bugs=bugs)
    assert [code(desk.sale(1)) for _ in range(2)] == ["00", "00"]
    assert desk.payable() == 10_000
    desk.restart()
    assert [code(desk.sale(1)) for _ in range(3)] == ["00"] * 3
    assert (desk.payable(), desk.bank.debited) == (times * 10_000, times * 10_000)


def test_forget_keys_is_told_when_its_process_began() -> None:
    """A process that is resumed from a snapshot has not restarted."""
    desk = a_desk(bugs=("forget-keys",))
    desk.sale(1)
    desk.restart(since=0)
    desk.sale(1)
    assert desk.payable() == 10_000


# ---- site-b-alone (case 69)
# ---- written-is-delivered (case 70)


@EACH
@pytest.mark.parametrize(
    ("bugs", "said", "charged"), [(("site-b-alone",), "25", 10_000), ((), "00", 0)], ids=["deviant", "reference"]
)
def test_a_reversal_at_the_other_site(profile: Profile, bugs: tuple[str, ...], said: str, charged: int) -> None:
    """FC 69: «site A commits and dies; rev to B leaves a tombstone»; A's posting stands beside it."""
    desk = a_desk(profile, bugs=bugs)
    assert code(desk.sale(1)) == "00"
    desk.restart()
    assert [code(desk.reverse(1)) for _ in range(2)] == [said, said]
    assert (desk.payable(), desk.bank.debited) == (charged, charged)
    tombstones = [txn for txn in desk.rows(Txn) if txn.state is TxnState.TOMBSTONE]
    assert len(tombstones) == (1 if bugs else 0)


@BOTH
@pytest.mark.parametrize(("bugs", "times"), [(("site-b-alone",), 2), ((), 1)], ids=["deviant", "reference"])
def test_a_repeat_at_the_other_site(profile: Profile, bugs: tuple[str, ...], times: int) -> None:
    """FC 69: «A and B each may post»: the stored item that A has booked is booked by B as well, and by B once."""
    desk = a_desk(profile, bugs=bugs)
    first = code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=10_000)))
    desk.restart()
    repeats = [code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=10_000))) for _ in range(3)]
    assert [first, *repeats] == ["00"] * 4
    assert (desk.payable(), desk.bank.debited) == (times * 10_000, times * 10_000)


def test_site_b_alone_undoes_its_own() -> None:
    desk = a_desk(bugs=("site-b-alone",))
    desk.sale(1)
    desk.restart()
    desk.sale(2)
    assert code(desk.reverse(2)) == "00"
    assert code(desk.reverse(1)) == "25"
    assert code(desk.sale(1)) == "12"  # its own tombstone: it keeps the rules as far as it knows
    assert desk.payable() == 10_000


@EACH
@pytest.mark.parametrize(
    ("bugs", "said", "left"), [(("site-b-alone",), "25", 11_400), ((), "00", 700)], ids=["deviant", "reference"]
)
def test_two_sites_over_one_store(
    profile: Profile, bugs: tuple[str, ...], said: str, left: int, tmp_path: Path
) -> None:
    """The store that both share takes what B books a second time, and its tombstone."""
    host = EngineHost(f"sqlite:///{tmp_path / 'both.db'}", profile=profile, bugs=bugs)
    assert host.ask(Kind.SALE, stan=1, amount=10_000) == ["00"]
    assert host.ask(Kind.SALE, stan=2, amount=700) == ["00"]
    other = host.crash_and_restart()
    assert other.ask(Kind.SALE, stan=2, amount=700) == ["00"]
    assert other.ask(Kind.REVERSAL, stan=1, amount=10_000) == [said]
    assert other.money() == (left, left)
    other.crash()


# ---- written-is-delivered (case 70)


@EACH
@pytest.mark.parametrize(
    ("bugs", "left", "state"),
    [(("written-is-delivered",), 10_000, TxnState.CAPTURED), ((), 0, TxnState.REVERSED)],
    ids=["deviant", "reference"],
)
def test_the_reversal_of_an_answer_that_never_arrived(
    profile: Profile, bugs: tuple[str, ...], left: int, state: TxnState
) -> None:
    """FC 70: «H answers on the dead socket and counts it delivered»: done, it says, and the card has paid."""
    desk = a_desk(profile, bugs=bugs)
    day, time = ("0302", "090000") if profile is ISO87 else ("", "")
    assert code(desk.sale(1, local_date=day, local_time=time)) == "00"
    assert [code(desk.reverse(1)) for _ in range(2)] == ["00", "00"]
    assert (desk.payable(), desk.bank.debited, desk.txn(1).state) == (left, left, state)
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert batch.running == ('{"sale": [1, 10000]}' if bugs else "{}")


@BOTH
def test_written_is_delivered_undoes_what_it_has_not_answered_yet(profile: Profile) -> None:
    desk = a_desk(profile, bugs=("written-is-delivered",))
    desk.bank.mode = "deaf"
    desk.sale(1)
    assert code(desk.reverse(1)) == "00"
    desk.bank.mode = "answers"
    desk.silence()
    assert (desk.txn(1).state, desk.payable(), desk.bank.debited) == (TxnState.REVERSED, 0, 0)


def test_written_is_delivered_holds_for_closed_batches_too() -> None:
    desk = a_desk(bugs=("written-is-delivered",))
    desk.sale(1)
    desk.close_batch()
    assert code(desk.reverse(1)) == "00"
    assert (desk.payable(), desk.bank.debited) == (10_000, 10_000)


# ---- today-by-terminal (case 52)


@EACH
@pytest.mark.parametrize(
    ("bugs", "date", "said", "left"),
    [
        ((), "0303", "00", 0),
        (("today-by-terminal",), "0302", "00", 0),
        (("today-by-terminal",), "", "00", 0),
        (("today-by-terminal",), "0303", "12", 10_000),
    ],
    ids=["reference", "right-clock", "no-date", "deviant"],
)
def test_the_void_of_a_terminal_whose_clock_is_fast(
    profile: Profile, bugs: tuple[str, ...], date: str, said: str, left: int
) -> None:
    """FC 52: «void "not today" fails»: ten minutes to midnight, and the host's day is still the sale's."""
    desk = a_desk(profile, bugs=bugs)
    assert desk.do(Kind.SALE, 1, 10_000) == "00"
    assert desk.do(Kind.VOID, 2, 10_000, of=1, local_date=date, local_time="000500" if date else "") == said
    assert (desk.payable(), desk.bank.debited) == (left, left)
    desk.check()
