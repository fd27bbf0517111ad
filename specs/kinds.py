"""The kinds of operation: one word each, the same in the API, the journal, the log and the code."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a message asks; the names are those of the API (interface.md, section 3)."""

    SIGN_ON = "sign-on"
    SIGN_OFF = "sign-off"
    ECHO = "echo"
    BALANCE = "balance"
    SALE = "sale"
    VOID = "void"
    REFUND = "refund"
    REVERSAL = "reversal"
    SETTLE = "settle"
    UPLOAD = "upload"
    UPLOAD_END = "upload-end"
    OTHER = "other"
    """A request that the host does not serve: it is told so after the checks of who speaks and with which key."""


#: The kinds that move money and so live in a batch.
FINANCIAL = frozenset({Kind.SALE, Kind.VOID, Kind.REFUND})
#: The kinds whose lost answer the terminal undoes with a reversal (cup.md section 4, column «reversal?»).
REVERSIBLE = frozenset({Kind.SALE, Kind.VOID})
