"""A till of each dialect that sends bad input on purpose, and the table of what each bad input leads to.

Messages are made of data elements as cup.md, nac.md and iso87.md have them. The byte of each note is counted by hand
from those layouts, from the first byte of the MTI:

    CUP sale    MTI 0, bitmap 2, DE 3 10, 4 13, 11 19, 22 22, 25 24, 35 25, 41 45, 42 53, 49 68, 53 71, 60 79, 64 88
                (96)
    NAC sale    MTI 0, bitmap 2, DE 3 10, 4 13, 11 19, 22 22, 24 24, 25 26, 35 27, 41 47, 42 55, 62 70 (78)
    ISO 87 sale MTI 0, bitmap 4, DE 3 20, 4 26, 7 38, 11 48, 12 54, 13 60, 18 64, 22 68, 25 71, 32 73, 35 81, 41 120,
                42 128, 49 143 (146)

In brackets the length. A length header stands before these bytes, with a TPDU (5) and in CUP a header (6) between.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from specs import security
from specs.codec import decode_payload, encode
from specs.dialect import Dialect
from specs.endpoint import parse
from specs.framing import FrameReader, frame
from specs.message import Message

ANSWER_S = 10.0
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PAN = "6223164991230014"
TRACK2 = f"{PAN}D30122010000012345678"
MID = "123456789012345"
DAY, TIME = "1121", "093000"
TPDU, HEADER = bytes.fromhex("6000030000"), bytes.fromhex("603100310000")
AMOUNT = 100
CLOSED = "closed"
"""What the socket sees when no answer comes: the end of the line."""


@dataclass
class BadTill:
    """One line at a time to a listener; whatever a test wants goes out. tid: 8 characters. mak: its MAC key in CUP."""

    connect: str
    tid: str
    mid: str = MID
    stan: int = 0
    mak: bytes = bytes(8)
    seen: list[str] = field(default_factory=list)
    """Addresses that it has dialled from, newest last."""
    _socket: socket.socket | None = None
    _reader: FrameReader | None = None
    _waiting: list[bytes] = field(default_factory=list)

    @property
    def dialect(self) -> Dialect:
        return parse(self.connect).dialect

    @property
    def family(self) -> str:
        return self.dialect.family

    # ---- the line

    def dial(self) -> BadTill:
        self.hang_up()
        endpoint = parse(self.connect)
        self._reader, self._waiting = FrameReader(endpoint.dialect.frame), []
        self._socket = socket.create_connection((endpoint.address, endpoint.port), timeout=ANSWER_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address, port = self._socket.getsockname()
        self.seen.append(f"{address}:{port}")
        return self

    def hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, *pieces: bytes) -> None:
        assert self._socket is not None
        for piece in pieces:
            self._socket.sendall(piece)

    def no_more(self) -> None:
        """This end has said all; it still listens."""
        assert self._socket is not None
        self._socket.shutdown(socket.SHUT_WR)

    def kcv(self) -> str:
        """Check value of its MAC key."""
        return security.kcv(self.mak).hex().upper()

    def hear(self) -> Message | None:
        """The next answer; None when the host ends the line. Raises TimeoutError when it does neither."""
        assert self._socket is not None
        assert self._reader is not None
        while not self._waiting:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._waiting += [payload for payload in self._reader.feed(data) if payload]
        return decode_payload(self._waiting.pop(0), self.dialect)

    def heard(self) -> str:
        """DE 39 of the next answer, or `closed`."""
        answer = self.hear()
        return CLOSED if answer is None else answer.get(39) or "none"

    def sign_on(self) -> BadTill:
        """CUP 0800/003; the MAC key out of DE 62."""
        if self.family == "cup":
            self.send(self.framed(self.body({60: "00000001003", 63: "01 "}, "0800")))
            answer = self.hear()
            assert answer is not None
            assert answer[39] == "00"
            self.mak = security.unwrap_keys(TMK, bytes.fromhex(answer[62])).mak
        return self

    # ---- bytes

    def body(self, fields: Mapping[int, str | None], mti: str = "0200", **message: str) -> bytes:
        """From the MTI on, without a MAC. fields: beside STAN, terminal, merchant and what each message has."""
        self.stan += 1
        made: dict[int, str | None] = {11: f"{self.stan:06d}", 41: self.tid, 42: self.mid}
        if self.family == "nac":
            made |= {24: "003"}
        if self.family == "iso87":
            made |= {7: f"{DAY}{TIME}", 12: TIME, 13: DAY, 32: "000000"}
        kept = {de: value for de, value in (made | dict(fields)).items() if value is not None}
        return encode(Message(mti, kept), self.dialect)

    def sale(self, **other: str | None) -> bytes:
        """A swiped sale of 1.00, the bytes of the module's layout; other elements as de4="…", None leaves one out."""
        fields: dict[int, str | None] = {3: "000000", 4: f"{AMOUNT:012d}", 22: "022", 25: "00", 35: TRACK2}
        if self.family == "cup":
            fields |= {49: "156", 53: "0600000000000000", 60: "2200000100050"}
        elif self.family == "nac":
            fields |= {62: f"{self.stan + 1:06d}"}
        else:
            fields |= {18: "5999", 49: "156"}
        mti = other.pop("mti", None) or "0200"
        return self.sealed(self.body(fields | _numbered(other), mti))

    def sealed(self, body: bytes, mac: Callable[[bytes], bytes] | None = None) -> bytes:
        """With DE 64 behind it and its bit set; only in CUP. mac: of the bytes that it covers."""
        if self.family != "cup":
            return body
        covered = body[:9] + bytes([body[9] | 1]) + body[10:]
        return covered + (mac or (lambda data: security.mac_ecb(self.mak, data)))(covered)

    def spoilt(self, at: int, byte: int, body: bytes | None = None) -> bytes:
        """A sale with one byte changed, under a MAC that fits the changed bytes."""
        whole = bytearray(body or self.sale())
        whole[at] = byte
        return self.sealed(bytes(whole[:-8])) if self.family == "cup" else bytes(whole)

    def payload(self, body: bytes) -> bytes:
        form = self.dialect.frame
        return (TPDU if form.tpdu else b"") + (HEADER if form.header else b"") + body

    def framed(self, body: bytes) -> bytes:
        return frame(self.payload(body), self.dialect.frame)

    def with_length(self, body: bytes, length: int) -> bytes:
        """Behind a 2-byte binary length that says what it likes."""
        return length.to_bytes(2, "big") + self.payload(body)

    def __enter__(self) -> BadTill:
        return self.dial().sign_on()

    def __exit__(self, *_: object) -> None:
        self.hang_up()


