"""Every row of the settlement dialogue for CUP and NAC (rules.md, section 6), and the example's totals (section 5).

Each expectation is written from those tables. One batch of the kinds offered: S1 110.00, S2 50.00 voided by V, S3 80.00
reversed, F 30.00 on a foreign card. CUP: domestic debit S1 + S2 = 160.00/2, credit V = 50.00/1, foreign debit
F = 30.00/1. NAC: S1 + F = 140.00/2. Net in both: 140.00.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from host.engine import batches, closing
from host.engine.draft import Draft
from host.engine.settle import decide_settle
from host.engine.upload import decide_upload, decide_upload_end
from host.rows import Batch, BatchState, ExceptionItem, Posting, Row, Txn, TxnState
from specs.operation import Kind, Outcome, Verdict
from specs.profile import Profile
from specs.totals import Totals
from tests.support.books import (
    CUP,
    NAC,
    TID,
    a_batch,
    a_draft,
    a_leg,
    a_request,
    a_terminal,
    a_txn,
    cup_totals,
    nac_totals,
    next_draft,
    uploaded,
)

CUP_TOTALS = cup_totals(debit=(2, 16000), credit=(1, 5000), foreign_debit=(1, 3000))
NAC_TOTALS = nac_totals(sales=(2, 14000))
NOTHING = {"cup": cup_totals(), "nac": nac_totals()}
TOTALS = {"cup": CUP_TOTALS, "nac": NAC_TOTALS}
OTHER = {"cup": cup_totals(debit=(1, 11000), foreign_debit=(1, 3000)), "nac": nac_totals(sales=(1, 11000))}
PROFILES = {"cup": CUP, "nac": NAC}
AGREED, DIFFERS, OTHER_TOTALS = Verdict.AGREED, Verdict.DIFFERS, Verdict.CLOSED_OTHER
UNKNOWN = Verdict.NUMBER_UNKNOWN


def day(batch_id: int = 1, number: str = "000001", *, start: int = 1) -> list[Row]:
    """The example's transactions."""

    def txn(at: int, amount: int, kind: Kind = Kind.SALE, **changes: Any) -> Txn:
        return a_txn(start + at, amount, kind, batch_id=batch_id, wire_batch=number, **changes)

    return [
        txn(0, 11000),
        txn(1, 5000, state=TxnState.VOIDED),
        txn(2, 5000, Kind.VOID, original_id=start + 1),
        txn(3, 8000, state=TxnState.REVERSED),
        txn(4, 3000, foreign=True, organisation="VIS"),
    ]


def claimed(totals: Totals) -> str:
    return json.dumps(totals.to_json())


def settle(draft: Draft, profile: Profile, totals: Totals, **operation: Any) -> Outcome:
    outcome = decide_settle(draft, a_request(Kind.SETTLE, profile, totals=totals, **operation), a_terminal())
    assert outcome is not None
    return outcome


def states(draft: Draft) -> dict[str, str]:
    """number -> state, later generations last."""
    return {b.number: str(b.state) for b in draft.ws.batches(TID)}


def after_close(family: str, **changes: Any) -> list[Row]:
    """Batch 000001 closed with the example and its totals agreed, 000002 open and empty."""
    sides = {"cup": '[["domestic", "agreed"], ["foreign", "agreed"]]', "nac": "[]"}[family]
    done = a_batch(
        state=BatchState.CLOSED,
        closed_at="2026-03-02T21:00:00.000+00:00",
        business_date="2026-03-02",
        claimed=claimed(TOTALS[family]),
        answered=claimed(TOTALS[family]),
        verdict="agreed",
        sides=sides,
        digest="d",
    )
    return [replace(done, **changes), a_batch("000002", id=2), *day()]


NEW_SALE = a_txn(20, 700, batch_id=2, wire_batch="000002")


def sides(domestic: Verdict, foreign: Verdict) -> tuple[tuple[str, Verdict], ...]:
    return (("domestic", domestic), ("foreign", foreign))


