"""A day in both books, written by hand for tests of the checker: each step adds the rows that a right host would have.

Nothing here is computed by the code under test. Amounts are minor units; the clock moves one second a step.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any, TypeVar

from host.checker.books import HostBooks
from host.engine.items import digest
from host.rows import (
    Adjustment,
    Batch,
    BatchState,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    Leg,
    MessageRow,
    Posting,
    Row,
    StagedItem,
    Terminal,
    Txn,
    TxnState,
)
from specs.journal import ArchivedBatch, JournalRow, TerminalBook, TerminalEvent
from specs.totals import Sum, Totals

R = TypeVar("R", bound=Row)
MID = "123456789012345"
_REQUEST, _ADVICE, _AUTHORISATION = ("0200", "0210"), ("0220", "0230"), ("0100", "0110")
MTI = {
    **dict.fromkeys(("sale", "balance", "void", "completion"), _REQUEST),
    **dict.fromkeys(("offline-sale", "refund", "tip"), _ADVICE),
    "pre-auth": _AUTHORISATION,
    "reversal": ("0400", "0410"),
}
PROCESSING = {"void": "200000", "refund": "200000"}


def blank(row_class: type[R], **values: Any) -> R:
    """A row with every field empty but those given."""
    empty: dict[str, Any] = {
        "str": "",
        "int": 0,
        "bool": False,
        "TxnState": TxnState.PENDING,
        "BatchState": BatchState.OPEN,
    }
    filled = {field.name: empty[str(field.type)] for field in fields(row_class)}
    return row_class(**(filled | values))


class Day:
    """One terminal's day. Shape: `put`, `change` and `drop` rows; `books` and `book` are what the checker gets."""

    def __init__(self, tid: str = "T0000001", dialect: str = "cup") -> None:
        self.tid = tid
        self.dialect = dialect
        self.rows: dict[tuple[type, int], Row] = {}
        self.journal: list[JournalRow] = []
        self.archived: list[ArchivedBatch] = []
        self.events: list[TerminalEvent] = []
        self.pending = ""
        self._seconds = 0
        self.new(Terminal, tid=tid, mid=MID, dialect=dialect, signed_on=True, currency="156")
        self.new(IssuerAccount, pan_hash="card-1", pan="622316******0014", status="ok", limit=-1)
        self.batch = self.open_batch("000001")

    # ---- rows

    def new(self, row_class: type[R], **values: Any) -> R:
        row_id = 1 + max((key[1] for key in self.rows if key[0] is row_class), default=0)
        return self.put(blank(row_class, id=row_id, **values))

    def put(self, row: R) -> R:
        self.rows[type(row), row.id] = row
        return row

    def change(self, row: R, **values: Any) -> R:
        """The newest form of a row with some fields changed."""
        newest = self.rows[type(row), row.id]
        return self.put(replace(newest, **values))  # type: ignore[return-value]

    def drop(self, *rows: Row) -> None:
        for row in rows:
            del self.rows[type(row), row.id]

    def all(self, row_class: type[R]) -> list[R]:
        return [row for (found, _), row in sorted(self.rows.items(), key=lambda kv: kv[0][1]) if found is row_class]  # type: ignore[misc]

    def newest(self, row: R) -> R:
        return self.rows[type(row), row.id]  # type: ignore[return-value]

    def now(self) -> str:
        self._seconds += 1
        return f"2026-03-02T09:{self._seconds // 60:02d}:{self._seconds % 60:02d}.000+08:00"

    @property
    def books(self) -> HostBooks:
        return HostBooks.of(self.rows.values())

    @property
    def book(self) -> TerminalBook:
        return TerminalBook(
            tid=self.tid,
            rows=tuple(self.journal),
            archived=tuple(self.archived),
            events=tuple(self.events),
            pending_reversal=self.pending,
            batch=self.newest(self.batch).number,
        )

    @property
    def terminals(self) -> dict[str, TerminalBook]:
        return {self.tid: self.book}

    # ---- steps of the host and of the terminal

    def open_batch(self, number: str) -> Batch:
        at = self.now()
        return self.new(
            Batch, tid=self.tid, number=number, generation=1, state=BatchState.OPEN, opened_at=at, running="{}"
        )

    def sale(self, stan: str, amount: int, *, foreign: bool = False, fate: str = "sent", notes: str = "") -> Txn:
        """An approved sale; with another fate than sent the terminal owes its reversal."""
        at = self.now()
        txn = self.new(
            Txn,
            **self._named(stan, "sale", at),
            amount=amount,
            approved_amount=amount,
            foreign=foreign,
            state=TxnState.CAPTURED,
            settlement="open",
        )
        txn = self.change(txn, rrn=f"60610000{txn.id:04d}")
        self.leg(txn, "debit", amount)
        self.post(txn, "capture", amount, -amount)
        self._run("sale", amount)
        self.message(txn, "sale", "00", amount, fate=fate, notes=notes)
        self._owed(stan)
        if fate == "sent":
            self._paper(txn, foreign=foreign)
        else:
            self.pending = stan
            self.events.append(self._event("shown", stan, detail="unknown"))
        return txn

    def void(self, stan: str, sale: Txn) -> Txn:
        """An approved void; the sale stays in its batch as voided."""
        at = self.now()
        amount = sale.approved_amount
        txn = self.new(
            Txn,
            **self._named(stan, "void", at),
            amount=amount,
            approved_amount=amount,
            foreign=sale.foreign,
            state=TxnState.CAPTURED,
            settlement="open",
            original_id=sale.id,
            voids_kind="sale",
        )
        txn = self.change(txn, rrn=f"60610000{txn.id:04d}")
        self.change(sale, state=TxnState.VOIDED, undone_by=f"void:{txn.id}", settlement="none")
        self.leg(txn, "credit", amount)
        self.post(txn, "void", -amount, amount)
        self._run("void", amount)
        self.message(txn, "void", "00", amount)
        self._owed(stan)
        self._paper(txn, foreign=sale.foreign, of="sale")
        self.journal = [replace(r, state="voided") if r.stan == sale.stan else r for r in self.journal]
        return txn

    def preauth(self, stan: str, amount: int) -> Txn:
        """An approved pre-authorisation: held, in no total, no item of its batch."""
        named = self._named(stan, "pre-auth", self.now())
        held = {"amount": amount, "approved_amount": amount, "held": amount}
        txn = self.new(Txn, **named, **held, state=TxnState.AUTHORISED, settlement="none")
        txn = self.change(txn, rrn=f"60610000{txn.id:04d}")
        self.leg(txn, "hold", amount)
        self.message(txn, "pre-auth", "00", amount)
        self._owed(stan)
        self._paper(txn, foreign=False)
        return txn

    def complete(self, stan: str, preauth: Txn, amount: int) -> Txn:
        """Its completion: the debit, and the end of all that was held."""
        preauth = self.newest(preauth)
        txn = self._item(stan, "completion", amount, original_id=preauth.id)
        self.leg(txn, "debit", amount, released=preauth.held)
        self.change(preauth, state=TxnState.CAPTURED, held=0, replaced_by=txn.id)
        self.post(txn, "capture", amount, -amount)
        return txn

    def offline(self, stan: str, amount: int) -> Txn:
        """An offline sale whose advice was delivered."""
        txn = self._item(stan, "offline-sale", amount, advice=True)
        self.leg(txn, "debit", amount)
        self.post(txn, "capture", amount, -amount)
        return txn

    def refund(self, stan: str, sale: Txn, amount: int) -> Txn:
        """Money back of a sale."""
        txn = self._item(stan, "refund", amount, original_id=sale.id, advice=True)
        self.leg(txn, "credit", amount)
        self.post(txn, "refund", -amount, amount)
        return txn

    def tip(self, stan: str, sale: Txn, total: int) -> Txn:
        """A tip: the sale's new total in its place; the difference is debited and posted."""
        more = total - sale.approved_amount
        txn = self._item(stan, "tip", total, original_id=sale.id, advice=True, tip=more)
        self.leg(txn, "debit", more)
        self.post(txn, "adjust", more, -more)
        self.change(sale, replaced_by=txn.id)
        self._run(str(sale.kind), -sale.approved_amount, count=-1)
        self.journal = [replace(r, adjusted=True) if r.stan == sale.stan else r for r in self.journal]
        return txn

    def held_sale(self, stan: str, amount: int) -> Txn:
        """Profile TC: approved and held; nothing is posted before the settlement."""
        txn = self._item(stan, "sale", amount, state=TxnState.AUTHORISED, held=amount)
        self.leg(txn, "hold", amount)
        return txn

    def captured(self, sale: Txn, *, at: str) -> None:
        """Profile TC: the close captures it."""
        amount = sale.approved_amount
        self.change(sale, state=TxnState.CAPTURED, held=0, settlement="settled")
        self.leg(sale, "debit", amount, released=amount)
        for posting in self.post(sale, "capture", amount, -amount):
            self.change(posting, at=at)

    def _item(self, stan: str, kind: str, amount: int, **values: Any) -> Txn:
        """An approved item at both ends, without what it does to money."""
        filled = {"amount": amount, "approved_amount": amount, "state": TxnState.CAPTURED, "settlement": "open"}
        txn = self.new(Txn, **(self._named(stan, kind, self.now()) | filled | values))
        txn = self.change(txn, rrn=f"60610000{txn.id:04d}")
        self._run(kind, amount)
        self.message(txn, kind, "00", amount)
        if not txn.advice:
            self._owed(stan)
        self._paper(txn, foreign=False)
        return txn

    def declined(self, stan: str, amount: int, code: str = "51") -> Txn:
        at = self.now()
        named = self._named(stan, "sale", at) | {"response_code": code, "auth_code": ""}
        txn = self.new(Txn, **named, amount=amount, state=TxnState.DECLINED, settlement="none")
        txn = self.change(txn, rrn=f"60610000{txn.id:04d}")
        leg = self.leg(txn, "debit", 0)
        self.change(leg, code="funds")
        self.message(txn, "sale", code, amount)
        self._owed(stan)
        self.events += [self._event("rev-cleared", stan, code), self._event("shown", stan, code, "declined")]
        return txn

    def reverse(self, txn: Txn, *, adjust: int = 0, late_in: Batch | None = None) -> Txn:
        """The owed reversal arrives and is acked 00. late_in: the open batch that takes the adjustment (RH4)."""
        amount = txn.approved_amount
        txn = self.change(txn, state=TxnState.REVERSED, undone_by="reversal")
        for leg in self.all(IssuerLeg):
            if leg.txn_id == txn.id:
                self.change(leg, undone=True)
        self._debit(-amount)
        if late_in is None:
            txn = self.change(txn, settlement="none")
            self.post(txn, "undo", -amount, amount)
            self._run("sale", -amount, count=-1)
        else:
            self.new(
                Adjustment,
                txn_id=txn.id,
                batch_id=late_in.id,
                amount=adjust or -amount,
                reason="reversal",
                at=self.now(),
            )
            self.post(txn, "adjustment", -amount, amount, batch_id=late_in.id)
        self.message(txn, "reversal", "00", amount)
        if self.dialect == "iso87" and late_in is None:
            # The 00 says that the host had it: it stands in the forward and in the reversal figures.
            number = self.newest(self.batch).number
            self.journal.append(JournalRow(self.tid, number, txn.stan, "sale", amount, state="reversed", rrn=txn.rrn))
        self.events.append(self._event("rev-cleared", txn.stan, "00"))
        self.pending = ""
        return txn

    def tombstone(self, stan: str, amount: int) -> Txn:
        """A reversal for a sale that never arrived: 25."""
        at = self.now()
        txn = self.new(
            Txn, **self._named(stan, "reversal", at), amount=amount, state=TxnState.TOMBSTONE, settlement="none"
        )
        txn = self.change(txn, rrn=f"60610000{txn.id:04d}", response_code="25", auth_code="", processing_code="000000")
        self._owed(stan)
        self.message(txn, "reversal", "25", amount)
        self.events.append(self._event("rev-cleared", stan, "25"))
        return txn

    def close(
        self,
        totals: Totals,
        *,
        result: str = "agreed",
        number: str = "",
        exceptions: tuple[tuple[int, str], ...] = (),
        told: Totals | None = None,
    ) -> Batch:
        """Close the open batch at both ends and open the next.

        totals: what the terminal claimed, told: what the host said to it, None = the same; both by hand.
        """
        batch = self.newest(self.batch)
        self.events.append(self._event("frozen", ""))
        at = self.now()
        txns = [txn for txn in self.all(Txn) if txn.batch_id == batch.id]
        for txn_id, reason in exceptions:
            self.new(ExceptionItem, batch_id=batch.id, tid=self.tid, txn_id=txn_id, reason=reason, at=at)
        for txn in txns:
            if txn.state is TxnState.CAPTURED and txn.kind != "pre-auth":
                self.change(txn, settlement="settled")
        state = BatchState.CLOSED_WITH_EXCEPTIONS if exceptions else BatchState.CLOSED
        claimed = json.dumps(totals.to_json())
        answered = json.dumps((told or totals).to_json())
        closed = self.change(batch, state=state, closed_at=at, digest=digest(txns), claimed=claimed, answered=answered)
        self.events.append(self._event("archived", "", "00", result))
        self.archived.append(ArchivedBatch(self.tid, batch.number, result, totals, at, "00"))
        self.journal = [replace(r, settlement="settled") if r.settlement == "open" else r for r in self.journal]
        self.batch = self.open_batch(number or f"{int(batch.number) + 1:06d}")
        return closed

    def stage(self, key: str, amount: int, known: str, txn: Txn | None = None) -> StagedItem:
        return self.new(
            StagedItem,
            batch_id=self.batch.id,
            item_key=key,
            txn_id=txn.id if txn else 0,
            kind="sale",
            amount=amount,
            known=known,
            at=self.now(),
        )

    # ---- single rows

    def leg(self, txn: Txn, purpose: str, amount: int, *, released: int = 0) -> IssuerLeg:
        """A leg that is done, at both ends of the link; the card's balance and holds move with it."""
        number = 1 + sum(leg.txn_id == txn.id for leg in self.all(Leg))
        self.new(Leg, txn_id=txn.id, number=number, purpose=purpose, amount=amount, pan_hash="card-1", state="done")
        self._debit({"credit": -amount, "hold": 0}.get(purpose, amount))
        self._hold((amount if purpose == "hold" else 0) - released)
        return self.new(
            IssuerLeg,
            txn_id=txn.id,
            number=number,
            purpose=purpose,
            amount=amount,
            approved_amount=amount,
            pan_hash="card-1",
            at=self.now(),
            released=released,
        )

    def post(self, txn: Txn, reason: str, acquirer: int, issuer: int, *, batch_id: int = 0) -> list[Posting]:
        """One entry in each book. acquirer, issuer: what their issuer-clearing accounts get."""
        where = batch_id or txn.batch_id
        found = []
        books = (("acquirer", f"merchant-payable:{MID}", acquirer, where), ("issuer", "cardholder:card-1", issuer, 0))
        at = self.now()
        for book, counterpart, amount, batch in books:
            entry = 1 + max((p.entry_id for p in self.all(Posting)), default=0)
            for account, value in (("issuer-clearing", amount), (counterpart, -amount)):
                found.append(
                    self.new(
                        Posting,
                        entry_id=entry,
                        book=book,
                        account=account,
                        amount=value,
                        currency="156",
                        txn_id=txn.id,
                        batch_id=batch,
                        reason=reason,
                        at=at,
                    )
                )
        return found

    def postings(self, txn: Txn, reason: str, book: str = "") -> list[Posting]:
        return [p for p in self.all(Posting) if (p.txn_id, p.reason) == (txn.id, reason) and book in ("", p.book)]

    def message(
        self, txn: Txn, kind: str, code: str, amount: int, *, fate: str = "sent", notes: str = "", digest: str = ""
    ) -> tuple[MessageRow, MessageRow]:
        """A request and its answer in the message log. notes: of the answer, JSON."""
        asked, answered = MTI[kind]
        content = json.dumps({"3": "000000", "4": f"{amount:012d}", "11": txn.stan})
        common: dict[str, Any] = {
            "at": self.now(),
            "dialect": self.dialect,
            "peer": "192.0.2.1:1024",
            "tid": self.tid,
            "kind": kind,
            "stan": txn.stan,
            "txn_id": txn.id,
            "fields": content,
        }
        request = self.new(
            MessageRow, **common, direction="in", mti=asked, notes="[]", digest=digest or f"{kind}-{txn.id}"
        )
        auth = txn.auth_code if code == "00" and kind != "reversal" else ""
        answer = self.new(
            MessageRow,
            **common,
            direction="out",
            mti=answered,
            code=code,
            rrn=txn.rrn,
            auth_code=auth,
            reply_to=request.id,
            notes=notes or "[]",
            fate=fate,
            digest=f"answer-{request.id}",
        )
        return request, answer

    # ---- parts

    def _named(self, stan: str, kind: str, at: str) -> dict[str, Any]:
        return {
            "tid": self.tid,
            "mid": MID,
            "dialect": self.dialect,
            "kind": kind,
            "batch_id": self.batch.id,
            "wire_batch": self.newest(self.batch).number if self.dialect == "cup" else "",
            "stan": stan,
            "auth_code": f"9{stan[1:]}",
            "response_code": "00",
            "currency": "156",
            "pan": "622316******0014",
            "pan_hash": "card-1",
            "processing_code": PROCESSING.get(kind, "000000"),
            "content": "{}",
            "created_at": at,
        }

    def _run(self, kind: str, amount: int, *, count: int = 1) -> None:
        batch = self.newest(self.batch)
        running = json.loads(batch.running)
        old = running.pop(kind, [0, 0])
        new = [old[0] + count, old[1] + amount]
        if new != [0, 0]:
            running[kind] = new
        self.change(batch, running=json.dumps(running, sort_keys=True))

    def _debit(self, amount: int) -> None:
        account = self.all(IssuerAccount)[0]
        self.change(account, debited=account.debited + amount)

    def _hold(self, amount: int) -> None:
        account = self.all(IssuerAccount)[0]
        self.change(account, held=account.held + amount)

    def _owed(self, stan: str) -> None:
        self.events.append(self._event("rev-stored", stan))

    def _paper(self, txn: Txn, *, foreign: bool, of: str = "") -> None:
        number = self.newest(self.batch).number
        row = JournalRow(self.tid, number, txn.stan, str(txn.kind), txn.approved_amount, foreign=foreign, of=of)
        row = replace(row, rrn=txn.rrn, auth_code=txn.auth_code, response_code="00", advice=txn.advice)
        self.journal.append(row)
        if not txn.advice:
            self.events.append(self._event("rev-cleared", txn.stan, "00"))
        self.events.append(self._event("slip", txn.stan, "00", "approved"))

    def _event(self, event: str, stan: str, code: str = "", detail: str = "") -> TerminalEvent:
        return TerminalEvent(self.tid, event, self.newest(self.batch).number, stan, code, detail)


