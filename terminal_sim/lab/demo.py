"""`python -m terminal_sim.lab.demo [--once] [--lan]`: the demo day, its verdict, then a host for the user.

The day has a store and terminal folders of its own, in a temporary folder, and ports that were free: it works the
twentieth time, and beside another one. Exit code 0 when both books agree and every step ended as it must, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from host.checker.books import HostBooks
from host.store.store import open_reader
from specs import journal
from terminal_sim.errors import TerminalError
from terminal_sim.lab import ladder, verdict
from terminal_sim.lab.day import DAYS, Day, Played, play
from terminal_sim.lab.host_process import END_S, READY_S, HostProcess, Listening, python_environment, read_ready
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Till
from terminal_sim.paper import width as columns

Say = Callable[[str], None]
ANSWER_S = 2.0
"""How long a demo terminal waits for an answer; in a shop it is 30 s."""
BY_ITSELF_S = 3.0
"""After Ctrl-C the host needs a fraction of this to answer what is decided and to close its store."""
DEFAULT_PORTS = (8580, 8583, 8584, 8585)
"""API, cup, nac and iso87 of `acquirer-host serve` (interface.md, section 2)."""
ENDED_BY_REQUEST = (signal.SIGINT, signal.SIGTERM)
"""A host that our own signal met while it was closing already: it has answered and committed what was decided."""
ELSEWHERE = """\
To choose other ports (0 = any that is free), for example:
  python -m terminal_sim.lab.demo -- --listen cup://127.0.0.1:0 --listen nac://127.0.0.1:0 --api 127.0.0.1:0"""
RULE = "═" * ladder.WIDTH


def run_day(folder: Path, say: Say) -> bool:
    """Play all days on a throw-away host in the folder and print ladders, slips and verdicts. True: the books agree."""
    started = time.monotonic()
    say("The demo day: one host, three terminals, each with books of its own, over real TCP.")
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(HostProcess(folder / "host", options=("--log-level", "warning")))
        spawner = stack.enter_context(Spawner(python_environment())) if Spawner.available() else None
        tills = [Till(folder / day.tid, day.tid, spawner=spawner) for day in DAYS]
        results = [_one_terminal(day, till, host, say) for day, till in zip(DAYS, tills, strict=True)]
    say(RULE)
    for judgement, as_expected in results:
        for line in verdict.folded(judgement.sentence):
            say(line)
        if not as_expected:
            say(f"{judgement.tid}: a step did not end as it must, see ✗ above")
    say(f"({time.monotonic() - started:.0f} s; everything above was made in a temporary folder that is gone now)")
    return all(judgement.agree and as_expected for judgement, as_expected in results)


def _one_terminal(day: Day, till: Till, host: HostProcess, say: Say) -> tuple[verdict.Judgement, bool]:
    """Play and print one terminal's day; the verdict, and whether every step ended as it must."""
    tid = day.tid
    say(RULE)
    say(f"Terminal {tid}: {day.title}")
    say("")
    say(ladder.heading(tid, day.dialect))
    till.install(host.url(day.dialect), host.api.base, timeout_s=ANSWER_S)
    slips: list[str] = []
    as_expected = True
    for number, played in enumerate(play(day, till, host.api), start=1):
        _tell_step(number, played, say)
        as_expected = as_expected and played.as_expected
        if played.step.show_slip:
            slips.append(_slip(played))
    say("")
    say(f"Slips that {tid} printed:")
    say("")
    for line in side_by_side(slips):
        say(line)
    judgement = judge(host, till)
    say(f"Verdict on {tid}: the terminal's own journal against the host's books, item by item")
    say("")
    for line in verdict.lines(judgement):
        say(line)
    return judgement, as_expected


def judge(host: HostProcess, till: Till) -> verdict.Judgement:
    """Hand the terminal's journal to the API, then hold both books against each other."""
    text = till.journal()
    host.api.ask("POST", f"/terminals/{till.tid}/journal", text)
    findings = [f"{f['invariant']} {f['subject']}: {f['text']}" for f in host.api.whole("/findings")]
    return verdict.judge(host_books(host), journal.parse(text.splitlines()), findings)


def host_books(host: HostProcess) -> HostBooks:
    """The host's own rows, read beside it and read-only."""
    reader = open_reader(host.store)
    try:
        return reader.load_books()
    finally:
        reader.close()


def _tell_step(number: int, played: Played, say: Say) -> None:
    say("")
    say(f"{number:2}. {played.step.title}")
    for line in ladder.rungs(played.messages):
        say(line)
    end = played.said["outcome"]
    if played.step.exit or not played.as_expected:
        say(f"         terminal: {end}, exit code {played.ran.code}")
    elif not played.messages:
        say(f"         terminal: {end} by itself; nothing is sent yet")
    if not played.as_expected:
        say(f"  ✗ expected exit code {played.step.exit}: {played.ran}")


