"""The HTTP API of a running host, as scripts use it (interface.md, sections 3 and 5)."""

from __future__ import annotations

import threading
import time
import zlib
from datetime import datetime
from pathlib import Path

import pytest

from terminal_sim.lab.api import Answer, Api
from terminal_sim.lab.host_process import HostProcess
from tests.support.raw_terminal import RawTerminal, echo, reversal, sale

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def api(shared_host: HostProcess) -> Api:
    return shared_host.api


def _line(host: HostProcess) -> RawTerminal:
    return RawTerminal(host.listening.ports["nac"])


# ---- the root


def test_health_and_readiness(api: Api) -> None:
    assert (api.call("GET", "/healthz").status, api.call("GET", "/healthz").body) == (200, {"status": "ok"})
    ready = api.call("GET", "/readyz")
    assert (ready.status, ready.body) == (200, {"status": "ready", "reasons": []})


def test_version(api: Api) -> None:
    found = api.call("GET", "/version").body
    assert found["name"] == "closeout"
    assert {"version", "python", "sqlite"} <= found.keys()


def test_metrics_count_connections_frames_and_groups(api: Api, shared_host: HostProcess) -> None:
    def read() -> dict[str, float]:
        text = api.call("GET", "/metrics").text
        rows = [row.rsplit(" ", 1) for row in text.splitlines() if row and not row.startswith("#")]
        return {name: float(value) for name, value in rows}

    before = read()
    with _line(shared_host) as line:
        line.exchange(echo("METRICS1", "000001"))
        assert read()["closeout_connections"] >= 1
    after = read()
    assert after["closeout_frames_in_total"] == before["closeout_frames_in_total"] + 1
    assert after["closeout_frames_out_total"] == before["closeout_frames_out_total"] + 1
    assert after["closeout_groups_total"] > before["closeout_groups_total"]


def test_openapi_names_every_path_of_this_version_and_docs_need_no_network(api: Api) -> None:
    paths = api.call("GET", "/openapi.json").body["paths"]
    promised = (
        *("terminals", "terminals/{tid}", "terminals/{tid}/journal", "transactions", "batches", "messages"),
        *("messages/verify", "messages/wait", "unsettled", "findings", "faults", "clock", "clock/advance"),
        *("reset", "shutdown"),
    )
    assert {f"/api/v1/{path}" for path in promised} - paths.keys() == set()
    docs = api.call("GET", "/docs")
    assert docs.status == 200
    assert "cdn" not in docs.text
    assert "https://" not in docs.text


# ---- errors


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "where"),
    [
        ("GET", "/transactions/txn-000000999999", None, 404, "not-found", "path"),
        ("GET", "/batches/none", None, 404, "not-found", "path"),
        ("GET", "/terminals/NOBODY00", None, 404, "not-found", "path"),
        ("GET", "/no-such-path", None, 404, "not-found", ""),
        ("DELETE", "/clock", None, 405, "method-not-allowed", ""),
        ("GET", "/messages?limit=1001", None, 422, "validation", "query/limit"),
        ("GET", "/transactions?amount=-1", None, 422, "validation", "query/amount"),
        ("POST", "/messages/verify", {"match": {"colour": "red"}}, 422, "validation", "body/match/colour"),
        ("POST", "/messages/verify", {}, 422, "validation", "body/match"),
        ("POST", "/faults", {"action": "explode"}, 422, "bad-fault", "/action"),
        ("POST", "/faults", {"action": "drop-reply", "match": {"nth": 0}}, 422, "bad-fault", "/match/nth"),
        ("POST", "/faults", {"action": "answer"}, 422, "bad-fault", "/rc"),
        ("POST", "/issuer/scripts", {"card": "nobody", "commands": ["84240000"]}, 422, "bad-script", "body/card"),
        ("POST", "/issuer/scripts", {"card": "credit1", "commands": ["8424"]}, 422, "bad-script", "body/commands/0"),
        ("POST", "/issuer/scripts", {"card": "credit1", "commands": []}, 422, "validation", "body/commands"),
        ("DELETE", "/issuer/scripts/99", None, 404, "not-found", "path"),
        ("POST", "/clock/advance", {"seconds": -1}, 422, "validation", "body/seconds"),
        ("POST", "/clock/advance", {}, 422, "validation", "body"),
        ("PUT", "/clock", {"now": "tomorrow"}, 422, "validation", "body/now"),
        ("POST", "/reset", {"scope": "terminal"}, 422, "validation", "body/id"),
        ("POST", "/reset", {"scope": "world"}, 422, "validation", "body/scope"),
        ("POST", "/terminals/T0000001/journal", "{}", 422, "bad-journal", "body"),
    ],
)
def test_every_error_has_one_shape(
    api: Api, method: str, path: str, body: object, status: int, code: str, where: str
) -> None:
    answer = api.call(method, f"/api/v1{path}", body)
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.body
    assert (answer.status, found["status"], found["code"], found["where"]) == (status, status, code, where)
    assert found["title"]
    assert found["detail"]


