"""Stored items (RT9), script results, downloads and chip decisions, against a scripted host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs import emv, tlv
from specs.message import Message
from specs.operation import Card, Entry, Kind
from specs.testcards import card_by_pan
from specs.tlv import Tlv
from specs.totals import BatchItem
from terminal_sim.flash import MemoryFlash
from terminal_sim.moves import (
    Adjust,
    Complete,
    Download,
    Echo,
    End,
    OfflineSale,
    PreAuth,
    Refund,
    Sale,
    SendStored,
    Settle,
    SignOn,
    Void,
)
from terminal_sim.state import ROWS_MAX, Row, RowState
from tests.support.scripted_host import Reply, ScriptedHost, change, code, drop, garbage
from tests.support.till import CARD, FOREIGN, Till, agree

FAMILIES = ("cup", "nac", "iso87")
EACH = pytest.mark.parametrize("dialect", FAMILIES)
CHIP = Card(CARD.pan, CARD.expiry, entry=Entry.CHIP)
FOREIGN_CHIP = Card(FOREIGN.pan, FOREIGN.expiry, entry=Entry.CHIP)
ARPC = bytes.fromhex("1122334455667788")


def ready(dialect: str, **config: object) -> Till:
    till = Till(dialect, **config)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    return till


# --- RT9: kept until answered, sent unchanged


@EACH
def test_three_sends_in_one_try_and_then_it_waits(dialect: str) -> None:
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.host.faults = {(mti, nth): drop for mti in ("0220", "0221") for nth in range(1, 4)}
    result = till.press(SendStored())
    assert (result.end, result.exit_code) == (End.UNANSWERED, 3)
    sent = [m for m in till.host.seen if m.mti in ("0220", "0221")]
    assert [m.mti for m in sent] == (["0220", "0221", "0221"] if dialect == "iso87" else ["0220"] * 3)
    assert sent[0].fields == sent[1].fields == sent[2].fields
    assert [row.stored for row in till.memory.rows] == [True]
    till.host.faults.clear()
    assert till.press(SendStored()).end is End.OK
    assert not till.memory.stored_rows
    assert len(till.host.standing()) == 1


@EACH
def test_nothing_stored_is_nothing_to_send(dialect: str) -> None:
    till = ready(dialect)
    heard = len(till.host.seen)
    assert till.press(SendStored()).end is End.NOTHING
    assert len(till.host.seen) == heard


@EACH
def test_an_online_order_goes_on_when_what_is_stored_cannot_be_delivered(dialect: str) -> None:
    """flows.md 6: they come back at the next occasion; only the settlement waits for them."""
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.host.faults = {(mti, nth): drop for mti in ("0220", "0221") for nth in range(1, 10)}
    assert till.press(Sale(200, CARD)).end is End.APPROVED
    result = till.press(Settle())
    assert result.exit_code in (1, 3)
    assert till.host.sent("0500") == []
    assert till.memory.settlement is None, "nothing is frozen: the shop may go on selling"
    assert till.press(Sale(300, CARD)).end is End.APPROVED
    till.host.faults.clear()
    assert till.press(Settle()).end is End.AGREED
    agree(till)


@EACH
def test_without_a_connection_a_settlement_was_not_sent(dialect: str) -> None:
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.line.down = True
    assert till.press(Settle()).exit_code == 4
    assert till.memory.settlement is None


@EACH
def test_after_stored_max_items_they_are_sent_by_themselves(dialect: str) -> None:
    till = ready(dialect, stored_max=3)
    heard = len(till.host.seen)
    for amount in (100, 200, 300):
        assert len(till.host.seen) == heard
        result = till.press(OfflineSale(amount, CARD))
    assert till.host.mtis()[heard:] == ["0220"] * 3
    assert (result.end, result.amount) == (End.APPROVED, 300), "the order's own result stands"
    assert not till.memory.stored_rows


@EACH
def test_they_do_not_overtake_a_reversal_that_is_owed(dialect: str) -> None:
    """RT3, flows.md section 2: it goes before all else that goes to the host."""
    till = ready(dialect, stored_max=1)
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    heard = len(till.host.seen)
    assert till.press(OfflineSale(200, CARD)).end is End.APPROVED
    assert till.host.mtis()[heard:] == []
    till.press(Sale(300, CARD))
    assert till.host.mtis()[heard:] == ["0420" if dialect == "iso87" else "0400", "0220", "0200"]
    agree(till)


@EACH
@pytest.mark.parametrize("answer", ["68", "91", "96", "98"])
def test_trouble_of_the_host_keeps_the_item_and_the_others_still_go(dialect: str, answer: str) -> None:
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.press(OfflineSale(200, CARD))
    till.host.decline[100] = answer
    assert till.press(SendStored()).end is End.PENDING
    assert [row.stored for row in till.memory.rows] == [True, False]
    till.host.decline.clear()
    assert till.press(Settle()).end is End.AGREED
    agree(till)


APPROVING = [
    *(("cup", one) for one in ("10", "11", "A2", "A4", "A5", "A6")),
    *((family, one) for family in ("nac", "iso87") for one in ("08", "10", "11", "16")),
]
"""rules.md section 8, below the table."""


@pytest.mark.parametrize(("dialect", "answer"), APPROVING)
def test_any_yes_counts_as_delivered_at_the_amount_that_was_sent(dialect: str, answer: str) -> None:
    """It has happened: a part of it in DE 4 changes nothing."""
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    seal = till.host._sealed

    def less(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        said = host.decode(reply[0]).with_fields({39: answer, 4: f"{70 if answer == '10' else 100:012d}"})
        return [host.encode(seal(said))]

    till.host.faults["0220", 1] = less
    assert till.press(SendStored()).end is End.OK
    row = till.memory.rows[0]
    assert (row.stored, row.state, row.amount, row.response_code) == (False, RowState.JOURNALED, 100, answer)
    assert till.press(Settle()).end is End.AGREED
    agree(till)


@EACH
def test_94_counts_as_delivered(dialect: str) -> None:
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.host.faults["0220", 1] = code("94")
    assert till.press(SendStored()).end is End.OK
    assert [(row.stored, row.state) for row in till.memory.rows] == [(False, RowState.JOURNALED)]


@EACH
def test_a_refusal_goes_to_the_rejected_list_and_out_of_the_totals(dialect: str) -> None:
    till = ready(dialect)
    till.press(Sale(500, CARD))
    till.host.decline[100] = "14"
    stan = till.press(OfflineSale(100, CARD)).stan
    result = till.press(Settle())
    assert result.end is End.AGREED
    row = next(row for row in till.memory.archive[0].rows if row.stan == stan)
    assert (row.state, row.rejected, row.stored) == (RowState.REJECTED, "14", False)
    assert result.slip is not None
    assert stan in result.slip.copies[0]
    assert till.memory.archive[0].totals.item_count == 1
    agree(till)


def test_keys_that_are_out_of_date_keep_the_item_and_end_the_session() -> None:
    """A0 says nothing about the item; a sign-on mends it, a rejection would lose the money."""
    till = ready("cup")
    till.press(OfflineSale(100, CARD))
    till.host.faults["0220", 1] = code("A0")
    assert till.press(SendStored()).end is End.PENDING
    assert (till.memory.signed_on, len(till.memory.stored_rows)) == (False, 1)
    till.press(SignOn())
    assert till.press(Settle()).end is End.AGREED


@EACH
@pytest.mark.parametrize(("refusals", "state"), [(1, "journaled"), (2, "journaled"), (3, "rejected")])
def test_what_the_host_could_not_read_goes_again_in_the_same_try(dialect: str, refusals: int, state: str) -> None:
    """The explorer's finding: one byte too few on the way, 30, and an honest sale was on the rejected list for good.
    Only what is refused each time is the message's own fault."""
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    numbers = {("0220", nth) for nth in range(1, refusals + 1)}
    if dialect == "iso87":  # where a repeat is marked
        numbers = {("0220", 1)} | {("0221", nth) for nth in range(1, refusals)}
    till.host.faults |= {number: code("30") for number in numbers}
    till.press(SendStored())
    (row,) = till.memory.rows
    assert (row.state, row.stored) == (state, False)
    assert [mti[:3] for mti in till.host.mtis()].count("022") == min(refusals + 1, 3)


