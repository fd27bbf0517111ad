"""A NAC reversal that names a number of a closed batch with another amount: rules.md, sections 2 and 3; RH3, FC 79.

By section 2 such a number serves a new transaction again, so the 25 must leave a tombstone: the original that the
terminal now believes undone may still be on its way.
"""

from __future__ import annotations

from host.rows import TxnState
from tests.support.wire_host import WireHost


def test_nac_the_late_original_of_a_near_miss_in_a_closed_batch_is_refused() -> None:
    host = WireHost("nac")
    assert host.code(host.sale(2, 10_000)) == "00"
    assert host.code(host.settle(3, (1, 10_000))) == "00"
    first = host.ask(host.reversal(2, 20_000))
    assert first is not None
    assert first[39] == "25"
    assert host.alarms() == ["near-miss"]
    assert host.ask(host.reversal(2, 20_000)) == first
    assert host.code(host.sale(2, 20_000)) == "12"
    assert (host.txn(2).state, host.payable(), host.charged()) == (TxnState.TOMBSTONE, 10_000, 10_000)
    # What is not the reversed one is not touched by the tombstone.
    assert host.code(host.sale(2, 30_000)) == "00"
    host.check()


def test_nac_in_the_open_batch_the_late_original_meets_94_without_a_tombstone() -> None:
    host = WireHost("nac")
    assert host.code(host.sale(2, 10_000)) == "00"
    assert host.code(host.reversal(2, 20_000)) == "25"
    assert host.code(host.sale(2, 20_000)) == "94"
    assert host.alarms() == ["near-miss", "stan-twice"]
    assert host.code(host.reversal(2, 10_000)) == "00"
    host.check()


def test_cup_a_late_original_of_a_closed_number_meets_22() -> None:
    host = WireHost("cup")
    host.sign_on(1)
    assert host.code(host.sale(2, 10_000)) == "00"
    host.ask(host.settle(3, (1, 10_000)))
    assert host.code(host.reversal(2, 20_000)) == "25"
    assert host.code(host.sale(2, 20_000)) == "22"
    assert host.payable() == 10_000
    host.check()
