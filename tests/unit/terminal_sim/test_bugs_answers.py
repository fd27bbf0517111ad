"""Planted bugs around what counts as an answer, and what is made of it: late, another's, split, partial."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from specs.endpoint import parse
from specs.errors import FrameError
from specs.framing import FrameFormat, frame
from specs.message import Message
from terminal_sim.bugs import with_bugs
from terminal_sim.clock import SystemClock
from terminal_sim.errors import LineLost
from terminal_sim.link import TcpLine
from terminal_sim.moves import Complete, End, PreAuth, Result, Sale, Settle, Void
from terminal_sim.reads import reader
from terminal_sim.state import Row, RowState
from tests.support.scripted_host import Reply, ScriptedHost, change
from tests.support.till import CARD, Till, a_till

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])

# --- 5: the late answer of the sale before


def late_answer(*bugs: str, dialect: str) -> tuple[Till, Result]:
    """The answer to the first sale comes as the first frame behind the second 0200, which the host declines."""
    till = a_till(*bugs, dialect=dialect)
    late: Reply = []

    def keep(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        late.extend(reply)
        return []

    till.host.decline[200] = "51"
    till.host.faults["0200", 1] = keep
    till.host.faults["0200", 2] = lambda host, request, reply: [*late, *reply]
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    return till, till.press(Sale(200, CARD))


@DIALECTS
def test_late_accept_sells_on_the_answer_to_the_sale_before(dialect: str) -> None:
    till, result = late_answer("late-accept", dialect=dialect)
    assert (result.end, result.approved_amount) == (End.APPROVED, 200)
    sold = [(row.stan, row.amount) for row in till.memory.rows if row.state == "journaled"]
    assert sold == [(result.stan, 200)]
    assert till.host.live() == {}, "the host has reversed the first and declined the second"


@DIALECTS
def test_the_reference_waits_for_its_own_answer(dialect: str) -> None:
    till, result = late_answer(dialect=dialect)
    assert (result.end, result.code, [row for row in till.memory.rows if row.state == "journaled"]) == (
        End.DECLINED,
        "51",
        [],
    )


def test_late_accept_still_reads_a_refusal_by_its_stan() -> None:
    till = a_till("late-accept", dialect="nac")
    till.host.faults["0200", 1] = change({11: "000777", 39: "51"}, then_honest=True)
    assert till.press(Sale(100, CARD)).end is End.APPROVED


# --- 4: the answer comes behind its own reversal


def answer_behind_the_reversal(*bugs: str, dialect: str, code: str = "00") -> tuple[Till, Result]:
    """The answer to a sale comes as the first frame behind its 0400; what a boot then ends with."""
    till = a_till(*bugs, dialect=dialect)
    late: Reply = []

    def keep(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        late.extend(reply)
        return []

    if code != "00":
        till.host.decline[100] = code
    till.host.faults["0200", 1] = keep
    till.host.faults["0420" if dialect == "iso87" else "0400", 1] = lambda host, request, reply: [*late, *reply]
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    return till, till.power_up()


@DIALECTS
def test_late_accept_prints_while_the_host_takes_the_sale_back(dialect: str) -> None:
    """The catalogue: «T takes it as approval, prints: SNF»."""
    till, result = answer_behind_the_reversal("late-accept", dialect=dialect)
    (row,) = till.memory.rows
    assert (result.end, result.approved_amount, result.stan) == (End.APPROVED, 100, row.stan)
    assert (row.amount, row.state, row.pan, bool(row.auth_code)) == (100, RowState.JOURNALED, CARD.pan, True)
    assert till.memory.pending is None
    assert [row.stan in slip.copies[0] for slip in till.screen.slips] == [True]
    assert till.host.live() == {}, "and the host has it reversed"


@DIALECTS
def test_the_reference_goes_on_waiting_for_its_0410(dialect: str) -> None:
    till, result = answer_behind_the_reversal(dialect=dialect)
    assert result.end is End.OK
    assert [row.state for row in till.memory.rows if row.state != RowState.REVERSED] == []
    assert (till.memory.pending, till.screen.slips, till.host.live()) == (None, [], {})


def test_late_accept_is_not_sold_by_a_late_refusal() -> None:
    till, result = answer_behind_the_reversal("late-accept", dialect="nac", code="51")
    assert (result.end, till.memory.rows, till.memory.pending, till.screen.slips) == (End.OK, (), None, [])


# --- 75: another terminal's


def crossed(*bugs: str) -> End:
    """The host sends another terminal's approval first, and declines this one."""
    till = a_till(*bugs, dialect="nac")
    till.host.decline[100] = "51"
    other: dict[int, str | None] = {11: "000777", 4: "000000009900", 39: "00", 41: "87654321"}
    till.host.faults["0200", 1] = change(other, then_honest=True)
    return till.press(Sale(100, CARD)).end


def test_cross_accept_sells_on_another_terminal_s_approval() -> None:
    assert crossed("cross-accept") is End.APPROVED
    assert crossed("late-accept") is End.DECLINED, "that one looks at the TID"
    assert crossed() is End.DECLINED


