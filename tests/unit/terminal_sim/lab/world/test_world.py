"""The world: figures worked out by hand, replay byte for byte, forks that are the run itself, people with habits."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from host.rows import MessageRow
from specs.faults import Fault
from terminal_sim.lab.scenario.model import TerminalSpec, Variant
from terminal_sim.lab.world.agenda import ToHost
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import Snapshot, World
from tests.support.world_days import CLOSED, HOUR, STEPS, TID, a_day, step

LOST = Fault(f"wire/H>{TID}/0210#1", "drop")
ONE_SALE = (step("L", "signon", 60), step("A", "sale", 300, amount=26_800), step("S", "settle", HOUR))


def ends(run: Run) -> dict[str, str]:
    return {end.id: end.end for end in run.steps}


@pytest.mark.parametrize("profile", ["HC", "TC"])
@pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
def test_a_day_without_faults_settles_what_was_sold(dialect: str, profile: str) -> None:
    run = World(a_day(dialect, profile)).run()
    assert (run.classes, run.findings, run.exceptions) == (("clean",), (), ())
    assert [(s.count, s.amount) for s in run.settled] == [(count, amount) for _, count, amount in CLOSED]
    assert {p.intent.name: (p.debited, p.settled, p.intent.delivered) for p in run.purchases} == {
        "A": (10_000, 10_000, 1),
        "B": (5_000, 5_000, 1),
        "C": (2_500, 2_500, 1),
        "D": (0, 0, 0),  # voided: the goods are back
        "E": (800, 800, 1),
        "F": (900, 900, 1),
        "R": (-5_000, -5_000, 1),
    }


def test_a_lost_reply_is_reversed_and_the_sale_keyed_again() -> None:
    """Case 1: nothing of the first try is left, and the customer pays once."""
    run = World(a_day(faults=[LOST], steps=ONE_SALE)).run()
    assert (run.classes, run.findings, run.fired) == (("clean",), (), (1,))
    assert [(s.count, s.amount) for s in run.settled] == [(1, 26_800)]
    assert [s.attempts for s in run.steps if s.id == "A"] == [2]
    wire = [h.text.split()[1] for h in run.trace if h.lane == "wire" and h.step == 1]
    assert wire == ["0200", "0210", "0400", "0410", "0200", "0210"]


def test_without_another_try_the_customer_has_paid_nothing() -> None:
    day = a_day(faults=[LOST], steps=ONE_SALE)
    run = World(replace(day, operator=replace(day.operator, max_tries=1))).run()
    (bought,) = run.purchases
    assert (bought.debited, bought.settled, bought.intent.delivered, run.classes) == (0, 0, 0, ("clean",))
    assert ends(run)["A"] == "given-up"


@pytest.mark.parametrize("people", ["", "rekey", "nothing"])
def test_a_refund_that_is_sent_until_it_is_answered_is_given_back(people: str) -> None:
    """CUP: its 0230 is lost and the line is down for longer than anybody waits; it goes through by itself later."""
    steps = (*ONE_SALE, step("R", "refund", 2 * HOUR, amount=6_800, of="A"), step("E", "settle", 3 * HOUR))
    cut = Fault(f"wire/H>{TID}/0230#1", "down", until="+600")
    habit = [Fault(f"op/{TID}/after-unknown#1", people)] if people else []
    run = World(a_day(faults=[cut, *habit], steps=steps)).run()
    assert (run.classes, run.findings, run.unfired) == (("clean",), (), ())
    given = next(p for p in run.purchases if p.intent.name == "R")
    assert (given.debited, given.settled, given.intent.delivered) == (-6_800, -6_800, 1)


@pytest.mark.parametrize("point", ["crash/H/commit.before#1", "crash/H/reply.before#3", "crash/H/issuer-sent.after#1"])
def test_a_host_that_dies_leaves_no_charge_without_a_sale(point: str) -> None:
    run = World(a_day(faults=[Fault(point, "stop")], steps=ONE_SALE)).run()
    assert (run.classes, run.findings, run.fired) == (("clean",), (), (1,))
    assert any(h.text == "the host process is gone" for h in run.trace)


def test_a_line_that_is_down_over_the_settlement_makes_it_late_and_nothing_worse() -> None:
    down = Fault(f"link/{TID}", "down", since="step:S", until="+1800")
    run = World(a_day(faults=[down], steps=ONE_SALE)).run()
    assert run.findings == ()
    assert set(run.classes) <= {"clean", "late"}
    assert [(s.count, s.amount) for s in run.settled] == [(1, 26_800)]


def test_a_bug_shows_where_its_fault_strikes() -> None:
    """Case 14: the image goes on receipt, before the row; the power fails between the two."""
    cut = Fault(f"crash/{TID}/rev-clear.after#1", "stop")
    day = a_day(faults=[cut], steps=ONE_SALE)
    day = replace(day, operator=replace(day.operator, on_unknown="nothing"))
    bad = World(day, Variant("bug", bugs=("rev-clear-first",))).run()
    assert "CNSale" in bad.classes
    (bought,) = bad.purchases
    assert (bought.debited, bought.intent.delivered) == (26_800, 0)
    assert World(replace(day, faults=()), Variant("bug", bugs=("rev-clear-first",))).run().classes == ("clean",)


def test_the_same_scenario_gives_the_same_run_whatever_the_hash_seed() -> None:
    """Another process with another PYTHONHASHSEED: the trace hash is equal, and another fault gives another."""
    program = (
        "from tests.support.world_days import a_day; from specs.faults import Fault;"
        "from terminal_sim.lab.world.world import World;"
        f"print(World(a_day(faults=[Fault('wire/H>{TID}/0210#1','drop')])).run().trace_hash)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout.strip()
        for seed in ("1", "77")
    ]  # fmt: skip
    here = World(a_day(faults=[LOST])).run().trace_hash
    assert said == [here, here]
    assert World(a_day()).run().trace_hash != here


def test_a_copy_goes_on_as_the_run_itself() -> None:
    whole = World(a_day(faults=[LOST])).run()
    world = World(a_day(faults=[LOST]))
    world.begin()
    shots = [world.snapshot()]
    while world.step():
        shots.append(world.snapshot())
    assert len(shots) == len(STEPS) + 1
    for shot in shots[::3]:
        assert shot is not None
        again = World.resume(shot, [LOST])
        while again.step():
            pass
        run = again.finish()
        assert (run.trace_hash, run.classes, run.fired) == (whole.trace_hash, whole.classes, whole.fired)


def test_equal_futures_have_equal_keys_and_others_not() -> None:
    """A request that is lost and one that is refused at the door end alike one step later; a lost answer does not."""

    def key(*faults: Fault) -> str:
        world = World(a_day(faults=faults))
        world.begin()
        for _ in range(3):
            world.step()
        return world.state_key()

    lost = key(Fault(f"wire/{TID}>H/0200#1", "drop"))
    assert lost == key(Fault(f"wire/{TID}>H/0200#1", "reset"))
    assert len({lost, key(), key(LOST)}) == 3


def test_two_tills_sell_side_by_side_and_one_takes_over_from_the_other() -> None:
    """Case 11: after a lost reply the customer goes to the next till; the first one's idle timer undoes its half."""
    other = "T0000002"
    steps = (
        step("L", "signon", 60),
        step("M", "signon", 60, unit=other),
        step("A", "sale", 300, amount=4_200),
        step("S", "settle", HOUR),
        step("Z", "settle", HOUR + 60, unit=other),
    )
    day = a_day(faults=[LOST], steps=steps)
    day = replace(
        day,
        terminals=(TerminalSpec(TID), TerminalSpec(other)),
        operator=replace(day.operator, on_unknown="rekey-on", rekey_on=other),
    )
    run = World(day).run()
    assert (run.classes, run.findings) == (("clean",), ())
    (bought,) = run.purchases
    assert {a.tid for a in bought.intent.attempts} == {TID, other}
    assert (bought.debited, bought.settled, bought.intent.delivered) == (4_200, 4_200, 1)
    assert [(s.tid, s.amount) for s in run.settled] == [(other, 4_200)]


