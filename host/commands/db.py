"""`acquirer-host db …`: what is done to a store as a whole: upgrade, check, export, import, prune."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import structlog
import typer

from host import wire_log
from host.clock import Clock
from host.errors import ConfigError, StoreVersion
from host.limits import DAYS_MAX
from host.store.store import (
    check_store,
    export_store,
    import_store,
    open_reader,
    open_store,
    sqlite_path,
    upgrade_store,
)
from host.store.transfer import BadExport

PRUNE_TIMEOUT_S = 600.0


@contextlib.contextmanager
def _warnings_to_stderr() -> Iterator[None]:
    """Standard output is the command's own: an export may go there."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def upgrade(url: str) -> str:
    """Raises what host.store.upgrade does."""
    with _warnings_to_stderr():
        return upgrade_store(url)


def check(url: str) -> tuple[list[str], int]:
    """What to print, and how many findings there are. Raises: ConfigError, StoreVersion, StoreUnavailable."""
    found = check_store(url)
    if found:
        return [*found, f"{len(found)} finding{'' if len(found) == 1 else 's'}"], len(found)
    hint = f"acquirer-host audit --store {url}"
    return [f"{url} is sound; whether its books are right, `{hint}` says"], 0


def export(url: str, file: str) -> int:
    """Write every row to a new file, whole or not at all; always 0. Raises: ConfigError, and as `open_reader`."""
    lines = export_store(url)
    if file == "-":
        _write(sys.stdout, lines)
        return 0
    path = Path(file)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists():
            raise ConfigError(f"{path} is there already")
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf8") as out:
            written = _write(out, lines)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    typer.echo(f"{path}: {written:,} rows")
    return 0


def _write(out: TextIO, lines: Iterator[str]) -> int:
    count = 0
    for line in lines:
        out.write(line + "\n")
        count += 1
    return count - 1  # the first line is no row


def import_(url: str, file: str) -> str:
    """Make a new store of an export. Raises: ConfigError naming the line, StoreHeld, StoreUnavailable."""
    try:
        with contextlib.ExitStack() as stack:
            source = sys.stdin if file == "-" else stack.enter_context(Path(file).open(encoding="utf8"))
            stack.enter_context(_warnings_to_stderr())
            counts = import_store(url, source)
    except BadExport as error:
        raise ConfigError(f"{'standard input' if file == '-' else file}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 text") from None
    return f"{url}: {sum(counts.values()):,} rows"


def prune_store(url: str, rows: int, days: int) -> str:
    """In a store that no host holds. Raises: ConfigError, StoreHeld, StoreVersion, StoreUnavailable."""
    _asked(rows, days)
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise ConfigError(f"no store at {path}")
    with contextlib.suppress(StoreVersion):  # an older one is upgraded; what is no store is not made one
        open_reader(url).close()
    with _warnings_to_stderr(), contextlib.closing(open_store(url, seed=0)) as store:
        return _told(wire_log.prune_all(store, Clock(), rows=rows, days=days))


def prune_by_api(base: str, rows: int, days: int) -> str:
    """Through a running host, which prunes between its groups. Raises: ConfigError with what it said."""
    _asked(rows, days)
    body = {name: value for name, value in (("rows", rows), ("days", days)) if value}
    request = urllib.request.Request(
        f"{base}/api/v1/messages/prune", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=PRUNE_TIMEOUT_S) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        problem = json.loads(error.read() or b"{}")
        raise ConfigError(f"the host says {error.code}: {problem.get('detail') or problem.get('title')}") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ConfigError(f"{base}: {error}") from None
    return _told(int(found["gone"]))


def _asked(rows: int, days: int) -> None:
    if not rows and not days:
        raise ConfigError("say what to keep: --rows N, --days N or both")
    if days > DAYS_MAX:
        raise ConfigError(f"--days {days}: at most {DAYS_MAX:,}; without it no message is too old")


def _told(gone: int) -> str:
    return f"{gone:,} messages pruned"
