"""Latencies counted in buckets that grow with the value: 64 to each doubling, so no figure is more than 1.6 % off."""

from __future__ import annotations

from collections.abc import Sequence

_SUB_BITS = 6
_SUB = 1 << _SUB_BITS
_EXACT = 2 * _SUB
"""Below this every value has a bucket of its own."""
BUCKETS = 26 * _SUB
"""Up to 2^31 µs, half an hour; what is larger counts there."""


def bucket_of(us: int) -> int:
    """The bucket of a latency in whole microseconds."""
    if us < _EXACT:
        return max(us, 0)
    shift = us.bit_length() - _SUB_BITS - 1
    return min((shift << _SUB_BITS) + (us >> shift), BUCKETS - 1)


def highest_of(bucket: int) -> int:
    """The largest latency, in microseconds, that falls into a bucket."""
    if bucket < _EXACT:
        return bucket
    shift = (bucket >> _SUB_BITS) - 1
    return ((bucket - (shift << _SUB_BITS) + 1) << shift) - 1


class Histogram:
    """Counts by bucket; what was counted can be read as percentiles and added up over rounds."""

    __slots__ = ("counts",)

    def __init__(self, counts: Sequence[int] = ()) -> None:
        self.counts = list(counts) or [0] * BUCKETS

    def record(self, us: int) -> None:
        """One latency, in whole microseconds."""
        self.counts[bucket_of(us)] += 1

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def percentile(self, percent: float) -> int:
        """The latency in µs that this share of all did not exceed; 0 when nothing was counted."""
        total = self.total
        if not total:
            return 0
        wanted, seen = max(1, -int(-total * percent // 100)), 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return highest_of(bucket)
        raise AssertionError("more wanted than counted")
