"""`acquirer-host dialects import`: what goes where, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from host.cli import app
from specs.dialect import load

SAMPLES = Path(__file__).parents[3] / "support" / "samples"
RUNNER = CliRunner()

GOOD = (
    '<isopackager><isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>'
    '<isofield id="1" length="16" name="BITMAP" class="org.jpos.iso.IFA_BITMAP"/>'
    '<isofield id="11" length="6" name="STAN" class="org.jpos.iso.IFA_NUMERIC"/></isopackager>'
)


def imported(*arguments: str | Path) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, ["dialects", "import", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_file_goes_to_stdout_and_what_is_lost_to_stderr() -> None:
    code, out, err = imported(SAMPLES / "edc-packager.xml")
    assert code == 1
    assert 'extends = "nac"' in out
    assert [line.split(": ")[1] for line in err.splitlines()] == ["DE 28", "DE 48", "DE 59", "DE 61"]


def test_a_written_file_can_be_served(tmp_path: Path) -> None:
    output = tmp_path / "switch.toml"
    code, out, err = imported(SAMPLES / "switch-spec.json", "--output", output, "--name", "switch")
    assert (code, out, len(err.splitlines())) == (1, "", 4)
    dialect = load(str(output))
    assert (dialect.name, dialect.family, dialect.title) == ("switch", "iso87", "Switch, ASCII")
    checked = RUNNER.invoke(app, ["dialects", "check", str(output)])
    assert checked.exit_code == 0, checked.stderr


def test_all_mapped_is_0_and_the_file_gives_the_name(tmp_path: Path) -> None:
    file = tmp_path / "My Switch (v2).xml"
    file.write_text(GOOD, "utf-8")
    code, out, err = imported(file)
    assert (code, err) == (0, "")
    assert 'name = "my-switch-v2"' in out


def test_a_name_in_another_encoding_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "latin.xml"
    file.write_bytes(GOOD.replace("STAN", "NUMÉRO").encode("latin-1"))
    assert imported(file)[0] == 0


def test_the_base_can_be_named(tmp_path: Path) -> None:
    code, out, _ = imported(SAMPLES / "edc-packager.xml", "--extends", "cup")
    assert (code, 'extends = "cup"' in out) == (1, True)
    code, _, err = imported(SAMPLES / "edc-packager.xml", "--extends", "ncr")
    assert code == 2
    assert "ncr" in err


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "mine.toml"
    output.write_text("edited by hand", "utf-8")
    code, _, err = imported(SAMPLES / "edc-packager.xml", "--output", output)
    assert code == 2
    assert "mine.toml" in err
    assert output.read_text("utf-8") == "edited by hand"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "neither XML nor JSON"),
        (b"\x00\xff\xfe", "neither XML nor JSON"),
        (b'<!DOCTYPE isopackager [<!ENTITY x "y">]><isopackager/>', "DTD"),
        (b" " * 1_048_577, "larger than"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_2_with_one_line(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "broken.xml"
    if content is not None:
        file.write_bytes(content)
    code, out, err = imported(file)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert why in err
    assert "broken.xml" in err
