"""A scenario file as the catalogue writes it, read into the model. The errors stand in docs/scenarios.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.faults import Fault
from terminal_sim.lab.errors import LabError, ScenarioError
from terminal_sim.lab.scenario import model, reading, tables
from terminal_sim.lab.scenario.kinds import Key
from terminal_sim.lab.scenario.model import Expect, SettledSpec, StepSpec, TerminalSpec, WorldSpec
from terminal_sim.lab.scenario.reading import load, loads

CATALOGUE = """\
# A sale is voided,
# and its first answer was lost.
#
# Nobody is charged.

# not this
world = {profile="HC", start="2026-03-02T09:00", cutoff="23:00", holidays=["2026-04-06"], timeout=30}
terminals = [{tid="T0000001", firmware="reference", bugs=[]}]          # e.g. bugs=["rev-drop-n"]
steps = [
  {id="A", at="09:05", do="sale",   tid="T0000001", card="credit1", amount=26800, intent="p1"},
  {id="V", at="09:20", do="void",   of="A"},
  {id="S", at="22:00", do="settle", tid="T0000001"},
]
faults = [
  {at="wire/H>T0000001/0210#1", action="drop"},
  {at="link/T0000001", action="down", from="step:S", until="+10m"},
]
operator = {on_unknown="query-then-rekey", max_tries=3}
expect = {class="clean", settled=[{tid="T0000001", batch=1, count=0, amount=0}], exceptions=[]}
"""
"""failure-catalogue.md, section 4."""
ONE = 'terminals = [{tid="T0000001"}]\n'
TWO = 'terminals = [{tid="T0000001"}, {tid="T0000002"}]\n'
TWINS = 'terminals = [{tid="T0000001", unit="left"}, {tid="T0000001", unit="right"}]\n'


def steps_of(text: str) -> tuple[StepSpec, ...]:
    return loads(text, "day.toml").steps


ONE_SALE = 'terminals = [{tid="T0000001"}]\nsteps = [{id="A", do="sale", amount=100}]\n'


def test_the_file_of_the_catalogue() -> None:
    scenario = loads(CATALOGUE, "folder/rev-lost.toml")
    assert scenario.slug == "rev-lost"
    assert scenario.source == "folder/rev-lost.toml"
    assert scenario.notice == "A sale is voided, and its first answer was lost. Nobody is charged."
    assert scenario.world == WorldSpec(holidays=("2026-04-06",))
    assert scenario.terminals == (TerminalSpec("T0000001"),)
    assert scenario.steps == (
        StepSpec("A", "sale", 300.0, "T0000001", "p1", {"card": "credit1", "amount": 26800}, {}, 10),
        StepSpec("V", "void", 1200.0, "T0000001", "", {"of": "A"}, {}, 11),
        StepSpec("S", "settle", 46800.0, "T0000001", "", {}, {}, 12),
    )
    assert scenario.faults == (
        Fault("wire/H>T0000001/0210#1", "drop", line=15),
        Fault("link/T0000001", "down", since="step:S", until="+600", line=16),
    )
    assert scenario.operator == model.OperatorSpec()
    settled = (SettledSpec("T0000001", "000001", 0, 0),)
    assert scenario.expect == Expect(classes=("clean",), settled=settled, exceptions=())


def test_a_text_without_a_file_has_a_slug_and_no_source() -> None:
    scenario = loads(CATALOGUE, "found-1")
    assert (scenario.slug, scenario.source) == ("found-1", "")


def test_dotted_keys_are_tables_and_a_variant_keeps_the_switches_of_the_file() -> None:
    text = 'world.switches.duplicates = "refuse"\nworld.timeout = "45s"\n'
    text += ONE + 'steps = [{id="A", do="echo"}]\n'
    text += '[[variants]]\nname = "v"\nworld.profile = "TC"\nworld.switches.dup_hours = 2\nexpect.steps.A.end = "ok"\n'
    scenario = loads(text, "day.toml")
    assert scenario.world.switches == {"duplicates": "refuse"}
    assert scenario.world.timeout == 45.0
    (variant,) = scenario.variants
    assert variant.world == {"profile": "TC", "switches": {"duplicates": "refuse", "dup_hours": 2}}
    assert variant.expect.steps == {"A": {"end": "ok"}}


def test_the_terminal_of_a_step_is_the_only_one_or_that_of_the_step_it_names() -> None:
    assert steps_of(ONE + 'steps = [{id="A", do="echo"}]')[0].unit == "T0000001"
    text = TWO + 'steps = [{id="A", do="sale", tid="T0000002", amount=100}, {id="V", do="void", of="A"}]'
    assert [step.unit for step in steps_of(text)] == ["T0000002", "T0000002"]
    assert steps_of(TWO + 'steps = [{id="C", do="cutoff"}]')[0].unit == ""


def test_two_units_of_one_tid_are_told_apart_by_their_names() -> None:
    steps = steps_of(TWINS + 'steps = [{id="A", do="echo", tid="right"}]')
    assert steps[0].unit == "right"
    with pytest.raises(ScenarioError, match="several units have TID T0000001; say which: left, right"):
        loads(TWINS + 'steps = [{id="A", do="echo", tid="T0000001"}]', "day.toml")


def test_a_fault_may_name_a_unit_or_a_tid() -> None:
    text = TWINS + 'steps = [{id="A", do="echo", tid="left"}]\nfaults = [{at="AT", action="drop"}]'
    for name in ("left", "T0000001", "T"):
        at = f"wire/{name}>H/0800"
        assert loads(text.replace("AT", at), "day.toml").faults[0].at == at


def test_a_window_takes_the_time_of_day() -> None:
    text = (
        ONE + 'steps = [{id="A", do="echo"}]\nfaults = [{at="link/T", action="down", from="10:00", until="day2 09:00"}]'
    )
    (fault,) = loads(text, "day.toml").faults
    assert (fault.since, fault.until) == ("3600", "86400")


def test_times_go_on_over_steps_that_have_none() -> None:
    text = ONE + (
        'steps = [{id="A", at="day2 10:00", do="echo"}, {id="B", at="+30m", do="echo"}, {id="C", do="echo"},'
        ' {id="D", at="2026-03-03T11:00", do="echo"}, {id="E", at="11:30", do="echo"}]'
    )
    assert [step.at for step in steps_of(text)] == [90_000.0, 91_800.0, -1.0, 93_600.0, 95_400.0]
    with pytest.raises(ScenarioError, match=r"steps\[4\]\.at: goes back: .* is 600 s before"):
        loads(text.replace("T11:00", "T10:20"), "day.toml")


def test_a_waiting_case_needs_no_steps() -> None:
    scenario = loads(ONE + 'waiting = "needs funding"\nsteps = []\n', "below-min-held.toml")
    assert (scenario.waiting, scenario.steps) == ("needs funding", ())


def test_the_word_to_an_editor_is_no_notice() -> None:
    text = "#:schema scenario.schema.json\n\n# What is seen.\n" + ONE + 'steps = [{id="A", do="echo"}]\n'
    assert loads(text, "day.toml").notice == "What is seen."
    assert loads(ONE + 'steps = [{id="A", do="echo"}] # no\n# no\n', "day.toml").notice == ""


def test_an_error_stands_at_its_own_line_however_the_file_is_laid_out() -> None:
    text = (
        ONE + '\n[[steps]]\nid = "A"\ndo = "sale"\namount = 100\n\n[[steps]]\nid = "B"\ndo = "sale"\n\namount = 1.5\n'
    )
    with pytest.raises(ScenarioError) as caught:
        loads(text, "day.toml")
    assert (caught.value.line, caught.value.key) == (12, "steps[2].amount")
    assert isinstance(caught.value, LabError)


def test_no_error_shows_a_card_number() -> None:
    for number in ("6223164991230014", "622316499123001", "62231649912300141234567"):
        text = ONE + f'steps = [{{id="A", do="sale", amount=100, card="{number}", entry="no"}}]'
        with pytest.raises(ScenarioError) as caught:
            loads(text, "day.toml")
        assert number not in str(caught.value)


def test_a_step_may_be_made_many_times_one_after_the_other() -> None:
    text = (
        ONE
        + 'steps = [{id="A", at="10:00", do="sale", amount=100, times=3, expect={end="approved"}}, {id="B", do="echo"}]'
    )
    steps = steps_of(text)
    assert [(step.id, step.at, step.line) for step in steps] == [
        ("A", 3600.0, 2),
        ("A-2", -1.0, 2),
        ("A-3", -1.0, 2),
        ("B", -1.0, 2),
    ]
    assert {step.expect["end"] for step in steps[:3]} == {"approved"}
    with pytest.raises(ScenarioError, match=r"steps\[2\]\.id: a second step 'A-2'"):
        loads(text.replace('"B"', '"A-2"'), "day.toml")


# ---- files


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"missing\.toml: cannot be read: No such file"):
        load(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b"# a\n# \xe9\n")
    with pytest.raises(ScenarioError, match=r"latin\.toml:2: is not UTF-8"):
        load(tmp_path / "latin.toml")
    (tmp_path / "long.toml").write_bytes(b"#" * (reading.FILE_BYTES_MAX + 1))
    with pytest.raises(ScenarioError, match="longer than 1000000 bytes"):
        load(tmp_path / "long.toml")
    (tmp_path / "day.toml").write_text(CATALOGUE, encoding="utf8")
    assert load(tmp_path / "day.toml").slug == "day"


def test_a_file_may_begin_with_the_mark_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "day.toml"
    path.write_bytes(b"\xef\xbb\xbf# Seen in the shop.\n" + ONE_SALE.encode())
    assert load(path).notice == "Seen in the shop."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "a"\ncase = 1\ntitle = "b = c"\n', "day.toml:3: no TOML: a second «title»"),
        ("[world]\nseed = 1\n  seed = 2", "day.toml:3: no TOML: a second «seed»"),
    ],
)
def test_a_key_that_stands_twice_is_named(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(text, "day.toml")
    assert str(caught.value) == said


def test_a_window_that_ends_before_it_begins_is_refused_however_the_times_are_written() -> None:
    window = 'faults = [{{at="link/T", action="down", from={}, until={}}}]\n'
    for since, until in (('"10:00"', '"09:30"'), ('"day2 09:00"', '"10:00"'), ("600", '"09:05"')):
        with pytest.raises(ScenarioError, match=r"faults\[1\].until: .* is not after «from»"):
            loads(window.format(since, until) + ONE_SALE, "day.toml")
    for since, until in (('"09:30"', '"10:00"'), ('"10:00"', '"+10m"'), ('"step:A"', '"09:01"')):
        assert loads(window.format(since, until) + ONE_SALE, "day.toml").faults


def test_a_variant_may_have_the_unit_of_the_file_at_which_it_is_keyed_again() -> None:
    file = 'operator = {rekey_on="T0000001"}\nvariants = [{name="v", operator={on_unknown="rekey-on"}}]\n'
    assert loads(file + ONE_SALE, "day.toml").variants


def test_a_file_of_too_many_steps_is_refused() -> None:
    steps = ", ".join(f'{{id="s{n}", do="echo"}}' for n in range(reading.STEPS_MAX + 1))
    with pytest.raises(ScenarioError, match="at most 2000"):
        loads(f"{ONE}steps = [{steps}]", "day.toml")


def test_every_file_of_the_library_can_be_read() -> None:
    for slug, path in reading.library().items():
        assert load(path).slug == slug


# ---- the tables


def test_every_deed_of_the_model_has_its_row() -> None:
    assert set(tables.DEED) == model.DEEDS


def test_the_tables_have_every_field_of_the_model() -> None:
    """What a file cannot say would be dead; what the model does not keep would be lost."""

    def fields(kind: type) -> set[str]:
        return set(kind.__dataclass_fields__)  # type: ignore[attr-defined]

    def keys(rows: tuple[Key, ...]) -> set[str]:
        return {key.name for key in rows}

    assert keys(tables.WORLD) == fields(WorldSpec)
    assert keys(tables.TERMINAL) == fields(TerminalSpec)
    assert keys(tables.OPERATOR) == fields(model.OperatorSpec)
    assert keys(tables.SETTLED) == fields(SettledSpec)
    assert keys(tables.EXPECT) == fields(Expect) - {"classes"} | {"class"}
    assert keys(tables.VARIANT) == fields(model.Variant)
    assert keys(tables.TOP) == fields(model.Scenario) - {"slug", "notice", "source"}
