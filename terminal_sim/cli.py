"""`terminal-sim`: one command a key of the terminal. Exit codes and JSON are those of the project's interface.

A process is the terminal's power: it boots from the folder, does one order, and is gone. The commands stand in
terminal_sim.commands; heavy modules are imported inside them, so that `--help` is quick. Those of the lab, which has
the host's code too, stand below with their arguments: no other module may load it (tests/test_architecture.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from terminal_sim.commands import copies, operator, reading, recovery, service, setup, till

app = typer.Typer(
    help="""A POS terminal that lives in a folder (its flash).

Amounts are whole minor units. Exit codes: 0 as expected, 1 declined or not agreed, 2 bad arguments or file, 3 outcome
unknown (query first), 4 not sent (refused here, or no connection).""",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _command in (
    setup.init,
    till.signon,
    till.signoff,
    till.echo,
    till.balance,
    till.sale,
    till.void,
    till.refund,
    till.preauth,
    till.preauth_void,
    till.complete,
    till.offline_sale,
    till.adjust,
    till.tip,
    till.send,
    till.download,
    till.settle,
    recovery.recover,
    reading.query,
    reading.reprint,
    reading.journal,
    operator.operator,
    copies.backup,
    copies.restore,
):
    app.command(_command.__name__.replace("_", "-"), cls=setup.ListsBugs if _command is setup.init else None)(_command)
app.command("service", hidden=True)(service.service)


# --- the lab ----------------------------------------------------------------------------------------------------------


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO.toml...", help="Files, folders, or slugs of the library.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole library.")] = False,
    real: Annotated[bool, typer.Option("--real", help="Against a host over TCP, not in the world.")] = False,
    connect: Annotated[str, typer.Option("--connect", metavar="URL", help="--real: cup://127.0.0.1:8583, …")] = "",
    api: Annotated[str, typer.Option("--api", metavar="URL", help="--real: the host's API.")] = "",
    junit: Annotated[Path | None, typer.Option("--junit", metavar="F", help="Verdicts as JUnit XML.")] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="A page and JSON of all runs.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Instead of that of the files.")] = None,
) -> None:
    """Play scenarios and hold them against what they expect: 0 all as expected, 1 not, 2 a bad file, 4 no host."""
    from terminal_sim.lab.commands.run import Options
    from terminal_sim.lab.commands.run import run as play

    raise typer.Exit(play(Options(names or [], everything, real, connect, api, junit, report, seed)))


@app.command()
def scenarios() -> None:
    """The library of scenarios, one line each."""
    from terminal_sim.lab.commands.scenarios import scenarios as tell

    raise typer.Exit(tell())


@app.command()
def explore(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO.toml", help="A file, or a slug of the library.")],
    faults: Annotated[int, typer.Option("--faults", metavar="N", help="1 or 2: all of them; more: random runs.")] = 2,
    bug: Annotated[list[str] | None, typer.Option("--bug", metavar="NAME", help="Plant it in every terminal.")] = None,
    host_bug: Annotated[list[str] | None, typer.Option("--host-bug", metavar="NAME", help="Plant it: host.")] = None,
    profile: Annotated[str, typer.Option("--profile", metavar="HC|TC", help="Instead of the file's.")] = "",
    time_limit: Annotated[float, typer.Option("--time-limit", metavar="S", help="Seconds; what is found is kept.")] = 0,
    report: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="A page and JSON.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes; 0: one a core.")] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The first seed of the random runs.")] = 1,
    no_share: Annotated[bool, typer.Option("--no-share", help="Every schedule played whole (slow).")] = False,
    twice: Annotated[int, typer.Option("--twice", metavar="N", help="One run in N is repeated and compared.")] = 1,
) -> None:
    """Every way that a day can go wrong: 0 nothing found, 1 something, 2 a bad file."""
    from terminal_sim.lab.commands.explore import Options
    from terminal_sim.lab.commands.explore import run as play

    bugs, host_bugs = tuple(bug or ()), tuple(host_bug or ())
    options = Options(scenario, faults, bugs, host_bugs, profile, time_limit, report, jobs, seed, not no_share, twice)
    raise typer.Exit(play(options))


def main() -> None:
    """Entry point of the command `terminal-sim`."""
    app()
