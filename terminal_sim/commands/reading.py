"""Commands that send nothing on the line: query, reprint, journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from terminal_sim.commands.shared import (
    AsJson,
    Folder,
    RrnOption,
    StanOption,
    checked_rrn,
    echo_json,
    faulty,
    firmware_of,
    one_line,
    powered,
    read,
    refused,
    stan6,
    tell_owed,
)

if TYPE_CHECKING:
    from terminal_sim.reprints import Again
    from terminal_sim.state import Memory


def query(
    folder: Folder,
    stan: Annotated[str, typer.Option(metavar="N", help="The doubtful one if absent.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask the host's API what became of a transaction: 0 sold, 1 charge again, 3 wait. Sends nothing on the line."""
    from terminal_sim import hostquery
    from terminal_sim.wire import wire_for

    with one_line():
        memory = read(folder)
        wanted = stan6(stan)
        if wanted and hostquery.never_used(memory, wanted):
            faulty(f"--stan {wanted}: this terminal never used that STAN; its last one is {memory.stan}")
        asked = hostquery.question(memory, wanted)
        if asked is None:
            typer.echo("no transaction to ask for", err=True)
            raise typer.Exit(1)
        reply = hostquery.ask(memory, wire_for(memory.config.connect), asked)
    advice = hostquery.advice(memory, reply)
    if as_json:
        echo_json({"answer": reply.found, "do": advice.do, "stan": reply.stan, "transaction": reply.item})
    else:
        typer.echo(advice.text)
    tell_owed(memory, quiet=as_json)
    raise typer.Exit(hostquery.EXIT_CODES[advice.do])


def reprint(
    folder: Folder,
    last: Annotated[bool, typer.Option("--last", help="Whatever was printed last (if nothing else is said).")] = False,
    stan: StanOption = "",
    rrn: RrnOption = "",
    settlement: Annotated[bool, typer.Option("--settlement", help="The last settlement.")] = False,
    detail: Annotated[bool, typer.Option("--detail", help="The transactions of the open or last batch.")] = False,
    batch: Annotated[str, typer.Option("--batch", metavar="N", help="--detail: of this batch.")] = "",
) -> None:
    """Print a slip again, marked as a duplicate (重打印); it is noted who did."""
    from terminal_sim import operators, slips
    from terminal_sim.clock import SystemClock
    from terminal_sim.reprints import noted

    if sum((last, bool(stan), bool(rrn), settlement, detail)) > 1:
        faulty("reprint: one of --last, --stan, --rrn, --settlement, --detail")
    if batch and not detail:
        faulty("reprint: --batch goes with --detail")
    which = "settlement" if settlement else "detail" if detail else "transaction" if stan or rrn else "last"
    with one_line(), powered(folder) as flash:
        memory = flash.load()
        if why := operators.may_print_again(memory, last=which == "last"):
            refused(why)
        again = _again(memory, which, stan6(stan), checked_rrn(rrn), stan6(batch))
        if again.slip is None:
            typer.echo(again.why, err=True)
            raise typer.Exit(1)
        # On flash before it is on paper: a second proof must never be without its note.
        flash.save("reprint", noted(memory, again, which, SystemClock().now()))
    typer.echo(slips.on_paper(again.slip), nl=False)
    if again.remark:
        typer.echo(again.remark, err=True)
    tell_owed(memory, quiet=True)


def _again(memory: Memory, which: str, stan: str, rrn: str, batch: str) -> Again:
    from terminal_sim import reprints
    from terminal_sim.wire import wire_for

    family, firmware = wire_for(memory.config.connect).name, firmware_of(memory)
    if which == "transaction":
        return reprints.transaction(memory, family, stan=stan, rrn=rrn, firmware=firmware)
    if which == "detail":
        return reprints.listing(memory, family, batch, firmware)
    return reprints.settlement(memory, firmware) if which == "settlement" else reprints.last(memory, firmware)


def journal(folder: Folder, as_json: AsJson = False) -> None:
    """The terminal's book: open and archived rows; --json gives the lines that the host's API compares."""
    from specs.journal import dump
    from terminal_sim.book import book
    from terminal_sim.report import journal_lines

    with one_line():
        memory = read(folder)
    if as_json:
        typer.echo(dump(book(memory)), nl=False)
    else:
        typer.echo("\n".join(journal_lines(memory)))
    tell_owed(memory, quiet=as_json)
