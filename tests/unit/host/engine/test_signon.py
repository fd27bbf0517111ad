"""Sign-on: keys, batch number, epochs (rules.md, section 4; security.md, section 1; FC 23, 31, 46)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.context import Settings
from host.rows import Batch, BatchState, Terminal, TxnState
from specs.operation import Kind, Outcome
from specs.profile import Profile
from specs.security import unwrap_keys
from tests.support.engine import CUP, ISO87, NAC, TID, Desk, code, silent

TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
SIGNING = replace(CUP, requires_sign_on=True)


def sign_on(desk: Desk, stan: int = 1, batch: str | None = "000001", layout: int = 40) -> Outcome:
    said = desk.send(desk.request(Kind.SIGN_ON, stan=stan, batch=batch, key_layout=layout))
    assert said is not None
    return said


def terminal(desk: Desk) -> Terminal:
    return desk.rows(Terminal)[0]


def test_the_40_byte_layout_is_the_worked_example() -> None:
    """security.md 1 gives 3DES(TMK, MAK 1C2A3B4C5D6E7F80) = D021D1D9B117ECCD and its check value D07D8D03."""
    desk = Desk()
    keys = sign_on(desk).keys
    assert keys is not None
    assert keys[20:].hex().upper() == "D021D1D9B117ECCD" + "00" * 8 + "D07D8D03"


@pytest.mark.parametrize(("layout", "sizes"), [(24, (8, 8, 0)), (40, (16, 8, 0)), (60, (16, 8, 16))])
def test_each_layout_unwraps_to_the_keys_that_were_stored(layout: int, sizes: tuple[int, int, int]) -> None:
    desk = Desk()
    said = sign_on(desk, layout=layout)
    assert said.keys is not None
    assert len(said.keys) == layout
    got = unwrap_keys(TMK, said.keys)
    row = terminal(desk)
    assert (got.pik.hex().upper(), got.mak.hex().upper()) == (row.pik, row.mak)
    assert (len(got.pik), len(got.mak), len(got.tdk or b"")) == sizes
    assert (row.tdk != "") is (layout == 60)
    assert (row.signed_on, said.code) == (True, "00")
    assert row.mak not in repr(desk.last)


def test_a_log_on_without_keys_only_signs_on() -> None:
    desk = Desk(NAC)
    assert sign_on(desk, layout=0, batch=None).keys is None
    assert (terminal(desk).signed_on, terminal(desk).mak) == (True, "")


@pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])
def test_a_log_on_with_stan_1_after_a_higher_one_starts_a_new_epoch(profile: Profile) -> None:
    """FC 31, 46: there as in CUP yesterday's answer must not be replayed."""
    desk = Desk(profile)
    sign_on(desk, stan=1, layout=0, batch=None)
    desk.sale(2, amount=1)
    first = desk.txn(2).rrn
    assert sign_on(desk, stan=1, layout=0, batch=None).code == "00"
    assert (terminal(desk).epoch, desk.alarms()) == (1, [])  # that sign-on may have been held up: the next one tells
    again = desk.sale(2, amount=1)
    assert (terminal(desk).epoch, desk.alarms()) == (2, ["terminal-reset"])
    assert again is not None
    assert (again.code, again.rrn != first, desk.payable()) == ("00", True, 2)


@pytest.mark.parametrize(("required", "expected"), [(False, "00"), (True, "58")])
def test_iso87_asks_for_a_sign_on_only_where_its_profile_says_so(required: bool, expected: str) -> None:
    desk = Desk(replace(ISO87, requires_sign_on=required))
    assert code(desk.sale(1)) == expected
    sign_on(desk, stan=2, layout=0, batch=None)
    assert code(desk.sale(3)) == "00"
    assert code(desk.send(desk.request(Kind.SIGN_OFF, stan=4))) == "00"
    assert code(desk.sale(5)) == expected


def test_another_serial_number_under_one_tid_is_an_alarm() -> None:
    """FC 47: two units with one TID settle each other's batches."""
    desk = Desk()

    def by(serial: str, stan: int) -> None:
        desk.send(desk.request(Kind.SIGN_ON, stan=stan, key_layout=40, serial=serial))

    by("POS-A", 1)
    by("POS-A", 2)
    by("", 3)  # optional in a sign-on
    assert (desk.alarms(), terminal(desk).serial) == ([], "POS-A")
    by("POS-B", 4)
    assert (desk.alarms(), terminal(desk).serial) == (["two-serials"], "POS-B")
    by("POS-B", 5)
    assert desk.alarms() == ["two-serials"]


def test_a_re_flash_may_bring_another_unit_without_that_alarm() -> None:
    desk = Desk()
    desk.send(desk.request(Kind.SIGN_ON, stan=5, key_layout=40, serial="POS-A"))
    desk.send(desk.request(Kind.SIGN_ON, stan=1, key_layout=40, serial="POS-B"))
    desk.sale(2)
    assert (desk.alarms(), terminal(desk).serial, terminal(desk).epoch) == (["terminal-reset"], "POS-B", 2)


def test_the_old_mak_stays_until_the_new_one_is_used() -> None:
    desk = Desk()
    sign_on(desk)
    first = terminal(desk).mak
    assert terminal(desk).old_mak == ""
    desk.books.apply([replace(terminal(desk), mak="A" * 16)])
    sign_on(desk, stan=2)
    assert (terminal(desk).mak, terminal(desk).old_mak) == (first, "A" * 16)
    sign_on(desk, stan=3)  # the second answer may have been lost too: the key last used is the first to keep
    assert terminal(desk).old_mak.split() == ["A" * 16, first]
    for stan in range(4, 9):
        sign_on(desk, stan=stan)
    assert len(terminal(desk).old_mak.split()) == 4
    assert terminal(desk).old_mak.startswith("A" * 16)


