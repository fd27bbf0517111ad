"""What a chip says after its transaction: script results and certificates. Kept as evidence, it moves no money.

`Txn.chip` holds them as JSON beside what the cryptogram's check found; never card data.
"""

from __future__ import annotations

import json

from host.engine import outcomes
from host.engine.checks import Case
from host.engine.draft import Draft
from host.engine.events import Decision
from host.engine.originals import named_by_evidence
from host.rows import Txn
from specs import tlv
from specs.errors import DecodeError
from specs.operation import Kind, Operation, UploadForm, UploadItem
from specs.values import replace

SCRIPT_RESULTS = "DF31"
CRYPTOGRAM, CRYPTOGRAM_KIND = "9F26", "9F27"
RECEIVED = "received"
"""A result without the tag that it should have: it came, no more is known."""
_CERTIFICATE = 0x40
_KIND_BITS = 0xC0


def script_result(case: Case) -> Decision:
    """0620: what became of the issuer's scripts, noted on its transaction; 00 also when that is not known.

    An advice that is only evidence: nothing else changes, and a repeat says the same.
    """
    draft, operation = case.draft, case.operation
    txn = named_by_evidence(draft.ws, case.known_terminal, case.request)
    if txn is None:
        draft.note("script result for a transaction that is not known: taken note of here only")
    else:
        note_chip(draft, txn, script=tags_of(operation.chip).get(SCRIPT_RESULTS, RECEIVED))
    return Decision(outcome=outcomes.of_service(draft.ctx, operation), txn_id=txn.id if txn is not None else 0)


def note_item(draft: Draft, txn: Txn, item: UploadItem) -> Txn:
    """The chip's own word on an uploaded item: its certificate (9F26, hex), or why the card failed it."""
    if item.form is UploadForm.FAILED:
        return note_chip(draft, txn, failed=item.reason or RECEIVED)
    return note_chip(draft, txn, tc=_certificate(item.chip))


def with_certificate(txn: Txn, operation: Operation) -> Txn:
    """A new row with the certificate of a sale that the chip has approved by itself; nobody checks it."""
    alone = operation.advice or operation.kind is Kind.OFFLINE_SALE
    if not operation.chip or not alone:
        return txn
    return replace(txn, chip=json.dumps({"tc": _certificate(operation.chip)}))


def _certificate(chip: bytes | None) -> str:
    found = tags_of(chip)
    kind = bytes.fromhex(found.get(CRYPTOGRAM_KIND, ""))
    is_tc = not kind or kind[0] & _KIND_BITS == _CERTIFICATE
    return found.get(CRYPTOGRAM, RECEIVED) if is_tc else "not a certificate"


def note_chip(draft: Draft, txn: Txn, **facts: str) -> Txn:
    """Put facts beside those that are there; what is known already changes no row."""
    before = json.loads(txn.chip or "{}")
    after = before | facts
    return txn if after == before else draft.put(replace(txn, chip=json.dumps(after, sort_keys=True)))


def tags_of(chip: bytes | None) -> dict[str, str]:
    """Tag -> value, both hex, of DE 55; empty when there is none or it cannot be read."""
    try:
        return {item.tag: item.value.hex().upper() for item in tlv.parse(chip or b"")}
    except DecodeError:
        return {}
