"""Every operation in every dialect, terminal against host over TCP, each cell ending with equal books.

The table stands in tests/support/matrix.py; each cell has a terminal and a merchant of its own, so that no cell sees
another's sales. `pytest -k "tip and nac"` runs one of them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from specs.kinds import FINANCIAL
from specs.masking import mask_pan
from specs.money import format_amount
from terminal_sim.lab.api import Api
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.moves import End, Result, Settle
from tests.e2e.conftest import HostCommand, MakeTill
from tests.support.matrix import CELLS, DIALECTS, NO_CELL, Cell, Named, Step, configuration
from tests.support.raw_day import PAN, RawTill
from tests.support.tcp_till import ANSWER_S, LOST_S, TcpTill

pytestmark = pytest.mark.e2e

AGAIN_S = 1.0
"""Of an advice whose first answer is lost: the second send has the same time for an answer that does come."""
SCRIPT = "841E000000"
"""APPLICATION BLOCK, EMV book 3, 6.5.1."""
SETTLEMENT = {"cup": "0500/201 0320/207", "nac": "0500/920000", "iso87": "0500"}
SAID_AS = {"nac": {"completion-void": "void"}, "iso87": {"completion-void": "void"}}
"""Their one void message serves both (nac.md, section 4)."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    folder = tmp_path_factory.mktemp("matrix")
    config = folder / "closeout.toml"
    config.write_text(configuration(), "utf-8")
    options = ("--config", str(config), "--log-level", "warning")
    with HostProcess(folder, dialects=DIALECTS, options=options) as running:
        yield running


@pytest.fixture(scope="module")
def known_findings() -> set[str]:
    """What /findings said at the end of the cell before."""
    return set()


def _cells(cells: Iterator[tuple[Cell, str]]) -> list[Any]:
    return [pytest.param(cell, dialect, id=f"{cell.operation}-{dialect}") for cell, dialect in cells]


def _offered() -> Iterator[tuple[Cell, str]]:
    for cell in CELLS:
        for dialect in DIALECTS:
            if dialect not in cell.no and (cell.operation, dialect) not in NO_CELL:
                yield cell, dialect


def _refused() -> Iterator[tuple[Cell, str]]:
    for cell in CELLS:
        for dialect in cell.no:
            yield cell, dialect


class Played:
    """One cell at work: a terminal of its own, what it has sent, what it remembers."""

    def __init__(self, cell: Cell, dialect: str, host: HostProcess) -> None:
        number = zlib.crc32(cell.operation.encode()) % 10**7
        self.cell, self.dialect, self.api = cell, dialect, host.api
        self.till = TcpTill(host.url(dialect), f"{dialect[0].upper()}{number:07d}", f"{number:015d}", test_mode=False)
        self.till.sign_on()
        self.after = _newest(self.api, self.till.tid)
        self.stans: dict[str, str] = {}
        self.settled: Result | None = None

    def press(self, step: Step) -> Result:
        order = step.order(Named(self.dialect, self.stans))
        if step.lost:
            kind = SAID_AS.get(self.dialect, {}).get(step.lost, step.lost)
            self.api.fault("drop-reply", {"tid": self.till.tid, "kind": kind})
        if step.script:
            self.api.ask("POST", "/issuer/scripts", {"card": "credit1", "commands": [SCRIPT]})
        waits = ANSWER_S if not step.lost else AGAIN_S if step.end is End.OK else LOST_S
        result = self.till.press(order, waits_s=waits)
        if step.name:
            self.stans[step.name] = result.stan
        if isinstance(order, Settle):
            self.settled = result
        return result

    def requests(self) -> list[str]:
        """The requests since the sign-on of the cell, as the table writes them."""
        seen = self.api.items("/messages", after=self.after, tid=self.till.tid)
        return [_message(m, self.dialect) for m in seen if m["direction"] == "in"]


def _newest(api: Api, tid: str) -> str:
    seen = api.get("/messages", tid=tid, limit=1, order="newest")["items"]
    return seen[0]["id"] if seen else ""


def _message(message: dict[str, Any], dialect: str) -> str:
    fields = message["fields"]
    parts = [message["mti"], *([fields["3"]] if "3" in fields else [])]
    if dialect == "cup":
        de60 = fields["60"]
        parts.append(de60[8:11] if de60[:2] == "00" else de60[:2])
    elif dialect == "iso87":
        parts += [fields["70"]] if "70" in fields else ["90"] if "90" in fields else []
    condition = fields.get("25", "00")
    return "/".join(parts) + (f"+{condition}" if condition != "00" else "")


def _matches(step: Step, result: Result) -> None:
    assert result.end is step.end, result
    if step.code is not None:
        assert result.code == step.code, result
    if step.amount is not None:
        assert result.approved_amount == step.amount, result
    assert step.says in result.text


# ---- cells that the dialect has


