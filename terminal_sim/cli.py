"""`terminal-sim`: one command a key of the terminal. Exit codes and JSON are those of the project's interface.

A process is the terminal's power: it boots from the folder, does one order, and is gone. Heavy modules are imported
inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from terminal_sim.moves import Order, Result
    from terminal_sim.state import Memory, Slip

EXIT_FAULTY = 2
CRASH_VARIABLE = "CLOSEOUT_CRASH_AT"

app = typer.Typer(
    help="A POS terminal that lives in a folder (its flash).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The terminal's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CardOption = Annotated[str, typer.Option("--card", metavar="NAME|PAN", help="A test card by name, or a number.")]
EntryOption = Annotated[str, typer.Option("--entry", metavar="swipe|manual", help="How the card is read.")]


def main() -> None:
    """Entry point of the command `terminal-sim`."""
    app()


# --- set-up -----------------------------------------------------------------------------------------------------------


@app.command()
def init(
    folder: Folder,
    connect: Annotated[str, typer.Option(metavar="URL", help="cup://127.0.0.1:8583, nac://127.0.0.1:8584, …")],
    api: Annotated[str, typer.Option(metavar="URL", help="The host's API, for `query`.")] = "",
    tid: Annotated[str, typer.Option(help="Terminal id, 8 characters.")] = "T0000001",
    mid: Annotated[str, typer.Option(help="Merchant id, 15 characters.")] = "M00000000000001",
    tmk: Annotated[str, typer.Option(help="Master key, 16 or 32 hex digits; the documented test key if absent.")] = "",
    merchant: Annotated[str, typer.Option(help="Merchant name on the slips.")] = "TEST MERCHANT",
    operator: Annotated[str, typer.Option(help="Operator number, up to 3 characters.")] = "01",
    currency: Annotated[str, typer.Option(help="ISO 4217, three digits.")] = "156",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer; settlement waits twice as long.")] = 30,
    settle_empty: Annotated[bool, typer.Option("--settle-empty", help="Send 0500 for an empty batch too.")] = False,
) -> None:
    """Make a terminal that lives in DIR."""
    from terminal_sim.flash import DirFlash
    from terminal_sim.new_terminal import new_memory

    with _one_line():
        memory = new_memory(
            *(tid, mid, connect, api, tmk, merchant, operator, currency), timeout_s=timeout, settle_empty=settle_empty
        )
        DirFlash(folder).create(memory)
    typer.echo(f"terminal {tid} in {folder}, host {connect}")


# --- keys of the terminal ---------------------------------------------------------------------------------------------


@app.command()
def signon(folder: Folder, as_json: AsJson = False) -> None:
    """Sign on: working keys and batch number (签到)."""
    from terminal_sim.moves import SignOn

    _act(folder, SignOn, as_json)


@app.command()
def signoff(folder: Folder, as_json: AsJson = False) -> None:
    """Sign off (签退)."""
    from terminal_sim.moves import SignOff

    _act(folder, SignOff, as_json)


@app.command()
def echo(folder: Folder, as_json: AsJson = False) -> None:
    """Is the host there? (回响测试)"""
    from terminal_sim.moves import Echo

    _act(folder, Echo, as_json)


@app.command()
def balance(folder: Folder, card: CardOption = "", entry: EntryOption = "swipe", as_json: AsJson = False) -> None:
    """Ask for the card's balance (余额查询)."""
    from terminal_sim.cards import DEFAULT, card_from
    from terminal_sim.moves import Balance

    _act(folder, lambda: Balance(card_from(card or DEFAULT, entry)), as_json)


@app.command()
def sale(
    folder: Folder,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Minor units: 1000 is 10.00.")],
    card: CardOption = "",
    entry: EntryOption = "swipe",
    as_json: AsJson = False,
) -> None:
    """Sell (消费)."""
    from terminal_sim.cards import DEFAULT, card_from
    from terminal_sim.moves import Sale

    _act(folder, lambda: Sale(_minor(amount), card_from(card or DEFAULT, entry)), as_json)


