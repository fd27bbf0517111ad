"""What the commands share: options, checked arguments, one order from boot to exit code, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from specs.endpoint import Endpoint
    from terminal_sim.clock import Clock
    from terminal_sim.firmware import Firmware
    from terminal_sim.flash import DirFlash
    from terminal_sim.link import TcpLine
    from terminal_sim.moves import Boot, Order, Result
    from terminal_sim.state import Config, Memory, Slip

EXIT_FAULTY = 2
EXIT_REFUSED = 4
"""interface.md section 1."""
CRASH_VARIABLE = "CLOSEOUT_CRASH_AT"
POINTS_VARIABLE = "CLOSEOUT_POINTS"
FAULTS_VARIABLE = "CLOSEOUT_FAULTS"
RRN_CHARACTERS = 12

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The terminal's folder.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Minor units: 1000 is 10.00.")]
MaybeAmount = Annotated[str, typer.Argument(metavar="[AMOUNT]", help="Minor units; the whole if absent.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CardOption = Annotated[str, typer.Option("--card", metavar="NAME|PAN", help="A test card by name, or a number.")]
EntryOption = Annotated[
    str, typer.Option("--entry", metavar="swipe|chip|tap|fallback|manual|qr", help="How the card is read.")
]
PinOption = Annotated[str, typer.Option("--pin", metavar="P", help="The PIN; «card»: the test card's own.")]
StanOption = Annotated[str, typer.Option("--stan", metavar="N", help="The original's STAN (voucher number).")]
RrnOption = Annotated[str, typer.Option("--rrn", metavar="R", help="Or its RRN.")]


# --- arguments --------------------------------------------------------------------------------------------------------


@contextmanager
def one_line() -> Iterator[None]:
    """What the operator did wrong is one line on stderr and exit 2."""
    from specs.errors import SpecError
    from terminal_sim.errors import TerminalError

    try:
        yield
    except (TerminalError, SpecError) as error:
        faulty(str(error))


def faulty(text: str) -> NoReturn:
    """One line on stderr, exit 2."""
    typer.echo(text, err=True)
    raise typer.Exit(EXIT_FAULTY)


def refused(text: str) -> NoReturn:
    """The terminal itself says no: one line on stderr, exit 4."""
    typer.echo(text, err=True)
    raise typer.Exit(EXIT_REFUSED)


def minor(text: str, name: str = "AMOUNT") -> int:
    """An amount above nothing, as the interface has them everywhere."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        faulty(f"{name} {text}: minor units without a decimal point, 1000 for 10.00")
    return int(text)


def part(text: str, name: str, whole: int) -> int:
    """A tip or cash part of an amount: less than the whole; 0 when not given."""
    if not text:
        return 0
    value = minor(text, name)
    if value >= whole:
        faulty(f"{name} {text}: is a part of the amount, so less than {whole}")
    return value


def stan6(text: str) -> str:
    """A STAN as typed, with its leading zeros; "" stays."""
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6):
        faulty(f"--stan {text}: up to six digits")
    return text.zfill(6) if text else ""


def reference(stan: str, rrn: str, what: str) -> tuple[str, str]:
    """The original by one of the two."""
    if bool(stan) == bool(rrn):
        faulty(f"{what}: give --stan or --rrn, one of the two")
    return stan6(stan), checked_rrn(rrn)


def checked_rrn(rrn: str) -> str:
    """A reference number: twelve characters; "" stays."""
    if rrn and not (rrn.isascii() and rrn.isalnum() and len(rrn) == RRN_CHARACTERS):
        faulty(f"--rrn {rrn}: twelve letters or digits")
    return rrn


# --- one order --------------------------------------------------------------------------------------------------------


def powered(folder: Path) -> DirFlash:
    """The folder's flash under the power of CLOSEOUT_CRASH_AT, or asking CLOSEOUT_POINTS (terminal_sim.asked). Raises:
    FlashError for a step that does not exist, ConfigError when nobody is there to be asked."""
    import os

    from terminal_sim.flash import DirFlash, power_from

    if where := os.environ.get(POINTS_VARIABLE, ""):
        from terminal_sim.asked import AskedFlash, Points

        return AskedFlash(folder, Points(where))
    return DirFlash(folder, power_from(os.environ.get(CRASH_VARIABLE, "")))


def read(folder: Path) -> Memory:
    """What the folder holds."""
    from terminal_sim.flash import DirFlash

    with DirFlash(folder) as flash:
        return flash.load()


