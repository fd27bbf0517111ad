"""The command line `acquirer-host`: arguments in, exit code out (interface.md, sections 1 and 2).

Results go to stdout, logs to stderr. Heavy modules are imported inside the commands, so that --help is quick.
"""

from __future__ import annotations

import errno
import gc
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from host.errors import ConfigError, StoreHeld, StoreUnavailable, StoreVersion
from specs.errors import SpecError

if TYPE_CHECKING:
    from host.commands.reading import Source

OK, NOT_AS_EXPECTED, BAD_ARGUMENT, UNKNOWN, NOT_SENT = range(5)
DEFAULT_STORE = "sqlite:///closeout.db"
DEFAULT_API = "127.0.0.1:8580"
_NO_ROOM = (errno.ENOSPC, errno.EFBIG)

HELP = """An acquirer on your desk: it answers POS terminals over ISO 8583/TCP and keeps the books.

Amounts are whole minor units everywhere. Exit codes: 0 as expected, 1 it ran and something is not as expected,
2 bad arguments, configuration or file, 4 no host answers (`faults`)."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
dialects_app = typer.Typer(no_args_is_help=True, help="The dialects: list them, show one, check a file of your own.")
app.add_typer(dialects_app, name="dialects")
config_app = typer.Typer(no_args_is_help=True, help="closeout.toml: write one to start from, check one.")
app.add_typer(config_app, name="config")
keys_app = typer.Typer(no_args_is_help=True, help="A terminal's master key: set it, or show check values.")
app.add_typer(keys_app, name="keys")
db_app = typer.Typer(no_args_is_help=True, help="A store as a whole: upgrade, check, copy out and in, prune.")
app.add_typer(db_app, name="db")
faults_app = typer.Typer(no_args_is_help=True, help="Spoil answers of a running host on purpose (docs/faults.md).")
app.add_typer(faults_app, name="faults")
messages_app = typer.Typer(no_args_is_help=True, help="The message log: take it along in a file (docs/capture.md).")
app.add_typer(messages_app, name="messages")

Api = Annotated[str | None, typer.Option("--api", help=f"API of a running host, ADDR:PORT or URL [{DEFAULT_API}]")]
Store = Annotated[str | None, typer.Option("--store", help=f"store to open read-only instead [{DEFAULT_STORE}]")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document")]
AsCsv = Annotated[bool, typer.Option("--csv", help="comma-separated values")]


def fail(error: object) -> NoReturn:
    """One line on stderr, exit code 2."""
    typer.echo(f"acquirer-host: {error}", err=True)
    raise typer.Exit(BAD_ARGUMENT)


@app.command()
def serve(
    listen: Annotated[
        list[str] | None, typer.Option(help="listener URL, e.g. cup://127.0.0.1:8583 (repeatable)")
    ] = None,
    api: Annotated[str, typer.Option(help=f"address of the API [{DEFAULT_API}]")] = "",
    store: Annotated[str, typer.Option(help=f"sqlite:///FILE or postgresql://… [{DEFAULT_STORE}]")] = "",
    config: Annotated[Path | None, typer.Option(help="configuration file (see `config init`)")] = None,
    ready_file: Annotated[Path | None, typer.Option(help="written when everything listens")] = None,
    lan: Annotated[
        bool, typer.Option(help="listen for terminals on all addresses (the API stays where it is)")
    ] = False,
    clock: Annotated[str, typer.Option(help="start the host's clock here, e.g. 2026-03-02T09:00")] = "",
    seed: Annotated[int, typer.Option(help="seed of a new store's keys and codes, 0 = a fresh one")] = 0,
    provisioning: Annotated[str, typer.Option(help="auto: any terminal may dial in; strict: only known ones")] = "",
    loop: Annotated[str, typer.Option(help="uvloop or asyncio")] = "",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error")] = "info",
    log_file: Annotated[Path | None, typer.Option(help="logs go here instead of stderr")] = None,
    capture: Annotated[Path | None, typer.Option(help="pcapng file of all lines, for Wireshark; masked")] = None,
    capture_clear: Annotated[bool, typer.Option("--capture-clear", help="do not mask it: test cards only!")] = False,
    capture_mb: Annotated[int, typer.Option(min=1, help="the capture stops at this size, in MB")] = 256,
) -> None:
    """Run the acquirer: listeners for terminals, the books, the API."""
    gc.disable()  # until all is loaded (host.commands.serve `settled`): a sixth of a start was looking for garbage
    from host.commands.serve import Options, run

    options = Options(
        listen=tuple(listen or ()),
        api=api,
        store=store,
        config=config,
        ready_file=ready_file,
        lan=lan,
        clock=clock,
        seed=seed,
        provisioning=provisioning,
        loop=loop,
        log_level=log_level,
        log_file=log_file,
        capture=capture,
        capture_clear=capture_clear,
        capture_mb=capture_mb,
    )
    raise typer.Exit(_guarded(lambda: run(options)))


@app.command()
def decode(
    hex_text: Annotated[str, typer.Argument(metavar="HEX", help="hex of a frame or message, - for standard input")],
    dialect: Annotated[str, typer.Option(help="auto, a built-in name, or a TOML file")] = "auto",
    as_json: AsJson = False,
    raw: Annotated[bool, typer.Option("--raw", help="show the bytes as well")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="show card numbers (test cards only!)")] = False,
) -> None:
    """Decode a frame or message; names what does not fit."""
    from host.commands import decode as command

    def work() -> int:
        data = command.read_hex(sys.stdin.read() if hex_text == "-" else hex_text)
        found = command.decode(data, dialect)
        if as_json:
            typer.echo(command.to_json(found, clear=clear, raw=data if raw else None))
        else:
            if raw:
                typer.echo(command.show_raw(found, data, clear=clear))
            typer.echo("\n".join(command.to_text(found, clear=clear)))
        return found.code

    raise typer.Exit(_guarded(work))


@dialects_app.command("list")
def dialects_list(as_json: AsJson = False) -> None:
    """The built-in dialects."""
    from host.commands import dialects

    typer.echo(dialects.listing(as_json))


@dialects_app.command("show")
def dialects_show(
    name: Annotated[str, typer.Argument(help="built-in name or TOML file")], as_json: AsJson = False
) -> None:
    """Frame, profile and data elements of one dialect."""
    from host.commands import dialects

    raise typer.Exit(_guarded(lambda: _say(dialects.show(name, as_json))))


@dialects_app.command("check")
def dialects_check(file: Annotated[str, typer.Argument(help="TOML file")]) -> None:
    """Check a dialect file: exit 2 with file, line, key and reason when it cannot be used."""
    from host.commands import dialects

    raise typer.Exit(_guarded(lambda: _say(dialects.check(file))))


@config_app.command("init")
def config_init(
    file: Annotated[Path, typer.Argument(help="the file to write")] = Path("closeout.toml"),
) -> None:
    """Write a commented configuration; an existing file is left as it is."""
    from host.commands import config

    raise typer.Exit(_guarded(lambda: _say(config.init(file))))


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="the file to check")] = Path("closeout.toml")) -> None:
    """Check a configuration: exit 2 with file, line, key and reason when it cannot be used."""
    from host.commands import config

    raise typer.Exit(_guarded(lambda: _say(config.check(file))))


@config_app.command("schema")
def config_schema() -> None:
    """The JSON schema of the configuration, for editors."""
    from host.commands import config

    raise typer.Exit(_guarded(lambda: _say(config.schema())))


@keys_app.command("show")
def keys_show(
    tid: Annotated[str, typer.Argument(metavar="TID", help="terminal id")], api: Api = None, store: Store = None
) -> None:
    """The check values of a terminal's keys; the keys themselves are never shown."""
    from host.commands import keys

    raise typer.Exit(_guarded(lambda: _say(keys.show(_source(api, store), tid))))


