"""The library is the catalogue: a file a case, named by its slug, readable, and docs/library.md says what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from terminal_sim.lab.scenario import reading
from terminal_sim.lab.scenario.model import Scenario
from tests.support.library_page import PAGE, page, scenarios

CASES: Mapping[int, str] = {
    1: "resp-lost-rev-ok",
    2: "resp-lost-rev-lost",
    3: "rev-resp-lost",
    4: "late-resp-after-rev",
    5: "late-resp-next-txn",
    6: "rev-overtakes-original",
    7: "req-lost",
    8: "rev-25-deadlock",
    9: "dup-retransmit",
    10: "rekey-after-timeout",
    11: "rekey-other-terminal",
    12: "pwr-rev-made-not-sent",
    13: "pwr-after-send",
    14: "pwr-reply-before-journal",
    15: "pwr-journal-before-revclear",
    16: "pwr-before-print",
    17: "host-crash-before-commit",
    18: "host-crash-after-commit",
    19: "issuer-resp-lost",
    20: "issuer-late-approval",
    21: "rev-cleared-by-hand",
    22: "mac-fail-on-reply",
    23: "key-sync-lost",
    24: "partial-approval",
    25: "advice-transient-cached",
    26: "signon-lost-daycut",
    27: "settle-req-lost",
    28: "settle-resp-lost",
    29: "pwr-after-settle-send",
    30: "batch-no-mismatch",
    31: "batch-no-reused",
    32: "totals-count-diff",
    33: "totals-amount-diff",
    34: "totals-equal-items-differ",
    35: "upload-cut",
    36: "upload-dup-item",
    37: "upload-nack-ignored",
    38: "upload-unknown-item",
    39: "upload-reversed-item",
    40: "second-95",
    41: "settle-print-fail",
    42: "forgot-settle-days",
    43: "auto-settle-vs-sale",
    44: "forced-close-without-saf",
    45: "local-force-settle",
    46: "terminal-swapped",
    47: "two-terminals-one-tid",
    48: "stan-rollover",
    49: "stan-reused-after-crash",
    50: "journal-full",
    51: "daycut-journal-carried",
    52: "clock-skew-midnight",
    53: "void-after-settle",
    54: "void-resp-lost",
    55: "void-issuer-resp-lost",
    56: "refund-no-original",
    57: "preauth-never-completed",
    58: "completion-over-preauth",
    59: "tip-adjust-lost",
    60: "saf-never-uploaded",
    61: "saf-declined-later",
    62: "below-min-held",
    63: "above-max-held",
    64: "holiday-delay",
    65: "fee-rounding",
    66: "fee-class-cap",
    67: "payout-returned",
    68: "settled-not-charged",
    69: "failover-dup",
    70: "half-open",
    71: "rst-mid-frame",
    72: "split-coalesced",
    73: "slow-drip",
    74: "wrong-length",
    75: "cross-delivery",
    76: "resubmit-unknown",
    77: "failed-then-succeeded",
    78: "reprint-as-new",
    79: "rev-fields-wrong",
    80: "chip-refuses-after-approval",
    81: "qr-pending-then-paid",
    82: "settle-storm",
    83: "store-full",
    84: "pwr-row-written-twice",
}
"""failure-catalogue.md, section 2: number and slug."""
WAITING = {62, 63, 64, 65, 66, 67}
"""What they wait for is not there yet: funding."""

DAYS = {"standard-day", "standard-day-nac", "standard-day-iso87"}
"""Days without a fault, for the explorer to spoil."""


@cache
def every() -> dict[str, Scenario]:
    return {slug: reading.load(path) for slug, path in reading.library().items()}


def test_a_file_for_each_case() -> None:
    assert sorted(CASES) == list(range(1, 85))
    assert sorted((one.case, slug) for slug, one in every().items() if one.case) == sorted(CASES.items())
    assert {slug for slug, one in every().items() if not one.case} == DAYS


def test_only_these_wait() -> None:
    assert {one.case for one in every().values() if one.waiting} == WAITING
    assert all(one.waiting.startswith("needs ") for one in every().values() if one.waiting)


@pytest.mark.parametrize("slug", CASES.values())
def test_it_says_what_people_notice_and_how_it_must_end(slug: str) -> None:
    one = every()[slug]
    assert one.slug == slug
    assert one.notice.endswith(".")
    assert not one.notice.startswith("Scenario")
    assert one.title
    if one.waiting:
        return
    assert one.steps[-1].do in ("settle", "wait"), "a day ends with its settlement"
    assert one.expect.classes is not None
    assert one.expect.settled is not None, "the settled batches, worked out by hand"
    for variant in one.variants:
        assert variant.expect.classes is not None, variant.name
        assert variant.bugs or variant.host_bugs or variant.operator, variant.name


def test_the_page_is_written_from_the_files() -> None:
    assert PAGE.read_text(encoding="utf8") == page(scenarios()), "python -m tests.support.library_page"


def test_the_readme_counts_what_can_be_played() -> None:
    """A newcomer who is told of 84 ways and finds that six cannot be played trusts no other figure."""
    every = scenarios()
    waiting = sum(bool(one.waiting) for one in every)
    said = f"lists {len(every)} known ways ({len(every) - waiting} can be played; {waiting} are"
    assert said in (PAGE.parents[1] / "README.md").read_text(encoding="utf8")
