"""Operators: who may press which key, passwords, and the lock after three wrong ones. Values in, values out.

    who                        sells, voids, settles   refunds   downloads   manages operators, old slips
    01-98  cashier             yes                     no        no          no
    00     supervisor (主管)   yes                     yes       yes         yes
    99     system manager      no                      no        yes         yes

A terminal without operators asks nobody. Every function returns the new memory and "", or the old memory (with the try
counted, where a password was wrong) and why not. Who is locked is unlocked by the other of 00 and 99, a cashier by
either; when both are locked the terminal is to be set up anew. Salts are arguments: no chance in here.

Source: failure-catalogue.md section 5 (system 99, supervisor 00, cashiers 01..; older slips need a supervisor),
flows.md sections 0 and 11 (logged out by a sign-off; locked after three).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from terminal_sim import moves
from terminal_sim.state import Memory, Operator

MANAGER = "99"
SUPERVISOR = "00"
WRONG_MAX = 3
"""flows.md section 11."""
PASSWORD_DIGITS = range(4, 9)
OPERATORS_MAX = 100
"""Two digits."""
ROUNDS = 100_000
"""Of PBKDF2; it makes a stolen flash dear to search, a password of a few digits no secret for ever."""

TEST_OPERATORS: Mapping[str, str] = {MANAGER: "12345678", SUPERVISOR: "123456", "01": "0000"}
"""The documented operators of `init --operators` and their passwords."""

Changed = tuple[Memory, str]
"""The memory, and "" or why not."""


class Role(StrEnum):
    """What a number stands for."""

    CASHIER = "cashier"
    SUPERVISOR = "supervisor"
    MANAGER = "system manager"


_TILL = frozenset({Role.CASHIER, Role.SUPERVISOR})
_CHIEFS = frozenset({Role.SUPERVISOR, Role.MANAGER})
_ALL = _TILL | _CHIEFS

RIGHTS: Mapping[type[moves.Order], frozenset[Role]] = {
    moves.SignOn: _ALL,
    moves.SignOff: _ALL,
    moves.Echo: _ALL,
    moves.Balance: _TILL,
    moves.Sale: _TILL,
    moves.Void: _TILL,
    moves.Refund: frozenset({Role.SUPERVISOR}),
    moves.PreAuth: _TILL,
    moves.PreAuthVoid: _TILL,
    moves.Complete: _TILL,
    moves.OfflineSale: _TILL,
    moves.Adjust: _TILL,
    moves.SendStored: _TILL,
    moves.Download: _CHIEFS,
    moves.Settle: _TILL,
    moves.ClearReversal: frozenset({Role.SUPERVISOR}),
    moves.ForceSettle: frozenset({Role.SUPERVISOR}),
}
"""Who may press the key. A refund gives money away without a sale of this batch behind it: a cashier alone may not."""


def role(number: str) -> Role:
    """What the number stands for."""
    return {MANAGER: Role.MANAGER, SUPERVISOR: Role.SUPERVISOR}.get(number, Role.CASHIER)


def allowed(memory: Memory, order: moves.Order) -> str:
    """Why nobody, or not this operator, may press the key; "" when it is allowed."""
    return _may(memory, RIGHTS[type(order)], _key_name(order))


def may_manage(memory: Memory, what: str) -> str:
    """Why the operator may not do what only supervisor and manager do, "" when allowed."""
    return _may(memory, _CHIEFS, what)


def may_print_again(memory: Memory, *, last: bool) -> str:
    """Anyone who is logged in prints the last slip again, older ones only supervisor and manager."""
    return _may(memory, _ALL if last else _CHIEFS, "print older slips again")


def _may(memory: Memory, roles: frozenset[Role], what: str) -> str:
    if not memory.operators:
        return ""
    if not memory.operator:
        return "nobody is logged in: operator DIR login 请先登录"
    mine = role(memory.operator)
    if mine in roles:
        return ""
    who = " or ".join(f"{one} {_number(one)}".strip() for one in Role if one in roles)
    return f"operator {memory.operator} ({mine}) may not {what}: that takes the {who} 权限不足"


def _number(one: Role) -> str:
    return {Role.MANAGER: MANAGER, Role.SUPERVISOR: SUPERVISOR}.get(one, "")


def _key_name(order: moves.Order) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(order).__name__).strip()


# --- coming and going -------------------------------------------------------------------------------------------------


def login(memory: Memory, number: str, password: str) -> Changed:
    """Log in; whoever was logged in is out. A wrong password counts, the third in a row locks."""
    memory, why = _checked(memory, number, password)
    return (memory, why) if why else (replace(memory, operator=number), "")


def logout(memory: Memory) -> Changed:
    """Nobody is logged in."""
    return replace(memory, operator=""), "" if memory.operator else "nobody is logged in"


def change_password(memory: Memory, number: str, old: str, new: str, salt: str) -> Changed:
    """Another password: one's own with the old one; a cashier's without, by supervisor or manager, who also unlocks."""
    if why := _bad_password(new):
        return memory, why
    if helps(memory, number):
        why = may_manage(memory, "change another's password") or _unknown(memory, number)
    else:
        memory, why = _checked(memory, number, old)
    return (memory, why) if why else (_with(memory, _made(number, new, salt)), "")


def helps(memory: Memory, number: str) -> bool:
    """Whether somebody else changes a cashier's password, and so is not asked for the old one."""
    return memory.operator not in ("", number) and role(number) is Role.CASHIER


