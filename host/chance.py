"""Chance, from a seed. The only module of the host that draws random numbers; a run with one seed draws the same.

These are the secrets of a test bench: working keys of test terminals, the key of the card hashes. Whoever knows the
seed knows them, and the seed is in the store.
"""

from __future__ import annotations

import hashlib
import hmac
import os

SEED_BITS = 62
"""Fits a signed column and a JSON number of any reader that keeps 64 bits."""


def fresh_seed() -> int:
    """A seed for a run that names none; shown, so that the run can be made again."""
    return int.from_bytes(os.urandom(8), "big") >> (64 - SEED_BITS)


def secret(seed: int, label: str) -> bytes:
    """32 bytes that follow from seed and label."""
    return hmac.digest(_key(seed), label.encode(), "sha256")


class Chance:
    """A stream of keys. start: where the stream begins; a restarted host begins elsewhere, so no key comes twice."""

    def __init__(self, seed: int, start: int = 0) -> None:
        self._key = _key(seed)
        self._counter = start

    def new_key(self, size: int) -> bytes:
        """`size` bytes, each of odd parity, as DES keys have them (FIPS 46-3)."""
        self._counter += 1
        stream = hashlib.shake_256(self._key + self._counter.to_bytes(16, "big")).digest(size)
        return bytes(odd_parity(byte) for byte in stream)


def odd_parity(byte: int) -> int:
    """The byte with its lowest bit set so that the number of ones is odd."""
    return byte ^ 1 if byte.bit_count() % 2 == 0 else byte


def _key(seed: int) -> bytes:
    return hashlib.sha256(b"closeout seed " + str(seed).encode()).digest()
