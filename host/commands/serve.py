"""`acquirer-host serve`: open the store, the listeners and the API; run until told to end; leave nothing half done."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, TextIO

import structlog
import typer
import uvicorn

from host.api.app import make_app
from host.api.control import Control, program_version
from host.capture import CLEAR, MASKED, MEGABYTE, SIZE_MB, Capture, now_of
from host.chance import fresh_seed
from host.clock import Clock, zone
from host.commands.lan import instructions
from host.commands.logs import configure
from host.config import Configuration, Ready, provision, read, ready
from host.descriptors import connections_within
from host.desk import Desk
from host.errors import ConfigError
from host.faults import FaultTable
from host.issuer.cards import index_test_cards
from host.issuer.link import ImmediateLink
from host.issuer.scripts import ScriptTable
from host.limits import LimitCounters
from host.rows import MessageRow, Posting, Txn
from host.runner import Runner
from host.server import Server
from host.service import Service
from host.store.store import Store, open_store, sqlite_path
from host.tls import server_context
from host.wire_log import WireLog
from specs.endpoint import Endpoint, parse
from specs.families import NAMES
from specs.profile import profile_of

log = structlog.get_logger("host")

DEFAULT_LISTEN = ("cup://127.0.0.1:8583", "nac://127.0.0.1:8584", "iso87://127.0.0.1:8585")
DEFAULT_API = "127.0.0.1:8580"
DEFAULT_STORE = "sqlite:///closeout.db"
PROVISIONING = ("auto", "strict")
LOOPS = ("uvloop", "asyncio")
GC_OBJECTS = 20_000
"""New objects between two looks of the garbage collector, a few MB; Python's 700 are a few approvals."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said, "" or () where it said nothing; see `acquirer-host serve --help`."""

    listen: tuple[str, ...] = ()
    api: str = ""
    store: str = ""
    config: Path | None = None
    ready_file: Path | None = None
    lan: bool = False
    clock: str = ""
    seed: int = 0
    provisioning: str = ""
    loop: str = ""
    log_level: str = "info"
    log_file: Path | None = None
    capture: Path | None = None
    capture_clear: bool = False
    capture_mb: int = SIZE_MB


@dataclass(slots=True)
class Opened:
    """What listens, for the ready file and the first lines on the screen."""

    listen: list[dict[str, Any]] = field(default_factory=list)
    api: str = ""


def run(options: Options) -> int:
    """Serve until SIGTERM, SIGINT or POST /shutdown. Raises HostError before anything runs."""
    options, configured = _configured(options)
    endpoints = _endpoints(options)
    for endpoint in endpoints:
        server_context(endpoint)  # certificates that cannot be used, likewise
    clock = _clock(options.clock, configured.configuration)
    sqlite_path(options.store)  # a URL that cannot be read is told before anything is opened
    with contextlib.ExitStack() as stack:
        log_stream: TextIO = sys.stderr
        if options.log_file is not None:
            log_stream = stack.enter_context(_log_file(options.log_file))
        configure(log_stream, options.log_level)
        # The API's socket first: a taken port must be told before a store is made.
        api_socket = stack.enter_context(_api_socket(options.api))
        capture = _capture(options, clock)
        if capture is not None:
            stack.callback(capture.close)
        created = clock.now().isoformat(timespec="seconds")
        store = open_store(options.store, seed=options.seed or fresh_seed(), created_at=created)
        stack.callback(store.close)
        for line in provision(store, configured.configuration, created):
            log.info("configured", what=line)
        _go_on(clock, store)
        asyncio_loop = _loop_factory(options.loop)
        with asyncio.Runner(loop_factory=asyncio_loop) as runner:
            return runner.run(_serve(options, endpoints, configured, clock, store, api_socket, capture))


def _go_on(clock: Clock, store: Store) -> None:
    """Records never go back, over a restart either: a machine that was set back meanwhile, or days that passed by the
    API, leave books that are ahead; the clock then goes on from their newest row."""
    reader = store.reader()
    times = [row.at for row in reader.select(MessageRow, newest=True, limit=1)]
    times += [row.at for row in reader.select(Posting, newest=True, limit=1)]
    times += [txn.created_at for txn in reader.select(Txn, newest=True, limit=1)]
    was, newest = clock.now(), max(map(datetime.fromisoformat, times), default=None)
    if newest is not None and newest > was:
        now = clock.set(newest)
        log.warning("the clock goes on from the books, which are ahead of it", was=was.isoformat(), now=now.isoformat())