@dataclass
class Row6:
    """One cell of the table: what is in the books, what T says, what H says, and how it leaves the batches."""

    profile: Profile
    books: list[Row]
    totals: Totals
    code: str
    verdict: Verdict | None
    after: dict[str, str]
    sides: tuple[tuple[str, Verdict], ...] = ()
    number: str = "000001"
    final: bool = False
    answered: Totals | None = None
    exceptions: list[tuple[str, str, int, int]] = field(default_factory=list)


FORCED = {"state": BatchState.CLOSED_WITH_EXCEPTIONS, "claimed": "", "answered": "", "verdict": "", "sides": ""}
CLOSED_NEXT = {"000001": "closed", "000002": "open"}
WITH_EXCEPTIONS = {"000001": "closed-with-exceptions", "000002": "open"}
DISPUTED = {"000001": "disputed"}
FOLLOW, STRICT, IGNORE = (replace(NAC, batch_number=how) for how in ("follow", "strict", "ignore"))
DISPUTE_NAC = a_batch(
    state=BatchState.DISPUTED,
    claimed=claimed(OTHER["nac"]),
    answered=claimed(NAC_TOTALS),
    verdict="differs",
    sides="[]",
    business_date="2026-03-01",
)
DISPUTE_CUP = replace(
    DISPUTE_NAC,
    claimed=claimed(OTHER["cup"]),
    answered=claimed(CUP_TOTALS),
    sides='[["domestic", "differs"], ["foreign", "agreed"]]',
)

