"""A run as plain values: what is said, which ledgers differ, what the books add to the time line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from host.rows import IssuerLeg
from specs.testcards import load_test_cards
from terminal_sim.lab.report import run_shape
from terminal_sim.lab.report.ledgers import entries
from terminal_sim.lab.report.machine import masked
from terminal_sim.lab.report.shape import RunShape
from terminal_sim.lab.world.record import Happened, Lane
from tests.support.played import TID, a_day, a_run


def test_the_verdict_is_one_sentence_with_who_is_out_how_much() -> None:
    found = run_shape(a_run())
    assert found["ok"]
    assert not found["clean"]
    assert found["sentence"] == (
        "As expected: CNSale + TM: the cardholder paid for nothing; the totals of terminal and host do not agree "
        "(the cardholder is out 268.00, the merchant has 268.00 too much)."
    )
    assert found["money"] == {"cardholder": -26800, "merchant": 26800, "acquirer": 0, "issuer": 0}


def test_a_run_with_a_mismatch_is_not_as_expected() -> None:
    found = run_shape(a_run(mismatches=("class: expected clean, got CNSale TM",)))
    assert not found["ok"]
    assert found["sentence"].startswith("Not as expected: ")


def test_a_fault_that_never_struck_is_never_silently_passed() -> None:
    found = run_shape(a_run(fired=(0,)))
    assert not found["ok"]
    assert found["sentence"].startswith("A fault never struck")


def test_the_ledgers_stand_side_by_side() -> None:
    """Sale one is in both books; sale two the host alone has, and the issuer has debited what it was asked for."""
    day = a_day()
    first, second = entries(day.books, day.terminals)
    assert (first["stan"], first["terminal"], first["host"], first["differs"]) == (
        "000002",
        "journaled, settled",
        "captured, settled",
        False,
    )
    assert (second["stan"], second["terminal"], second["terminal_amount"]) == ("000003", "", None)
    assert (second["host"], second["host_amount"]) == ("captured, settled, listed host-only", 26800)
    assert (second["issuer"], second["issuer_amount"]) == ("debited", 26800)
    assert second["differs"]


def test_an_issuer_that_debited_more_than_the_host_has_differs_though_terminal_and_host_agree() -> None:
    day = a_day()
    leg = next(leg for leg in day.all(IssuerLeg) if leg.txn_id == 1)
    day.change(leg, amount=5000, approved_amount=5000)
    first, _ = entries(day.books, day.terminals)
    assert (first["issuer_amount"], first["host_amount"], first["differs"]) == (5000, 4200, True)


def test_a_finding_leads_to_its_rows_and_to_the_time_line() -> None:
    found = run_shape(a_run())
    about = found["findings"][0]
    assert [found["entries"][place]["stan"] for place in about["entries"]] == ["000003"]
    events = [found["trace"][place] for place in about["events"]]
    assert any(event["fault"] and event["text"] == "power cut before journal" for event in events)
    assert any("STAN 000003" in event["text"] for event in events)


def test_the_time_line_speaks_in_words() -> None:
    said = [event["text"] for event in run_shape(a_run())["trace"]]
    assert "B: sale 268.00, debit1" in said
    assert "0200 sale 268.00 · STAN 000003" in said
    assert "0210 00 approved · STAN 000003" in said
    assert "0200 debit 268.00" in said
    assert "reversal cleared" in said


def test_what_the_books_date_stands_before_the_frame_that_tells_of_it() -> None:
    """The issuer debits before it says yes; the host captures before it answers (RH2)."""
    trace = run_shape(a_run())["trace"]
    texts = [event["text"] for event in trace if event["step"] == 1]
    order = ["0200 sale 268.00 · STAN 000003", "0200 debit 268.00", "card −268.00", "0210 yes"]
    order += ["captures 268.00, STAN 000003", "+268.00", "0210 00 approved · STAN 000003"]
    assert [text for text in texts if text in order] == order
    assert {event["text"] for event in trace if event["from_books"]} >= {"card −268.00", "+268.00"}


def test_the_trace_keeps_its_own_order() -> None:
    told = [event for event in run_shape(a_run())["trace"] if not event["from_books"]]
    assert [event["at"] for event in told] == [round(happened.at, 3) for happened in a_run().trace]
    assert [event["point"] for event in told] == [happened.point for happened in a_run().trace]


def test_no_card_number_leaves_whatever_a_trace_says() -> None:
    """The world masks already; this is the last gate."""
    for card in load_test_cards().values():
        spoilt = Happened(1.0, 0, Lane.SCREEN, TID, f"card {card.pan} read; {card.pan[:4]} {card.pan[4:]}")
        said = json.dumps(run_shape(a_run(trace=(spoilt,))), ensure_ascii=False)
        assert card.pan not in said, card.name


def test_masking_leaves_the_digest_of_the_trace_alone() -> None:
    run = a_run()
    assert run_shape(run)["trace_hash"] == run.trace_hash
    assert masked({"trace_hash": "4111111111111111", "text": "4111111111111111"}) == {
        "trace_hash": "4111111111111111",
        "text": "411111******1111",
    }


def test_the_shape_is_plain_json_and_its_keys_stand_in_one_order() -> None:
    first, second = (json.dumps(run_shape(a_run())) for _ in range(2))
    assert first == second
    assert json.loads(first) == run_shape(a_run())


def test_a_window_is_told_in_seconds() -> None:
    fault = replace(a_run().faults[0], at="link/T", action="down", params={}, since="step:B", until="+600")
    (found,) = run_shape(a_run(faults=(fault,)))["faults"]
    assert (found["since"], found["until"]) == (600.0, 1200.0)


def test_a_line_that_goes_down_at_a_frame_is_down_from_there() -> None:
    struck = next(happened for happened in a_run().trace if happened.fault and happened.point)
    fault = replace(a_run().faults[0], at=struck.point, action="down", params={}, until="+600")
    (found,) = run_shape(a_run(faults=(fault,)))["faults"]
    assert (found["since"], found["until"]) == (struck.at, struck.at + 600.0)
    assert struck.at > 0


def test_every_key_of_a_run_is_documented() -> None:
    text = (Path(__file__).parents[4] / "docs" / "reports.md").read_text(encoding="utf-8")
    assert [key for key in RunShape.__annotations__ if f"`{key}`" not in text] == []
