"""A sale, settled: each dialect from the terminal's key to the closed batch, over real TCP, both books item by item.

Amounts, STANs and totals are worked out by hand from the steps: CUP counts a voided sale and its void, NAC neither,
ISO 87 a voided or reversed one forward and back (rules.md, section 5); a sign-on takes a STAN, a reversal that of its
sale (flows.md, section 0).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from specs.testcards import load_test_cards
from specs.totals import Totals
from terminal_sim.lab.day import Day, Played, Step, play
from terminal_sim.lab.demo import judge
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Ran, Till
from tests.e2e.conftest import HostCommand, MakeTill

pytestmark = pytest.mark.e2e

CARDS = load_test_cards()
LOST = {"action": "drop-reply", "phase": "after-commit", "match": {"kind": "sale"}}
TOLD_NO = {"action": "answer", "rc": "05", "phase": "after-commit", "match": {"kind": "sale"}}

STEPS = (
    Step("sale 100.00", "sale", ("10000", "--card", "credit1")),
    Step("sale 30.00, foreign", "sale", ("3000", "--card", "foreign1")),
    Step("sale 50.00", "sale", ("5000", "--card", "credit1"), id="wrong"),
    Step("void of the 50.00", "void", ("--stan", "{wrong}")),
    Step("sale 70.00, reply lost", "sale", ("7000", "--card", "credit1"), fault=LOST, exit=3),
    Step("sale 70.00 again", "sale", ("7000", "--card", "credit1")),
    Step("settlement that agrees", "settle"),
    Step("sale 20.00", "sale", ("2000", "--card", "credit1")),
    Step("sale 9.00, told 05", "sale", ("900", "--card", "credit1"), fault=TOLD_NO, exit=1),
    Step("settlement that does not", "settle", exit=1),
)
CUP = Day("E2ECUP01", "cup", "", (Step("sign-on", "signon"), *STEPS))
NAC = Day("E2ENAC01", "nac", "", STEPS)
ISO87 = Day("E2EISO01", "iso87", "", (Step("sign-on", "signon"), *STEPS))

SAME, HOST_ONLY = "same", "host-only"
#: batch, STAN, kind, (state, amount) of the terminal and of the host, verdict
BOOKS = {
    "cup": [
        ("000001", "000002", "sale", ("journaled", 10000), ("journaled", 10000), SAME),
        ("000001", "000003", "sale", ("journaled", 3000), ("journaled", 3000), SAME),
        ("000001", "000004", "sale", ("voided", 5000), ("voided", 5000), SAME),
        ("000001", "000005", "void", ("journaled", 5000), ("journaled", 5000), SAME),
        ("000001", "000007", "sale", ("journaled", 7000), ("journaled", 7000), SAME),
        ("000002", "000010", "sale", ("journaled", 2000), ("journaled", 2000), SAME),
        ("000002", "000011", "sale", ("", 0), ("journaled", 900), HOST_ONLY),
    ],
    "nac": [
        ("000001", "000001", "sale", ("journaled", 10000), ("journaled", 10000), SAME),
        ("000001", "000002", "sale", ("journaled", 3000), ("journaled", 3000), SAME),
        ("000001", "000003", "sale", ("voided", 5000), ("voided", 5000), SAME),
        ("000001", "000004", "void", ("journaled", 5000), ("journaled", 5000), SAME),
        ("000001", "000006", "sale", ("journaled", 7000), ("journaled", 7000), SAME),
        ("000002", "000008", "sale", ("journaled", 2000), ("journaled", 2000), SAME),
        ("000002", "000009", "sale", ("", 0), ("journaled", 900), HOST_ONLY),
    ],
    # reversed sales count in 76/88 and 77/89, so the terminal keeps their rows
    "iso87": [
        ("000001", "000002", "sale", ("journaled", 10000), ("journaled", 10000), SAME),
        ("000001", "000003", "sale", ("journaled", 3000), ("journaled", 3000), SAME),
        ("000001", "000004", "sale", ("voided", 5000), ("voided", 5000), SAME),
        ("000001", "000005", "void", ("journaled", 5000), ("journaled", 5000), SAME),
        ("000001", "000006", "sale", ("reversed", 7000), ("reversed", 7000), SAME),
        ("000001", "000007", "sale", ("journaled", 7000), ("journaled", 7000), SAME),
        ("000002", "000009", "sale", ("journaled", 2000), ("journaled", 2000), SAME),
        ("000002", "000010", "sale", ("", 0), ("journaled", 900), HOST_ONLY),
    ],
}
#: Reversed at the host, without a row at the terminal: batch, STAN, amount, DE 39 of the reversal's answer.
UNDONE = {
    "cup": [("000001", "000006", 7000, "00")],
    "nac": [("000001", "000005", 7000, "00")],
    "iso87": [],
}
#: The claims of both 0500: side, group, count, amount; zero sums left out.
CLAIMS = {
    "cup": [
        [("domestic", "debit", 3, 22000), ("domestic", "credit", 1, 5000), ("foreign", "debit", 1, 3000)],
        [("domestic", "debit", 1, 2000)],
    ],
    "nac": [[("all", "sales", 3, 20000)], [("all", "sales", 1, 2000)]],
    "iso87": [[("all", "debits", 5, 32000), ("all", "debit-reversals", 2, 12000)], [("all", "debits", 1, 2000)]],
}
SALES = "0200 0210"
WIRE = {
    "cup": [
        "0800 0810",
        *[SALES] * 3,
        SALES,
        "0200 0210✗",
        "0400 0410 0200 0210",
        "0500 0510 0320 0330",
        SALES,
        SALES,
        "0500 0510 0320 0330 0320 0330",
    ],
    "nac": [
        *[SALES] * 3,
        SALES,
        "0200 0210✗",
        "0400 0410 0200 0210",
        "0500 0510",
        SALES,
        SALES,
        "0500 0510 0320 0330 0500 0510",
    ],
    "iso87": [
        "0800 0810",
        *[SALES] * 3,
        SALES,
        "0200 0210✗",
        "0420 0430 0200 0210",
        "0500 0510",
        SALES,
        SALES,
        "0500 0510 0520 0530",
    ],
}
#: The one exception: reason, amount at the host, at the terminal. ISO 87 has no upload: one for the whole figure.
LISTED = {"cup": ("host-only", 900, 0), "nac": ("host-only", 900, 0), "iso87": ("totals-differ", 2900, 2000)}


class Shop:
    """One dialect's day, played once for all tests of this module that look at it."""

    def __init__(self, day: Day, host: HostProcess, folder: Path, spawner: Spawner | None) -> None:
        self.day, self.host = day, host
        self.till = Till(folder / day.tid, day.tid, spawner=spawner).install(host.url(day.dialect), host.api.base)
        self.played: list[Played] = list(play(day, self.till, host.api))

    @property
    def dialect(self) -> str:
        return self.day.dialect

    def step(self, title: str) -> Played:
        return next(played for played in self.played if played.step.title == title)