def _numbered(other: Mapping[str, str | None]) -> dict[int, str | None]:
    return {int(name.removeprefix("de")): value for name, value in other.items()}


# ---- the table


@dataclass(frozen=True)
class Case:
    """One bad input at one dialect. Shape: the columns of docs/bad-input.md.

    lenient, strict: DE 39 of the answer, answers with blanks between where there are several, or `closed`. de, byte,
    expected, got: of the note; expected "" = no note at all. `…` stands for anything. more: words that the note's
    message has besides. after: what becomes of the line once the answer is there: `stays` or `closed`. silent: the host
    waits for the rest until the frame deadline.
    """

    name: str
    dialect: str
    lenient: str
    strict: str
    de: int = 0
    byte: int = 0
    expected: str = ""
    got: str = ""
    more: str = ""
    after: str = "stays"
    silent: bool = False


Send = Callable[[BadTill, BadTill], tuple[bytes, ...]]
"""(the till, a terminal of another merchant that has sold before) -> the pieces to send."""

SIZE = {"cup": 96, "nac": 78, "iso87": 146}
"""Bytes of a sale from the MTI on."""
PREFIX = {"cup": 11, "nac": 5, "iso87": 0}
FRAMING = {
    "cup": "cup: 2-byte binary length, TPDU, 6 bytes of header",
    "nac": "nac: 2-byte binary length, TPDU, no header",
    "iso87": "iso87: 2-byte binary length, no TPDU, no header",
}
TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(64))
HTTP = b"GET /api/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:8584\r\n\r\n"
LETTERS = {"cup": (53, 72), "nac": (24, 24), "iso87": (18, 65)}
"""A numeric element that decides nothing, and a byte in it."""
AMOUNT_AT = {"cup": 13, "nac": 13, "iso87": 26}
LAST = {"cup": (64, 88), "nac": (62, 70), "iso87": (49, 143)}
"""The last element and where it begins."""
CURRENCY_AT = {"cup": 68, "iso87": 143}
TRACK_AT = {"cup": 25, "nac": 27, "iso87": 81}
TID_AT = {"cup": 45, "nac": 47, "iso87": 120}
LETTER = {"cup": (0xAA, "byte AA"), "nac": (0xAA, "byte AA"), "iso87": (0x41, "byte 41")}
UNKNOWN_TERMINAL = {"cup": "97", "nac": "89", "iso87": "58"}
ALL = ("cup", "nac", "iso87")