def unlock(memory: Memory, number: str) -> Changed:
    """Three more tries; nobody unlocks the own number."""
    why = may_manage(memory, "unlock operators") or _unknown(memory, number)
    if why or number == memory.operator:
        return memory, why or "nobody unlocks the own number"
    return _with(memory, replace(_found(memory, number), wrong=0, locked=False)), ""


# --- who there is -----------------------------------------------------------------------------------------------------


def documented_operators() -> tuple[Operator, ...]:
    """The documented operators; their salts are no secret either."""
    return tuple(_made(number, password, f"{int(number):032x}") for number, password in TEST_OPERATORS.items())


def add(memory: Memory, number: str, password: str, salt: str) -> Changed:
    """Another operator. The first of a terminal is the manager, who then adds the others.

    Units: number two digits, password 4 to 8 digits, salt hex.
    """
    if not memory.operators and number != MANAGER:
        return memory, f"the first operator is the system manager {MANAGER}"
    if not (len(number) == 2 and number.isascii() and number.isdigit()):
        return memory, "an operator's number has two digits"
    why = may_manage(memory, "add operators") or _bad_password(password)
    if why or any(one.number == number for one in memory.operators):
        return memory, why or f"operator {number} is there already"
    assert len(memory.operators) < OPERATORS_MAX, "numbers are unique"
    made = sorted((*memory.operators, _made(number, password, salt)), key=lambda one: one.number)
    return replace(memory, operators=tuple(made)), ""


def remove(memory: Memory, number: str) -> Changed:
    """Take a cashier away; supervisor and manager stay."""
    why = may_manage(memory, "remove operators") or _unknown(memory, number)
    if why or role(number) is not Role.CASHIER:
        return memory, why or f"operator {number} ({role(number)}) stays"
    return replace(memory, operators=tuple(one for one in memory.operators if one.number != number)), ""


def listing(memory: Memory) -> list[str]:
    """One line an operator: number, role, locked or logged in."""
    lines = []
    for one in memory.operators:
        state = "locked" if one.locked else "logged in" if one.number == memory.operator else ""
        lines.append(f"{one.number} {role(one.number):<14} {state}".rstrip())
    return lines


# --- passwords --------------------------------------------------------------------------------------------------------


def _checked(memory: Memory, number: str, password: str) -> Changed:
    """Is it the right password? Counts the wrong ones; a right one sets the count back."""
    if why := _unknown(memory, number):
        return memory, why
    one = _found(memory, number)
    if one.locked:
        return memory, f"operator {number} is locked: {_unlocker(number)} unlocks 已锁定"
    if hmac.compare_digest(_hash(password, one.salt), one.password):
        return _with(memory, replace(one, wrong=0)), ""
    wrong = one.wrong + 1
    memory = _with(memory, replace(one, wrong=wrong, locked=wrong >= WRONG_MAX))
    if wrong >= WRONG_MAX:
        return memory, f"wrong password: operator {number} is now locked: {_unlocker(number)} unlocks 密码错误，已锁定"
    return memory, f"wrong password: {WRONG_MAX - wrong} more before {number} is locked 密码错误"


def _unlocker(number: str) -> str:
    return " or ".join(one for one in (SUPERVISOR, MANAGER) if one != number)


def _bad_password(password: str) -> str:
    good = password.isascii() and password.isdigit() and len(password) in PASSWORD_DIGITS
    return "" if good else f"a password has {PASSWORD_DIGITS.start} to {PASSWORD_DIGITS.stop - 1} digits"


def _unknown(memory: Memory, number: str) -> str:
    return "" if any(one.number == number for one in memory.operators) else f"there is no operator {number}"


def _found(memory: Memory, number: str) -> Operator:
    return next(one for one in memory.operators if one.number == number)


def _with(memory: Memory, changed: Operator) -> Memory:
    return replace(
        memory, operators=tuple(changed if one.number == changed.number else one for one in memory.operators)
    )


def _made(number: str, password: str, salt: str) -> Operator:
    return Operator(number, salt, _hash(password, salt))


def _hash(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ROUNDS).hex()
