"""What a lost journal costs whom, by capture profile (rules.md, section 9; failure-catalogue, section 1).

A real store, the writer and the issuer's own books. Of two sales, 100.00 and 40.00, the terminal has lost the first one
(a broken flash); it settles what it has, the totals differ, it uploads its one item, and the batch ends. Cardholders of
an ordinary card: 6223164991230014.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from host.engine.events import CloseBatch
from host.rows import Batch, ExceptionItem, IssuerAccount, Txn
from specs.operation import Kind, OriginalRef, UploadItem
from specs.profile import KeyScheme, Profile
from specs.totals import Sum, Totals
from tests.support.engine import CUP, NAC, TID
from tests.support.host_engine import EngineHost

LOST, KEPT = 10_000, 4_000
ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME, reversed="both")

Start = Callable[[Profile], EngineHost]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(profile: Profile) -> EngineHost:
            host = EngineHost("sqlite://", profile=profile)
            stack.callback(host.store.close)
            return host

        yield started


def claim(family: str) -> Totals:
    """What is left in the terminal: the second sale."""
    group = {"cup": ("domestic", "debit"), "nac": ("all", "sales"), "iso87": ("all", "debits")}[family]
    return Totals((Sum(*group, 1, KEPT),))


def sell(host: EngineHost) -> None:
    for stan, amount in ((1, LOST), (2, KEPT)):
        more = {"local_date": "0302", "local_time": "090000"} if host.profile.family == "iso87" else {}
        assert host.ask(Kind.SALE, stan=stan, amount=amount, **more) == ["00"]


def settle(host: EngineHost, *, final: bool = False, stan: int = 3) -> list[str]:
    batch = None if host.profile.family == "iso87" else "000001"
    day = "0302" if host.profile.family == "iso87" else ""
    return host.ask(Kind.SETTLE, stan=stan, batch=batch, totals=claim(host.profile.family), final=final, day=day)


def upload(host: EngineHost) -> None:
    item = UploadItem(OriginalRef(stan="000002"), KEPT, kind=Kind.SALE if host.profile.family == "nac" else None)
    batch = "000001" if host.profile.family == "cup" else None
    assert host.ask(Kind.UPLOAD, stan=4, batch=batch, items=(item,)) == ["00"]


def end(host: EngineHost) -> None:
    if host.profile.family == "cup":
        assert host.ask(Kind.UPLOAD_END, stan=5, batch="000001", count=1) == ["00"]
    else:
        settle(host, final=True, stan=5)


def lose_a_journal(host: EngineHost) -> None:
    """The whole dialogue, until the batch is closed."""
    sell(host)
    settle(host)
    assert [str(b.state) for b in host.rows(Batch)] == ["disputed"]
    if host.profile.family != "iso87":
        upload(host)
    end(host)
    host.later(1)
    assert [str(b.state) for b in host.rows(Batch)] == ["closed-with-exceptions", "open"]


def card(host: EngineHost) -> tuple[int, int]:
    """What the cardholder has paid, and what is held of the limit."""
    (account,) = host.rows(IssuerAccount)
    return account.debited, account.held


def merchant(host: EngineHost) -> int:
    return -host.balance("acquirer", "merchant-payable")


def listed(host: EngineHost) -> list[tuple[str, int, int]]:
    return [(e.reason, e.amount, e.side_amount) for e in host.rows(ExceptionItem)]


def fates(host: EngineHost) -> list[tuple[str, str]]:
    return [(str(t.state), t.settlement) for t in host.rows(Txn)]


BY_ITEM = [pytest.param(CUP, id="cup"), pytest.param(NAC, id="nac")]


@pytest.mark.parametrize("profile", BY_ITEM)
def test_hc_funds_what_the_terminal_has_lost_and_flags_it(profile: Profile, start: Start) -> None:
    """Nobody loses: the host's books are what is paid; the exception says that the shop has no slip for it."""
    host = start(profile)
    lose_a_journal(host)
    assert (card(host), merchant(host)) == ((LOST + KEPT, 0), LOST + KEPT)
    assert fates(host) == [("captured", "settled"), ("captured", "settled")]
    assert listed(host) == [("host-only", LOST, 0)]