@keys_app.command("set")
def keys_set(
    tid: Annotated[str, typer.Argument(metavar="TID", help="terminal id")],
    tmk: Annotated[str, typer.Option(help="master key, 16 or 32 hex digits; test keys only", prompt=True)],
    mid: Annotated[str, typer.Option(help="its merchant, if it is new or moves")] = "",
    api: Api = None,
    store: Annotated[str | None, typer.Option(help="store to change instead, which no host may hold")] = None,
) -> None:
    """Set a terminal's master key: through a running host, else in the store."""
    from host.commands import keys
    from host.commands.reading import running_host

    def work() -> int:
        key = keys.check_key(tmk)
        base = running_host(api, store, DEFAULT_API)
        if base is not None:
            return _say(keys.set_by_api(base, tid, mid, key))
        return _say(keys.set_in_store(store or DEFAULT_STORE, tid, mid, key))

    raise typer.Exit(_guarded(work))


@db_app.command("upgrade")
def db_upgrade(store: Annotated[str, typer.Option(help="store to upgrade, which no host may hold")] = "") -> None:
    """Bring an older store to this program's version; SQLite is copied to FILE.bak-VERSION first."""
    from host.commands import db

    raise typer.Exit(_guarded(lambda: _say(db.upgrade(store or DEFAULT_STORE))))


