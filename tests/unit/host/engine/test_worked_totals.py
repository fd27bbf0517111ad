"""The worked example of rules.md, section 5, from the host's own books: one batch, three ways to count it.

S1 100.00 with a tip of 10.00; S2 50.00, voided by V; refund R 20.00; S3 80.00 reversed with 00; offline sale O 40.00;
foreign card F 30.00. Net 160.00 in each. Every figure below is the document's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from host.engine import batches
from host.engine.draft import Draft
from host.engine.items import digest, is_item
from host.engine.settle import decide_settle
from host.rows import Batch, Row, Txn, TxnState
from specs.dialect import load
from specs.families import family
from specs.operation import Kind, Verdict
from specs.profile import KeyScheme, Profile
from specs.totals import Sum, Totals
from tests.support.books import CUP, NAC, TID, a_batch, a_draft, a_request, a_terminal, a_txn, cup_totals, nac_totals

ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME, reversed="both")
ISO87_NONE = replace(ISO87, reversed="none")


def iso87_totals(
    debits: tuple[int, int] = (0, 0),
    debits_back: tuple[int, int] = (0, 0),
    credits: tuple[int, int] = (0, 0),
    credits_back: tuple[int, int] = (0, 0),
) -> Totals:
    """DE 76/88, 77/89, 74/86, 75/87 as (count, amount)."""
    return Totals(
        (
            Sum("all", "credits", *credits),
            Sum("all", "credit-reversals", *credits_back),
            Sum("all", "debits", *debits),
            Sum("all", "debit-reversals", *debits_back),
        )
    )


def example() -> list[Txn]:
    """The batch as the engine leaves it: the tip stands in the place of S1."""
    return [
        a_txn(1, 10000, replaced_by=2),
        a_txn(2, 11000, Kind.TIP, original_id=1, tip=1000),
        a_txn(3, 5000, state=TxnState.VOIDED, undone_by="void:4", settlement="none"),
        a_txn(4, 5000, Kind.VOID, original_id=3, voids_kind="sale"),
        a_txn(5, 2000, Kind.REFUND, original_id=1, advice=True),
        a_txn(6, 8000, state=TxnState.REVERSED, undone_by="reversal", settlement="none"),
        a_txn(7, 4000, Kind.OFFLINE_SALE, advice=True),
        a_txn(8, 3000, foreign=True, organisation="VIS"),
    ]


EXPECTED: dict[str, tuple[Profile, Totals]] = {
    "cup": (CUP, cup_totals(debit=(3, 20000), credit=(2, 7000), foreign_debit=(1, 3000))),
    "nac": (NAC, nac_totals(sales=(3, 18000), refunds=(1, 2000))),
    "iso87, reversed both": (ISO87, iso87_totals((5, 31000), (2, 13000), (1, 2000))),
    "iso87, reversed none": (ISO87_NONE, iso87_totals((4, 23000), (1, 5000), (1, 2000))),
}


def booked(rows: list[Txn], **batch: Any) -> Draft:
    """The rows as changes of an open batch, so that its running totals are the engine's own."""
    draft = a_draft([a_batch(**batch)])
    for row in rows:
        draft.put(row)
        batches.change(draft, None, row)
    return draft


@pytest.mark.parametrize(("profile", "expected"), EXPECTED.values(), ids=EXPECTED)
def test_the_example_is_counted_and_agreed(profile: Profile, expected: Totals) -> None:
    draft = booked(example())
    request = a_request(Kind.SETTLE, profile, totals=expected, day="0302" if profile.family == "iso87" else "")
    outcome = decide_settle(draft, request, a_terminal(dialect=profile.family))
    assert outcome is not None
    assert outcome.verdict is Verdict.AGREED
    assert outcome.totals is not None
    assert not outcome.totals.differing(expected)
    closed = draft.ws.all(Batch)[0]
    assert closed.state == "closed"
    assert {t.id for t in draft.ws.txns_of_batch(1) if t.settlement == "settled"} == {1, 2, 4, 5, 7, 8}


@pytest.mark.parametrize(("profile", "expected"), EXPECTED.values(), ids=EXPECTED)
def test_the_net_is_the_same_in_each_dialect(profile: Profile, expected: Totals) -> None:
    """E2: 160.00, whatever the gross figures are."""
    signs = {"debit": 1, "credit": -1, "sales": 1, "refunds": -1, "debits": 1, "credits": -1}
    signs |= {"debit-reversals": -1, "credit-reversals": 1}
    assert sum(signs[s.group] * s.amount for s in expected.sums) == 16000
    draft = booked(example())
    counted = family(profile.family).count(
        batches.items(draft, draft.ws.all(Batch)[0], reversed_too=profile.reversed == "both")
    )
    assert sum(signs[s.group] * s.amount for s in counted.sums) == 16000


def test_the_built_in_iso87_shows_reversed_items() -> None:
    assert load("iso87").profile.get("reversed") == "both"


def test_running_totals_have_the_tip_in_the_place_of_its_sale() -> None:
    draft = booked(example())
    assert json.loads(draft.ws.all(Batch)[0].running) == {
        "offline-sale": [1, 4000],
        "refund": [1, 2000],
        "sale": [2, 8000],
        "tip": [1, 11000],
        "void": [1, 5000],
    }


def test_an_adjustment_takes_its_sale_out_of_the_running_totals() -> None:
    draft = booked([a_txn(1, 10000)])
    sale = draft.ws.txn(1)
    assert sale is not None
    tip = draft.put(a_txn(2, 11000, Kind.TIP, original_id=1))
    batches.change(draft, sale, draft.put(replace(sale, replaced_by=2)))
    batches.change(draft, None, tip)
    assert json.loads(draft.ws.all(Batch)[0].running) == {"tip": [1, 11000]}


