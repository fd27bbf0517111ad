"""`init`: a new terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from terminal_sim.commands.shared import Folder, one_line


class ListsBugs(TyperCommand):
    """Its help ends with every bug that --bug knows; they are loaded for that alone."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Behind the options."""
        from terminal_sim.bugs import BUGS

        with formatter.section("Bugs (the number is the case of the failure catalogue)"):
            formatter.write_dl(
                [(bug.name, f"{bug.meaning} ({', '.join(map(str, bug.cases))})") for bug in BUGS.values()]
            )


def init(
    folder: Folder,
    connect: Annotated[str, typer.Option(metavar="URL", help="cup://127.0.0.1:8583, nac://127.0.0.1:8584, …")],
    api: Annotated[str, typer.Option(metavar="URL", help="The host's API, for `query`.")] = "",
    tid: Annotated[str, typer.Option(help="Terminal id, 8 characters.")] = "T0000001",
    mid: Annotated[str, typer.Option(help="Merchant id, 15 characters.")] = "M00000000000001",
    tmk: Annotated[str, typer.Option(help="Master key, 16 or 32 hex digits; the documented test key if absent.")] = "",
    merchant: Annotated[str, typer.Option(help="Merchant name on the slips.")] = "TEST MERCHANT",
    operator: Annotated[str, typer.Option(help="Operator number while nobody logs in, up to 3 characters.")] = "01",
    operators: Annotated[
        bool,
        typer.Option("--operators", help="Set up the test operators: 99 12345678, 00 123456, 01 0000; log in first."),
    ] = False,
    currency: Annotated[str, typer.Option(help="ISO 4217, three digits.")] = "156",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer; settlement waits twice as long.")] = 30,
    language: Annotated[
        str, typer.Option(metavar="zh|en|both", help="Of slips; as the dialect has it if absent.")
    ] = "",
    auto_signoff: Annotated[bool, typer.Option("--auto-signoff", help="Sign off after each settlement.")] = False,
    test_mode: Annotated[bool, typer.Option("--test-mode", help="Slips say that they are a test.")] = False,
    settle_empty: Annotated[bool, typer.Option("--settle-empty", help="Send 0500 for an empty batch too.")] = False,
    profile: Annotated[
        str,
        typer.Option(
            metavar="reference|roll-forward",
            help="A power cut between an approval and its journal row: reversed, or finished at the next boot.",
        ),
    ] = "reference",
    bug: Annotated[
        list[str] | None,
        typer.Option("--bug", metavar="NAME", help="A way in which it breaks the rules; again for more. Listed below."),
    ] = None,
) -> None:
    """Make a terminal that lives in DIR."""
    from specs.endpoint import parse
    from terminal_sim.flash import DirFlash
    from terminal_sim.new_terminal import new_memory
    from terminal_sim.tls import client_context, with_absolute_files

    with one_line():
        connect = with_absolute_files(connect)
        client_context(parse(connect))
        memory = new_memory(
            *(tid, mid, connect, api, tmk, merchant, operator, currency),
            timeout_s=timeout,
            settle_empty=settle_empty,
            language=language,
            auto_signoff=auto_signoff,
            test_mode=test_mode,
            operators=operators,
            profile=profile,
            bugs=bug or (),
        )
        DirFlash(folder).create(memory)
    typer.echo(f"terminal {tid} in {folder}, host {connect}")
