"""What one group keeps at hand for the issuer's answers of the next: never older than the disk, never more than it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.working import Needs, WorkingSet
from host.errors import StoreUnavailable
from host.rows import Row, Terminal, Txn, TxnState
from host.runner import Runner
from host.store.store import Store
from tests.support.wire_host import TID, WireHost


class Watched:
    """A till's host that tells which issuer legs were read by id: only for an answer that found nothing at hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = WireHost("cup")
        self.host.sign_on()
        self.asked: list[frozenset[int]] = []
        self.refuse = 0
        load, commit = Store.load, Store.commit

        def seen(store: Store, needs: Needs) -> WorkingSet:
            self.asked.append(frozenset(needs.leg_ids))
            return load(store, needs)

        def written(store: Store, puts: list[Row]) -> None:
            if self.refuse:
                self.refuse -= 1
                raise StoreUnavailable("no room")
            commit(store, puts)

        monkeypatch.setattr(Store, "load", seen)
        monkeypatch.setattr(Store, "commit", written)

    @property
    def runner(self) -> Runner:
        return self.host.runner

    def txn(self, stan: str) -> Txn:
        return next(t for t in self.host.store.reader().select(Txn) if t.stan == stan)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_the_issuers_answer_to_a_sale_reads_nothing_again(watched: Watched) -> None:
    assert watched.host.code(watched.host.sale(2, 100)) == "00"
    assert not any(watched.asked)
    assert watched.txn("000002").state is TxnState.CAPTURED


def test_what_somebody_else_changed_in_between_is_read(watched: Watched) -> None:
    """A key set through the API between the two groups of a sale must not be overwritten."""
    line = watched.host.send(watched.host.sale(2, 100))
    watched.runner.run_once()  # the sale is at its issuer

    def change(store: Store, _: object) -> None:
        terminal = next(t for t in store.load(Needs(tids={TID})).all(Terminal) if t.tid == TID)
        store.commit([replace(terminal, tmk="F" * 32)])

    watched.runner.call(change)
    watched.runner.run_until_quiet()
    answer = watched.host.heard(line)
    assert answer is not None
    assert answer[39] == "00"
    assert any(watched.asked)
    assert [t.tmk for t in watched.host.store.reader().select(Terminal) if t.tid == TID] == ["F" * 32]


def test_after_a_commit_that_failed_everything_is_read_anew(watched: Watched) -> None:
    line = watched.host.send(watched.host.sale(2, 100))
    watched.refuse = 1  # the group fails, the sale alone goes through
    watched.runner.run_until_quiet()
    answer = watched.host.heard(line)
    assert answer is not None
    assert answer[39] == "00"
    assert watched.txn("000002").state is TxnState.CAPTURED


def test_what_names_another_is_read_with_it(watched: Watched) -> None:
    host = watched.host
    assert host.code(host.sale(2, 100)) == "00"
    watched.asked.clear()
    sale = watched.txn("000002")
    assert host.code(host.void(3, 100, of=2, rrn=sale.rrn)) == "00"
    assert any(watched.asked)