# ---- transactions, terminals


def test_a_sale_as_the_api_shows_it(api: Api, shared_host: HostProcess) -> None:
    with _line(shared_host) as line:
        answer = line.exchange(sale("SHOWN001", "000007", 1234))
    (one,) = api.items("/transactions", tid="SHOWN001")
    expected = {
        "tid": "SHOWN001",
        "dialect": "nac",
        "kind": "sale",
        "state": "captured",
        "settlement": "open",
        "amount": 1234,
        "pan": "411111******1111",
        "stan": "000007",
        "rrn": answer[37],
        "auth_code": answer[38],
        "response_code": "00",
    }
    assert {key: one[key] for key in expected} == expected
    whole = api.get(f"/transactions/{one['id']}")
    assert whole["explanation"]["code"] == "00"
    assert sum(p["amount"] for p in whole["money"] if p["book"] == "acquirer") == 0
    assert [e["event"].split()[0] for e in whole["events"] if e["party"] in ("terminal", "host")] == ["0200", "0210"]
    terminal = api.get("/terminals/SHOWN001")
    assert (terminal["dialect"], terminal["batch_state"], terminal["last_stan"]) == ("nac", "open", "000007")


def test_lists_come_in_pages_without_a_gap(api: Api, shared_host: HostProcess) -> None:
    with _line(shared_host) as line:
        for number in range(1, 6):
            line.exchange(sale("PAGES001", f"{number:06d}", number))
    found, after = [], None
    for _ in range(5):
        page = api.get("/transactions", tid="PAGES001", limit=2, after=after)
        found += [t["stan"] for t in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == ["000001", "000002", "000003", "000004", "000005"]


# ---- messages


def test_verify_counts_and_shows_near_misses(api: Api, shared_host: HostProcess) -> None:
    with _line(shared_host) as line:
        line.exchange(sale("VERIFY01", "000001", 500))
        line.exchange(reversal("VERIFY01", "000001", 500))
    match = {"tid": "VERIFY01", "mti": "0400", "stan": "000001"}
    once = api.ask("POST", "/messages/verify", {"match": match})
    assert (once["ok"], once["matched"], once["expected"]) == (True, 1, 1)
    wrong = api.ask("POST", "/messages/verify", {"match": match | {"stan": "000002"}})
    assert (wrong["ok"], wrong["matched"]) == (False, 0)
    assert [(m["differs_in"], m["got"], m["mti"]) for m in wrong["near_misses"]] == [("stan", "000001", "0400")]
    none = api.ask("POST", "/messages/verify", {"match": {"tid": "VERIFY01", "mti": "0420"}, "count": 0})
    assert none["ok"] is True


def test_wait_returns_when_the_message_comes_and_not_before(api: Api, shared_host: HostProcess) -> None:
    found: list[tuple[float, Answer]] = []
    path = "/api/v1/messages/wait?tid=WAITER01&mti=0210&response_code=00&timeout=20"

    def wait() -> None:
        answer = api.call("GET", path, timeout_s=30)
        found.append((time.monotonic(), answer))

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.3)
    assert found == []
    sent = time.monotonic()
    with _line(shared_host) as line:
        line.exchange(sale("WAITER01", "000001", 500))
    waiter.join(25)
    ((at, answer),) = found
    assert at >= sent
    assert answer.status == 200
    assert [m["stan"] for m in answer.body["items"]] == ["000001"]