@app.command()
def void(
    folder: Folder,
    stan: Annotated[str, typer.Option(metavar="N", help="The sale's STAN (voucher number).")] = "",
    rrn: Annotated[str, typer.Option(metavar="R", help="Or its RRN.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel a sale of the open batch (消费撤销)."""
    from terminal_sim.moves import Void

    _act(folder, lambda: Void(*_reference(stan, rrn)), as_json)


@app.command()
def settle(folder: Folder, as_json: AsJson = False) -> None:
    """Close the batch (批结算): 0 agreed, 1 closed with exceptions or refused, 3 unanswered."""
    from terminal_sim.moves import Settle

    _act(folder, Settle, as_json)


# --- reading: nothing is sent -----------------------------------------------------------------------------------------


@app.command()
def query(
    folder: Folder,
    stan: Annotated[str, typer.Option(metavar="N", help="The doubtful one if absent.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask the host's API what became of a transaction; sends nothing on the line."""
    from terminal_sim import hostquery
    from terminal_sim.wire import wire_for

    with _one_line():
        memory = _read(folder)
        asked = hostquery.question(memory, _digits6(stan) if stan else "")
        if asked is None:
            typer.echo("no transaction to ask for", err=True)
            raise typer.Exit(1)
        reply = hostquery.ask(memory, wire_for(memory.config.connect), asked)
    if as_json:
        _echo_json({"answer": reply.found, "stan": reply.stan, "transaction": reply.item})
    else:
        typer.echo(hostquery.advice(memory, reply))
    _tell_owed(memory, quiet=as_json)
    raise typer.Exit(hostquery.EXIT_CODES[reply.found])


@app.command()
def reprint(
    folder: Folder,
    last: Annotated[bool, typer.Option("--last", help="The slip that was printed last.")] = True,
) -> None:
    """Print the last slip again, marked as a duplicate (重打印)."""
    from terminal_sim import slips

    with _one_line():
        memory = _read(folder)
    if memory.last_slip is None:
        typer.echo("no slip to print again", err=True)
        raise typer.Exit(1)
    typer.echo(slips.on_paper(slips.duplicate(memory.last_slip)), nl=False)
    _tell_owed(memory, quiet=True)


@app.command()
def journal(folder: Folder, as_json: AsJson = False) -> None:
    """The terminal's book: open and archived rows; --json gives the lines that the host's API compares."""
    from specs.journal import dump
    from terminal_sim.book import book
    from terminal_sim.report import journal_lines

    with _one_line():
        memory = _read(folder)
    if as_json:
        typer.echo(dump(book(memory)), nl=False)
    else:
        typer.echo("\n".join(journal_lines(memory)))
    _tell_owed(memory, quiet=as_json)


# --- what the commands share ------------------------------------------------------------------------------------------


@contextmanager
def _one_line() -> Iterator[None]:
    """What the operator did wrong is one line on stderr and exit 2."""
    from specs.errors import SpecError
    from terminal_sim.errors import TerminalError

    try:
        yield
    except (TerminalError, SpecError) as error:
        _faulty(str(error))


def _faulty(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(EXIT_FAULTY)


def _minor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        _faulty(f"AMOUNT {text}: minor units without a decimal point, 1000 for 10.00")
    return int(text)


def _digits6(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        _faulty(f"--stan {text}: up to six digits")
    return text.zfill(6)


def _reference(stan: str, rrn: str) -> tuple[str, str]:
    if bool(stan) == bool(rrn):
        _faulty("void: give --stan or --rrn, one of the two")
    return (_digits6(stan) if stan else "", rrn)


def _read(folder: Path) -> Memory:
    from terminal_sim.flash import DirFlash

    with DirFlash(folder) as flash:
        return flash.load()


def _act(folder: Path, order: Callable[[], Order], as_json: bool) -> NoReturn:
    """Boot from the folder, send what is owed, do the order, show how it ended."""
    import os

    from specs.endpoint import parse
    from terminal_sim.clock import SystemClock
    from terminal_sim.driver import Driver
    from terminal_sim.flash import DirFlash, power_from
    from terminal_sim.link import TcpLine
    from terminal_sim.moves import Boot
    from terminal_sim.terminal import Terminal
    from terminal_sim.wire import wire_for

    with _one_line(), DirFlash(folder, power_from(os.environ.get(CRASH_VARIABLE, ""))) as flash:
        wanted = order()
        memory = flash.load()
        config, clock = memory.config, SystemClock()
        terminal = Terminal(wire_for(config.connect), memory)
        line = TcpLine(
            parse(config.connect), clock, connect_timeout_s=config.connect_timeout_s, tries=config.connect_tries
        )
        try:
            result = Driver(terminal, flash, line, clock, _Screen(as_json)).run(Boot(wanted))
        finally:
            line.close()
        memory = flash.load()
    _end(memory, result, as_json)


class _Screen:
    """Slips and screen lines: stdout for people; with --json stdout belongs to the object."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def show(self, text: str) -> None:
        typer.echo(text, err=self._as_json)

    def print(self, slip: Slip) -> None:
        from terminal_sim import slips

        if not self._as_json:
            typer.echo(slips.on_paper(slip))


def _end(memory: Memory, result: Result, as_json: bool) -> NoReturn:
    from terminal_sim.report import as_object

    if as_json:
        _echo_json(as_object(result))
    _tell_owed(memory, quiet=as_json)
    raise typer.Exit(result.exit_code)


def _tell_owed(memory: Memory, *, quiet: bool) -> None:
    """While a reversal is owed the verdict says so."""
    if memory.pending:
        typer.echo(
            f"a reversal is owed for STAN {memory.pending.stan}: the next command that sends takes it along", err=quiet
        )


def _echo_json(value: object) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False))