def act(folder: Path, order: Callable[[Memory], Order], as_json: bool) -> NoReturn:
    """Boot from the folder, send what is owed, do the order, show how it ended."""
    end(*run(folder, order, as_json), as_json)


def run(folder: Path, order: Callable[[Memory], Order], as_json: bool) -> tuple[Memory, Result]:
    """The same without the ending: the memory afterwards and the result."""
    from terminal_sim.moves import Boot

    with one_line(), powered(folder) as flash:
        memory = flash.load()
        result, _ = boot(flash, memory, Boot(order(memory)), as_json)
        return flash.load(), result


def boot(flash: DirFlash, memory: Memory, event: Boot, as_json: bool) -> tuple[Result, bool]:
    """Power on over what the flash holds, until the order is done: its result, and whether anything may have left."""
    import os

    from specs.endpoint import parse
    from terminal_sim import driver
    from terminal_sim.clock import SystemClock
    from terminal_sim.terminal import Terminal
    from terminal_sim.wire import wire_for

    config = memory.config
    clock: Clock = SystemClock()
    firmware = firmware_of(memory)
    terminal = Terminal(wire_for(config.connect), memory, firmware=firmware)
    endpoint = parse(config.connect)
    if endpoint.tls is not None and endpoint.tls.insecure:
        typer.echo("warning: insecure=1: this line takes any certificate, so anyone can play the host", err=True)
    line: TcpLine
    screen: driver.Screen = Screen(as_json)
    if os.environ.get(POINTS_VARIABLE, ""):
        from terminal_sim.asked import around

        line, clock, screen = around(flash, endpoint, config, firmware, screen)
    else:
        line = line_of(endpoint, clock, config, firmware)
    machine = driver.Driver(terminal, flash, line, clock, screen)
    try:
        return machine.run(event), machine.spoke
    finally:
        line.close()
        for fault in getattr(line, "unfired", ()):
            typer.echo(f"this fault never struck: {fault.action} at {fault.at}", err=True)


def line_of(endpoint: Endpoint, clock: Clock, config: Config, firmware: Firmware) -> TcpLine:
    """The line to the host; with CLOSEOUT_FAULTS one that plays faults. Raises: ConfigError for a plan of its file."""
    import os

    from terminal_sim.link import TcpLine

    timeout_s, tries = config.connect_timeout_s, config.connect_tries
    if not (path := os.environ.get(FAULTS_VARIABLE, "")):
        return TcpLine(endpoint, clock, connect_timeout_s=timeout_s, tries=tries, firmware=firmware)
    from terminal_sim.faulty_line import FaultyLine, read_plan

    plan = read_plan(Path(path), config.tid)
    return FaultyLine(
        endpoint, clock, connect_timeout_s=timeout_s, tries=tries, plan=plan, tid=config.tid, firmware=firmware
    )


def firmware_of(memory: Memory) -> Firmware:
    """How this terminal deviates from the reference. Raises: ConfigError for a bug that this program does not know."""
    from terminal_sim.firmware import REFERENCE

    if not memory.config.bugs:
        return REFERENCE
    from terminal_sim.bugs import with_bugs

    return with_bugs(memory.config.bugs)


class Screen:
    """Slips and screen lines: stdout for people; with --json stdout belongs to the object."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def show(self, text: str) -> None:
        """See driver.Screen."""
        typer.echo(text, err=self._as_json)

    def print(self, slip: Slip) -> None:
        """See driver.Screen."""
        from terminal_sim import slips

        if not self._as_json:
            typer.echo(slips.on_paper(slip))


def end(memory: Memory, result: Result, as_json: bool) -> NoReturn:
    """The object of --json, what is still owed, and the exit code."""
    from terminal_sim.report import as_object

    if as_json:
        echo_json(as_object(result))
    tell_owed(memory, quiet=as_json)
    raise typer.Exit(result.exit_code)


def tell_owed(memory: Memory, *, quiet: bool) -> None:
    """While a reversal is owed, or an approval is not booked yet, the verdict says so."""
    if memory.kept:
        typer.echo(
            f"the approval of STAN {memory.kept.row.stan} is stored and not booked yet: the next command that sends"
            " books it and prints its slip",
            err=quiet,
        )
    elif memory.pending:
        typer.echo(
            f"a reversal is owed for STAN {memory.pending.stan}: the next command that sends takes it along", err=quiet
        )


def echo_json(value: object) -> None:
    """One line of JSON on stdout."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False))
