"""Real messages with something wrong in them, thrown at a host in this process.

    throw(seed, 2_000)        # a Tally of what came back; raises when the host does what it must never do

The corpus is tests/vectors and messages of our own for each dialect, so that the books have something to be wrong in.
A mutation changes bytes (of the frame, so also its length header) or data elements; in CUP the MAC is mostly made to
fit again, or nothing would come past it. Equal seeds throw equal bytes.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from host.rows import Alarm, MessageRow, Terminal, Txn
from host.server import Connection
from specs import security
from specs.codec import decode_payload, encode_payload
from specs.dialect import Dialect
from specs.endpoint import parse
from specs.errors import EncodeError, FrameError
from specs.framing import FrameReader, frame
from specs.message import Message
from tests.support.bad_input import BadTill
from tests.support.raw_day import iso_totals
from tests.support.wire_host import PAN, TID, WireHost

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text("utf-8"))
LISTENERS = (
    *("cup", "nac", "iso87", "cup-noheader", "iso87-ascii4", "iso87-binary"),
    *("cup://?strict=1", "nac://?length=bcd2", "nac://?strict=1", "iso87://?charset=ebcdic"),
)
HOST_INPUTS = 400
"""After so many a fresh host, so that its books stay small."""
CHECK_EVERY = 200
_FRESH_SIGN_ON = 0.02
_SHORT_RUN = re.compile(r"(?<!\d)\d{20,30}(?!\d)")
"""A card number between so many digits cannot be told from DE 61: batch, STAN, date, institution."""
_ODD_BYTES = (0x00, 0xFF, 0xAA, 0x30, 0x39, 0x44, 0x20, 0x80)
_ODD_TEXTS = ("", "0", "00", "9", " ", "A", "D", "=", "-1", "\xff", "1" * 40, "F" * 16, "20", "156")


@dataclass
class Tally:
    """What came back, by kind."""

    inputs: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    frames: int = 0


class Silence(AssertionError):
    """A whole frame that was neither answered nor ended its line."""


def throw(seed: int, count: int, *, per_host: int = HOST_INPUTS) -> Tally:
    """So many bad inputs, a host after the other. Raises whatever the host raised, and AssertionError for wrong books,
    silence, or a card number in what is kept; the text names seed and input."""
    tally = Tally()
    chance = random.Random(seed)
    while tally.inputs < count:
        name = LISTENERS[tally.inputs // per_host % len(LISTENERS)]
        _Round(name, random.Random(chance.randrange(2**63)), tally).run(min(per_host, count - tally.inputs))
    return tally


class _Round:
    """One host, on one kind of listener."""

    def __init__(self, name: str, chance: random.Random, tally: Tally) -> None:
        self.chance, self.tally, self.name = chance, tally, name
        dialect, _, query = name.partition("://")
        self.host = WireHost(dialect)
        self.host.url += query
        self.dialect: Dialect = parse(self.host.url).dialect
        self.host.dialect = self.dialect
        self.till = BadTill(self.host.url, TID)
        self.stan = 1
        self.pans = {PAN}

    def run(self, count: int) -> None:
        if self.dialect.family == "cup":
            self.host.sign_on(1)
        for number in range(1, count + 1):
            data = self.bad()
            self.tally.inputs += 1
            try:
                self.feed(data)
                if number % CHECK_EVERY == 0 or number == count:
                    self.host.check()
                    self.look()
            except BaseException as error:
                error.add_note(f"{self.name}, input {self.tally.inputs} of this run: {data.hex()}")
                raise

    # ---- the edge, as host.connection does it

    def feed(self, data: bytes) -> None:
        """In one or two pieces, as TCP may cut it; every whole frame must be answered or end the line."""
        reader, cut = FrameReader(self.dialect.frame), self.chance.randrange(len(data) + 1)
        line = self.host.new_line()
        for piece in (data[:cut], data[cut:]) if self.chance.random() < 0.2 else (data,):
            if not piece or line.closed:
                continue
            line.latest = piece
            try:
                payloads = reader.feed(piece)
            except FrameError:
                payloads = []
            for payload in filter(None, payloads):
                if line.closed:
                    break
                self.tally.frames += 1
                before = len(line.heard)
                self.host.service.received(cast(Connection, line), payload)
                self.host.runner.run_until_quiet()
                if len(line.heard) == before and not line.closed:
                    raise Silence(payload.hex())
            if reader.error is not None:
                self.host.service.broken(cast(Connection, line), reader.error, reader.unfinished or piece)
                line.close()
        if reader.pending and not line.closed:
            cut_off = FrameError("the line ended inside a frame")
            self.host.service.broken(cast(Connection, line), cut_off, reader.unfinished)
        self.host.runner.run_until_quiet()
        self.tally.closed += line.closed
        self.tally.answers.update(decode_payload(p, self.dialect).get(39) or "none" for p in line.heard)
        counters = self.host.runner.counters
        assert counters.decisions_failed == 0, "an event could not be decided"
        assert counters.commits_failed == 0, "a commit failed"

    def look(self) -> None:
        """No card number of ours in what is kept, in text, hex or packed."""
        for table in (MessageRow, Txn, Alarm, Terminal):
            rows: list[Any] = [*self.host.rows(cast("type[Any]", table))]
            for row in rows:
                for column in fields(row):
                    text = str(getattr(row, column.name))
                    text = _SHORT_RUN.sub("", text)
                    for pan in self.pans:
                        assert pan not in text, f"{table.__name__} {row.id} {column.name}: {text}"
                        assert pan.encode().hex() not in text.lower(), f"{table.__name__} {row.id} {column.name}"

    # ---- what is thrown

    def bad(self) -> bytes:
        """One input: mostly a message with a few things wrong."""
        choice = self.chance.random()
        if choice < 0.03:
            return self.chance.randbytes(self.chance.randrange(1, 200))
        if choice < 0.25:
            raw = bytes.fromhex(self.chance.choice(VECTORS)["hex"])
            return self.shaken(raw)
        message = self.message()
        if self.chance.random() < 0.7:
            message = self.with_odd_elements(message)
        try:
            payload = encode_payload(message, self.dialect)
        except EncodeError:
            return self.shaken(self.chance.randbytes(60))
        if self.chance.random() < 0.5:
            start = self.dialect.frame.prefix_bytes if self.chance.random() < 0.8 else 0
            payload = payload[:start] + self.shaken(payload[start:], lengths=False)
        if self.chance.random() < 0.9:
            payload = self.sealed(payload)
        try:
            whole = frame(payload, self.dialect.frame)
        except EncodeError:
            return payload
        return self.shaken(whole) if self.chance.random() < 0.1 else whole

    def shaken(self, data: bytes, *, lengths: bool = True) -> bytes:
        """A few bytes changed, taken out, put in, doubled, cut off, or taken from another message."""
        chance, made = self.chance, bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            if not made:
                break
            at = chance.randrange(2 if lengths and len(made) > 4 and chance.random() < 0.7 else 0, len(made))
            match chance.randrange(8):
                case 0 | 1:
                    made[at] = chance.choice(_ODD_BYTES)
                case 2:
                    made[at] = chance.randrange(256)
                case 3:
                    made[at] ^= 1 << chance.randrange(8)
                case 4:
                    del made[at : at + chance.choice((1, 1, 2, 8))]
                case 5:
                    made[at:at] = bytes(chance.choice(_ODD_BYTES) for _ in range(chance.choice((1, 1, 2, 8))))
                case 6:
                    made[at:at] = made[at : at + chance.randrange(1, 20)]
                case 7:
                    other = bytes.fromhex(chance.choice(VECTORS)["hex"])
                    made[at:] = made[at:][: chance.randrange(1, 30)] if chance.random() < 0.5 else other[at:]
        return bytes(made)

    def with_odd_elements(self, message: Message) -> Message:
        """One or two data elements with another value, none, or one that this message does not have."""
        chance = self.chance
        for _ in range(chance.choice((1, 1, 2))):
            present = sorted(message.fields)
            if not present:
                break
            de = chance.choice(present) if chance.random() < 0.8 else chance.choice(sorted(self.dialect.fields))
            old = message.get(de) or ""
            made: str | None = None
            match chance.randrange(8):
                case 0:
                    made = None
                case 1:
                    made = chance.choice("0123456789") * len(old)
                case 2 if old:
                    at = chance.randrange(len(old))
                    made = old[:at] + chance.choice("0123456789ABCDEF ") + old[at + 1 :]
                case 3:
                    made = chance.choice(_ODD_TEXTS)
                case 4:
                    made = old[: chance.randrange(len(old) + 1)]
                case 5:
                    made = message.get(chance.choice(present))
                case 6:
                    made = old[::-1]
                case _:
                    made = "".join(chance.choice("0123456789") for _ in old)
            message = message.with_fields({de: made})
        return message

    def sealed(self, payload: bytes) -> bytes:
        """With a MAC that fits, where there is one."""
        start = self.dialect.frame.prefix_bytes
        if self.dialect.family != "cup" or len(payload) < start + 18 or not payload[start + 9] & 1:
            return payload
        return payload[:-8] + security.mac_ecb(self.host.key, payload[start:-8])

    def message(self) -> Message:
        """A message of the terminal that a good host would take, more or less."""
        self.stan = self.chance.choice((self.stan, self.stan + 1, self.stan + 1, self.stan + 1))
        if self.dialect.family == "iso87":
            return self.iso()
        host, chance = self.host, self.chance
        if self.dialect.family == "cup" and chance.random() < _FRESH_SIGN_ON:
            host.sign_on(self.stan)
            self.stan += 1
        amount = chance.choice((100, 100, 5_000, 0, 999_999_999_999))
        earlier = max(1, self.stan - chance.randrange(1, 6))
        batch = host.batches()[-1][0] if host.batches() and chance.random() < 0.8 else "000001"
        made = chance.choice(_OURS)(host, self.stan, earlier, amount, batch)
        return host.with_mac(made, bytes(8)) if self.dialect.family == "cup" else made

    def iso(self) -> Message:
        chance, till = self.chance, self.till
        mti, fields_ = chance.choice(_ISO)(self.stan, max(1, self.stan - chance.randrange(1, 6)))
        till.stan = self.stan - 1
        base: dict[int, str | None] = {11: f"{self.stan:06d}", 41: TID, 42: "123456789012345", 32: "000000"}
        base |= {7: "1121093000", 12: "093000", 13: "1121"}
        made = {de: value for de, value in (base | dict(fields_)).items() if value is not None}
        form = self.dialect.frame
        return Message(mti, made, "6000030000" if form.tpdu else "", "603100310000" if form.header else "")


Make = Callable[[WireHost, int, int, int, str], Message]
_OURS: tuple[Make, ...] = (
    *(lambda host, stan, earlier, amount, batch: host.sale(stan, amount, batch=batch) for _ in range(4)),
    lambda host, stan, earlier, amount, batch: host.void(stan, 100, of=earlier, batch=batch),
    lambda host, stan, earlier, amount, batch: host.reversal(earlier, 100, batch=batch),
    lambda host, stan, earlier, amount, batch: host.settle(stan, (1, 100), batch=batch),
    lambda host, stan, earlier, amount, batch: host.settle(stan, (1, 100), batch=batch, final=True),
    lambda host, stan, earlier, amount, batch: host.upload(stan, (earlier, 100), batch=batch),
    lambda host, stan, earlier, amount, batch: host.manage(stan, "301", batch=batch),
    lambda host, stan, earlier, amount, batch: _refund(host, stan, batch),
    lambda host, stan, earlier, amount, batch: _advice(host, stan, amount, batch),
    lambda host, stan, earlier, amount, batch: _preauth(host, stan, amount, batch),
)


def _refund(host: WireHost, stan: int, batch: str) -> Message:
    made = host.void(stan, 100, of=max(1, stan - 1), batch=batch)
    if host.nac:
        return made.with_fields({3: "200000", 60: None})
    ref = {60: f"25{batch}00050", 61: f"{batch}{max(1, stan - 1):06d}0000", 63: "000"}
    return Message("0220", made.with_fields({3: "200000", **ref}).fields, made.tpdu, made.header)


def _advice(host: WireHost, stan: int, amount: int, batch: str) -> Message:
    made = host.sale(stan, amount, batch=batch)
    changes = {12: "093000", 13: "1121", 38: "123456", 2: PAN, 14: "3012", 35: None}
    return Message("0220", made.with_fields(changes).fields, made.tpdu, made.header)


def _preauth(host: WireHost, stan: int, amount: int, batch: str) -> Message:
    made = host.sale(stan, amount, batch=batch)
    changes = {3: "300000"} if host.nac else {3: "030000", 25: "06", 60: f"10{batch}00050"}
    return Message("0100", made.with_fields(dict(changes)).fields, made.tpdu, made.header)


_MONEY: dict[int, str] = {3: "000000", 4: f"{100:012d}", 18: "5999", 22: "022", 25: "00", 49: "156"}
_TRACK = {35: f"{PAN}D30122010000000000"}
_TYPED = {2: PAN, 14: "3012"}


def _de90(stan: int, mti: str = "0200") -> dict[int, str]:
    return {90: f"{mti}{stan:06d}1121093000" + "0" * 22}


IsoMake = Callable[[int, int], tuple[str, dict[int, str]]]
_ISO: tuple[IsoMake, ...] = (
    *(lambda stan, earlier: ("0200", _MONEY | _TRACK) for _ in range(4)),
    lambda stan, earlier: ("0200", _MONEY | _TYPED | {3: "020000"} | _de90(earlier)),
    lambda stan, earlier: ("0200", _MONEY | _TYPED | {3: "200000"} | _de90(earlier)),
    lambda stan, earlier: ("0400", _MONEY | _TYPED | _de90(earlier)),
    lambda stan, earlier: ("0421", _MONEY | _TYPED | _de90(earlier)),
    lambda stan, earlier: ("0100", _MONEY | _TRACK),
    lambda stan, earlier: ("0220", _MONEY | _TYPED | {38: "123456"} | _de90(earlier, "0100")),
    lambda stan, earlier: ("0220", _MONEY | _TYPED | {38: "123456"}),
    lambda stan, earlier: ("0500", {15: "0302", 50: "156"} | iso_totals((1, 100))),
    lambda stan, earlier: ("0520", {15: "0302", 50: "156"} | iso_totals((1, 100))),
    lambda stan, earlier: ("0800", {70: "301"}),
    lambda stan, earlier: ("0800", {70: "001"}),
)
