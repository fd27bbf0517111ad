"""`acquirer-host keys set|show TID`: a terminal's master key; keys are shown by their check values only.

A running host is asked over its API, which is the only writer then; without one the store is opened, and held, for the
length of the command.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace

from host.clock import Clock
from host.commands.reading import Shape, Source
from host.config import CONFIGURED, MerchantTable, TerminalTable, describe_key, with_master_key
from host.engine.context import Settings
from host.engine.working import Needs
from host.errors import ConfigError
from host.rows import Merchant, Terminal
from host.store.store import open_store, sqlite_path

_KEY = re.compile("[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}")
_TIMEOUT_S = 5.0


def show(source: Source, tid: str) -> str:
    """The keys of one terminal, one a line. Raises: ConfigError when it is not known."""
    path = f"/terminals/{urllib.parse.quote(tid)}"
    try:
        found = source.get(path, lambda desk: desk.terminal(tid) or {})
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        found = {}
    if not found:
        raise ConfigError(f"terminal {tid}: not known")
    values = found["key_check_values"]
    lines = [f"{name.upper():4} {value or 'none'}" for name, value in values.items()]
    return "\n".join([f"terminal {tid}, merchant {found['mid']}", *lines])


def check_key(text: str) -> str:
    """The key as the books keep it. Raises: ConfigError, without showing it."""
    if not _KEY.fullmatch(text):
        raise ConfigError("--tmk: a master key has 16 or 32 hex digits")
    return text.upper()


def set_by_api(base: str, tid: str, mid: str, tmk: str) -> str:
    """Through a running host. Raises: ConfigError with what it said."""
    quoted = urllib.parse.quote(tid)
    if not mid:
        mid = str(_ask(f"{base}/api/v1/terminals/{quoted}", None).get("mid", ""))
    _ask(f"{base}/api/v1/terminals/{quoted}", {"mid": mid, "tmk": tmk})
    return f"terminal {tid}: {describe_key('TMK', tmk)}; it must sign on"


def _ask(url: str, body: Shape | None) -> Shape:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json"}, method="GET" if data is None else "PUT"
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            found: Shape = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        problem = json.loads(error.read() or b"{}")
        raise ConfigError(f"the host says {error.code}: {problem.get('detail') or problem.get('title')}") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ConfigError(f"{url}: {error}") from None


def set_in_store(url: str, tid: str, mid: str, tmk: str) -> str:
    """In a store that no host holds. Raises: ConfigError, StoreHeld, StoreUnavailable."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise ConfigError(f"store {url}: does not exist, and this command makes none")
    store = open_store(url, seed=0, created_at=Clock().now().isoformat(timespec="seconds"))
    try:
        ws = store.load(Needs(tids={tid}, mids={mid} if mid else set()))
        terminal = ws.terminal(tid)
        if terminal is None and not mid:
            raise ConfigError(f"terminal {tid}: not known; name its merchant with --mid to make it known")
        ids = store.last_ids()
        puts: list[Merchant | Terminal] = []
        if mid and ws.merchant(mid) is None:
            puts.append(Merchant(ids.get(Merchant.__name__, 0) + 1, mid, mid, Settings().currency, CONFIGURED))
        if terminal is None:
            # The tables check what a user may give: lengths and the key's form.
            MerchantTable(mid=mid)
            TerminalTable(tid=tid, mid=mid, tmk=tmk)
            terminal = Terminal(
                id=ids.get(Terminal.__name__, 0) + 1,
                tid=tid,
                mid=mid,
                dialect="",
                provisioned=CONFIGURED,
                signed_on=False,
                tmk="",
                pik="",
                mak="",
                tdk="",
                old_mak="",
                epoch=1,
                last_stan="",
                last_seen="",
                currency="",
            )
        puts.append(with_master_key(replace(terminal, mid=mid or terminal.mid, provisioned=CONFIGURED), tmk))
        # A crash before: the old key stands. After: the new one does, and the terminal must sign on.
        store.commit(puts)
    finally:
        store.close()
    return f"terminal {tid}: {describe_key('TMK', tmk)}; it must sign on"
