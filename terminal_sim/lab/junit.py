"""The verdicts as JUnit XML, which every CI reads: a test case a run, with its mismatches and schedule if it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from xml.etree import ElementTree as ET

from terminal_sim.lab.played import Played, schedule

SUITE = "terminal-sim run"
CLASS = "scenarios"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def prepare(path: Path) -> None:
    """Whether it can be written, with its folder made; a file that is there is left as it is. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        with path.open("ab"):
            return
    with TemporaryFile(dir=path.parent):
        pass


def write(path: Path, runs: Sequence[Played], stopped: str = "") -> None:
    """stopped: why these are not all, "" = they are. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document(runs, stopped))


def document(runs: Sequence[Played], stopped: str = "") -> bytes:
    """The file."""
    figures = {
        "name": SUITE,
        "tests": str(len(runs)),
        "failures": str(sum(one.run is not None and not one.good for one in runs)),
        "errors": str(sum(bool(one.broken) for one in runs)),
        "skipped": str(sum(bool(one.unplayed) for one in runs)),
        "time": f"{sum(one.seconds for one in runs):.3f}",
    }
    suites = ET.Element("testsuites", figures)
    suite = ET.SubElement(suites, "testsuite", figures)
    if stopped:
        ET.SubElement(ET.SubElement(suite, "properties"), "property", {"name": "stopped", "value": stopped})
    for one in runs:
        _case(suite, one)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ET.Element, one: Played) -> None:
    case = ET.SubElement(
        suite, "testcase", {"classname": CLASS, "name": _clean(one.name), "time": f"{one.seconds:.3f}"}
    )
    properties = ET.SubElement(case, "properties")
    for name, value in _properties(one):
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    if one.broken:
        short = one.broken.partition("\n")[0]
        ET.SubElement(case, "error", {"message": _clean(short), "type": "broken"}).text = _clean(one.broken)
    elif one.unplayed:
        ET.SubElement(case, "skipped", {"message": _clean(one.unplayed)})
    elif one.run is not None and not one.good:
        lines = [*one.run.mismatches, "", *schedule(one.run.faults)]
        message = "; ".join(one.run.mismatches)
        ET.SubElement(case, "failure", {"message": _clean(message), "type": "mismatch"}).text = _clean(
            "\n".join(lines).rstrip()
        )


def _properties(one: Played) -> list[tuple[str, str]]:
    scenario, run = one.scenario, one.run
    told = [
        ("case", str(scenario.case) if scenario.case else ""),
        ("title", scenario.title),
        ("notice", scenario.notice),
        ("file", scenario.source),
        ("variant", one.variant),
        ("seed", str(scenario.world.seed)),
    ]
    if run is not None:
        told += [
            ("classes", ", ".join(run.classes)),
            ("findings", ", ".join(sorted({finding.invariant for finding in run.findings}))),
            ("messages", str(run.messages)),
            ("trace_hash", run.trace_hash),
        ]
        told += [("fault", line) for line in schedule(run.faults)]
    return [(name, value) for name, value in told if value]


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
