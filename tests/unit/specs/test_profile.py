"""The switches of a dialect: what a file may say there."""

from __future__ import annotations

import pytest

from specs.errors import DialectError
from specs.profile import Profile, profile_of

GOOD = {"family": "nac", "key_scheme": "host-batch"}


def test_what_a_file_leaves_out_has_its_default() -> None:
    profile = profile_of("x", GOOD)
    assert (profile.capture, profile.preauth_days, profile.completion_percent) == ("HC", 30, 115)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("capture", "XX"),
        ("mac", "foo"),
        ("not_found", "79"),
        ("empty_batch", "99"),
        ("final_not_agreed", "1"),
        ("upload_repeat", "12"),
        ("reversal_mti", "0200"),
        ("preauth_days", 0),
        ("completion_percent", -3),
        ("dup_hours", "24"),
        ("debit_groups", "yes"),
        ("de60_batch", 1),
        ("key_scheme", "by-eye"),
    ],
)
def test_a_value_that_means_nothing_is_told(key: str, value: object) -> None:
    with pytest.raises(DialectError) as caught:
        profile_of("mybank.toml", GOOD | {key: value})
    assert "mybank.toml" in str(caught.value)
    assert "profile" in str(caught.value)


def test_every_switch_of_text_has_its_choices() -> None:
    from dataclasses import fields

    from specs.profile import _CHOICES

    texts = {f.name for f in fields(Profile) if isinstance(f.default, str)}
    assert texts == set(_CHOICES)