def test_a_code_on_a_screen_says_so_to_the_host_and_in_its_reversal() -> None:
    """DE 22 of a QR order is 03x, and it has no track."""
    steps = (*ONE_SALE[:1], step("A", "sale", 300, amount=26_800, card="qr1", entry="qr"), *ONE_SALE[2:])
    world = World(a_day(faults=[LOST], steps=steps))
    assert world.run().classes == ("clean",)
    rows = world.host.store.reader().select(MessageRow, {"direction": "in"})
    asked = [(row.mti, json.loads(row.fields)) for row in rows if row.mti in ("0200", "0400")]
    assert [(mti, fields["22"], "35" in fields) for mti, fields in asked[:3]] == [
        ("0200", "032", False),
        ("0400", "032", False),
        ("0200", "032", False),
    ]


def test_a_split_frame_arrives_whole_and_a_glued_one_apart() -> None:
    for action, params in (("split", {"sizes": "1,3"}), ("drip", {"rate": 100.0}), ("dup", {})):
        run = World(a_day(faults=[Fault(f"wire/H>{TID}/0210#1", action, params)], steps=ONE_SALE)).run()
        assert (run.classes, run.findings, [s.attempts for s in run.steps]) == (("clean",), (), [1, 1, 1]), action


def test_on_22_a_till_with_rows_settles_before_it_sells_again() -> None:
    """rules.md, section 4: «T on 22: rows in its batch -> settle first». The host closed the batch at its cutoff."""
    steps = (
        step("A", "sale", 300, amount=26_800),
        step("B", "sale", 24 * HOUR, amount=4_500),
        step("S", "settle", 30 * HOUR),
    )
    run = World(a_day(steps=steps)).run()
    assert (run.classes, run.findings) == (("clean",), ())
    assert ends(run) == {"A": "approved", "B": "approved", "S": "agreed"}
    assert [(s.batch, s.count, s.amount) for s in run.settled] == [("000001", 1, 26_800), ("000002", 1, 4_500)]
    said = [h.text.split()[1] for h in run.trace if h.lane == "wire" and h.step == 1 and ">H" in h.text]
    assert said == ["0200", "0800", "0500", "0320", "0200"]


