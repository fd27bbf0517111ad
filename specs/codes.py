"""DE 39: response codes, refusals by reason, reversal reasons, and the sets a terminal acts on.

Engine and rules speak of a `Refusal`; only this module knows which code says it in which family (rules.md section 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from specs.response_table import CUP_ROWS, ISO87_ROWS, NAC_ROWS, UNKNOWN_CODE, Action, Category, ResponseCode

__all__ = [
    "ADVICE_DELIVERED",
    "FAMILIES",
    "FORMAT_IDENTITY_KEY",
    "REFUSAL_CODES",
    "RESPONSE_CODES",
    "RESPONSE_TABLES",
    "REVERSAL_ACK",
    "TRANSIENT",
    "UPLOAD_ACK",
    "Action",
    "Category",
    "Refusal",
    "ResponseCode",
    "ReversalReason",
    "for_refusal",
    "is_approved",
    "response_code",
    "text",
]

FAMILIES = ("cup", "nac", "iso87")

RESPONSE_TABLES = (CUP_ROWS, NAC_ROWS, ISO87_ROWS)

RESPONSE_CODES: Mapping[str, Mapping[str, ResponseCode]] = MappingProxyType(
    {
        family: MappingProxyType({row.code: row for row in rows})
        for family, rows in zip(FAMILIES, RESPONSE_TABLES, strict=True)
    }
)
"""Family -> code -> row."""


def response_code(family: str, code: str) -> ResponseCode:
    """The row of a code; an unlisted one is «unknown», category C."""
    return RESPONSE_CODES[family].get(code, UNKNOWN_CODE)


def text(family: str, code: str, lang: str = "en") -> str:
    """What to show for a code, `lang` "en" or "zh"."""
    row = response_code(family, code)
    return {"en": row.meaning, "zh": row.text}[lang]


_APPROVED: Mapping[str, frozenset[str]] = {
    family: frozenset(code for code, row in rows.items() if row.approved) for family, rows in RESPONSE_CODES.items()
}


def is_approved(family: str, code: str) -> bool:
    """Whether DE 39 says yes (partial approval included)."""
    return code in _APPROVED[family]


class Refusal(StrEnum):
    """Why the host says no, in no dialect's words. A partial approval is not among them: it is a yes."""

    FORMAT = "format"
    UNKNOWN_TERMINAL = "unknown-terminal"
    UNKNOWN_MERCHANT = "unknown-merchant"
    NOT_SIGNED_ON = "not-signed-on"
    BAD_MAC = "bad-mac"
    DUPLICATE = "duplicate"
    """A request whose key names another transaction already."""
    ADVICE_CONFLICT = "advice-conflict"
    """An advice whose key names another transaction: never 94, which the terminal would take for «delivered»."""
    ORIGINAL_REVERSED = "original-reversed"
    """A reversed or tombstoned original comes again."""
    CLOSED_BATCH = "closed-batch"
    UNKNOWN_BATCH = "unknown-batch"
    """A batch number the host never opened, while its open batch holds items of that terminal."""
    UNKNOWN_TYPE = "unknown-type"
    NOT_OFFERED = "not-offered"
    INVALID_AMOUNT = "invalid-amount"
    OVER_LIMIT = "over-limit"
    INVALID_CARD = "invalid-card"
    NO_SUCH_ISSUER = "no-such-issuer"
    EXPIRED_CARD = "expired-card"
    STOLEN_CARD = "stolen-card"
    LOST_CARD = "lost-card"
    RESTRICTED_CARD = "restricted-card"
    DO_NOT_HONOUR = "do-not-honour"
    ORIGINAL_NOT_FOUND = "original-not-found"
    """Of a void, refund, completion or reversal."""
    AMOUNT_DIFFERS = "amount-differs"
    REFUND_OVER_ORIGINAL = "refund-over-original"
    COMPLETION_OVER_LIMIT = "completion-over-limit"
    VOID_NOT_POSSIBLE = "void-not-possible"
    """Already voided, reversed or declined, or its batch is closed."""
    ALREADY_COMPLETED = "already-completed"
    ADJUST_NOT_POSSIBLE = "adjust-not-possible"
    """Of a voided or reversed sale."""
    NOTHING_TO_REVERSE = "nothing-to-reverse"
    """The original is known and never was approved, or was voided since: the terminal is done."""
    WRONG_PIN = "wrong-pin"
    PIN_TRIES = "pin-tries"
    PIN_UNREADABLE = "pin-unreadable"
    FUNDS = "funds"
    ISSUER_DOWN = "issuer-down"
    """The link is down, nothing was sent."""
    ISSUER_SILENT = "issuer-silent"
    """Sent, not answered: a 0420 to the issuer follows."""
    OWN_TROUBLE = "own-trouble"


