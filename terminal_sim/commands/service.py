"""`service`: what is done to a terminal beside its keys; kept out of the help, as it is kept from cashiers."""

from __future__ import annotations

from typing import Annotated

import typer

from terminal_sim.commands.shared import AsJson, Folder, boot, end, faulty, one_line, powered

WHAT = ("boot", "clear-reversal", "force-settle")


def service(
    folder: Folder, what: Annotated[str, typer.Argument(metavar="|".join(WHAT))], as_json: AsJson = False
) -> None:
    """Switch on and send what is owed; or the service menu: clear the owed reversal, settle without the host."""
    from terminal_sim.moves import Boot, ClearReversal, ForceSettle

    if what not in WHAT:
        faulty(f"service {what}: one of {', '.join(WHAT)}")
    order = {"boot": None, "clear-reversal": ClearReversal(), "force-settle": ForceSettle()}[what]
    with one_line(), powered(folder) as flash:
        result, _ = boot(flash, flash.load(), Boot(order), as_json)
        memory = flash.load()
    end(memory, result, as_json)