@db_app.command("check")
def db_check(store: Annotated[str, typer.Option(help="store to look at; a host may hold it")] = "") -> None:
    """Is the store sound: the database itself, rows that name rows, sums, version. Exit 1 on a finding."""
    from host.commands import db

    def work() -> int:
        lines, findings = db.check(store or DEFAULT_STORE)
        typer.echo("\n".join(lines))
        return NOT_AS_EXPECTED if findings else OK

    raise typer.Exit(_guarded(work))


@db_app.command("export")
def db_export(
    file: Annotated[str, typer.Argument(help="file to write, a new one; - for standard output")],
    store: Annotated[str, typer.Option(help="store to read; a host may hold it")] = "",
) -> None:
    """Every row as JSON lines, as of one instant. It holds what the store holds: keep it as safe."""
    from host.commands import db

    raise typer.Exit(_guarded(lambda: db.export(store or DEFAULT_STORE, file)))


@db_app.command("import")
def db_import(
    file: Annotated[str, typer.Argument(help="what `db export` wrote; - for standard input")],
    store: Annotated[str, typer.Option(help="store to make: it must not be there yet")] = "",
) -> None:
    """Make a store from an export, whole or not at all."""
    from host.commands import db

    raise typer.Exit(_guarded(lambda: _say(db.import_(store or DEFAULT_STORE, file))))


@db_app.command("prune")
def db_prune(
    rows: Annotated[int, typer.Option(min=0, help="keep so many of the newest messages")] = 0,
    days: Annotated[int, typer.Option(min=0, help="keep messages of so many days")] = 0,
    api: Api = None,
    store: Annotated[str | None, typer.Option(help="store to prune instead, which no host may hold")] = None,
) -> None:
    """Drop old messages from the log, never the books nor what open batches need; a running host does it itself."""
    from host.commands import db
    from host.commands.reading import running_host

    def work() -> int:
        base = running_host(api, store, DEFAULT_API)
        if base is not None:
            return _say(db.prune_by_api(base, rows, days))
        return _say(db.prune_store(store or DEFAULT_STORE, rows, days))

    raise typer.Exit(_guarded(work))