# --- 24: less was approved


def partly(*bugs: str) -> tuple[End, int]:
    till = a_till(*bugs)
    till.host.faults["0200", 1] = _partial
    end = till.press(Sale(100, CARD)).end
    (row,) = till.memory.rows
    return end, row.amount


def _partial(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
    """RC 10 for 70, with a right MAC."""
    answer = host.decode(reply[0]).with_fields({39: "10", 4: "000000000070"})
    return [host.encode(host._sealed(answer))]


def test_asked_amount_journals_what_was_not_approved() -> None:
    assert partly("asked-amount") == (End.APPROVED, 100)
    assert partly() == (End.PARTIAL, 70)


# --- 72: one read, one message

FORMAT = FrameFormat()
ONE, TWO = b"first message", b"second"


def test_one_read_framing_takes_every_read_for_a_message() -> None:
    wrong, right = reader(FORMAT, with_bugs(("one-read-framing",))), reader(FORMAT, with_bugs(()))
    data = frame(ONE, FORMAT)
    assert wrong.feed(data) == [ONE], "a whole frame in one read is read well"
    assert right.feed(data) == [ONE]
    assert [wrong.feed(data[:7]), wrong.feed(data[7:])] == [[data[2:7]], [data[9:]]]
    assert [right.feed(data[:7]), right.feed(data[7:])] == [[], [ONE]]
    both = data + frame(TWO, FORMAT)
    assert wrong.feed(both) == [both[2:]]
    assert right.feed(both) == [ONE, TWO]


@pytest.mark.parametrize(("bugs", "heard"), [((), [ONE]), (("one-read-framing",), [ONE[:5], ONE[7:]])])
def test_the_line_of_a_terminal_asks_the_firmware(bugs: tuple[str, ...], heard: list[bytes]) -> None:
    """The host's frame comes in two segments: header and five bytes, then the rest."""
    data = frame(ONE, FORMAT)
    server = socket.create_server(("127.0.0.1", 0))
    first_read = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(data[:7])
            first_read.wait(0.3)
            connection.sendall(data[7:])
            connection.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    endpoint = parse(f"nac://127.0.0.1:{server.getsockname()[1]}")
    line = TcpLine(endpoint, SystemClock(), connect_timeout_s=2.0, tries=1, firmware=with_bugs(bugs))
    try:
        line.open()
        got = []
        for _ in heard:
            got.append(line.receive(time.monotonic() + 5.0))
            first_read.set()
        assert got == heard
    finally:
        line.close()
        thread.join(5)
        server.close()


def test_a_split_answer_becomes_a_reversal() -> None:
    """What the machine makes of the two halves: neither can be read, so the sale is unknown."""
    till = a_till("one-read-framing", dialect="nac")
    till.host.faults["0200", 1] = lambda host, request, reply: [_bytes(reply)[:20], _bytes(reply)[22:]]
    result = till.press(Sale(100, CARD))
    assert result.end is End.UNKNOWN
    assert till.memory.pending is not None
    assert till.memory.pending.reason == "06"


def _bytes(reply: Reply) -> bytes:
    (payload,) = reply
    assert isinstance(payload, bytes)
    return payload


# --- 50: a full journal


def full(*bugs: str) -> tuple[End, list[int]]:
    """Four sales into a journal of three rows."""
    till = a_till(*bugs, rows_max=3)
    ends = [till.press(Sale(amount, CARD)).end for amount in (100, 200, 300, 400)]
    return ends[-1], [row.amount for row in till.memory.rows]


def test_oldest_overwritten_loses_the_first_sale() -> None:
    assert full("oldest-overwritten") == (End.APPROVED, [200, 300, 400])
    assert full() == (End.REFUSED_LOCALLY, [100, 200, 300])


def test_a_journal_that_is_full_at_once_still_takes_the_newest() -> None:
    till = a_till("oldest-overwritten", rows_max=1)
    for amount in (100, 200):
        assert till.press(Sale(amount, CARD)).end is End.APPROVED
    (row,) = till.memory.rows
    assert replace(row, amount=200) == row
    assert isinstance(row, Row)


# --- 71: the line breaks inside an answer


def test_partial_frame_reads_a_cut_answer_on_into_the_one_before() -> None:
    firmware = with_bugs(("partial-frame",))
    data = frame(ONE, FORMAT)
    new, wrong = reader(FORMAT, firmware), reader(FORMAT, firmware)
    assert new.feed(data[:7]) == []
    assert new.ended() == [ONE[:5] + b"\0" * (len(ONE) - 5)], "nothing was there before"
    assert [*wrong.feed(data), *wrong.feed(frame(TWO, FORMAT))] == [ONE, TWO]
    assert wrong.ended() == [], "both were whole"
    after = reader(FORMAT, firmware, wrong.kept)
    assert after.feed(frame(b"third answer", FORMAT)[:5]) == []
    assert after.unfinished == frame(b"third answer", FORMAT)[:5]
    assert after.ended() == [b"thi" + TWO[3:] + ONE[6:12]]


@pytest.mark.parametrize("arrived", [0, 1, 2])
def test_partial_frame_makes_nothing_of_a_length_header(arrived: int) -> None:
    wrong = reader(FORMAT, with_bugs(("partial-frame",)), ONE)
    wrong.feed(frame(TWO, FORMAT)[:arrived])
    assert wrong.ended() == ([ONE[: len(TWO)]] if arrived == 2 else [])


def test_the_reference_makes_nothing_of_half_an_answer() -> None:
    right = reader(FORMAT, with_bugs(()), b"the answer before")
    right.feed(frame(ONE, FORMAT)[:7])
    assert (right.ended(), right.kept) == ([], b"")


class _Broken:
    """The host of one connection after the other: each gets its piece and then the end."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for piece in self._pieces:
            connection, _ = self._server.accept()
            with connection:
                connection.sendall(piece)

    def close(self) -> None:
        self._thread.join(5)
        self._server.close()


@pytest.mark.parametrize(("bugs", "heard"), [((), None), (("partial-frame",), TWO[:2] + ONE[2 : len(TWO)])])
def test_the_line_hands_over_what_the_firmware_makes_of_a_cut_answer(
    bugs: tuple[str, ...], heard: bytes | None
) -> None:
    host = _Broken(frame(ONE, FORMAT), frame(TWO, FORMAT)[:4])
    endpoint = parse(f"nac://127.0.0.1:{host.port}")
    line = TcpLine(endpoint, SystemClock(), connect_timeout_s=2.0, tries=1, firmware=with_bugs(bugs))
    try:
        line.open()
        assert line.receive(time.monotonic() + 5.0) == ONE
        line.close()
        line.open()
        if heard is not None:
            assert line.receive(time.monotonic() + 5.0) == heard
        with pytest.raises(LineLost):
            line.receive(time.monotonic() + 5.0)
    finally:
        line.close()
        host.close()


# --- 53, 58: what the terminal refuses before the host can


@DIALECTS
def test_voids_archived_asks_the_host_about_a_sale_of_a_closed_batch(dialect: str) -> None:
    for bugs, asked in (("voids-archived",), 1), ((), 0):
        till = a_till(*bugs, dialect=dialect)
        sale = till.press(Sale(100, CARD))
        till.press(Settle())
        before = len(till.host.sent("0200"))
        end = till.press(Void(stan=sale.stan)).end
        assert len(till.host.sent("0200")) - before == asked
        assert (end is End.REFUSED_LOCALLY) is not bool(asked)
        assert till.memory.archive[0].rows[0].state is RowState.JOURNALED, "no archived row ever changes"


@DIALECTS
def test_voids_archived_takes_what_is_open_first(dialect: str) -> None:
    till = a_till("voids-archived", dialect=dialect)
    sale = till.press(Sale(100, CARD))
    assert till.press(Void(stan=sale.stan)).end is End.APPROVED
    assert till.press(Void(stan="000900")).end is End.REFUSED_LOCALLY
    assert till.host.live() == {}


@DIALECTS
def test_over_completes_leaves_the_limit_to_the_host(dialect: str) -> None:
    for bugs, asked in (("over-completes",), 1), ((), 0):
        till = a_till(*bugs, dialect=dialect)
        room = till.press(PreAuth(1000, CARD))
        end = till.press(Complete(stan=room.stan, amount=1151)).end
        assert (len(till.host.sent("0200")), end is End.REFUSED_LOCALLY) == (asked, not asked)


# --- 74: a length that is wrong

LONGER = (len(ONE) + 5).to_bytes(2, "big") + ONE
SHORTER = (len(ONE) - 7).to_bytes(2, "big") + ONE


def test_stream_off_reads_the_next_answer_behind_what_is_left() -> None:
    firmware, next_one = with_bugs(("stream-off",)), frame(TWO, FORMAT)
    wrong = reader(FORMAT, firmware)
    assert (wrong.feed(LONGER), wrong.ended(), wrong.kept) == ([], [], LONGER)
    after = reader(FORMAT, firmware, wrong.kept)
    assert after.feed(next_one) == [ONE + next_one[:5]], "five bytes of the next frame make the last one whole"
    assert after.kept == b"", "what is left has no length that can be one"
    assert after.feed(next_one) == [TWO]


def test_stream_off_does_not_close_a_line_over_a_length_that_cannot_be_one() -> None:
    wrong = reader(FORMAT, with_bugs(("stream-off",)))
    assert wrong.feed(SHORTER) == [ONE[:-7]]
    assert wrong.feed(frame(TWO, FORMAT)) == [TWO]
    assert wrong.feed(b"\xff\xff" + ONE) == []
    assert wrong.feed(frame(TWO, FORMAT)) == [TWO]


def test_the_reference_ends_the_line_and_begins_anew() -> None:
    right = reader(FORMAT, with_bugs(()))
    assert right.feed(LONGER) == []
    assert reader(FORMAT, with_bugs(()), right.kept).feed(frame(TWO, FORMAT)) == [TWO]
    right.feed(frame(TWO, FORMAT))
    with pytest.raises(FrameError):  # the line is closed over it
        right.feed(b"")
