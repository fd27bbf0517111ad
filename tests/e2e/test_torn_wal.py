"""Power cuts in the middle of a write, as copies: the log of writes cut off at any byte, or with a sector spoilt.

A real host is driven over TCP by terminals of all three dialects; every answer is noted with how long the log was when
it came, since what is approved was on disk by then. Now and then the host is stopped (SIGSTOP) and its files copied, as
they are. Each copy is then torn at random bytes, behind what a checkpoint has already moved (that was synced), opened
as a restart opens it and audited:

- it opens, and no invariant is broken;
- it holds exactly the transactions whose commit frame lies before the cut, by a parser of our own (tests.support.wal);
- no answer is missing that a terminal had when the log was no longer than what is left of it.

CLOSEOUT_TEARS sets at how many places (60 here; `make torn TEARS=1000` for the full show), CLOSEOUT_TEARS_SEED where.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import structlog

from host.checker import report
from host.checker.books import HostBooks
from host.store.store import open_store
from specs.codec import decode_payload
from specs.endpoint import parse
from terminal_sim.lab.host_process import HostProcess
from tests.support.engine import CUP
from tests.support.host_engine import EngineHost
from tests.support.mixed_load import Shopper, Watch, _WatchedLine
from tests.support.wal import FRAME_HEAD, HEAD, Image, Wal, backfilled, spread

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name == "nt", reason="a process cannot be stopped there")]

TEARS = int(os.environ.get("CLOSEOUT_TEARS", "0")) or 60
SEED = int(os.environ.get("CLOSEOUT_TEARS_SEED", "20261122"))
SHOWN = TEARS > 100
COPIES = 4 if SHOWN else 2
"""Copies of each kind; the tears are shared out among them."""
LOAD_S = 1.5 if SHOWN else 0.4
"""How long terminals shop before a copy, and a little longer: the length of a log, and of its audit."""
SECTOR = 512
FRAME = FRAME_HEAD + 4096
TILLS = (("cup", 2), ("nac", 2), ("iso87", 1))
OWN_TROUBLE = "96"
"""What is answered when nothing could be written: in no book."""
REPAIRED_ONE_IN = 5
"""Of how many torn copies a host is started on one, to mend what was in flight, and audited again."""


@dataclass(frozen=True)
class Heard:
    """An answer that a terminal had, and the log as it stood then: its salt (a new one with every restart of the log)
    and its length."""

    mti: str
    tid: str
    stan: str
    rrn: str
    code: str
    salt: bytes
    length: int


@dataclass(frozen=True)
class Copy:
    """The files of a store at one instant, and what terminals had heard by then."""

    name: str
    database: bytes
    log: Wal
    moved: int
    heard: tuple[Heard, ...]


@dataclass
class Ears:
    """Notes every answer. The log is looked at after the answer came: it can only be longer than it was then."""

    wal: Path
    heard: list[Heard] = field(default_factory=list)

    def note(self, payload: bytes, url: str) -> None:
        message = decode_payload(payload, parse(url).dialect)
        salt, length = self._look()
        tid, stan, rrn, code = (message.get(de) or "" for de in (41, 11, 37, 39))
        self.heard.append(Heard(message.mti, tid, stan, rrn, code, salt, length))

    def _look(self) -> tuple[bytes, int]:
        """The salt, and how far frames of it go; a log that began anew is longer than that."""
        with self.wal.open("rb") as file:
            salt = os.pread(file.fileno(), 8, 16)
            low, high = 0, os.fstat(file.fileno()).st_size // FRAME
            while low < high:
                middle = (low + high) // 2
                if os.pread(file.fileno(), 8, HEAD + middle * FRAME + 8) == salt:
                    low = middle + 1
                else:
                    high = middle
            # A log that began anew meanwhile: what was heard is in the database by now.
            return (salt, HEAD + low * FRAME) if os.pread(file.fileno(), 8, 16) == salt else (b"", 0)


class _Line(_WatchedLine):
    """Notes each answer as it comes."""

    def __init__(self, url: str, tid: str, watch: Watch, ears: Ears) -> None:
        super().__init__(url, tid, watch)
        self.url = url
        self.ears = ears

    def receive(self, deadline: float) -> bytes | None:
        payload = super().receive(deadline)
        if payload is not None:
            self.ears.note(payload, self.url)
        return payload


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A thousand restarts are no news here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.timeout(120 + 3 * TEARS)
@pytest.mark.usefixtures("morning")
@pytest.mark.parametrize("checkpoints", [False, True], ids=["no-checkpoint", "checkpoints"])
def test_a_torn_log_loses_nothing_that_was_answered(tmp_path: Path, checkpoints: bool) -> None:
    chance = Random(SEED + checkpoints)
    copies = _copies(tmp_path / "host", chance, checkpoints)
    tears = _tears(copies, TEARS // 2, chance)
    met: Counter[str] = Counter()
    for copy in copies:
        mine = sorted((t for t in tears if t.copy is copy), key=lambda t: t.kept)
        image = Image(bytearray(copy.database), copy.log)
        for tear in mine:
            folder = tmp_path / "torn"
            folder.mkdir()
            met += _one(tear, folder, image.up_to(tear.kept), repaired=chance.randrange(REPAIRED_ONE_IN) == 0)
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    lengths = [len(copy.log.data) for copy in copies]
    print(
        f"{len(tears)} tears of {len(copies)} copies (logs of {spread(lengths)} bytes,"
        f" {spread([len(copy.log.commits) for copy in copies])} commits): {dict(met)}"
    )
    assert met["answers looked for"] > len(tears)
    assert met["transactions cut off"] > 0


# ---- the copies


def _copies(folder: Path, chance: Random, checkpoints: bool) -> list[Copy]:
    host = HostProcess(folder, options=("--log-level", "warning"))
    found = []
    try:
        host.start()
        path = folder / "closeout.db"
        with _reading(path) if not checkpoints else contextlib.nullcontext():
            for number in range(COPIES):
                found.append(_shop_and_copy(host, path, number, chance))
        host.kill()
    finally:
        host.stop()
    return found


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Somebody who reads keeps the log from being moved into the database, and so from beginning anew."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT COUNT(*) FROM txn").fetchone()
    try:
        yield
    finally:
        connection.close()


def _shop_and_copy(host: HostProcess, path: Path, number: int, chance: Random) -> Copy:
    watch, ears = Watch(), Ears(path.with_name(f"{path.name}-wal"))
    shoppers = []
    for dialect, count in TILLS:
        for at in range(count):
            tid = f"{dialect[:3].upper()}{number:03d}{at:02d}"
            shopper = Shopper(host.url(dialect), tid, seed=chance.randrange(2**32), watch=watch, pause_s=0.01)
            shopper.till._line = _Line(host.url(dialect), tid, watch, ears)  # type: ignore[assignment]
            shoppers.append(shopper)
    for shopper in shoppers:
        shopper.start()
    time.sleep(LOAD_S * chance.uniform(1, 1.5))
    with _stopped(host):
        heard = tuple(ears.heard)
        files = {end: path.with_name(path.name + end).read_bytes() for end in ("", "-wal", "-shm")}
    watch.stop()
    for shopper in shoppers:
        shopper.join(30)
    assert [text for shopper in shoppers for text in shopper.trouble] == []
    log = Wal(files["-wal"])
    return Copy(f"copy {number}", files[""], log, backfilled(files["-shm"]), heard)


@contextlib.contextmanager
def _stopped(host: HostProcess) -> Iterator[None]:
    pid = host.listening.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# ---- the tears


@dataclass(frozen=True)
class Tear:
    """How a copy's log is spoilt: as it is found after the cut, and up to which byte its transactions are kept."""

    copy: Copy
    what: str
    at: int
    log: bytes
    kept: int


