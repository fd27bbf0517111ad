"""A close from the back office and the state «stale», over the API (interface.md, section 3; rules.md, section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from host.desk import Desk
from host.issuer.link import FaultKind, LinkFault
from host.rows import Batch
from tests.unit.host.api.test_api import TID, Host
from tests.unit.host.test_service import SALE

CLOSE = {"user": "alice", "reason": "the unit was stolen"}


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.store.close()


def close(host: Host, batch: str, body: Any = None, key: str | None = "k1") -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = host.http.post(f"/api/v1/batches/{batch}/close", json=body or CLOSE, headers=headers)
    return answer.status_code, answer.json()


def the_batch(host: Host) -> str:
    return str(host.get("/batches")["items"][0]["id"])


def test_a_batch_is_closed_with_a_name_and_a_reason(host: Host) -> None:
    host.send()
    status, shown = close(host, the_batch(host))
    assert (status, shown["state"], shown["business_date"]) == (200, "closed-with-exceptions", "2026-03-02")
    assert shown["forced"] == "alice: the unit was stolen"
    assert [item["settlement"] for item in shown["items"]] == ["settled"]
    assert [b["state"] for b in host.get("/batches")["items"]] == ["closed-with-exceptions", "open"]


def test_the_same_key_again_closes_nothing_twice(host: Host) -> None:
    host.send()
    batch = the_batch(host)
    first, again = close(host, batch), close(host, batch)
    assert first == again
    assert len(host.get("/batches")["items"]) == 2


def test_a_key_is_good_for_one_close(host: Host) -> None:
    host.send()
    batch = the_batch(host)
    close(host, batch)
    status, problem = close(host, batch, CLOSE | {"reason": "another"})
    assert (status, problem["code"]) == (409, "idempotency-key")
    status, problem = close(host, batch, CLOSE | {"reason": "another"}, key="k2")
    assert (status, problem["code"]) == (409, "not-open")


@pytest.mark.parametrize(
    ("batch", "body", "key", "status", "code"),
    [
        ("bat-000000000099", CLOSE, "k1", 404, "not-found"),
        ("nonsense", CLOSE, "k1", 404, "not-found"),
        (None, CLOSE, None, 422, "validation"),
        (None, {"user": "alice"}, "k1", 422, "validation"),
        (None, CLOSE | {"user": ""}, "k1", 422, "validation"),
        (None, CLOSE | {"reason": "two\nlines"}, "k1", 422, "validation"),
        (None, CLOSE | {"force": True}, "k1", 422, "validation"),
    ],
)
def test_what_cannot_be_closed_says_why(
    host: Host, batch: str | None, body: dict[str, Any], key: str | None, status: int, code: str
) -> None:
    host.send()
    got, problem = close(host, batch or the_batch(host), body, key)
    assert (got, problem["code"]) == (status, code)
    assert [b["state"] for b in host.get("/batches")["items"]] == ["open"]


def test_a_close_does_not_overtake_a_request_at_the_issuer(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """409 as long as nobody knows what becomes of it; the close is still wanted, and comes when the issuer has spoken
    or its time is over."""
    monkeypatch.setattr("host.api.control.CLOSE_WAIT_S", 0.1 - host.runner.settings.issuer_timeout_s)
    link = host.runner.link
    link.faults.append(LinkFault(FaultKind.SILENT))  # type: ignore[attr-defined]
    host.send()
    batch = the_batch(host)
    status, problem = close(host, batch)
    assert (status, problem["code"]) == (409, "in-flight")
    host.clock.advance(21)
    host.runner.tick()
    host.runner.run_until_quiet()
    status, shown = close(host, batch)
    assert (status, shown["state"]) == (200, "closed-with-exceptions")


def test_a_stale_batch_is_shown_and_found_as_such(host: Host) -> None:
    host.send()
    host.send(SALE.replace(TID.encode(), b"87654321"))
    first = host.store.reader().select(Batch)[0]
    host.store.commit([replace(first, stale_since="2026-03-01T23:00:00.000+00:00")])
    shown = {b["tid"]: b["state"] for b in host.get("/batches")["items"]}
    assert shown == {TID: "stale", "87654321": "open"}
    assert [b["tid"] for b in host.get("/batches", state="stale")["items"]] == [TID]
    assert [b["tid"] for b in host.get("/batches", state="open")["items"]] == ["87654321"]
    assert host.get(f"/batches/{the_batch(host)}")["stale_since"] == "2026-03-01T23:00:00.000+00:00"
    assert host.get(f"/terminals/{TID}")["batch_state"] == "stale"


def test_pages_of_stale_batches_go_on_where_they_ended(host: Host) -> None:
    for number in range(5):
        host.send(SALE.replace(TID.encode(), f"1000000{number}".encode()))
    rows = host.store.reader().select(Batch)
    host.store.commit([replace(b, stale_since="x") for b in rows[::2]])
    desk = Desk(host.store.reader())
    first = desk.batches({"state": "stale"}, "", 2)
    rest = desk.batches({"state": "stale"}, str(first["next"]), 2)
    assert [b["tid"] for b in (*first["items"], *rest["items"])] == ["10000000", "10000002", "10000004"]
    assert rest["next"] is None