def cup_totals(
    debit: tuple[int, int] = (0, 0), credit: tuple[int, int] = (0, 0), foreign: tuple[int, int] = (0, 0)
) -> Totals:
    """DE 48 as (count, amount): domestic debit, domestic credit, foreign debit."""
    return Totals(
        (
            Sum("domestic", "debit", *debit),
            Sum("domestic", "credit", *credit),
            Sum("foreign", "debit", *foreign),
            Sum("foreign", "credit"),
        )
    )


def nac_totals(sales: tuple[int, int] = (0, 0), refunds: tuple[int, int] = (0, 0)) -> Totals:
    """DE 63 as (count, amount)."""
    return Totals((Sum("all", "sales", *sales), Sum("all", "refunds", *refunds)))


def iso87_totals(
    debits: tuple[int, int] = (0, 0), debits_back: tuple[int, int] = (0, 0), credits: tuple[int, int] = (0, 0)
) -> Totals:
    """DE 76/88, 77/89, 74/86 as (count, amount); nothing of DE 75/87."""
    return Totals(
        (
            Sum("all", "credits", *credits),
            Sum("all", "credit-reversals"),
            Sum("all", "debits", *debits),
            Sum("all", "debit-reversals", *debits_back),
        )
    )


DROPPED = json.dumps([{"de": 0, "message": "fault 1: drop-reply (drop at wire/H>T), after the commit"}])


