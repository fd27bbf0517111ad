"""What the engine writes as JSON by itself is what the standard library writes: stored content and running totals."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from host.engine import batches, identity
from host.engine.draft import Draft
from host.rows import Batch, Txn, TxnState
from specs.operation import Kind
from tests.support.books import CUP, a_batch, a_draft, a_request, a_txn

ITEMS = st.sampled_from([Kind.SALE, Kind.VOID, Kind.REFUND, Kind.COMPLETION])


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_stored_content_is_the_json_of_the_content(content: dict[str, str], digest: str) -> None:
    request = a_request(Kind.SALE, CUP, stan=7, amount=1, content=tuple(content.items()))
    request = replace(request, pan_hash=digest)
    stored = identity.stored_content(request)
    assert stored == json.dumps(identity.content_of(request), sort_keys=True)
    assert identity.same_content(stored, identity.content_of(request))


@given(st.lists(st.tuples(ITEMS, st.integers(1, 10**12), st.booleans()), min_size=1, max_size=8))
def test_running_totals_are_the_json_of_their_sums(booked: list[tuple[Kind, int, bool]]) -> None:
    """The flag: an item that is taken out again, as an adjusted sale is; a kind without items has no place."""
    draft = a_draft([a_batch("000001", id=1)])
    sums: dict[str, list[int]] = {}
    for row_id, (kind, amount, gone) in enumerate(booked, 1):
        word = kind if amount % 2 else kind.value  # as it was made, or as it was read
        pending = replace(a_txn(row_id, amount, batch_id=1), kind=word, state=TxnState.PENDING)
        captured = replace(pending, state=TxnState.CAPTURED, approved_amount=amount)
        _book(draft, pending, captured)
        if gone:
            _book(draft, captured, replace(captured, state=TxnState.REVERSED))
        else:
            pair = sums.setdefault(kind.value, [0, 0])
            pair[0] += 1
            pair[1] += amount
    batch = draft.ws.get(Batch, 1)
    assert batch is not None
    assert batch.running == json.dumps(sums, sort_keys=True)


def _book(draft: Draft, before: Txn, after: Txn) -> None:
    draft.put(after)
    batches.change(draft, before, after)
