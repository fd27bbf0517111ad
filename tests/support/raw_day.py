"""A till of a few lines for each dialect, for settlements that no good terminal would send.

It has no flash and owes nothing. Messages are made of data elements as cup.md, nac.md and iso87.md have them, not by
the writers of specs.families, so that what a test expects comes from the documents.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from specs import security
from specs.codec import decode_payload, encode, encode_payload, mab
from specs.dialect import Dialect
from specs.endpoint import parse
from specs.framing import FrameReader, frame
from specs.message import Message

ANSWER_S = 10.0
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
"""security.md, worked example: the documented test key."""
PAN = "6223164991230014"
FOREIGN_PAN = "4111111111111111"
TIME = "093000"
"""DE 12 of what is sent; with the STAN it names the message in ISO 87."""
DAY = "1121"
"""DE 13 of what is sent: the terminal's own day, which decides nothing."""

Sums = tuple[int, int]
"""(count, amount)."""


def cup_totals(
    debit: Sums = (0, 0),
    credit: Sums = (0, 0),
    foreign: Sums = (0, 0),
    foreign_credit: Sums = (0, 0),
    codes: str = "00",
) -> str:
    """DE 48, 62 digits (cup.md 5.5): amount first, then count."""
    four = [f"{amount:012d}{count:03d}" for count, amount in (debit, credit, foreign, foreign_credit)]
    return f"{four[0]}{four[1]}{codes[0]}{four[2]}{four[3]}{codes[1]}"


def nac_totals(sales: Sums = (0, 0), refunds: Sums = (0, 0)) -> str:
    """DE 63, 90 digits (nac.md 5): count first, then amount."""
    return "".join(f"{count:03d}{amount:012d}" for count, amount in (sales, refunds, *[(0, 0)] * 4))


def iso_totals(debits: Sums = (0, 0), back: Sums = (0, 0), credit: Sums = (0, 0)) -> dict[int, str]:
    """DE 74-77, 86-89 and 97 (iso87.md 4). back: debit reversals."""
    counts = {74: credit[0], 75: 0, 76: debits[0], 77: back[0]}
    amounts = {86: credit[1], 87: 0, 88: debits[1], 89: back[1]}
    net = credit[1] + back[1] - debits[1]
    found = {de: f"{value:010d}" for de, value in counts.items()}
    found |= {de: f"{value:016d}" for de, value in amounts.items()}
    return found | {97: f"{'D' if net < 0 else 'C'}{abs(net):016d}"}


@dataclass
class RawTill:
    """One line to a listener. connect: its URL. tid: 8 characters."""

    connect: str
    tid: str
    mid: str = "123456789012345"
    batch: str = "000001"
    stan: int = 0
    day: str = ""
    """DE 15 of the last answer (ISO 87)."""
    _mak: bytes = b""
    _socket: socket.socket | None = None
    _reader: FrameReader | None = None
    _waiting: list[bytes] = field(default_factory=list)

    @property
    def dialect(self) -> Dialect:
        return parse(self.connect).dialect

    @property
    def family(self) -> str:
        return self.dialect.family

    def __enter__(self) -> RawTill:
        endpoint = parse(self.connect)
        self._reader = FrameReader(endpoint.dialect.frame)
        self._socket = socket.create_connection((endpoint.address, endpoint.port), timeout=ANSWER_S)
        if self.family == "cup":
            self.sign_on()
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    # ---- the line

    def ask(self, mti: str, fields: dict[int, str], *, seal: bool = False) -> Message:
        """Send a message of this terminal and wait for the answer."""
        assert self._socket is not None
        assert self._reader is not None
        fields = {11: self.next_stan(), 41: self.tid, 42: self.mid} | fields
        if self.family == "iso87":
            fields = {7: f"{DAY}{TIME}", 12: TIME, 13: DAY, 32: "000000"} | fields
        if self.family == "nac":
            fields = {24: "003"} | fields
        frame_ = self.dialect.frame
        message = Message(
            mti, fields, tpdu="6000030000" if frame_.tpdu else "", header="603100310000" if frame_.header else ""
        )
        if seal:
            blank = message.with_fields({64: "0" * 16})
            covered = mab(encode(blank, self.dialect), blank, self.dialect)
            message = message.with_fields({64: security.mac_ecb(self._mak, covered).hex().upper()})
        self._socket.sendall(frame(encode_payload(message, self.dialect), frame_))
        while not self._waiting:
            data = self._socket.recv(65536)
            assert data, "the host closed the line"
            self._waiting += [payload for payload in self._reader.feed(data) if payload]
        answer = decode_payload(self._waiting.pop(0), self.dialect)
        assert answer[11] == fields[11]
        return answer

    def next_stan(self) -> str:
        self.stan += 1
        return f"{self.stan:06d}"

    # ---- messages

    def sign_on(self) -> None:
        """CUP 0800/003; the MAC key out of DE 62."""
        answer = self.ask("0800", {60: f"00{self.batch}003", 63: "01 "})
        assert answer[39] == "00"
        self._mak = security.unwrap_keys(TMK, bytes.fromhex(answer[62])).mak

    def sale(self, amount: int, pan: str = PAN, **other: str) -> Message:
        """A swiped sale; other data elements as de37="…"."""
        fields = {3: "000000", 4: f"{amount:012d}", 22: "022", 25: "00", 35: f"{pan}D30122010000000000"}
        if self.family == "cup":
            fields |= {49: "156", 53: "0600000000000000", 60: f"22{self.batch}00050"}
        elif self.family == "nac":
            fields |= {62: f"{self.stan + 1:06d}"}
        else:
            fields |= {18: "5999", 49: "156"}
        fields |= {int(name.removeprefix("de")): value for name, value in other.items()}
        answer = self.ask("0200", fields, seal=self.family == "cup")
        self.day = answer.get(15) or self.day
        return answer

    def settle(self, claim: Sums, *, final: bool = False, batch: str = "", foreign: Sums = (0, 0)) -> Message:
        """0500 (final: NAC 960000, ISO 87 0520) over this many sales and their sum; day: as the sales' answers said."""
        batch = batch or self.batch
        if self.family == "cup":
            totals = cup_totals(claim, foreign=foreign)
            return self.ask("0500", {48: totals, 49: "156", 60: f"00{batch}201", 63: "01 "})
        if self.family == "nac":
            return self.ask("0500", {3: "960000" if final else "920000", 60: batch, 63: nac_totals(claim)})
        day = {15: self.day or DAY, 50: "156"}
        return self.ask("0520" if final else "0500", day | iso_totals(claim))

    def upload(self, *items: tuple[int, int]) -> list[str]:
        """Records (STAN, amount): CUP one 0320/201, NAC one 0320 each; DE 39 of the answers."""
        if self.family == "cup":
            text = "".join(f"00{stan:06d}{PAN:0>20}{amount:012d}" for stan, amount in items)
            return [self.ask("0320", {48: f"{len(items):02d}{text}", 60: f"00{self.batch}201"})[39]]
        codes = []
        for at, (stan, amount) in enumerate(items, start=1):
            fields = {2: PAN, 3: f"00000{int(at < len(items))}", 4: f"{amount:012d}", 12: TIME, 13: DAY, 14: "3012"}
            fields |= {22: "022", 25: "00", 37: " " * 12, 60: f"0200{stan:06d}" + " " * 12, 62: f"{stan:06d}"}
            codes.append(self.ask("0320", fields)[39])
        return codes

    def end(self, count: int, function: str = "202") -> Message:
        """CUP: the end of the upload; count: of its records."""
        return self.ask("0320", {48: f"{count:04d}", 60: f"00{self.batch}{function}"})