def healthy() -> Day:
    """A right day of a CUP terminal with everything the invariants speak of.

    Batch 1 (closed, agreed): 000001 100.00; 000002 50.00, voided by 000003; 000004 80.00, answer dropped, reversed;
    000005 declined 51; 000006 30.00 foreign. By rules.md 5: domestic debit 2 / 150.00, credit 1 / 50.00, foreign
    debit 1 / 30.00; net 130.00.
    Batch 2 (closed with exceptions): 000007 20.00, uploaded and known; 000008 40.00, its answer dropped, host-only;
    000009 of 15.00 staged, unknown to the host.
    Batch 3 (open): the late reversal of 000008 as an adjustment; a tombstone for 000010; 000011 5.00.
    """
    day = Day()
    day.sale("000001", 100_00)
    voided = day.sale("000002", 50_00)
    day.void("000003", voided)
    day.reverse(day.sale("000004", 80_00, fate="dropped", notes=DROPPED))
    day.declined("000005", 999_00)
    day.sale("000006", 30_00, foreign=True)
    day.close(cup_totals(debit=(2, 150_00), credit=(1, 50_00), foreign=(1, 30_00)))

    known = day.sale("000007", 20_00)
    lost = day.sale("000008", 40_00, fate="dropped", notes=DROPPED)
    day.stage("000002/000007", 20_00, "known", known)
    day.stage("000002/000009", 15_00, "unknown")
    closed = day.close(
        cup_totals(debit=(1, 20_00)),
        result="not-agreed",
        exceptions=((lost.id, "host-only"),),
        told=cup_totals(debit=(2, 60_00)),
    )
    day.new(
        ExceptionItem,
        batch_id=closed.id,
        tid=day.tid,
        item_key="000002/000009",
        reason="terminal-only",
        side_amount=15_00,
        at=day.now(),
    )
    day.reverse(lost, late_in=day.batch)
    day.tombstone("000010", 60_00)
    day.sale("000011", 5_00)
    return day