def test_what_was_lost_in_between_is_no_refusal() -> None:
    """The explorer's finding: a byte too few, then a line that broke for it, then a byte too few again. Three sends,
    but only two refusals: the item waits for the next try."""
    till = ready("cup")
    till.press(OfflineSale(100, CARD))
    till.host.faults |= {("0220", 1): code("30"), ("0220", 2): drop, ("0220", 3): code("30")}
    till.press(SendStored())
    assert len(till.memory.stored_rows) == 1
    assert till.press(Settle()).end is End.AGREED
    agree(till)


@pytest.mark.parametrize("fault", [garbage, change({64: "30" * 8})], ids=["garbage", "bad-mac"])
def test_an_answer_that_cannot_be_trusted_is_none(fault: object) -> None:
    till = ready("cup")
    till.press(OfflineSale(100, CARD))
    till.host.faults |= {("0220", nth): fault for nth in (1, 2, 3)}  # type: ignore[misc]
    assert till.press(SendStored()).end is End.UNANSWERED
    assert len(till.memory.stored_rows) == 1
    assert till.press(Settle()).end is End.AGREED
    agree(till)


@EACH
def test_what_is_owed_goes_reversal_then_stored_then_the_order(dialect: str) -> None:
    """flows.md section 2."""
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.host.faults["0200", 1] = drop
    till.press(Sale(200, CARD))
    till.press(OfflineSale(300, CARD))
    heard = len(till.host.seen)
    till.press(Sale(400, CARD))
    reversal = "0420" if dialect == "iso87" else "0400"
    assert till.host.mtis()[heard:] == [reversal, "0220", "0200"]