async def _serve(
    options: Options,
    endpoints: list[Endpoint],
    configured: Ready,
    clock: Clock,
    store: Store,
    api_socket: socket.socket,
    capture: Capture | None = None,
) -> int:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
            loop.add_signal_handler(number, ending.set)
    faults = FaultTable()
    desk = Desk(store.reader())
    hits = LimitCounters()
    service = Service(faults, store.pan_hash_key, desk.track_key, configured.bins)
    cards = index_test_cards(store.pan_hash_key, configured.cards)
    scripts = ScriptTable(store.pan_hash_key, cards)
    link = ImmediateLink(store, cards, bins=configured.bins, scripts=scripts, by_rule=service.link_faults.strikes)
    writer = Runner(
        store,
        clock,
        configured.settings,
        link,
        before_commit=service.rows,
        on_broken=lambda _error: _call(loop, ending),
        profiles={e.dialect.name: profile_of(e.dialect.name, e.dialect.profile) for e in endpoints},
        queue_max=configured.limits.queue,
        hits=hits,
        wire_log=WireLog(
            store, clock, rows=configured.limits.wire_log_rows, days=configured.limits.wire_log_days, hit=hits.hit
        ),
    )
    connections = connections_within(configured.limits.connections)
    limits = replace(configured.limits, connections=connections)
    server = Server(handler=service.received, broken=service.broken, limits=limits, hits=hits, tap=capture)
    service.start(writer, loop)
    writer.start()
    control = Control(desk, clock, faults, writer, server, lambda: _call(loop, ending), scripts, capture=capture)
    api = _Api(uvicorn.Config(make_app(desk, control), log_config=None, access_log=False, lifespan="off"))
    serving = loop.create_task(api.serve(sockets=[api_socket]))
    try:
        opened = await _open(server, endpoints, api_socket, capture)
        await _api_up(api, serving)
        _announce(options, opened, endpoints, configured.configuration)
        settled()
        await ending.wait()
    finally:
        # Stop accepting, answer what is decided, commit, then close the lines: nothing decided is left unsaid.
        await server.stop_accepting()
        await loop.run_in_executor(None, writer.stop)
        await asyncio.sleep(0)
        await server.close()
        api.should_exit = True
        await serving
        if options.ready_file is not None:
            options.ready_file.unlink(missing_ok=True)
    if writer.broken is not None:
        log.critical("the host stopped by itself: its books must be looked at", why=str(writer.broken))
        return 1
    log.info("ended", answered=server.counters.frames_out)
    return 0


