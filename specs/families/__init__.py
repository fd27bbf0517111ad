"""The readers and writers of each dialect family: Message <-> Operation and Outcome, the same code at both ends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from specs.dialect import Dialect
from specs.message import Message
from specs.operation import Operation, Outcome, Unreadable
from specs.totals import BatchItem, Totals

NAMES = ("cup", "nac", "iso87")


class Family(Protocol):
    """What a family module offers. All functions are pure; none makes or checks a MAC (specs.security does)."""

    def read_request(self, message: Message, dialect: Dialect) -> Operation | Unreadable:
        """At the host: what does this message ask? Unreadable names the data element and the refusal."""

    def write_answer(self, request: Message, outcome: Outcome, dialect: Dialect) -> Message:
        """At the host: the answer; echoes TPDU (swapped), header and private elements of the request. DE 64 absent."""

    def write_request(self, operation: Operation, dialect: Dialect) -> Message:
        """At the terminal: the request. DE 64 absent; `carries_mac` says whether the caller must add it."""

    def reversal_of(self, request: Message, reason: str, dialect: Dialect, auth_code: str = "") -> Message:
        """At the terminal: the 0400 to a request as it was stored. DE 64 absent. reason: codes.ReversalReason."""

    def repeat_of(self, request: Message) -> Message:
        """At the terminal: a stored advice or reversal as it is sent again; only ISO 87 sets the repeat digit."""

    def copy_of(self, advice: Message, dialect: Dialect) -> Message:
        """At the terminal: the upload copy (0320) of a stored 0220 (CUP; flows.md, section 5). Raises: EncodeError."""

    def read_answer(self, message: Message, dialect: Dialect) -> Outcome:
        """At the terminal: what does the answer say? Raises specs.errors.DecodeError when it cannot be read."""

    def fits(self, request: Message, answer: Message) -> str:
        """RT5 at the terminal: "" when the answer is one to this request, else the reason why not."""

    def count(self, items: Iterable[BatchItem]) -> Totals:
        """The wire's totals over one batch (rules.md, section 5)."""

    def carries_mac(self, message: Message) -> bool:
        """Whether a message of this kind carries DE 64 (security.md, section 6); for answers: given its DE 39."""

    def tracks_encrypted(self, message: Message) -> bool:
        """At the host: whether the tracks are under the terminal's track key (security.md, section 7)."""

    def in_clear(self, message: Message, tdk: bytes) -> Message:
        """At the host: the same message with its tracks in clear. Raises specs.errors.SecurityError: another key."""

    def refusal_answer(self, request: Message, unreadable: Unreadable, at: str, dialect: Dialect) -> Message | None:
        """The protocol's answer to an unreadable request; None when it cannot be paired (no MTI of a request)."""


@cache
def family(name: str) -> Family:
    """The module of a family by its name; the caller got the name from a loaded dialect."""
    assert name in NAMES, name
    return cast(Family, import_module(f"specs.families.{name}"))
