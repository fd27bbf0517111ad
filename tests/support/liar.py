"""A line between one terminal and a real host, on which the host's answers can be spoilt byte by byte.

    with Liar(host.url("nac")) as liar:
        till = PowerTill(folder, liar.url, …)
        liar.spoil("0200", lambda heard: [heard.frame(heard.change({11: "000077"})), heard.right])

The host has heard every request and decided it; what the terminal gets of its answer is the test's business, once for
each call of `spoil`. Everything else passes unchanged.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from specs.codec import decode_payload, encode, encode_payload, mab, mac_de
from specs.dialect import Dialect
from specs.endpoint import parse
from specs.framing import FrameReader, frame
from specs.message import Message
from specs.profile import profile_of
from specs.security import MAC_ALGORITHMS, WorkingKeys

WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """RST: what had not been read is gone."""


@dataclass(frozen=True, slots=True)
class Fin:
    """The host closes in an orderly way."""


Act = bytes | Pause | Reset | Fin


@dataclass(frozen=True, slots=True)
class Heard:
    """One exchange as the line saw it. before: the frame that answered the exchange before this one, b"" at first."""

    dialect: Dialect
    request: Message
    answer: Message
    right: bytes
    before: bytes
    keys: WorkingKeys | None

    def change(self, changes: Mapping[int, str | None], mti: str = "") -> Message:
        """The answer with other elements, and a MAC that is right for them where the dialect has one."""
        answer = self.answer.with_fields(changes)
        if mti:
            answer = Message(mti, answer.fields, answer.tpdu, answer.header)
        mac = profile_of(self.dialect.name, self.dialect.profile).mac
        de = mac_de(answer.fields)
        if not mac or de not in self.answer or self.keys is None or de in changes:
            return answer
        blank = answer.with_fields({de: "0" * 16})
        sealed = MAC_ALGORITHMS[mac](self.keys.mak, mab(encode(blank, self.dialect), blank, self.dialect))
        return answer.with_fields({de: sealed.hex().upper()})

    def frame(self, answer: Message) -> bytes:
        """Its bytes as they go over the line."""
        return frame(encode_payload(answer, self.dialect), self.dialect.frame)

    def payload(self) -> bytes:
        """The right answer without its length header."""
        return encode_payload(self.answer, self.dialect)


Spoil = Callable[[Heard], Iterable[Act]]


@dataclass
class Liar:
    """See the module. One connection at a time; keys: of the terminal, asked when an answer is to be sealed anew."""

    connect: str
    keys: Callable[[], WorkingKeys | None] = lambda: None
    spoiled: int = 0
    _plans: list[tuple[str, Spoil]] = field(default_factory=list)
    _before: bytes = b""
    _closing: bool = False

    def __post_init__(self) -> None:
        self.endpoint = parse(self.connect)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{self.connect.partition('://')[0]}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def spoil(self, mti: str, how: Spoil) -> None:
        """The next answer to a request of this MTI."""
        self._plans.append((mti, how))

    def __enter__(self) -> Liar:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(WAIT_S)

    def _serve(self) -> None:
        while not self._closing:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError, EOFError):
                self._carry(client)

    def _carry(self, client: socket.socket) -> None:
        client.settimeout(WAIT_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.create_connection((self.endpoint.address, self.endpoint.port), WAIT_S) as host:
            asked, answered = (_Frames(line, self.endpoint.dialect) for line in (client, host))
            while True:
                payload = asked.next()
                host.sendall(frame(payload, self.endpoint.dialect.frame))
                for act in self._acts(payload, answered.next()):
                    _do(client, act)

    def _acts(self, asked: bytes, answered: bytes) -> Iterable[Act]:
        dialect = self.endpoint.dialect
        right = frame(answered, dialect.frame)
        request = decode_payload(asked, dialect)
        before, self._before = self._before, right
        for at, (mti, how) in enumerate(self._plans):
            if mti == request.mti:
                del self._plans[at]
                self.spoiled += 1
                answer = decode_payload(answered, dialect)
                return how(Heard(dialect, request, answer, right, before, self.keys()))
        return [right]


class _Frames:
    """The payloads of one direction."""

    def __init__(self, line: socket.socket, dialect: Dialect) -> None:
        self._line = line
        self._reader = FrameReader(dialect.frame)
        self._waiting: list[bytes] = []

    def next(self) -> bytes:
        while not self._waiting:
            data = self._line.recv(65536)
            if not data:
                raise EOFError
            self._waiting += [payload for payload in self._reader.feed(data) if payload]
        return self._waiting.pop(0)


def _do(client: socket.socket, act: Act) -> None:
    match act:
        case Pause(seconds):
            time.sleep(seconds)
        case Reset():
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            raise EOFError
        case Fin():
            client.shutdown(socket.SHUT_WR)
            client.close()
            raise EOFError
        case bytes():
            client.sendall(act)
