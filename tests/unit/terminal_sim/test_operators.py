"""Who may press which key, passwords, and the lock after three wrong ones (flows.md section 11)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from specs.operation import Card, Entry
from terminal_sim import moves, operators
from terminal_sim.flash_format import dump, load
from terminal_sim.state import Config, Memory

CARD = Card("6223164991230014", "3012", entry=Entry.MANUAL)
SALT = "00112233445566778899aabbccddeeff"
NOBODY = Memory(Config("12345678", "123456789012345", "cup://127.0.0.1:1"))
TILL = replace(NOBODY, operators=operators.documented_operators())
SALE = moves.Sale(100, CARD)
REFUND = moves.Refund(100, CARD)


def logged_in(number: str, memory: Memory = TILL) -> Memory:
    after, why = operators.login(memory, number, operators.TEST_OPERATORS[number])
    assert why == ""
    return after


def wrong(memory: Memory, number: str, times: int) -> tuple[Memory, str]:
    why = ""
    for _ in range(times):
        memory, why = operators.login(memory, number, "9999")
    return memory, why


def test_a_terminal_without_operators_asks_nobody() -> None:
    for order in (SALE, REFUND, moves.Settle(), moves.Download()):
        assert operators.allowed(NOBODY, order) == ""
    assert NOBODY.who == "01"


def test_with_operators_nobody_may_do_anything_before_a_log_in() -> None:
    for order in (SALE, moves.Settle(), moves.SignOn(), moves.Echo()):
        assert "nobody is logged in" in operators.allowed(TILL, order)


@pytest.mark.parametrize(
    ("number", "sells", "refunds", "downloads", "settles", "signs_on"),
    [
        ("01", True, False, False, True, True),
        ("00", True, True, True, True, True),
        ("99", False, False, True, False, True),
    ],
)
def test_the_table_of_rights(
    number: str, sells: bool, refunds: bool, downloads: bool, settles: bool, signs_on: bool
) -> None:
    memory = logged_in(number)
    assert memory.who == number
    for order, may in (
        (SALE, sells),
        (moves.Void("000001"), sells),
        (moves.PreAuth(100, CARD), sells),
        (moves.OfflineSale(100, CARD), sells),
        (moves.Adjust("000001", tip=1), sells),
        (REFUND, refunds),
        (moves.Download(), downloads),
        (moves.Settle(), settles),
        (moves.SignOn(), signs_on),
    ):
        why = operators.allowed(memory, order)
        assert (why == "") is may, (order, why)
    assert (operators.may_manage(memory, "x") == "") is (number != "01")
    assert operators.may_print_again(memory, last=True) == ""
    assert (operators.may_print_again(memory, last=False) == "") is (number != "01")


def test_every_order_has_its_right() -> None:
    assert set(operators.RIGHTS) == set(moves.Order.__args__)


def test_the_refusal_says_who_may() -> None:
    assert operators.allowed(logged_in("01"), REFUND) == (
        "operator 01 (cashier) may not refund: that takes the supervisor 00 权限不足"
    )


def test_three_wrong_passwords_lock_and_the_right_one_comes_too_late() -> None:
    memory, why = wrong(TILL, "01", 2)
    assert "1 more before 01 is locked" in why
    memory, why = wrong(memory, "01", 1)
    assert "01 is now locked" in why
    memory, why = operators.login(memory, "01", "0000")
    assert why == "operator 01 is locked: 00 or 99 unlocks 已锁定"
    assert memory.operator == ""


def test_a_right_password_sets_the_count_back() -> None:
    memory, _ = wrong(TILL, "01", 2)
    memory, _ = wrong(logged_in("01", memory), "01", 2)
    assert logged_in("01", memory).operator == "01"


@pytest.mark.parametrize("who", ["00", "99"])
def test_supervisor_and_manager_unlock(who: str) -> None:
    memory, _ = wrong(TILL, "01", 3)
    assert operators.unlock(memory, "01")[1] != "", "nobody is logged in"
    memory, why = operators.unlock(logged_in(who, memory), "01")
    assert why == ""
    assert logged_in("01", memory).operator == "01"


def test_a_cashier_unlocks_nobody_and_nobody_unlocks_the_own_number() -> None:
    memory, _ = wrong(TILL, "00", 3)
    assert "may not unlock" in operators.unlock(logged_in("01", memory), "00")[1]
    memory, _ = wrong(logged_in("99"), "99", 3)
    assert operators.unlock(memory, "99")[1] == "nobody unlocks the own number"
    memory, _ = wrong(TILL, "00", 3)
    assert operators.unlock(logged_in("99", memory), "00")[1] == ""


def test_the_lock_outlives_a_restart() -> None:
    memory, _ = wrong(TILL, "01", 3)
    assert "locked" in operators.login(load(dump(memory)), "01", "0000")[1]


def test_the_flash_holds_no_password() -> None:
    """A salted PBKDF2-HMAC-SHA-256, recomputed here; the same password twice gives two hashes."""
    memory, why = operators.add(logged_in("99"), "07", "24681357", SALT)
    assert why == ""
    seven = next(one for one in memory.operators if one.number == "07")
    assert seven.password == hashlib.pbkdf2_hmac("sha256", b"24681357", bytes.fromhex(SALT), operators.ROUNDS).hex()
    assert "24681357" not in dump(memory)
    assert "24681357" not in repr(memory)
    assert seven.password not in repr(memory)
    other, _ = operators.add(memory, "08", "24681357", SALT[::-1])
    assert len({one.password for one in other.operators}) == 5


def test_the_first_operator_is_the_manager_who_adds_the_others() -> None:
    assert "system manager 99" in operators.add(NOBODY, "01", "0000", SALT)[1]
    memory, why = operators.add(NOBODY, "99", "87654321", SALT)
    assert why == ""
    assert "nobody is logged in" in operators.add(memory, "01", "0000", SALT)[1]
    memory, why = operators.login(memory, "99", "87654321")
    assert why == ""
    for number in ("00", "05"):
        memory, why = operators.add(memory, number, "1234", SALT)
        assert why == ""
    assert [one.number for one in memory.operators] == ["00", "05", "99"]


@pytest.mark.parametrize(
    ("number", "password", "said"),
    [
        ("1", "0000", "two digits"),
        ("ab", "0000", "two digits"),
        ("１２", "0000", "two digits"),
        ("02", "123", "4 to 8 digits"),
        ("02", "123456789", "4 to 8 digits"),
        ("02", "secret", "4 to 8 digits"),
        ("01", "0000", "there already"),
    ],
)
def test_a_bad_number_or_password_adds_nobody(number: str, password: str, said: str) -> None:
    memory = logged_in("00")
    after, why = operators.add(memory, number, password, SALT)
    assert said in why
    assert after == memory


def test_remove() -> None:
    memory, why = operators.remove(logged_in("00"), "01")
    assert why == ""
    assert "no operator 01" in operators.login(memory, "01", "0000")[1]
    assert "no operator 01" in operators.remove(memory, "01")[1]
    assert "stays" in operators.remove(memory, "99")[1]
    assert "may not remove" in operators.remove(logged_in("01"), "01")[1]


def test_change_of_password() -> None:
    """One's own takes the old one, and a wrong one counts; a cashier's is changed, and unlocked, from above."""
    memory, why = operators.change_password(logged_in("01"), "01", "1111", "4321", SALT)
    assert "wrong password" in why
    memory, why = operators.change_password(memory, "01", "0000", "4321", SALT)
    assert why == ""
    assert operators.login(memory, "01", "4321")[1] == ""
    memory, _ = wrong(memory, "01", 3)
    memory, why = operators.change_password(logged_in("00", memory), "01", "", "8888", SALT)
    assert why == ""
    assert operators.login(memory, "01", "8888")[1] == ""
    assert "wrong password" in operators.change_password(logged_in("00"), "99", "", "8888", SALT)[1]
    assert "may not change" in operators.change_password(with_two(), "02", "", "8888", SALT)[1]
    assert "4 to 8" in operators.change_password(logged_in("01"), "01", "0000", "1", SALT)[1]


def with_two() -> Memory:
    memory, why = operators.add(logged_in("00"), "02", "2222", SALT)
    assert why == ""
    return logged_in("01", memory)


def test_log_out() -> None:
    memory, why = operators.logout(logged_in("01"))
    assert (memory.operator, why) == ("", "")
    assert operators.logout(memory)[1] == "nobody is logged in"


def test_the_list() -> None:
    memory, _ = wrong(logged_in("99"), "01", 3)
    assert operators.listing(memory) == ["99 system manager logged in", "00 supervisor", "01 cashier        locked"]