@pytest.fixture(scope="module", params=[CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
def shop(
    request: pytest.FixtureRequest,
    shared_host: HostProcess,
    spawner: Spawner | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shop:
    return Shop(request.param, shared_host, tmp_path_factory.mktemp("till"), spawner)


def test_each_step_ends_as_it_must(shop: Shop) -> None:
    assert [(p.step.title, p.ran.code) for p in shop.played] == [(p.step.title, p.step.exit) for p in shop.played]
    assert shop.step("sale 70.00, reply lost").said["outcome"] == "unknown"
    assert shop.step("sale 9.00, told 05").said["outcome"] == "declined"


def test_the_messages_are_those_of_the_protocol_in_their_order(shop: Shop) -> None:
    shown = [" ".join(m["mti"] + "✗" * (m["fate"] == "dropped") for m in p.messages) for p in shop.played]
    assert shown == WIRE[shop.dialect]


def test_both_books_are_equal_item_by_item_but_for_what_is_explained(shop: Shop) -> None:
    judgement = judge(shop.host, shop.till)
    found = [
        (
            *(i.pair.batch, i.pair.stan, i.pair.kind),
            (i.pair.terminal_state, i.pair.terminal_amount),
            (i.pair.host_state, i.pair.host_amount),
            str(i.pair.verdict),
        )
        for i in judgement.items
    ]
    assert found == BOOKS[shop.dialect]
    assert [(i.pair.stan, i.reason) for i in judgement.exceptions] == [
        (BOOKS[shop.dialect][-1][1], LISTED[shop.dialect][0])
    ]
    assert [(u.batch, u.stan, u.amount, u.acked) for u in judgement.undone] == UNDONE[shop.dialect]
    assert judgement.trouble == ()
    assert judgement.agree
    # 100 + 30 + 70 + 20 at the terminal; the host has 9.00 more, which is the exception
    assert (judgement.comparison.terminal_net, judgement.comparison.host_net) == (22000, 22900)


def test_the_host_closed_one_batch_that_agreed_and_one_with_exactly_the_exception(shop: Shop) -> None:
    batches = shop.host.api.items("/batches", tid=shop.day.tid)
    assert [(b["number"], b["state"]) for b in batches][:2] == [
        ("000001", "closed"),
        ("000002", "closed-with-exceptions"),
    ]
    claims = [
        [(t["side"], t["group"], t["count"], t["amount"]) for t in b["totals"]["terminal"] if t["count"]]
        for b in batches[:2]
    ]
    assert claims == CLAIMS[shop.dialect]
    whole = [shop.host.api.get(f"/batches/{b['id']}") for b in batches[:2]]
    assert whole[0]["exceptions"] == []
    assert [(e["reason"], e["host_amount"], e["terminal_amount"]) for e in whole[1]["exceptions"]] == [
        LISTED[shop.dialect]
    ]


def test_the_slips_say_what_was_sold_and_how_it_was_settled(shop: Shop) -> None:
    sale = str(shop.step("sale 100.00").said["slip"])
    rows = {" ".join(line.split()) for line in sale.splitlines()}
    stan = "000001" if shop.dialect == "nac" else "000002"
    labels = {
        "cup": {
            "商户名称 MERCHANT CORNER SHOP",
            "卡号 CARD NO 622316******0014 /S",
            "金额 AMOUNT CNY 100.00",
            f"凭证号 VOUCHER NO {stan}",
            "批次号 BATCH NO 000001",
            "商户存根 MERCHANT COPY",
            "持卡人存根 CARDHOLDER COPY",
        },
        "nac": {
            "MERCHANT CORNER SHOP",
            "CARD NO 622316******0014 /S",
            "AMOUNT CNY 100.00",
            f"TRACE NO {stan}",
            "BATCH NO 000001",
            "MERCHANT COPY",
            "CARDHOLDER COPY",
        },
    }
    labels["iso87"] = labels["nac"]
    assert labels[shop.dialect] - rows == set()
    agreed = " ".join(str(shop.step("settlement that agrees").said["slip"]).split())
    differs = " ".join(str(shop.step("settlement that does not").said["slip"]).split())
    assert "NOT AGREED" not in agreed
    assert "AGREED" in agreed
    assert "CNY 200.00" in agreed  # the voided 50.00 and the reversed 70.00 are on no line
    assert "NOT AGREED" in differs
    assert "T 1 20.00 H 2 29.00" in differs


def test_no_card_number_leaves_either_end_in_clear(shop: Shop) -> None:
    said = [text for p in shop.played for text in (p.ran.out, p.ran.err, str(p.messages))]
    said += [shop.till.journal(), shop.host.log.read_text("utf-8", "replace")]
    said += [shop.host.api.call("GET", f"/api/v1/transactions?tid={shop.day.tid}").text]
    for name in ("credit1", "foreign1"):
        assert [text for text in said if CARDS[name].pan in text] == []


def test_every_invariant_holds_with_the_terminals_journal_beside_the_books(
    shop: Shop, acquirer_host: HostCommand
) -> None:
    judge(shop.host, shop.till)  # hands the journal over
    audit = acquirer_host("audit", "--api", shop.host.api.base)
    assert (audit.returncode, audit.stdout.splitlines()[0]) == (0, "the books are right: every invariant holds")
    # failure-catalogue.md 2: charged, and no sale at the terminal; the exception is its reason
    rows = [line.split() for line in audit.stdout.splitlines()]
    mine = [row for row in rows if row[:1] == [shop.day.tid]]
    assert mine == [[shop.day.tid, BOOKS[shop.dialect][-1][1], "sale", "900", "CNSale", LISTED[shop.dialect][0]]]


# ---- totals that disagree over equal books


def settle_with_spoilt_totals(host: HostProcess, make_till: MakeTill, dialect: str) -> tuple[Till, Ran]:
    """Two sales, and a settlement whose frozen figures are spoilt on the flash; the rows are right."""
    till = make_till(host, dialect, f"SPOILT{dialect.upper()[:2]}")
    if dialect != "nac":
        assert till.run("signon").code == 0
    for amount in (10000, 2500):
        assert till.sale(amount).code == 0
    cut = till.run("settle", crash_at="freeze.after")
    assert cut.code == 137
    memory = till.memory()
    assert memory.settlement is not None
    sums = memory.settlement.totals.sums
    spoilt = tuple(replace(s, amount=s.amount + 100) if s.count else s for s in sums)
    till.change_flash(replace(memory, settlement=replace(memory.settlement, totals=Totals(spoilt))))
    assert [(s.count, s.amount) for s in spoilt if s.count] == [(2, 12600)]
    return till, till.settle()


@pytest.mark.parametrize("dialect", ["cup", "nac"])
def test_a_dispute_over_equal_items_ends_closed_without_exceptions(
    shared_host: HostProcess, make_till: MakeTill, dialect: str
) -> None:
    """The upload shows the host that all is equal. The slip says «not agreed» all the same: CUP's codes stand as first
    received, NAC's figures differ (RH9).
    """
    till, settled = settle_with_spoilt_totals(shared_host, make_till, dialect)

    assert settled.code == 1, settled
    assert "NOT AGREED" in str(settled.json["slip"])
    assert [m["mti"] for m in shared_host.api.items("/messages", tid=till.tid) if m["direction"] == "in"][-3:] in (
        ["0500", "0320", "0320"],
        ["0320", "0320", "0500"],
    )
    batch = shared_host.api.items("/batches", tid=till.tid)[0]
    assert batch["state"] == "closed"
    assert shared_host.api.get(f"/batches/{batch['id']}")["exceptions"] == []
    judgement = judge(shared_host, till)
    assert judgement.exceptions == ()
    assert judgement.comparison.agrees


def test_without_an_upload_a_dispute_over_equal_items_ends_with_the_figure_listed(
    shared_host: HostProcess, make_till: MakeTill
) -> None:
    """ISO 87: one exception for the figure; the journal then shows that no item differs (rules.md 6)."""
    till, settled = settle_with_spoilt_totals(shared_host, make_till, "iso87")

    assert settled.code == 1, settled
    assert "NOT AGREED" in str(settled.json["slip"])
    sent = [m["mti"] for m in shared_host.api.items("/messages", tid=till.tid) if m["direction"] == "in"]
    assert sent[-2:] == ["0500", "0520"]
    batch = shared_host.api.items("/batches", tid=till.tid)[0]
    assert batch["state"] == "closed-with-exceptions"
    listed = shared_host.api.get(f"/batches/{batch['id']}")["exceptions"]
    assert [(e["reason"], e["host_amount"], e["terminal_amount"]) for e in listed] == [("totals-differ", 12500, 12600)]
    assert judge(shared_host, till).comparison.differing == ()
