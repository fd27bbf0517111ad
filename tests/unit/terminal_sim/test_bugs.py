"""The registry of planted bugs: its names, how they are set up, and that a day without a fault is a day like any."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from terminal_sim.bugs import BUGS, with_bugs
from terminal_sim.cli import app
from terminal_sim.errors import ConfigError
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.flash import DirFlash
from terminal_sim.flash_format import dump, load
from terminal_sim.moves import (
    Adjust,
    Complete,
    Echo,
    End,
    OfflineSale,
    PreAuth,
    Refund,
    Sale,
    Settle,
    SignOff,
    Void,
)
from tests.support.till import CARD, Till, a_till, agree

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "planted-bugs.md"
DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
EVERY = pytest.mark.parametrize("name", BUGS)
PLANTED = (
    *("rev-clear-first", "rev-drop-n", "rev-only-00", "row-kept", "admin-clear", "mark-after-send", "flag-without-rc"),
    *("restart-upload", "print-then-clear", "stan-late", "local-force-settle", "daycut-carry", "late-accept"),
    "one-read-framing",
)
"""What failure-catalogue.md section 4 names of terminals."""


# --- the registry


def test_every_planted_bug_of_the_catalogue_is_there_and_first() -> None:
    assert tuple(BUGS)[: len(PLANTED)] == PLANTED


@EVERY
def test_a_bug_is_named_like_its_file_and_changes_the_firmware(name: str) -> None:
    bug = BUGS[name]
    assert bug.name == name
    assert bug.apply.__module__ == f"terminal_sim.bugs.{name.replace('-', '_')}"
    assert re.fullmatch(r"[a-z0-9-]+", name)
    assert bug.meaning
    assert not bug.meaning.endswith(".")
    assert all(1 <= case <= 84 for case in bug.cases)
    assert with_bugs((name,)) != REFERENCE


def test_no_two_bugs_are_the_same_and_no_decision_is_nobody_s() -> None:
    made = [with_bugs((name,)) for name in BUGS]
    assert len(set(made)) == len(made)
    changed = {f.name for one in made for f in fields(Firmware) if getattr(one, f.name) != getattr(REFERENCE, f.name)}
    assert changed == {f.name for f in fields(Firmware)}


def test_bugs_go_together_and_none_is_the_reference() -> None:
    both = with_bugs(("no-rev", "mac-declined", "late-accept", "cross-accept"))
    assert [str(doubt) for doubt in both.reversed_on] == ["card"]
    assert both.not_compared == {4, 11, 41, 42}
    assert with_bugs(()) is REFERENCE


@pytest.mark.parametrize(("typed", "meant"), [("rev-dropn", "rev-drop-n"), ("stan_late", "stan-late"), ("zzz", "")])
def test_an_unknown_bug_names_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(typed)) as caught:
        with_bugs(("no-rev", typed))
    assert ("did you mean" in str(caught.value)) is bool(meant)
    assert str(caught.value).endswith(f"did you mean {meant}?" if meant else "is known")


# --- a day without a fault


def a_day(*bugs: str, dialect: str) -> Till:
    """Everything once, nothing goes wrong; the tip is on its way before the batch is closed."""
    till = a_till(*bugs, dialect=dialect)
    card = CARD
    sale = till.press(Sale(1000, card))
    voided = till.press(Sale(2000, card))
    till.press(Void(stan=voided.stan))
    till.press(Adjust(stan=sale.stan, tip=100))
    till.press(OfflineSale(500, card))
    room = till.press(PreAuth(3000, card))
    till.press(Complete(stan=room.stan, amount=2500))
    till.press(Refund(100, card, stan=sale.stan))
    till.press(Echo())
    till.power_up()
    assert till.press(Settle()).end is End.AGREED
    assert till.press(Sale(700, card)).end is End.APPROVED
    assert till.power_up(Settle()).end is End.AGREED
    assert till.press(Settle()).end is End.NOTHING
    if dialect != "nac":
        assert till.press(SignOff()).end is End.OK
    return till


@DIALECTS
@EVERY
def test_a_faultless_day_is_as_with_the_reference(name: str, dialect: str) -> None:
    till, reference = a_day(name, dialect=dialect), a_day(dialect=dialect)
    agree(till)
    # By value and not by STAN: clear-on-send has no end of the upload to number.
    assert list(till.host.standing().values()) == list(reference.host.standing().values())
    assert [(c.batch, c.result) for c in till.memory.archive] == [(c.batch, c.result) for c in reference.memory.archive]
    assert [slip.title for slip in till.screen.slips] == [slip.title for slip in reference.screen.slips]


@DIALECTS
def test_all_of_them_together_come_through_a_faultless_day(dialect: str) -> None:
    a_day(*BUGS, dialect=dialect)


# --- set-up


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def test_init_keeps_the_bugs_on_the_flash(tmp_path: Path) -> None:
    words = ("init", tmp_path / "till", "--connect", "cup://127.0.0.1:1")
    assert run(*words, "--bug", "rev-drop-n", "--bug", "stan-late", "--bug", "rev-drop-n")[0] == 0
    memory = DirFlash(tmp_path / "till").load()
    assert memory.config.bugs == ("rev-drop-n", "stan-late")
    assert load(dump(memory)) == memory


def test_init_refuses_a_bug_that_nobody_knows(tmp_path: Path) -> None:
    code, said = run("init", tmp_path / "till", "--connect", "cup://127.0.0.1:1", "--bug", "rev-drop")
    assert (code, said.count("\n")) == (2, 1)
    assert "--bug: no bug 'rev-drop' is known: did you mean rev-drop-n?" in said
    assert not (tmp_path / "till").exists()


def test_init_help_lists_them_all() -> None:
    code, said = run("init", "--help")
    assert code == 0
    assert [name for name in BUGS if not re.search(rf"^  {name}  ", said, re.M)] == []


def test_a_flash_with_a_bug_that_this_program_does_not_know_is_exit_2(tmp_path: Path) -> None:
    run("init", tmp_path / "till", "--connect", "nac://127.0.0.1:1", "--bug", "rev-drop-n")
    file = tmp_path / "till" / "terminal.json"
    memory = DirFlash(tmp_path / "till").load()
    file.write_text(dump(memory).replace("rev-drop-n", "rev-drop-m"))
    file.write_text(_resealed(file.read_text()))
    code, said = run("echo", tmp_path / "till")
    assert (code, "did you mean rev-drop-n" in said) == (2, True)


def _resealed(text: str) -> str:
    """The document with the check that fits it."""
    import hashlib

    blank = re.sub(r'("check": ")[0-9a-f]{64}', rf"\g<1>{'0' * 64}", text)
    return blank.replace("0" * 64, hashlib.sha256(blank.encode()).hexdigest(), 1)


# --- the page


def test_the_page_is_the_registry() -> None:
    lines = re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \| ([\d, ]+) \| (.+?) \|$", PAGE.read_text(encoding="utf8"), re.M)
    told = {name: (what, cases, source) for name, what, cases, source in lines}
    there = {b.name: (b.meaning, ", ".join(map(str, b.cases)), b.source) for b in BUGS.values()}
    assert {name: told.get(name) for name in there} == there
    assert [name for name, *_ in lines if name in there] == list(there)
