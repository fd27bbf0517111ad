"""A client of the host's API for many small calls: one connection that stays open."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from terminal_sim.lab.errors import LabError

CALL_S = 60.0


class Gone(Exception):
    """The host is not there any more."""


class Client:
    """One connection to the host's API that stays open. Raises: Gone when nobody answers, LabError for a refusal."""

    def __init__(self, base: str) -> None:
        self._address = urlsplit(base).netloc
        self._open: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON under /api/v1; 409 is None: it is as it should be already, or cannot be now."""
        if self._open is None:
            self._open = http.client.HTTPConnection(self._address, timeout=CALL_S)
        text = body if isinstance(body, str) else json.dumps(body)
        data = None if body is None else text.encode()
        said = {"Content-Type": "application/json", **(headers or {})}
        try:
            self._open.request(method, f"/api/v1{path}", data, said)
            answer = self._open.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Gone(str(error)) from None
        if answer.status == 409:
            return None
        if not 200 <= answer.status < 300:
            raise LabError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None

    def close(self) -> None:
        """Until the next call."""
        if self._open is not None:
            self._open.close()
            self._open = None