def _frame_of(dialect: str, till: BadTill) -> tuple[bytes, ...]:
    """A sale as the frame of another dialect."""
    stranger = replace(till, connect=f"{dialect}://127.0.0.1:1", mak=bytes(8))
    return (stranger.framed(stranger.sale()),)


def _bcd_length(till: BadTill) -> tuple[bytes, ...]:
    payload = till.payload(till.sale())
    return (bytes.fromhex(f"{len(payload):04d}") + payload,)


def _without_header(till: BadTill) -> tuple[bytes, ...]:
    payload = TPDU + till.sale()
    return (len(payload).to_bytes(2, "big") + payload,)


def _ascii_length(till: BadTill) -> tuple[bytes, ...]:
    payload = till.payload(till.sale())
    return (f"{len(payload):04d}".encode() + payload,)


def _void(till: BadTill, other: BadTill) -> bytes:
    """Names the other's sale: CUP by batch and STAN, NAC by RRN and invoice, ISO 87 by STAN and time."""
    stan = f"{other.stan:06d}"
    fields: dict[int, str | None] = {2: PAN, 4: f"{AMOUNT:012d}", 14: "3012", 22: "012", 25: "00"}
    if till.family == "cup":
        fields |= {3: "200000", 49: "156", 60: "2300000100050", 61: f"000001{stan}"}
    elif till.family == "nac":
        fields |= {3: "020000", 37: other.seen[0], 60: f"{AMOUNT:012d}", 62: stan}
    else:
        fields |= {3: "020000", 18: "5999", 49: "156", 90: f"0200{stan}{DAY}{TIME}" + "0" * 22}
    return till.sealed(till.body(fields))


def _refund(till: BadTill, other: BadTill) -> bytes:
    fields: dict[int, str | None] = {2: PAN, 3: "200000", 4: f"{AMOUNT:012d}", 14: "3012", 22: "012", 25: "00"}
    fields |= {37: other.seen[0]}
    if till.family == "cup":
        fields |= {49: "156", 60: "2500000100050", 61: f"000001{other.stan:06d}0000", 63: "000"}
        return till.sealed(till.body(fields, "0220"))
    if till.family == "nac":
        return till.body(fields | {62: "000777"})
    return till.body(
        fields | {18: "5999", 49: "156", 37: "000000000000", 90: f"0200{other.stan:06d}{DAY}{TIME}" + "0" * 22}
    )


def _reversal(till: BadTill, other: BadTill) -> bytes:
    """The 0400 of the other's sale under this terminal's name."""
    fields: dict[int, str | None] = {2: PAN, 3: "000000", 4: f"{AMOUNT:012d}", 14: "3012", 22: "022", 25: "00"}
    stan = f"{other.stan:06d}"
    if till.family == "cup":
        return till.sealed(till.body(fields | {11: stan, 39: "98", 49: "156", 60: "2200000100050"}, "0400"))
    if till.family == "nac":
        return till.body(fields | {11: stan, 37: other.seen[0], 62: stan}, "0400")
    return till.body(fields | {18: "5999", 49: "156", 90: f"0200{stan}{DAY}{TIME}" + "0" * 22}, "0400")


