"""The switches of rules.md as one typed value; a dialect file's [profile] table states what differs.

Every default here is a default of rules.md; the comment names its section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from specs.errors import DialectError
from specs.security import MAC_ALGORITHMS


class KeyScheme(StrEnum):
    """What names a transaction (rules.md, section 1)."""

    WIRE_BATCH = "wire-batch"  # CUP: TID, DE60.2, STAN
    HOST_BATCH = "host-batch"  # NAC: TID, STAN, the host's batch
    LOCAL_TIME = "local-time"  # ISO87: TID, STAN, DE13+DE12


@dataclass(frozen=True, slots=True)
class Profile:
    """Decision switches of one dialect. Units are in the names; hours and days are whole numbers."""

    family: str
    key_scheme: KeyScheme
    requires_sign_on: bool = False  # section 8, row «not signed on»
    mac: str = ""  # "" = none; else a name of specs.security.MAC_ALGORITHMS
    duplicates: str = "replay"  # section 2: "replay" | "refuse"
    dup_hours: int = 24  # section 1, scope of the search
    reversal_unseen: str = "25"  # section 3: "25" | "00"
    reversal_days: int = 30  # section 1, NAC reversal
    tombstone_hours: int = 24  # section 3; CUP keeps tombstones as long as the batch
    batch_number: str = "follow"  # section 6 NAC: "follow" | "strict" | "ignore"
    empty_batch: str = "00"  # section 6 NAC: "00" | "21"
    final_not_agreed: str = "77"  # section 6 NAC: "77" | "95" | "00"
    debit_groups: bool = False  # section 5 NAC
    settle_code: str = ""  # CUP: DE39 in a good 0510; "" = none
    capture: str = "HC"  # section 9: "HC" approval = capture | "TC" captured at the settlement
    dup_days: int = 30  # section 1, ISO87 scope of the search
    tombstone_days: int = 30  # section 3, ISO87
    reversed: str = "none"  # section 5, ISO87: "both" = reversed items in the forward and the reversal figures
    refund_unreferenced: str = "card"  # section 1, rule R: "card" | "refuse" | "accept"
    refund_on_timeout: str = "repeat"  # section 3, CUP terminal: "repeat" | "operator"
    not_found: str = "25"  # section 8, NAC void: "25" | "78"
    de60_batch: bool = False  # section 1, NAC: whether 6 digits of DE60 in a financial message are its batch number
    upload_repeat: str = "00"  # section 6: "00" | "94"
    offline_unknown: str = "suspense"  # section 9: "suspense" | "capture"; TC always captures
    cutoff_tc: str = "stale"  # section 7
    preauth_days: int = 30  # how long a pre-authorisation holds (failure-catalogue 57)
    completion_percent: int = 115  # section 8
    rc77: str = "archive"  # section 6, NAC terminal: "archive" | "error"
    reversal_mti: str = "0420"  # ISO87 terminal: "0420" | "0400" (iso87.md section 5)


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "mac": ("", *MAC_ALGORITHMS),
    "duplicates": ("replay", "refuse"),
    "reversal_unseen": ("25", "00"),
    "batch_number": ("follow", "strict", "ignore"),
    "empty_batch": ("00", "21"),
    "final_not_agreed": ("77", "95", "00"),
    "capture": ("HC", "TC"),
    "reversed": ("none", "both"),
    "refund_unreferenced": ("card", "refuse", "accept"),
    "refund_on_timeout": ("repeat", "operator"),
    "not_found": ("25", "78"),
    "upload_repeat": ("00", "94"),
    "offline_unknown": ("suspense", "capture"),
    "cutoff_tc": ("stale", "close"),
    "rc77": ("archive", "error"),
    "reversal_mti": ("0420", "0400"),
    "settle_code": ("", "00"),
}
"""What a switch may say; a value beside these would silently be the default, or worse."""


def _checked(name: str, profile: Profile) -> Profile:
    """Raises: DialectError naming the switch and what it may be."""
    for key, choices in _CHOICES.items():
        value = getattr(profile, key)
        if value not in choices:
            raise DialectError(name, f"profile.{key}", f"is not one of {', '.join(repr(c) for c in choices)}")
    for spec in fields(Profile):
        value, default = getattr(profile, spec.name), spec.default
        if isinstance(default, bool | int) and type(value) is not type(default):
            raise DialectError(name, f"profile.{spec.name}", f"must be of type {type(default).__name__}")
        if isinstance(default, int) and not isinstance(default, bool) and value <= 0:
            raise DialectError(name, f"profile.{spec.name}", "must be above 0")
    return profile


def profile_of(name: str, table: Mapping[str, object]) -> Profile:
    """Build a Profile from a dialect's [profile] table; unknown keys are the dialect's own and are left to it."""
    known = {f.name: f for f in fields(Profile)}
    values: dict[str, object] = {k: v for k, v in table.items() if k in known}
    try:
        values["key_scheme"] = KeyScheme(str(values["key_scheme"]))
        profile = Profile(**values)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError) as error:
        raise DialectError(name, "profile", str(error)) from error
    return _checked(name, profile)
