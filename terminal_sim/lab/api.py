"""A small client of the host's HTTP API: JSON in, JSON out, every call with a time limit."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from terminal_sim.lab.errors import LabError

CALL_S = 15.0
PAGE = 1_000
PAGES_MAX = 100
Json = dict[str, Any]

# The host of a lab is on this machine: no proxy of the environment stands between.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. body: parsed JSON, None when there was none; text: as received."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Any:
        """The JSON, None for an empty answer. Raises: ValueError when it is none."""
        return json.loads(self.text) if self.text else None


@dataclass(frozen=True, slots=True)
class Api:
    """One host's API. base: "http://127.0.0.1:8580"."""

    base: str

    def call(self, method: str, path: str, body: object = None, *, timeout_s: float = CALL_S) -> Answer:
        """One call, whatever the status; path from the root ("/healthz", "/api/v1/faults").

        body: bytes and str go as they are, anything else as JSON. Raises LabError when nobody answers.
        """
        data: bytes | None
        if body is None or isinstance(body, bytes):
            data = body
        else:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with _OPENER.open(request, timeout=timeout_s) as answer:
                return Answer(answer.status, answer.read().decode(), _headers(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), _headers(error.headers))
        except OSError as error:
            raise LabError(f"{method} {self.base}{path}: {error}") from None

    def ask(self, method: str, path: str, body: object = None) -> Json:
        """A call under /api/v1 that must succeed. Raises LabError with the host's own words when it does not."""
        answer = self.call(method, f"/api/v1{path}", body)
        if not 200 <= answer.status < 300:
            raise LabError(f"{method} {path}: {answer.status} {answer.text}")
        found = answer.body
        return found if isinstance(found, dict) else {}

    def get(self, path: str, **params: object) -> Json:
        """GET under /api/v1; params that are None are left out."""
        query = urllib.parse.urlencode({key: value for key, value in params.items() if value is not None})
        return self.ask("GET", f"{path}?{query}" if query else path)

    def items(self, path: str, after: str = "", **params: object) -> list[Json]:
        """All items of a list, over its pages."""
        found: list[Json] = []
        cursor: object = after or None
        for _ in range(PAGES_MAX):
            page = self.get(path, limit=PAGE, after=cursor, **params)
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found
        raise LabError(f"{path}: more than {PAGES_MAX} pages")

    def whole(self, path: str, **params: object) -> list[Json]:
        """The items of a list that has one page only (findings, unsettled)."""
        items = self.get(path, **params)["items"]
        assert isinstance(items, list)
        return items

    def fault(self, action: str, match: Json, **more: object) -> str:
        """Set a fault rule; its id."""
        return str(self.ask("POST", "/faults", {"action": action, "match": match, **more})["id"])


def _headers(raw: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in raw.items()}
