"""Charged but not settled, by hand: a lost reply, what the host says of it, and how the terminal puts it right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from terminal_sim.lab.host_process import HostProcess
from tests.e2e.conftest import HostCommand, MakeTill

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("dialect", ["cup", "nac"])
def test_a_lost_reply_is_named_as_unsettled_and_the_next_sale_reverses_it(
    tmp_path: Path, make_till: MakeTill, acquirer_host: HostCommand, dialect: str
) -> None:
    with HostProcess(tmp_path / "host", dialects=(dialect,)) as host:
        api = ("--api", host.api.base)
        till = make_till(host, dialect, "LOST0001")
        if dialect == "cup":
            assert till.run("signon").code == 0
        nothing = acquirer_host("unsettled", *api)
        assert (nothing.returncode, nothing.stdout) == (0, "nothing is charged and unsettled\n")

        rule = host.api.fault("drop-reply", {"tid": till.tid, "kind": "sale"}, phase="after-commit")
        lost = till.sale(26800)
        assert (lost.code, lost.json["outcome"]) == (3, "unknown")
        assert "query" in lost.err.lower()
        stan = lost.json["stan"]
        fault = next(f for f in host.api.whole("/faults") if f["id"] == rule)
        assert (fault["action"], fault["at"], fault["fired"]) == ("drop", "wire/H>T", 1)

        named = acquirer_host("unsettled", *api)
        assert named.returncode == 1
        (line,) = [row for row in named.stdout.splitlines() if stan in row.split()]
        assert till.tid in line
        assert "26800" in line
        assert "answer written but dropped" in line
        assert "drop-reply" in line
        (item,) = json.loads(acquirer_host("unsettled", "--json", *api).stdout)
        assert (item["stan"], item["doubtful"], item["state"]) == (stan, True, "captured")

        query = till.run("query", "--json")
        assert query.json["stan"] == stan
        assert query.json["transaction"]["state"] == "captured"
        assert [m["mti"] for m in host.api.items("/messages", tid=till.tid, stan=stan)] == ["0200", "0210"]

        again = till.sale(26800)
        assert (again.code, again.json["outcome"]) == (0, "approved")
        incoming = [
            m for m in host.api.items("/messages", tid=till.tid) if m["direction"] == "in" and m["mti"] != "0800"
        ]
        assert [(m["mti"], m["stan"]) for m in incoming] == [
            ("0200", stan),
            ("0400", stan),
            ("0200", again.json["stan"]),
        ]

        left = acquirer_host("unsettled", "--json", *api)
        assert left.returncode == 1
        (waiting,) = json.loads(left.stdout)
        assert (waiting["stan"], waiting["doubtful"]) == (again.json["stan"], False)
        (sale,) = host.api.items("/transactions", tid=till.tid, stan=stan)
        assert (sale["state"], sale["settlement"]) == ("reversed", "none")

        assert till.settle().code == 0
        assert acquirer_host("unsettled", *api).returncode == 0
        traced = acquirer_host("trace", f"{till.tid}:{stan}", *api)
        assert traced.returncode == 0
        assert "reversed" in traced.stdout
        assert "dropped" in traced.stdout


def test_the_same_list_is_read_from_the_store_when_no_host_runs(
    tmp_path: Path, make_till: MakeTill, acquirer_host: HostCommand
) -> None:
    with HostProcess(tmp_path / "host", dialects=("nac",)) as host:
        till = make_till(host, "nac", "LOST0002")
        assert till.sale(1500).code == 0
        running = acquirer_host("unsettled", "--json", "--api", host.api.base)
        assert host.terminate() == 0
        stopped = acquirer_host("unsettled", "--json", "--store", host.store)
    assert stopped.returncode == running.returncode == 1
    assert json.loads(stopped.stdout) == json.loads(running.stdout)
    assert "read-only" in stopped.stderr