@faults_app.command("add")
def faults_add(
    action: Annotated[str, typer.Argument(help="drop-request, drop-reply, delay, … (docs/faults.md has all)")],
    tid: Annotated[str | None, typer.Option(help="only of this terminal")] = None,
    mti: Annotated[str | None, typer.Option(help="only requests of this MTI")] = None,
    kind: Annotated[str | None, typer.Option(help="only of this kind: sale, void, reversal, settle …")] = None,
    stan: Annotated[str | None, typer.Option(help="only with this STAN")] = None,
    amount: Annotated[int | None, typer.Option(help="only of this amount, minor units")] = None,
    nth: Annotated[int | None, typer.Option(help="only the n-th that fits the rest")] = None,
    phase: Annotated[str | None, typer.Option(help="before-commit or after-commit")] = None,
    times: Annotated[int | None, typer.Option(help="how often, 0 = without end [1]")] = None,
    probability: Annotated[float | None, typer.Option(help="chance of each that fits, 0 to 1 [1]")] = None,
    seed: Annotated[int | None, typer.Option(help="of that chance")] = None,
    delay: Annotated[float | None, typer.Option(help="seconds: how late, or between two copies or bytes")] = None,
    rc: Annotated[str | None, typer.Option(help="response code that `answer` says")] = None,
    byte: Annotated[int | None, typer.Option(help="which byte `corrupt` spoils, counted from the MTI [0]")] = None,
    at: Annotated[str | None, typer.Option(help="the point, as wire/T>H/0200#2 (docs/faults.md)")] = None,
    until: Annotated[str | None, typer.Option(help="how long an `outage` holds, as +10m")] = None,
    more: Annotated[list[str] | None, typer.Option("--set", help="another parameter of the action: KEY=VALUE")] = None,
    api: Api = None,
) -> None:
    """Set a fault rule; prints its id."""
    from host.commands import faults

    asked: dict[str, object] = {"tid": tid, "mti": mti, "kind": kind, "stan": stan, "amount": amount, "nth": nth}
    asked |= {"phase": phase, "times": times, "probability": probability, "seed": seed}
    asked |= {"delay": delay, "rc": rc, "byte": byte, "at": at, "until": until}
    given = {key: value for key, value in asked.items() if value is not None}
    raise typer.Exit(_to_host(api, lambda base: faults.add(base, action, given, more or [])))


@faults_app.command("list")
def faults_list(api: Api = None, as_json: AsJson = False) -> None:
    """The rules, and how often each has struck."""
    from host.commands import faults

    raise typer.Exit(_to_host(api, lambda base: faults.listing(base, as_json=as_json)))


@faults_app.command("rm")
def faults_rm(rule: Annotated[int, typer.Argument(metavar="ID", help="its id")], api: Api = None) -> None:
    """Take one rule back."""
    from host.commands import faults

    raise typer.Exit(_to_host(api, lambda base: faults.remove(base, rule)))


@faults_app.command("clear")
def faults_clear(api: Api = None) -> None:
    """Take all rules back."""
    from host.commands import faults

    raise typer.Exit(_to_host(api, faults.clear))


@messages_app.callback()
def messages_group() -> None:
    """A group, though it has one command."""


@messages_app.command("export")
def messages_export(
    jsonl: Annotated[bool, typer.Option("--jsonl", help="the API's shape, one message a line")] = False,
    pcap: Annotated[bool, typer.Option("--pcap", help="pcapng for Wireshark")] = False,
    hex_lines: Annotated[bool, typer.Option("--hex", help="direction, time, TID, MTI, frame in hex")] = False,
    tid: Annotated[str | None, typer.Option(help="only of this terminal")] = None,
    mti: Annotated[str | None, typer.Option(help="only of this MTI")] = None,
    stan: Annotated[str | None, typer.Option(help="only with this STAN")] = None,
    after: Annotated[str, typer.Option(help="only after the message with this id")] = "",
    limit: Annotated[int | None, typer.Option(min=0, help="so many at most")] = None,
    dialect: Annotated[
        list[str] | None, typer.Option(help="TOML file, or listener URL with options, of a dialect in the log")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="file to write; else standard output")] = None,
    api: Api = None,
    store: Store = None,
) -> None:
    """Export the message log, masked as it is kept."""
    from host.commands import messages

    chosen = [form for form, on in zip(messages.FORMS, (jsonl, pcap, hex_lines), strict=True) if on]
    if len(chosen) != 1:
        fail("choose one of --jsonl, --pcap, --hex")
    if pcap and output is None and sys.stdout.isatty():
        fail("--pcap writes bytes that no screen can show: name a file with --output")

    def work() -> int:
        known = messages.dialects(dialect or ())
        filters = {k: v for k, v in (("tid", tid), ("mti", mti), ("stan", stan)) if v is not None}
        found = messages.rows(_source(api, store), filters, after, limit)
        with messages.write_to(output, sys.stdout.buffer) as out:
            left = messages.export(chosen[0], found, known, out)
        for words in left.words():
            typer.echo(words, err=True)
        return OK

    raise typer.Exit(_guarded(work))