@pytest.mark.parametrize(("cell", "dialect"), _cells(_offered()))
def test_cell(cell: Cell, dialect: str, host: HostProcess, known_findings: set[str]) -> None:
    played = Played(cell, dialect, host)
    with played.till as till:
        for step in cell.steps:
            result = played.press(step)
            _matches(step, result)
            _slip(played, step, result)
        sent = played.requests()
        if played.settled is None:
            _matches(Step(lambda named: Settle(), end=End.AGREED), played.press(Step(lambda named: Settle())))
        assert played.settled is not None
        till.hand_over(host.api)
    assert sent == _folded(cell.wire[dialect].split(), sent)
    _closed(played)
    _books(played)
    found = {f"{f['invariant']} {f['subject']}: {f['text']}" for f in host.api.whole("/findings")}
    new = found - known_findings
    known_findings |= found
    assert new == set()


def _folded(expected: list[str], sent: list[str]) -> list[str]:
    """The expected messages; one written with a star stands for as many of it as came in a row, at least one."""
    runs = {name: len(list(group)) for name, group in groupby(sent)}
    return [w for word in expected for w in ([word[:-1]] * runs.get(word[:-1], 1) if word[-1] == "*" else [word])]


def _slip(played: Played, step: Step, result: Result) -> None:
    """Who gets a paper, and that it shows the amount and no whole card number."""
    if step.amount is None:
        return
    assert result.slip is not None
    text = "\n".join(result.slip.copies)
    row = played.till.memory.row(stan=result.stan)
    assert row is not None
    assert format_amount(step.amount, "156") in text
    assert result.stan in text
    assert mask_pan(row.pan) in text or row.kind.startswith("pre-auth")  # flows.md 10: there it may stand in full
    assert row.pan not in text or row.kind.startswith("pre-auth")


def _closed(played: Played) -> None:
    """One batch, closed and agreed at both ends, with the figures of the table."""
    cell, dialect, api, till = played.cell, played.dialect, played.api, played.till
    expected = set(cell.totals[dialect])
    memory = till.memory
    (archived,) = memory.archive
    assert (archived.result, memory.rows, memory.pending, memory.settlement) == ("agreed", (), None, None)
    assert {(s.side, s.group, s.count, s.amount) for s in archived.totals.sums if s.count or s.amount} == expected
    assert played.settled is not None
    assert played.settled.slip is not None
    assert "NOT AGREED" not in "".join(played.settled.slip.copies)
    batches = api.items("/batches", tid=till.tid)
    closed = [b for b in batches if b["state"] != "open"]
    assert [(b["state"], b["number"]) for b in closed] == [("closed", "000001")]
    for side in ("terminal", "host"):
        sums = closed[0]["totals"][side]
        assert {(s["side"], s["group"], s["count"], s["amount"]) for s in sums if s["count"] or s["amount"]} == expected
    assert api.get(f"/batches/{closed[0]['id']}")["exceptions"] == []
    assert [m for m in played.requests() if m.startswith(("0500", "0320"))] == _settlement(cell, dialect)


def _settlement(cell: Cell, dialect: str) -> list[str]:
    """Chip records go up whatever the totals say: in CUP behind the 0500, in NAC before it (nac.md, section 6)."""
    words = SETTLEMENT[dialect].split()
    chips = {"cup": ["0320/203"], "nac": ["0320/940000"], "iso87": []}[dialect] * cell.chip_items
    return [*chips, *words] if dialect == "nac" else [words[0], *chips, *words[1:]]


def _books(played: Played) -> None:
    """What the host holds is what the table says, and item by item what the terminal holds."""
    shown = played.api.items("/transactions", tid=played.till.tid)
    amount = {t["id"]: t["approved_amount"] if t["state"] in ("captured", "voided") else t["amount"] for t in shown}
    found = [f"{t['kind']} {t['state']} {t['settlement']} {amount[t['id']]}" for t in shown]
    assert found == played.cell.books_of(played.dialect)
    said_as = SAID_AS.get(played.dialect, {})
    rows = [r for r in played.till.book().rows if r.kind in FINANCIAL and r.state != "reversed"]
    mine = {(r.stan, said_as.get(r.kind, r.kind)): (r.state, r.amount) for r in rows}
    word = {"captured": "journaled", "voided": "voided"}
    standing = [t for t in shown if t["kind"] in FINANCIAL and t["state"] in word]
    assert mine == {(t["stan"], t["kind"]): (word[t["state"]], t["approved_amount"]) for t in standing}
    if played.cell.entry:
        assert played.api.get(f"/transactions/{shown[0]['id']}")["entry"] == played.cell.entry


# ---- cells for which the dialect has no message


@pytest.mark.parametrize(("cell", "dialect"), _cells(_refused()))
def test_a_cell_without_a_message_is_refused_at_the_terminal(cell: Cell, dialect: str, host: HostProcess) -> None:
    says, why = cell.no[dialect]
    assert why
    played = Played(cell, dialect, host)
    with played.till as till:
        for step in cell.steps[: cell.refused_at]:
            _matches(step, played.press(step))
        sent, rows = played.requests(), till.memory.rows
        assert sent == cell.wire[dialect].split()
        refused = played.press(cell.steps[cell.refused_at])
        assert refused.end is End.REFUSED_LOCALLY
        assert says in refused.text
        assert refused.slip is None
        assert played.requests() == sent, "nothing was sent"
        assert (till.memory.rows, till.memory.pending) == (rows, None)
        if played.settled is None:
            assert played.press(Step(lambda named: Settle())).end is End.AGREED
        till.hand_over(host.api)
    _closed(played)
    _books(played)


