"""The folder of a terminal: whole or not at all, one process at a time, and plain words when it is broken."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from specs.operation import Entry, Kind
from specs.totals import Sum, Totals
from terminal_sim import flash_format
from terminal_sim.errors import FlashBusy, FlashError, PowerCut
from terminal_sim.flash import CutPower, DirFlash, MemoryFlash, power_from
from terminal_sim.moves import Adjust, OfflineSale, Sale, Settle, SignOn, Void
from terminal_sim.state import Archived, Config, Memory, Phase, Row, ScriptResult, Settlement, Slip
from tests.support.scripted_host import drop
from tests.support.till import CARD, Till

CONFIG = Config("12345678", "123456789012345", "cup://127.0.0.1:1")


def full_memory() -> Memory:
    """A flash with something in every part."""
    till = Till("cup")
    till.press(SignOn())
    sale = till.press(Sale(100, CARD))
    till.press(Void(stan=sale.stan))
    till.press(Settle())
    till.press(Sale(200, CARD))
    till.host.faults["0200", 4] = drop
    till.press(Sale(300, CARD))
    till.press(OfflineSale(400, CARD))
    till.press(Adjust(stan=till.memory.rows[0].stan, tip=10))
    owed = ScriptResult("000077", "000002", till.host.sent("0200")[0].with_fields({35: None, 64: None}), 2)
    till.flash = MemoryFlash(replace(till.memory, script=owed, ca_keys=("9F06",), parameters=(("22", "商户"),)))
    totals = Totals((Sum("domestic", "debit", 1, 200),))
    settlement = Settlement(Phase.UPLOADING, "000002", totals, (("domestic", "differs"),), ("domestic",), totals)
    return replace(till.memory, settlement=settlement)


def test_everything_on_flash_comes_back_equal(tmp_path: Path) -> None:
    memory = full_memory()
    assert memory.pending is not None
    assert memory.archive
    assert len(memory.stored_rows) == 2
    assert memory.script is not None
    assert memory.last_slip
    flash = DirFlash(tmp_path / "t")
    flash.create(memory)
    assert flash.load() == memory


def test_a_save_replaces_the_whole_file_and_no_one_else_can_read_it(tmp_path: Path) -> None:
    flash = DirFlash(tmp_path / "t")
    flash.create(Memory(CONFIG))
    before = flash.path.stat().st_ino
    with flash:
        flash.save("stan", Memory(CONFIG, stan="000007"))
    assert flash.load().stan == "000007"
    assert flash.path.stat().st_ino != before
    assert stat.S_IMODE(flash.path.stat().st_mode) == 0o600


def test_the_file_is_synced_before_it_is_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed first, a power cut can leave the new name on an empty file."""
    calls: list[str] = []
    fsync, rename = os.fsync, os.replace

    def synced(handle: int) -> None:
        calls.append("sync folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "sync file")
        fsync(handle)

    def renamed(source: Path, target: Path) -> None:
        calls.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    DirFlash(tmp_path / "t").create(Memory(CONFIG))
    assert calls == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize("keep", [0, 1, 200])
def test_a_torn_file_is_named(tmp_path: Path, keep: int) -> None:
    flash = DirFlash(tmp_path / "t")
    flash.create(full_memory())
    flash.path.write_bytes(flash.path.read_bytes()[:keep])
    with pytest.raises(FlashError, match=r"terminal\.json: is torn or no JSON"):
        flash.load()


def test_a_torn_file_beside_the_good_one_is_no_matter(tmp_path: Path) -> None:
    """What a cut in the middle of a write leaves."""
    flash = DirFlash(tmp_path / "t")
    flash.create(Memory(CONFIG))
    flash.path.with_suffix(".tmp").write_text('{"version": 1, "term')
    assert flash.load() == Memory(CONFIG)
    with flash:
        flash.save("stan", Memory(CONFIG, stan="000001"))
    assert flash.load().stan == "000001"


def test_a_file_cut_off_at_any_byte_or_with_any_byte_changed_is_refused() -> None:
    """One digit of an amount or a STAN is still JSON and still fits its type: the check sees it."""
    whole = flash_format.dump(full_memory()).encode()
    assert flash_format.load(whole.decode()) == full_memory()
    places = [*range(120), *range(120, len(whole), 53)]
    for at in places:
        for spoilt in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            try:
                text = spoilt.decode()
            except UnicodeDecodeError:
                continue  # a Chinese character: DirFlash says that the file is torn
            with pytest.raises(flash_format.FormatError):
                flash_format.load(text)


def test_what_a_torn_file_wants_is_said(tmp_path: Path) -> None:
    """One line with the way back; the file stays as it is, for whoever wants to look at it."""
    flash = DirFlash(tmp_path / "t")
    flash.create(full_memory())
    spoilt = flash.path.read_bytes().replace(b'"amount": 200', b'"amount": 300', 1)
    flash.path.write_bytes(spoilt)
    with (
        pytest.raises(FlashError, match=r"terminal\.json: does not fit its check.*`terminal-sim restore`") as told,
        flash,
    ):
        flash.load()
    assert "\n" not in str(told.value)
    assert flash.path.read_bytes() == spoilt


def test_a_flash_of_the_version_before_is_read_and_written_anew() -> None:
    """It had no check."""
    document = json.loads(flash_format.dump(full_memory()))
    del document["check"]
    old = json.dumps(document | {"version": 1})
    assert flash_format.load(old) == full_memory()
    with pytest.raises(flash_format.FormatError, match="check"):
        flash_format.load(json.dumps(document))


@pytest.mark.parametrize(("stan", "after"), [("000005", "001005"), ("999500", "000501"), ("000000", "001000")])
def test_a_copy_that_is_put_back_goes_on_behind_every_number_that_may_be_spent(stan: str, after: str) -> None:
    """RT1: a STAN that was taken since the copy must not be taken again; it is noted who speaks."""
    back = Memory(CONFIG, stan=stan).restored("2026-11-21T09:30:15+08:00")
    assert back.stan == after
    assert [(event.event, event.detail) for event in back.events] == [("restored", f"the copy ended with STAN {stan}")]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("version",), 99, "version: this program reads 1 and 2"),
        (("terminal", "stan"), 7, "terminal.stan: must be str"),
        (("terminal", "colour"), "red", "terminal.colour: unknown key"),
        (("terminal", "config", "tid"), None, "terminal.config.tid: must be str"),
        (("terminal", "rows", 0, "kind"), "gift", "terminal.rows[0].kind: not one of"),
        (("terminal", "rows", 0, "amount"), "100", "terminal.rows[0].amount: must be int"),
        (("terminal", "archive", 0, "totals"), [[1]], "terminal.archive[0].totals: must be rows"),
        (("terminal", "pending", "image"), {"mti": "0400"}, "terminal.pending.image: must be a message"),
        (("terminal", "rows"), {}, "terminal.rows: must be a list"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(path: tuple[str | int, ...], value: object, words: str) -> None:
    document = json.loads(flash_format.dump(full_memory()))
    where = document
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    with pytest.raises(flash_format.FormatError, match=words.replace("[", r"\[").replace("]", r"\]")):
        flash_format.load(json.dumps(document))


def test_a_missing_terminal_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match="no such folder"):
        DirFlash(tmp_path / "none").open()
    (tmp_path / "t").mkdir()
    with (
        pytest.raises(FlashError, match=r"no terminal lives here \(no terminal\.json\)"),
        DirFlash(tmp_path / "t") as flash,
    ):
        flash.load()


