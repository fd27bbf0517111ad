"""The settlement dialogue: a 0500 and what the host says to it (rules.md, section 6; RH5, RH9).

Two questions in order: which batch does the terminal mean, and do its totals agree with H's books? Totals in the answer
are always H's own; where both agree that is an echo. A 0500 is never answered 94.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from host.engine import outcomes
from host.engine.batches import Standing, adopt, closed, current, has_items, last_closed, moved, standing
from host.engine.closing import close, own_totals
from host.engine.dialogue import Facts, code_for, facts_of
from host.engine.draft import Draft
from host.engine.events import Request
from host.engine.items import TOTALS_DIFFER, differences, figures, settled_by_items, sides_of, totals_of, upload_whole
from host.rows import Batch, BatchState, ExceptionItem, Terminal
from specs.codes import Refusal
from specs.operation import Outcome, Verdict
from specs.profile import Profile
from specs.totals import Totals
from specs.values import replace

ROUNDS_MAX = 3
"""How often «upload incomplete» may be said while no item comes: the rounds of a terminal (rules.md, section 10)."""
NOTHING_TO_SETTLE = "21"
_LIVE = (BatchState.OPEN, BatchState.DISPUTED)

Sides = tuple[tuple[str, Verdict], ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """One 0500 at the desk."""

    draft: Draft
    request: Request
    terminal: Terminal
    claim: Totals

    @property
    def profile(self) -> Profile:
        return self.request.profile

    @property
    def facts(self) -> Facts:
        return facts_of(self.profile)

    @property
    def final(self) -> bool:
        return self.request.operation.final

    def own(self, batch: Batch) -> Totals:
        """The totals of H's books as they stand, counted the dialect's way."""
        return own_totals(self.draft, batch, self.profile)

    def open_has_items(self) -> bool:
        batch = self.draft.ws.open_batch(self.terminal.tid)
        return batch is not None and has_items(self.draft, batch)


def decide_settle(draft: Draft, request: Request, terminal: Terminal) -> Outcome | None:
    """Compare, and close, dispute, replay or refuse. None: something of this terminal's is still at the issuer, wait.

    Every change is committed by the caller before the outcome leaves; see `batches.close` for a crash at either side.
    """
    if draft.ws.unfinished_legs(terminal.tid):
        return None  # an item is in exactly one batch (rules.md, section 7)
    case = _Case(draft, request, terminal, request.operation.totals or Totals())
    addressed = _ADDRESSED[request.profile.family](case)
    if isinstance(addressed, Verdict):
        return _wrong_number(case, addressed)
    if addressed.state in _LIVE:
        return _compare(case, moved(draft, addressed))
    return _already_closed(case, addressed)


# --- which batch ------------------------------------------------------------------------------------------------------


def _addressed_cup(case: _Case) -> Batch | Verdict:
    number = case.request.operation.batch
    if number is None:
        return current(case.draft, case.terminal, None)
    match standing(case.draft, case.terminal, number):
        case Standing.CLOSED:
            return _closed(case, number)
        case Standing.TAKEN:
            return Verdict.NUMBER_UNKNOWN
        case _:
            return adopt(case.draft, case.terminal, number)


def _addressed_nac(case: _Case) -> Batch | Verdict:
    """The open batch tells who is right about a closed number: with items of T's in it, T's number is stale."""
    number = case.request.operation.batch
    if number is None or case.profile.batch_number == "ignore":
        return _unnumbered(case)
    match standing(case.draft, case.terminal, number):
        case Standing.LIVE:
            return adopt(case.draft, case.terminal, number)
        case Standing.CLOSED:
            stale = case.open_has_items() and not case.final
            return Verdict.NUMBER_STALE if stale else _closed(case, number)
        case _:
            first = last_closed(case.draft, case.terminal) is None
            if case.profile.batch_number == "strict" and not first:
                return Verdict.NUMBER_UNKNOWN
            return adopt(case.draft, case.terminal, number)


def _unnumbered(case: _Case) -> Batch:
    """Without a number only the totals can tell a repeated 0500 from a new one."""
    last = last_closed(case.draft, case.terminal)
    if last is not None and not case.open_has_items() and not case.claim.empty:
        claimed = totals_of(last.claimed)
        if claimed is not None and not claimed.differing(case.claim):
            return last
    return current(case.draft, case.terminal, None)


def _addressed_iso87(case: _Case) -> Batch:
    """No number on the wire: the open batch of DE 15 if that holds items of T, else the one closed last that day.

    A day that H has closed nothing on, or no DE 15, means the open batch: it is compared, and a difference shows.
    Nothing to settle is never a report about what was settled before, and one that T's own items have overtaken is
    about what was closed before them.
    """
    draft, terminal = case.draft, case.terminal
    day, batch = case.request.operation.day, draft.ws.open_batch(terminal.tid)
    closed_before = last_closed(draft, terminal)
    if batch is not None and closed_before is not None and _is_overtaken(case, batch):
        draft.note(f"sent before the items of the open batch: about batch {closed_before.number}")
        return closed_before
    if not day:
        return _unnumbered(case)
    of_day = batch is not None and batch.epoch == terminal.epoch and _month_and_day(batch.day) == day
    if batch is not None and of_day and (batch.state is BatchState.DISPUTED or not case.own(batch).empty):
        return batch
    done = [b for b in draft.ws.batches(terminal.tid) if b.state not in _LIVE and b.epoch == terminal.epoch]
    done = [b for b in done if _month_and_day(b.day or b.business_date) == day]
    if done and (not case.claim.empty or totals_of(done[-1].claimed) == case.claim):
        return done[-1]
    found = current(draft, terminal, None)
    if found.day and not of_day:
        draft.note(f"no batch of {day} here: compared with the open one, of {found.day}")
    return found


def _is_overtaken(case: _Case, batch: Batch) -> bool:
    """Whether T had sent this 0500 before an item of that batch: T sells nothing between a 0500 and the close, so the
    close that it asks for has come about since, by a later one.

    By both, the STAN (over its wrap) and T's own time (DE 7): a clock that was set back, or a firmware that counts its
    0500s apart, shows one of them only. No DE 7, nothing is told.
    """
    operation = case.request.operation
    if not operation.transmitted or not operation.stan.isdigit():
        return False
    return any(
        item.stan.isdigit()
        and 0 < (int(item.stan) - int(operation.stan)) % _STANS < _STANS // 2
        and operation.transmitted < item.transmitted
        for item in case.draft.ws.txns_of_batch(batch.id)
        if item.epoch == case.terminal.epoch and not item.carried
    )


_STANS = 999_999
"""000001 to 999999."""


def _month_and_day(day: str) -> str:
    """MMDD of YYYY-MM-DD."""
    return day[5:7] + day[8:10]


_ADDRESSED: Mapping[str, Callable[[_Case], Batch | Verdict]] = {
    "cup": _addressed_cup,
    "nac": _addressed_nac,
    "iso87": _addressed_iso87,
}


def _closed(case: _Case, number: str) -> Batch:
    found = closed(case.draft, case.terminal, number)
    assert found is not None, number
    return found


def _wrong_number(case: _Case, verdict: Verdict) -> Outcome:
    number = case.request.operation.batch
    case.draft.note(f"0500 for batch {number}: {verdict}, nothing closed")
    if case.profile.family == "nac":
        return _answer(case, verdict, None, ())
    refused = outcomes.of_refusal(case.draft.ctx, case.profile, case.request.operation, Refusal.UNKNOWN_BATCH)
    sides = tuple((side, verdict) for side in case.facts.sides)
    return replace(refused, verdict=verdict, sides=sides, totals=case.claim)


# --- an open or disputed batch ----------------------------------------------------------------------------------------


def _compare(case: _Case, batch: Batch) -> Outcome:
    draft, own = case.draft, case.own(batch)
    before = totals_of(batch.claimed)
    if batch.state is BatchState.DISPUTED and before and not case.final and not before.differing(case.claim):
        return _answer(case, Verdict.DIFFERS, batch, _stored_sides(batch), totals_of(batch.answered) or own)
    if case.profile.empty_batch == NOTHING_TO_SETTLE and case.claim.empty and not has_items(draft, batch):
        return replace(_answer(case, Verdict.AGREED, None, (), own), code=NOTHING_TO_SETTLE, verdict=None)
    sides = _sides(case, own, Verdict.DIFFERS)
    told = replace(batch, claimed=_json(case.claim), answered=_json(own), sides=json.dumps(sides))
    if not own.differing(case.claim):
        # Items staged in an earlier dispute stay on the list; the host's own are missing only from a whole upload.
        whole = case.final and upload_whole(draft, told)
        done = close(draft, told, Verdict.AGREED, _differences(case, told, whole=whole))
        return _answer(case, Verdict.AGREED, done, sides, own)
    return _trailer(case, told, own) if case.final else _dispute(case, told, own, sides, Verdict.DIFFERS)


def _dispute(case: _Case, batch: Batch, own: Totals, sides: Sides, verdict: Verdict) -> Outcome:
    """The batch waits for the upload. Its business date is that of its first 0500 (rules.md, section 7).

    A crash before the commit leaves it open and the 0500 is compared anew; after it, the same codes are said again.
    """
    disputed = case.draft.put(
        replace(
            batch,
            state=BatchState.DISPUTED,
            verdict=str(verdict),
            business_date=batch.business_date or case.draft.ctx.business_day,
            moved_at=case.draft.now,
            upload_rounds=batch.upload_rounds + (verdict is Verdict.UPLOAD_INCOMPLETE),
        )
    )
    return _answer(case, verdict, disputed, sides, own)


def _trailer(case: _Case, batch: Batch, own: Totals) -> Outcome:
    """NAC 960000 whose totals do not agree: once «upload incomplete», else closed with the exception list, or agreed
    when the upload was whole and equal item by item: then the terminal's sums were wrong, and not its items. ISO 87
    0520: closed, with one exception for each figure, since no items are on its wire.

    The same 95 is said again to a trailer that comes without any item since (the answer was lost): closing then would
    call items the host's alone that the terminal is about to send.
    """
    if not case.facts.uploads:
        listed = figures(case.draft, batch, own, case.claim, case.facts.report)
        done = close(case.draft, batch, Verdict.STILL_DIFFERS, listed)
        return _answer(case, Verdict.STILL_DIFFERS, done, (), own)
    missing = not upload_whole(case.draft, batch)
    unheard = batch.verdict == Verdict.UPLOAD_INCOMPLETE and batch.upload_rounds < ROUNDS_MAX
    if missing and (batch.upload_rounds == 0 or unheard):
        return _dispute(case, batch, own, (), Verdict.UPLOAD_INCOMPLETE)
    found = _differences(case, batch, whole=True)
    # A terminal that counts no item and claims money all the same has uploaded nothing that could be believed.
    complete = not missing and bool(case.draft.ws.staged(batch.id))
    agrees = not found and settled_by_items(batch, own, case.claim, complete=complete)
    if not agrees and not found:  # counted, but never uploaded
        found = figures(case.draft, batch, own, case.claim, TOTALS_DIFFER)
    verdict = Verdict.AGREED if agrees else Verdict.STILL_DIFFERS
    return _answer(case, verdict, close(case.draft, batch, verdict, found), (), own)


def _differences(case: _Case, batch: Batch, *, whole: bool) -> list[ExceptionItem]:
    return differences(case.draft, batch, case.facts, whole=whole and case.facts.uploads)


# --- a closed batch ---------------------------------------------------------------------------------------------------


def _already_closed(case: _Case, batch: Batch) -> Outcome:
    """RH5: the stored answer for the same totals; for others «closed, not agreed», and the report becomes exceptions.

    A batch that H closed without a 0500 is compared with its books; so is nothing else, and no ledger changes.
    """
    claimed = totals_of(batch.claimed)
    own = totals_of(batch.answered) or case.own(batch)
    if claimed is not None and not claimed.differing(case.claim):
        sides = _stored_sides(batch)
        if sides:
            differs = any(verdict is not Verdict.AGREED for _, verdict in sides)
            return _answer(case, Verdict.DIFFERS if differs else Verdict.AGREED, batch, sides, own)
        return _answer(case, Verdict(batch.verdict), batch, (), own)
    sides = _sides(case, own, Verdict.CLOSED_OTHER)
    if own.differing(case.claim):
        _report(case, batch, own)
        return _answer(case, Verdict.CLOSED_OTHER, batch, sides, own)
    if claimed is None:
        stored = replace(batch, claimed=_json(case.claim), answered=_json(own), sides=json.dumps(sides))
        batch = case.draft.put(replace(stored, verdict=str(Verdict.AGREED)))
    return _answer(case, Verdict.AGREED, batch, sides, own)


def _report(case: _Case, batch: Batch, own: Totals) -> None:
    """One exception for each figure that T reports otherwise, once however often T repeats it."""
    for exception in figures(case.draft, batch, own, case.claim, case.facts.report):
        case.draft.put(exception)


# --- the answer -------------------------------------------------------------------------------------------------------


def _sides(case: _Case, own: Totals, verdict: Verdict) -> Sides:
    """Each side of the dialect: agreed, or `verdict` where the claim differs."""
    differing = own.differing(case.claim)
    return tuple((s, verdict if s in differing else Verdict.AGREED) for s in case.facts.sides)


def _stored_sides(batch: Batch) -> Sides:
    return tuple(sides_of(batch).items())


def _json(totals: Totals) -> str:
    return json.dumps(totals.to_json())


def _answer(case: _Case, verdict: Verdict, batch: Batch | None, sides: Sides, totals: Totals | None = None) -> Outcome:
    good = outcomes.of_service(case.draft.ctx, case.request.operation)
    day = (case.facts.by_day and batch.day) or batch.business_date if batch else ""
    return replace(
        good,
        code=code_for(case.profile, verdict),
        business_date=day or good.business_date,
        currency=case.request.operation.currency,
        totals=totals,
        verdict=verdict,
        sides=sides,
    )
