"""The frames of one CUP till, made ahead: sign-on, swiped sales with their MACs, and what an answer must be.

A sale is encoded once; each further one is that frame with other digits in DE 4 and 11 and another MAC, as cup.md,
section 2 places them. The MACs of many sales are made in two calls of the cipher, so that the load costs little beside
the host. Answers are read by a walk over the bitmap of its own, not by the codec that the host uses too.
"""

from __future__ import annotations

import struct
from functools import reduce
from operator import xor

from specs import security
from specs.codec import decode_payload, encode_payload
from specs.des import BLOCK, ecb_encrypt
from specs.dialect import load
from specs.framing import frame
from specs.message import Message

CUP = load("cup")
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
"""security.md, worked example: the documented test key."""
CARDS = ("6223164991230014", "4111111111111111", "5413330089020011")
"""Documented test cards without a limit: credit1, foreign1, foreign2."""
STANS = 999_999
_PREFIX = 2 + 5 + 6
"""Length, TPDU, message header: what stands before the MTI."""
_DE4_AT, _DE11_AT = _PREFIX + 10 + 3, _PREFIX + 10 + 9
"""Behind MTI (2), bitmap (8) and DE 3 (3): DE 4 has 6 bytes, DE 11 three."""
_MAC_BYTES = 8
_AMOUNT_STEP = 97
_FIXED = {3: 3, 4: 6, 11: 3, 12: 3, 13: 2, 14: 2, 15: 2, 22: 2, 23: 2, 25: 1, 26: 1, 37: 12, 38: 6, 39: 2}
"""Bytes of the elements up to DE 39 (cup.md, section 3); 2, 32, 35 have one length byte of BCD digits."""
_LL_DIGITS = frozenset({2, 32, 35})


class Wrong(Exception):
    """An answer that is not the approval of what was sent."""


class Till:
    """One terminal. number: 0 to 99,999, from which its TID, merchant and card follow."""

    __slots__ = ("_head", "_made", "_made_from", "_mak", "_middle", "_tail", "approved", "batch", "sum", "tid", "used")

    def __init__(self, number: int, series: str = "BNC") -> None:
        self.tid = f"{series}{number:05d}"
        self.batch = "000001"
        self.used = 0
        """STANs used up: the next is one higher."""
        self.approved = self.sum = 0
        self._mak = b""
        self._made: list[bytes] = []
        self._made_from = 0
        self._head = self._middle = self._tail = b""
        self._template(number)

    def _message(self, mti: str, fields: dict[int, str]) -> Message:
        return Message(mti, fields | {41: self.tid, 42: "898100012345678"}, tpdu="6000030000", header="603100310000")

    def _template(self, number: int) -> None:
        card = CARDS[number % len(CARDS)]
        fields = {3: "000000", 4: "0" * 12, 11: "0" * 6, 22: "022", 25: "00", 35: f"{card}D30121010000000000"}
        fields |= {49: "156", 53: "0600000000000000", 60: f"22{self.batch}00050", 64: "0" * 16}
        whole = frame(encode_payload(self._message("0200", fields), CUP), CUP.frame)
        self._head, self._middle = whole[:_DE4_AT], whole[_DE11_AT + 3 : -_MAC_BYTES]

    # ---- sign-on

    def sign_on(self) -> bytes:
        """The frame of an 0800/003 that asks for working keys."""
        self.used += 1
        fields = {11: f"{self.used:06d}", 60: f"00{self.batch}003", 63: "01 "}
        return frame(encode_payload(self._message("0800", fields), CUP), CUP.frame)

    def signed_on(self, answer: bytes, number: int) -> None:
        """Take keys and batch number from the 0810. Raises Wrong."""
        message = decode_payload(answer[2:], CUP)
        if message.mti != "0810" or message.get(39) != "00":
            raise Wrong(f"sign-on of {self.tid}: {message.mti} {message.get(39)}")
        self._mak = security.unwrap_keys(TMK, bytes.fromhex(message[62])).mak
        self.batch = message[60][2:8]
        self._template(number)

    # ---- sales

    @staticmethod
    def amount(stan: int) -> int:
        """Minor units of the sale with this STAN: 1.00 to 9.69, none of them magic."""
        return 100 + stan * _AMOUNT_STEP % 870

    def _unsealed(self, stan: int) -> bytes:
        digits = f"{self.amount(stan):012d}{stan:06d}"
        return self._head + bytes.fromhex(digits) + self._middle

    def prepare(self, count: int) -> None:
        """Make the next `count` sales, MACs and all; before the clock runs."""
        self._made_from = self.used + 1
        unsealed = [self._unsealed(stan) for stan in range(self._made_from, self._made_from + count)]
        macs = ecb_macs(self._mak or bytes(BLOCK), [each[_PREFIX:] for each in unsealed])
        self._made = [sale + mac for sale, mac in zip(unsealed, macs, strict=True)]

    def next_sale(self) -> bytes:
        """The frame of the next sale; made now when none is left of those made ahead."""
        self.used += 1
        assert self.used < STANS, "this till has used up its trace numbers"
        at = self.used - self._made_from
        if 0 <= at < len(self._made):
            return self._made[at]
        unsealed = self._unsealed(self.used)
        return unsealed + ecb_macs(self._mak or bytes(BLOCK), [unsealed[_PREFIX:]])[0]

    def took(self, answer: bytes) -> None:
        """Count the answer to the last sale. Raises Wrong for anything but its approval."""
        mti, stan, amount, code = read_answer(answer)
        if mti != "0210" or stan != self.used or amount != self.amount(stan) or code != "00":
            raise Wrong(
                f"{self.tid}: sale {self.used:06d} was answered {mti}, STAN {stan:06d}, {amount}, code {code!r}"
            )
        self.approved += 1
        self.sum += amount

    def mac_is_right(self, answer: bytes) -> bool:
        """Whether DE 64 of an answer is the MAC of what stands before it."""
        body = answer[_PREFIX:]
        return ecb_macs(self._mak, [body[:-_MAC_BYTES]])[0] == body[-_MAC_BYTES:]


