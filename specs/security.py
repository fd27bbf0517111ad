"""Working keys, check values, PIN blocks, MACs and track encryption (security.md).

Keys and data are bytes; PIN, card number and track are digit strings. Every failure is a SecurityError that says which
key or block, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from specs.des import BLOCK, cbc_mac, ecb_decrypt, ecb_encrypt, ecb_encryptor, xor
from specs.errors import SecurityError

KCV_BYTES = 4
_BLOCK_BITS = BLOCK * 8
PIN_DIGITS_MIN, PIN_DIGITS_MAX = 4, 12
"""ISO 9564-1."""


def kcv(key: bytes) -> bytes:
    """Check value, 4 bytes: the start of eight zero bytes encrypted under the key (8 or 16 bytes)."""
    return ecb_encrypt(key, bytes(BLOCK))[:KCV_BYTES]


# --- MAC ------------------------------------------------------------------------------------------------------------


def mac_ecb(key: bytes, mab: bytes, *, triple: bool = False) -> bytes:
    """UnionPay ECB MAC: 8 upper-case hex characters as bytes, ready for DE 64 (security.md 3).

    Shape: mab is MTI, bitmap and fields up to DE 63, as sent. A 16-byte key serves with its first 8 bytes, as most
    terminals do; `triple` uses all of it.
    """
    used = key if triple else key[:BLOCK]
    text = b"%016X" % _xor_of_blocks(mab)
    encrypt = ecb_encryptor(used)
    first = encrypt(text[:BLOCK])
    return ascii_mac(encrypt(xor(first, text[BLOCK:])))


def _xor_of_blocks(data: bytes) -> int:
    """All blocks of 8 bytes xored, the last one zero padded: half of the blocks onto the others, and so on.

    What is left above the half is no longer looked at.
    """
    number = int.from_bytes(data, "big") << -len(data) % BLOCK * 8
    half = 1 << (number.bit_length() - 1).bit_length() >> 1
    while half >= _BLOCK_BITS:
        number ^= number >> half
        half >>= 1
    return number & (1 << _BLOCK_BITS) - 1


def mac_cbc(key: bytes, mab: bytes) -> bytes:
    """UnionPay (PBOC) CBC MAC, 8 raw bytes: X9.9, where a 16-byte key serves with its first half (security.md 4)."""
    return mac_x99(key[:BLOCK], mab)


def mac_x99(key: bytes, mab: bytes) -> bytes:
    """ANSI X9.9, 8 raw bytes: single DES CBC-MAC, zero padded. Raises: SecurityError unless the key has 8 bytes."""
    _require_length("MAK", key, BLOCK)
    return cbc_mac(key, _zero_padded(mab))


def mac_x919(key: bytes, mab: bytes) -> bytes:
    """ANSI X9.19 (ISO 9797-1 algorithm 3), 8 raw bytes. Raises: SecurityError unless the key has 16 bytes."""
    _require_length("MAK", key, 2 * BLOCK)
    left, right = key[:BLOCK], key[BLOCK:]
    return ecb_encrypt(left, ecb_decrypt(right, mac_x99(left, mab)))


def ascii_mac(mac: bytes) -> bytes:
    """The first 4 bytes as 8 upper-case hex characters, the form that some terminals send."""
    return mac[: BLOCK // 2].hex().upper().encode()


MacAlgorithm = Callable[[bytes, bytes], bytes]

MAC_ALGORITHMS: Mapping[str, MacAlgorithm] = {
    "cup-ecb": mac_ecb,
    "cup-ecb-3des": lambda key, mab: mac_ecb(key, mab, triple=True),
    "cup-cbc": mac_cbc,
    "x9.9": mac_x99,
    "x9.9-ascii": lambda key, mab: ascii_mac(mac_x99(key, mab)),
    "x9.19": mac_x919,
    "x9.19-ascii": lambda key, mab: ascii_mac(mac_x919(key, mab)),
}
"""Name in a dialect file -> (MAK, MAB) -> the 8 bytes of DE 64."""


def _zero_padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _require_length(name: str, key: bytes, length: int) -> None:
    if len(key) != length:
        raise SecurityError(f"{name} must have {length} bytes, not {len(key)}")


# --- PIN block ------------------------------------------------------------------------------------------------------


def pin_block(pin: str, pan: str | None, key: bytes) -> bytes:
    """DE 52, 8 bytes: ISO 9564 format 0 under the PIK; without a card number (DE 53 digit 1 = 1) the PIN field alone.

    Raises: SecurityError unless the PIN has 4 to 12 digits.
    """
    if not (pin.isascii() and pin.isdigit() and PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX):
        raise SecurityError(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")
    pin_field = bytes.fromhex(f"0{len(pin):X}{pin}".ljust(16, "F"))
    return ecb_encrypt(key, xor(pin_field, _pan_field(pan)))


def pin_from_block(block: bytes, pan: str | None, key: bytes) -> str:
    """The PIN of a DE 52. Raises: SecurityError when the clear block is not format 0."""
    if len(block) != BLOCK:
        raise SecurityError(f"PIN block must have {BLOCK} bytes, not {len(block)}")
    clear = xor(ecb_decrypt(key, block), _pan_field(pan)).hex().upper()
    length = int(clear[1], 16)
    pin, filler = clear[2 : 2 + length], clear[2 + length :]
    well_formed = clear[0] == "0" and PIN_DIGITS_MIN <= length <= PIN_DIGITS_MAX
    if not (well_formed and pin.isdigit() and filler == "F" * len(filler)):
        raise SecurityError("PIN block is not ISO 9564 format 0")
    return pin


def _pan_field(pan: str | None) -> bytes:
    """Four zeros and the 12 rightmost digits without the check digit."""
    if pan is None:
        return bytes(BLOCK)
    if not (pan.isascii() and pan.isdigit()):
        raise SecurityError("a PIN block needs a card number of digits")
    return bytes.fromhex(pan[:-1][-12:].rjust(16, "0"))


# --- working keys ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """The clear keys of one sign-on. Units: bytes; PIK 8 or 16, MAK 8 or 16, TDK 16 or none."""

    pik: bytes
    mak: bytes
    tdk: bytes | None = None

    def __repr__(self) -> str:
        return f"WorkingKeys(PIK {len(self.pik)} bytes, MAK {len(self.mak)}, TDK {len(self.tdk or b'')})"


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one key stands in DE 62: its bytes, then 4 bytes of check value."""

    name: str
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