def _slip(played: Played) -> str:
    """The slip that a step printed; of several copies the first."""
    lines = str(played.said["slip"] or "").splitlines()
    again = next((at for at, line in enumerate(lines) if at and line == lines[0]), len(lines))
    return "\n".join(lines[:again]).rstrip()


# ---- slips beside each other


def side_by_side(slips: Sequence[str], width: int = 46) -> list[str]:
    """Narrow slips in two columns; wide (East Asian) characters count two."""
    found: list[str] = []
    for at in range(0, len(slips), 2):
        left, right = (slips[at].splitlines(), slips[at + 1].splitlines() if at + 1 < len(slips) else [])
        for row in range(max(len(left), len(right))):
            first = left[row] if row < len(left) else ""
            second = right[row] if row < len(right) else ""
            found.append(("  " + first + " " * max(1, width - columns(first)) + second).rstrip())
        found.append("")
    return found


# ---- afterwards: the user's own host


def serve(arguments: Sequence[str], say: Say) -> int:
    """Run `acquirer-host serve` in the foreground until Ctrl-C, and say what to type next. Its exit code."""
    with tempfile.TemporaryDirectory(prefix="closeout-") as folder:
        ready = Path(folder) / "ready.json"
        command = [
            sys.executable,
            "-m",
            "host",
            "serve",
            "--log-level",
            "warning",
            "--ready-file",
            str(ready),
            *arguments,
        ]
        process = subprocess.Popen(command, env=python_environment())
        try:
            if _wait_ready(process, ready):
                for line in next_commands(read_ready(ready)):
                    say(line)
            code = process.wait()
            if code == 2:
                print(ELSEWHERE, file=sys.stderr)
            return code
        except KeyboardInterrupt:
            # Ctrl-C goes to the host as well (one process group), and it ends by itself; a SIGINT to us alone does not.
            code = _end(process)
            return 0 if -code in ENDED_BY_REQUEST else code
        finally:
            if process.poll() is None:
                process.terminate()
                _end(process)


def taken_port() -> int:
    """A default port of the user's host that is not free on loopback; 0 when all are."""
    for port in DEFAULT_PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return port
    return 0


def _wait_ready(process: subprocess.Popen[bytes], ready: Path) -> bool:
    deadline = time.monotonic() + READY_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _end(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; if it does not end by itself it is told to, and in the end made to."""
    for patience_s, push in ((BY_ITSELF_S, process.terminate), (END_S, process.kill)):
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            return process.wait(patience_s)
        push()
    return process.wait()


def next_commands(listening: Listening) -> list[str]:
    """What a user may type into another window, with the programs as they are called from this folder."""
    base = listening.api.base
    programs = Path(sys.executable).parent
    here = f"{programs.relative_to(Path.cwd())}{os.sep}" if programs.is_relative_to(Path.cwd()) else ""
    lines = ["", "This host is yours now. In another window, for example:"]
    for number, (name, port) in enumerate(listening.ports.items(), start=1):
        till = f"till-{name}"
        where = f"--connect {name}://127.0.0.1:{port} --api {base}"
        lines.append(f"  {here}terminal-sim init {till} {where} --tid T{number:07d}")
        lines += [f"  {here}terminal-sim signon {till}"] if name.startswith("cup") else []
        lines.append(f"  {here}terminal-sim sale {till} 26800          (minor units: 268.00)")
        lines.append(f"  {here}terminal-sim settle {till}")
    lines.append(f"  {here}acquirer-host batches --api {base}")
    lines.append(f"  {here}acquirer-host unsettled --api {base}")
    return [*lines, f"The API with its documentation: {base}/docs", "Ctrl-C ends the host."]


def say(line: str) -> None:
    """One line on the screen, at once."""
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Arguments after -- go to `acquirer-host serve`."""
    parser = argparse.ArgumentParser(prog="python -m terminal_sim.lab.demo", description="The demo day, then a host.")
    parser.add_argument("--once", action="store_true", help="end after the verdict")
    parser.add_argument("--lan", action="store_true", help="let terminals in from the network")
    parser.add_argument("serve", nargs="*", metavar="-- OPTION", help="options of acquirer-host serve")
    options = parser.parse_args(arguments)

    if not options.once and not options.serve and (port := taken_port()):
        # Told now: after the day it would be a surprise.
        print(
            f"demo: port {port} is taken, and the host for your terminals needs it",
            ELSEWHERE,
            sep="\n",
            file=sys.stderr,
        )
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="closeout-day-") as folder:
            right = run_day(Path(folder), say)
        if options.once:
            return 0 if right else 1
        return serve([*(["--lan"] if options.lan else []), *options.serve], say)
    except TerminalError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
