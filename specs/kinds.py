"""The kinds of operation: one word each, the same in the API, the journal, the log and the code."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a message asks; the names are those of the API (interface.md, section 3)."""

    SIGN_ON = "sign-on"
    SIGN_OFF = "sign-off"
    ECHO = "echo"
    DOWNLOAD = "download"
    """Parameters, CA keys, IC parameters, and the terminal's status upload: `Operation.function` tells which."""
    BALANCE = "balance"
    SALE = "sale"
    CASH_BACK = "cash-back"
    VOID = "void"
    """Of a sale, with cash back or not, of an offline sale, and in NAC and ISO 87 of a refund."""
    REFUND = "refund"
    PRE_AUTH = "pre-auth"
    PRE_AUTH_INCREMENT = "pre-auth-increment"
    PRE_AUTH_VOID = "pre-auth-void"
    COMPLETION = "completion"
    COMPLETION_ADVICE = "completion-advice"
    COMPLETION_VOID = "completion-void"
    OFFLINE_SALE = "offline-sale"
    ADJUST = "adjust"
    TIP = "tip"
    REVERSAL = "reversal"
    SCRIPT_RESULT = "script-result"
    SETTLE = "settle"
    UPLOAD = "upload"
    TC_UPLOAD = "tc-upload"
    UPLOAD_END = "upload-end"
    OTHER = "other"
    """A request that the host does not serve: it is told so after the checks of who speaks and with which key."""


#: The kinds that take money from the card when they are captured.
DEBITS = frozenset({Kind.SALE, Kind.CASH_BACK, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE})
#: The kinds that stand in the place of the sale or completion that they change (rules.md, section 5).
ADJUSTMENTS = frozenset({Kind.ADJUST, Kind.TIP})
#: The kinds that take an earlier one back by a person's hand.
VOIDS = frozenset({Kind.VOID, Kind.COMPLETION_VOID})
#: The kinds that move money and so live in a batch as items.
FINANCIAL = DEBITS | ADJUSTMENTS | VOIDS | {Kind.REFUND}
#: The kinds that only reserve: keyed like the others, in no total and no batch's items.
RESERVATIONS = frozenset({Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH_VOID})
#: The kinds whose lost answer the terminal undoes with a reversal (cup.md section 4, column «reversal?»). A refund is
#: one only where it is a request (NAC, ISO 87: 0200); the CUP advice is repeated instead (rules.md, section 3).
REVERSIBLE = (
    frozenset({Kind.SALE, Kind.CASH_BACK, Kind.COMPLETION, Kind.VOID, Kind.COMPLETION_VOID, Kind.REFUND}) | RESERVATIONS
)
