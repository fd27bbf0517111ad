"""Bad input through a real socket: what it is answered, what the note says, and that the next good message works.

One host with a lenient and a strict listener for each dialect plays the whole table of tests.support.bad_input once,
while twenty terminals beside it go on selling; then every row is looked at by a test of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from terminal_sim.lab.host_process import HostProcess, python_environment
from tests.support.bad_input import ALL, CASES, CLOSED, MID, PAN, SENDS, BadTill, Case
from tests.support.raw_terminal import TRACK2, RawTerminal, sale
from tests.test_docs_tables import table

pytestmark = pytest.mark.e2e

NEIGHBOURS = 20
OTHER_MID = "OTHERMERCHANT01"
FRAME_S = 1
"""How long the host waits for the rest of a frame here."""
NOTE_S = 5.0
"""A line may be closed before its row is committed."""
PAUSE_S = 0.1
"""Between what only the doctor can name: it looks a few times a second (host.doctor.LOOKS_PER_S)."""
NOT_SIGNED_ON = "a sale before the sign-on"

Play = tuple[Case, bool]
"""A row of the table, and whether at the strict listener."""
PLAYS: tuple[Play, ...] = tuple(
    (case, strict)
    for case in CASES
    for strict in (False, True)
    if not strict or case.lenient != CLOSED  # bytes that are no frame never come to the question
)


def tid_of(play: Play) -> str:
    case, strict = play
    return f"{case.dialect[0]}{'s' if strict else 'l'}{CASES.index(case):06d}".upper()


@dataclass
class Seen:
    """What the socket saw, what the log says, and the code of the good sale after it."""

    answers: list[str]
    ended: bool
    notes: list[dict[str, Any]]
    good: str
    kcv: str


@dataclass
class Neighbour(threading.Thread):
    """A terminal that sells all the time on one line, and must notice nothing."""

    tid: str
    port: int
    stopping: threading.Event
    answers: list[tuple[str, str]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        try:
            with RawTerminal(self.port) as line:
                while not self.stopping.wait(0.1):
                    stan = f"{len(self.answers) + 1:06d}"
                    answer = line.exchange(sale(self.tid, stan, 100))
                    self.answers.append((answer.get(11) or "", answer.get(39) or ""))
        except Exception as error:
            self.trouble.append(repr(error))


@dataclass
class Day:
    """All that is left of it."""

    seen: dict[Play, Seen]
    neighbours: list[Neighbour]
    others: list[dict[str, Any]]
    texts: str
    log: str
    audit: subprocess.CompletedProcess[str]


def others_tid(dialect: str) -> str:
    return f"OTHER{dialect[0].upper()}01"


def configuration(folder: Path) -> Path:
    lines = ['provisioning = "strict"', "[limits]", f"frame_s = {FRAME_S}"]
    lines += [f'[[merchant]]\nmid = "{mid}"' for mid in (MID, OTHER_MID)]
    mine = [*map(tid_of, PLAYS), *(f"NEIGH{n:03d}" for n in range(NEIGHBOURS))]
    lines += [f'[[terminal]]\ntid = "{tid}"\nmid = "{MID}"' for tid in mine]
    lines += [f'[[terminal]]\ntid = "{others_tid(dialect)}"\nmid = "{OTHER_MID}"' for dialect in ALL]
    path = folder / "closeout.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path


class Player:
    """Plays rows against one host."""

    def __init__(self, host: HostProcess) -> None:
        self.host = host
        ports = [entry["port"] for entry in json.loads((host.folder / "ready.json").read_text("utf-8"))["listen"]]
        both = [(dialect, strict) for dialect in ALL for strict in (False, True)]
        self.urls = {key: f"{key[0]}://127.0.0.1:{port}" for key, port in zip(both, ports, strict=True)}
        self.nac_port = ports[both.index(("nac", False))]
        self.others = {dialect: self._other(dialect) for dialect in ALL}

    def _other(self, dialect: str) -> BadTill:
        """A terminal of another merchant with one sale, whose RRN stands first in `seen`."""
        with BadTill(self.urls[dialect, False], others_tid(dialect), mid=OTHER_MID) as till:
            till.send(till.framed(till.sale()))
            answer = till.hear()
            assert answer is not None
            assert answer[39] == "00"
            till.seen = [answer[37]]
        return till

    def play(self, play: Play) -> Seen:
        case, strict = play
        till = BadTill(self.urls[case.dialect, strict], tid_of(play)).dial()
        try:
            if case.name != NOT_SIGNED_ON:
                till.sign_on()
            pieces = SENDS[case.name](till, self.others[case.dialect])
            line = till.seen[-1]
            for piece in pieces:
                till.send(piece) if piece else till.no_more()
            answers = [till.heard() for _ in (case.strict if strict else case.lenient).split()]
            ended = answers[-1] == CLOSED or (case.after == CLOSED and till.heard() == CLOSED)
            if ended:
                till.dial()
            if case.name == NOT_SIGNED_ON:
                till.sign_on()
            till.send(till.framed(till.sale()))
            return Seen(answers, ended, self._notes(case, line), till.heard(), till.kcv())
        finally:
            till.hang_up()

    def _notes(self, case: Case, line: str) -> list[dict[str, Any]]:
        deadline = time.monotonic() + NOTE_S
        while True:
            newest = self.host.api.get("/messages", limit=500, order="newest")["items"]
            rows = [m for m in newest if m["peer"] == line and m["direction"] == "in"]
            notes = [note for row in rows for note in row["notes"]]
            if not case.expected or any(fits(case, note) for note in notes) or time.monotonic() > deadline:
                return notes
            time.sleep(0.05)


def fits(case: Case, note: dict[str, Any]) -> bool:
    """Whether a note is the one of the table; `…` there stands for anything."""
    place = (note["de"], note["offset"]) == (case.de, case.byte)
    return place and matches(case.expected, note["expected"]) and matches(case.got, note["got"])


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".+".join(map(re.escape, pattern.split("…"))), text) is not None


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("bad")
    urls = [f"{dialect}://127.0.0.1:0{query}" for dialect in ALL for query in ("", "?strict=1")]
    options = ["--config", str(configuration(folder)), "--log-level", "warning"]
    host = HostProcess(folder / "host", dialects=(), options=[*options, *(p for u in urls for p in ("--listen", u))])
    stopping = threading.Event()
    try:
        host.start()
        player = Player(host)
        neighbours = [Neighbour(f"NEIGH{n:03d}", player.nac_port, stopping) for n in range(NEIGHBOURS)]
        for neighbour in neighbours:
            neighbour.start()
        with ThreadPoolExecutor(len(PLAYS)) as pool:
            futures: dict[Play, Future[Seen]] = {p: pool.submit(player.play, p) for p in PLAYS if p[0].silent}
            # All of these end in one second: the doctor must have that second for them alone.
            seen = {play: future.result(60) for play, future in futures.items()}
        for play in PLAYS:
            if not play[0].silent:
                seen[play] = player.play(play)
                time.sleep(PAUSE_S if CLOSED in seen[play].answers else 0)
        stopping.set()
        for neighbour in neighbours:
            neighbour.join(30)
        others = [t for dialect in ALL for t in host.api.items("/transactions", tid=others_tid(dialect))]
        texts = json.dumps(host.api.items("/messages"))
        assert host.terminate() == 0
        with_store = [sys.executable, "-m", "host", "audit", "--store", host.store]
        audit = subprocess.run(
            with_store, capture_output=True, text=True, timeout=60, check=False, env=python_environment()
        )
        yield Day(seen, neighbours, others, texts, host.log.read_text("utf-8"), audit)
    finally:
        stopping.set()
        host.stop()


def _id(play: Play) -> str:
    return f"{play[0].dialect}-{'strict' if play[1] else 'lenient'}-{play[0].name}"


@pytest.mark.parametrize("play", PLAYS, ids=_id)
def test_each_bad_input_gets_its_answer_its_note_and_the_next_sale_works(day: Day, play: Play) -> None:
    case, strict = play
    seen = day.seen[play]
    assert seen.answers == (case.strict if strict else case.lenient).split()
    assert seen.ended == (case.after == CLOSED)
    if case.expected:
        assert any(fits(case, note) for note in seen.notes), seen.notes
        assert case.more.format(kcv=seen.kcv) in "\n".join(note["message"] for note in seen.notes), seen.notes
    else:
        assert seen.notes == []
    assert seen.good == "00"


def test_the_terminals_beside_it_noticed_nothing(day: Day) -> None:
    assert len(day.neighbours) == NEIGHBOURS
    for neighbour in day.neighbours:
        assert neighbour.trouble == [], neighbour.tid
        assert not neighbour.is_alive()
        assert len(neighbour.answers) > 3
        expected = [(f"{n:06d}", "00") for n in range(1, len(neighbour.answers) + 1)]
        assert neighbour.answers == expected, neighbour.tid


def test_another_terminal_s_sale_was_not_touched(day: Day) -> None:
    assert [(t["kind"], t["state"], t["settlement"]) for t in day.others] == [("sale", "captured", "open")] * len(ALL)


def test_the_books_are_right_afterwards(day: Day) -> None:
    assert day.audit.returncode == 0, day.audit.stdout + day.audit.stderr


def test_nothing_failed_inside_and_no_note_shows_a_card_number(day: Day) -> None:
    assert "Traceback" not in day.log
    assert "cannot be decided" not in day.log
    for text in (day.texts, day.log):
        for pan in (PAN, TRACK2[:16]):
            assert pan not in text
            assert pan.encode().hex() not in text.lower()


# ---- docs/bad-input.md shows the same table

HEADS = ("input", "lenient", "strict", "line", "DE", "byte", "expected", "got", "besides")


def shown(case: Case) -> dict[str, str]:
    """A row of the document."""
    noted = bool(case.expected)
    cells = (case.name, case.lenient, case.strict, case.after)
    note = (case.de, case.byte, case.expected, case.got, case.more.replace("{kcv}", "…") or "-")
    return dict(zip(HEADS, map(str, (*cells, *(note if noted else "-" * 5))), strict=True))


@pytest.mark.parametrize("dialect", ALL)
def test_the_document_has_every_row(dialect: str) -> None:
    told = Counter(tuple(row.items()) for row in table("bad-input.md", f"bad input: {dialect}"))
    assert told == Counter(tuple(shown(case).items()) for case in CASES if case.dialect == dialect)


def test_every_input_is_played_somewhere() -> None:
    assert {case.name for case in CASES} == set(SENDS)
    assert max(Counter((case.name, case.dialect) for case in CASES).values()) == 1
