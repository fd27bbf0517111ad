"""What is printed for one transaction: the slip (签购单) of every kind, and the report of a fault that is no voucher.

A slip is made from the journal row alone, with the set-up: printed again from the same row, today or from the archive
after a restart, it is the same text byte for byte, apart from the mark in its first line (failure-catalogue case 78).
So nothing stands on it that changes later: not the row's state, and of a stored advice nothing that its answer brings.

Card numbers show their first six and last four digits, the expiry nothing. flows.md section 10 has pre-authorisation
slips with the whole number, as the old terminals print them; here no kind does, since card data is masked in whatever
leaves the terminal, and a completion needs the authorisation code and not the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specs import tlv
from specs.errors import DecodeError
from specs.masking import mask_pan
from specs.operation import ADJUSTMENTS, Kind
from terminal_sim.paper import RULE, centred, field, fold
from terminal_sim.settlement_slip import detail as detail
from terminal_sim.settlement_slip import settlement as settlement
from terminal_sim.slip_parts import clock_time, gives_back, head, masked_card, money, text
from terminal_sim.slip_texts import DUPLICATE, KINDS, Wording
from terminal_sim.state import Config, Pending, Row, Slip

ADVISED = ADJUSTMENTS | {Kind.OFFLINE_SALE, Kind.COMPLETION_ADVICE}
"""Kinds whose slip is printed before the host has answered; the answer must not change what a reprint says."""
_ANSWERED = frozenset({"rrn", "code", "issuer", "acquirer"})
"""Lines that only an answer fills."""
_CARD_NUMBER_DE, _AUTH_CODE_DE = 2, 38
_AID_TAGS = ("84", "9F06", "4F")
_CRYPTOGRAM, _CRYPTOGRAM_KIND = "9F26", "9F27"
_CHIP_LINES: Mapping[str, str] = {"95": "TVR", "9B": "TSI", "9F36": "ATC"}
_CRYPTOGRAMS: Mapping[str, str] = {"00": "AAC", "40": "TC", "80": "ARQC"}
"""Cryptogram information data, its two highest bits (EMV book 3, table 15)."""


def transaction(config: Config, family: str, row: Row) -> Slip:
    """The slip of a journaled transaction: a copy with a signature line for the merchant, one for the cardholder."""
    words = Wording.of(config, family)
    body = _transaction_lines(config, words, row)
    signature = [words.label("signature"), "", "", RULE]
    copies = (
        [*body, *signature, centred(words.label("merchant-copy"))],
        [*body, centred(words.label("cardholder-copy"))],
    )
    return Slip(KINDS[row.kind][1], tuple(text(lines) for lines in copies))


def _transaction_lines(config: Config, words: Wording, row: Row) -> list[str]:
    entries = {
        "pan": masked_card(row),
        "expiry": "**/**" if row.expiry else "",
        "issuer": row.issuer.strip(),
        "acquirer": row.acquirer.strip(),
        "kind": words.kind(row.kind, row.of),
        "batch": row.batch,
        "stan": row.stan,
        "invoice": row.invoice if words.family == "nac" else "",
        "original": row.original_stan,
        "auth": _auth_code(row),
        "rrn": row.rrn,
        "code": row.response_code,
        "time": clock_time(row.at),
    }
    lines = [*head(config, words, "sale-slip", row.operator), RULE]
    for key, value in entries.items():
        if value and not (key in _ANSWERED and row.kind in ADVISED):
            lines += field(words.label(key), value)
    return [*lines, *_chip_lines(row), RULE, *_amount_lines(config, words, row), RULE]


def _auth_code(row: Row) -> str:
    """The code that was known when the slip was printed: an advice shows it only if it was sent with it."""
    if row.kind in ADVISED and row.image is not None and _AUTH_CODE_DE not in row.image:
        return ""
    return row.auth_code


def _amount_lines(config: Config, words: Wording, row: Row) -> list[str]:
    """The amount, or its parts above the total. What goes back to the card stands with a minus."""
    sign = -1 if gives_back(row) else 1
    parts = {"tip": row.tip, "cash": row.cash}
    lines = field(words.label("amount"), money(config, sign * (row.amount - sum(parts.values()))))
    for key, part in parts.items():
        lines += field(words.label(key), money(config, sign * part)) if part else []
    return lines + (field(words.label("total"), money(config, sign * row.amount)) if any(parts.values()) else [])


def _chip_lines(row: Row) -> list[str]:
    """AID, cryptogram, TVR, TSI and ATC of a chip card's DE 55, as far as it has them."""
    try:
        tags = {item.tag: item.value.hex().upper() for item in tlv.parse(bytes.fromhex(row.chip))}
    except (ValueError, DecodeError):
        return []
    lines = [("AID", next((tags[tag] for tag in _AID_TAGS if tag in tags), ""))]
    if _CRYPTOGRAM in tags:
        lines.append((_cryptogram_name(tags, row.chip_end), tags[_CRYPTOGRAM]))
    lines += [(name, tags.get(tag, "")) for tag, name in _CHIP_LINES.items()]
    return [line for name, value in lines if value for line in field(name, value)]


def _cryptogram_name(tags: Mapping[str, str], chip_end: str) -> str:
    """What the card itself says of its cryptogram, else how the transaction ended."""
    if said := tags.get(_CRYPTOGRAM_KIND):
        return _CRYPTOGRAMS.get(f"{int(said, 16) & 0xC0:02X}", "ARQC")
    return {"tc": "TC", "aac": "AAC"}.get(chip_end, "ARQC")


# --- faults ---------------------------------------------------------------------------------------------------------


def fault(config: Config, family: str, pending: Pending, why: str, *, operator: str = "", at: str = "") -> Slip:
    """The report of a reversal that the host does not take (故障报告单,非凭证联). why: for people; at: MMDDhhmmss."""
    words = Wording.of(config, family)
    card = pending.image.get(_CARD_NUMBER_DE) or ""
    entries = {
        "kind": words.kind(pending.kind),
        "batch": pending.batch,
        "stan": pending.stan,
        "pan": mask_pan(card) if card else "",
        "amount": money(config, pending.amount),
        "code": pending.reason,
        "time": clock_time(at),
    }
    lines = [*head(config, words, "fault-slip", operator), RULE, words.label("reversal-owed")]
    for key, value in entries.items():
        lines += field(words.label(key), value) if value else []
    return Slip("FAULT", (text([*lines, *fold(why), RULE]),))


# --- again ----------------------------------------------------------------------------------------------------------


def duplicate(slip: Slip) -> Slip:
    """The same slip with the mark in its first line, and else byte for byte the same (failure-catalogue case 78)."""
    return replace(slip, copies=tuple(f"{centred(DUPLICATE)}\n{copy}" for copy in slip.copies))


def on_paper(slip: Slip) -> str:
    """All copies one below the other, with a tear line between them."""
    return "\n".join(slip.copies)