def _unsealed(body: bytes) -> bytes:
    return body[:9] + bytes([body[9] & 0xFE]) + body[10:-8]


def _old_key(till: BadTill) -> tuple[bytes, ...]:
    """The MAC of a key that two sign-ons have replaced since, the last of which was used."""
    first = till.mak
    till.sign_on()
    till.send(till.framed(till.sale()))
    assert till.heard() == "00"
    return (till.framed(till.sealed(till.sale()[:-8], lambda data: security.mac_ecb(first, data))),)


SENDS: Mapping[str, Send] = {
    "random bytes": lambda t, _: (bytes.fromhex("F3A901C7") + bytes(range(7, 200, 3)),),
    "a length that is too long": lambda t, _: (t.with_length(t.sale(), SIZE[t.family] + PREFIX[t.family] + 20),),
    "a length that is too short": lambda t, _: (t.with_length(t.sale(), SIZE[t.family] + PREFIX[t.family] - 6),),
    "a length of zero, then a sale": lambda t, _: (b"\0\0", t.framed(t.sale())),
    "a length of 4 GB": lambda t, _: (b"\xff\xff\xff\xff" + t.payload(t.sale()),),
    "a sale, then a length of 4 GB": lambda t, _: (t.framed(t.sale()) + b"\xff\xff\xff\xff",),
    "a length above the frame limit": lambda t, _: (t.with_length(t.sale(), 8193),),
    "a bit in the bitmap and no bytes": lambda t, _: (t.framed(t.sale()[: LAST[t.family][1]]),),
    "bytes behind the last element": lambda t, _: (t.framed(t.sale() + b"\x12\x34\x56"),),
    "a letter in a number": lambda t, _: (t.framed(t.spoilt(LETTERS[t.family][1], LETTER[t.family][0])),),
    "a letter in the amount": lambda t, _: (t.framed(t.spoilt(AMOUNT_AT[t.family] + 2, LETTER[t.family][0])),),
    "bit 1 in the bitmap": lambda t, _: (t.framed(t.spoilt(2, t.sale()[2] | 0x80)),),
    "an MTI of no transaction": lambda t, _: (t.framed(t.sale(mti="0300")),),
    "an MTI that is none": lambda t, _: (t.framed(t.sale(mti="0999")),),
    "two frames in one piece": lambda t, _: (t.framed(t.sale()) + t.framed(t.sale()),),
    "a frame byte by byte": lambda t, _: tuple(bytes([byte]) for byte in t.framed(t.sale())),
    "half a frame, then silence": lambda t, _: (t.framed(t.sale())[:40],),
    "half a frame, then the end": lambda t, _: (t.framed(t.sale())[:40], b""),
    "a TLS hello": lambda t, _: (TLS_HELLO,),
    "an HTTP request": lambda t, _: (HTTP,),
    "a frame of CUP": lambda t, _: _frame_of("cup", t),
    "a frame of NAC": lambda t, _: _frame_of("nac", t),
    "a frame of ISO 87": lambda t, _: _frame_of("iso87", t),
    "a length header in BCD": lambda t, _: _bcd_length(t),
    "a length header in ASCII": lambda t, _: _ascii_length(t),
    "no message header": lambda t, _: _without_header(t),
    "an unknown terminal": lambda t, _: (t.framed(replace(t, tid="STRANGER").sale()),),
    "a sale before the sign-on": lambda t, _: (t.framed(t.sale()),),
    "a wrong MAC": lambda t, _: (t.framed(t.sale()[:-8] + b"12345678"),),
    "no MAC": lambda t, _: (t.framed(_unsealed(t.sale())),),
    "a MAC by X9.9": lambda t, _: (t.framed(t.sealed(t.sale()[:-8], lambda d: security.mac_x99(t.mak, d))),),
    "a MAC under the key before": lambda t, _: _old_key(t),
    "a MAC under the master key": lambda t, _: (t.framed(t.sealed(t.sale()[:-8], lambda d: security.mac_ecb(TMK, d))),),
    "a mandatory element is missing": lambda t, _: (t.framed(t.sale(de4=None)),),
    "amount 0": lambda t, _: (t.framed(t.sale(de4="0" * 12)),),
    "a foreign currency": lambda t, _: (t.framed(t.sale(de49="840")),),
    "a card number with a wrong check digit": lambda t, _: (t.framed(t.sale(de35=TRACK2.replace("14D", "15D"))),),
    "a void of another terminal's sale": lambda t, o: (t.framed(_void(t, o)),),
    "a refund of another merchant's sale": lambda t, o: (t.framed(_refund(t, o)),),
    "a reversal of another terminal's sale": lambda t, o: (t.framed(_reversal(t, o)),),
}
"""Bad input -> how it is made."""