def test_every_pair_is_in_the_table() -> None:
    """Each operation has a cell in each dialect: one that is played, one that is refused, or one with a reason."""
    missing = [
        (cell.operation, dialect)
        for cell in CELLS
        for dialect in DIALECTS
        if dialect not in cell.wire and dialect not in cell.no and not NO_CELL.get((cell.operation, dialect))
    ]
    assert missing == []
    assert len({cell.operation for cell in CELLS}) == len(CELLS)
    assert all(words and why for cell in CELLS for words, why in cell.no.values())


# ---- a terminal that makes its own DE 37


def test_an_iso87_terminal_s_own_number_is_the_transaction_s(host: HostProcess) -> None:
    """rules.md, section 1: DE 37 of a request comes back, so it is what the slip shows; a refund at another terminal of
    the same merchant names the sale by it, and not the card's newest one. Zeros are no number."""
    number, mid = "900000000123", "OWNNUMBERS00001"
    with RawTill(host.url("iso87"), "OWNRRN01", mid) as seller:
        sold = seller.sale(5000, de37=number)
        assert (sold[39], sold[37]) == ("00", number)
        assert seller.sale(3000, de37="0" * 12)[39] == "00"
    with RawTill(host.url("iso87"), "OWNRRN02", mid) as other:
        fields = {2: PAN, 3: "200000", 4: f"{2000:012d}", 14: "3012", 18: "5999", 22: "012", 25: "00", 49: "156"}
        assert other.ask("0200", fields | {37: number})[39] == "00"
    (sale,) = [t for t in host.api.items("/transactions", rrn=number) if t["kind"] == "sale"]
    assert (sale["tid"], sale["amount"]) == ("OWNRRN01", 5000)
    (refund,) = host.api.items("/transactions", tid="OWNRRN02")
    assert host.api.get(f"/transactions/{refund['id']}")["original"] == sale["id"]
    assert host.api.items("/transactions", rrn="0" * 12) == []


# ---- a few of them with the terminal as a process of its own


BY_HAND = {
    "cup": "0200/000000/22 0200/000000/22 0220/000000/34 0100/030000/10+06 0200/000000/20+06 0220/200000/25",
    "nac": "0200/000000 0200/000000 0220/020000 0100/300000+06 0200/000000+06 0200/200000",
    "iso87": "0200/000000 0200/000000 0220/000000/90 0100/000000 0200/000000/90+06 0200/200000/90",
}
BY_HAND_TOTALS = {
    "cup": {("domestic", "debit", 3, 28300), ("domestic", "credit", 1, 2000)},
    "nac": {("all", "sales", 3, 28300), ("all", "refunds", 1, 2000)},
    "iso87": {("all", "debits", 3, 28300), ("all", "credits", 1, 2000)},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_by_hand(dialect: str, host: HostProcess, make_till: MakeTill, acquirer_host: HostCommand) -> None:
    """Chip sale 123.00; sale 50.00 with tip 10.00, of it 20.00 refunded; pre-auth 100.00 completed: 283.00 of sales."""
    till = make_till(host, dialect, f"HAND{dialect:0>4}"[:8])
    if dialect == "cup":
        assert till.run("signon").code == 0
    after = _newest(host.api, till.tid)
    assert till.run("sale", 12300, "--card", "credit1", "--entry", "chip").code == 0
    named = till.sale(5000).json["stan"]
    assert till.run("tip", 1000, "--stan", named).code == 0
    auth = till.run("preauth", 10000, "--card", "credit1", "--json").json["stan"]
    assert till.run("complete", "--stan", auth, "--json").json["approved_amount"] == 10000
    assert till.run("refund", 2000, "--stan", named).code == 0
    seen = host.api.items("/messages", after=after, tid=till.tid)
    assert [_message(m, dialect) for m in seen if m["direction"] == "in"] == BY_HAND[dialect].split()
    settled = till.settle()
    assert settled.code == 0, settled
    host.api.ask("POST", f"/terminals/{till.tid}/journal", till.journal())
    (closed,) = [b for b in host.api.items("/batches", tid=till.tid) if b["state"] != "open"]
    assert closed["state"] == "closed"
    assert {tuple(s.values()) for s in closed["totals"]["host"] if s["count"]} == BY_HAND_TOTALS[dialect]
    if dialect == "cup":
        assert re.search("消费/SALE", str(settled.json["slip"]))


def test_audit_finds_nothing_in_all_these_books(host: HostProcess, acquirer_host: HostCommand) -> None:
    ended = acquirer_host("audit", "--api", host.api.base)
    assert (ended.returncode, ended.stdout) == (0, "the books are right: every invariant holds\n")
