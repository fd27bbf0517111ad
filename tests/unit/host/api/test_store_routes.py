"""What the API says of the store: alarms, trouble while it lasts and after, and messages that were pruned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from host.errors import StoreUnavailable
from host.rows import Alarm, Batch, BatchState, MessageRow
from tests.unit.host.api.test_api import Host


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.store.close()


def close_batches(host: Host) -> None:
    batches = host.store.reader().select(Batch)
    host.store.commit([replace(b, state=BatchState.CLOSED, closed_at="2026-03-02T10:00:00+00:00") for b in batches])


def fill(host: Host, row: MessageRow | Alarm) -> None:
    """As many of them as there is room for."""
    for row_id in range(host.store.newest(type(row)) + 1_000, 100_000):
        try:
            host.store.commit([replace(row, id=row_id)])
        except StoreUnavailable:
            return


def test_a_full_disk_is_96_and_not_ready_and_an_alarm_once_there_is_room(host: Host) -> None:
    """SQLite's own word for it: no page may be added."""
    driver = host.store._driver
    host.send()
    sold = len(host.get("/transactions")["items"])
    driver.query("PRAGMA max_page_count = 1")  # it takes the size that there is
    log = host.store.reader().select(MessageRow)[0]
    alarm = Alarm(1, "2026-03-02T09:00:00+00:00", "", "filler", "", 0, 0)
    for size in (3_000, 300, 1):
        fill(host, replace(log, txn_id=0, fields="x" * size))
        fill(host, replace(alarm, text="x" * size))
    host.send()
    ready = host.http.get("/readyz")
    assert (ready.status_code, "full" in ready.text) == (503, True), ready.text
    assert len(host.get("/transactions")["items"]) == sold
    host.runner.tick()  # it tries by itself, in vain
    host.runner.run_until_quiet()
    assert "full" in host.http.get("/readyz").text
    driver.query("PRAGMA max_page_count = 1073741823")
    host.runner.tick()
    host.runner.run_until_quiet()
    assert "the store" not in host.http.get("/readyz").text
    (alarm,) = [a for a in host.get("/alarms")["items"] if a["code"] == "store-trouble"]
    assert alarm["tid"] == ""
    assert alarm["text"].startswith("the store refused 2 commits from 2026-03-02T09:00:00")


def test_alarms_come_newest_first_and_by_terminal(host: Host) -> None:
    rows = [Alarm(n, "2026-03-02T09:00:00+00:00", tid, "test", f"number {n}", 0, 0) for n, tid in ((1, "A"), (2, "B"))]
    host.store.commit(rows)
    assert [a["id"] for a in host.get("/alarms")["items"]] == ["alm-000000000002", "alm-000000000001"]
    assert [a["text"] for a in host.get("/alarms", tid="A")["items"]] == ["number 1"]
    page = host.get("/alarms", limit=1)
    assert [a["id"] for a in host.get("/alarms", limit=1, after=page["next"])["items"]] == ["alm-000000000001"]


def test_messages_of_an_open_batch_are_not_pruned(host: Host) -> None:
    host.send()
    answer = host.http.post("/api/v1/messages/prune", json={"rows": 1})
    assert (answer.status_code, answer.json()) == (200, {"gone": 0})
    close_batches(host)
    assert host.http.post("/api/v1/messages/prune", json={"rows": 1}).json() == {"gone": 1}
    assert [m.direction for m in host.store.reader().select(MessageRow)] == ["out"]


def test_what_reads_the_log_says_that_it_is_not_whole(host: Host) -> None:
    host.send()
    shown = host.get("/transactions")["items"][0]["id"]
    assert host.get(f"/transactions/{shown}")["messages_pruned_until"] == ""
    close_batches(host)
    host.http.post("/api/v1/messages/prune", json={"rows": 1})
    until = "2026-03-02T09:00:00.000+00:00"
    for path in (f"/transactions/{shown}", "/unsettled", "/findings"):
        assert host.get(path)["messages_pruned_until"] == until
    (item,) = host.get("/unsettled")["items"]
    assert item["why"].startswith("captured") or "batch" in item["why"]


@pytest.mark.parametrize("body", [{}, {"rows": 0}, {"days": -1}, {"days": 99_999_999}, {"rows": 1, "what": 2}])
def test_prune_wants_to_know_what_to_keep(host: Host, body: dict[str, int]) -> None:
    assert host.http.post("/api/v1/messages/prune", json=body).status_code == 422