def _row(name: str, dialects: str | tuple[str, ...], answer: str, **other: object) -> list[Case]:
    """The same for several dialects; values that differ are given as a mapping from dialect to value."""
    rows = []
    for dialect in dialects if isinstance(dialects, tuple) else (dialects,):
        own = {key: value[dialect] if isinstance(value, dict) else value for key, value in other.items()}
        said = {"lenient": answer, "strict": answer} | {
            key: own.pop(key) for key in ("lenient", "strict") if key in own
        }
        rows.append(Case(name, dialect, **said, **own))  # type: ignore[arg-type]
    return rows


def _sized(extra: int) -> dict[str, int]:
    """Bytes of a sale's frame from its length header on, and so many more."""
    return {dialect: 2 + PREFIX[dialect] + SIZE[dialect] + extra for dialect in ALL}


def _bytes(extra: int) -> dict[str, str]:
    return {dialect: f"{size} bytes" for dialect, size in _sized(extra).items()}


def _both(table: Mapping[str, tuple[int, int]], at: int) -> dict[str, int]:
    return {dialect: pair[at] for dialect, pair in table.items()}


_NO_FRAME = {"expected": FRAMING, "got": "…", "after": CLOSED}
_LESS = {"cup": "8 bytes of 8 bytes", "nac": "6 characters of 6 bytes", "iso87": "15 characters of 15 bytes"}
_NONE = {"cup": "8 bytes of 8 bytes", "nac": "a length of 2 bytes", "iso87": "3 characters of 3 bytes"}
_TOLD = {"cup": "MTI 0{}", "nac": "MTI 0{}, DE 3 000000, DE 25 00", "iso87": "MTI 0{}, DE 3 000000, DE 25 00"}
_MTI = {
    "cup": "an MTI of two BCD bytes",
    "nac": "an MTI of two BCD bytes",
    "iso87": "an MTI of four ASCII digits",
}
_OWN = {dialect: f"reads clean as {FRAMING[dialect].replace(': ', '://… (', 1)})" for dialect in ALL}
_MAC = {"de": 64, "byte": 88}
_NAMING = {"cup": (61, 71), "nac": (37, 38), "iso87": (90, 145)}
"""A void: DE 2, 14, 22, 25 typed, no track; NAC with DE 37, ISO 87 with a second bitmap."""
_REFUNDING = {"cup": (61, 83), "nac": (37, 38), "iso87": (90, 157)}
_REVERSING = {"cup": (11, 28), "nac": (11, 28), "iso87": (90, 145)}

