"""`operator`: who works at the terminal. Rules and rights: terminal_sim.operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from terminal_sim.commands.shared import Folder, faulty, one_line, powered, refused

if TYPE_CHECKING:
    from terminal_sim.state import Memory

ACTIONS = ("login", "logout", "add", "remove", "passwd", "unlock", "list")
_WITHOUT_NUMBER = ("logout", "list")


def operator(
    folder: Folder,
    action: Annotated[str, typer.Argument(metavar="|".join(ACTIONS))] = "list",
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="99 system manager, 00 supervisor, 01-98.")] = "",
    password: Annotated[str, typer.Option("--password", help="Asked for if absent.")] = "",
    new_password: Annotated[str, typer.Option("--new-password", help="passwd: asked for if absent.")] = "",
) -> None:
    """Log in and out, add and remove operators, change passwords, unlock (操作员)."""
    from terminal_sim import operators

    if action not in ACTIONS:
        faulty(f"operator {action}: one of {', '.join(ACTIONS)}")
    if bool(number) == (action in _WITHOUT_NUMBER):
        faulty(f"operator {action}: {'takes no number' if number else 'NUMBER is missing'}")
    with one_line(), powered(folder) as flash:
        memory = flash.load()
        if action == "list":
            typer.echo("\n".join(operators.listing(memory)) or "no operators: everyone may use the terminal")
            return
        changed, why = _CHANGES[action](memory, number, password, new_password)
        # On flash before anything is said: a wrong password counts, whenever the power goes.
        if changed != memory:
            flash.save("operator", changed)
    if why:
        refused(why)
    typer.echo(f"operator {number or memory.operator}: {action} done")


def _login(memory: Memory, number: str, password: str, _: str) -> tuple[Memory, str]:
    from terminal_sim import operators

    return operators.login(memory, number, password or _asked(f"password of {number}"))


def _logout(memory: Memory, *_: str) -> tuple[Memory, str]:
    from terminal_sim import operators

    return operators.logout(memory)


def _add(memory: Memory, number: str, password: str, _: str) -> tuple[Memory, str]:
    from terminal_sim import operators
    from terminal_sim.clock import new_salt

    return operators.add(memory, number, password or _asked(f"password of {number}", twice=True), new_salt())


def _remove(memory: Memory, number: str, *_: str) -> tuple[Memory, str]:
    from terminal_sim import operators

    return operators.remove(memory, number)


def _passwd(memory: Memory, number: str, password: str, new: str) -> tuple[Memory, str]:
    from terminal_sim import operators
    from terminal_sim.clock import new_salt

    old = password or ("" if operators.helps(memory, number) else _asked(f"old password of {number}"))
    new = new or _asked(f"new password of {number}", twice=True)
    return operators.change_password(memory, number, old, new, new_salt())


def _unlock(memory: Memory, number: str, *_: str) -> tuple[Memory, str]:
    from terminal_sim import operators

    return operators.unlock(memory, number)


def _asked(text: str, *, twice: bool = False) -> str:
    return str(typer.prompt(text, hide_input=True, confirmation_prompt=twice, err=True))


_CHANGES: Mapping[str, Callable[[Memory, str, str, str], tuple[Memory, str]]] = {
    "login": _login,
    "logout": _logout,
    "add": _add,
    "remove": _remove,
    "passwd": _passwd,
    "unlock": _unlock,
}
