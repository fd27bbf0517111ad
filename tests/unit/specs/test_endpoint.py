"""The listener URL of interface.md, section 2: what it means, and what a wrong one is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from specs import codec
from specs.endpoint import EndpointError, Tls, parse
from specs.errors import DecodeError, DialectError
from specs.framing import FrameReader, frame
from specs.message import Message


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


def test_tls_is_paths_and_nothing_is_opened() -> None:
    assert parse("nac://127.0.0.1:1").tls is None
    assert parse("nac://127.0.0.1:1?tls=0").tls is None
    server = parse("nac://127.0.0.1:1?tls=1&cert=/no/where/s.pem&key=s.key&client_ca=c.pem&length=bcd2")
    assert server.tls == Tls(cert="/no/where/s.pem", key="s.key", client_ca="c.pem")
    assert server.dialect.frame.length == "bcd2"
    client = parse("nac://127.0.0.1:1?tls=1&ca=a%26b.pem&insecure=1")
    assert client.tls == Tls(ca="a&b.pem", insecure=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("cert=s.pem", "cert needs tls=1"),
        ("tls=0&ca=c.pem", "ca needs tls=1"),
        ("insecure=1", "insecure needs tls=1"),
        ("tls=1&key=s.key", "key needs cert"),
        ("tls=1&cert=", "cert= names no file"),
        ("tls=yes", "'yes'"),
        ("tls=1&certificate=s.pem", "'certificate' is not one of"),
    ],
)
def test_half_a_tls_is_told(options: str, says: str) -> None:
    """Above all: files without tls=1 would be a plain line that looks safe."""
    with pytest.raises(EndpointError) as caught:
        parse(f"nac://127.0.0.1:1?{options}")
    assert says in str(caught.value)


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(DialectError, match="cupp"):
        parse("cupp://127.0.0.1:1")


# --- layouts (iso87.md section 1): DE 3, 11, 52 of an 0800 as bytes, written by hand ---

LAYOUT = Message("0800", {3: "990000", 11: "000123", 35: "62=3", 52: "0123456789ABCDEF", 70: "301"})
HEX_BITS = "A020000020001000" + "0400000000000000"


def cp500(text: str) -> bytes:
    """EBCDIC digits are F0-F9, A-F are C1-C6, `=` is 7E."""
    table = {**{str(n): 0xF0 + n for n in range(10)}, **{"ABCDEF"[n]: 0xC1 + n for n in range(6)}, "=": 0x7E}
    return bytes(table[c] for c in text)


ASCII_BODY = "990000" + "000123" + "0462=3"


@pytest.mark.parametrize(
    ("query", "wire"),
    [
        ("", ("0800" + HEX_BITS + ASCII_BODY + "0123456789ABCDEF" + "301").encode()),
        (
            "bitmap=binary",
            b"0800" + bytes.fromhex(HEX_BITS) + (ASCII_BODY + "0123456789ABCDEF" + "301").encode(),
        ),
        (
            "bitmap=binary&binary=raw",
            b"0800" + bytes.fromhex(HEX_BITS) + ASCII_BODY.encode() + bytes.fromhex("0123456789ABCDEF") + b"301",
        ),
        (
            "binary=raw",
            ("0800" + HEX_BITS + ASCII_BODY).encode() + bytes.fromhex("0123456789ABCDEF") + b"301",
        ),
        ("charset=ebcdic", cp500("0800" + HEX_BITS + ASCII_BODY + "0123456789ABCDEF" + "301")),
        (
            "charset=ebcdic&bitmap=binary&binary=raw",
            cp500("0800")
            + bytes.fromhex(HEX_BITS)
            + cp500(ASCII_BODY)
            + bytes.fromhex("0123456789ABCDEF")
            + cp500("301"),
        ),
        (
            "mti=bcd&numeric=bcd&lengths=bcd&bitmap=binary&binary=raw",
            bytes.fromhex("0800" + HEX_BITS + "990000" + "000123" + "0462D3" + "0123456789ABCDEF" + "0301"),
        ),
        ("mti=bcd", b"\x08\x00" + (HEX_BITS + ASCII_BODY + "0123456789ABCDEF" + "301").encode()),
    ],
)
@pytest.mark.parametrize(
    ("framing", "prefix", "inclusive"),
    [
        ("length=bin2", lambda n: n.to_bytes(2, "big"), 0),
        ("length=bcd2&inclusive=1", lambda n: bytes.fromhex(f"{n:04d}"), 2),
        ("length=ascii4", lambda n: f"{n:04d}".encode(), 0),
        ("length=ascii4&inclusive=1", lambda n: f"{n:04d}".encode(), 4),
    ],
)
def test_the_options_together_are_these_bytes(
    query: str, wire: bytes, framing: str, prefix: Callable[[int], bytes], inclusive: int
) -> None:
    dialect = parse(f"iso87://127.0.0.1:1?{framing}&{query}").dialect
    sent = frame(codec.encode_payload(LAYOUT, dialect), dialect.frame)
    assert sent == prefix(len(wire) + inclusive) + wire
    (payload,) = FrameReader(dialect.frame).feed(sent)
    read = codec.decode_payload(payload, dialect)
    assert {**read.fields, 35: read[35].replace("D", "=")} == dict(LAYOUT.fields)


def test_tpdu_and_header_stand_before_any_layout() -> None:
    dialect = parse("iso87://127.0.0.1:1?tpdu=1&header=6&charset=ebcdic").dialect
    sent = codec.encode_payload(replace(LAYOUT, tpdu="6000030000", header="603100310000"), dialect)
    assert sent[:15] == bytes.fromhex("6000030000" + "603100310000") + cp500("0800")


def test_chip_data_and_text_follow_the_layout() -> None:
    """DE 39 and 55: the length of 55 counts characters in hex, bytes when raw."""
    message = Message("0210", {39: "A0", 55: "9F3303"})
    bits = "0000000002000200"
    ebcdic = codec.encode(message, parse("iso87://:1?charset=ebcdic").dialect)
    assert ebcdic == cp500("0210" + bits + "A0" + "006" + "9F3303")
    raw = codec.encode(message, parse("iso87://:1?binary=raw").dialect)
    assert raw == ("0210" + bits + "A0" + "003").encode() + b"\x9f\x33\x03"


@pytest.mark.parametrize("charset", ["ascii", "ebcdic"])
def test_what_is_broken_is_found_in_any_charset(charset: str) -> None:
    dialect = parse(f"iso87://:1?charset={charset}").dialect
    good = codec.encode(Message("0800", {11: "000123"}), dialect)
    for at, de in ((0, 0), (4, 1), (20, 11)):
        broken = good[:at] + "G".encode(dialect.encodings.codec) + good[at + 1 :]
        with pytest.raises(DecodeError) as caught:
            codec.decode(broken, dialect)
        assert (caught.value.de, caught.value.offset) == (de, at)


def test_the_layout_is_this_listeners_only() -> None:
    parse("iso87://127.0.0.1:1?bitmap=binary&charset=ebcdic")
    encodings = parse("iso87://127.0.0.1:1").dialect.encodings
    assert (encodings.bitmap, encodings.charset) == ("hex", "ascii")


def test_a_users_own_dialect_takes_a_layout_too(tmp_path: Path) -> None:
    (tmp_path / "mybank.toml").write_text('extends = "iso87"\n[fields]\n55 = { encoding = "raw" }\n')
    dialect = parse(f"{tmp_path}/mybank.toml://127.0.0.1:9000?charset=ebcdic").dialect
    assert (dialect.fields[55].encoding, dialect.fields[52].encoding, dialect.encodings.charset) == (
        *("raw", "hex"),
        "ebcdic",
    )


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("bitmap=ascii", "bitmap='ascii' is not one of hex, binary"),
        ("binary=hexx", "binary='hexx' is not one of hex, raw"),
        ("numeric=ebcdic", "numeric='ebcdic' is not one of ascii, bcd"),
        ("lengths=", "lengths='' is not one of ascii, bcd"),
        ("mti=hex", "mti='hex' is not one of ascii, bcd"),
        ("charset=utf8", "charset='utf8' is not one of ascii, ebcdic"),
        ("length=none", "length='none' is not one of bin2, bcd2, ascii4"),
        ("header=4", "header='4' is not one of 0, 6"),
    ],
)
def test_a_wrong_option_is_one_clear_line(option: str, says: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse(f"iso87://127.0.0.1:1?{option}")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
