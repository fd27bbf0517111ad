"""The tables of docs/faults.md against the code: fault actions, magic amounts, test cards."""

from __future__ import annotations

import re
from pathlib import Path

from host.engine.sale import MAGIC_BASE, MAGIC_COUNT
from host.faults import ACTIONS, CRASH, Phase
from host.magic import FAULT_BASE, FAULT_COUNT, FAULTS
from specs.faults import Action, Param, Place
from specs.faults.actions import ACTIONS as CATALOGUE
from specs.faults.points import HOST_FILES, HOST_STEPS, MOMENTS, TERMINAL_STEPS
from specs.money import format_amount
from specs.testcards import load_test_cards
from terminal_sim.faulty_line import PLAYED
from tests.test_docs_tables import marked, table

DOCUMENT = "faults.md"
ROOT = Path(__file__).resolve().parent.parent


def test_the_actions_are_those_of_the_host() -> None:
    lines = table(DOCUMENT, "actions")
    assert [marked(line["action"])[0] for line in lines] == list(ACTIONS)
    for line, known in zip(lines, ACTIONS.values(), strict=True):
        assert line["phases"].split(", ") == [str(phase) for phase in known.phases], line
        assert line["kept as (failure catalogue)"] == f"{known.action} at `{as_written(known.point)}`", line
        assert line["fate of the answer"] == known.fate, line
        default = "-" if known.delay_s is None else f"{known.delay_s:g}"
        assert line["default of `delay_s`"] == default, line


def as_written(point: str) -> str:
    """As a rule names it: a crash stands before or after its step."""
    return f"{point}.after" if point == CRASH else point


def vocabulary_rows() -> list[dict[str, str]]:
    """The table of all actions, as the registries have it."""
    return [
        {
            "action": f"`{action.name}`",
            "what happens": action.meaning,
            "parameters": ", ".join(map(_parameter, action.params)) or "-",
            "in the world": ", ".join(f"`{point}`" for point in _points(action)),
            "terminal's line": _on_the_line(action),
            "host": ", ".join(f"`{point}`" for point in _at_the_host(action)) or "-",
        }
        for action in CATALOGUE.values()
    ]


def _parameter(param: Param) -> str:
    if param.default is None:
        return f"`{param.name}`"
    return f'`{param.name}` ("{param.default}")' if param.kind == "sizes" else f"`{param.name}` ({param.default:g})"


def _points(action: Action) -> list[str]:
    """wire with each direction, crash, store and op with the step where it has only some."""
    found: list[str] = []
    for place in action.places:
        if place is Place.WIRE:
            found += [f"wire/{way}" for way in action.ends]
        else:
            found += [f"{place.value}/…/{step}" for step in action.steps] or [place.value]
    return found


def _on_the_line(action: Action) -> str:
    if action.name not in PLAYED:
        return "-"
    ours = [point for point in _points(action) if point in ("wire/T>H", "wire/H>T", "conn", "link")]
    return ", ".join(f"`{point}`" for point in ours)


def _at_the_host(action: Action) -> list[str]:
    names = [known for known in ACTIONS.values() if known.action == action.name]
    found = [as_written(known.point) for known in names] + ["wire/T>H" for known in names if known.inward]
    return sorted(dict.fromkeys(found), reverse=True)


def test_the_vocabulary_is_the_one_of_the_registries() -> None:
    assert [dict(line) for line in table(DOCUMENT, "vocabulary")] == vocabulary_rows()


def test_the_names_of_points_are_all_told() -> None:
    text = (ROOT / "docs" / DOCUMENT).read_text("utf-8")
    for name in (*TERMINAL_STEPS, *HOST_STEPS, *HOST_FILES, *MOMENTS, *(place.value for place in Place)):
        assert re.search(rf"\b{re.escape(name)}\b", text), name


def test_the_magic_amounts_are_those_of_the_host() -> None:
    codes, *faults = table(DOCUMENT, "magic")
    assert codes["minor units"] == f"{MAGIC_BASE + 1}-{MAGIC_BASE + MAGIC_COUNT - 1}"
    assert [int(line["minor units"]) for line in faults] == sorted(FAULTS)
    for line in faults:
        amount = int(line["minor units"])
        assert FAULT_BASE <= amount < FAULT_BASE + FAULT_COUNT
        assert line["amount"].replace(",", "") == format_amount(amount, "156"), line
        fault = FAULTS[amount]
        said = [f"`{fault.name}`"]
        said += [f"rc {fault.rc}"] if fault.rc else []
        said += ["before-commit"] if fault.phase is not ACTIONS[fault.name].phases[0] else []
        assert line["as the fault rule"] == ", ".join(said), line
        booked = line["what happens"].startswith("booked")
        assert booked == (fault.phase is Phase.AFTER_COMMIT), line


def test_the_cards_are_those_of_the_file() -> None:
    known = load_test_cards()
    told: list[str] = []
    for line in table(DOCUMENT, "cards"):
        names, numbers = marked(line["name"]), re.findall(r"\d{13,19}", line["number"])
        told += names
        for name, number in zip(names, numbers, strict=True):
            card = known[name]
            assert number == card.pan, line
            assert line["class"].partition(",")[0].lower() == card.card_class, line
            assert line["chip"] == ("yes" if card.chip else "no"), line
            assert line["PIN"] == (card.pin or "-"), line
            for word, on in (("54", card.expired), ("43", card.stolen), ("41", card.lost)):
                assert (line["what it shows"] == word) == on, line
    assert told == list(known)
