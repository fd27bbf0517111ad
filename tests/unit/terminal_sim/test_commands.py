"""What the keys of `terminal-sim` ask of the machine, and what the desk does: operators, reprints, the journal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from specs.journal import parse
from specs.message import Message
from specs.operation import Kind
from specs.totals import Totals
from terminal_sim import moves, slips
from terminal_sim.cards import card_from
from terminal_sim.cli import app
from terminal_sim.commands import till as keys
from terminal_sim.commands.shared import one_line
from terminal_sim.flash import DirFlash
from terminal_sim.state import Archived, Memory, Row, RowState

RUNNER = CliRunner()
CREDIT = card_from("credit1", "swipe")


def run(*words: object, code: int = 0, typed: str | None = None) -> Any:
    result = RUNNER.invoke(app, [str(word) for word in words], input=typed)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run("init", tmp_path / "till", "--connect", "cup://127.0.0.1:1")
    return tmp_path / "till"


def memory(folder: Path) -> Memory:
    return DirFlash(folder).load()


def keep(folder: Path, **changes: Any) -> None:
    with DirFlash(folder) as flash:
        flash.save("journal", replace(flash.load(), **changes))


def row(stan: str, kind: Kind = Kind.SALE, amount: int = 10000, **parts: Any) -> Row:
    return Row(stan, "000001", kind, amount, CREDIT.pan, rrn=f"000000{stan}", at="1121093015", **parts)


# --- orders


@pytest.fixture
def asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[moves.Order]:
    """The orders that the commands make; nothing goes to a machine."""
    orders: list[moves.Order] = []

    def act(folder: Path, order: Any, as_json: bool) -> None:
        with one_line():
            orders.append(order(memory(folder)))

    monkeypatch.setattr(keys, "act", act)
    keep(folder, rows=(row("000005"), row("000006", Kind.PRE_AUTH, 90000)))
    return orders


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ("signon", moves.SignOn()),
        ("signoff", moves.SignOff()),
        ("echo", moves.Echo()),
        ("send", moves.SendStored()),
        ("download", moves.Download("parameters")),
        ("download ca-keys", moves.Download("ca-keys")),
        ("download ic-parameters", moves.Download("ic-parameters")),
        ("download status", moves.Download("status")),
        ("balance --card debit1 --pin card", moves.Balance(card_from("debit1", "swipe"), "123456")),
        ("sale 1000", moves.Sale(1000, CREDIT)),
        ("sale 1000 --entry chip --pin 1234", moves.Sale(1000, card_from("credit1", "chip"), pin="1234")),
        (
            "sale 1000 --entry chip --chip-refuses",
            moves.Sale(1000, card_from("credit1", "chip"), chip_refuses=True),
        ),
        ("sale 1000 --card qr1 --entry qr", moves.Sale(1000, card_from("qr1", "qr"))),
        ("sale 1000 --entry fallback", moves.Sale(1000, card_from("credit1", "fallback"))),
        ("sale 1000 --tip 100 --cash 300", moves.Sale(1000, CREDIT, tip=100, cash=300)),
        ("void --stan 5", moves.Void(stan="000005")),
        ("void --stan 5 10000", moves.Void(stan="000005")),
        ("void --rrn 000000000005", moves.Void(rrn="000000000005")),
        ("refund --stan 5", moves.Refund(10000, stan="000005")),
        ("refund --stan 5 300", moves.Refund(300, stan="000005")),
        (
            "refund 300 --rrn ABC000000001 --card credit1 --date 1120",
            moves.Refund(300, CREDIT, rrn="ABC000000001", date="1120"),
        ),
        ("refund 300 --card credit1", moves.Refund(300, CREDIT)),
        ("preauth 5000", moves.PreAuth(5000, CREDIT)),
        ("preauth 500 --increment --stan 6", moves.PreAuth(500, CREDIT, increment=True, stan="000006")),
        ("preauth 500 --increment --auth-code A1", moves.PreAuth(500, CREDIT, increment=True, auth_code="A1")),
        ("preauth-void --stan 6", moves.PreAuthVoid(stan="000006")),
        ("complete --stan 6", moves.Complete(stan="000006")),
        ("complete --stan 6 95000", moves.Complete(stan="000006", amount=95000)),
        ("complete --rrn 000000000006 --advice", moves.Complete(rrn="000000000006", advice=True)),
        ("offline-sale 4000", moves.OfflineSale(4000, CREDIT)),
        ("offline-sale 4000 --auth-code 123456", moves.OfflineSale(4000, CREDIT, "123456")),
        ("adjust --stan 5 12000", moves.Adjust(stan="000005", amount=12000)),
        ("tip --stan 5 1000", moves.Adjust(stan="000005", tip=1000)),
    ],
)
def test_the_order_of_a_command(folder: Path, asked: list[moves.Order], words: str, order: moves.Order) -> None:
    name, *rest = words.split()
    run(name, folder, *rest)
    assert asked == [order]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sale 10.00", "minor units"),
        ("sale 1000 --tip 1.00", "--tip 1.00: minor units"),
        ("sale 1000 --tip 1000", "less than 1000"),
        ("sale 1000 --cash 600 --tip 400", "together less than AMOUNT"),
        ("sale 1000 --entry wave", "--entry wave"),
        ("sale 1000 --pin 12", "--pin"),
        ("sale 1000 --chip-refuses", "--entry chip or tap"),
        ("sale 1000 --card nobody", "--card"),
        ("preauth 0", "minor units"),
        ("preauth 100 --stan 6", "--increment"),
        ("offline-sale 100 --auth-code 12-45", "--auth-code"),
        ("void", "give --stan or --rrn"),
        ("void --stan 5 --rrn 000000000005", "one of the two"),
        ("void --stan 5 9999", "takes back the whole, 10000"),
        ("void --stan five", "--stan five"),
        ("void --rrn 12", "--rrn 12"),
        ("preauth-void", "give --stan or --rrn"),
        ("refund 100", "give --stan, --rrn, or --card"),
        ("refund --rrn 000000999999", "AMOUNT is missing"),
        ("refund 100 --rrn 000000000005 --date 11", "--date 11"),
        ("refund 1.00 --stan 5", "minor units"),
        ("complete 100", "give --stan or --rrn"),
        ("complete --stan 6 1.5", "minor units"),
        ("adjust --stan 5 1e4", "minor units"),
        ("tip --stan 5 0", "minor units"),
        ("tip 100", "give --stan or --rrn"),
        ("download everything", "download everything"),
        ("reprint --last --settlement", "one of --last"),
        ("reprint --stan x", "--stan x"),
        ("reprint --batch 000001", "--batch goes with --detail"),
        ("operator fly", "operator fly"),
        ("operator login", "NUMBER is missing"),
        ("operator list 01", "takes no number"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_2(folder: Path, asked: list[moves.Order], words: str, said: str) -> None:
    name, *rest = words.split()
    result = run(name, folder, *rest, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert asked == []


# --- set-up


def test_what_init_sets_up(tmp_path: Path) -> None:
    run(
        *("init", tmp_path / "t", "--connect", "cup://127.0.0.1:1", "--language", "zh"),
        *("--auto-signoff", "--test-mode", "--operators"),
    )
    made = memory(tmp_path / "t")
    assert (made.config.language, made.config.auto_signoff, made.config.test_mode) == ("zh", True, True)
    assert {one.number for one in made.operators} == {"00", "99", "01"}
    assert made.operator == ""
    said = run("init", tmp_path / "u", "--connect", "cup://127.0.0.1:1", "--language", "fr", code=2)
    assert "--language fr" in said.stderr
    assert not (tmp_path / "u").exists()


# --- operators


@pytest.fixture
def staffed(tmp_path: Path) -> Path:
    run("init", tmp_path / "shop", "--connect", "nac://127.0.0.1:1", "--operators")
    return tmp_path / "shop"


def test_log_in_and_out(staffed: Path) -> None:
    run("operator", staffed, "login", "01", "--password", "0000")
    assert memory(staffed).operator == "01"
    assert "01 cashier        logged in" in run("operator", staffed, "list").stdout
    assert "operator: 01" in run("journal", staffed).stdout
    run("operator", staffed, "logout")
    assert memory(staffed).operator == ""
    run("operator", staffed, "logout", code=4)


def test_three_wrong_passwords_over_three_processes(staffed: Path) -> None:
    for left in ("2 more", "1 more", "now locked"):
        said = run("operator", staffed, "login", "01", "--password", "1111", code=4)
        assert left in said.stderr
        assert said.stderr.count("\n") == 1
    run("operator", staffed, "login", "01", "--password", "0000", code=4)
    run("operator", staffed, "login", "00", "--password", "123456")
    run("operator", staffed, "unlock", "01")
    run("operator", staffed, "login", "01", "--password", "0000")


def test_passwords_are_asked_for_and_not_shown(staffed: Path) -> None:
    run("operator", staffed, "login", "99", typed="12345678\n")
    said = run("operator", staffed, "add", "07", typed="2468\n2468\n")
    assert "2468" not in said.output
    run("operator", staffed, "login", "07", "--password", "2468")
    run("operator", staffed, "passwd", "07", typed="2468\n1357\n1357\n")
    run("operator", staffed, "login", "07", "--password", "2468", code=4)
    run("operator", staffed, "login", "07", "--password", "1357")
    run("operator", staffed, "login", "00", "--password", "123456")
    run("operator", staffed, "passwd", "07", typed="8642\n8642\n")
    run("operator", staffed, "remove", "07")
    assert "07" not in run("operator", staffed, "list").stdout
    assert "2468" not in (staffed / "terminal.json").read_text()


def test_a_terminal_without_operators_says_so(folder: Path) -> None:
    assert "everyone" in run("operator", folder, "list").stdout
    run("operator", folder, "login", "01", "--password", "0000", code=4)


# --- reprint, journal


BOOK = (
    row("000001", adjusted=True),
    row("000002", Kind.TIP, 11000, tip=1000, original_stan="000001", stored=True, advice=True),
    row("000003", Kind.PRE_AUTH, 90000),
    row("000004", Kind.OFFLINE_SALE, 500, state=RowState.REJECTED, rejected="05", advice=True),
    row("000005", Kind.VOID, 300, of=Kind.REFUND, original_stan="000000", day="1121"),
    row("000006", Kind.CASH_BACK, 5000, cash=2000),
)


def test_reprint_by_stan_out_of_the_archive(folder: Path) -> None:
    keep(folder, archive=(Archived("000001", BOOK, Totals(), "agreed"),), batch="000002")
    first = slips.on_paper(slips.transaction(memory(folder).config, "cup", BOOK[5]))
    again = run("reprint", folder, "--stan", "6").stdout
    assert again.count("****重打印/DUPLICATED****") == 2
    assert "".join(line for line in again.splitlines(True) if "DUPLICATED" not in line) == first
    assert run("reprint", folder, "--rrn", BOOK[5].rrn).stdout == again
    assert run("reprint", folder, "--stan", "4").stderr.startswith("STAN 000004 is rejected")
    assert "neither" in run("reprint", folder, "--stan", "77", code=1).stderr
    assert [event.event for event in memory(folder).events] == ["reprint"] * 3


def test_reprint_of_the_list_and_the_settlement(folder: Path) -> None:
    assert "no settlement" in run("reprint", folder, "--settlement", code=1).stderr
    closed = Archived("000001", BOOK, Totals(), "agreed", at="1121220000")
    keep(folder, archive=(closed,), settlement_slip=slips.settlement(memory(folder).config, "cup", closed, ()))
    again = run("reprint", folder, "--settlement").stdout
    assert again.splitlines()[0].strip() == "****重打印/DUPLICATED****"
    assert "结算总计单 SETTLEMENT" in again
    listed = run("reprint", folder, "--detail").stdout
    assert "交易明细单 DETAIL LIST" in listed
    assert run("reprint", folder, "--detail", "--batch", "1").stdout == listed
    run("reprint", folder, "--detail", "--batch", "9", code=1)


def test_older_slips_take_the_supervisor(staffed: Path) -> None:
    keep(staffed, rows=BOOK, last_slip=slips.transaction(memory(staffed).config, "nac", BOOK[5]))
    run("reprint", staffed, code=4)  # nobody is logged in
    run("operator", staffed, "login", "01", "--password", "0000")
    run("reprint", staffed)
    said = run("reprint", staffed, "--stan", "1", code=4)
    assert "supervisor 00" in said.stderr
    run("operator", staffed, "login", "00", "--password", "123456")
    run("reprint", staffed, "--stan", "1")
    assert [event.detail for event in memory(staffed).events] == ["last by 01", "transaction by 00"]


def test_the_journal_shows_what_is_special_about_a_row(folder: Path) -> None:
    keep(folder, rows=BOOK)
    lines = run("journal", folder).stdout.splitlines()
    for stan, words in {
        "000001": ["sale", "100.00", "adjusted"],
        "000002": ["tip", "110.00", "tip 10.00", "of 000001", "stored, not sent yet"],
        "000003": ["pre-auth", "900.00", "in no total"],
        "000004": ["offline-sale", "rejected", "refused 05"],
        "000006": ["cash-back", "cash 20.00"],
    }.items():
        line = next(line for line in lines if line.strip().startswith(stan))
        assert all(word in line for word in words), line
    assert CREDIT.pan not in "".join(lines)


def test_the_journal_as_json_tells_everything_the_checker_asks_for(folder: Path) -> None:
    keep(folder, rows=BOOK)
    book = parse(run("journal", folder, "--json").stdout.splitlines())
    tip, rejected, void = book.rows[1], book.rows[3], book.rows[4]
    assert (tip.kind, tip.amount, tip.tip, tip.stored, tip.advice) == ("tip", 11000, 1000, True, True)
    assert (rejected.state, rejected.rejected) == ("rejected", "05")
    assert (void.of, void.day) == ("refund", "1121")
    assert book.rows[0].adjusted
    assert [one.of for one in book.rows[:4]] == [""] * 4


def test_a_message_kept_with_a_row_survives_the_flash(folder: Path) -> None:
    """A stored item's 0220 is what its slip is made from: without its DE 38 there was no authorisation code."""
    phoned = row("000009", Kind.OFFLINE_SALE, auth_code="A12345", image=Message("0220", {38: "A12345"}))
    keep(folder, rows=(phoned, replace(phoned, stan="000010", image=Message("0220", {4: "000000010000"}))))
    assert "A12345" in run("reprint", folder, "--stan", "9").stdout
    assert "A12345" not in run("reprint", folder, "--stan", "10").stdout


def test_json_of_a_refusal_is_an_object(folder: Path) -> None:
    said = json.loads(run("sale", folder, "1000", "--json", code=4).stdout)
    assert said["outcome"] == "refused-locally"
