"""The same scenarios in the world and with real processes over TCP: the same run, point for point at the terminals.

Show 5 of the fault catalogue's issue. Of what is expected the library's files speak and their own tests; here each run
of the world is what the real one is held against, and each must be as its file says. CLOSEOUT_REAL=all (`make real`)
plays SLOW too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from specs.faults.model import HOST, ISSUER, Place
from specs.faults.points import parse_point
from terminal_sim.lab.commands.run import Options, run
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.lab.real.forked_host import ForkedHost, Forks
from terminal_sim.lab.real.processes import Processes
from terminal_sim.lab.real.world import RealWorld
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.scenario.reading import library, load, loads
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Case:
    """A run of the library. group: of the catalogue. ends: the classes, so that not two wrong runs agree."""

    slug: str
    group: str
    ends: tuple[str, ...]
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.slug}-{self.variant}" if self.variant else self.slug


QUICK = [
    Case("rev-resp-lost", "A", ("clean",)),  # reply and reversal's reply lost
    Case("pwr-reply-before-journal", "A", ("DC", "DS", "TM"), "rev-clear-first"),
    Case("host-crash-after-commit", "A", ("clean",)),  # killed twice, and started again
    Case("upload-cut", "B", ("TM",)),  # NAC, 95, the line breaks inside the upload
    Case("clock-skew-midnight", "B", ("clean",)),  # ISO 87, over the cutoff
    Case("split-coalesced", "E", ("clean",), "one-read-framing"),
]
SLOW = [
    Case("req-lost", "A", ("clean",)),
    Case("resp-lost-rev-ok", "A", ("STUCK", "TM", "late"), "rev-next-sale"),
    Case("late-resp-next-txn", "A", ("clean",)),
    Case("rev-overtakes-original", "A", ("clean",)),
    Case("dup-retransmit", "A", ("clean",)),
    Case("pwr-after-send", "A", ("clean",)),
    Case("pwr-journal-before-revclear", "A", ("SNF", "TM"), "row-kept"),
    Case("host-crash-before-commit", "A", ("clean",)),
    Case("issuer-late-approval", "A", ("clean",)),
    Case("partial-approval", "A", ("clean",)),
    Case("qr-pending-then-paid", "A", ("clean",)),
    Case("qr-pending-then-paid", "A", ("clean",), "operator-asks"),
    Case("qr-pending-then-paid", "A", ("DC", "DS", "TM"), "no-rev-rekeyed"),
    Case("settle-resp-lost", "B", ("clean",)),
    Case("pwr-after-settle-send", "B", ("TM",), "mark-after-send"),
    Case("settle-req-lost", "B", ("SNF", "STUCK"), "clear-on-send"),  # TC
    Case("second-95", "B", ("TM",)),
    Case("forced-close-without-saf", "B", ("late",)),
    Case("void-resp-lost", "C", ("clean",)),
    Case("saf-declined-later", "C", ("SNF",)),
    Case("failover-dup", "E", ("clean",)),  # killed twice before it speaks
    Case("half-open", "E", ("clean",)),
    Case("rst-mid-frame", "E", ("clean",)),
]
CASES = [*QUICK, *(SLOW if os.environ.get("CLOSEOUT_REAL") == "all" else [])]


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    if not Spawner.available():
        pytest.skip("terminals are forks here")
    with Processes() as ready:
        yield ready


def variant_of(scenario: Scenario, name: str) -> Variant | None:
    return next(v for v in scenario.variants if v.name == name) if name else None


def outside(run: Run) -> list[str]:
    """The points that both can see: not those inside the host, nor between host and issuer."""
    found = [(parse_point(seen.point), seen) for seen in run.points]
    return [
        f"{seen.point} {seen.step}"
        for point, seen in found
        if ISSUER not in (point.who, point.to) and not (point.who == HOST and point.place in (Place.CRASH, Place.STORE))
    ]


def end_of(run: Run) -> dict[str, object]:
    """All that must be the same. Not how often an outage was met: how often the host tries is between its own ticks."""
    return {
        "steps": [(step.id, step.end, step.code, step.attempts) for step in run.steps],
        "classes": run.classes,
        "settled": run.settled,
        "exceptions": run.exceptions,
        "findings": sorted((finding.invariant, finding.text) for finding in run.findings),
        "struck": [times > 0 for times in run.fired],
        "mismatches": run.mismatches,
        "purchases": [
            (p.intent.name, p.intent.amount, p.intent.delivered, p.debited, p.settled, p.classes, p.reason, p.money)
            for p in run.purchases
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_in_the_world_and_for_real(processes: Processes, case: Case) -> None:
    scenario = load(library()[case.slug])
    variant = variant_of(scenario, case.variant)
    world = World(scenario, variant).run()
    with RealWorld(scenario, variant, processes=processes) as played:
        real = played.run()
    assert end_of(real) == end_of(world)
    assert outside(real) == outside(world)
    assert real.classes == case.ends
    assert real.mismatches == ()


def test_what_people_do_by_hand_is_the_same(processes: Processes) -> None:
    """A forced close, a restart, a reset and each moment of the operator, for which the library has no quick case."""
    scenario = load(Path(__file__).parent / "by-hand.toml")
    world = World(scenario).run()
    with RealWorld(scenario, processes=processes) as played:
        real = played.run()
    assert end_of(real) == end_of(world)
    assert outside(real) == outside(world)
    assert (real.unfired, real.mismatches, real.classes) == ((), (), ("clean",))
    by_hand = {seen.point.split("#")[0] for seen in real.points if seen.point.startswith("op/")}
    assert by_hand == {"op/T0000001/end-of-day", "op/T0000002/end-of-day", "op/T0000002/after-declined"}


def test_the_cases_are_spread() -> None:
    cases = [*QUICK, *SLOW]
    scenarios = [load(library()[case.slug]) for case in cases]
    assert len(cases) >= 20
    assert {case.group for case in cases} == {"A", "B", "C", "E"}
    assert {scenario.world.dialect for scenario in scenarios} == {"cup", "nac", "iso87"}
    bugs = {bug for case, s in zip(cases, scenarios, strict=True) if case.variant for bug in s.variants[0].bugs}
    assert len(bugs) >= 3


# ---- what cannot be played


FILE = """
world = {{dialect="cup"}}
terminals = [{{tid="T0000001"}}]
steps = [{{id="N", at="09:00", do="signon", tid="T0000001"}}, {step}]
faults = [{fault}]
"""
SALE = '{id="A", at="09:05", do="sale", tid="T0000001", amount=100}'


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('{at="store/H/commit#1", action="disk-full"}', "disk-full at store/H/commit#1 cannot be played: the disk"),
        ('{at="crash/H/close.after#1", action="stop"}', "stop at crash/H/close.after#1 cannot be played: close is"),
        ('{at="cal/H", action="cutoff-now"}', "cutoff-now at cal/H cannot be played: a host has no calendar"),
        ('{at="wire/I>H/0430#1", action="silence"}', "silence at wire/I>H/0430#1 cannot be played: of the issuer's"),
        ('{at="wire/H>T/0210#1", action="prompt", text="cut"}', "prompt at wire/H>T/0210#1 cannot be played: nobody"),
        ('{at="wire/H>I/0200", action="silence", match={step="A"}}', "cannot be matched on step"),
    ],
)
def test_what_cannot_be_played_is_refused(fault: str, said: str) -> None:
    """Before any process is started: nothing is left out in silence."""
    scenario = loads(FILE.format(step=SALE, fault=fault), "day.toml")
    with pytest.raises(LabError, match=r"^--real: ") as refused:
        RealWorld(scenario, processes=Processes())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bug_of_the_host_is_refused() -> None:
    scenario = load(library()["rev-resp-lost"])
    with pytest.raises(LabError, match="--real: host bug rev-twice cannot be played"):
        RealWorld(scenario, variant_of(scenario, "rev-twice"), processes=Processes())


@pytest.mark.parametrize(("slug", "bug"), [("rst-mid-frame", "partial-frame"), ("wrong-length", "stream-off")])
def test_a_bug_of_a_buffer_that_outlives_an_order_is_refused(slug: str, bug: str) -> None:
    scenario = load(library()[slug])
    with pytest.raises(LabError, match=f"--real: bug {bug} cannot be played: each order is a process"):
        RealWorld(scenario, variant_of(scenario, bug), processes=Processes())


# ---- Ctrl-C


@pytest.mark.parametrize("module", ["terminal_sim.lab.spawner", "terminal_sim.lab.real.forked_host"])
def test_a_helper_leaves_ctrl_c_to_its_parent_and_ends_with_it(module: str) -> None:
    if not (Spawner.available() and Forks.available()):
        pytest.skip("there are no helpers here")
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, env=python_environment()) as helper:
        while not _ignores_ctrl_c(helper.pid):
            time.sleep(0.05)
        helper.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            helper.wait(0.5)
        _, err = helper.communicate(timeout=30)  # its stdin ends, as with the parent
        assert (helper.returncode, err) == (0, b"")


def _ignores_ctrl_c(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text("utf8")
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) >> (signal.SIGINT - 1) & 1)


def test_a_host_ends_with_whoever_ordered_it(tmp_path: Path) -> None:
    if not Forks.available():
        pytest.skip("hosts are no forks here")
    with Forks() as forks:
        host = ForkedHost(forks, tmp_path / "host", dialects=("cup",))
        host.start()
    assert host.ends_within(10)


def test_ctrl_c_in_the_middle_of_a_real_run(tmp_path: Path) -> None:
    """The whole process group gets it, as from a keyboard."""
    verdicts = tmp_path / "out.xml"
    command = [sys.executable, "-u", "-m", "terminal_sim", "run", "req-lost", *["upload-cut"] * 20, "--real"]
    with subprocess.Popen(
        [*command, "--junit", str(verdicts)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=python_environment(),
        text=True,
        start_new_session=True,
    ) as playing:
        assert playing.stdout is not None
        assert playing.stdout.readline().startswith("ok   req-lost ")
        time.sleep(1.0)
        os.killpg(playing.pid, signal.SIGINT)
        out, err = playing.communicate(timeout=60)
    assert (playing.returncode, err) == (130, "")
    assert out.endswith(", interrupted\n")
    assert ElementTree.parse(verdicts).getroot().get("failures") == "0"


# ---- a host that runs already


CONFIG = 'timezone = "UTC"\ncutoff = "23:00"\nmagic = false\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    folder = tmp_path_factory.mktemp("running")
    (folder / "closeout.toml").write_text(CONFIG, "utf-8")
    options = ("--config", str(folder / "closeout.toml"), "--clock", "2026-02-20T08:00")
    with HostProcess(folder / "host", dialects=("cup",), options=options) as host:
        yield host


def cli(capsys: pytest.CaptureFixture[str], *names: str, connect: str, api: str) -> tuple[int, str, str]:
    code = run(Options(names, real=True, connect=connect, api=api))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.usefixtures("processes")
def test_two_days_against_a_running_host(running: HostProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other: the books of the first day are not the second's, and the clock goes on from there."""
    code, out, err = cli(capsys, "resp-lost-rev-lost", connect=running.url("cup"), api=running.api.base)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split()[:3] == ["ok", "resp-lost-rev-lost", "late"]
    assert out.splitlines()[1].split()[:3] == ["ok", "resp-lost-rev-lost", "[rev-drop-n]"]
    assert running.api.get("/clock")["now"] > "2026-03-04"
    assert running.api.items("/faults") == []