@EACH
def test_boot_sends_what_is_owed(dialect: str) -> None:
    till = ready(dialect)
    till.press(OfflineSale(100, CARD))
    till.power_up()
    assert not till.memory.stored_rows
    assert till.host.mtis()[-1] == "0220"


def test_a_stan_of_a_stored_item_or_script_is_skipped() -> None:
    till = ready("cup")
    stan = till.press(OfflineSale(100, CARD)).stan
    before = f"{int(stan) - 1:06d}"
    assert replace(till.memory, stan=before).next_stan() == f"{int(stan) + 1:06d}"


@EACH
def test_a_full_journal_takes_no_new_row_of_any_kind_and_still_settles(dialect: str) -> None:
    """flows.md section 11."""
    till = ready(dialect)
    rows = tuple(
        Row(f"{n:06d}", "000001", Kind.SALE, 1, CARD.pan, at="1121093015", day="1121")
        for n in range(1000, 1000 + ROWS_MAX)
    )
    till.flash = MemoryFlash(replace(till.memory, rows=rows))
    till.power_up()
    stan = rows[0].stan
    for order in (
        *(Sale(1, CARD), Void(stan=stan), Refund(1, stan=stan), PreAuth(1, CARD), OfflineSale(1, CARD)),
        *(Adjust(stan=stan, amount=2), Complete(stan=stan)),
    ):
        assert till.press(order).end is End.REFUSED_LOCALLY, order
    assert till.press(Echo()).end is End.OK
    assert till.press(Settle()).exit_code == 1
    assert till.memory.rows == ()


# --- the upload of CUP: flows.md section 5, in its order


