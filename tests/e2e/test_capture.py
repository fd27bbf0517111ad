"""Show 7: Wireshark reads what `serve --capture` writes, and the fault rules of the command line beside it.

One host, a day over ISO 87 ASCII and a day over CUP. The judge is tshark: its own TCP analysis, its own ISO 8583.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from host.cli import app
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Ran, Till

pytestmark = pytest.mark.e2e
TSHARK = shutil.which("tshark") or ""
needs_tshark = pytest.mark.skipif(
    not TSHARK and not os.environ.get("CI"), reason="tshark is not installed (Debian: tshark)"
)
ISO_PREFERENCES = (
    "iso8583.len_endian:Big endian",
    "iso8583.charset:Digits represented as ASCII Characters",
    "iso8583.binencode:Bin data represented as Hex Ascii characters",
)
CHECKSUMS = ("tcp.check_checksum:TRUE", "ip.check_checksum:TRUE")
WIRESHARK_LOST_ITS_WAY = 86
"""Its table has DE 86 to 89 as n15 where the standard has n16, so from DE 86 on it reads a digit too little."""
PAN = "6223164991230014"  # credit1
CODES = [0, 0, 0, 3, 0, 0, 0, 0]
"""The fourth sale meets a reset in place of its answer, by its amount, and is reversed before the next."""
DAY: tuple[tuple[object, ...], ...] = (
    ("signon",),
    ("sale", 26800),
    ("sale", 1250, "--card", "foreign1", "--entry", "manual"),
    ("sale", 1_001_04),
    ("preauth", 5000),
    ("sale", 800, "--entry", "chip"),
    ("void", "--stan", "2"),
    ("settle",),
)


class Days:
    """The two days, played once."""

    def __init__(self, folder: Path, spawner: Spawner | None) -> None:
        self.file = folder / "x.pcapng"
        self.ran: dict[str, list[Ran]] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        with HostProcess(folder / "host", dialects=("iso87", "cup"), options=("--capture", str(self.file))) as host:
            self.ports = dict(host.listening.ports)
            self.api = host.api.base
            for dialect in ("iso87", "cup"):
                till = Till(folder / dialect, f"CAP{dialect:0>5}", spawner=spawner)
                till.install(host.url(dialect), host.api.base)
                self.ran[dialect] = [till.run(str(action), *more) for action, *more in DAY]
                self.messages[dialect] = host.api.items("/messages", tid=till.tid)
                self.messages[dialect] = [m for m in self.messages[dialect] if m["fate"] != "reset"]
            self.metrics = host.api.call("GET", "/metrics").text
        self.log = host.log.read_text("utf-8")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, spawner: Spawner | None) -> Days:
    return Days(tmp_path_factory.mktemp("days"), spawner)


def tshark(*arguments: str) -> str:
    ended = subprocess.run(
        [TSHARK, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def preferences(names: tuple[str, ...]) -> list[str]:
    return [part for name in names for part in ("-o", name)]


def test_both_days_went_as_they_should(days: Days) -> None:
    for dialect, ran in days.ran.items():
        assert [r.code for r in ran] == CODES, (dialect, [str(r) for r in ran if r.code])
        assert "0400" in {m["mti"] for m in days.messages["cup"]}
        assert "0420" in {m["mti"] for m in days.messages["iso87"]}
    assert "closeout_capture_running 1.0" in days.metrics
    assert "capture    " in days.log


@needs_tshark
def test_tshark_decodes_the_ascii_day_as_the_host_did(days: Days) -> None:
    """Every frame, by MTI and data element, as GET /messages has it; what is masked there is zeros here."""
    out = tshark(
        *("-r", str(days.file), "-d", f"tcp.port=={days.ports['iso87']},iso8583", *preferences(ISO_PREFERENCES)),
        *("-Y", "iso8583", "-T", "json", "--no-duplicate-keys"),
    )
    decoded = [packet["_source"]["layers"]["iso8583"] for packet in json.loads(out)]
    logged = days.messages["iso87"]
    assert len(decoded) == len(logged) == 2 * (len(DAY) + 1) - 1, "a reversal more, an answer less"
    for seen, message in zip(decoded, logged, strict=True):
        assert seen["iso8583.mti"] == message["mti"]
        fields = {f"iso8583.bit{de}": shown for de, shown in message["fields"].items()}
        assert {key for key in seen if ".bit" in key} == set(fields)
        for de, shown in message["fields"].items():
            if int(de) >= WIRESHARK_LOST_ITS_WAY and message["mti"][:2] == "05":
                continue
            # It shows a separator of tracks, and nothing else, in a letter of its own case.
            assert seen[f"iso8583.bit{de}"].upper() == shown.replace("*", "0").upper(), (message["mti"], de)


@needs_tshark
def test_tshark_finds_nothing_malformed_and_no_byte_missing(days: Days) -> None:
    """Right checksums, no retransmission, no lost segment, no malformed frame: only what it says of any connection."""
    out = tshark(
        *("-r", str(days.file), "-d", f"tcp.port=={days.ports['iso87']},iso8583"),
        *preferences(ISO_PREFERENCES + CHECKSUMS),
        *("-Y", "_ws.malformed or tcp.analysis.flags or _ws.expert.severity >= Error", "-T", "fields"),
        *("-e", "frame.number", "-e", "_ws.expert.message"),
    )
    assert out == ""


@needs_tshark
def test_the_pcapng_of_the_cup_day_opens(days: Days) -> None:
    """All of it is TCP with good checksums, and as many frames as the host logged."""
    out = tshark(
        *("-r", str(days.file), *preferences(CHECKSUMS), "-Y", f"tcp.port=={days.ports['cup']}"),
        *("-T", "fields", "-e", "tcp.checksum.status", "-e", "ip.checksum.status", "-e", "tcp.len"),
    )
    rows = [line.split("\t") for line in out.splitlines()]
    assert {tuple(row[:2]) for row in rows} == {("1", "1")}
    assert sum(int(row[2]) > 0 for row in rows) == len(days.messages["cup"])


def test_no_card_number_is_in_the_file(days: Days) -> None:
    raw = days.file.read_bytes()
    assert PAN[:6].encode() in raw, "it is there but for its middle"
    for form in (PAN.encode(), bytes.fromhex(PAN), PAN.encode().hex().encode(), b"4111111111111111"):
        assert form not in raw
    assert bytes.fromhex("4111111111111111") not in raw


# ---- faults on the command line


def acquirer_host(*words: object) -> Result:
    """One call of the command line, in this process."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_faults_on_the_command_line(shared_host: HostProcess) -> None:
    def faults(*words: object) -> Result:
        return acquirer_host("faults", *words, "--api", shared_host.api.base)

    added = faults("add", "corrupt", "--tid", "NOBODY00", "--byte", 2, "--times", 0, "--probability", 0.5, "--seed", 7)
    assert added.exit_code == 0, added.stderr
    rule = added.stdout.strip()
    listed = json.loads(faults("list", "--json").stdout)
    assert [(f["id"], f["name"], f["byte"], f["match"], f["seed"]) for f in listed] == [
        (rule, "corrupt", 2, {"tid": "NOBODY00"}, 7)
    ]
    assert "corrupt after-commit, byte 2, probability 0.5 seed 7  on tid=NOBODY00" in faults("list").stdout
    point = ("--at", "wire/H>NOBODY00/0210#2", "--set", "n=2", "--set", "gap=0.5")
    assert faults("add", "dup", *point).exit_code == 0
    assert "dup after-commit, n 2, gap 0.5, at wire/H>NOBODY00/0210#2  on nth=2 tid=NOBODY00" in faults("list").stdout
    refused = faults("add", "delay", "--delay", -1)
    assert (refused.exit_code, refused.stderr.splitlines()) == (
        2,
        ["acquirer-host: --delay: expected a number from 0 to 3600"],
    )
    assert faults("rm", 999).exit_code == 2
    assert faults("rm", rule).exit_code == 0
    assert faults("clear").exit_code == 0
    assert faults("list").stdout.startswith("no faults")


def test_faults_need_a_host() -> None:
    ended = acquirer_host("faults", "add", "reset", "--api", "127.0.0.1:9")
    assert ended.exit_code == 4
    assert ended.stderr.startswith("acquirer-host: no host answers at http://127.0.0.1:9")