def _to_host(api: str | None, work: Callable[[str], str]) -> int:
    """What only a running host can do; exit code 4 when none answers."""
    from host.commands.faults import NoHost
    from host.commands.reading import base_url

    def asked() -> int:
        try:
            return _say(work(base_url(api or DEFAULT_API)))
        except NoHost as error:
            typer.echo(f"acquirer-host: {error}", err=True)
            return NOT_SENT

    return _guarded(asked)


@dialects_app.command("import")
def dialects_import(
    file: Annotated[Path, typer.Argument(help="jPOS GenericPackager XML or moov-io/iso8583 JSON")],
    name: Annotated[str, typer.Option(help="the dialect's name; the file's if left out")] = "",
    extends: Annotated[str, typer.Option(help="what to build on, a name or TOML file; else what fits best")] = "",
    output: Annotated[Path | None, typer.Option(help="TOML file to write, a new one; else standard output")] = None,
) -> None:
    """Make a dialect file; what could not be mapped goes to stderr. Exit 1 when there is something."""
    from host.commands import dialects

    def work() -> int:
        made = dialects.import_file(file, name, extends)
        if output is not None:
            dialects.write_new(output, made.toml)
        else:
            typer.echo(made.toml, nl=False)
        for what in made.unmapped:
            typer.echo(f"not mapped: {what}", err=True)
        return NOT_AS_EXPECTED if made.unmapped else OK

    raise typer.Exit(_guarded(work))


@app.command()
def unsettled(
    tid: Annotated[str | None, typer.Option(help="only this terminal")] = None,
    api: Api = None,
    store: Store = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Charged but not settled: each transaction, and why. Exit 1 when there is one."""
    from host.commands import reading

    raise typer.Exit(_guarded(lambda: reading.unsettled(_source(api, store), tid, _form(as_json, as_csv))))


@app.command()
def batches(
    tid: Annotated[str | None, typer.Option(help="only this terminal")] = None,
    state: Annotated[str | None, typer.Option(help="open, stale, disputed, closed, closed-with-exceptions")] = None,
    api: Api = None,
    store: Store = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Batches with the totals of both sides."""
    from host.commands import reading

    raise typer.Exit(_guarded(lambda: reading.batches(_source(api, store), tid, state, _form(as_json, as_csv))))


@app.command()
def trace(
    key: Annotated[str, typer.Argument(help="transaction id, RRN, STAN, or TID:STAN")],
    api: Api = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """One transaction over terminal, wire, host and issuer: its time line, its money, its answer in words."""
    from host.commands import reading

    raise typer.Exit(_guarded(lambda: reading.trace(_source(api, store), key, _form(as_json, False))))


@app.command()
def audit(api: Api = None, store: Store = None, as_json: AsJson = False) -> None:
    """Every invariant over the books; exit 1 on a finding."""
    from host.commands import reading

    raise typer.Exit(_guarded(lambda: reading.audit(_source(api, store), _form(as_json, False))))


def _source(api: str | None, store: str | None) -> Source:
    from host.commands.reading import open_source

    return open_source(api, store, DEFAULT_API, DEFAULT_STORE)


def _form(as_json: bool, as_csv: bool) -> str:
    if as_json and as_csv:
        fail("--json and --csv: choose one")
    return "json" if as_json else "csv" if as_csv else "text"


def _say(text: str) -> int:
    typer.echo(text)
    return OK


def _guarded(work: Callable[[], int]) -> int:
    """Run a command; what users can get wrong ends as one line and exit code 2, a broken pipe quietly."""
    try:
        return work()
    except (ConfigError, StoreHeld, StoreVersion, StoreUnavailable, SpecError) as error:
        fail(error)
    except urllib.error.URLError as error:
        fail(f"the host's API cannot say: {error}")  # an HTTPError too: «HTTP Error 500: …»
    except BrokenPipeError:
        sys.stderr.close()
        return OK
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        fail(f"{error.filename or 'standard output'}: {error.strerror}")


def main() -> None:
    """Entry point of `acquirer-host` and `python -m host`."""
    app()
