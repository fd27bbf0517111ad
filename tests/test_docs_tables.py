"""The tables of docs/messages.md and docs/codes.md against the code: nothing missing, nothing twice, nothing invented.

A table is found by the comment above it, `<!-- words -->`. Each fact is stated by hand in the document and read here
from the code, so a row that is added, moved or dropped in one of the two makes a test fail.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer

from host.cli import app as host_app
from host.engine import decide, dialogue, download, sale
from host.engine.context import Settings
from host.engine.effects import EFFECTS
from specs import codes, security
from specs.dialect import load
from specs.families import cup, cup_answers, cup_table, iso87, iso87_answers, iso87_table, nac, nac_answers, nac_table
from specs.families import family as family_of
from specs.families.iso87_table import IsoRow
from specs.families.table import Row
from specs.message import Message
from specs.operation import Entry, Kind, Operation, Unreadable, UploadForm, Verdict
from specs.profile import KeyScheme, Profile
from specs.subfields import cup as cup_sub
from specs.subfields import nac as nac_sub
from terminal_sim.cards import ENTRIES
from terminal_sim.cli import app as terminal_app
from terminal_sim.jobs import stored, upload
from terminal_sim.jobs.download import ASKED_BY

ROOT = Path(__file__).resolve().parents[1]
MESSAGES, CODES = "messages.md", "codes.md"
NOT_OFFERED = "not offered"
TABLES: Mapping[str, tuple[Row, ...]] = {"cup": cup_table.ROWS, "nac": nac_table.ROWS, "iso87": iso87_table.ROWS}
Line = dict[str, str]


# ---- reading a document


@functools.cache
def text(document: str) -> str:
    return (ROOT / "docs" / document).read_text(encoding="utf8")


@functools.cache
def table(document: str, words: str) -> tuple[Line, ...]:
    """The rows of the table under `<!-- words -->`, each by the heads of its columns."""
    _before, separator, rest = text(document).partition(f"<!-- {words} -->\n")
    assert separator, f"{document} has no table «{words}»"
    block = itertools.takewhile(lambda line: line.startswith("|"), rest.splitlines())
    heads, rule, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in block)
    assert set("".join(rule)) == {"-"}, words
    for row in rows:
        assert len(row) == len(heads), f"{document}, «{words}»: {row}"
    return tuple(dict(zip(heads, row, strict=True)) for row in rows)


def values(cell: str) -> list[str]:
    """What a cell asks of a message: each value of a list; "" where it does not decide."""
    return [""] if cell == "-" or cell.startswith("(") else cell.split(", ")


def marked(cell: str) -> list[str]:
    """The words between backticks."""
    return re.findall(r"`([^`]+)`", cell)


# ---- messages


SIGNS: Mapping[str, tuple[str, ...]] = {
    "cup": ("MTI", "DE 3", "DE 25", "60.1", "60.3"),
    "nac": ("MTI", "DE 3", "DE 25", "also"),
    "iso87": ("MTI", "DE 3", "DE 25", "DE 90", "also", "DE 70"),
}
NAC_FUNCTIONS = {"": "", "tip": "DE 54", "adjusted": "DE 60 of 12"}


def signs_of(family: str, row: Row) -> tuple[str, ...]:
    first = (row.mti, row.processing, row.condition)
    if family == "cup":
        return (*first, row.type_code, row.function)
    if isinstance(row, IsoRow):
        present = ", ".join(f"DE {de}" for de in row.present)
        return (*first, row.names, present, row.network)
    return (*first, NAC_FUNCTIONS[row.function])


def stated(family: str) -> Iterator[tuple[tuple[str, ...], Line]]:
    for line in table(MESSAGES, f"rows: {family}"):
        for signs in itertools.product(*(values(line[head]) for head in SIGNS[family])):
            yield signs, line


@pytest.mark.parametrize("family", TABLES)
def test_every_row_of_a_family_stands_in_the_document_once(family: str) -> None:
    told = Counter((signs, line["kind"]) for signs, line in stated(family))
    there = Counter((signs_of(family, row), str(row.kind) if row.kind else NOT_OFFERED) for row in TABLES[family])
    assert sorted((told - there).elements()) == []
    assert sorted((there - told).elements()) == []


def decider(kind: Kind) -> str:
    """The module that decides a kind, below the road that all originals share."""
    if kind in EFFECTS:
        return EFFECTS[kind].plan.__module__
    handler = decide._HANDLERS[kind]
    return str(inspect.getclosurevars(handler).nonlocals.get("work", handler).__module__)


@pytest.mark.parametrize("family", TABLES)
def test_the_host_column_names_the_module_that_decides(family: str) -> None:
    for line in table(MESSAGES, f"rows: {family}"):
        if line["kind"] == NOT_OFFERED:
            assert re.match(r"answered 40: \w", line["host"]), line
        else:
            assert marked(line["host"])[0] == decider(Kind(line["kind"])).replace(".", "/") + ".py", line


@pytest.mark.parametrize("family", TABLES)
def test_the_terminal_column_says_what_sends_it_or_why_nothing_does(family: str) -> None:
    for line in table(MESSAGES, f"rows: {family}"):
        cell = line["terminal"]
        if line["kind"] == NOT_OFFERED or not marked(cell):
            assert re.match(r"not sent: \w", cell), line
        else:
            assert re.match("`terminal-sim |by itself", cell), line


def test_the_engine_handles_every_kind_but_what_is_not_served() -> None:
    assert set(decide._HANDLERS) == set(Kind) - {Kind.OTHER}


# ---- what no row has


def asked(name: str, mti: str) -> tuple[Operation | Unreadable, str]:
    """What the reader makes of a message of this MTI with signs that nothing has; DE 39 of its answer, "" for none."""
    dialect, reader = load(name), family_of(name)
    fields = {3: "550000", 4: "000000000100", 7: "0101000000", 11: "000001", 25: "00", 41: "T0000001", 42: "M" * 15}
    message = Message(mti, fields | {39: "00", 60: "99000001999", 70: "999"}, "6000030000", "603100310000")
    read = reader.read_request(message, dialect)
    answer = reader.refusal_answer(message, read, "0101000000", dialect) if isinstance(read, Unreadable) else None
    return read, answer[39] if answer is not None else ""


@pytest.mark.parametrize("family", TABLES)
def test_what_nobody_answers_gets_no_answer(family: str) -> None:
    section = text(MESSAGES).partition("## What nobody answers")[2].partition("\n## ")[0]
    named = [mti for line in section.splitlines() if line.startswith("| 0") for mti in re.findall(r"\d{4}", line)]
    assert len(named) > 10
    for mti in named:
        read, code = asked(family, mti)
        assert isinstance(read, Unreadable), mti
        assert code == "", mti


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        ("cup", "0300, 0420, 0520 and 0600, which are none of this dialect's"),
        ("nac", "an 0800 with another DE 3 too"),
        ("iso87", "so is a 0300 and a 0320"),
        *((family, "An MTI of 1993 or 2003 at one of the dialects above (`1200`, `2200`)") for family in TABLES),
    ],
)
def test_what_is_answered_12(family: str, sentence: str) -> None:
    assert sentence in text(MESSAGES)
    for mti in re.findall(r"\b\d{4}\b", sentence.replace("1993 or 2003", "")):
        assert asked(family, mti)[1] == "12", mti


# ---- what both documents name


def commands(app: typer.Typer) -> set[str]:
    named = {c.name or (c.callback.__name__ if c.callback else "") for c in app.registered_commands}
    groups = {group.name for group in app.registered_groups if isinstance(group.name, str)}
    return {name.replace("_", "-") for name in named | groups}


@pytest.mark.parametrize("document", [MESSAGES, CODES])
def test_every_module_command_and_document_named_is_there(document: str) -> None:
    words = marked(text(document))
    modules = {word for word in words if re.match(r"(?:specs|host|terminal_sim)/", word)}
    assert len(modules) > 5
    for path in modules:
        importlib.import_module(path.removesuffix(".py").replace("/", "."))
        assert (ROOT / path).is_file(), path
    for program, app in (("terminal-sim", terminal_app), ("acquirer-host", host_app)):
        named = {word.split()[1] for word in words if word.startswith(f"{program} ")}
        assert named <= commands(app), program
    for target in re.findall(r"\]\(([^)]+)\)", text(document)):
        assert (ROOT / "docs" / target).is_file(), target
    for test in (word for word in words if word.startswith("tests/")):
        assert (ROOT / test).is_file(), test


def test_the_download_words_are_those_of_the_terminal() -> None:
    named = re.findall(r"`terminal-sim download ([a-z-]+)`", text(MESSAGES))
    assert set(named) == set(ASKED_BY.values())


@pytest.mark.parametrize("document", [MESSAGES, CODES])
def test_every_switch_that_is_named_is_one(document: str) -> None:
    named = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)(?: = [^`]*)?`", text(document)))
    assert named
    assert named <= set(Profile.__dataclass_fields__) | set(Settings.__dataclass_fields__)


# ---- values inside data elements


def test_entry_modes_are_those_that_the_readers_know() -> None:
    known = {"cup": cup._ENTRIES, "nac": nac._ENTRIES, "iso87": iso87._ENTRIES}
    lines = table(MESSAGES, "values: entry")
    assert {line["DE 22"] for line in lines} == {code for entries in known.values() for code in entries}
    for line in lines:
        for family, entries in known.items():
            assert line[family] == entries.get(line["DE 22"], Entry.UNKNOWN), line


def test_our_terminal_s_entry_modes_are_as_stated() -> None:
    sends = re.search(r"Our terminal sends ([\d, and]+) \(`--entry`\)", text(MESSAGES))
    assert sends is not None
    by_code = {line["DE 22"]: line["cup"] for line in table(MESSAGES, "values: entry")}
    assert {by_code[code] for code in re.findall(r"\d\d", sends[1])} == set(map(str, ENTRIES))


def test_header_digit_6_is_what_the_host_may_say_and_the_terminal_does() -> None:
    lines = table(MESSAGES, "values: header")
    assert [line["digit 6"] for line in lines] == [str(digit) for digit in range(9)]
    assert {line["digit 6"] for line in lines if line["the host says it"] == "yes"} == set(download.REQUESTS)
    for line in lines:
        digit = line["digit 6"]
        done = {code for code, request in download.DONE_BY.items() if request == digit}
        assert set(re.findall(r"\d{3}", line["done when the host gets"])) == done, line
        if digit in ASKED_BY:
            assert marked(line["our terminal then does"]) == [f"terminal-sim download {ASKED_BY[digit]}"]


def test_the_forms_of_an_upload_are_those_of_the_table_of_transactions() -> None:
    told = {
        (row[0], row[1])
        for row in re.findall(r"^\| (\d{3}) \| .* \| ((?:upload|tc-upload)[^|]*) \|", text(MESSAGES), re.M)
    }
    chip = {(code, "tc-upload") for code in cup_table.CHIP_UPLOADS.values()}
    others = {("201", f"upload, {UploadForm.GROUP}"), (cup_table.COPY, f"upload, {UploadForm.COPY}")}
    assert told == chip | others | {("202", "upload-end"), ("207", "upload-end")}


def test_lengths_are_those_of_the_readers() -> None:
    stated_lengths = {
        (line["element"], line["length"]): [int(n) for n in re.findall(r"\d+", line["length"])]
        for line in table(MESSAGES, "values: lengths")
    }
    assert stated_lengths["NAC DE 63", "15, 30, 36, 60, 75, 90"] == list(nac_sub.TOTALS_LENGTHS)
    assert stated_lengths["CUP DE 48", "62 digits"] == [cup_sub.SETTLEMENT_DIGITS]
    assert stated_lengths["CUP DE 62", "24, 40, 60 bytes"] == sorted(security.KEY_LAYOUTS)


def test_de66_is_as_the_answers_have_it() -> None:
    said = {line["DE 66"] for line in table(MESSAGES, "values: de66")}
    assert said == set(iso87_answers._VERDICT_CODES.values())


# ---- codes


FAMILIES_OF = {"both": ("nac", "iso87"), "NAC": ("nac",), "ISO 87": ("iso87",)}


def code_lines() -> Iterator[tuple[str, Line]]:
    for line in table(CODES, "codes: cup"):
        yield "cup", line
    for line in table(CODES, "codes: nac, iso87"):
        for family in FAMILIES_OF[line["dialect"]]:
            yield family, line


def test_every_code_of_every_family_stands_in_the_document_once() -> None:
    told = Counter((family, line["code"]) for family, line in code_lines())
    there = Counter((family, code) for family in codes.FAMILIES for code in codes.RESPONSE_CODES[family])
    assert told == there


def test_meaning_category_and_action_of_a_code_are_the_table_s() -> None:
    for family, line in code_lines():
        row = codes.RESPONSE_CODES[family][line["code"]]
        assert (line["meaning"], line["category"]) == (row.meaning, row.category), line
        assert marked(line["our terminal"]) == [row.action], line
        assert line.get("text", row.text) == row.text, line


COLUMNS = {"cup": "CUP", "nac": "NAC", "iso87": "ISO 87"}
REFUSALS = {refusal.value: refusal for refusal in codes.Refusal}


def refusals() -> dict[codes.Refusal, Line]:
    lines = table(CODES, "refusals")
    told = {REFUSALS[marked(line["refusal"])[0]]: line for line in lines}
    assert len(told) == len(lines)
    return told


def test_every_refusal_has_its_code_of_each_family() -> None:
    told = refusals()
    assert set(told) == set(codes.Refusal)
    for refusal, line in told.items():
        for family, column in COLUMNS.items():
            assert line[column].strip("()") == codes.for_refusal(family, refusal), line


def source_of_the_host(*packages: str) -> str:
    folders = [ROOT / "host" / package for package in packages] or [ROOT / "host"]
    return "\n".join(path.read_text(encoding="utf8") for folder in folders for path in sorted(folder.rglob("*.py")))


def test_a_refusal_is_said_where_the_document_says() -> None:
    host = source_of_the_host()
    for refusal, line in refusals().items():
        word = re.compile(rf"\bRefusal\.{refusal.name}\b")
        if line["said by"] == "nobody":
            assert not word.search(host), f"{refusal} is said by now: {line}"
            continue
        for path in marked(line["said by"]):
            assert word.search((ROOT / path).read_text(encoding="utf8")), f"{path} does not say {refusal}"


def test_the_refusals_beside_a_code_are_those_that_it_says() -> None:
    told = refusals()
    for family, line in code_lines():
        says = {
            refusal
            for refusal, about in told.items()
            if about["said by"] != "nobody" and about[COLUMNS[family]] == line["code"]
        }
        assert {REFUSALS[w] for w in marked(line["our host says it"]) if w in REFUSALS} == says, line


def test_magic_amounts_are_told_of_the_codes_that_have_one() -> None:
    for family, line in code_lines():
        amount = sale.MAGIC_BASE + int(line["code"]) if line["code"].isdigit() else 0
        has_one = sale.magic_code(family, amount, on=True) == line["code"]
        assert ("magic amount" in line["our host says it"]) == has_one, line


def test_a_code_that_is_never_said_is_nobody_s() -> None:
    for family, line in code_lines():
        if line["our host says it"] == "never":
            assert line["code"] not in codes.REFUSAL_CODES[family].values(), line
            assert f'"{line["code"]}"' not in source_of_the_host("engine", "issuer"), line


@pytest.mark.parametrize(
    ("words", "sets"),
    [
        ("reversal done", codes.REVERSAL_ACK),
        ("advice delivered", dict.fromkeys(codes.FAMILIES, codes.ADVICE_DELIVERED)),
        ("record taken", dict.fromkeys(("cup", "nac"), codes.UPLOAD_ACK)),
        ("stored items stay owed", dict.fromkeys(codes.FAMILIES, stored.NOT_ABOUT_THE_ITEM)),
    ],
)
def test_the_sets_that_a_terminal_acts_on(words: str, sets: Mapping[str, frozenset[str]]) -> None:
    told = {(family, line["code"]) for family, line in code_lines() if words in line["our terminal"].split("; ")}
    there = {(family, code) for family, members in sets.items() for code in members}
    assert told == {(family, code) for family, code in there if code in codes.RESPONSE_CODES[family]}
    line = next(row for row in table(CODES, "sets") if row["words in the tables below"] == words)
    common = frozenset.intersection(*sets.values())
    assert set(line["codes"].split(", ")) == common
    for family, members in sets.items():
        more = ", ".join(sorted(members - common))
        assert not more or f"{COLUMNS[family]} also {more};" in line["what else"], line


def test_what_the_upload_takes_for_trouble_of_the_host_is_what_stored_items_take() -> None:
    assert upload._NOT_ABOUT_THE_RECORD == stored.NOT_ABOUT_THE_ITEM


def test_every_action_is_explained() -> None:
    told = [word for line in table(CODES, "actions") for word in marked(line["action"])]
    assert sorted(told) == sorted(codes.Action)


def test_reversal_reasons() -> None:
    lines = {line["DE 39"]: line for line in table(CODES, "reasons")}
    sent = {code for code, line in lines.items() if not line["our terminal sends it"].startswith("never")}
    assert sent == set(codes.ReversalReason)


def test_verdicts_are_said_as_the_document_says() -> None:
    lines = table(CODES, "verdicts")
    assert [marked(line["verdict"])[0] for line in lines] == list(Verdict)
    profile = Profile("nac", KeyScheme.HOST_BATCH)
    for line in lines:
        verdict = Verdict(marked(line["verdict"])[0])
        assert line["CUP DE 48"] == cup_answers._VERDICT_CODES[verdict], line
        assert line["ISO 87 DE 66"] == iso87_answers._VERDICT_CODES[verdict], line
        assert line["NAC DE 39"] == dialogue.code_for(profile, verdict), line
        assert nac_answers._VERDICT_CODES.get(verdict, line["NAC DE 39"]) == line["NAC DE 39"], line
