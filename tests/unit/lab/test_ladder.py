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


MONEY = {"3": "000000", "4": "000000008000", "25": "00", "49": "156"}


@pytest.mark.parametrize(
    ("mti", "kind", "dialect", "fields", "words"),
    [
        ("0200", "sale", "cup", MONEY | {"22": "051"}, "0200 sale 80.00 by chip ·"),
        ("0200", "sale", "nac", MONEY | {"22": "071", "52": "*" * 16}, "0200 sale 80.00 contactless with PIN ·"),
        ("0200", "balance", "iso87", {"3": "310000", "22": "021", "52": "*" * 16}, "0200 balance with PIN ·"),
        ("0200", "cash-back", "nac", MONEY | {"54": "000000002000"}, "0200 sale with cash back 80.00 ·"),
        ("0100", "pre-auth", "iso87", MONEY, "0100 pre-auth 80.00 ·"),
        ("0100", "pre-auth-increment", "cup", MONEY | {"25": "60"}, "0100 pre-auth increment 80.00 ·"),
        ("0100", "pre-auth-void", "nac", MONEY, "0100 pre-auth void 80.00 ·"),
        ("0200", "completion", "cup", MONEY, "0200 completion 80.00 ·"),
        ("0220", "completion-advice", "iso87", MONEY, "0220 completion advice 80.00 ·"),
        ("0200", "completion-void", "cup", MONEY, "0200 completion void 80.00 ·"),
        ("0220", "offline-sale", "nac", MONEY, "0220 offline sale 80.00 ·"),
        ("0221", "offline-sale", "iso87", MONEY, "0221 offline sale 80.00 again ·"),
        # cup.md 4: DE 4 of a tip is the original amount, DE 48 the tip; elsewhere DE 4 is the new total
        ("0220", "tip", "cup", MONEY | {"48": "000000000800"}, "0220 tip 8.00 on 80.00 ·"),
        ("0220", "tip", "nac", MONEY | {"54": "000000000800"}, "0220 tip, new total 80.00 ·"),
        ("0220", "adjust", "iso87", MONEY, "0220 new total 80.00 ·"),
        ("0420", "reversal", "iso87", MONEY, "0420 reversal 80.00 ·"),
        ("0320", "tc-upload", "cup", {"60": "00000001203"}, "0320 upload of a chip item ·"),
        ("0620", "script-result", "cup", {"60": "00000001951"}, "0620 result of a chip script ·"),
    ],
)
def test_each_message_is_named_in_words(mti: str, kind: str, dialect: str, fields: dict[str, str], words: str) -> None:
    (line,) = ladder.rungs([message(mti, kind, dialect=dialect, fields=fields)])
    assert f"── {words} STAN 000007 ─" in line


def test_a_download_says_what_is_fetched() -> None:
    """cup.md 5.8: 60.3 = 372 asks for the list, 370 for one key, 371 ends it."""
    fields = {"41": "12345678", "11": "000007", "42": "1" * 15, "62": "313030"}
    asked = (("0820", "372"), ("0800", "370"), ("0800", "371"), ("0800", "360"))
    shown = ladder.rungs(
        [message(m, "download", dialect="cup", fields=fields | {"60": "00000001" + f}) for m, f in asked]
    )
    said = ("the list of CA keys", "a CA key", "CA keys: end", "parameters")
    assert [line for line, words in zip(shown, said, strict=True) if f" download of {words} · " not in line] == []


def test_the_last_word_of_an_iso_87_day() -> None:
    """iso87.md 4: DE 66 = 2 in the 0530, out of balance."""
    fields = {"7": "0302090507", "11": "000007", "15": "0302", "32": "000000", "41": "12345678", "42": "1" * 15}
    figures = {str(de): "0" * 10 for de in range(74, 80)} | {str(de): "0" * 16 for de in range(86, 90)}
    figures |= {"50": "156", "76": "0000000001", "88": "0000000000002000", "97": "D0000000000002000"}
    asked = message("0520", "settle", dialect="iso87", fields=fields | figures)
    said = message(
        "0530", "settle", "out", dialect="iso87", response_code="00", fields=fields | figures | {"39": "00", "66": "2"}
    )
    shown = ladder.rungs([asked, said])
    assert "── 0520 settle: the last word · STAN 000007 ─" in shown[0]
    assert shown[1].split("│")[1].strip() == "terminal: debits 1/20.00"
    assert shown[2].endswith("─ 0530 · 00 still differ ──│")


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