def _a_day() -> tuple[Till, dict[str, str]]:
    till = ready("cup")
    stans = {"sale": till.press(Sale(10_000, CARD)).stan}
    stans["tipped"] = till.press(Sale(5_000, CARD)).stan
    stans["tip"] = till.press(Adjust(stan=stans["tipped"], tip=500)).stan
    stans["chip"] = till.press(Sale(3_000, CHIP)).stan
    stans["offline"] = till.press(OfflineSale(4_000, CARD)).stan
    stans["ic-offline"] = till.press(OfflineSale(4_500, CHIP)).stan
    stans["refund"] = till.press(Refund(2_000, stan=stans["sale"])).stan
    reserved = till.press(PreAuth(6_000, CARD)).stan
    stans["completion-advice"] = till.press(Complete(stan=reserved, advice=True)).stan
    stans["voided"] = till.press(Sale(700, CARD)).stan
    stans["void"] = till.press(Void(stan=stans["voided"])).stan
    till.host.chip = tlv.build([Tlv("91", bytes(8) + b"00")])
    stans["arpc"] = till.press(Sale(800, CHIP)).stan
    till.host.chip = None
    stans["foreign"] = till.press(Sale(900, FOREIGN)).stan
    stans["foreign-chip"] = till.press(Sale(950, FOREIGN_CHIP)).stan
    return till, stans


def test_the_order_of_a_cup_upload() -> None:
    till, stans = _a_day()
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    assert till.press(Settle()).end is End.NOT_AGREED
    expected = [
        *(("copy", "tip"), ("copy", "offline"), ("copy", "ic-offline")),
        *(("group", "sale"), ("group", "voided"), ("group", "void")),
        *(("copy", "refund"), ("copy", "completion-advice")),
        *(("tc", "chip"), ("tc", "foreign-chip"), ("failed", "arpc")),
    ]
    assert [(form, stan) for form, stan, _ in till.host.uploaded] == [(form, stans[name]) for form, name in expected]
    functions = [m[60][8:11] for m in till.host.sent("0320")]
    assert functions == ["000", "000", "000", "201", "000", "000", "205", "205", "206", "202"]
    assert till.host.sent("0320")[-1][48] == f"{len(expected):04d}"


def test_copies_and_chip_items_go_under_the_stan_of_the_original() -> None:
    """flows.md section 0: only the group and the end take one of their own."""
    till, stans = _a_day()
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    till.press(Settle())
    sent = till.host.sent("0320")
    own = [m[11] for m in sent if m[60][8:11] in ("201", "202")]
    assert not set(own) & set(stans.values())
    assert sent[0][11] == stans["tip"]
    copy = sent[1]
    advice = next(m for m in till.host.sent("0220") if m[11] == stans["offline"])
    assert {de: copy.get(de) for de in (2, 3, 4, 60, 63)} == {de: advice.get(de) for de in (2, 3, 4, 60, 63)}
    assert 64 not in copy


def test_a_balanced_batch_sends_its_chip_items_and_nothing_else() -> None:
    till, stans = _a_day()
    assert till.press(Settle()).end is End.AGREED
    assert [(form, stan) for form, stan, _ in till.host.uploaded] == [
        ("tc", stans["chip"]),
        ("tc", stans["foreign-chip"]),
        ("failed", stans["arpc"]),
    ]
    assert [m[60][8:11] for m in till.host.sent("0320")] == ["203", "203", "204", "207"]
    agree(till)


def test_nac_uploads_an_adjusted_sale_at_its_final_amount_and_not_the_adjustment() -> None:
    """rules.md section 5; nac.md 6.4."""
    till = ready("nac")
    tipped = till.press(Sale(5_000, CARD)).stan
    till.press(Adjust(stan=tipped, tip=500))
    offline = till.press(OfflineSale(4_000, CARD)).stan
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    assert till.press(Settle()).end is End.NOT_AGREED
    assert [(stan, amount) for _, stan, amount in till.host.uploaded] == [(tipped, 5_500), (offline, 4_000)]
    assert [m[60][:4] for m in till.host.sent("0320")] == ["0200", "0220"]


# --- chip


