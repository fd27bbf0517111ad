"""The file that plays a run again says by itself what was played."""

from __future__ import annotations

from dataclasses import replace

from specs.faults import Fault
from specs.testcards import load_test_cards
from terminal_sim.lab.report.replay import concrete, text_of
from terminal_sim.lab.scenario.model import Expect, Scenario, TerminalSpec, Variant
from tests.support.played import BUG, a_run, a_scenario


def test_the_variant_is_written_into_the_scenario() -> None:
    variant = Variant(
        BUG,
        bugs=(BUG,),
        host_bugs=("forgets",),
        units=("T0000002",),
        world={"profile": "TC"},
        operator={"max_tries": 1},
        expect=Expect(classes=("CNSale",)),
    )
    units = (TerminalSpec("T0000001", bugs=("other",)), TerminalSpec("T0000002"))
    found = concrete(a_run(scenario=a_scenario(terminals=units, variants=(variant,))))
    assert [unit.bugs for unit in found.terminals] == [("other",), (BUG,)]
    assert (found.world.bugs, found.world.profile, found.operator.max_tries) == (("forgets",), "TC", 1)
    assert found.expect.classes == ("CNSale",)
    assert found.variants == ()


def test_a_variant_of_no_unit_is_one_of_all_and_is_applied_once() -> None:
    units = (TerminalSpec("T0000001", bugs=(BUG,)), TerminalSpec("T0000002"))
    found = concrete(a_run(scenario=a_scenario(terminals=units)))
    assert [unit.bugs for unit in found.terminals] == [(BUG,), (BUG,)]


def test_the_schedule_is_the_one_that_was_played() -> None:
    played = (Fault("wire/T>H/0200#1", "drop"),)
    assert concrete(a_run(faults=played, fired=(1,))).faults == played


def test_a_test_card_given_by_number_goes_by_its_name() -> None:
    scenario = a_scenario()
    for name, card in load_test_cards().items():
        step = replace(scenario.steps[0], args={"amount": 100, "card": card.pan})
        found = concrete(a_run(scenario=replace(scenario, steps=(step,))))
        assert load_test_cards()[str(found.steps[0].args["card"])].pan == card.pan, name
        assert found.steps[0].args["amount"] == 100


def test_a_file_that_would_hold_a_number_in_the_clear_is_not_written() -> None:
    def dumps(scenario: Scenario) -> str:
        return str(scenario.steps[0].args)

    scenario = a_scenario()
    step = replace(scenario.steps[0], args={"card": "4929000000006"})
    assert text_of(a_run(scenario=replace(scenario, steps=(step,))), dumps) == ""
    assert "credit1" in text_of(a_run(), dumps)
