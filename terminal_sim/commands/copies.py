"""`backup` and `restore`: a copy of the flash in one file, and a terminal made of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from terminal_sim.commands.shared import Folder, faulty, one_line, read, tell_owed

Copy = Annotated[Path, typer.Argument(metavar="FILE", help="The copy.")]


def backup(folder: Folder, copy: Copy) -> None:
    """Copy the terminal's flash into FILE, which must not be there yet."""
    from terminal_sim.flash import write_copy

    with one_line():
        memory = read(folder)
        write_copy(copy, memory)
    typer.echo(f"terminal {memory.config.tid}, batch {memory.batch}, last STAN {memory.stan}: copied into {copy}")


def restore(folder: Folder, copy: Copy) -> None:
    """Put a copy back into DIR, in place of a flash that is torn or gone; never over one that can be read."""
    from terminal_sim.clock import SystemClock
    from terminal_sim.errors import FlashError
    from terminal_sim.flash import DirFlash, read_copy
    from terminal_sim.state import RESTORED_STANS

    with one_line():
        memory = read_copy(copy).restored(SystemClock().now())
        flash = DirFlash(folder)
        try:
            with flash:
                standing = flash.load()
        except FlashError:
            standing = None
        if standing is not None:
            faulty(f"{flash.path}: terminal {standing.config.tid} lives here and can be read: nothing is put over it")
        flash.create(memory, over=True)
    typer.echo(
        f"terminal {memory.config.tid} in {folder} is as it was copied, its STAN {RESTORED_STANS} further;"
        " what it did since then only the host knows: settle, and look at the slip"
    )
    tell_owed(memory, quiet=False)