_SAME_EVERYWHERE: Mapping[Refusal, str] = {
    Refusal.FORMAT: "30",
    Refusal.UNKNOWN_MERCHANT: "03",
    Refusal.DUPLICATE: "94",
    Refusal.ADVICE_CONFLICT: "12",
    Refusal.ORIGINAL_REVERSED: "12",
    Refusal.UNKNOWN_TYPE: "12",
    Refusal.NOT_OFFERED: "40",
    Refusal.INVALID_AMOUNT: "13",
    Refusal.OVER_LIMIT: "61",
    Refusal.INVALID_CARD: "14",
    Refusal.NO_SUCH_ISSUER: "15",
    Refusal.EXPIRED_CARD: "54",
    Refusal.STOLEN_CARD: "43",
    Refusal.LOST_CARD: "41",
    Refusal.RESTRICTED_CARD: "62",
    Refusal.DO_NOT_HONOUR: "05",
    Refusal.ORIGINAL_NOT_FOUND: "25",
    Refusal.AMOUNT_DIFFERS: "64",
    Refusal.REFUND_OVER_ORIGINAL: "64",
    Refusal.COMPLETION_OVER_LIMIT: "61",
    Refusal.VOID_NOT_POSSIBLE: "12",
    Refusal.ALREADY_COMPLETED: "12",
    Refusal.ADJUST_NOT_POSSIBLE: "12",
    Refusal.NOTHING_TO_REVERSE: "12",
    Refusal.WRONG_PIN: "55",
    Refusal.PIN_TRIES: "75",
    Refusal.FUNDS: "51",
    Refusal.ISSUER_DOWN: "91",
    Refusal.OWN_TROUBLE: "96",
}

# Where rules.md section 8 has a dash the case cannot arise in that family; the code is then the nearest honest one.
_BY_FAMILY: Mapping[Refusal, tuple[str, str, str]] = {
    Refusal.UNKNOWN_TERMINAL: ("97", "89", "58"),
    Refusal.NOT_SIGNED_ON: ("A0", "58", "58"),
    Refusal.BAD_MAC: ("A0", "63", "63"),
    Refusal.CLOSED_BATCH: ("22", "80", "12"),
    Refusal.UNKNOWN_BATCH: ("22", "80", "12"),
    Refusal.PIN_UNREADABLE: ("99", "81", "81"),
    Refusal.ISSUER_SILENT: ("98", "91", "91"),
}

REFUSAL_CODES: Mapping[str, Mapping[Refusal, str]] = MappingProxyType(
    {
        family: MappingProxyType({**_SAME_EVERYWHERE, **{why: codes[at] for why, codes in _BY_FAMILY.items()}})
        for at, family in enumerate(FAMILIES)
    }
)
"""Family -> reason -> DE 39; every reason has a code in every family."""


def for_refusal(family: str, refusal: Refusal) -> str:
    """The code that says this reason in this family."""
    return REFUSAL_CODES[family][refusal]


class ReversalReason(StrEnum):
    """DE 39 of a CUP 0400."""

    NO_ANSWER = "98"
    BAD_MAC = "A0"
    OTHER = "06"
    """Malformed answer, power cut, cancelled, or an earlier reversal was refused."""


# --- what a terminal does with the code of an answer (rules.md 2, 3, 6) -----------------------------------------------

_REVERSAL_DONE = frozenset({"00", "25", "12", "94"})

REVERSAL_ACK: Mapping[str, frozenset[str]] = MappingProxyType(
    {"cup": _REVERSAL_DONE, "nac": _REVERSAL_DONE | {"21", "78"}, "iso87": _REVERSAL_DONE}
)
"""Codes of a 0410 or 0430 that clear the pending reversal; every other code keeps it."""

UPLOAD_ACK = frozenset({"00", "94"})
"""Codes of a 0330 that set the item's flag; 94 means «uploaded before»."""

ADVICE_DELIVERED = frozenset({"00", "94"})
"""Codes of a 0230 after which the advice is not sent again."""

TRANSIENT = frozenset({"68", "91", "96", "98"})
"""An advice answered so is decided again when it is repeated (RH2)."""

FORMAT_IDENTITY_KEY = frozenset({"30", "97", "03", "89", "99", "A0", "63"})
"""Never stored as the final answer of a key: the next delivery is decided afresh (rules.md 2)."""