def test_the_card_refuses_what_the_host_has_approved() -> None:
    """flows.md 2: AAC after an approval: reversal with reason 06, no row, no slip; FC A6 and A8."""
    till = ready("cup")
    till.host.chip = tlv.build([Tlv("91", ARPC + b"05")])
    result = till.press(Sale(100, CHIP))
    assert (result.end, result.exit_code) == (End.DECLINED, 1)
    assert "declined by the card" in result.text
    assert till.memory.live_rows == ()
    assert till.memory.pending is None
    assert till.screen.slips == []
    assert [m[39] for m in till.host.sent("0400")] == ["06"]
    assert till.host.live() == {}


def test_a_reversal_of_a_card_that_refused_stays_owed_when_it_is_not_answered() -> None:
    till = ready("cup")
    till.host.chip = tlv.build([Tlv("91", ARPC + b"05")])
    till.host.faults = {("0400", nth): drop for nth in (1, 2, 3)}
    assert till.press(Sale(100, CHIP)).end is End.DECLINED
    assert till.memory.pending is not None
    till.host.faults.clear()
    till.power_up()
    assert till.memory.pending is None
    agree(till)


@EACH
def test_a_good_arpc_gives_a_tc(dialect: str) -> None:
    till = ready(dialect)
    known = card_by_pan(CHIP.pan)
    assert known is not None
    key = known.chip
    assert key is not None
    till.host.chip = lambda request: emv.answer_data(key, request, "00")
    assert till.press(Sale(100, CHIP)).end is End.APPROVED
    row = till.memory.rows[0]
    tags = {item.tag: item.value for item in tlv.parse(bytes.fromhex(row.chip))}
    assert (row.chip_end, tags["9F27"]) == ("tc", b"\x40")


# --- scripts


SCRIPT = tlv.build([Tlv("91", ARPC + b"00"), Tlv("72", tlv.build([Tlv("9F18", b"\x01\x02\x03\x04")]))])


@pytest.mark.parametrize("dialect", ["cup", "iso87"])
def test_a_script_s_result_goes_before_the_next_online_order(dialect: str) -> None:
    till = ready(dialect)
    till.host.chip = SCRIPT
    sale = till.press(Sale(100, CHIP))
    till.host.chip = None
    assert till.memory.script is not None
    till.press(OfflineSale(50, CARD))
    heard = len(till.host.seen)
    assert till.press(Sale(200, CARD)).end is End.APPROVED
    assert till.host.mtis()[heard:] == ["0620", "0220", "0200"]
    sent = till.host.sent("0620")[0]
    assert sent[11] != sale.stan, "a script advice has a STAN of its own (flows.md 0)"
    results = [i.value for i in tlv.parse(bytes.fromhex(sent[55])) if i.tag == "DF31"]
    assert results == [b"\x20\x01\x02\x03\x04"]
    if dialect == "cup":
        assert (sent[60][8:11], sent[61][:12]) == ("951", "000001" + sale.stan)
    else:
        assert sent[90][:10] == "0200" + sale.stan
    assert till.memory.script is None


def test_nac_has_no_message_for_a_script_s_result() -> None:
    till = ready("nac")
    till.host.chip = SCRIPT
    till.press(Sale(100, CHIP))
    assert till.memory.script is None


def test_a_declined_answer_may_bring_a_script_too() -> None:
    till = ready("cup")
    till.host.chip = SCRIPT
    till.host.faults["0200", 1] = code("51")
    assert till.press(Sale(100, CHIP)).end is End.DECLINED
    assert till.memory.script is not None


def test_a_script_s_result_is_given_up_after_three_attempts_in_all() -> None:
    """flows.md section 9; each attempt is counted on flash before it is made."""
    till = ready("cup")
    till.host.chip = SCRIPT
    till.press(Sale(100, CHIP))
    till.host.chip = None
    till.host.faults = {("0620", nth): code("96") for nth in (1, 2, 3)}
    for attempt in (1, 2):
        assert till.press(Sale(200, CARD)).end is End.APPROVED
        assert till.memory.script is not None
        assert till.memory.script.sends == attempt
    till.press(Sale(200, CARD))
    assert till.memory.script is None
    assert [e.event for e in till.memory.events].count("script-dropped") == 1
    till.press(Sale(200, CARD))
    assert len(till.host.sent("0620")) == 3