def settled() -> None:
    """All is loaded and stays: the garbage collector need not look at it again, and less often at what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 20)
    gc.enable()


class _Api(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has one way to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _open(
    server: Server, endpoints: list[Endpoint], api_socket: socket.socket, capture: Capture | None
) -> Opened:
    opened = Opened(api="http://{}:{}".format(*api_socket.getsockname()[:2]))
    for endpoint in endpoints:
        port = await server.listen(endpoint)
        if capture is not None:
            capture.listening(port, endpoint.dialect)
        shown = {"dialect": endpoint.dialect.name, "address": endpoint.address, "port": port}
        shown["tls"] = endpoint.tls is not None
        opened.listen.append(shown)
    return opened


async def _api_up(api: _Api, serving: asyncio.Task[None]) -> None:
    while not api.started:
        if serving.done():
            serving.result()
            raise ConfigError("the API ended at once")
        await asyncio.sleep(0.01)


def _call(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


def _announce(options: Options, opened: Opened, endpoints: list[Endpoint], configuration: Configuration) -> None:
    path = sqlite_path(options.store)
    where = f"sqlite:///{path.resolve()}" if path is not None else options.store.split("@")[-1]
    for row in opened.listen:
        tls = ", TLS" if row["tls"] else ""
        typer.echo(f"listening  {row['dialect']}://{row['address']}:{row['port']}{tls}")
    typer.echo(f"API        {opened.api}/docs")
    typer.echo(f"store      {where}")
    if options.capture is not None:
        typer.echo(f"capture    {options.capture.resolve()}: {CLEAR if options.capture_clear else MASKED}")
    if options.lan:
        typer.echo(instructions(opened.listen, endpoints, configuration, opened.api))
    if options.ready_file is not None:
        _write_ready(options.ready_file, opened)
    log.info("ready", listen=[f"{r['dialect']}:{r['port']}" for r in opened.listen], api=opened.api)


def _write_ready(path: Path, opened: Opened) -> None:
    """Whole or not at all: whoever waits for the file may read it at once."""
    body = {"pid": os.getpid(), "listen": opened.listen, "api": opened.api}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(body) + "\n", encoding="utf8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ConfigError(f"--ready-file {path}: {error.strerror or error}") from error


# ---- reading the options


def _capture(options: Options, clock: Clock) -> Capture | None:
    """The capture, begun; None without one. Raises ConfigError for options that do not fit and for its file."""
    if options.capture is None:
        if options.capture_clear:
            raise ConfigError("--capture-clear: there is no --capture FILE that it could be about")
        return None
    capture = Capture(
        options.capture,
        now_ns=now_of(clock),
        program=f"acquirer-host {program_version()}",
        clear=options.capture_clear,
        bytes_max=options.capture_mb * MEGABYTE,
    )
    capture.start()
    if options.capture_clear:
        log.warning(CLEAR, file=str(options.capture))
    return capture


def _endpoints(options: Options) -> list[Endpoint]:
    found = [parse(url) for url in options.listen]
    for endpoint in found:
        if endpoint.dialect.family not in NAMES:
            offered = ", ".join(NAMES)
            raise ConfigError(
                f"--listen {endpoint.url}: this host answers the families {offered}; "
                f"{endpoint.dialect.family} can be decoded only"
            )
    if not options.lan:
        return found
    return [replace(e, address=_all(e.address)) for e in found]


def _all(address: str) -> str:
    """--lan opens what would be loopback to all addresses; an address that the user chose stays."""
    return "0.0.0.0" if address in ("127.0.0.1", "localhost") else address


def _configured(options: Options) -> tuple[Options, Ready]:
    """The command line over the variables over the file over the defaults. Raises: ConfigError."""
    found = read(options.config)
    if options.provisioning:
        if options.provisioning not in PROVISIONING:
            raise ConfigError(f"--provisioning {options.provisioning}: not one of {', '.join(PROVISIONING)}")
        found = found.model_copy(update={"provisioning": options.provisioning})
    options = replace(
        options,
        listen=options.listen or tuple(found.listen) or DEFAULT_LISTEN,
        api=options.api or found.api or DEFAULT_API,
        store=options.store or found.store or DEFAULT_STORE,
    )
    return options, ready(found)


def _clock(text: str, configuration: Configuration) -> Clock:
    cutoff = time_of_day.fromisoformat(configuration.cutoff)
    timezone = configuration.timezone
    if not text:
        return Clock(zone(timezone), cutoff=cutoff)
    try:
        return Clock(zone(timezone), start=datetime.fromisoformat(text), cutoff=cutoff)
    except ValueError as error:
        raise ConfigError(f"--clock {text}: not a time such as 2026-03-02T09:00") from error


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[TextIO]:
    try:
        stream = path.open("a", encoding="utf8", buffering=1)
    except OSError as error:
        raise ConfigError(f"--log-file {path}: {error.strerror}") from error
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):  # on a full disk the last lines are lost, and nothing else
            stream.close()


@contextlib.contextmanager
def _api_socket(text: str) -> Iterator[socket.socket]:
    host, separator, port = text.rpartition(":")
    host = host.strip("[]")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--api {text}: expected ADDR:PORT, for example 127.0.0.1:8580")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise ConfigError(f"--api {text}: the API has no password, so it listens on loopback only")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, int(port)))
            listener.listen(128)
        except OSError as error:
            raise ConfigError(f"--api {text}: cannot listen there: {error.strerror}") from error
        yield listener


def _loop_factory(name: str) -> Any:
    if name and name not in LOOPS:
        raise ConfigError(f"--loop {name}: not one of {', '.join(LOOPS)}")
    if name != "asyncio":
        try:
            import uvloop
        except ImportError as error:
            if name == "uvloop":
                raise ConfigError("--loop uvloop: it is not installed here") from error
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