def test_after_sign_off_only_a_sign_on_is_possible() -> None:
    desk = Desk(SIGNING)
    assert code(desk.sale(1)) == "A0"
    sign_on(desk, stan=2)
    assert code(desk.sale(3)) == "00"
    assert code(desk.send(desk.request(Kind.SIGN_OFF, stan=4))) == "00"
    assert code(desk.sale(5)) == "A0"
    assert code(desk.reverse(3)) == "A0"  # the terminal keeps its record and signs on first
    assert code(desk.send(desk.request(Kind.ECHO, stan=""))) == "00"


def test_60_2_of_the_answer_is_the_open_or_disputed_batch() -> None:
    desk = Desk()
    assert sign_on(desk, batch="000042").batch == "000042"  # first contact: the terminal's own number is adopted
    assert sign_on(desk, stan=2, batch="000077").batch == "000042"
    batch = desk.books.open_batch(TID)
    assert batch is not None
    desk.books.apply([replace(batch, state=BatchState.DISPUTED)])
    assert sign_on(desk, stan=3, batch="000077").batch == "000042"


def test_in_strict_the_first_batch_is_the_hosts() -> None:
    desk = Desk(settings=Settings(provisioning="strict"))
    desk.books.apply([Terminal(1, TID, "", "cup", "config", False, TMK.hex(), "", "", "", "", 1, "", "", "156")])
    said = desk.send(desk.request(Kind.SIGN_ON, stan=1, mid="", batch="000042", key_layout=40))
    assert said is not None
    assert said.batch == "000001"


def test_a_re_flashed_terminal_starts_a_new_epoch() -> None:
    """FC 31: yesterday's approval must not be fed to a tester who repeats the same 0.01 sale after a re-flash."""
    desk = Desk()
    sign_on(desk, stan=1)
    desk.sale(2, amount=1)
    desk.sale(3, amount=1)
    old_rrn = desk.txn(2).rrn
    assert sign_on(desk, stan=1, batch="000001").batch == "000001"
    again = desk.sale(2, amount=1)
    assert again is not None
    assert (terminal(desk).epoch, terminal(desk).last_stan) == (2, "000002")
    assert desk.alarms() == ["terminal-reset"]
    old = desk.rows(Batch)[0]
    assert (old.state, old.forced) == (BatchState.CLOSED_WITH_EXCEPTIONS, "terminal reset")
    assert again.code == "00"
    assert again.rrn != old_rrn
    assert desk.payable() == 3


def test_tombstones_of_an_earlier_epoch_leave_the_search() -> None:
    desk = Desk()
    sign_on(desk, stan=1)
    desk.reverse(5)
    sign_on(desk, stan=1)
    assert desk.txn(5).state is TxnState.TOMBSTONE
    assert code(desk.sale(2)) == "00"  # it goes on from its sign-on: re-flashed
    assert code(desk.sale(5)) == "00"


@pytest.mark.parametrize("copies", [1, 2])
def test_a_sign_on_that_was_held_up_parts_no_day(copies: int) -> None:
    """The explorer's finding: the first sign-on arrives behind the first sale (or comes once more), and the terminal
    goes on with its own numbers. Its batch stays whole."""
    desk = Desk()
    sign_on(desk, stan=2)
    desk.sale(3, amount=1)
    for _ in range(copies):
        sign_on(desk, stan=1)
    desk.sale(4, amount=1)
    assert (terminal(desk).epoch, desk.alarms(), len(desk.rows(Batch)), desk.payable()) == (1, [], 1, 2)


def test_neither_does_it_with_an_original_that_was_held_up_too() -> None:
    """The sale of STAN 2 was reversed unseen; its late copy is met with 12 and says nothing of a re-flash."""
    desk = Desk()
    desk.reverse(2)
    desk.sale(3, amount=1)
    sign_on(desk, stan=1)
    assert code(desk.sale(2)) == "12"
    assert code(desk.sale(4, amount=1)) == "00"
    assert (terminal(desk).epoch, desk.payable()) == (1, 2)


def test_a_reset_waits_for_what_is_at_the_issuer() -> None:
    desk = Desk(issuer=silent)
    sign_on(desk, stan=1)
    desk.sale(2)
    sign_on(desk, stan=1)
    request = desk.request(Kind.SALE, stan=2, amount=77)
    assert desk.send(request) is None
    assert (desk.last.waits_tid, desk.last.puts, terminal(desk).epoch) == (True, (), 1)
    desk.silence()
    desk.send(request)
    assert terminal(desk).epoch == 2


@pytest.mark.parametrize("settings", [Settings(terminal_reset="keep"), Settings(provisioning="strict")])
def test_terminal_reset_keep(settings: Settings) -> None:
    desk = Desk()
    sign_on(desk, stan=1)
    desk.sale(2)
    desk.settings = settings
    sign_on(desk, stan=1)
    assert (terminal(desk).epoch, desk.alarms()) == (1, [])
    assert code(desk.sale(2)) == "00"
    assert desk.payable() == 10_000


def test_an_echo_opens_no_batch_and_changes_no_key() -> None:
    desk = Desk(NAC)
    said = desk.send(desk.request(Kind.ECHO, stan=1))
    assert said is not None
    assert (said.code, said.at, said.batch, desk.rows(Batch)) == ("00", "0302090000", None, [])