def test_a_copy_knows_nothing_of_what_another_run_of_it_did() -> None:
    """The host process and the copies of a flash are those of the copied run, whatever was resumed from it since."""
    steps = (
        step("L", "signon", 60),
        step("A", "sale", 300, amount=4_200),
        step("B", "sale", 600, amount=700),
        step("X", "restore", 900, of="B"),
        step("S", "settle", HOUR),
    )
    day = a_day(steps=steps)
    day = replace(day, world=replace(day.world, bugs=("forget-keys",)))
    twice, dies = Fault(f"wire/{TID}>H/0200#1", "dup"), Fault("crash/H/commit.after#2", "stop")
    world = World(day, faults=())
    world.begin()
    world.step()
    early = world.snapshot()
    assert early is not None

    def onward(shot: Snapshot, *faults: Fault) -> Run:
        again = World.resume(shot, faults)
        while again.step():
            pass
        return again.finish()

    onward(early, dies)  # its host began anew, and has forgotten the first sale
    assert onward(early, twice).trace_hash == World(day, faults=[twice]).run().trace_hash
    assert onward(early, twice).classes == World(day, faults=[twice]).run().classes
    world = World.resume(early, ())
    world.step()
    world.step()
    late = world.snapshot()
    assert late is not None
    onward(early, Fault(f"wire/H>{TID}/0210#1", "drop"))  # the flash before B is another one there
    assert onward(late).trace_hash == World(day, faults=()).run().trace_hash


def test_what_the_issuer_still_has_to_say_and_when_is_in_the_key() -> None:
    """A host that captures late answers (case 20) ends otherwise when the answer comes after the settlement."""
    steps = (
        step("L", "signon", 60),
        step("A", "sale", 300, amount=4_200),
        step("B", "sale", 321, amount=700),
        step("S", "settle", HOUR),
    )
    day = a_day(steps=steps, bugs=("late-captured",))
    day = replace(day, operator=replace(day.operator, max_tries=1))
    ends: dict[float, tuple[str, tuple[str, ...]]] = {}
    for seconds in (25.0, 2 * HOUR):
        world = World(day, faults=[Fault("wire/I>H/0210#1", "late", {"seconds": seconds})])
        world.begin()
        world.step()
        world.step()
        assert world.quiet
        key = world.state_key()
        while world.step():
            pass
        ends[seconds] = (key, world.finish().classes)
    (soon, ended_soon), (late, ended_late) = ends.values()
    assert ended_soon != ended_late
    assert soon != late


