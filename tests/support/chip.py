"""The issuer's side of a chip, worked out on psec by EMV book 2, and not by the code under test."""

from __future__ import annotations

from psec.des import encrypt_tdes_cbc, encrypt_tdes_ecb

from specs import tlv

IMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
"""The documented test master key of every chip in testcards.toml, sequence 01."""
COVERED = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36", "9F10")


def _with_parity(key: bytes) -> bytes:
    return bytes(b if b.bit_count() % 2 else b ^ 1 for b in key)


def session_key(pan: str, atc: bytes) -> bytes:
    """Option A master key of card and sequence 01, then the common session key of annex A1.3."""
    y = bytes.fromhex((pan + "01")[-16:])
    master = _with_parity(encrypt_tdes_ecb(IMK, y) + encrypt_tdes_ecb(IMK, bytes(b ^ 0xFF for b in y)))
    left, right = atc + b"\xf0" + bytes(5), atc + b"\x0f" + bytes(5)
    return _with_parity(encrypt_tdes_ecb(master, left) + encrypt_tdes_ecb(master, right))


def arqc(pan: str, values: dict[str, bytes]) -> bytes:
    """The cryptogram over the tags of EMV book 2, 8.1.1: ISO 9797-1 algorithm 3, padding 80 00."""
    key = session_key(pan, values["9F36"])
    data = b"".join(values[tag] for tag in COVERED)
    padded = data + b"\x80" + bytes(-(len(data) + 1) % 8)
    chain = encrypt_tdes_cbc(key[:8] * 2, bytes(8), padded[:-8])[-8:]
    return encrypt_tdes_ecb(key, bytes(a ^ b for a, b in zip(chain, padded[-8:], strict=True)))


def arpc(pan: str, request: bytes, code: str) -> bytes:
    """Method 1, book 2, 8.2.1: the cryptogram with the answer's code."""
    values = tags(request)
    mixed = bytes(a ^ b for a, b in zip(values["9F26"], code.encode() + bytes(6), strict=True))
    return encrypt_tdes_ecb(session_key(pan, values["9F36"]), mixed)


def tags(data: bytes) -> dict[str, bytes]:
    """The objects of a DE 55 by tag."""
    return {item.tag: item.value for item in tlv.parse(data)}


def request(pan: str, amount: int, *, atc: int = 1, kind: str = "00", **changed: str) -> bytes:
    """DE 55 of a chip read for this amount (minor units), with the card's own cryptogram; changed: hex by tag."""
    known = {
        "9F02": f"{amount:012d}",
        "9F03": "000000000000",
        "9F1A": "0156",
        "95": "0000000000",
        "5F2A": "0156",
        "9A": "260302",
        "9C": kind,
        "9F37": "01020304",
        "82": "7C00",
        "9F36": f"{atc:04X}",
        "9F10": "07010103A0A802010A010000000000",
        "9F27": "80",
    }
    values = {tag: bytes.fromhex(text) for tag, text in (known | changed).items()}
    return build({"9F26": arqc(pan, values)} | values)


def build(values: dict[str, bytes]) -> bytes:
    """DE 55 of these objects, in their order."""
    return b"".join(bytes.fromhex(tag) + bytes([len(value)]) + value for tag, value in values.items())