def test_what_a_running_host_is_not_set_up_for(running: HostProcess, capsys: pytest.CaptureFixture[str]) -> None:
    for name, said in (
        ("upload-cut", "--real: nac cannot be played: --connect speaks cup"),
        ("forgot-settle-days", "--real: capture = TC cannot be played: the dialect of --connect has it"),
        ("host-crash-after-commit", "--real: stop at crash/H/commit.after cannot be played: the host is not ours"),
    ):
        code, _, err = cli(capsys, name, connect=running.url("cup"), api=running.api.base)
        first, *variants = err.splitlines()
        assert (code, said in first) == (2, True), err
        assert all("--real: host bug" in line for line in variants), err


def test_nobody_there(running: HostProcess, capsys: pytest.CaptureFixture[str]) -> None:
    url, base = running.url("cup"), running.api.base
    for connect, api, code, said in (
        (url, "", 2, "--connect: needs --api too"),
        ("cap://127.0.0.1:1", base, 2, "--connect: cap: "),
        (url, "127.0.0.1:1", 2, "--api 127.0.0.1:1: expected http://ADDR:PORT"),
        (url, "http://127.0.0.1:1", 4, "--api http://127.0.0.1:1: "),
        ("cup://127.0.0.1:1", base, 4, "127.0.0.1:1: "),
    ):
        ended, _, err = cli(capsys, "rev-resp-lost", connect=connect, api=api)
        assert (ended, err.startswith(said), err.count("\n")) == (code, True, 1), err
