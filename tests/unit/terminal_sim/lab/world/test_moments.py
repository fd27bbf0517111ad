"""What people do otherwise than they should, at each moment of an operator (failure-catalogue section 4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.faults import Fault
from specs.faults.errors import FaultError
from specs.faults.fitting import fitting
from terminal_sim.lab.scenario.model import TerminalSpec, Variant
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import World
from tests.support.world_days import HOUR, TID, a_day, step

DAY = 24 * HOUR
END_OF_DAY = f"op/{TID}/end-of-day"
LOST = Fault(f"wire/H>{TID}/0210#1", "drop")
TWO_DAYS = (
    step("L", "signon", 60),
    step("A", "sale", 300, amount=26_800),
    step("S1", "settle", HOUR),
    step("S2", "settle", 2 * HOUR),
    step("B", "sale", DAY + 300, amount=1_000),
    step("S3", "settle", DAY + HOUR),
)
ONE_SALE = (*TWO_DAYS[:3],)


def played(
    *faults: Fault, profile: str = "TC", steps: tuple[object, ...] = TWO_DAYS, bugs: tuple[str, ...] = ()
) -> Run:
    day = a_day(profile=profile, faults=faults, steps=steps)  # type: ignore[arg-type]
    run = World(day, Variant("v", bugs=bugs)).run()
    assert run.unfired == ()
    return run


def ends(run: Run) -> dict[str, str]:
    return {end.id: end.end for end in run.steps}


def settled(run: Run) -> list[tuple[str, int, int]]:
    return [(one.batch, one.count, one.amount) for one in run.settled]


def test_forgotten_for_a_day_is_until_midnight() -> None:
    """Both settlements of that day; where the host captures nothing by itself, both sales are in one batch then."""
    run = played(Fault(f"{END_OF_DAY}#1", "forget", {"days": 1}))
    assert (ends(run)["S1"], ends(run)["S2"], ends(run)["S3"]) == ("forgotten", "forgotten", "agreed")
    assert (settled(run), run.classes) == ([("000001", 2, 27_800)], ("late",))


def test_where_the_host_captures_its_cutoff_closes_a_forgotten_batch() -> None:
    run = played(Fault(f"{END_OF_DAY}#1", "forget"), profile="HC")
    assert (settled(run), run.classes) == ([("000001", 1, 26_800), ("000002", 1, 1_000)], ("clean",))


def test_who_does_nothing_forgets_that_settlement_only() -> None:
    run = played(Fault(f"{END_OF_DAY}#1", "nothing"))
    assert (ends(run)["S1"], ends(run)["S2"]) == ("forgotten", "agreed")


def test_what_people_have_forgotten_goes_with_a_copy() -> None:
    """From a copy of before it they have not forgotten yet, from a copy of after it they still have."""
    faults = (Fault(f"{END_OF_DAY}#1", "forget", {"days": 1}),)
    world = World(a_day(profile="TC", faults=faults, steps=TWO_DAYS), Variant("v"))
    world.begin()
    shots = []
    for _ in range(3):
        assert world.step()
        shots.append(world.snapshot())
    *_, before, after = shots
    assert before is not None
    assert after is not None
    whole = played(*faults).trace_hash
    assert _rest(World.resume(before, faults)).trace_hash == whole
    assert _rest(World.resume(after, faults)).trace_hash == whole


def _rest(world: World) -> Run:
    while world.step():
        pass
    return world.finish()


def test_the_reference_closes_no_batch_on_paper_and_settles_then() -> None:
    run = played(Fault(f"{END_OF_DAY}#1", "force-settle"))
    assert (ends(run)["S1"], run.classes) == ("agreed", ("clean",))


def test_a_batch_that_the_service_menu_has_closed_is_not_settled() -> None:
    """Case 45 under TC: what was not shown is not captured."""
    run = played(Fault(f"{END_OF_DAY}#1", "force-settle"), bugs=("local-force-settle",))
    assert set(run.classes) == {"SNF", "TM"}


@pytest.mark.parametrize(("profile", "classes"), [("HC", ("clean",)), ("TC", ("SNF",))])
def test_a_unit_that_is_replaced_takes_its_batch_along(profile: str, classes: tuple[str, ...]) -> None:
    """Case 46: the new unit signs on, the host closes the old batch from its own records."""
    run = played(Fault(f"{END_OF_DAY}#1", "swap"), profile=profile)
    assert run.classes == classes
    assert any(h.text == "replaced by a new unit" for h in run.trace)


def test_a_unit_that_is_replaced_while_it_owes_a_reversal_leaves_the_charge() -> None:
    """Case 46, «rev lost: CNSale»: nobody is left who would take it back."""
    cut = Fault(f"wire/H>{TID}/0210#1", "down", until="+60")
    day = a_day(faults=[cut, Fault(f"op/{TID}/after-unknown#1", "swap")], steps=ONE_SALE)
    run = World(replace(day, operator=replace(day.operator, on_unknown="nothing"))).run()
    assert run.unfired == ()
    assert run.classes == ("CNSale",)


def test_what_was_declined_may_be_keyed_again() -> None:
    """The card is stolen: it is declined as often as it is tried, and no money moves."""
    steps = (step("L", "signon", 60), step("A", "sale", 300, amount=500, card="stolen"), step("S", "settle", HOUR))
    run = played(Fault(f"op/{TID}/after-declined#1", "rekey"), steps=steps)
    (end,) = [end for end in run.steps if end.id == "A"]
    assert (end.end, end.attempts, run.classes) == ("declined", 2, ("clean",))


def test_what_was_declined_may_be_keyed_at_another_till() -> None:
    other = "T0000002"
    steps = (step("A", "sale", 300, amount=500, card="stolen"), step("S", "settle", HOUR))
    day = a_day(faults=[Fault(f"op/{TID}/after-declined#1", "rekey-on", {"tid": other})], steps=steps)
    run = World(replace(day, terminals=(*day.terminals, TerminalSpec(other)))).run()
    assert (run.unfired, run.classes) == ((), ("clean",))
    assert any(f"H>{other} 0210" in h.text for h in run.trace)


@pytest.mark.parametrize(("action", "attempts"), [("rekey", 2), ("nothing", 1)])
def test_instead_of_asking_somebody_keys_again_or_leaves_it(action: str, attempts: int) -> None:
    run = played(LOST, Fault(f"op/{TID}/query#1", action), profile="HC", steps=ONE_SALE)
    (end,) = [end for end in run.steps if end.id == "A"]
    assert (end.attempts, run.classes) == (attempts, ("clean",))


@pytest.mark.parametrize(
    ("moment", "action"),
    [("query", "swap"), ("after-declined", "query"), ("after-unknown", "forget"), ("end-of-day", "rekey")],
)
def test_what_makes_no_sense_at_a_moment_is_refused(moment: str, action: str) -> None:
    with pytest.raises(FaultError, match=f"{action} cannot happen at op/{TID}/{moment}; what can: "):
        World(a_day(faults=[Fault(f"op/{TID}/{moment}", action)]))


@pytest.mark.parametrize("moment", ["after-unknown", "query", "after-declined", "end-of-day"])
def test_something_is_tried_at_every_moment(moment: str) -> None:
    assert {fault.action for fault in fitting(f"op/{TID}/{moment}#1")} - {"nothing"}