def _tears(copies: list[Copy], count: int, chance: Random) -> list[Tear]:
    made = []
    for number in range(count):
        copy = copies[number % len(copies)]
        log, size = copy.log, len(copy.log.data)
        # What a checkpoint moves was synced first: a power cut spoils what was written after it.
        first = log.frames[copy.moved - 1].end if copy.moved else 0
        if first >= size - 1:
            continue
        at = chance.randrange(first, size)
        what = chance.choice(("cut", "cut", "zeroes", "flip", "old sector"))
        if what == "cut":
            made.append(Tear(copy, what, at, log.data[:at], log.kept(at)))
            continue
        start, end = at, min(at + 1, size)
        if what != "flip":
            start = max(first, at - at % SECTOR)
            end = min(start + SECTOR, size)
        spoilt = bytearray(log.data)
        filling = {"zeroes": bytes(end - start), "flip": bytes([spoilt[at] ^ (1 << chance.randrange(8))])}
        spoilt[start:end] = filling.get(what, chance.randbytes(end - start))
        kept = log.kept(log.good_after(bytes(spoilt), start, end))
        made.append(Tear(copy, what, at, bytes(spoilt), kept))
    return made


def _one(tear: Tear, folder: Path, expected: bytes, *, repaired: bool) -> Counter[str]:
    """Open one torn copy as a host would, and look at everything."""
    path, plain = folder / "closeout.db", folder / "plain.db"
    path.write_bytes(tear.copy.database)
    path.with_name(f"{path.name}-wal").write_bytes(tear.log)
    plain.write_bytes(expected)
    store = open_store(f"sqlite:///{path}", seed=1)
    books = store.reader().load_books()
    found = report.check(books, {})
    store.close()
    name = f"seed {SEED}, {tear.copy.name}, {tear.what} at {tear.at}"
    there, wanted = _content(path), _content(plain)
    # Cut off before the tables were made: the store is new once more.
    assert there == (wanted or {table: [] for table in there}), name
    assert not found, f"{name}:\n{report.render(found)}"
    met = Counter({tear.what: 1, "transactions cut off": sum(end > tear.kept for end in tear.copy.log.commits)})
    met["answers looked for"] = _heard(tear, books, name)
    if repaired:
        host = EngineHost(f"sqlite:///{path}", profile=CUP)
        host.run()
        found = report.check(host.books(), {})
        assert not found, f"{name}, mended:\n{report.render(found)}"
        assert not [leg for leg in host.books().legs if leg.state == "asking"], name
        host.store.close()
        met["mended"] = 1
    return met


def _heard(tear: Tear, books: HostBooks, name: str) -> int:
    """Every answer that came before the log was longer than what is left of it stands in the books."""
    said = {(m.mti, m.tid, m.stan, m.rrn, m.code) for m in books.messages if m.direction == "out"}
    rrns = {txn.rrn for txn in books.txns}
    heard_by_then = [h for h in tear.copy.heard if h.salt != tear.copy.log.salt or h.length <= tear.kept]
    kept = [h for h in heard_by_then if h.code != OWN_TROUBLE]
    for heard in kept:
        assert (heard.mti, heard.tid, heard.stan, heard.rrn, heard.code) in said, f"{name}: {heard}"
        if heard.mti == "0210" and heard.code == "00" and heard.rrn:
            assert heard.rrn in rrns, f"{name}: {heard}"
    return len(kept)


def _content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {t: connection.execute(f"SELECT * FROM {t} ORDER BY 1").fetchall() for t in tables if t != "meta"}
