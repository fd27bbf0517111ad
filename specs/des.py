"""DES and TripleDES in ECB, over `cryptography`.

Recent releases moved TripleDES to a module of its own and deprecate 8- and 16-byte keys, so keys are expanded here:
single length K|K|K, double length K1|K2|K1 (security.md, implementation note).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import get_ident

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes

from specs.errors import SecurityError

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # releases before 43
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES  # type: ignore[no-redef,attr-defined,unused-ignore]

BLOCK = 8
"""Bytes of a DES block."""
_CONTEXTS_MAX = 8192
"""About 1 kB each; above it the oldest is built anew, 6 µs in place of 0.5."""


def expand_key(key: bytes) -> bytes:
    """The 24 bytes TripleDES wants, of 8, 16 or 24. Raises: SecurityError for another length."""
    match len(key):
        case 8:
            return key * 3
        case 16:
            return key + key[:8]
        case 24:
            return key
    raise SecurityError(f"a DES key has 8, 16 or 24 bytes, not {len(key)}")


def triple_des(key: bytes) -> TripleDES:
    """The algorithm object over a key of 8, 16 or 24 bytes. Raises: SecurityError."""
    return TripleDES(expand_key(key))


def ecb_encrypt(key: bytes, data: bytes) -> bytes:
    """Each 8-byte block for itself. Raises: SecurityError for part of a block, or a key of no DES length."""
    return _context(key, True, get_ident()).update(_whole_blocks(data))


def ecb_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of `ecb_encrypt`."""
    return _context(key, False, get_ident()).update(_whole_blocks(data))


def cbc_mac(key: bytes, data: bytes) -> bytes:
    """The last block of CBC with a zero start over whole blocks: R = E(key, R xor Di)."""
    return _chain(key, get_ident()).mac(_whole_blocks(data)) if data else bytes(BLOCK)


def ecb_encryptor(key: bytes) -> Callable[[bytes], bytes]:
    """`ecb_encrypt` under one key, of whole blocks, for this thread: for who has several blocks one after the other."""
    return _context(key, True, get_ident()).update


def xor(left: bytes, right: bytes) -> bytes:
    """Byte by byte; both sides have the same length."""
    assert len(left) == len(right)
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


@lru_cache(maxsize=_CONTEXTS_MAX)
def _context(key: bytes, encrypt: bool, _thread: int) -> CipherContext:
    """A context for ever: ECB carries no state from one call to the next.

    One per thread, since an OpenSSL context must not be used by two threads at once.
    """
    cipher = Cipher(TripleDES(expand_key(key)), modes.ECB())
    return cipher.encryptor() if encrypt else cipher.decryptor()


class _Chain:
    """A CBC context that is never made anew: what it carries over is taken out of the first block again."""

    def __init__(self, key: bytes) -> None:
        self._update = Cipher(TripleDES(expand_key(key)), modes.CBC(bytes(BLOCK))).encryptor().update
        self._carried = bytes(BLOCK)

    def mac(self, data: bytes) -> bytes:
        """The last block of one or more."""
        self._carried = self._update(xor(data[:BLOCK], self._carried) + data[BLOCK:])[-BLOCK:]
        return self._carried


@lru_cache(maxsize=_CONTEXTS_MAX)
def _chain(key: bytes, _thread: int) -> _Chain:
    """As `_context`, for CBC."""
    return _Chain(key)


def _whole_blocks(data: bytes) -> bytes:
    if len(data) % BLOCK:
        raise SecurityError(f"DES takes whole blocks of {BLOCK} bytes, not {len(data)} bytes")
    return data