ALL_KINDS = {
    "cup": cup_totals(debit=(4, 430_00), credit=(2, 70_00)),
    "nac": nac_totals((3, 380_00), (1, 20_00)),
    "iso87": iso87_totals((5, 510_00), (2, 130_00), (1, 20_00)),
}
"""The totals of the closed batch below, by rules.md 5; net 360.00 in each: 430 - 70, 380 - 20, 510 - 130 - 20."""


def all_kinds(dialect: str = "cup") -> Day:
    """A right day with every sort of original.

    Batch 1 (closed, agreed): 000001 100.00 with a tip (000002) to 110.00; 000003 50.00, voided by 000004; 000005
    reserves 200.00, completed by 000006 with 230.00; 000007 offline 40.00; 000008 refund of 20.00 of 000001; 000009
    reserves 60.00 and lives; 000010 80.00, its answer dropped, reversed.
    Batch 2 (open): 000011 5.00; 000012 7.00; 000013 refund of 1.00 of 000011.
    """
    day = Day(dialect=dialect)
    sale = day.sale("000001", 100_00)
    day.tip("000002", sale, 110_00)
    day.void("000004", day.sale("000003", 50_00))
    day.complete("000006", day.preauth("000005", 200_00), 230_00)
    day.offline("000007", 40_00)
    day.refund("000008", sale, 20_00)
    day.preauth("000009", 60_00)
    day.reverse(day.sale("000010", 80_00, fate="dropped", notes=DROPPED))
    day.close(ALL_KINDS[dialect])
    last = day.sale("000011", 5_00)
    day.sale("000012", 7_00)
    day.refund("000013", last, 1_00)
    return day