def test_a_terminal_is_not_made_over_another(tmp_path: Path) -> None:
    DirFlash(tmp_path / "t").create(Memory(CONFIG, stan="000009"))
    with pytest.raises(FlashError, match="a terminal lives here already"):
        DirFlash(tmp_path / "t").create(Memory(CONFIG))
    assert DirFlash(tmp_path / "t").load().stan == "000009"


def test_one_folder_one_process(tmp_path: Path) -> None:
    DirFlash(tmp_path / "t").create(Memory(CONFIG))
    with DirFlash(tmp_path / "t"), pytest.raises(FlashBusy):
        DirFlash(tmp_path / "t").open()
    DirFlash(tmp_path / "t").open().close()


@pytest.mark.parametrize(("when", "saved"), [("before", "000001"), ("after", "000002")])
def test_a_power_cut_around_a_save(tmp_path: Path, when: str, saved: str) -> None:
    flash = DirFlash(tmp_path / "t", CutPower("journal", when, nth=2))
    flash.create(Memory(CONFIG))
    flash.save("journal", Memory(CONFIG, stan="000001"))
    with pytest.raises(PowerCut):
        flash.save("journal", Memory(CONFIG, stan="000002"))
    assert flash.load().stan == saved


@pytest.mark.parametrize("text", ["journal", "journal.during", "lunch.before", ".after"])
def test_a_crash_point_that_does_not_exist_is_refused(text: str) -> None:
    """A misspelt one would cut nothing, and the test that set it would prove nothing."""
    with pytest.raises(FlashError, match="CLOSEOUT_CRASH_AT"):
        power_from(text)


def test_nothing_sensitive_shows_in_a_representation() -> None:
    memory = full_memory()
    row = Row("000001", "000001", Kind.SALE, 1, CARD.pan, entry=Entry.SWIPE)
    shown = repr((memory, row, Archived("000001", (row,), Totals(), "agreed"), Slip("SALE", ())))
    assert CARD.pan not in shown
    assert CARD.track2 not in shown
    assert memory.config.tmk not in shown
    assert memory.key_block
    assert memory.key_block not in shown
