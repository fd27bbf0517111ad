"""`terminal-sim`: one command a key of the terminal. Exit codes and JSON are those of the project's interface.

A process is the terminal's power: it boots from the folder, does one order, and is gone. The commands stand in
terminal_sim.commands; heavy modules are imported inside them, so that `--help` is quick.
"""

from __future__ import annotations

import typer

from terminal_sim.commands import copies, operator, reading, recovery, setup, till

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


def main() -> None:
    """Entry point of the command `terminal-sim`."""
    app()
