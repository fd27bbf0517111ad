"""Working keys over whole frames: which MAK is good when, and what a wrong one leads to (rules.md 8; FC 23)."""

from __future__ import annotations

import pytest

from host.rows import Txn
from tests.support.wire_host import WireHost


def keys_of_sign_ons(host: WireHost, count: int) -> list[bytes]:
    """The MAK of each 0810, none used yet but the first."""
    host.sign_on(1)
    assert host.code(host.sale(2, 1)) == "00"
    keys = [host.key]
    for stan in range(3, 2 + count):
        host.sign_on(stan)
        keys.append(host.key)
    return keys


def under(host: WireHost, key: bytes, stan: int) -> str:
    host.key = key
    return host.code(host.sale(stan, 100))


@pytest.mark.parametrize("heard", [0, 1, 2], ids=["both answers lost", "the second lost", "none lost"])
def test_of_two_sign_ons_in_a_row_any_answer_may_have_been_lost(heard: int) -> None:
    """The terminal goes on with the key of the last 0810 that reached it, and its use ends all others."""
    host = WireHost("cup")
    keys = keys_of_sign_ons(host, 3)
    host.key = keys[heard]
    answer = host.ask(host.sale(10, 100))
    assert answer is not None
    assert answer[39] == "00"
    assert bytes.fromhex(answer[64]) == host.mac_of(answer.with_fields({64: None}))
    # The newest stays good, since its 0810 may still arrive; those before it are dead.
    assert [under(host, key, 11 + n) for n, key in enumerate(keys)] == [
        "00" if n in (heard, 2) else "A0" for n in range(3)
    ]
    assert under(host, keys[heard], 20) == ("00" if heard == 2 else "A0")
    host.check()


def test_a_wrong_mac_ends_no_key_and_books_nothing() -> None:
    host = WireHost("cup")
    old, _new = keys_of_sign_ons(host, 2)
    assert host.code(host.sale(10, 100), mac=b"AAAAAAAA") == "A0"
    assert host.code(host.manage(11, "301")) == "00"  # carries no MAC, so it uses no key
    assert host.rows(Txn, stan="000010") == []
    assert under(host, old, 10) == "00"
    host.check()


def test_an_answer_that_comes_after_two_sign_ons_has_the_mac_of_its_request() -> None:
    host = WireHost("cup")
    host.sign_on(1)
    assert host.code(host.sale(2, 1)) == "00"
    key = host.key
    host.issuer("late", on="ask", seconds=5)
    line = host.send(host.sale(3, 100))
    host.runner.run_until_quiet()
    host.sign_on(4)
    host.sign_on(5)
    host.later(6)
    answer = host.heard(line)
    assert answer is not None
    host.key = key
    assert (answer[39], bytes.fromhex(answer[64])) == ("00", host.mac_of(answer.with_fields({64: None})))
