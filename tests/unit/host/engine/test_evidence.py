"""Script results and certificates: kept with their transaction, and nothing else moves (0620; 0320 of chip items)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.engine import evidence
from host.engine.draft import Draft
from host.rows import Posting
from specs.operation import Kind, OriginalRef, UploadForm, UploadItem
from specs.profile import Profile
from tests.support.books import a_txn
from tests.support.engine import CUP, ISO87, NAC, Desk, code

SCRIPT = bytes.fromhex("9F3303E0F8C8DF3105200000000095050000000000")
"""DE 55 of a 0620: DF31 = script processed, terminal verification results."""
TC = bytes.fromhex("9F2608AABBCCDDEEFF00119F270140")
ARQC = bytes.fromhex("9F2608AABBCCDDEEFF00119F270180")


def script(desk: Desk, stan: int, chip: bytes | None = SCRIPT, **changes: Any) -> str:
    return code(desk.send(desk.request(Kind.SCRIPT_RESULT, stan=stan, advice=True, chip=chip, **changes)))


def noted(desk: Desk, stan: int) -> dict[str, str]:
    found = json.loads(desk.txn(stan).chip or "{}")
    assert isinstance(found, dict)
    return found


def test_a_script_result_is_noted_with_the_sale_that_de_61_names() -> None:
    desk = Desk()
    desk.sale(1)
    desk.sale(2)
    before = desk.rows(Posting)
    assert script(desk, 9, original=OriginalRef(stan="000001", batch="000001")) == "00"
    assert (noted(desk, 1), noted(desk, 2)) == ({"script": "2000000000"}, {})
    assert (desk.rows(Posting), desk.payable()) == (before, 20_000)


@pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
def test_without_de_61_it_is_about_its_own_stan(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    assert script(desk, 1) == "00"
    assert noted(desk, 1) == {"script": "2000000000"}


def test_by_rrn_or_de_90() -> None:
    desk = Desk(NAC)
    desk.sale(1)
    assert script(desk, 9, rrn=desk.txn(1).rrn) == "00"
    assert noted(desk, 1) == {"script": "2000000000"}
    desk = Desk(ISO87)
    desk.sale(1, transmitted="0302010000")
    assert script(desk, 9, original=OriginalRef(stan="000001", transmitted="0302010001", mti="0200")) == "00"
    assert noted(desk, 1) == {}
    assert script(desk, 9, original=OriginalRef(stan="000001", transmitted="0302010000", mti="0200")) == "00"
    assert noted(desk, 1) == {"script": "2000000000"}


def test_a_repeat_changes_nothing_and_an_unknown_one_is_still_00() -> None:
    desk = Desk()
    desk.sale(1)
    ref = OriginalRef(stan="000001", batch="000001")
    assert script(desk, 9, original=ref) == "00"
    before = desk.txn(1)
    assert script(desk, 9, original=ref) == "00"
    assert desk.txn(1) == before
    assert script(desk, 10, original=OriginalRef(stan="000404", batch="000001")) == "00"
    assert any("not known" in note for note in desk.notes)


@pytest.mark.parametrize(
    "chip", [None, b"", b"\x9f", bytes.fromhex("9505000000")], ids=["none", "empty", "cut", "short"]
)
def test_without_a_readable_result_it_is_known_that_one_came(chip: bytes | None) -> None:
    desk = Desk()
    desk.sale(1)
    assert script(desk, 1, chip) == "00"
    assert noted(desk, 1) == {"script": "received"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (UploadItem(OriginalRef(), 100, form=UploadForm.TC, chip=TC), {"tc": "AABBCCDDEEFF0011"}),
        (UploadItem(OriginalRef(), 100, form=UploadForm.TC, chip=ARQC), {"tc": "not a certificate"}),
        (UploadItem(OriginalRef(), 100, form=UploadForm.TC), {"tc": "received"}),
        (UploadItem(OriginalRef(), 100, form=UploadForm.FAILED, reason="05", chip=ARQC), {"failed": "05"}),
    ],
    ids=["tc", "arqc", "no data", "failed"],
)
def test_what_an_uploaded_chip_item_says(item: UploadItem, expected: dict[str, str]) -> None:
    desk = Desk()
    desk.sale(1)
    draft = Draft(desk.books, desk.context())
    after = evidence.note_item(draft, a_txn(2, 100, chip='{"arqc": "good"}'), item)
    assert json.loads(after.chip) == {"arqc": "good"} | expected
    assert draft.puts == (after,)
    assert evidence.note_item(draft, after, item) is after
