"""Messages as a ladder: one line a message, an arrow from who sent it to who got it, faults marked ✗. Pure.

    09:00:04 │── 0200 sale 268.00 · STAN 000005 ───────────────────────────────────▶│
    09:00:04 │  ✗ ──────────────────────── 0210 · 00 approved · RRN 061000000005 ──│ dropped after commit

The messages are those of the API (`GET /messages`), so the ladder is what the host saw, with card data masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from specs import codes
from specs.dialect import Dialect, load
from specs.errors import SpecError
from specs.families import NAMES, family
from specs.kinds import FINANCIAL, RESERVATIONS
from specs.message import Message
from specs.money import format_amount
from specs.operation import Kind, Operation, Outcome, Verdict
from specs.totals import Totals

WIDTH = 100
DEFAULT_CURRENCY = "156"
"""Where a message names none (NAC): what terminals are set up with here."""
_TIME = 9
_REMARK = 27
_LANE = WIDTH - _TIME - _REMARK - 2
"""Characters between the two rails."""
MTI_DIGITS = 4

Shape = Mapping[str, Any]

_VERDICTS: Mapping[Verdict, str] = {
    Verdict.AGREED: "agreed",
    Verdict.DIFFERS: "totals differ",
    Verdict.STILL_DIFFERS: "still differ",
    Verdict.UPLOAD_INCOMPLETE: "upload incomplete",
    Verdict.CLOSED_OTHER: "closed, other totals",
    Verdict.NUMBER_STALE: "number stale",
    Verdict.NUMBER_UNKNOWN: "number unknown",
}
_MONEY = FINANCIAL | RESERVATIONS | {Kind.REVERSAL}
_WORDS: Mapping[str, str] = {
    Kind.CASH_BACK: "sale with cash back",
    Kind.PRE_AUTH_INCREMENT: "pre-auth increment",
    Kind.PRE_AUTH_VOID: "pre-auth void",
    Kind.COMPLETION_ADVICE: "completion advice",
    Kind.COMPLETION_VOID: "completion void",
    Kind.OFFLINE_SALE: "offline sale",
    Kind.ADJUST: "new total",
    Kind.SCRIPT_RESULT: "result of a chip script",
    Kind.TC_UPLOAD: "upload of a chip item",
    Kind.UPLOAD_END: "end of the upload",
}
"""How a kind is called where its own name does not read well."""
_DOWNLOADS: Mapping[str, str] = {
    "360": " of parameters",
    "361": " of parameters: end",
    "362": ": the terminal tells its status",
    "370": " of a CA key",
    "371": " of CA keys: end",
    "372": " of the list of CA keys",
    "380": " of IC parameters",
    "381": " of IC parameters: end",
    "382": " of the list of IC parameters",
}
"""CUP 60.3 (cup.md, section 5.8)."""
_READ_BY: Mapping[str, str] = {"05": "by chip", "07": "contactless"}
"""The first two digits of DE 22, as far as the ladder tells them apart."""
_SETTLED = ("0510", "0530")
_WITH_RRN = ("0110", "0210", "0230")


def heading(tid: str, dialect: str) -> str:
    """The line above the rails."""
    left = f"terminal {tid}"
    return " " * _TIME + left + f"host ({dialect})".rjust(_LANE + 2 - len(left))


def rung(message: Shape) -> str:
    """One message as one line, at most WIDTH characters."""
    incoming = message["direction"] == "in"
    label = _fitted(_request_label(message) if incoming else _answer_label(message))
    draw = _to_host if incoming else _to_terminal
    line = f"{_clock(message['at'])} │{draw(label, _lost(message))}│ {_remark(message)}"
    return line.rstrip()[:WIDTH]


def rungs(messages: Sequence[Shape]) -> list[str]:
    """All of them; a settlement says below its arrow which totals it carries."""
    found = []
    for message in messages:
        found.append(rung(message))
        if totals := _totals(message):
            inside = f"   {totals}"
            rail = "│" if len(inside) <= _LANE else ""
            found.append(f"{' ' * _TIME}│{inside:{_LANE}}{rail}"[:WIDTH])
    return found


# ---- arrows


def _to_host(label: str, lost: bool) -> str:
    head = f"── {label} "
    if lost:
        return (head + "─" * (_LANE - len(head) - 4) + " ✗").ljust(_LANE)
    return head + "─" * (_LANE - len(head) - 1) + "▶"


def _to_terminal(label: str, lost: bool) -> str:
    tail = f" {label} ──"
    if lost:
        return ("✗ " + "─" * (_LANE - len(tail) - 4) + tail).rjust(_LANE)
    return "◀" + "─" * (_LANE - len(tail) - 1) + tail


def _fitted(label: str) -> str:
    room = _LANE - 10
    return label if len(label) <= room else label[: room - 1] + "…"


# ---- words


def _clock(at: str) -> str:
    """The time of day of an RFC 3339 time."""
    return at[11:19]


def _request_label(message: Shape) -> str:
    kind, fields = message["kind"], message["fields"]
    parts = [f"{message['mti']} {_WORDS.get(kind, kind) or '?'}"]
    if kind in _MONEY and fields.get("4", "").isdigit():
        parts[0] += _amount(message) + _means(fields)
    elif kind == Kind.BALANCE:
        parts[0] += _means(fields)
    elif kind == Kind.UPLOAD:
        parts[0] += _uploaded(fields)
    elif (asked := _operation(message)) is not None:
        parts[0] += _what(asked)
    if len(message["mti"]) == MTI_DIGITS and message["mti"][-1] in "135":
        parts[0] += " again"
    if message["stan"]:
        parts.append(f"STAN {message['stan']}")
    return " · ".join(parts)


def _amount(message: Shape) -> str:
    """DE 4. Of a tip it is the new total; a CUP tip has the original amount there and itself in DE 48."""
    fields = message["fields"]
    amount, tip = _money(int(fields["4"]), fields), fields.get("48", "")
    if message["kind"] != Kind.TIP:
        return f" {amount}"
    return f" {_money(int(tip), fields)} on {amount}" if tip.isdigit() else f", new total {amount}"


def _means(fields: Mapping[str, str]) -> str:
    """Chip and PIN, as far as the message says so."""
    said = [_READ_BY.get(fields.get("22", "")[:2], ""), "with PIN" if "52" in fields else ""]
    return "".join(f" {word}" for word in said if word)


def _uploaded(fields: Mapping[str, str]) -> str:
    """How much an upload carries, from what masking leaves: an item's amount (NAC), a group's count (CUP)."""
    if fields.get("4", "").isdigit():
        return f" of {_money(int(fields['4']), fields)}"
    count = fields.get("48", "")[:2]
    return f" of {_many(int(count))}" if count.isdigit() else ""


def _what(asked: Operation) -> str:
    """What a settlement or the end of an upload says of the batch, and what a download asks for."""
    if asked.final:
        return " after the upload" if asked.processing_code else ": the last word"
    if asked.kind is Kind.DOWNLOAD:
        return _DOWNLOADS.get(asked.function, "")
    return f": {_many(asked.count)}" if asked.count is not None else ""


def _many(number: int) -> str:
    return f"{number} item{'' if number == 1 else 's'}"


def _totals(message: Shape) -> str:
    """Whose totals a settlement message shows, "" when it shows none."""
    if message["kind"] != Kind.SETTLE:
        return ""
    if message["direction"] == "in":
        asked = _operation(message)
        return f"terminal: {totals_text(asked.totals, _currency(message))}" if asked and asked.totals else ""
    said = _outcome(message)
    return f"host: {totals_text(said.totals, _currency(message))}" if said and said.totals else ""


def totals_text(totals: Totals, currency: str) -> str:
    """The sums that are not zero, in one line: "domestic debit 3/325.50, credit 1/12.50"."""
    shown: list[str] = []
    side = "all"
    for row in totals.sums:
        if not row.count and not row.amount:
            continue
        named = f"{row.side} " if row.side != side else ""
        shown.append(f"{named}{row.group} {row.count}/{format_amount(row.amount, currency)}")
        side = row.side
    return ", ".join(shown) or "nothing"


def _answer_label(message: Shape) -> str:
    parts = [str(message["mti"])]
    code = message["response_code"]
    dialect = _dialect(message)
    if verdict := _verdict(message):
        parts.append(f"{code} {verdict}".strip())
    elif code:
        known = dialect.family if dialect and dialect.family in codes.FAMILIES else "iso87"
        parts.append(f"{code} {_SHORT.split(codes.text(known, code))[0]}")
    if message["rrn"] and message["mti"] in _WITH_RRN:
        parts.append(f"RRN {message['rrn']}")
    return " · ".join(parts)


def _verdict(message: Shape) -> str:
    """What the answer to a settlement says of the totals, side by side where the dialect does."""
    outcome = _outcome(message) if message["mti"] in _SETTLED else None
    if outcome is None:
        return ""
    if outcome.sides:
        said = {side: _VERDICTS[verdict] for side, verdict in outcome.sides}
        if len(set(said.values())) == 1:
            return next(iter(said.values()))
        return ", ".join(f"{side} {text}" for side, text in said.items())
    return _VERDICTS[outcome.verdict] if outcome.verdict is not None else ""


def _outcome(message: Shape) -> Outcome | None:
    """The answer read again; None when the masked copy can no longer be read."""
    dialect = _dialect(message)
    if dialect is None or dialect.family not in NAMES:
        return None
    try:
        return family(dialect.family).read_answer(_message(message), dialect)
    except SpecError:
        return None


def _operation(message: Shape) -> Operation | None:
    """The message read again; None when the masked copy can no longer be read."""
    dialect = _dialect(message)
    if dialect is None or dialect.family not in NAMES:
        return None
    try:
        read = family(dialect.family).read_request(_message(message), dialect)
    except SpecError:
        return None
    return read if isinstance(read, Operation) else None


def _message(shape: Shape) -> Message:
    return Message(shape["mti"], {int(de): value for de, value in shape["fields"].items() if de.isdigit()})


def _dialect(message: Shape) -> Dialect | None:
    try:
        return load(message["dialect"])
    except SpecError:
        return None


def _money(minor: int, fields: Mapping[str, str]) -> str:
    try:
        return format_amount(minor, fields.get("49", DEFAULT_CURRENCY))
    except SpecError:
        return str(minor)


def _currency(message: Shape) -> str:
    return str(message["fields"].get("49", DEFAULT_CURRENCY))


_SHORT = re.compile(r" [/(]|[;,]")
"""Where the first of several meanings of a code ends."""
_FAULT = re.compile(r"fault \d+: (?P<name>[a-z-]+) .*, (?P<phase>before|after) the commit")
"""How the host's notes speak of a rule that struck."""


def _fault(message: Shape) -> re.Match[str] | None:
    texts = (found if isinstance(found, str) else str(found.get("message", "")) for found in message["notes"])
    return next((match for text in texts if (match := _FAULT.search(text))), None)


def _lost(message: Shape) -> bool:
    """Whether the frame did not arrive: a request that a rule dropped, an answer with another fate than sent."""
    if message["direction"] == "in":
        fault = _fault(message)
        return fault is not None and fault["name"] == "drop-request"
    return message["fate"] not in ("", "sent", "delayed", "dripped")


def _remark(message: Shape) -> str:
    """What a fault rule did, else how the frame ended."""
    if fault := _fault(message):
        return f"{fault['name']} {fault['phase']} commit"
    return str(message["fate"]) if message["fate"] not in ("", "sent") else ""
