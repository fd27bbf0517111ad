"""The API in process: shapes, errors of one form, waits and verifications, faults, clock, journal, reset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from host.api.app import make_app
from host.api.control import Control
from host.clock import Clock
from host.desk import Desk
from host.engine.context import Settings
from host.faults import FaultTable
from host.issuer.cards import index_test_cards
from host.issuer.link import ImmediateLink
from host.rows import Terminal
from host.runner import Runner
from host.server import Server
from host.service import Service
from host.store.store import open_store
from specs.profile import profile_of
from tests.unit.host.test_service import SALE, FakeLine, Now

TID = "12345678"  # of the constructed sale in nac.md section 9


class Host:
    """A host without sockets: its API, and a line to send frames on."""

    def __init__(self) -> None:
        self.store = open_store("sqlite://", seed=1)
        self.clock = Clock(UTC, datetime(2026, 3, 2, 9, 0, tzinfo=UTC), running=False)
        self.faults = FaultTable()
        self.service = Service(self.faults, self.store.pan_hash_key)
        link = ImmediateLink(self.store, index_test_cards(self.store.pan_hash_key))
        self.runner = Runner(self.store, self.clock, Settings(), link, before_commit=self.service.rows)
        self.service.start(self.runner, Now())  # type: ignore[arg-type]
        server = Server(handler=self.service.received, broken=self.service.broken)
        desk = Desk(self.store.reader())
        self.stopped: list[bool] = []
        control = Control(desk, self.clock, self.faults, self.runner, server, lambda: self.stopped.append(True))
        self.line = FakeLine("nac://127.0.0.1:1")
        self.http = TestClient(make_app(desk, control), raise_server_exceptions=False)

    def send(self, payload: bytes = SALE) -> None:
        self.service.received(self.line, payload)  # type: ignore[arg-type]
        self.runner.run_until_quiet()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(f"/api/v1{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.store.close()


PROMISED = {
    *("id", "tid", "mid", "dialect", "kind", "state", "settlement", "funding", "amount", "currency", "pan"),
    *("stan", "rrn", "auth_code", "response_code", "batch", "business_date"),
}
"""interface.md, section 3, `GET /transactions`."""


def test_a_transaction_has_every_promised_name(host: Host) -> None:
    host.send()
    (item,) = host.get("/transactions")["items"]
    assert item.keys() >= PROMISED
    assert (item["kind"], item["state"], item["settlement"], item["amount"]) == ("sale", "captured", "open", 10000)
    assert item["pan"] == "411111******1111"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"tid": TID}, 1),
        ({"tid": "other"}, 0),
        ({"stan": "000123", "amount": 10000}, 1),
        ({"amount": 10001}, 0),
        ({"batch": "000001"}, 1),
        ({"batch": "000002"}, 0),
        ({"date": "2026-03-02"}, 1),
        ({"kind": "void"}, 0),
        ({"state": "captured"}, 1),
    ],
)
def test_transactions_are_filtered(host: Host, filters: dict[str, Any], found: int) -> None:
    host.send()
    assert len(host.get("/transactions", **filters)["items"]) == found


def test_a_page_ends_where_it_should_and_next_goes_on(host: Host) -> None:
    for stan in range(0x24, 0x29):
        host.send(SALE.replace(bytes.fromhex("000123"), bytes.fromhex(f"0001{stan:02x}")))
    first = host.get("/transactions", limit=3)
    rest = host.get("/transactions", limit=3, after=first["next"])
    stans = [item["stan"] for item in first["items"] + rest["items"]]
    assert stans == ["000124", "000125", "000126", "000127", "000128"]
    assert rest["next"] is None
    newest = host.get("/transactions", limit=3, order="newest")
    rest = host.get("/transactions", limit=3, order="newest", after=newest["next"])
    assert [item["stan"] for item in newest["items"] + rest["items"]] == stans[::-1]


def test_one_transaction_tells_its_events_its_money_and_its_code_in_two_languages(host: Host) -> None:
    host.send()
    (item,) = host.get("/transactions")["items"]
    whole = host.get(f"/transactions/{item['id']}")
    assert {"terminal", "host", "acquirer", "issuer"} <= {event["party"] for event in whole["events"]}
    assert sum(line["amount"] for line in whole["money"]) == 0
    assert whole["explanation"]["code"] == "00"
    assert whole["explanation"]["en"]
    assert whole["explanation"]["zh"]


def test_a_transaction_of_a_users_own_dialect_is_told_whole(host: Host, tmp_path: Path) -> None:
    """Its file need not be there any more when somebody asks."""
    (tmp_path / "mybank.toml").write_text('extends = "nac"\ntitle = "My bank"\n')
    host.line = FakeLine(f"{tmp_path}/mybank.toml://127.0.0.1:1")
    host.runner._profiles["mybank"] = profile_of("mybank", host.line.endpoint.dialect.profile)
    host.send()
    (tmp_path / "mybank.toml").unlink()
    (item,) = host.get("/transactions")["items"]
    whole = host.get(f"/transactions/{item['id']}")
    assert (whole["dialect"], whole["explanation"]["code"], whole["explanation"]["en"]) == ("mybank", "00", "approved")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "where"),
    [
        ("GET", "/api/v1/transactions/txn-9", None, 404, "path"),
        ("GET", "/api/v1/batches/nothing", None, 404, "path"),
        ("GET", "/api/v1/nowhere", None, 404, ""),
        ("DELETE", "/api/v1/transactions", None, 405, ""),
        ("GET", "/api/v1/transactions?limit=1001", None, 422, "query/limit"),
        ("POST", "/api/v1/faults", {"action": "explode"}, 422, "/action"),
        ("POST", "/api/v1/clock/advance", {}, 422, "body"),
        ("POST", "/api/v1/clock/advance", {"secnods": 1}, 422, "body/secnods"),
        ("PUT", "/api/v1/clock", {"now": "2020-01-01T00:00:00+00:00"}, 409, "body"),
        ("PUT", "/api/v1/clock", {"now": "yesterday"}, 422, "body/now"),
        ("POST", "/api/v1/reset", {"scope": "terminal"}, 422, "body/id"),
        ("POST", "/api/v1/reset", {"scope": "world"}, 422, "body/scope"),
    ],
)
def test_every_error_has_one_shape(host: Host, method: str, path: str, body: Any, status: int, where: str) -> None:
    answer = host.http.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["where"]) == (status, where)
    assert problem["code"]
    assert problem["detail"]


def test_verify_says_how_many_and_shows_near_misses(host: Host) -> None:
    host.send()
    wanted = {"match": {"mti": "0200", "stan": "000123", "direction": "in"}, "count": 1}
    assert host.http.post("/api/v1/messages/verify", json=wanted).json()["ok"] is True
    wanted["match"] = {"mti": "0400", "stan": "000123", "direction": "in"}
    told = host.http.post("/api/v1/messages/verify", json=wanted).json()
    assert (told["ok"], told["matched"]) == (False, 0)
    assert [(near["differs_in"], near["got"]) for near in told["near_misses"]] == [("mti", "0200")]


def test_a_message_that_matches_is_no_near_miss(host: Host) -> None:
    host.send()
    host.send(SALE.replace(bytes.fromhex("000123"), bytes.fromhex("000124")))
    wanted = {"match": {"mti": "0200", "stan": "000123"}, "count": 2}
    told = host.http.post("/api/v1/messages/verify", json=wanted).json()
    assert (told["ok"], told["matched"]) == (False, 1)
    assert {near["stan"] + near["mti"] for near in told["near_misses"]} == {"0001240200", "0001230210"}


def test_wait_gives_up_with_408_and_near_misses(host: Host) -> None:
    host.send()
    answer = host.http.get("/api/v1/messages/wait", params={"mti": "0400", "stan": "000123", "timeout": 0})
    assert (answer.status_code, answer.json()["ok"]) == (408, False)
    answer = host.http.get("/api/v1/messages/wait", params={"mti": "0210", "timeout": 0})
    assert (answer.status_code, answer.json()["matched"]) == (200, 1)


def test_a_fault_is_added_counted_and_taken_back(host: Host) -> None:
    made = host.http.post("/api/v1/faults", json={"action": "drop-reply", "match": {"kind": "sale"}})
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/faults/1")
    host.send()
    (fault,) = host.get("/faults")["items"]
    assert (fault["fired"], fault["action"], fault["at"]) == (1, "drop", "wire/H>T")
    assert host.http.delete("/api/v1/faults/1").status_code == 204
    assert host.http.delete("/api/v1/faults/1").status_code == 404
    assert host.get("/faults")["items"] == []


def test_a_lost_reply_is_listed_as_unsettled_with_its_reason(host: Host) -> None:
    host.http.post("/api/v1/faults", json={"action": "drop-reply"})
    host.send()
    (item,) = host.get("/unsettled")["items"]
    assert item["stan"] == "000123"
    assert item["doubtful"] is True
    assert "dropped by fault 1" in item["why"]


def test_an_answer_that_says_otherwise_than_the_books_is_doubtful(host: Host) -> None:
    host.http.post("/api/v1/faults", json={"action": "answer", "rc": "05"})
    host.send()
    (item,) = host.get("/unsettled")["items"]
    assert item["doubtful"] is True
    assert "the terminal was told 05 by fault 1: answer" in item["why"]


def test_the_clock_is_frozen_advanced_and_run(host: Host) -> None:
    assert host.get("/clock") == {
        "now": "2026-03-02T09:00:00.000+00:00",
        "running": False,
        "cutoff": "00:00",
        "business_date": "2026-03-02",
    }
    moved = host.http.post("/api/v1/clock/advance", json={"seconds": 86_400}).json()
    assert moved["business_date"] == "2026-03-03"
    moved = host.http.post("/api/v1/clock/advance", json={"until": "2026-03-04T00:00:00+00:00"}).json()
    assert moved["now"].startswith("2026-03-04T00:00:00")
    assert host.http.put("/api/v1/clock", json={"running": True}).json()["running"] is True


def test_a_journal_is_taken_and_compared(host: Host) -> None:
    host.send()
    head = {"record": "terminal", "tid": TID, "batch": "000001", "stan": "000124", "frozen": False}
    row = {"record": "row", "tid": TID, "batch": "000001", "stan": "000999", "kind": "sale", "amount": 1}
    lines = "\n".join(json.dumps(line) for line in (head | {"pending_reversal": ""}, row))
    answer = host.http.post(f"/api/v1/terminals/{TID}/journal", content=lines)
    assert (answer.status_code, answer.json()["rows"]) == (201, 1)
    assert host.http.post("/api/v1/terminals/OTHER/journal", content=lines).status_code == 422
    assert host.http.post(f"/api/v1/terminals/{TID}/journal", content="{}").json()["code"] == "bad-journal"


def test_reset_clears_the_books_and_keeps_the_terminal(host: Host) -> None:
    host.send()
    assert host.http.post("/api/v1/reset", json={"scope": "all"}).status_code == 204
    assert host.get("/transactions")["items"] == []
    assert host.get("/messages")["items"] == []
    (terminal,) = host.get("/terminals")["items"]
    assert terminal["tid"] == TID
    host.send()
    assert len(host.get("/transactions")["items"]) == 1


def test_a_terminal_shows_its_batch_and_never_its_keys(host: Host) -> None:
    host.send()
    shown = host.get(f"/terminals/{TID}")
    assert (shown["batch"], shown["batch_state"], shown["last_stan"]) == ("000001", "open", "000123")
    assert "0123456789ABCDEF" not in json.dumps(shown)


def test_strict_provisioning_serves_a_terminal_once_it_is_named(host: Host) -> None:
    host.runner.settings = Settings(provisioning="strict")
    host.send()
    assert host.line.codes() == ["89"]
    made = host.http.put(f"/api/v1/terminals/{TID}", json={"mid": "123456789012345"})
    assert (made.status_code, made.headers["location"]) == (201, f"/api/v1/terminals/{TID}")
    host.send()
    assert host.line.codes() == ["89", "00"]
    assert host.http.put(f"/api/v1/terminals/{TID}", json={"mid": "123456789012345"}).status_code == 200


def test_a_batch_is_closed_by_hand_once_with_a_name_and_a_reason(host: Host) -> None:
    host.send()
    (batch,) = host.get("/batches")["items"]
    path, body = f"/api/v1/batches/{batch['id']}/close", {"user": "Li", "reason": "shop closed"}
    key = {"Idempotency-Key": "k1"}
    assert host.http.post(path, json=body).status_code == 422  # without a key nobody can tell a repeat
    closed = host.http.post(path, json=body, headers=key)
    assert (closed.status_code, closed.json()["forced"]) == (200, "Li: shop closed")
    assert closed.json()["state"] == "closed-with-exceptions"
    assert host.http.post(path, json=body, headers=key).json() == closed.json()
    other = host.http.post(path, json=body | {"reason": "again"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key")
    late = host.http.post(path, json=body | {"reason": "again"}, headers={"Idempotency-Key": "k2"})
    assert (late.status_code, late.json()["code"]) == (409, "not-open")
    gone = host.http.post("/api/v1/batches/bat-000000000404/close", json=body, headers=key)
    assert gone.status_code == 404
    assert len(host.get("/batches")["items"]) == 2  # the closed one, and the next


def test_a_terminal_is_asked_for_something_until_it_has_done_it(host: Host) -> None:
    """CUP header digit 6 (cup.md 1); nothing else of the terminal changes."""
    host.send()
    path = f"/api/v1/terminals/{TID}"
    before = host.store.reader().select(Terminal)[0]
    assert host.http.put(path, json={"request": "1"}).json()["request"] == "1"
    assert host.store.reader().select(Terminal) == [replace(before, request="1")]
    assert host.http.put(path, json={"mid": before.mid}).json()["request"] == "1"
    assert host.http.put(path, json={"request": "0"}).json()["request"] == "0"
    for wrong in ("6", "", "12", 1):
        assert host.http.put(path, json={"request": wrong}).status_code == 422
    assert host.http.put("/api/v1/terminals/NEWONE01", json={"request": "1"}).status_code == 422


def test_a_new_master_key_ends_the_sign_on_and_the_same_one_does_not(host: Host) -> None:
    """The working keys came under the old one (security.md 1)."""
    host.send()
    (terminal,) = host.store.reader().select(Terminal)
    host.store.commit([replace(terminal, signed_on=True)])
    path, body = f"/api/v1/terminals/{TID}", {"mid": terminal.mid, "tmk": terminal.tmk}
    assert host.http.put(path, json=body).json()["signed_on"] is True
    body["tmk"] = "FEDCBA98765432100123456789ABCDEF"
    assert host.http.put(path, json=body).json()["signed_on"] is False


@pytest.mark.parametrize(
    ("tid", "body"),
    [("SHORT", {"mid": "1"}), (TID, {}), (TID, {"mid": "1" * 16}), (TID, {"mid": "1", "tmk": "0123"})],
)
def test_a_terminal_that_cannot_be_is_refused(host: Host, tid: str, body: Any) -> None:
    answer = host.http.put(f"/api/v1/terminals/{tid}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation")


def test_the_root_pages(host: Host) -> None:
    assert host.http.get("/healthz").json() == {"status": "ok"}
    assert host.http.get("/version").json()["name"] == "closeout"
    assert host.http.get("/openapi.json").status_code == 200
    ready = host.http.get("/readyz")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["no listener is open"])
    metrics = host.http.get("/metrics").text
    assert "closeout_connections 0.0" in metrics
    assert "closeout_frames_in_total" in metrics


def test_the_docs_load_nothing_from_elsewhere(host: Host) -> None:
    page = host.http.get("/docs").text
    assert "swagger" in page.lower()
    assert "https://" not in page.replace("https://spec.openapis.org", "")


def test_shutdown_asks_the_process_to_end(host: Host) -> None:
    assert host.http.post("/api/v1/shutdown").status_code == 202
    assert host.stopped == [True]