def test_wait_that_ends_in_vain_is_408_with_near_misses(api: Api, shared_host: HostProcess) -> None:
    with _line(shared_host) as line:
        line.exchange(sale("WAITER02", "000001", 500))
    answer = api.call("GET", "/api/v1/messages/wait?tid=WAITER02&mti=0410&timeout=0.2")
    assert answer.status == 408
    assert answer.body["ok"] is False
    near = [(m["mti"], m["differs_in"], m["got"]) for m in answer.body["near_misses"] if m["tid"] == "WAITER02"]
    assert near == [("0200", "mti", "0200"), ("0210", "mti", "0210")]


# ---- faults


def test_a_fault_rule_from_birth_to_death(api: Api, shared_host: HostProcess) -> None:
    answer = api.call(
        "POST",
        "/api/v1/faults",
        {
            "action": "answer",
            "rc": "51",
            "phase": "before-commit",
            "match": {"tid": "FAULTY01", "amount": 700},
            "times": 2,
        },
    )
    assert answer.status == 201
    rule = answer.body["id"]
    assert answer.headers["location"] == f"/api/v1/faults/{rule}"
    with _line(shared_host) as line:
        codes = [
            line.exchange(sale("FAULTY01", f"00000{n}", amount))[39]
            for n, amount in enumerate((700, 701, 700, 700), start=1)
        ]
    assert codes == ["51", "00", "51", "00"], "the amount matches, and after two times the rule is spent"
    (shown,) = [f for f in api.whole("/faults") if f["id"] == rule]
    assert (shown["seen"], shown["fired"], shown["at"]) == (3, 2, "wire/H>T")
    assert [t["amount"] for t in api.items("/transactions", tid="FAULTY01")] == [701, 700]
    assert api.call("DELETE", f"/api/v1/faults/{rule}").status == 204
    assert api.call("DELETE", f"/api/v1/faults/{rule}").status == 404


@pytest.mark.parametrize(
    ("action", "phase", "booked"),
    [
        ("drop-request", "before-commit", False),
        ("drop-reply", "before-commit", False),
        ("drop-reply", "after-commit", True),
        ("reset", "before-commit", False),
        ("reset", "after-commit", True),
        ("half-reply", "after-commit", True),
    ],
)
def test_what_each_fault_does_to_the_line_and_to_the_books(
    api: Api, shared_host: HostProcess, action: str, phase: str, booked: bool
) -> None:
    tid = f"F{zlib.crc32((action + phase).encode()) % 10**7:07d}"
    api.fault(action, {"tid": tid}, phase=phase)
    line = RawTerminal(shared_host.listening.ports["nac"], answer_s=1.0).connect()
    try:
        with pytest.raises((TimeoutError, EOFError, ConnectionError)):
            line.exchange(sale(tid, "000001", 900))
    finally:
        line.close()
    api.get("/messages/wait", tid=tid, mti="0200", timeout=5)
    states = [t["state"] for t in api.items("/transactions", tid=tid)]
    assert states == (["captured"] if booked else [])
    with _line(shared_host) as again:
        assert again.exchange(sale(tid, "000002", 900))[39] == "00", "the rule struck once"


def test_delay_is_a_delay(api: Api, shared_host: HostProcess) -> None:
    api.fault("delay", {"tid": "SLOWLY01"}, delay_s=0.5)
    with _line(shared_host) as line:
        begun = time.monotonic()
        assert line.exchange(sale("SLOWLY01", "000001", 900))[39] == "00"
        assert time.monotonic() - begun >= 0.5


# ---- clock, reset, shutdown: each on a host of its own


