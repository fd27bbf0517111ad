"""The quick road of the codec against the careful one (pyiso8583 and the checks around it)."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import codec
from specs.dialect import Dialect, builtin, load, loads
from specs.errors import EncodeError
from specs.inspection import inspect
from specs.message import Message
from specs.quick import PATIENCE, SHAPES_MAX, QuickCodec, quick
from tests.property.test_codec_roundtrip import WRITING, messages
from tests.vectors.test_vectors import NOT_PLAIN, VECTORS, Row, best, body_of

ANY_TEXT = st.text(max_size=40)


@cache
def at_once(dialect: Dialect) -> QuickCodec:
    """A quick codec that makes the function of a shape for its first message."""
    return QuickCodec(dialect, patience=1)


def quickly_written(message: Message, dialect: Dialect) -> bytes | None:
    return at_once(dialect).encode(message.mti, message.fields)


def carefully_read(body: bytes, dialect: Dialect) -> Message | None:
    found = codec.read_with_care(body, dialect)
    if found is not None:
        return found
    seen = inspect(body, dialect)
    return None if seen.notes else seen.message


def carefully_written(message: Message, dialect: Dialect) -> bytes | None:
    try:
        return codec.write_with_care(message, dialect)
    except EncodeError:
        return None


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_both_roads_write_and_read_the_same(name: str, data: st.DataObject) -> None:
    dialect = load(name)
    message = data.draw(messages(dialect))
    body = codec.write_with_care(message, dialect)
    assert quickly_written(message, dialect) in (body, None)
    assert at_once(dialect).decode(body) in (carefully_read(body, dialect), None)


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_the_quick_road_takes_no_value_that_the_careful_one_refuses(name: str, data: st.DataObject) -> None:
    dialect = load(name)
    de = data.draw(st.sampled_from(sorted(dialect.fields)))
    message = Message(data.draw(st.sampled_from(["0200", "02x0", "02", "٠٢٠٠"])), {de: data.draw(ANY_TEXT)})
    assert quickly_written(message, dialect) in (carefully_written(message, dialect), None)


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_a_message_with_a_wrong_byte_is_read_alike(name: str, data: st.DataObject) -> None:
    dialect = load(name)
    body = bytearray(codec.write_with_care(data.draw(messages(dialect)), dialect))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for raw in (bytes(body), bytes(body[:cut]), bytes(body) + b"\x00"):
        found = at_once(dialect).decode(raw)
        assert found is None or found == carefully_read(raw, dialect)


@pytest.mark.parametrize("name", builtin())
@given(raw=st.binary(max_size=60))
def test_noise_is_read_alike(name: str, raw: bytes) -> None:
    dialect = load(name)
    found = at_once(dialect).decode(raw)
    assert found is None or found == carefully_read(raw, dialect)


@pytest.mark.parametrize("row", VECTORS, ids=lambda r: r["name"])
def test_real_messages_take_the_quick_road(row: Row) -> None:
    """All but two, with the same result; else the road would be there for nothing."""
    found = best(row)
    assert found.message is not None
    dialect, body = load(found.dialect), body_of(row, found)
    read = at_once(dialect).decode(body)
    if row["name"] in NOT_PLAIN:
        assert read in (None, carefully_read(body, dialect))
        return
    assert read is not None
    assert read == carefully_read(body, dialect)
    assert quickly_written(read, dialect) == body


# ---- dialects of any kind: what the built-in ones do not have, a user's own may

MTIS = st.sampled_from(["0200", "0810"])
SETTINGS = {
    "mti": ["bcd", "ascii"],
    "bitmap": ["binary", "hex"],
    "numeric": ["bcd", "ascii"],
    "lengths": ["bcd", "ascii"],
    "binary": ["raw", "hex"],
    "charset": ["ascii", "ebcdic"],
    "filler": list("0F"),
}
ENCODINGS = {"n": ["bcd", "ascii"], "z": ["bcd", "ascii"], "b": ["raw", "hex"], "an": ["ascii"], "ans": ["ascii"]}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["n", "n", "z", "b", "an", "ans", "x+n"]))
    length = "fixed" if kind == "x+n" else draw(st.sampled_from(["fixed", "LL", "LLL"]))
    row: dict[str, Any] = {"name": "any", "format": kind, "length": length, "max": draw(st.integers(1, 12))}
    if draw(st.booleans()):
        row["encoding"] = draw(st.sampled_from(ENCODINGS.get(kind, ["ascii"])))
    if draw(st.booleans()):
        row["justify"] = draw(st.sampled_from(["left", "right"]))
    if draw(st.booleans()):
        row["filler"] = draw(st.sampled_from("0F"))
    return row


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@st.composite
def any_dialects(draw: st.DrawFn) -> Dialect:
    encoding: dict[str, Any] = {key: draw(st.sampled_from(values)) for key, values in SETTINGS.items()}
    encoding["secondary_bitmap"] = True
    numbers = st.integers(2, 128).filter(lambda de: de not in (64, 65, 128))
    fields = draw(st.dictionaries(numbers, rows(), min_size=1, max_size=8))
    tables: dict[str, dict[str, Any]] = {
        "frame": {"length": "bin2", "tpdu": False, "header": 0},
        "encoding": encoding,
        "profile": {"family": "iso87", "key_scheme": "local-time"},
        "fields": {str(de): row for de, row in fields.items()},
    }
    lines = ['title = "any"']
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return loads("\n".join(lines))


@given(data=st.data(), dialect=any_dialects())
def test_a_users_dialect_is_written_and_read_alike(data: st.DataObject, dialect: Dialect) -> None:
    message = data.draw(messages(dialect))
    body = codec.write_with_care(message, dialect)
    once = QuickCodec(dialect, patience=1)
    written, read = once.encode(message.mti, message.fields), once.decode(body)
    assert written in (body, None)
    assert read in (carefully_read(body, dialect), None)
    plain = all(_is_plain(row.format, row.length, row.encoding, row.max) for row in dialect.fields.values())
    if plain:
        assert written == body
        assert read == message
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    for raw in (bytes(damaged), body[: data.draw(st.integers(0, len(body)))], body + b"\x00"):
        found = once.decode(raw)
        assert found is None or found == carefully_read(raw, dialect)


def _is_plain(kind: str, length: str, encoding: str, most: int) -> bool:
    """What must take the quick road: all but signed amounts and, here, fixed digits with a filler nibble."""
    return kind != "x+n" and (length != "fixed" or encoding != "bcd" or most % 2 == 0)


@given(data=st.data(), dialect=any_dialects())
def test_a_users_dialect_takes_no_value_that_the_careful_road_refuses(data: st.DataObject, dialect: Dialect) -> None:
    de = data.draw(st.sampled_from(sorted(dialect.fields)))
    near = st.text("0123456789abcdefABCDEF=D \t\u0663\u00e9\u20ac", max_size=14)
    message = Message("0200", {de: data.draw(near)})
    found = QuickCodec(dialect, patience=1).encode(message.mti, message.fields)
    assert found is None or found == carefully_written(message, dialect)


# ---- one wrong byte or character at every place, in dialects that have an element of each kind

KINDS = [("n", "fixed"), ("n", "LL"), ("z", "LL"), ("an", "fixed"), ("ans", "LLL"), ("b", "fixed"), ("b", "LL")]
EACH = {2: "12345", 3: "123", 4: "62D31", 5: "AB", 6: "a b", 7: "00AB0C", 8: "9F02"}
MOST = {2: 5, 3: 9, 4: 9, 5: 3, 6: 9, 7: 3, 8: 4}
BYTES = [*b"\x00\x09\x0a\x10 +-.09:=AFGafg_", 0x99, 0x9A, 0xA0, 0xB2, 0xC1, 0xF0, 0xF9, 0xFA, 0xFF, 0x7E]
CHARACTERS = "09aAfFgG=D \t_+\u00b2\u00df\u0663\u20ac"
FORMS = [
    {},
    {"mti": "ascii", "bitmap": "hex", "numeric": "ascii", "lengths": "ascii", "binary": "hex"},
    {"mti": "ascii", "bitmap": "hex", "numeric": "ascii", "lengths": "ascii", "binary": "hex", "charset": "ebcdic"},
    {"numeric": "ascii", "lengths": "ascii"},
    {"mti": "ascii", "lengths": "ascii", "binary": "hex"},
]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: ", ".join(form.values()) or "BCD")


def of_each_kind(form: dict[str, str]) -> Dialect:
    fields = {
        str(de): {"name": "any", "format": kind, "length": length, "max": MOST[de]}
        for de, (kind, length) in enumerate(KINDS, start=2)
    }
    return loads(
        "\n".join(
            [
                'title = "any"\n[frame]\nlength = "bin2"\ntpdu = false\nheader = 0\n[encoding]',
                *(f"{key} = {_toml(value)}" for key, value in form.items()),
                '[profile]\nfamily = "iso87"\nkey_scheme = "local-time"\n[fields]',
                *(f"{de} = {_toml(row)}" for de, row in fields.items()),
            ]
        )
    )


@each_form
def test_a_wrong_byte_at_every_place(form: dict[str, str]) -> None:
    dialect = of_each_kind(form)
    whole = Message("0200", EACH)
    body = codec.write_with_care(whole, dialect)
    assert at_once(dialect).decode(body) == codec.read_with_care(body, dialect) == Message("0200", {**EACH, 5: "AB "})
    start = dialect.encodings.mti_bytes + dialect.encodings.bitmap_bytes
    for at in [*range(dialect.encodings.mti_bytes), *range(start, len(body))]:
        blanks = "  ".encode(dialect.encodings.codec)  # which bytes.fromhex() would pass over
        for wrong in (blanks, *(bytes([byte]) for byte in BYTES)):
            raw = body[:at] + wrong + body[at + len(wrong) :]
            found = at_once(dialect).decode(raw)
            assert found is None or found == carefully_read(raw, dialect), (at, wrong)


@each_form
def test_a_wrong_character_at_every_place(form: dict[str, str]) -> None:
    dialect = of_each_kind(form)
    for de, value in EACH.items():
        for at in range(len(value)):
            wrong = {value[:at] + mark + value[at + 1 :] for mark in ("", *CHARACTERS)}
            wrong |= {value[:at] + mark + value[at:] for mark in CHARACTERS} | {value[:at] + "  " + value[at:]}
            for each in sorted(wrong):
                message = Message("0200", {**EACH, de: each})
                found = quickly_written(message, dialect)
                assert found is None or found == carefully_written(message, dialect), (de, each)


# ---- a flood of shapes


def test_a_shape_is_made_once_it_was_asked_for_often_and_not_before() -> None:
    dialect = load("nac")
    patient = QuickCodec(dialect)
    message = Message("0200", {3: "000000", 11: "000001"})
    body = codec.write_with_care(message, dialect)
    assert [patient.decode(body) for _ in range(PATIENCE + 1)] == [None] * (PATIENCE - 1) + [message] * 2
    written = [patient.encode(message.mti, message.fields) for _ in range(PATIENCE + 1)]
    assert written == [None] * (PATIENCE - 1) + [body] * 2


def test_a_flood_of_new_shapes_leaves_the_known_ones_and_stays_bounded() -> None:
    dialect = load("iso87")
    patient = QuickCodec(dialect)
    message = Message("0200", {3: "000000", 11: "000001"})
    body = codec.write_with_care(message, dialect)
    for _ in range(PATIENCE):
        patient.decode(body)
    known = [de for de in range(66, 119) if de in dialect.fields]
    for at in range(3 * SHAPES_MAX):
        bits = 1 << 127 | sum(1 << (128 - known[bit]) for bit in range(12) if at >> bit & 1)
        assert patient.decode(b"0200" + f"{bits:032X}".encode()) is None
    assert patient.decode(body) == message
    assert len(patient._readers.made) == 1
    assert len(patient._readers._asked) <= SHAPES_MAX


def test_what_was_asked_for_often_is_bounded_too() -> None:
    patient = QuickCodec(load("iso87"), patience=1)
    des = [de for de in range(66, 97) if load("iso87").fields.get(de)][:11]
    for at in range(SHAPES_MAX + 50):
        patient.encode("0200", {de: "" for bit, de in enumerate(des) if at >> bit & 1})
    assert len(patient._writers.made) == 50


def test_the_codec_of_a_dialect_is_made_once() -> None:
    assert quick(load("cup")) is quick(load("cup"))