KEY_LAYOUTS: Mapping[int, tuple[_Slot, ...]] = {
    24: (_Slot("PIK", 0, 8), _Slot("MAK", 12, 8)),
    40: (_Slot("PIK", 0, 16), _Slot("MAK", 20, 16)),
    60: (_Slot("PIK", 0, 16), _Slot("MAK", 20, 16), _Slot("TDK", 40, 16)),
}
"""Length of DE 62 -> its keys (security.md 1); 24, 40, 60 answer the sign-ons 001, 003, 004."""


def wrap_keys(tmk: bytes, keys: WorkingKeys, layout: int) -> bytes:
    """DE 62 of the sign-on answer, `layout` bytes: each key under the TMK, each followed by its check value.

    Layout 24 uses single DES with the first 8 bytes of the TMK. In 40 and 60 an 8-byte MAK is one block and eight
    zero bytes. Raises: SecurityError for a layout that is not known or a key that does not fit it.
    """
    if layout not in KEY_LAYOUTS:
        raise SecurityError(f"no key layout of {layout} bytes")
    clear = {"PIK": keys.pik, "MAK": keys.mak, "TDK": keys.tdk}
    wrapping = _wrapping_key(tmk, layout)
    out = b""
    for slot in KEY_LAYOUTS[layout]:
        key = clear[slot.name]
        if key is None or not _fits(slot, key):
            raise SecurityError(f"{slot.name} of {len(key or b'')} bytes does not fit layout {layout}")
        out += ecb_encrypt(wrapping, key).ljust(slot.length, b"\0") + kcv(key)
    return out


def unwrap_keys(tmk: bytes, de62: bytes) -> WorkingKeys:
    """The clear keys of a DE 62 of 24, 40 or 60 bytes, each proved by its check value.

    A MAK whose second half is eight zero bytes is a single-length key. Raises: SecurityError naming the key whose check
    value does not match (the terminal must then refuse to work), or for another length.
    """
    if len(de62) not in KEY_LAYOUTS:
        raise SecurityError(f"DE 62 has {len(de62)} bytes; working keys take 24, 40 or 60")
    wrapping = _wrapping_key(tmk, len(de62))
    keys = {slot.name: _unwrap(wrapping, slot, de62) for slot in KEY_LAYOUTS[len(de62)]}
    return WorkingKeys(keys["PIK"], keys["MAK"], keys.get("TDK"))


def _unwrap(wrapping: bytes, slot: _Slot, de62: bytes) -> bytes:
    wrapped = de62[slot.start : slot.end]
    if slot.name == "MAK" and wrapped[BLOCK:] == bytes(BLOCK):
        wrapped = wrapped[:BLOCK]
    key = ecb_decrypt(wrapping, wrapped)
    if kcv(key) != de62[slot.end : slot.end + KCV_BYTES]:
        raise SecurityError(f"check value of the {slot.name} does not match")
    return key


def _wrapping_key(tmk: bytes, layout: int) -> bytes:
    if len(tmk) not in (BLOCK, 2 * BLOCK):
        raise SecurityError(f"TMK must have 8 or 16 bytes, not {len(tmk)}")
    return tmk[:BLOCK] if layout == 24 else tmk


def _fits(slot: _Slot, key: bytes) -> bool:
    return len(key) == slot.length or (slot.name == "MAK" and len(key) == BLOCK)


# --- tracks ---------------------------------------------------------------------------------------------------------

_TRACK_BLOCK_DIGITS = 2 * BLOCK
_CLEAR_TRACK = re.compile(r"[0-9D]*")


def encrypt_track(track: str, tdk: bytes) -> str:
    """Track 2 or 3 with the 8 bytes before its last packed byte under the TDK (DE 53 digit 3 = 1, security.md 7).

    Shape: digits and `D` (a `=` becomes `D`); the length stays, digits A-F may appear. Too short a track stays clear.
    """
    clear = track.replace("=", "D")
    return _with_block(clear, lambda block: ecb_encrypt(tdk, block))


def decrypt_track(track: str, tdk: bytes) -> str:
    """The inverse of `encrypt_track`. Raises: SecurityError when digits other than 0-9 and D come out: wrong key."""
    clear = _with_block(track, lambda block: ecb_decrypt(tdk, block))
    if not _CLEAR_TRACK.fullmatch(clear):
        raise SecurityError("track does not decrypt under this TDK")
    return clear


def _with_block(track: str, change: Callable[[bytes], bytes]) -> str:
    """L odd: characters [L-17, L-1); L even: [L-18, L-2). The last packed byte holds one digit or two."""
    end = len(track) - (1 if len(track) % 2 else 2)
    start = end - _TRACK_BLOCK_DIGITS
    if start < 0:
        return track
    try:
        block = bytes.fromhex(track[start:end])
    except ValueError:
        raise SecurityError("track has a character that is not a digit of 0-F") from None
    return track[:start] + change(block).hex().upper() + track[end:]
