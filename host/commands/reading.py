"""The commands that read the books: from a running host's API when one answers, else from the store, read-only.

Which of the two it was is said on stderr. A store that is not there is never created.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any

import typer

from host.api.shapes import STALE
from host.desk import LIMIT_MAX, Desk
from host.errors import ConfigError
from host.rows import BatchState

API_TIMEOUT_S = 10.0
PAGES_MAX = 1_000
"""Pages fetched at most: a million rows is more than a person reads."""
Shape = dict[str, Any]


class Source:
    """Where the answers come from: `get` takes an API path with parameters, or the desk does the same."""

    def __init__(self, api: str | None, desk: Desk | None) -> None:
        self._api = api
        self.desk = desk

    def get(self, path: str, local: Callable[[Desk], Shape], params: Mapping[str, object] | None = None) -> Shape:
        """One answer: from the desk by `local`, else from the API. Raises HTTPError, URLError when the API says no."""
        if self.desk is not None:
            return local(self.desk)
        query = urllib.parse.urlencode({k: v for k, v in (params or {}).items() if v is not None})
        return _fetch(f"{self._api}/api/v1{path}" + (f"?{query}" if query else ""))

    def every(
        self, path: str, local: Callable[[Desk, str], Shape], params: Mapping[str, object] | None = None
    ) -> list[Shape]:
        """All pages of a list."""
        items: list[Shape] = []
        after = ""
        for _ in range(PAGES_MAX):
            asked = dict(params or {}) | {"limit": LIMIT_MAX} | ({"after": after} if after else {})
            page = self.get(path, lambda desk, cursor=after: local(desk, cursor), asked)  # type: ignore[misc]
            items += page["items"]
            after = str(page["next"] or "")
            if not after:
                return items
        raise ConfigError(f"{path}: more than {PAGES_MAX} pages: name a terminal")


def _fetch(url: str) -> Shape:
    with urllib.request.urlopen(url, timeout=API_TIMEOUT_S) as answer:
        shape = json.load(answer)
        assert isinstance(shape, dict)
        return shape


def base_url(api: str) -> str:
    """The URL of an API that is named by ADDR:PORT or by its URL."""
    return api.rstrip("/") if "://" in api else f"http://{api}"


def _answers(base: str) -> bool:
    """Whether a Closeout host is there; some other program on the port is told apart."""
    try:
        return _fetch(f"{base}/version").get("name") == "closeout"
    except (urllib.error.URLError, HTTPException, OSError, ValueError, AssertionError):
        return False


def running_host(api: str | None, store: str | None, default_api: str) -> str | None:
    """Whom to ask; None when the store is to be opened. Raises ConfigError: no host answers at --api."""
    if store is not None and api is None:
        return None
    base = base_url(api or default_api)
    if _answers(base):
        return base
    if api is not None and store is None:
        raise ConfigError(f"--api {api}: no Closeout host answers there")
    return None


def open_source(api: str | None, store: str | None, default_api: str, default_store: str) -> Source:
    """A named store is opened; else the API is asked; else the default store. Raises ConfigError: what was tried."""
    base = running_host(api, store, default_api)
    if base is not None:
        typer.echo(f"from the API at {base}", err=True)
        return Source(base, None)
    from host.store.store import open_reader

    url = store or default_store
    reader = open_reader(url)
    typer.echo(f"from the store {url}, read-only", err=True)
    return Source(None, Desk(reader))


def unsettled(source: Source, tid: str | None, form: str) -> int:
    """Exit 1 when something is charged but not settled."""
    found = source.get("/unsettled", lambda desk: desk.unsettled(tid), {"tid": tid})
    items = found["items"]
    _say_pruned(found)
    columns = ("tid", "batch", "stan", "rrn", "kind", "amount", "state", "why")
    _print(items, columns, form, "nothing is charged and unsettled")
    return 1 if items else 0


def batches(source: Source, tid: str | None, state: str | None, form: str) -> int:
    """Batches of a terminal or state, with totals; always 0. Raises ConfigError for a state that there is not."""
    states = [*(s.value for s in BatchState), STALE]
    if state is not None and state not in states:
        raise ConfigError(f"--state {state}: not one of {', '.join(states)}")
    where = {key: value for key, value in (("tid", tid), ("state", state)) if value is not None}
    items = source.every("/batches", lambda desk, after: desk.batches(where, after, LIMIT_MAX), where)
    rows = [item | {"host": _sums(item, "host"), "terminal": _sums(item, "terminal")} for item in items]
    columns = ("id", "tid", "number", "state", "business_date", "opened_at", "closed_at", "terminal", "host", "verdict")
    _print(items if form == "json" else rows, columns, form, "no batches")
    return 0


def _sums(item: Shape, party: str) -> str:
    totals = item["totals"][party] or []
    if party == "host" and not totals:
        running = item["totals"]["running"]
        return "; ".join(f"{kind} {count}/{amount}" for kind, (count, amount) in running.items() if count)
    shown = (f"{t['side']} {t['group']} {t['count']}/{t['amount']}" for t in totals if t["count"] or t["amount"])
    return "; ".join(shown)


def trace(source: Source, key: str, form: str) -> int:
    """Exit 1 when nothing fits the key."""
    if source.desk is not None:
        found = source.desk.find(key)
    else:
        found = _find_by_api(source, key)
    if form == "json":
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join(_story(one) for one in found) if found else f"nothing fits {key!r}")
    return 0 if found else 1


def _find_by_api(source: Source, key: str) -> list[Shape]:
    none: Callable[[Desk], Shape] = lambda desk: {}  # noqa: E731 - never called: this source has an API
    if key.startswith("txn-"):
        try:
            return [source.get(f"/transactions/{urllib.parse.quote(key)}", none)]
        except urllib.error.HTTPError:
            return []
    tid, separator, stan = key.rpartition(":")
    params: Shape = {"tid": tid, "stan": stan.zfill(6)} if separator else {}
    if not separator:
        params = {"rrn": key} if len(key) == 12 else {"stan": key.zfill(6)}
    items = source.every("/transactions", lambda desk, after: {}, params)
    return [source.get(f"/transactions/{item['id']}", none) for item in items]


def _story(one: Shape) -> str:
    """The time line of one transaction for people."""
    head = f"{one['id']}  {one['kind']} {one['amount']} {one['currency']}  {one['pan']}  {one['state']}"
    lines = [head]
    lines.append(f"  terminal {one['tid']}  merchant {one['mid']}  batch {one['batch']}  STAN {one['stan']}")
    answer = one["explanation"]
    lines.append(f"  RRN {one['rrn'] or '-'}  code {answer['code'] or '-'}: {answer['en']} {answer['zh']}".rstrip())
    lines.append(f"  settlement {one['settlement']}  undone by {one['undone_by'] or '-'}")
    if one["note"]:
        lines.append(f"  note: {one['note']}")
    if one.get("chip"):
        lines.append("  chip: " + ", ".join(f"{key} {value}" for key, value in one["chip"].items()))
    if until := one.get("messages_pruned_until"):
        lines.append(f"  messages before {until} were pruned")
    for event in one["events"]:
        extra = f"  {event['account']} {event['amount']:+d}" if "amount" in event else ""
        fate = f"  ({event['fate']})" if event.get("fate") else ""
        lines.append(f"  {event['at']}  {event['party']:<9} {event['event']}{extra}{fate}")
        lines += [f"  {'':<29}  {'':<9} note: {note}" for note in event.get("notes", ())]
    return "\n".join(lines)


def audit(source: Source, form: str) -> int:
    """Exit 1 on a finding. What is not clean and explained by an exception is shown to people below the findings."""
    found = source.get("/findings", lambda desk: desk.findings())
    items = found["items"]
    _say_pruned(found)
    _print(items, ("invariant", "subject", "text"), form, "the books are right: every invariant holds")
    explained = [o | {"classes": "+".join(o["classes"])} for o in found.get("outcomes", ()) if o["reason"]]
    if explained and form not in ("json", "csv"):
        typer.echo("\nnot clean, and explained by an exception:")
        _print(explained, ("tid", "stan", "kind", "amount", "classes", "reason"), form, "")
    return 1 if items else 0


def _say_pruned(found: Shape) -> None:
    """On stderr, whatever the form of the result: it is about the evidence, no part of it."""
    if until := found.get("messages_pruned_until"):
        typer.echo(f"messages before {until} were pruned: what they said is not looked at", err=True)


def _print(items: Sequence[Shape], columns: Sequence[str], form: str, empty: str) -> None:
    if form == "json":
        typer.echo(json.dumps(items, ensure_ascii=False, indent=2))
        return
    rows = [[_cell(item.get(name)) for name in columns] for item in items]
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([list(columns), *rows])
        sys.stdout.write(text.getvalue())
        return
    if not rows:
        typer.echo(empty)
        return
    widths = [max(len(r[i]) for r in [list(columns), *rows]) for i in range(len(columns))]
    for row in [list(columns), *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return "" if value is None else str(value)
