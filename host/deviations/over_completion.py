"""A completion may be as high as anybody likes."""

from __future__ import annotations

from host.deviations.model import Deviation
from specs.profile import Profile
from specs.values import replace

_PERCENT = 1_000_000


def _profile(profile: Profile) -> Profile:
    return replace(profile, completion_percent=_PERCENT)


DEVIATION = Deviation(
    name="over-completion",
    what="A completion above 115 % of its pre-authorisation is accepted.",
    cases=(58,),
    rule="A11",
    profile=_profile,
)