def test_without_a_connection_no_attempt_is_spent() -> None:
    till = ready("cup")
    till.host.chip = SCRIPT
    till.press(Sale(100, CHIP))
    till.line.down = True
    for _ in range(4):
        assert till.press(Sale(200, CARD)).end is End.NOT_SENT
    assert till.memory.script is not None
    assert till.memory.script.sends == 0


# --- downloads and what the host asks for


def test_parameters_are_kept_and_used_once_the_host_has_heard_that_they_came() -> None:
    till = ready("cup")
    assert till.press(Download("parameters")).end is End.OK
    assert [m[60][8:11] for m in till.host.seen[1:]] == ["360", "361"]
    assert not any(11 in m for m in till.host.seen[1:]), "no STAN is spent (flows.md 0)"
    assert dict(till.memory.parameters)["22"] == "SCRIPTED SHOP"
    assert till.memory.config.merchant_name == "SCRIPTED SHOP"
    assert till.memory.stan == "000001"


@pytest.mark.parametrize(
    ("what", "first", "entry", "end"),
    [("ca-keys", "372", "370", "371"), ("ic-parameters", "382", "380", "381")],
)
def test_a_list_is_fetched_and_then_each_entry(what: str, first: str, entry: str, end: str) -> None:
    till = ready("cup")
    assert till.press(Download(what)).end is End.OK
    functions = [m[60][8:11] for m in till.host.seen[1:]]
    assert (functions[0], functions[-1]) == (first, end)
    kept = till.memory.ca_keys if what == "ca-keys" else till.memory.ic_parameters
    assert functions.count(entry) == len(kept) > 0
    tags = {item.tag for item in tlv.parse(bytes.fromhex(kept[0]), de=62)}
    assert "9F06" in tags
    assert ("DF02" in tags) is (what == "ca-keys")


def test_a_download_that_breaks_off_keeps_what_was_there() -> None:
    till = ready("cup")
    till.press(Download("ca-keys"))
    kept = till.memory.ca_keys
    till.host.faults["0800", till.host.counts["0800"] + 1] = drop
    assert till.press(Download("ca-keys")).end is End.UNKNOWN
    assert till.memory.ca_keys == kept


def test_the_status_is_sent() -> None:
    till = ready("cup")
    assert till.press(Download("status")).end is End.OK
    assert till.host.seen[-1][60][8:11] == "362"


@pytest.mark.parametrize("dialect", ["nac", "iso87"])
def test_only_cup_downloads(dialect: str) -> None:
    till = ready(dialect)
    assert till.press(Download()).end is End.REFUSED_LOCALLY


@pytest.mark.parametrize(
    ("digit", "sent"),
    [("1", ["360", "361"]), ("2", ["362"]), ("3", ["003"]), ("6", []), ("0", [])],
)
def test_header_digit_6_is_done_behind_the_order_whose_result_stands(digit: str, sent: list[str]) -> None:
    """cup.md section 1; 6 to 8 are not known to this terminal."""
    till = ready("cup")
    till.host.asks["0200"] = digit
    result = till.press(Sale(100, CARD))
    assert (result.end, result.amount) == (End.APPROVED, 100)
    assert [m[60][8:11] for m in till.host.seen[2:]] == sent
    assert till.memory.download == "0"


def test_what_the_host_asked_for_is_tried_again_behind_the_next_order() -> None:
    till = ready("cup")
    till.host.asks["0200"] = "1"
    till.host.faults["0800", 2] = drop
    assert till.press(Sale(100, CARD)).end is End.APPROVED
    assert till.memory.download == "1"
    till.host.asks.clear()
    till.press(Echo())
    assert till.memory.download == "0"
    assert till.memory.parameters


def test_a_host_that_keeps_asking_is_served_once_an_order() -> None:
    till = ready("cup")
    till.host.asks = {"0200": "3", "0800": "3"}
    till.press(Sale(100, CARD))
    assert len(till.host.sent("0800")) == 2