def test_the_clock_goes_forward_freezes_and_never_goes_back(tmp_path: Path) -> None:
    options = ("--clock", "2026-03-02T23:59:00+08:00")
    with HostProcess(tmp_path, dialects=("nac",), options=options) as host:
        api = host.api

        def now() -> datetime:
            return datetime.fromisoformat(api.get("/clock")["now"])

        start = datetime.fromisoformat("2026-03-02T23:59:00+08:00")
        assert 0 <= (now() - start).total_seconds() < 60
        frozen = api.ask("PUT", "/clock", {"running": False})
        assert frozen["running"] is False
        still = now()
        time.sleep(0.05)
        assert now() == still
        advanced = api.ask("POST", "/clock/advance", {"seconds": 86_400})
        assert (datetime.fromisoformat(advanced["now"]) - still).total_seconds() == 86_400
        until = api.ask("POST", "/clock/advance", {"until": "2026-03-05T12:00:00+08:00"})
        assert datetime.fromisoformat(until["now"]) == datetime.fromisoformat("2026-03-05T12:00:00+08:00")
        for method, path, body in (
            ("PUT", "/clock", {"now": "2026-03-01T00:00:00+08:00"}),
            ("POST", "/clock/advance", {"until": "2026-03-01T00:00:00+08:00"}),
        ):
            back = api.call(method, f"/api/v1{path}", body)
            assert (back.status, back.body["code"]) == (409, "clock")
            assert "never goes back" in back.body["detail"]
        assert now() == datetime.fromisoformat("2026-03-05T12:00:00+08:00")
        with RawTerminal(host.listening.ports["nac"]) as line:
            line.exchange(sale("CLOCK001", "000001", 100))
        (one,) = api.items("/transactions", tid="CLOCK001")
        assert one["business_date"] == api.get("/clock")["business_date"]
        assert datetime.fromisoformat(one["at"]) == now()
        api.ask("PUT", "/clock", {"running": True})
        assert api.get("/clock")["running"] is True


def test_reset_of_a_terminal_and_of_everything(tmp_path: Path) -> None:
    with HostProcess(tmp_path, dialects=("nac",)) as host:
        api = host.api
        with RawTerminal(host.listening.ports["nac"]) as line:
            for tid in ("RESET001", "RESET002"):
                line.exchange(sale(tid, "000001", 100))
            assert line.exchange(sale("RESET001", "000001", 200))[39] == "94", "one STAN, two sales"
            api.fault("delay", {"tid": "X"})
            epoch = {"scope": "terminal", "id": "RESET001", "keep_history": True}
            assert api.call("POST", "/api/v1/reset", epoch).status == 204
            # rules.md 4: a new epoch, as after a re-flash
            assert line.exchange(sale("RESET001", "000001", 200))[39] == "00"
            assert line.exchange(sale("RESET002", "000001", 200))[39] == "94", "nobody else's is reset"
        states = [(b["state"], b["forced"]) for b in api.items("/batches", tid="RESET001")]
        assert states == [("closed-with-exceptions", "terminal reset"), ("open", None)]
        assert api.call("POST", "/api/v1/reset", {"scope": "terminal", "id": "RESET001"}).status == 204
        assert api.items("/batches", tid="RESET001") == api.items("/messages", tid="RESET001") == []
        assert api.items("/transactions", tid="RESET002") != []
        assert api.whole("/findings") == []
        assert len(api.whole("/faults")) == 1
        assert api.call("POST", "/api/v1/reset", {"scope": "all"}).status == 204
        for path in ("/transactions", "/messages", "/batches"):
            assert api.items(path) == []
        assert api.whole("/faults") == []
        assert api.whole("/findings") == []
        assert [t["tid"] for t in api.whole("/terminals")] == ["RESET001", "RESET002"]
        with RawTerminal(host.listening.ports["nac"]) as line:
            assert line.exchange(sale("RESET001", "000001", 999))[39] == "00", "the STAN is free again"
        assert api.whole("/findings") == []


def test_shutdown_by_api_ends_with_0(tmp_path: Path) -> None:
    host = HostProcess(tmp_path, dialects=("nac",))
    try:
        host.start()
        assert host.api.call("POST", "/api/v1/shutdown").status == 202
        assert host.wait() == 0
        assert not (tmp_path / "ready.json").exists()
    finally:
        host.stop()
