"""Orders as command lines: what the command makes of them is the same order again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer
from typer.testing import CliRunner

from terminal_sim import cli
from terminal_sim.cards import card_from
from terminal_sim.commands import service, shared, till
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.real.words import result, words
from terminal_sim.lab.till import Ran
from terminal_sim.moves import (
    Adjust,
    Balance,
    ClearReversal,
    Complete,
    Download,
    Echo,
    End,
    ForceSettle,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Result,
    Sale,
    SendStored,
    Settle,
    SignOff,
    SignOn,
    Void,
)
from terminal_sim.state import Config, Memory

SWIPED, CHIP = card_from("debit1", "swipe"), card_from("credit1", "chip")
ORDERS: list[Order | None] = [
    SignOn(),
    SignOff(),
    Echo(),
    SendStored(),
    Settle(),
    Download("ca-keys"),
    Balance(SWIPED, "123456"),
    Sale(26800, SWIPED, pin="123456"),
    Sale(26800, CHIP, tip=300, cash=1000, chip_refuses=True),
    Sale(100, card_from("6222021234567890128"[:16], "manual")),
    Void("000012"),
    Void(rrn="000000000012"),
    Refund(500, SWIPED, rrn="000000000012", date="0302"),
    Refund(500, stan="000012"),
    Refund(500, CHIP),
    PreAuth(1000, SWIPED),
    PreAuth(1000, SWIPED, increment=True, stan="000012"),
    PreAuthVoid("000012"),
    Complete("000012", amount=900, advice=True),
    Complete("000012"),
    OfflineSale(700, SWIPED, "A1B2C3"),
    Adjust("000012", amount=800),
    Adjust("000012", tip=50),
    ClearReversal(),
    ForceSettle(),
    None,
]


@pytest.mark.parametrize("order", ORDERS, ids=repr)
def test_the_command_reads_the_same_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: Order | None) -> None:
    read: list[Order | None] = []
    memory = Memory(Config("T0000001", "123456789012345", "cup://127.0.0.1:1"))

    def act(_folder: Path, made: Callable[[Memory], Order], _as_json: bool) -> NoReturn:
        read.append(made(memory))
        raise typer.Exit

    def boot(_flash: Any, _memory: Memory, event: Any, _as_json: bool) -> Any:
        read.append(event.order)
        raise typer.Exit

    monkeypatch.setattr(till, "act", act)
    monkeypatch.setattr(shared, "run", lambda *asked: act(*asked))
    monkeypatch.setattr(service, "boot", boot)
    box = str(tmp_path / "box")
    runner = CliRunner()
    assert runner.invoke(cli.app, ["init", box, "--connect", "cup://127.0.0.1:1"]).exit_code == 0
    ended = runner.invoke(cli.app, words(order, Path(box)))
    assert (ended.exit_code, read) == (0, [order]), ended.output


def test_what_a_process_says_is_the_result() -> None:
    out = (
        '{"outcome": "partial", "response_code": "10", "approved_amount": 7000, "stan": "000003",'
        ' "rrn": "000000000003", "auth_code": "A00001", "batch": "000001", "amount": 10000, "slip": null}\n'
    )
    assert result(Ran((), 0, out, ""), "approved 70.00") == Result(
        End.PARTIAL, "approved 70.00", "10", 10000, 7000, "000003", "000000000003", "A00001", "000001"
    )


def test_a_command_that_is_not_begun_is_refused_at_the_till() -> None:
    assert result(Ran((), 2, "", "void: give --stan or --rrn, one of the two\n"), "") == Result(
        End.REFUSED_LOCALLY, "void: give --stan or --rrn, one of the two"
    )


def test_a_process_that_breaks_down_is_told_whole() -> None:
    with pytest.raises(LabError, match=r"terminal-sim sale: exit 1\nTraceback"):
        result(Ran(("sale",), 1, "", "Traceback ..."), "")