@pytest.mark.parametrize(
    ("row", "debits", "credits"),
    [
        (a_txn(1, 700, Kind.COMPLETION, original_id=9), (1, 700), (0, 0)),
        (a_txn(1, 700, Kind.COMPLETION_ADVICE, original_id=9), (1, 700), (0, 0)),
        (a_txn(1, 700, Kind.CASH_BACK, cash=200), (1, 700), (0, 0)),
        (a_txn(1, 700, Kind.ADJUST, original_id=9), (1, 700), (0, 0)),
        (a_txn(1, 700, Kind.COMPLETION_VOID, voids_kind="completion"), (0, 0), (1, 700)),
        (a_txn(1, 700, Kind.PRE_AUTH, state=TxnState.AUTHORISED, held=700), (0, 0), (0, 0)),
        (a_txn(1, 700, Kind.PRE_AUTH, replaced_by=9), (0, 0), (0, 0)),
        (a_txn(1, 700, Kind.PRE_AUTH_INCREMENT, state=TxnState.AUTHORISED), (0, 0), (0, 0)),
        (a_txn(1, 700, state=TxnState.AUTHORISED, approved_amount=700), (1, 700), (0, 0)),
    ],
    ids=lambda row: f"{row.kind} {row.state}" if isinstance(row, Txn) else "",
)
def test_every_kind_stands_on_its_side(row: Txn, debits: tuple[int, int], credits: tuple[int, int]) -> None:
    """cup.md 5.5: completions, adjustments and offline sales are debits, completion voids credits, pre-auths nothing;
    an approved sale that waits for its capture (TC) is an item like any other."""
    draft = booked([row])
    counted = family("cup").count(batches.items(draft, draft.ws.all(Batch)[0]))
    assert counted == cup_totals(debit=debits, credit=credits)


def test_iso87_counts_the_undoing_of_refunds_apart() -> None:
    """75/87: a voided refund stays in 74/86, its void adds to 75/87; a reversed refund is in both."""
    rows = [
        a_txn(1, 500, Kind.REFUND, state=TxnState.VOIDED),
        a_txn(2, 500, Kind.VOID, original_id=1, voids_kind="refund"),
        a_txn(3, 300, Kind.REFUND, state=TxnState.REVERSED, settlement="none"),
    ]
    draft = booked(rows)
    counted = family("iso87").count(batches.items(draft, draft.ws.all(Batch)[0], reversed_too=True))
    assert not counted.differing(iso87_totals(credits=(2, 800), credits_back=(2, 800)))


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (a_txn(1, 800, state=TxnState.REVERSED, settlement="none"), (800,)),
        # The card had 700 of the 800 that were asked for: T knows what it asked for.
        (a_txn(1, 800, state=TxnState.REVERSED, settlement="none", approved_amount=700), (800,)),
        # Reversed while it was at the issuer: 00 all the same.
        (a_txn(1, 800, state=TxnState.REVERSED, settlement="none", approved_amount=0), (800,)),
        # RH4: the batch was closed by the host alone, and the terminal says that it sold and undid it.
        (a_txn(1, 800, state=TxnState.REVERSED, settlement="settled"), (800,)),
        (a_txn(1, 800, Kind.VOID, state=TxnState.REVERSED, settlement="none"), ()),
        (a_txn(1, 800, state=TxnState.REVERSED, settlement="none", carried=True), ()),
        (a_txn(1, 800, state=TxnState.TOMBSTONE), ()),
        (a_txn(1, 800, state=TxnState.DECLINED), ()),
    ],
    ids=["open", "partial", "at the issuer", "after the close", "a void", "carried", "tombstone", "declined"],
)
def test_which_reversed_items_iso87_shows(row: Txn, shown: tuple[int, ...]) -> None:
    """Whatever was acked with 00 for an item of the batch."""
    draft = a_draft([a_batch(), row])
    assert tuple(i.amount for i in batches.items(draft, a_batch(), reversed_too=True) if i.reversed) == shown
    assert batches.items(draft, a_batch()) == []


def test_the_digest_covers_adjustments_and_what_they_replaced() -> None:
    """A7: the hash of the list as it is written out here by hand."""
    sale, tip = a_txn(1, 10000, replaced_by=2), a_txn(2, 11000, Kind.TIP, original_id=1)
    text = (
        '[[1,"sale","000001","000001",10000,"156",false,false,0],[2,"tip","000002","000001",11000,"156",false,false,1]]'
    )
    assert digest([tip, sale]) == sha256(text.encode()).hexdigest()
    assert digest([replace(sale, replaced_by=0), tip]) == digest([sale, tip])
    held: list[Row] = [replace(sale, state=TxnState.AUTHORISED), replace(sale, state=TxnState.EXPIRED)]
    assert {digest([row]) for row in held if isinstance(row, Txn)} == {digest([sale])}
    assert digest([a_txn(3, 500, Kind.PRE_AUTH)]) == digest([])


def test_the_first_thing_booked_gives_the_batch_its_day() -> None:
    draft = a_draft([a_batch()])
    assert batches.day_of(draft, 1) == "2026-03-02"
    batches.change(draft, None, draft.put(a_txn(1, 100, state=TxnState.DECLINED)))
    assert draft.ws.all(Batch)[0].day == ""
    batches.change(draft, None, draft.put(a_txn(2, 100, carried=True)))
    assert draft.ws.all(Batch)[0].day == "2026-03-02"
    assert batches.day_of(a_draft([a_batch(day="2026-03-01")]), 1) == "2026-03-01"
    assert is_item(a_txn(2, 100))
    assert draft.ws.open_batch(TID) is not None
