"""What each family has of its own in the settlement dialogue: one row of facts (rules.md, sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specs.operation import Verdict
from specs.profile import Profile


@dataclass(frozen=True, slots=True)
class Facts:
    """Shape: see the comments; `codes` is DE 39 by verdict, empty = the profile's `settle_code` for all of them."""

    sides: tuple[str, ...] = ()  # answered one by one; () = one answer for all
    counts_voids: bool = False  # a voided sale and its void are uploaded, both
    uploads: bool = True  # whether items are on the wire at all
    by_day: bool = False  # whether a 0500 names its batch by the day of its items (DE 15), and the answer says that day
    report: str = "report-after-close"  # reason of a figure that the terminal reports for a closed batch
    codes: Mapping[Verdict, str] = field(default_factory=dict)


FACTS: Mapping[str, Facts] = {
    "cup": Facts(sides=("domestic", "foreign"), counts_voids=True),
    # STILL_DIFFERS is the profile's `final_not_agreed`.
    "nac": Facts(
        codes={
            Verdict.AGREED: "00",
            Verdict.DIFFERS: "95",
            Verdict.UPLOAD_INCOMPLETE: "95",
            Verdict.CLOSED_OTHER: "77",
            Verdict.NUMBER_STALE: "80",
            Verdict.NUMBER_UNKNOWN: "80",
        }
    ),
    # The verdict is DE 66's; DE 39 says only that the message was understood.
    "iso87": Facts(uploads=False, by_day=True, report="totals-differ", codes=dict.fromkeys(Verdict, "00")),
}


def facts_of(profile: Profile) -> Facts:
    """The facts of the family of a dialect that the host answers."""
    return FACTS[profile.family]


def code_for(profile: Profile, verdict: Verdict) -> str:
    """DE 39 of a 0510. CUP says it in DE 48 and carries none when good; its error for a wrong number is made apart."""
    if profile.family == "nac" and verdict is Verdict.STILL_DIFFERS:
        return profile.final_not_agreed
    codes = facts_of(profile).codes
    return codes[verdict] if codes else profile.settle_code