def ecb_macs(mak: bytes, covered: list[bytes]) -> list[bytes]:
    """DE 64 of many messages under one key (security.md 3): two DES steps, each over all at once."""
    texts = [f"{_folded(each):016X}".encode() for each in covered]
    first = ecb_encrypt(mak[:BLOCK], b"".join(text[:BLOCK] for text in texts))
    second = b"".join(text[BLOCK:] for text in texts)
    mixed = (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).to_bytes(len(first), "big")
    last = ecb_encrypt(mak[:BLOCK], mixed)
    return [last[at : at + 4].hex().upper().encode() for at in range(0, len(last), BLOCK)]


def _folded(data: bytes) -> int:
    padded = data + bytes(-len(data) % BLOCK)
    return reduce(xor, struct.unpack(f">{len(padded) // BLOCK}Q", padded), 0)


def read_answer(answer: bytes) -> tuple[str, int, int, str]:
    """(MTI, STAN, amount in minor units, code) of a frame. Raises Wrong when it is not whole or says no such thing."""
    if len(answer) < _PREFIX + 10 or len(answer) - 2 != int.from_bytes(answer[:2], "big"):
        raise Wrong(f"an answer of {len(answer)} bytes is no frame")
    bits = int.from_bytes(answer[_PREFIX + 2 : _PREFIX + 10], "big")
    at = _PREFIX + 10
    starts: dict[int, int] = {}
    for de in range(2, 40):
        if bits >> (64 - de) & 1:
            starts[de] = at
            at += _FIXED[de] if de not in _LL_DIGITS else 1 + (int(answer[at : at + 1].hex()) + 1) // 2
    try:
        stan, amount = (answer[starts[de] : starts[de] + _FIXED[de]].hex() for de in (11, 4))
        code = answer[starts[39] : starts[39] + 2].decode("ascii", "replace")
    except KeyError as error:
        raise Wrong(f"an answer without DE {error}") from None
    return answer[_PREFIX : _PREFIX + 2].hex(), int(stan), int(amount), code
