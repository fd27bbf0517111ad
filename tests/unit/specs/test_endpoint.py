"""The listener URL of interface.md, section 2: what it means, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.endpoint import EndpointError, parse
from specs.errors import DialectError


@pytest.mark.parametrize(
    ("url", "dialect", "address", "port"),
    [
        ("cup://127.0.0.1:8583", "cup", "127.0.0.1", 8583),
        ("nac://0.0.0.0:0", "nac", "0.0.0.0", 0),
        ("nac://10.0.0.7", "nac", "10.0.0.7", 8584),
        ("cup://", "cup", "127.0.0.1", 8583),
        ("cup://[::1]:9000/", "cup", "::1", 9000),
        ("iso87-ascii4://localhost:65535", "iso87-ascii4", "localhost", 65535),
    ],
)
def test_where_and_what(url: str, dialect: str, address: str, port: int) -> None:
    found = parse(url)
    assert (found.dialect.name, found.address, found.port, found.strict) == (dialect, address, port, False)


def test_the_options_change_this_listeners_frame_only() -> None:
    found = parse("nac://127.0.0.1:1?length=bcd2&inclusive=1&tpdu=0&strict=1")
    frame = found.dialect.frame
    assert (frame.length, frame.inclusive, frame.tpdu, found.strict) == ("bcd2", True, False, True)
    assert parse("nac://127.0.0.1:1").dialect.frame.length == "bin2"
    assert parse("cup://127.0.0.1:1?header=0").dialect.frame.header == 0


def test_a_dialect_of_the_users_own_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mybank.toml").write_text('extends = "nac"\ntitle = "My bank"\n[frame]\nlength = "bcd2"\n')
    found = parse(f"{tmp_path}/mybank.toml://127.0.0.1:9000")
    assert (found.dialect.family, found.dialect.frame.length, found.port) == ("nac", "bcd2", 9000)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:8583", "expected DIALECT://ADDR:PORT"),
        ("://127.0.0.1:8583", "expected DIALECT://ADDR:PORT"),
        ("cup://127.0.0.1:65536", "65536"),
        ("cup://127.0.0.1:-1", "'-1'"),
        ("cup://127.0.0.1:x", "'x'"),
        ("as2805://127.0.0.1", "port ''"),
        ("cup://127.0.0.1:1?lenght=bcd2", "'lenght'"),
        ("cup://127.0.0.1:1?length=bcd3", "'bcd3'"),
        ("cup://127.0.0.1:1?header=5", "'5'"),
        ("cup://127.0.0.1:1?strict=yes", "'yes'"),
    ],
)
def test_a_wrong_url_is_told_which_part(url: str, says: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse(url)
    assert says in str(caught.value)


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(DialectError, match="cupp"):
        parse("cupp://127.0.0.1:1")