@pytest.mark.parametrize("profile", BY_ITEM)
def test_hc_in_suspense_keeps_the_merchant_s_money_back(profile: Profile, start: Start) -> None:
    host = start(profile)
    host.runner.settings = replace(host.settings, host_only="suspense")
    lose_a_journal(host)
    assert fates(host) == [("captured", "exception"), ("captured", "settled")]
    assert card(host) == (LOST + KEPT, 0)


@pytest.mark.parametrize("profile", BY_ITEM)
def test_tc_captures_only_what_was_uploaded_and_lets_the_rest_go(profile: Profile, start: Start) -> None:
    """The merchant loses the sale (goods are gone, nothing is paid); the cardholder keeps the money."""
    host = start(replace(profile, capture="TC"))
    sell(host)
    assert (card(host), merchant(host)) == ((0, LOST + KEPT), 0)
    settle(host)
    upload(host)
    end(host)
    host.later(1)
    assert (card(host), merchant(host)) == ((KEPT, 0), KEPT)
    assert fates(host) == [("expired", "exception"), ("captured", "settled")]
    assert json.loads(host.rows(Batch)[0].running) == {"sale": [1, KEPT]}
    assert listed(host) == [("host-only", LOST, 0)]


def test_tc_captures_all_of_h_s_items_at_an_agreement(start: Start) -> None:
    host = start(replace(CUP, capture="TC"))
    assert host.ask(Kind.SALE, stan=1, amount=KEPT) == ["00"]
    settle(host)
    host.later(1)
    assert (card(host), merchant(host), fates(host)) == ((KEPT, 0), KEPT, [("captured", "settled")])
    assert [str(b.state) for b in host.rows(Batch)] == ["closed", "open"]


@pytest.mark.parametrize("capture", ["HC", "TC"])
def test_iso87_has_no_upload_so_a_final_2_captures_h_s_books(capture: str, start: Start) -> None:
    """rules.md 9: 66 = 2 captures and flags the batch, one exception for the figure that differs."""
    host = start(replace(ISO87, capture=capture))
    lose_a_journal(host)
    assert (card(host), merchant(host)) == ((LOST + KEPT, 0), LOST + KEPT)
    assert listed(host) == [("totals-differ", LOST + KEPT, KEPT)]
    assert fates(host) == [("captured", "settled"), ("captured", "settled")]


def test_tc_loses_all_of_a_journal_that_is_closed_by_hand(start: Start) -> None:
    """FC 45: settled on paper only, the host closes it: what was never shown is not captured."""
    host = start(replace(CUP, capture="TC"))
    sell(host)
    (batch,) = host.rows(Batch)
    host.runner.submit(CloseBatch(batch.id, TID, "back office, alice: paper only"))
    host.run()
    host.later(1)
    assert (card(host), merchant(host)) == ((0, 0), 0)
    assert [reason for reason, _, _ in listed(host)] == ["host-only", "host-only"]


def test_tc_captures_a_tip_at_the_new_total(start: Start) -> None:
    """The sale gave way to its adjustment: one debit of 110.00, the hold is gone."""
    host = start(replace(CUP, capture="TC"))
    assert host.ask(Kind.SALE, stan=1, amount=10_000) == ["00"]
    ref = OriginalRef(stan="000001", batch="000001", amount=10_000)
    assert host.ask(Kind.TIP, stan=2, amount=11_000, tip=1_000, original=ref, advice=True) == ["00"]
    host.later(1)
    assert card(host) == (0, 11_000)
    totals = Totals((Sum("domestic", "debit", 1, 11_000),))
    host.ask(Kind.SETTLE, stan=3, batch="000001", totals=totals)
    host.later(1)
    assert (card(host), merchant(host)) == ((11_000, 0), 11_000)
    assert [str(b.state) for b in host.rows(Batch)] == ["closed", "open"]
