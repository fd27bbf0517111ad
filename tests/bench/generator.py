"""The load: a process of its own that plays many tills, and times every answer from when its request was due.

    python -m tests.bench.generator        one order a line on stdin, one answer a line on stdout (JSON)

Open loop: sale i is due at t0 + i / rate and goes out over line i mod N, whether or not earlier answers are there. A
till has one request under way; what is due meanwhile waits at the till, and its waiting counts. Closed loop: each line
sends its next sale when it has its answer; for the highest rate and for profiles, not for latencies.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any, cast

import uvloop

from tests.bench.histogram import Histogram
from tests.bench.tills import Till, Wrong

TICK_S = 0.001
ANSWER_S = 20.0
"""How long after the last sale answers are waited for."""
DIALS_AT_ONCE = 100
ADDRESSES = 200
"""Source addresses 127.0.1.1 and up that lines are spread over: ports of one address are few, and hosts count by it."""
WRONG_MAX = 3


@dataclass(slots=True)
class Round:
    """What one round has come to so far."""

    closed: bool
    from_due: Histogram = field(default_factory=Histogram)
    from_sent: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)
    sent: int = 0
    answered: int = 0
    sending: bool = True
    wrong: list[str] = field(default_factory=list)
    last_at: float = 0.0


class Line(asyncio.Protocol):
    """One connection of one till."""

    __slots__ = (
        "_buffer",
        "_due",
        "_sent",
        "_sent_at",
        "_transport",
        "_waiting",
        "answers",
        "lost",
        "now",
        "plain",
        "till",
    )

    def __init__(self, till: Till, plain: bool) -> None:
        self.till = till
        self.plain = plain
        """Whether the other end only echoes."""
        self.now: Round | None = None
        self.answers: asyncio.Queue[bytes] | None = None
        self.lost = False
        self._buffer = b""
        self._due = 0.0
        self._sent = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[float] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The other end hung up: what is under way will not be answered."""
        self.lost = True

    def write(self, data: bytes) -> None:
        """Send something outside a round."""
        assert self._transport is not None
        self._transport.write(data)

    def sell(self, due: float) -> None:
        """One sale that is due at this time: now, or once the till has its answer."""
        if self._sent:
            self._waiting.append(due)
        else:
            self._send(due)

    def _send(self, due: float) -> None:
        assert self._transport is not None
        assert self.now is not None
        self._sent = self.till.next_sale()
        self._due = due
        self._transport.write(self._sent)
        self._sent_at = perf_counter()
        self.now.sent += 1

    def data_received(self, data: bytes) -> None:
        """Time the answer, look at it, and go on with what waits."""
        at = perf_counter()
        if self._buffer:
            data = self._buffer + data
        if len(data) < 2 or len(data) - 2 < int.from_bytes(data[:2], "big"):
            self._buffer = data
            return
        self._buffer = b""
        now = self.now
        if now is None:
            if self.answers is not None:
                self.answers.put_nowait(data)
            return
        now.answered += 1
        now.last_at = at
        now.from_due.record(int((at - self._due) * 1e6))
        now.from_sent.record(int((at - self._sent_at) * 1e6))
        try:
            if not self.plain:
                self.till.took(data)
            elif data != self._sent:
                raise Wrong("the echo is not what was sent")
        except Wrong as error:
            now.wrong.append(str(error))
        self._sent = b""
        if now.closed:
            if now.sending and len(now.wrong) < WRONG_MAX:
                self._send(at)
        elif self._waiting:
            self._send(self._waiting.popleft())

    @property
    def waiting(self) -> int:
        """Sales under way or due at this till."""
        return len(self._waiting) + bool(self._sent)

    def clear(self) -> None:
        """Forget what was not answered."""
        self._waiting.clear()
        self._sent = self._buffer = b""
        self.now = None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class Fleet:
    """The tills that talk to one port."""

    def __init__(self, port: int, count: int, plain: bool, series: str) -> None:
        self._port = port
        self._plain = plain
        self._lines = [Line(Till(number, series), plain) for number in range(count)]

    async def dial(self) -> None:
        """Connect every line, from many source addresses."""
        for start in range(0, len(self._lines), DIALS_AT_ONCE):
            some = enumerate(self._lines[start : start + DIALS_AT_ONCE], start)
            await asyncio.gather(*(self._dial(number, line) for number, line in some))

    async def _dial(self, number: int, line: Line) -> None:
        source = (f"127.0.1.{1 + number % ADDRESSES}", 0)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: line, "127.0.0.1", self._port, local_addr=source)

    async def sign_on(self) -> None:
        """Working keys for every till. Raises Wrong."""
        if self._plain:
            return
        for start in range(0, len(self._lines), DIALS_AT_ONCE):
            some = list(enumerate(self._lines[start : start + DIALS_AT_ONCE], start))
            for _, line in some:
                line.answers = asyncio.Queue()
                line.write(line.till.sign_on())
            for number, line in some:
                assert line.answers is not None
                line.till.signed_on(await asyncio.wait_for(line.answers.get(), ANSWER_S), number)
                line.answers = None

    async def play(self, rate: float, seconds: float, ahead: int) -> dict[str, Any]:
        """One round. rate: sales a second over all lines, 0 = closed loop. ahead: sales made before the clock runs."""
        each = -(-ahead // len(self._lines))
        for line in self._lines:
            line.till.prepare(each)
        now = Round(closed=not rate)
        for line in self._lines:
            line.now = now
        used = process_time()
        start = perf_counter()
        backlog = await (self._open(now, start, rate, seconds) if rate else self._closed(now, start, seconds))
        end = perf_counter()
        while self._due() and perf_counter() - end < ANSWER_S and not self._gone():
            await asyncio.sleep(0.005)
        wall = (now.last_at or end) - start
        left = self._due()
        for line in self._lines:
            line.clear()
        return {
            "rate": rate,
            "seconds": round(wall, 4),
            "sent": now.sent,
            "answered": now.answered,
            "lost": left,
            "backlog": backlog,
            "per_second": round(now.answered / wall, 1),
            "wrong": now.wrong[:WRONG_MAX],
            "wrongs": len(now.wrong),
            "due_us": [now.from_due.percentile(p) for p in (50, 99, 99.9)],
            "trip_us": [now.from_sent.percentile(p) for p in (50, 99, 99.9)],
            "lag_us": [now.lag.percentile(p) for p in (50, 99)],
            "generator_cpu_us": round((process_time() - used) * 1e6 / max(1, now.answered), 1),
        }

    async def _open(self, now: Round, start: float, rate: float, seconds: float) -> int:
        lines, total, i = self._lines, int(rate * seconds), 0
        count = len(lines)
        while i < total:
            present = perf_counter()
            until = min(total, int((present - start) * rate) + 1)
            while i < until:
                due = start + i / rate
                now.lag.record(int((perf_counter() - due) * 1e6))
                lines[i % count].sell(due)
                i += 1
            if len(now.wrong) >= WRONG_MAX:
                break
            await asyncio.sleep(max(TICK_S, start + i / rate - perf_counter()))
        return self._due()

    async def _closed(self, now: Round, start: float, seconds: float) -> int:
        for line in self._lines:
            line.sell(start)
        await asyncio.sleep(seconds)
        now.sending = False
        return 0

    def _due(self) -> int:
        return sum(line.waiting for line in self._lines)

    def _gone(self) -> bool:
        return any(line.lost and line.waiting for line in self._lines)

    def books(self) -> dict[str, int]:
        """What the tills believe: approvals and their sum in minor units."""
        tills = [line.till for line in self._lines]
        return {"approved": sum(t.approved for t in tills), "sum": sum(t.sum for t in tills)}

    def close(self) -> None:
        """Hang up on all lines."""
        for line in self._lines:
            line.close()


class Generator:
    """Takes orders: see `do`."""

    def __init__(self) -> None:
        self._fleets: dict[str, Fleet] = {}

    async def do(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """dial (name, port, lines, plain, series) · play (name, rate, seconds, ahead) · books (name) · close (name)."""
        name = str(order["name"])
        match order["do"]:
            case "dial":
                fleet = Fleet(order["port"], order["lines"], order["plain"], order.get("series", "BNC"))
                self._fleets[name] = fleet
                await fleet.dial()
                if order.get("sign_on", True):
                    await fleet.sign_on()
                return {"lines": order["lines"]}
            case "play":
                return await self._fleets[name].play(order["rate"], order["seconds"], order["ahead"])
            case "books":
                return self._fleets[name].books()
            case "close":
                self._fleets.pop(name).close()
                await asyncio.sleep(0.05)
                return {}
        raise AssertionError(order)


def main(arguments: Sequence[str]) -> None:
    """Orders in, answers out, until stdin ends."""
    assert not arguments, arguments
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    generator = Generator()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            try:
                answer = runner.run(generator.do(json.loads(line)))
            except (Wrong, OSError, TimeoutError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
