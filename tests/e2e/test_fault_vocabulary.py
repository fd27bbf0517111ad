"""The words of the catalogue on real processes: a host that dies at its commit, faults on the terminal's own line."""

from __future__ import annotations

from pathlib import Path

import pytest

from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.till import Till
from tests.e2e.conftest import HostCommand

pytestmark = pytest.mark.e2e
KILLED = 137


def till_of(host: HostProcess, folder: Path, tid: str) -> Till:
    """A terminal whose every call is a process of its own, so that it sees our environment."""
    return Till(folder / tid, tid).install(host.url("nac"), host.api.base)


@pytest.mark.parametrize(("phase", "state"), [("before-commit", "declined"), ("after-commit", "reversed")])
def test_a_crash_at_the_commit_costs_nobody_anything(
    tmp_path: Path, acquirer_host: HostCommand, phase: str, state: str
) -> None:
    """Cases 17 and 18. Before the commit: the restart undoes the issuer's leg, the reversal finds nothing approved."""
    with HostProcess(tmp_path / "host", dialects=("nac",)) as host:
        till = till_of(host, tmp_path, "CRASH001")
        host.api.fault("crash", {"tid": till.tid, "kind": "sale"}, phase=phase)
        lost = till.sale(26800)
        assert (lost.code, lost.json["outcome"]) == (3, "unknown")
        assert host.wait() == KILLED
        host.start()
        assert till.sale(100).json["outcome"] == "approved"
        states = {t["amount"]: t["state"] for t in host.api.items("/transactions", tid=till.tid)}
        assert (states[26800], states[100]) == (state, "captured")
        audit = acquirer_host("audit", "--api", host.api.base)
        assert audit.returncode == 0, audit.stdout


def test_faults_on_the_terminal_s_own_line(
    tmp_path: Path, acquirer_host: HostCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 1 and case 9 without any help of the host."""
    plan = tmp_path / "faults.toml"
    with HostProcess(tmp_path / "host", dialects=("nac",)) as host:
        till = till_of(host, tmp_path, "LINE0001")
        monkeypatch.setenv("CLOSEOUT_FAULTS", str(plan))
        plan.write_text('faults = [{at="wire/H>T/0210", action="drop"}]', "utf-8")
        lost = till.sale(26800)
        assert (lost.code, lost.json["outcome"]) == (3, "unknown")
        plan.write_text('faults = [{at="wire/T>H/0200", action="dup"}, {at="wire/H>T/0410", action="drip", rate=200}]')
        twice = till.sale(500)
        assert twice.json["outcome"] == "approved", twice
        assert "never struck" not in twice.err
        plan.write_text('faults = [{at="conn/T", action="refuse", times=0}]', "utf-8")
        refused = till.sale(700)
        assert (refused.code, refused.json["outcome"]) == (4, "not-sent")
        monkeypatch.delenv("CLOSEOUT_FAULTS")
        states = {t["amount"]: t["state"] for t in host.api.items("/transactions", tid=till.tid)}
        assert states == {26800: "reversed", 500: "captured"}
        assert len(host.api.items("/messages", tid=till.tid, mti="0200")) == 3
        assert till.settle().code == 0
        assert acquirer_host("audit", "--api", host.api.base).returncode == 0
