"""`acquirer-host decode`: exit codes, the JSON object, masking; values from vectors.json, not from our codec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from host.cli import app

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vectors.json").read_text(encoding="utf8"))
RUNNER = CliRunner()


def run(*args: str, stdin: str | None = None) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["decode", *args], input=stdin)
    return result.exit_code, result.output


def stated(vector: dict[str, Any]) -> dict[str, str]:
    return {de: value for de, value in vector["fields"].items() if de.isdigit()}


@pytest.mark.parametrize(
    "vector",
    [v for v in VECTORS if v["dialect"] in ("cup", "nac", "iso87-ascii")],
    ids=lambda v: str(v["name"]),
)
def test_each_real_message_decodes_to_its_stated_fields(vector: dict[str, Any]) -> None:
    code, output = run("--json", "--clear", vector["hex"])
    shown = json.loads(output)
    family = {"cup": "cup", "nac": "nac", "iso87-ascii": "iso87"}[vector["dialect"]]
    assert code == 0, shown["notes"]
    assert shown["dialect"].split("-")[0] == family
    assert shown["framing"]["length"] == vector["framing"]["length"]
    assert (shown["framing"]["tpdu"], shown["framing"]["header"]) == (
        vector["framing"]["tpdu"],
        vector["framing"]["header"],
    )
    assert shown["mti"] == vector["fields"]["mti"]
    assert shown["fields"] == stated(vector)


SALE = next(v for v in VECTORS if v["name"] == "cup-0200-qr-go8583")["hex"]
CARD = "6223164991230014"  # the published test card of the constructed purchase, cup.md section 7
PURCHASE = (
    "007460000300006031003100000200302004C020C09811000000000000010000000123021000123762231649"
    "91230014D3012201000001234567803132333435363738313233343536373839303132333435313536F5D4AEDECBD60833"
    "26000000000000000013220000010005003931303242363537"
)


def test_the_card_number_is_masked_unless_asked_for() -> None:
    assert CARD not in run(PURCHASE)[1]
    assert CARD not in run("--json", PURCHASE)[1]
    assert CARD in run("--json", "--clear", PURCHASE)[1]


def test_the_raw_bytes_are_masked_like_the_elements() -> None:
    track = PURCHASE.index(f"37{CARD}D3012201")
    for form in ((), ("--json",)):
        masked, clear = run("--raw", *form, PURCHASE)[1], run("--raw", "--clear", *form, PURCHASE)[1]
        assert PURCHASE in clear
        assert PURCHASE not in masked
        assert PURCHASE[:track] in masked, "framing, MTI, bitmap and amount stay"
        assert not any(secret in masked for secret in (CARD, "D3012201", "F5D4AEDECBD60833"))


@pytest.mark.parametrize("dialect", ["auto", "cup", "nac", "iso87", "iso87-binary"])
def test_a_frame_without_its_beginning_shows_no_card_number(dialect: str) -> None:
    """The card number may then stand in TPDU, header, bitmap, or any element: nine digits in a row are too many."""
    for skipped in range(0, 64, 2):
        for form in ((), ("--json",), ("--json", "--raw")):
            shown = run(*form, "--dialect", dialect, PURCHASE[skipped:])[1]
            windows = [CARD[at : at + 9] for at in range(len(CARD) - 8)]
            assert not [digits for digits in windows if digits in shown], (skipped, form)


def test_hex_comes_from_standard_input_with_blanks_and_line_ends() -> None:
    spaced = "\n".join(SALE[i : i + 20] for i in range(0, len(SALE), 20))
    assert run("-", stdin=spaced)[0] == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [("01G0", "character 3"), ("010", "odd number"), ("", "nothing to decode")],
)
def test_what_is_not_hex_is_told_with_its_place(text: str, says: str) -> None:
    code, output = run(text)
    assert code == 2
    assert says in output


def test_a_truncated_frame_names_the_byte() -> None:
    code, output = run(PURCHASE[:-40])
    assert code == 2
    assert "byte" in output