TABLE: dict[str, Row6] = {
    "cup agreed": Row6(
        CUP, [a_batch(), *day()], CUP_TOTALS, "", AGREED, CLOSED_NEXT, sides(AGREED, AGREED), answered=CUP_TOTALS
    ),
    "nac agreed": Row6(NAC, [a_batch(), *day()], NAC_TOTALS, "00", AGREED, CLOSED_NEXT, answered=NAC_TOTALS),
    "cup not agreed, domestic": Row6(
        CUP, [a_batch(), *day()], OTHER["cup"], "", DIFFERS, DISPUTED, sides(DIFFERS, AGREED), answered=CUP_TOTALS
    ),
    "cup not agreed, foreign": Row6(
        CUP,
        [a_batch(), *day()],
        cup_totals((2, 16000), (1, 5000), (1, 3001)),
        "",
        DIFFERS,
        DISPUTED,
        sides(AGREED, DIFFERS),
        answered=CUP_TOTALS,
    ),
    "cup not agreed, both, by count alone": Row6(
        CUP,
        [a_batch(), *day()],
        cup_totals((3, 16000), (1, 5000), (2, 3000)),
        "",
        DIFFERS,
        DISPUTED,
        sides(DIFFERS, DIFFERS),
        answered=CUP_TOTALS,
    ),
    "nac not agreed": Row6(NAC, [a_batch(), *day()], OTHER["nac"], "95", DIFFERS, DISPUTED, answered=NAC_TOTALS),
    "cup repeated while disputed, same totals": Row6(
        CUP, [DISPUTE_CUP, *day()], OTHER["cup"], "", DIFFERS, DISPUTED, sides(DIFFERS, AGREED), answered=CUP_TOTALS
    ),
    "nac repeated while disputed, same totals": Row6(
        NAC, [DISPUTE_NAC, *day()], OTHER["nac"], "95", DIFFERS, DISPUTED, answered=NAC_TOTALS
    ),
    "cup repeated while disputed, other totals that differ": Row6(
        CUP, [DISPUTE_CUP, *day()], NOTHING["cup"], "", DIFFERS, DISPUTED, sides(DIFFERS, DIFFERS), answered=CUP_TOTALS
    ),
    "cup repeated while disputed, now right": Row6(
        CUP, [DISPUTE_CUP, *day()], CUP_TOTALS, "", AGREED, CLOSED_NEXT, sides(AGREED, AGREED), answered=CUP_TOTALS
    ),
    "nac repeated while disputed, now right": Row6(
        NAC, [DISPUTE_NAC, *day()], NAC_TOTALS, "00", AGREED, CLOSED_NEXT, answered=NAC_TOTALS
    ),
    "cup already closed, same totals": Row6(
        CUP, after_close("cup"), CUP_TOTALS, "", AGREED, CLOSED_NEXT, sides(AGREED, AGREED), answered=CUP_TOTALS
    ),
    "nac already closed, same totals": Row6(
        NAC, after_close("nac"), NAC_TOTALS, "00", AGREED, CLOSED_NEXT, answered=NAC_TOTALS
    ),
    "cup already closed after a dispute, same totals": Row6(
        CUP,
        after_close(
            "cup",
            state=BatchState.CLOSED_WITH_EXCEPTIONS,
            claimed=DISPUTE_CUP.claimed,
            sides=DISPUTE_CUP.sides,
            verdict="still-differs",
        ),
        OTHER["cup"],
        "",
        DIFFERS,
        WITH_EXCEPTIONS,
        sides(DIFFERS, AGREED),
        answered=CUP_TOTALS,
    ),
    "nac already closed after a dispute, same totals": Row6(
        NAC,
        after_close(
            "nac",
            state=BatchState.CLOSED_WITH_EXCEPTIONS,
            claimed=DISPUTE_NAC.claimed,
            verdict="still-differs",
        ),
        OTHER["nac"],
        "77",
        Verdict.STILL_DIFFERS,
        WITH_EXCEPTIONS,
        answered=NAC_TOTALS,
    ),
    "nac trailer of a batch closed after a dispute": Row6(
        NAC,
        after_close(
            "nac",
            state=BatchState.CLOSED_WITH_EXCEPTIONS,
            claimed=DISPUTE_NAC.claimed,
            verdict="still-differs",
        ),
        OTHER["nac"],
        "77",
        Verdict.STILL_DIFFERS,
        WITH_EXCEPTIONS,
        final=True,
        answered=NAC_TOTALS,
    ),
    "cup closed by H without a 0500, same totals": Row6(
        CUP,
        after_close("cup", forced="cutoff", **FORCED),
        CUP_TOTALS,
        "",
        AGREED,
        WITH_EXCEPTIONS,
        sides(AGREED, AGREED),
        answered=CUP_TOTALS,
    ),
    "nac closed by H without a 0500, same totals": Row6(
        NAC,
        after_close("nac", forced="cutoff", **FORCED),
        NAC_TOTALS,
        "00",
        AGREED,
        WITH_EXCEPTIONS,
        answered=NAC_TOTALS,
    ),
    "cup already closed, other totals": Row6(
        CUP,
        after_close("cup"),
        OTHER["cup"],
        "",
        OTHER_TOTALS,
        CLOSED_NEXT,
        sides(OTHER_TOTALS, AGREED),
        answered=CUP_TOTALS,
        exceptions=[
            ("domestic/credit", "report-after-close", 5000, 0),
            ("domestic/debit", "report-after-close", 16000, 11000),
        ],
    ),
    "cup already closed, other totals, items in the open batch": Row6(
        CUP,
        [*after_close("cup"), NEW_SALE],
        cup_totals((2, 16000), (1, 5000), (2, 3700)),
        "",
        OTHER_TOTALS,
        CLOSED_NEXT,
        sides(AGREED, OTHER_TOTALS),
        answered=CUP_TOTALS,
        exceptions=[("foreign/debit", "report-after-close", 3000, 3700)],
    ),
    "nac already closed, other totals, nothing of T's in the open batch": Row6(
        NAC,
        after_close("nac"),
        OTHER["nac"],
        "77",
        OTHER_TOTALS,
        CLOSED_NEXT,
        answered=NAC_TOTALS,
        exceptions=[("all/sales", "report-after-close", 14000, 11000)],
    ),
    "nac closed number, T's own items in the open batch": Row6(
        NAC, [*after_close("nac"), NEW_SALE], nac_totals((1, 700)), "80", Verdict.NUMBER_STALE, CLOSED_NEXT
    ),
    "nac closed number, same totals by chance, T's own items in the open batch": Row6(
        NAC, [*after_close("nac"), NEW_SALE], NAC_TOTALS, "80", Verdict.NUMBER_STALE, CLOSED_NEXT
    ),
    "cup unknown number, open batch empty: adopted, compared": Row6(
        CUP,
        after_close("cup"),
        cup_totals((1, 100)),
        "",
        DIFFERS,
        {"000001": "closed", "000009": "disputed"},
        sides(DIFFERS, AGREED),
        number="000009",
        answered=cup_totals(),
    ),
    "cup unknown number, open batch has items": Row6(
        CUP,
        [*after_close("cup"), NEW_SALE],
        cup_totals((1, 700)),
        "22",
        UNKNOWN,
        CLOSED_NEXT,
        sides(UNKNOWN, UNKNOWN),
        number="000009",
        answered=cup_totals((1, 700)),
    ),
    "nac unknown number, follow": Row6(
        FOLLOW,
        [*after_close("nac"), NEW_SALE],
        nac_totals((1, 700)),
        "00",
        AGREED,
        {"000001": "closed", "000009": "closed", "000010": "open"},
        number="000009",
        answered=nac_totals((1, 700)),
    ),
    "nac unknown number, strict": Row6(
        STRICT, [*after_close("nac"), NEW_SALE], nac_totals((1, 700)), "80", UNKNOWN, CLOSED_NEXT, number="000009"
    ),
    "nac unknown number, strict, first contact": Row6(
        STRICT,
        [a_batch(), *day()],
        NAC_TOTALS,
        "00",
        AGREED,
        {"000037": "closed", "000038": "open"},
        number="000037",
        answered=NAC_TOTALS,
    ),
    "nac closed number, ignored": Row6(
        IGNORE,
        [*after_close("nac"), NEW_SALE],
        nac_totals((1, 700)),
        "00",
        AGREED,
        {"000001": "closed", "000002": "closed", "000003": "open"},
        answered=nac_totals((1, 700)),
    ),
    "nac ignored number, reply lost: the same totals again": Row6(
        IGNORE, after_close("nac"), NAC_TOTALS, "00", AGREED, CLOSED_NEXT, answered=NAC_TOTALS
    ),
    "cup empty on both sides": Row6(
        CUP, [a_batch()], NOTHING["cup"], "", AGREED, CLOSED_NEXT, sides(AGREED, AGREED), answered=NOTHING["cup"]
    ),
    "nac empty on both sides": Row6(
        NAC, [a_batch()], NOTHING["nac"], "00", AGREED, CLOSED_NEXT, answered=NOTHING["nac"]
    ),
    "nac empty on both sides, 21": Row6(
        replace(NAC, empty_batch="21"),
        [a_batch()],
        NOTHING["nac"],
        "21",
        None,
        {"000001": "open"},
        answered=NOTHING["nac"],
    ),
    "nac a voided sale alone is no empty batch": Row6(
        replace(NAC, empty_batch="21"),
        [a_batch(), *day()[1:3]],
        NOTHING["nac"],
        "00",
        AGREED,
        CLOSED_NEXT,
        answered=NOTHING["nac"],
    ),
    "cup carried items are not compared": Row6(
        CUP,
        [a_batch(), a_txn(1, 900, carried=True, wire_batch="000000")],
        NOTHING["cup"],
        "",
        AGREED,
        CLOSED_NEXT,
        sides(AGREED, AGREED),
        answered=NOTHING["cup"],
    ),
    "cup first contact": Row6(
        CUP,
        [],
        cup_totals((1, 100)),
        "",
        DIFFERS,
        {"000005": "disputed"},
        sides(DIFFERS, AGREED),
        number="000005",
        answered=NOTHING["cup"],
    ),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_the_settlement_dialogue(row: Row6) -> None:
    draft = a_draft(row.books)
    outcome = settle(draft, row.profile, row.totals, batch=row.number, final=row.final)
    assert (outcome.code, outcome.verdict, outcome.sides) == (row.code, row.verdict, row.sides)
    assert outcome.totals == row.answered
    assert states(draft) == row.after
    found = [(e.item_key, e.reason, e.amount, e.side_amount) for e in draft.ws.all(ExceptionItem)]
    assert found == row.exceptions
    assert outcome.code != "94"
    assert draft.ws.all(Posting) == []


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_the_same_0500_again_gets_the_same_answer_and_changes_nothing(row: Row6) -> None:
    """RH5, FC 28: the 0510 was lost, T asks again with a new STAN. A batch that is open again is the only thing new."""
    draft = a_draft(row.books)
    first = settle(draft, row.profile, row.totals, batch=row.number, final=row.final)
    again = next_draft(draft)
    second = settle(again, row.profile, row.totals, batch=row.number, final=row.final, stan="000901")
    assert (second.code, second.verdict, second.sides) == (first.code, first.verdict, first.sides)
    assert second.totals == first.totals
    assert again.puts == ()
    assert states(again) == row.after


@pytest.mark.parametrize("family", ["cup", "nac"])
def test_agreed_settles_the_items(family: str) -> None:
    draft = a_draft([a_batch(), *day()])
    outcome = settle(draft, PROFILES[family], TOTALS[family])
    assert (outcome.business_date, outcome.at) == ("2026-03-02", "0302220005")
    assert {t.id for t in draft.ws.txns_of_batch(1) if t.settlement == "settled"} == {1, 3, 5}
    done = draft.ws.all(Batch)[0]
    assert (done.claimed, done.answered) == (claimed(TOTALS[family]), claimed(TOTALS[family]))


def test_an_unknown_number_asks_the_terminal_to_sign_on_again() -> None:
    row = TABLE["cup unknown number, open batch has items"]
    assert settle(a_draft(row.books), CUP, row.totals, batch=row.number).request == "3"


@pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
def test_a_close_waits_for_what_is_still_at_the_issuer(profile: Profile) -> None:
    """FC 43: the sale in flight is an item of this batch or of none; nothing is decided and nothing is written."""
    pending = a_txn(30, 100, state=TxnState.PENDING)
    draft = a_draft([a_batch(), *day(), pending, a_leg(30)])
    request = a_request(Kind.SETTLE, profile, totals=TOTALS[profile.family])
    assert decide_settle(draft, request, a_terminal()) is None
    assert draft.puts == ()
    end = a_request(Kind.UPLOAD_END, CUP, count=0)
    assert decide_upload_end(draft, end, a_terminal()) is None
    assert draft.puts == ()


def test_a_leg_that_is_being_undone_holds_nothing_up() -> None:
    draft = a_draft([a_batch(), *day(), a_txn(30, 100, state=TxnState.DECLINED), a_leg(30, "undoing")])
    assert settle(draft, NAC, NAC_TOTALS).code == "00"


def test_a_report_after_the_close_is_listed_once_however_often_it_comes() -> None:
    draft = a_draft(after_close("nac"))
    for _ in range(3):
        settle(draft, NAC, OTHER["nac"])
    assert len(draft.ws.exceptions(1)) == 1
    settle(draft, NAC, nac_totals((3, 15000)))
    assert [e.side_amount for e in draft.ws.exceptions(1)] == [11000, 15000]


def test_a_dispute_keeps_the_business_date_of_its_first_0500() -> None:
    """rules.md 7: the upload may go on past midnight, the batch belongs to the day on which it was settled."""
    first = a_draft([a_batch(), *day()])
    settle(first, NAC, OTHER["nac"])
    later = next_draft(first, day=date(2026, 3, 3))
    outcome = settle(later, NAC, NAC_TOTALS)
    assert outcome.business_date == "2026-03-02"
    assert later.ws.all(Batch)[0].business_date == "2026-03-02"


def test_a_forced_close_of_a_dispute_answers_the_trailer_with_77() -> None:
    """rules.md 7: after the grace the rest of the upload meets a closed batch."""
    draft = a_draft([DISPUTE_NAC, *day()])
    closing.forced_close(draft, DISPUTE_NAC, "cutoff")
    outcome = settle(draft, NAC, OTHER["nac"], final=True)
    assert (outcome.code, outcome.verdict) == ("77", Verdict.STILL_DIFFERS)
    assert states(draft) == WITH_EXCEPTIONS


# --- NAC: the trailer 960000 ---


def trailer(draft: Draft, profile: Profile = NAC, totals: Totals = OTHER["nac"]) -> Outcome:
    return settle(draft, profile, totals, final=True)


def upload(draft: Draft, *stans_and_amounts: tuple[int, int]) -> None:
    for stan, amount in stans_and_amounts:
        decide_upload(draft, a_request(Kind.UPLOAD, NAC, items=(uploaded(stan, amount),)), a_terminal())


def listed(draft: Draft, batch_id: int = 1) -> list[tuple[str, str, int, int]]:
    return sorted((e.item_key, e.reason, e.amount, e.side_amount) for e in draft.ws.exceptions(batch_id))


def test_still_not_agreed_closes_with_77_and_the_exception_list() -> None:
    """T lacks F of 30.00: all of T's items are here, so F is the host's alone; it is funded, and flagged."""
    draft = a_draft([DISPUTE_NAC, *day()])
    upload(draft, (1, 11000))
    outcome = trailer(draft)
    assert (outcome.code, outcome.verdict, outcome.totals) == ("77", Verdict.STILL_DIFFERS, NAC_TOTALS)
    assert states(draft) == WITH_EXCEPTIONS
    assert listed(draft) == [("000001/000005", "host-only", 3000, 0)]
    assert {t.id: t.settlement for t in draft.ws.txns_of_batch(1)}[5] == "settled"


@pytest.mark.parametrize("code", ["77", "95", "00"])
def test_the_code_for_still_not_agreed_is_the_profile_s_and_the_batch_is_closed_all_the_same(code: str) -> None:
    draft = a_draft([DISPUTE_NAC, *day()])
    upload(draft, (1, 11000))
    assert trailer(draft, replace(NAC, final_not_agreed=code)).code == code
    assert states(draft) == WITH_EXCEPTIONS


def test_upload_complete_and_agrees_now() -> None:
    """A reversal of F came in during the dispute: H's books now say what T says."""
    draft = a_draft([DISPUTE_NAC, *day()[:4], a_txn(5, 3000, state=TxnState.REVERSED)])
    upload(draft, (1, 11000))
    outcome = trailer(draft)
    assert (outcome.code, outcome.verdict, outcome.totals) == ("00", AGREED, OTHER["nac"])
    assert states(draft) == CLOSED_NEXT
    assert listed(draft) == []


def test_equal_sums_of_other_items_are_closed_with_both_on_the_list() -> None:
    """FC 34 seen at the upload: T has an item of 30.00 that H does not know, H has F of 30.00."""
    draft = a_draft([replace(DISPUTE_NAC, claimed=claimed(NAC_TOTALS)), *day()])
    upload(draft, (1, 11000), (77, 3000))
    outcome = trailer(draft, totals=NAC_TOTALS)
    assert outcome.code == "00"
    assert states(draft) == WITH_EXCEPTIONS
    assert listed(draft) == [("000001/000005", "host-only", 3000, 0), ("000001/000077", "terminal-only", 0, 3000)]


def test_an_incomplete_upload_is_told_once() -> None:
    """T says two items and one has come: 95, T uploads again; then whatever is missing is the host's alone."""
    claim = nac_totals((2, 12000))
    draft = a_draft([replace(DISPUTE_NAC, claimed=claimed(claim)), *day()])
    upload(draft, (1, 11000))
    first = trailer(draft, totals=claim)
    assert (first.code, first.verdict) == ("95", Verdict.UPLOAD_INCOMPLETE)
    assert states(draft) == DISPUTED
    assert listed(draft) == []
    upload(draft, (1, 11000))
    second = trailer(draft, totals=claim)
    assert (second.code, second.verdict) == ("77", Verdict.STILL_DIFFERS)
    assert listed(draft) == [("000001/000005", "host-only", 3000, 0)]


def test_a_second_round_that_is_whole_closes_without_a_false_host_only() -> None:
    claim = nac_totals((2, 14500))
    draft = a_draft([replace(DISPUTE_NAC, claimed=claimed(claim)), *day()])
    upload(draft, (1, 11000))
    assert trailer(draft, totals=claim).code == "95"
    upload(draft, (1, 11000), (5, 3500))
    assert trailer(draft, totals=claim).code == "77"
    assert listed(draft) == [("000001/000005", "AMT", 3000, 3500)]
    assert {t.id: t.settlement for t in draft.ws.txns_of_batch(1)}[5] == "settled"


def test_a_trailer_whose_difference_no_item_explains_lists_the_figures() -> None:
    """E1, as with CUP's end message: nothing was uploaded, and the host has nothing."""
    draft = a_draft([a_batch()])
    claim = nac_totals(sales=(1, 700))
    codes = [settle(draft, NAC, claim).code] + [settle(draft, NAC, claim, final=True).code for _ in range(4)]
    assert codes == ["95", "95", "95", "95", "77"]
    assert [(e.item_key, e.reason, e.side_amount) for e in draft.ws.all(ExceptionItem)] == [
        ("all/sales", "totals-differ", 700)
    ]


def test_a_trailer_again_without_any_item_since_is_a_lost_answer_and_gets_the_same_95() -> None:
    """Closing on it would list as host-only what T is about to send. Bound: as often as T has rounds (3)."""
    claim = nac_totals((2, 12000))
    draft = a_draft([replace(DISPUTE_NAC, claimed=claimed(claim)), *day()])
    codes = [trailer(draft, totals=claim).code for _ in range(4)]
    assert codes == ["95", "95", "95", "77"]


@pytest.mark.parametrize(
    ("claim", "code", "after"),
    [(OTHER["nac"], "95", DISPUTED), (nac_totals((3, 14500)), "00", CLOSED_NEXT)],
    ids=["as before", "with the new sale"],
)
def test_a_dispute_that_a_sale_opened_again_is_compared_anew(claim: Totals, code: str, after: dict[str, str]) -> None:
    """rules.md 4: staged items stay, and H's answer shows the sale that was booked in between."""
    draft = a_draft([DISPUTE_NAC, *day()])
    upload(draft, (1, 11000))
    batches.item_batch(draft, a_request(Kind.SALE, NAC, amount=500), a_terminal())
    draft.put(a_txn(40, 500))
    outcome = settle(draft, NAC, claim)
    assert (outcome.code, states(draft), outcome.totals) == (code, after, nac_totals((3, 14500)))
    assert len(draft.ws.staged(1)) == 1


# --- one way through, and no way round ---


def _cup_end(draft: Draft, count: int) -> None:
    decide_upload_end(draft, a_request(Kind.UPLOAD_END, CUP, count=count), a_terminal())


@pytest.mark.parametrize(
    ("family", "finish"), [("cup", lambda d: _cup_end(d, 0)), ("nac", trailer)], ids=["cup 202", "nac 960000"]
)
def test_every_dispute_ends_in_a_closed_batch(family: str, finish: Callable[[Draft], object]) -> None:
    """L2: with nothing uploaded at all the batch still closes (NAC after its rounds)."""
    draft = a_draft([a_batch(), *day()])
    settle(draft, PROFILES[family], OTHER[family])
    for _ in range(4):
        finish(draft)
    assert states(draft) == WITH_EXCEPTIONS