CASES: tuple[Case, ...] = tuple(
    case
    for rows in (
        # ---- the stream
        _row("random bytes", ALL, CLOSED, more="62377 bytes is larger than 8192", **_NO_FRAME),
        _row("a length of 4 GB", ALL, CLOSED, more="65535 bytes is larger than 8192", **_NO_FRAME),
        _row("a sale, then a length of 4 GB", ALL, "00", more="65535 bytes is larger than 8192", **_NO_FRAME),
        _row("a length above the frame limit", ALL, CLOSED, more="8193 bytes is larger than 8192", **_NO_FRAME),
        _row(
            "a length that is too long",
            ALL,
            CLOSED,
            silent=True,
            byte=_sized(0),
            expected=_bytes(20),
            got=_bytes(0),
            more="did not come within 1 s",
            after=CLOSED,
        ),
        _row(
            "a length that is too short",
            ALL,
            "30",
            de={"cup": 64, "nac": 62, "iso87": 42},
            byte={"cup": 88, "nac": 72, "iso87": 128},
            expected=_LESS,
            got={"cup": "2 bytes …", "nac": "0 bytes …", "iso87": "12 bytes …"},
            after=CLOSED,
        ),
        _row("a length of zero, then a sale", ALL, "00"),
        _row(
            "half a frame, then silence",
            ALL,
            CLOSED,
            silent=True,
            byte=40,
            expected=_bytes(0),
            got="40 bytes",
            more="did not come within 1 s",
            after=CLOSED,
        ),
        _row(
            "half a frame, then the end",
            ALL,
            CLOSED,
            byte=40,
            expected=_bytes(0),
            got="40 bytes",
            more="the line ended inside a frame",
            after=CLOSED,
        ),
        _row("two frames in one piece", ALL, "00 00"),
        _row("a frame byte by byte", ALL, "00"),
        # ---- strangers
        _row("a TLS hello", ALL, CLOSED, more="a TLS client speaks to a plain listener", **_NO_FRAME),
        _row("an HTTP request", ALL, CLOSED, more="an HTTP client speaks to a terminal's listener", **_NO_FRAME),
        _row("a frame of CUP", "iso87", CLOSED, expected=_MTI, got="60000300", more=_OWN["cup"], after=CLOSED),
        _row(
            "a frame of CUP",
            "nac",
            CLOSED,
            de=12,
            byte=13,
            expected="digits",
            got="byte C0",
            more=_OWN["cup"],
            after=CLOSED,
        ),
        _row("a frame of NAC", "iso87", CLOSED, expected=_MTI, got="60000300", more=_OWN["nac"], after=CLOSED),
        _row("a frame of NAC", "cup", CLOSED, expected=_MTI, got="20C0", more=_OWN["nac"], after=CLOSED),
        _row(
            "a frame of ISO 87",
            ("cup", "nac"),
            CLOSED,
            de={"cup": 10, "nac": 5},
            byte=19,
            expected={"cup": "a data element that cup has", "nac": "a data element that nac has"},
            got={"cup": "DE 10 in the bitmap", "nac": "DE 5 in the bitmap"},
            more=_OWN["iso87"],
            after=CLOSED,
        ),
        _row(
            "a length header in BCD",
            ALL,
            CLOSED,
            silent=True,
            byte=_sized(0),
            expected={"cup": "265 bytes", "nac": "133 bytes", "iso87": "328 bytes"},
            got=_bytes(0),
            more="?length=bcd2 (2-byte BCD length",
            after=CLOSED,
        ),
        _row("a length header in ASCII", ALL, CLOSED, more="?length=ascii4 (4-digit ASCII length", **_NO_FRAME),
        _row(
            "no message header",
            "cup",
            CLOSED,
            expected=_MTI,
            got="20C0",
            more="reads clean as cup://…?header=0 (2-byte binary length, TPDU, no header)",
            after=CLOSED,
        ),
        # ---- the message
        _row(
            "a bit in the bitmap and no bytes",
            ALL,
            "30",
            de=_both(LAST, 0),
            byte=_both(LAST, 1),
            expected=_NONE,
            got="0 bytes to the end of the message",
        ),
        _row(
            "bytes behind the last element",
            ALL,
            "30",
            lenient="00",
            de=_both(LAST, 0),
            byte=SIZE,
            expected="the end of the message",
            got="3 more bytes",
        ),
        _row(
            "a letter in a number",
            ALL,
            "30",
            lenient="00",
            de=_both(LETTERS, 0),
            byte=_both(LETTERS, 1),
            expected="digits",
            got={dialect: words for dialect, (_, words) in LETTER.items()},
        ),
        _row(
            "a letter in the amount",
            ALL,
            "30",
            de=4,
            byte={dialect: at + 2 for dialect, at in AMOUNT_AT.items()},
            expected="digits",
            got={dialect: words for dialect, (_, words) in LETTER.items()},
        ),
        _row(
            "bit 1 in the bitmap",
            "cup",
            "30",
            de=1,
            byte=2,
            expected="bit 1 clear: this dialect has one bitmap",
            got="bit 1 set",
        ),
        _row(
            "an MTI of no transaction",
            ALL,
            "12",
            expected="a transaction of this dialect",
            got={dialect: words.format("300") for dialect, words in _TOLD.items()},
        ),
        _row(
            "an MTI that is none",
            ALL,
            CLOSED,
            expected="a transaction of this dialect",
            got={dialect: words.format("999") for dialect, words in _TOLD.items()},
            after=CLOSED,
        ),
        _row(
            "a mandatory element is missing",
            ALL,
            "30",
            de=4,
            byte=AMOUNT_AT,
            expected={
                "cup": "DE 4 (amount)",
                "nac": "DE 4 (amount)",
                "iso87": "DE 4 (amount, transaction)",
            },
            got="absent",
        ),
        # ---- who speaks
        *(
            _row(
                "an unknown terminal",
                dialect,
                code,
                de=41,
                byte=TID_AT,
                expected="a terminal that is provisioned",
                got="STRANGER",
            )
            for dialect, code in UNKNOWN_TERMINAL.items()
        ),
        _row(
            "a sale before the sign-on",
            "cup",
            "A0",
            expected="a sign-on before it",
            got="sale of a terminal that is not signed on",
        ),
        _row(
            "a wrong MAC",
            "cup",
            "A0",
            expected="…",
            got="3132333435363738",
            more="check value of the key {kcv}",
            **_MAC,
        ),
        _row(
            "no MAC", "cup", "A0", expected="a MAC by cup-ecb", got="none", more="check value of the key {kcv}", **_MAC
        ),
        _row(
            "a MAC by X9.9",
            "cup",
            "A0",
            expected="…",
            got="…",
            more="would fit X9.9 under the MAK (check value {kcv})",
            **_MAC,
        ),
        _row(
            "a MAC under the key before",
            "cup",
            "A0",
            expected="…",
            got="…",
            more="would fit the CUP ECB MAC under an earlier MAK (1 sign-on ago)",
            **_MAC,
        ),
        _row(
            "a MAC under the master key",
            "cup",
            "A0",
            expected="…",
            got="…",
            more="would fit the CUP ECB MAC under the master key (check value 08D7B4FB)",
            **_MAC,
        ),
        # ---- what it asks
        _row("amount 0", ALL, "13", de=4, byte=AMOUNT_AT, expected="an amount above 0", got="0"),
        _row(
            "a foreign currency",
            ("cup", "iso87"),
            "13",
            de=49,
            byte=CURRENCY_AT,
            expected="156, the terminal's currency",
            got="840",
        ),
        _row(
            "a card number with a wrong check digit",
            ALL,
            "14",
            de=35,
            byte=TRACK_AT,
            expected="a card number with a right check digit",
            got="one with a wrong check digit",
        ),
        _row(
            "a void of another terminal's sale",
            ALL,
            "25",
            de=_both(_NAMING, 0),
            byte=_both(_NAMING, 1),
            expected="the name of a transaction of terminal …",
            got="…: none has it",
        ),
        _row(
            "a refund of another merchant's sale",
            ALL,
            "25",
            de=_both(_REFUNDING, 0),
            byte=_both(_REFUNDING, 1),
            expected="the name of a transaction of terminal … or its merchant",
            got="…: none has it",
        ),
        _row(
            "a reversal of another terminal's sale",
            ALL,
            "25",
            de=_both(_REVERSING, 0),
            byte=_both(_REVERSING, 1),
            expected="the name of a transaction of terminal …",
            got="…: none has it",
        ),
    )
    for case in rows
)
"""What a user meets at each dialect; docs/bad-input.md shows the same rows."""
