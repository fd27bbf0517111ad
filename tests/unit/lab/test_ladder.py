"""The ladder: one line a message, drawn from what the API says."""

from __future__ import annotations

from typing import Any

import pytest

from terminal_sim.lab import ladder

AT = "2026-03-02T09:05:07.123+08:00"


def message(mti: str, kind: str, direction: str = "in", **changes: Any) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "at": AT,
        "direction": direction,
        "dialect": "nac",
        "mti": mti,
        "kind": kind,
        "stan": "000007",
        "response_code": "",
        "rrn": "",
        "fate": "" if direction == "in" else "sent",
        "fields": {},
        "notes": [],
    }
    return shape | changes


def note(text: str) -> list[dict[str, Any]]:
    return [{"de": 0, "offset": 0, "expected": "", "got": "", "message": text}]


SALE = message("0200", "sale", fields={"4": "000000026800", "2": "411111******1111"})
ANSWER = message("0210", "sale", "out", response_code="00", rrn="606100000001")


def test_a_request_goes_right_and_an_answer_left_between_the_same_rails() -> None:
    there, back = ladder.rungs([SALE, ANSWER])
    assert there == "09:05:07 │── 0200 sale 268.00 · STAN 000007 " + "─" * 27 + "▶│"
    assert back == "09:05:07 │◀" + "─" * 20 + " 0210 · 00 approved · RRN 606100000001 ──│"
    assert len(there) == len(back)


def test_a_lost_answer_stops_short_and_names_the_fault() -> None:
    lost = ANSWER | {
        "fate": "dropped",
        "notes": note("fault 3: drop-reply (drop at wire/H>T), after the commit"),
    }
    (line,) = ladder.rungs([lost])
    assert line.startswith("09:05:07 │  ✗ ──")
    assert line.endswith("00 approved · RRN 606100000001 ──│ drop-reply after commit")


def test_a_lost_request_stops_short_of_the_host() -> None:
    lost = SALE | {"notes": note("fault 3: drop-request (drop at wire/T>H), before the commit")}
    (line,) = ladder.rungs([lost])
    assert line.endswith("─ ✗  │ drop-request before commit")


def test_an_answer_that_a_rule_wrote_arrives_and_is_marked() -> None:
    spoilt = ANSWER | {"response_code": "05", "notes": note("fault 1: answer (answer at wire/H>T), after the commit")}
    (line,) = ladder.rungs([spoilt])
    assert "◀" in line
    assert line.endswith("05 do not honour · RRN 606100000001 ──│ answer after commit")


def test_a_settlement_shows_both_totals_and_the_verdict() -> None:
    """nac.md 9: sales 2 / 150.00, refunds 1 / 20.00; 95 = the totals differ."""
    totals = "002000000015000001000000002000" + "0" * 60
    fields = {
        "3": "920000",
        "11": "000013",
        "24": "003",
        "41": "12345678",
        "42": "1" * 15,
        "60": "000007",
        "63": totals,
    }
    asked = message("0500", "settle", fields=fields)
    said = message("0510", "settle", "out", response_code="95", fields=fields | {"39": "95"})
    shown = ladder.rungs([asked, said])
    assert "terminal: sales 2/150.00, refunds 1/20.00" in shown[1]
    assert shown[2].endswith("0510 · 95 totals differ ──│")
    assert "host: sales 2/150.00, refunds 1/20.00" in shown[3]


@pytest.mark.parametrize(
    "strange",
    [
        message("", "", fields={}, notes=note("a frame of 18245 bytes is larger than 8192")),
        message("0320", "upload", dialect="cup", fields={"48": "01" + "*" * 20}),
        message("0200", "sale", fields={"4": "9" * 12, "49": "392"}, stan="9" * 40),
        message("0210", "sale", "out", dialect="elsewhere", response_code="ZZ"),
        message("0500", "settle", fields={"63": "spoilt"}),
    ],
)
def test_whatever_the_log_holds_fits_the_page(strange: dict[str, Any]) -> None:
    for line in ladder.rungs([strange]):
        assert len(line) <= ladder.WIDTH
        assert line.count("│") >= 2