def test_a_world_is_not_copied_while_the_host_has_half_a_frame() -> None:
    """At two bytes a second the 0200 of A is still coming in when B is over; it then meets its tombstone (case 6)."""
    steps = (
        step("L", "signon", 60),
        step("A", "sale", 300, amount=4_200),
        step("B", "sale", 340, amount=700),
        step("S", "settle", HOUR),
    )
    day = a_day(steps=steps, faults=[Fault(f"wire/{TID}>H/0200#1", "drip", {"rate": 2.0})])
    day = replace(day, operator=replace(day.operator, on_unknown="nothing", max_tries=1))
    whole = World(day).run()
    world = World(day)
    world.begin()
    shots = [world.snapshot()]
    while world.step():
        shots.append(world.snapshot())
    assert [shot is None for shot in shots] == [False, False, True, False, False]
    for shot in filter(None, shots):
        again = World.resume(shot, day.faults)
        while again.step():
            pass
        assert again.finish().trace_hash == whole.trace_hash


def test_what_a_frame_under_way_says_is_part_of_the_key() -> None:
    """Two requests that are held up alike, at the same time and on the same line: one sells for more."""

    def key(amount: int) -> str:
        steps = (step("L", "signon", 60), step("E", "echo", 300), step("A", "sale", 900, amount=500))
        world = World(a_day(steps=steps))
        world.begin()
        for _ in range(2):
            world.step()
        world.scene.agenda.put(5_000.0, ToHost(TID, 99, f"{amount:012d}".encode()))
        return world.state_key()

    assert key(100) == key(100)
    assert key(100) != key(900)


# ---- a frame that takes too long (rules.md, section 10; case 73)

DRIP = Fault(f"wire/{TID}>H/0200#1", "drip", {"rate": 1.0})


def dropped(run: Run) -> list[float]:
    """When the host ended a line because of its frame."""
    return [round(h.at - 300) for h in run.trace if h.lane == "host" and "did not come in time" in h.text]


def test_a_frame_has_a_minute_and_then_its_line_is_ended() -> None:
    """The sale that came byte by byte is never read; the reversal on the next line finds nothing of it."""
    day = a_day(faults=[DRIP], steps=ONE_SALE)
    run = World(replace(day, operator=replace(day.operator, on_unknown="nothing"))).run()
    assert (ends(run)["A"], dropped(run), run.classes) == ("unknown", [61], ("clean",))
    codes = [h.text.split()[-1] for h in run.trace if h.lane == "wire" and " 0410 " in h.text]
    assert codes == ["25"]


def test_a_frame_that_is_only_slow_is_read() -> None:
    faster = replace(DRIP, params={"rate": 10.0})
    run = World(a_day(faults=[faster], steps=ONE_SALE)).run()
    assert (ends(run)["A"], dropped(run), run.fired) == ("approved", [], (1,))


@pytest.mark.parametrize("bugs", [(), ("one-at-a-time",)], ids=["reference", "one-at-a-time"])
def test_who_sends_slowly_keeps_only_the_deviant_host_from_the_others(bugs: tuple[str, ...]) -> None:
    other = "T0000002"
    steps = (
        *(step("L1", "signon", 60), step("L2", "signon", 120, unit=other)),
        *(step("A", "sale", 300, amount=26_800), step("B", "sale", 305, unit=other, amount=4_500)),
        *(step("S1", "settle", HOUR), step("S2", "settle", HOUR + 60, unit=other)),
    )
    day = a_day(faults=[DRIP], steps=steps)
    day = replace(day, terminals=(*day.terminals, TerminalSpec(other)))
    day = replace(day, world=replace(day.world, bugs=bugs), operator=replace(day.operator, on_unknown="nothing"))
    run = World(day).run()
    assert (ends(run)["A"], ends(run)["B"], dropped(run)) == ("unknown", "unknown" if bugs else "approved", [61])
    assert {p.intent.name: p.debited for p in run.purchases} == {"A": 0, "B": 0 if bugs else 4_500}
    assert run.classes == ("clean",)


def test_what_the_host_has_said_without_a_row_is_part_of_a_copy() -> None:
    """Two full disks in a row: the sale is told 96 and nothing is written down. What the host remembers of it must not
    reach the next run from the same copy, nor be missing in its key."""
    refused = (Fault("store/H/commit#2", "disk-full"), Fault("store/H/commit#3", "disk-full"))
    world = World(a_day(faults=refused, steps=ONE_SALE))
    world.begin()
    assert world.step()
    shot = world.snapshot()
    assert shot is not None
    hashes = []
    for _ in range(2):
        again = World.resume(shot, refused)
        assert not again.host.told()
        while again.step():
            pass
        assert again.host.told()
        hashes.append(again.finish().trace_hash)
    assert hashes == [World(a_day(faults=refused, steps=ONE_SALE)).run().trace_hash] * 2
