"""`terminal-sim recover`: what is owed goes, nothing is sold; with --every it is the idle timer (RT3)."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specs.dialect import load
from specs.operation import Kind
from specs.totals import BatchItem
from terminal_sim import recovery
from terminal_sim.clock import jittered
from terminal_sim.flash import KILLED, DirFlash
from terminal_sim.operators import documented_operators
from terminal_sim.recovery import Debt, What
from terminal_sim.state import Config, Memory
from terminal_sim.wire import Wire
from tests.support.scripted_host import code, drop
from tests.unit.terminal_sim.test_cli import TcpHost, memory, run, spawn

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
REVERSALS = ("0400", "0420", "0421")
WAIT_S = 10.0


class Shop:
    """A host and a till in a folder, signed on where that is needed, whose sale of 10.00 (STAN 000002 or 000001) waits
    for its reversal."""

    def __init__(self, folder: Path, dialect: str) -> None:
        self.host = TcpHost(dialect)
        self.till = folder / "till"
        run("init", self.till, "--connect", self.host.url, "--timeout", "0.3")
        if dialect == "cup":
            run("signon", self.till)

    @property
    def memory(self) -> Memory:
        return memory(self.till)

    def change(self, **changes: Any) -> None:
        with DirFlash(self.till) as flash:
            flash.save("operator", replace(flash.load(), **changes))

    def lose_a_sale(self) -> Shop:
        nth = self.host.scripted.mtis().count("0200") + 1
        self.host.scripted.faults["0200", nth] = drop
        run("sale", self.till, "1000", code=3)
        return self

    def deaf(self) -> None:
        """The host takes every reversal, and no answer comes back."""
        self.host.scripted.faults |= {(mti, nth): drop for mti in REVERSALS for nth in range(1, 50)}

    def heard_since(self, count: int) -> list[str]:
        return self.host.scripted.mtis()[count:]

    @property
    def heard(self) -> int:
        return len(self.host.scripted.seen)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    made = []

    def make(dialect: str = "cup") -> Shop:
        made.append(Shop(tmp_path, dialect))
        return made[-1]

    yield make
    for one in made:
        one.host.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


# --- once


@DIALECTS
def test_rt3_recover_sends_the_reversal_and_nothing_else(shop: Callable[[str], Shop], dialect: str) -> None:
    one = shop(dialect).lose_a_sale()
    stan, heard = one.memory.pending.stan if one.memory.pending else "", one.heard
    said = run("recover", one.till).stdout
    assert [mti[:2] for mti in one.heard_since(heard)] == ["04"]
    assert f"done: the reversal of STAN {stan}" in said
    assert said.splitlines()[-1] == "nothing is owed"
    assert one.host.scripted.live() == {}
    assert one.memory.pending is None
    heard = one.heard
    assert run("recover", one.till).stdout == "nothing is owed\n"
    assert one.heard == heard


def test_everything_that_is_owed_goes_in_its_turn_behind_one_sign_on(shop: Callable[[str], Shop]) -> None:
    one = shop("cup")
    run("sale", one.till, "500")
    run("offline-sale", one.till, "400")
    item = one.memory.rows[-1].stan
    one.host.scripted.unheard |= {("0220", nth) for nth in range(1, 4)}
    one.lose_a_sale()
    lost = one.memory.pending
    assert lost is not None
    one.change(signed_on=False)
    heard = one.heard
    said = json.loads(run("recover", one.till, "--json").stdout)
    assert said == {
        "done": [{"what": "reversal", "stan": lost.stan}, {"what": "stored", "stan": item}],
        "owed": [],
    }
    assert one.heard_since(heard) == ["0800", "0400", "0220"]
    assert one.host.scripted.standing() == {"000002": (Kind.SALE, 500), item: (Kind.OFFLINE_SALE, 400)}


def test_an_unanswered_settlement_is_finished(shop: Callable[[str], Shop]) -> None:
    """Also one that the host disputes: recover ends it as `settle` does, and owes nothing afterwards."""
    one = shop("cup")
    run("sale", one.till, "500")
    one.host.scripted.extra = [BatchItem(Kind.SALE, 4200)]
    one.host.scripted.faults["0500", 1] = drop
    run("settle", one.till, code=3)
    said = run("recover", one.till).stdout
    assert "done: the settlement of batch 000001" in said
    assert "NOT AGREED" in said
    assert one.memory.settlement is None
    assert one.memory.batch == "000002"


def test_a_batch_that_nobody_settled_yet_is_left_alone(shop: Callable[[str], Shop]) -> None:
    one = shop("nac")
    run("sale", one.till, "500")
    heard = one.heard
    assert run("recover", one.till).stdout == "nothing is owed\n"
    assert (one.heard, len(one.memory.rows), one.memory.settlement) == (heard, 1, None)


def test_a_till_that_is_signed_off_and_owes_nothing_stays_signed_off(shop: Callable[[str], Shop]) -> None:
    one = shop("cup")
    run("signoff", one.till)
    heard = one.heard
    run("recover", one.till)
    assert (one.heard, one.memory.signed_on) == (heard, False)


def test_a_reversal_refused_for_its_keys_goes_again_behind_a_sign_on(shop: Callable[[str], Shop]) -> None:
    """A0: the host has other keys now; one call is enough all the same."""
    one = shop("cup").lose_a_sale()
    one.host.scripted.faults["0400", 1] = code("A0")
    heard = one.heard
    run("recover", one.till)
    assert one.heard_since(heard) == ["0400", "0800", "0400"]
    assert one.memory.pending is None


def test_what_stays_owed_is_exit_3(shop: Callable[[str], Shop]) -> None:
    one = shop("cup").lose_a_sale()
    one.deaf()
    heard = one.heard
    said = run("recover", one.till, code=3).stdout
    assert "still owed: the reversal of STAN 000002" in said
    assert one.heard_since(heard) == ["0400"] * 3, "one try is three sends (rules.md, section 10)"


def test_no_connection_is_exit_4(shop: Callable[[str], Shop]) -> None:
    one = shop("cup").lose_a_sale()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = one.memory.config
    one.change(config=replace(config, connect=f"cup://127.0.0.1:{port}", connect_tries=1, connect_timeout_s=1.0))
    assert "still owed" in run("recover", one.till, code=4).stdout
    assert one.memory.pending is not None
    one.change(signed_on=False)
    run("recover", one.till, code=4)


def test_who_is_not_logged_in_cannot_sign_on_and_that_is_no_lost_connection(shop: Callable[[str], Shop]) -> None:
    one = shop("cup").lose_a_sale()
    one.change(signed_on=False, operators=documented_operators())
    heard = one.heard
    assert "nobody is logged in" in run("recover", one.till, code=3).stdout
    assert one.heard == heard


def test_an_approval_that_was_stored_is_booked_without_the_host(tmp_path: Path) -> None:
    """Profile roll-forward: the power fails between the two writes; no host is needed to finish it."""
    host = TcpHost("nac")
    till = tmp_path / "till"
    run("init", till, "--connect", host.url, "--timeout", "0.4", "--profile", "roll-forward")
    process = spawn("sale", till, "1000", crash="journal.before")
    process.communicate(timeout=30)
    assert process.returncode == KILLED
    host.close()
    assert "is stored and not booked yet" in run("journal", till).stdout
    said = run("recover", till).stdout
    assert "CARDHOLDER COPY" in said
    assert "done: the booking of the approval of STAN 000001" in said
    assert [row.amount for row in memory(till).rows] == [1000]
    assert memory(till).pending is None
    assert host.scripted.live() == {"000001": 1000}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "3"), "--for goes with --every"),
        (("--every", "-1"), "seconds"),
        (("--every", "nan"), "seconds"),
        (("5", "--every", "1"), "one of the two"),
        (("five",), "five"),
    ],
)
def test_a_wrong_argument_is_exit_2(shop: Callable[[str], Shop], words: tuple[str, ...], said: str) -> None:
    result = run("recover", shop("nac").till, *words, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [(), ("--every", "1", "--for", "2")])
def test_a_folder_without_a_terminal_is_exit_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert str(tmp_path / "none") in run("recover", tmp_path / "none", *words, code=2).stderr


def test_a_stan_is_only_asked_about(shop: Callable[[str], Shop]) -> None:
    """Nothing is re-submitted: it says what `query` says."""
    one = shop("cup").lose_a_sale()
    heard = one.heard
    assert "cannot tell" in run("recover", one.till, "2", code=3).stdout
    assert one.heard == heard
    assert one.memory.pending is not None


# --- by the clock


def test_rt3_the_timer_clears_it_while_nobody_sells(shop: Callable[[str], Shop]) -> None:
    """Case 11: the operator has gone to the next till; this one wakes by itself."""
    one = shop("cup").lose_a_sale()
    one.deaf()
    process = spawn("recover", one.till, "--every", "0.2", "--for", "30")
    try:
        until(lambda: one.host.scripted.mtis().count("0400") >= 3)
        one.host.scripted.faults.clear()
        until(lambda: one.memory.pending is None)
        run("sale", one.till, "700")  # the folder is free while it waits
        one.lose_a_sale()
        until(lambda: one.memory.pending is None)
        assert one.host.scripted.live() == {"000003": 700}
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, out
    # The second one is done too (the flash says so above); the signal may come before it is told.
    assert "done: the reversal of STAN 000002" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_round_gives_the_folder_back(
    shop: Callable[[str], Shop], number: signal.Signals
) -> None:
    one = shop("nac").lose_a_sale()
    one.deaf()
    one.change(config=replace(one.memory.config, timeout_s=60.0))
    process = spawn("recover", one.till, "--every", "5")
    try:
        until(lambda: "0400" in one.host.scripted.mtis())
        said = run("sale", one.till, "700", code=2).stderr
        assert "another process" in said
    finally:
        process.send_signal(number)
        _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 3
    assert "Traceback" not in errors
    one.host.scripted.faults.clear()
    run("recover", one.till)


def test_a_till_at_work_is_not_idle_and_its_timer_goes_on(shop: Callable[[str], Shop]) -> None:
    one = shop("nac").lose_a_sale()
    with DirFlash(one.till):
        run("recover", one.till, code=2)
        begun = time.monotonic()
        run("recover", one.till, "--every", "0.1", "--for", "0.5", code=3)
        assert time.monotonic() - begun >= 0.5
    heard = one.heard
    run("recover", one.till, "--every", "0.1", "--for", "0.2")
    assert [mti[:2] for mti in one.heard_since(heard)] == ["04"]


def test_the_timer_takes_no_lock_while_nothing_is_owed(shop: Callable[[str], Shop]) -> None:
    one = shop("nac")
    with DirFlash(one.till):
        run("recover", one.till, "--every", "0.1", "--for", "0.3")


@pytest.mark.parametrize(("first", "waits"), [(60.0, [120.0, 240.0, 480.0, 900.0, 900.0]), (1200.0, [1200.0, 1200.0])])
def test_rt3_the_wait_is_doubled_up_to_900_seconds(first: float, waits: list[float]) -> None:
    """rules.md section 10: 60, doubled to 900, give or take 20 %; from the first again when all is clear."""
    last = first
    for expected in waits:
        last = recovery.next_wait(last, first, clear=False)
        assert last == expected
    assert recovery.next_wait(last, first, clear=True) == first
    drawn = [jittered(60.0, recovery.JITTER) for _ in range(500)]
    assert 48.0 <= min(drawn) < 54.0 < 66.0 < max(drawn) <= 72.0


# --- what is owed


def test_debts_in_words_and_in_their_order() -> None:
    wire = Wire.of(load("cup"))
    bare = Memory(Config("12345678", "123456789012345", "cup://127.0.0.1:1"))
    assert recovery.owed(bare) == ()
    assert [step(bare, wire) for step in recovery.STEPS] == [None] * 5
    words = {str(Debt(what, "000007")) for what in What}
    assert len(words) == len(What)
    assert all(text.endswith(" 000007") for text in words)
