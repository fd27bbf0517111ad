"""The codec at its edges: what breaks a message, at which byte, and that no error shows card data.

Offsets are counted by hand from the MTI's first byte; the messages are written out below.
"""

from __future__ import annotations

import pytest

from specs import codec
from specs.dialect import load, with_options
from specs.display import show_fields
from specs.errors import DecodeError, EncodeError
from specs.message import Message
from specs.quick import QuickCodec

PAN = "6223164991230014"  # a published UnionPay test card (cup.md section 7)


def ascii_hex(text: str) -> str:
    return text.encode("latin-1").hex()


# name, dialect, body in hex, de, offset of the first wrong byte
BROKEN = [
    ("nothing at all", "cup", "", 0, 0),
    ("half an MTI", "cup", "02", 0, 0),
    ("MTI is not BCD", "cup", "08A0" + "0020000000000000" + "000001", 0, 0),
    ("MTI is not digits", "iso87", ascii_hex("08x0" + "0020000000000000" + "000001"), 0, 0),
    ("half a bitmap", "cup", "0800" + "00200000", 1, 2),
    ("bit 1 set in CUP", "cup", "0800" + "8020000000000000" + "0000000000000000" + "000001", 1, 2),
    ("second bitmap cut off", "nac", "0800" + "8020000000000000" + "00000000", 1, 10),
    ("bitmap is not hex", "iso87", ascii_hex("0800" + "002000000000G000" + "000001"), 1, 16),
    ("blank in a hex bitmap", "iso87", ascii_hex("0800" + "00200000000000 0" + "000001"), 1, 18),
    ("element that CUP lacks", "cup", "0200" + "0020010000000000" + "000001" + "0003", 24, 13),
    ("bit 65 is no element", "nac", "0800" + "8000000000000000" + "8000000000000000" + "00", 65, 18),
    ("letter in a BCD number", "cup", "0800" + "0020000000000000" + "00A123", 11, 11),
    ("letter in an ASCII number", "iso87", ascii_hex("0800" + "0020000000000000" + "00A123"), 11, 22),
    ("letter in a BCD length", "cup", "0200" + "4000000000000000" + "1A" + PAN, 2, 10),
    ("sign in an ASCII length", "iso87", ascii_hex("0200" + "4000000000000000" + "+6" + "123456"), 2, 20),
    ("blank in an ASCII length", "iso87", ascii_hex("0200" + "4000000000000000" + " 6" + "123456"), 2, 20),
    ("length above the maximum", "cup", "0200" + "4000000000000000" + "20" + "0" * 20, 2, 10),
    ("LLL above the maximum", "nac", "0200" + "0000000000000200" + "1000" + "00" * 1000, 55, 10),
    ("length cut off", "cup", "0800" + "0000000000000010" + "00", 60, 10),
    ("value cut off", "cup", "0800" + "0000000000800000" + ascii_hex("123456"), 41, 10),
    ("value behind a length cut off", "cup", "0200" + "4000000000000000" + "16" + PAN[:14], 2, 11),
    ("bytes behind the end", "cup", "0800" + "0020000000000000" + "000001" + "FF", 11, 13),
    ("CUP DE 22 right-justified", "cup", "0200" + "0000040000000000" + "0022", 22, 11),
    ("NAC DE 22 left-justified", "nac", "0200" + "0000040000000000" + "2210", 22, 10),
    ("no sign in an x+n amount", "iso87", ascii_hex("0200" + "0000001000000000" + "X00000100"), 28, 20),
    ("letter in an x+n amount", "iso87", ascii_hex("0200" + "0000001000000000" + "D0000A100"), 28, 25),
    ("PIN block that is not hex", "iso87", ascii_hex("0200" + "0000000000001000" + "00000000000G0000"), 52, 31),
    ("track with a letter", "iso87", ascii_hex("0200" + "0000000020000000" + "04" + "62G3"), 35, 24),
]
each_broken = pytest.mark.parametrize(
    ("dialect", "body", "de", "offset"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN]
)


