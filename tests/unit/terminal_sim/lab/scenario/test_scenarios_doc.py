"""docs/scenarios.md against the reader: every key, deed and word stands in its tables, every error is what it says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from terminal_sim.lab.errors import ScenarioError
from terminal_sim.lab.scenario import names, tables
from terminal_sim.lab.scenario.kinds import KINDS, Key
from terminal_sim.lab.scenario.reading import loads
from terminal_sim.lab.scenario.schema import schema
from tests.support.json_schema import fits

DOC = Path(__file__).resolve().parents[5] / "docs" / "scenarios.md"
TABLES: Mapping[str, tuple[Key, ...]] = {
    "the file": tables.TOP,
    "world": tables.WORLD,
    "terminals": tables.TERMINAL,
    "steps": tables.STEP,
    "operator": tables.OPERATOR,
    "expect": tables.EXPECT,
    "settled": tables.SETTLED,
    "purchases": tables.PURCHASE,
    "expect of a step": tables.STEP_EXPECT,
    "variants": tables.VARIANT,
}
WORDS = {
    "end": names.ends(),
    "class": names.classes(),
    "findings": names.findings(),
    "exceptions": names.reasons(),
    "on_unknown": names.habits(),
    "entry": names.entries(),
    "dialect": names.dialects(),
    "firmware": names.firmware(),
}
FEW = 3
NESTED = {
    "table": "table",
    "tables": "list of tables",
    "table-of-tables": "table of tables",
    "steps": "list of tables",
    "faults": "list of tables",
}
PYTHONS_OWN = "no TOML: "
HEADS = ("key", "value", "meaning", "without it")


def table(words: str) -> list[tuple[str, ...]]:
    """The rows under `<!-- words -->`, without head and rule."""
    _, mark, rest = DOC.read_text(encoding="utf8").partition(f"<!-- {words} -->\n")
    assert mark, f"no table «{words}»"
    found = []
    for line in rest.splitlines():
        if not line.startswith("|"):
            break
        found.append(tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")))
    return [tuple(cell.strip() for cell in row) for row in found[2:]]


def row(key: Key) -> tuple[str, ...]:
    value = KINDS[key.kind].says if key.kind in KINDS else NESTED[key.kind]
    if key.names is not None and key.kind == "word" and len(key.words) <= FEW:
        value = ", ".join(f"`{word}`" for word in key.words)
    return f"`{key.name}`", value, key.meaning, "needed" if key.needed else key.default or "-"


def argument(key: Key) -> str:
    return f"`{key.name}`" if key.needed else f"[`{key.name}`]"


def deed_row(deed: tables.Deed) -> tuple[str, ...]:
    return (
        f"`{deed.name}`",
        deed.meaning,
        " ".join(map(argument, deed.args)) or "-",
        {
            tables.TERMINAL_WORKS: "a terminal",
            tables.HOST_WORKS: "the host, about a terminal",
            tables.NOBODY_WORKS: "-",
        }[deed.at],
    )


def arguments() -> dict[str, Key]:
    return {key.name: key for deed in tables.DEED.values() for key in deed.args}


@pytest.mark.parametrize("name", TABLES)
def test_every_key_of_a_table_stands_in_the_document(name: str) -> None:
    assert table(name) == [row(key) for key in TABLES[name]]


def test_every_deed_stands_in_the_document_with_what_it_takes() -> None:
    assert table("deeds") == [deed_row(deed) for deed in tables.DEED.values()]


def test_every_argument_of_a_deed_is_explained() -> None:
    told = {cells[0]: cells[1] for cells in table("arguments")}
    assert told == {f"`{name}`": KINDS[key.kind].says for name, key in arguments().items()}


def test_every_list_of_words_is_whole() -> None:
    told = {cells[0].strip("`"): tuple(word.strip("`") for word in cells[1].split(", ")) for cells in table("words")}
    assert told == WORDS


# ---- errors


def samples() -> Iterator[tuple[str, str, bool]]:
    for snippet, says, seen in table("errors"):
        yield snippet.strip("`"), says.strip("`"), seen == "yes"


def whole(snippet: str) -> str:
    """The file of an example: what it does not say itself is as in the document."""
    keys = snippet.partition("=")[0].strip()
    rest = {"terminals": '[{tid="T0000001"}]', "steps": '[{id="A", do="sale", amount=100}]'}
    return "\n".join([snippet, *(f"{name} = {value}" for name, value in rest.items() if name != keys), ""])


@pytest.mark.parametrize(("snippet", "says"), [(snippet, says) for snippet, says, _ in samples()])
def test_every_error_is_said_as_the_document_has_it(snippet: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(whole(snippet), "day.toml")
    assert "\n" not in says
    if PYTHONS_OWN in says:  # the rest of the line is the standard library's
        says = says.partition(PYTHONS_OWN)[0] + PYTHONS_OWN
        assert str(caught.value).startswith(says)
    else:
        assert str(caught.value) == says


@pytest.mark.parametrize(("snippet", "seen"), [(snippet, seen) for snippet, _, seen in samples()])
def test_an_editor_sees_what_one_table_can_tell(snippet: str, seen: bool) -> None:
    try:
        value = tomllib.loads(whole(snippet))
    except tomllib.TOMLDecodeError:
        assert seen
        return
    assert fits(value, schema()) is not seen


def test_the_examples_are_many_and_the_file_around_them_is_right() -> None:
    assert len(list(samples())) > 80
    assert loads(whole("case = 1"), "day.toml").case == 1
    assert fits(tomllib.loads(whole("case = 1")), schema())


def test_every_example_of_the_document_is_a_scenario_for_reader_and_schema() -> None:
    blocks = DOC.read_text(encoding="utf8").split("```toml\n")[1:]
    assert len(blocks) >= 2
    for block in blocks:
        text = block.partition("```")[0]
        assert loads(text, "day.toml").steps
        assert fits(tomllib.loads(text), schema())