@each_broken
def test_the_error_names_element_and_byte(dialect: str, body: str, de: int, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(bytes.fromhex(body), load(dialect))
    assert (caught.value.de, caught.value.offset) == (de, offset)
    assert caught.value.expected
    assert caught.value.got


@each_broken
def test_inspect_notes_the_same_and_never_raises(dialect: str, body: str, de: int, offset: int) -> None:
    seen = codec.inspect(bytes.fromhex(body), load(dialect))
    assert (seen.notes[0].de, seen.notes[0].offset) == (de, offset)
    assert seen.notes[0].message


@each_broken
def test_the_quick_road_takes_none_of_them(dialect: str, body: str, de: int, offset: int) -> None:
    assert QuickCodec(load(dialect), patience=1).decode(bytes.fromhex(body)) is None


def test_inspect_reads_on_behind_what_it_can_step_over() -> None:
    body = bytes.fromhex("0800" + "0020000000800000" + "00A123" + ascii_hex("12345678") + "FFFF")
    seen = codec.inspect(body, load("cup"))
    assert seen.message is not None
    assert dict(seen.message.fields) == {11: "00A123", 41: "12345678"}
    assert [(n.de, n.offset) for n in seen.notes] == [(11, 11), (41, 21)]
    assert (seen.complete, seen.read_to, seen.bitmap) == (True, 21, "0020000000800000")


def test_inspect_keeps_what_stands_before_an_unknown_element() -> None:
    seen = codec.inspect(bytes.fromhex("0200" + "0020010000800000" + "000001" + "0003" + "00" * 8), load("cup"))
    assert seen.message is not None
    assert dict(seen.message.fields) == {11: "000001"}
    assert (seen.complete, seen.read_to) == (False, 13)
    assert codec.inspect(b"\x02", load("cup")).message is None


@pytest.mark.parametrize("name", ["cup", "nac", "iso87", "iso87-binary"])
def test_no_error_shows_a_card_number(name: str) -> None:
    """Every way to cut or damage a message with a card in it; neither error nor note may show six digits of it."""
    dialect = load(name)
    body = codec.encode(Message("0200", {2: PAN, 3: "000000", 35: PAN + "D3012201", 52: "1122334455667788"}), dialect)
    damaged = [body[:end] for end in range(len(body))]
    damaged += [body[:i] + b"\xaf" + body[i + 1 :] for i in range(len(body))]
    damaged += [body + b"\x00"]
    for raw in damaged:
        notes = codec.inspect(raw, dialect).notes
        try:
            codec.decode(raw, dialect)
        except DecodeError as error:
            assert notes
            texts = [str(error), repr(error), *map(repr, notes)]
            assert not [t for t in texts if PAN[6:12] in t or "223344" in t]


@pytest.mark.parametrize("filler", "0123456789ABCDEF")
def test_any_filler_nibble_of_an_odd_variable_element_is_taken(filler: str) -> None:
    cup = load("cup")
    message = codec.decode(bytes.fromhex("0200" + "4000000000000000" + "19" + "6205500000000000004" + filler), cup)
    assert message[2] == "6205500000000000004"
    assert codec.encode(message, cup).hex().endswith("40")  # we send 0


def test_the_filler_of_a_variant_is_sent() -> None:
    raw = codec.encode(Message("0520", {32: "12345678901"}), load("as2805"))
    assert raw.hex().upper().endswith("1112345678901F")  # vector as2805-0520-reconciliation


@pytest.mark.parametrize(
    ("name", "fields", "wire"),
    [  # cup.md section 2, nac.md section 2, iso87.md section 1
        ("cup", {22: "021"}, "0210"),
        ("cup", {22: "051"}, "0510"),
        ("cup", {23: "001"}, "0001"),
        ("nac", {22: "022"}, "0022"),
        ("nac", {24: "003"}, "0003"),
        ("cup", {49: "156"}, "313536"),
        ("cup", {44: "0102"}, "0430313032"),
        ("cup", {41: "1234"}, ascii_hex("1234    ")),
        ("cup", {60: "00000001003"}, "0011000000010030"),
        ("nac", {62: "000045"}, "0006" + ascii_hex("000045")),
        ("nac", {55: ""}, "0000"),
        ("cup", {35: "62=3"}, "0462D3"),
        ("iso87", {35: "62=3"}, ascii_hex("0462=3")),
        ("iso87", {52: "00aB000000000012"}, ascii_hex("00AB000000000012")),
        ("iso87-binary", {52: "00AB000000000012"}, "00AB000000000012"),
        ("iso87", {28: "D00000100"}, ascii_hex("D00000100")),
        ("cup", {63: "\xc4\xab"}, "0002C4AB"),
    ],
)
def test_the_wire_form(name: str, fields: dict[int, str], wire: str) -> None:
    dialect = load(name)
    prefix = dialect.encodings.mti_bytes + dialect.encodings.bitmap_bytes
    body = codec.encode(Message("0200", fields), dialect)
    assert body[prefix:].hex().upper() == wire.upper()
    signed = any(dialect.fields[de].format == "x+n" for de in fields)
    assert QuickCodec(dialect, patience=1).encode("0200", fields) == (None if signed else body)


@pytest.mark.parametrize(
    ("name", "fields", "de"),
    [
        ("cup", {24: "003"}, 24),
        ("cup", {70: "301"}, 70),
        ("cup", {4: "100"}, 4),
        ("cup", {4: "00000001000A"}, 4),
        ("cup", {2: "1" * 20}, 2),
        ("cup", {41: "123456789"}, 41),
        ("cup", {63: "好"}, 63),
        ("cup", {64: "00"}, 64),
        ("cup", {62: "ABC"}, 62),
        ("cup", {2: "६२"}, 2),
        ("iso87", {97: "0000000000000001"}, 97),
        ("iso87", {1: "0"}, 1),
    ],
)
def test_a_value_that_the_dialect_cannot_carry(name: str, fields: dict[int, str], de: int) -> None:
    with pytest.raises(EncodeError) as caught:
        codec.encode(Message("0200", fields), load(name))
    assert caught.value.de == de
    assert fields[de] not in str(caught.value) or len(fields[de]) < 4
    assert QuickCodec(load(name), patience=1).encode("0200", fields) is None


def test_an_mti_that_is_none_and_a_dialect_that_only_decodes() -> None:
    for mti in ("", "02A0", "20", "02000", "02 0", "٠٢٠٠"):
        with pytest.raises(EncodeError):
            codec.encode(Message(mti, {}), load("cup"))
        assert QuickCodec(load("cup"), patience=1).encode(mti, {}) is None
    with pytest.raises(EncodeError):
        codec.encode(Message("1200", {}), load("iso93"))


def test_encoding_does_not_change_the_message() -> None:
    message = Message("0800", {11: "000001", 70: "301"})
    before = dict(message.fields)
    codec.encode(message, load("nac"))
    assert dict(message.fields) == before


def test_a_payload_carries_tpdu_and_header() -> None:
    """The echo of cup.md section 7, without its length header."""
    payload = bytes.fromhex(
        "600003000060310031000008200000000000C0001031323334353637383132333435363738393031323334350011000000013010"
    )
    cup = load("cup")
    message = codec.decode_payload(payload, cup)
    assert (message.tpdu, message.header, message.mti) == ("6000030000", "603100310000", "0820")
    assert codec.encode_payload(message, cup) == payload
    bare = with_options(cup, tpdu=False, header=0)
    assert codec.encode_payload(message, bare) == payload[11:]
    assert codec.decode_payload(payload[11:], bare).tpdu == ""
    with pytest.raises(DecodeError):
        codec.decode_payload(payload[:10], cup)
    assert codec.inspect_payload(payload[:10], cup).message is None
    for missing in (Message("0820", message.fields), Message("0820", message.fields, "6000030000", "60")):
        with pytest.raises(EncodeError):
            codec.encode_payload(missing, cup)


def test_a_header_is_hex_so_that_it_can_be_echoed() -> None:
    """CrediBanco sends TPDU addresses such as 036A (vectors nac-…-crediban)."""
    nac = load("nac")
    message = Message("0800", {11: "000001"}, tpdu="600107036A")
    assert codec.decode_payload(codec.encode_payload(message, nac), nac) == message


@pytest.mark.parametrize(
    ("name", "de", "mac_bytes"),
    [("cup", 64, 8), ("nac", 64, 8), ("nac", 128, 8), ("iso87", 64, 16), ("iso87", 128, 16)],
)
def test_the_mac_covers_everything_before_it(name: str, de: int, mac_bytes: int) -> None:
    dialect = load(name)
    message = Message("0200", {11: "000001", de: "1122334455667788"})
    body = codec.encode(message, dialect)
    assert codec.mab(body, message, dialect) == body[:-mac_bytes]
    assert codec.mab(body, {11, de}, dialect) == body[:-mac_bytes]
    assert codec.mab(body, {11}, dialect) == body


@pytest.mark.parametrize(
    ("name", "fields", "de"),
    [
        ("cup", {11: "000001", 39: "00"}, 64),
        ("cup", {11: "000001", 64: "1122334455667788"}, 64),
        ("nac", {11: "000001", 70: "301"}, 128),
        ("iso87", {11: "000001"}, 64),
        ("iso87", {11: "000001", 90: "0" * 42}, 128),
        ("iso87-binary", {11: "000001"}, 64),
    ],
)
def test_a_message_is_sealed_as_it_would_be_in_two_steps(name: str, fields: dict[int, str], de: int) -> None:
    dialect = load(name)
    message = Message("0210", fields, "6000030000" * dialect.frame.tpdu, "603100310000" if dialect.frame.header else "")
    before = dict(message.fields)
    covered: list[bytes] = []

    def mac(data: bytes) -> bytes:
        covered.append(data)
        return b"\x01\xabcdefgh"

    sealed, payload = codec.sealed(message, dialect, mac)
    assert sealed == message.with_fields({de: "01AB636465666768"})
    assert list(sealed.fields) == sorted(sealed.fields)
    assert payload == codec.encode_payload(sealed, dialect)
    assert covered == [codec.mab(payload[dialect.frame.prefix_bytes :], sealed, dialect)]
    assert dict(message.fields) == before


def test_what_cannot_be_written_cannot_be_sealed() -> None:
    for message in (Message("0210", {4: "1"}, "6000030000", "603100310000"), Message("0210", {11: "000001"}, "60", "")):
        with pytest.raises(EncodeError):
            codec.sealed(message, load("cup"), lambda data: bytes(8))


def test_shown_fields_are_masked_unless_asked_clear() -> None:
    message = Message("0200", {2: PAN, 43: "\xc4\xab", 52: "1122334455667788", 63: "01 "})
    cup = load("cup")
    assert show_fields(message, cup, clear=True) == {
        "2": PAN,
        "43": "hex:C4AB",
        "52": "1122334455667788",
        "63": "01 ",
    }
    masked = show_fields(message, cup)
    assert PAN not in masked.values()
    assert "1122334455667788" not in masked.values()
    assert masked["63"] == "01 "


def test_elements_behind_de_64_leave_it_to_de_128() -> None:
    """With DE 64 and 128 both set, the bytes before the last one are covered: hex in iso87, so 16 characters."""
    iso87 = load("iso87")
    message = Message("0200", {11: "000001", 64: "00" * 8, 70: "001", 128: "11" * 8})
    body = codec.encode(message, iso87)
    assert codec.mab(body, message, iso87) == body[: -len("11" * 8)]
    assert body.endswith(b"001" + b"11" * 8)


def test_a_mac_stands_behind_the_last_element() -> None:
    assert codec.mac_de([3, 11, 41]) == 64
    assert codec.mac_de([3, 11, 90]) == 128
    assert codec.mac_de([3, 11, 64, 128]) == 64
