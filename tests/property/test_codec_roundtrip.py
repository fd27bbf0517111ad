"""Round trips over every dialect, and agreement with pyiso8583 on specs written by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import codec
from specs.detect import detect
from specs.dialect import Dialect, builtin, load, with_options
from specs.errors import DecodeError
from specs.fields import FieldSpec
from specs.framing import FrameFormat, FrameReader, frame
from specs.message import Message

WRITING = tuple(name for name in builtin() if not load(name).encodings.decode_only)
BYTE_TEXT = st.characters(min_codepoint=0, max_codepoint=255)


def values_of(spec: FieldSpec) -> st.SearchStrategy[str]:
    """Any value that this element can carry."""
    low = spec.max if spec.length == "fixed" else 0
    alphabet = {"n": "0123456789", "z": "0123456789ABCDEF", "x+n": "0123456789", "b": "0123456789ABCDEF"}
    if spec.format == "b":
        return st.binary(min_size=low, max_size=min(spec.max, 300)).map(lambda raw: raw.hex().upper())
    size = {"min_size": low, "max_size": spec.max if low else min(spec.max, 300)}
    text = st.text(alphabet.get(spec.format, BYTE_TEXT), **size)
    return st.tuples(st.sampled_from("CD"), text).map("".join) if spec.format == "x+n" else text


@st.composite
def messages(draw: st.DrawFn, dialect: Dialect) -> Message:
    des = draw(st.sets(st.sampled_from(sorted(dialect.fields)), max_size=12))
    mti = draw(st.sampled_from(["0100", "0110", "0200", "0210", "0220", "0320", "0400", "0401", "0510", "0800"]))
    tpdu = "60" + draw(st.text("0123456789", min_size=8, max_size=8)) if dialect.frame.tpdu else ""
    header = "60310031" + draw(st.text("0123456789", min_size=4, max_size=4)) if dialect.frame.header else ""
    return Message(mti, {de: draw(values_of(dialect.fields[de])) for de in des}, tpdu, header)


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_what_is_written_is_read_again(name: str, data: st.DataObject) -> None:
    dialect = load(name)
    message = data.draw(messages(dialect))
    payload = codec.encode_payload(message, dialect)
    assert codec.decode_payload(payload, dialect) == message
    seen = codec.inspect_payload(payload, dialect)
    assert (seen.message, seen.notes, seen.complete) == (message, (), True)
    assert codec.encode_payload(seen.message or message, dialect) == payload


@pytest.mark.parametrize("name", builtin())
@given(raw=st.binary(max_size=200))
def test_bytes_of_any_kind_give_a_message_or_a_decode_error(name: str, raw: bytes) -> None:
    dialect = load(name)
    seen = codec.inspect(raw, dialect)
    assert 0 <= seen.read_to <= len(raw)
    if not seen.notes:
        assert codec.decode(raw, dialect) == seen.message
        return
    with pytest.raises(DecodeError) as caught:
        codec.decode(raw, dialect)
    assert (caught.value.de, caught.value.offset) == (seen.notes[0].de, seen.notes[0].offset)


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_one_changed_byte_never_escapes_the_error_tree(name: str, data: st.DataObject) -> None:
    """The plain reader (pyiso8583) and the explaining one must agree on damaged messages too."""
    dialect = load(name)
    body = bytearray(codec.encode(data.draw(messages(dialect)), dialect))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    seen = codec.inspect(bytes(body), dialect)
    if not seen.notes:
        assert codec.decode(bytes(body), dialect) == seen.message
        return
    with pytest.raises(DecodeError):
        codec.decode(bytes(body), dialect)


@given(
    payloads=st.lists(st.binary(max_size=60), max_size=6),
    length=st.sampled_from(["bin2", "bcd2", "ascii4"]),
    inclusive=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_frames_survive_any_split(payloads: list[bytes], length: Any, inclusive: bool, cuts: list[int]) -> None:
    fmt = FrameFormat(length=length, inclusive=inclusive)
    stream = b"".join(frame(p, fmt) for p in payloads)
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    reader = FrameReader(fmt)
    got = [p for a, b in pairwise(edges) for p in reader.feed(stream[a:b])]
    assert got == payloads
    assert reader.pending == 0


@given(raw=st.binary(max_size=120))
def test_the_doctor_never_raises(raw: bytes) -> None:
    scores = [d.score for d in detect(raw)]
    assert scores == sorted(scores, reverse=True)


@given(
    data=st.data(),
    name=st.sampled_from(["cup", "nac", "iso87"]),
    length=st.sampled_from(["bin2", "bcd2", "ascii4", "none"]),
)
def test_the_doctor_finds_a_clean_reading_of_what_we_wrote(data: st.DataObject, name: str, length: str) -> None:
    """Not always ours (a message of three dates fits several dialects), but never none."""
    dialect = with_options(load(name), length=length)
    raw = frame(codec.encode_payload(data.draw(messages(dialect)), dialect), dialect.frame)
    assert detect(raw)[0].clean


# Agreement with pyiso8583 used directly: specs written by hand from cup.md, nac.md and iso87.md, not from our files.
def _bcd(digits: int, pad: str = "left_pad", prefix: int = 0) -> dict[str, Any]:
    return {
        "data_enc": "b",
        "len_enc": "bcd",
        "len_type": prefix,
        "len_count": "nibbles",
        "max_len": digits,
        pad: "0",
        "desc": "",
    }


def _asc(size: int, prefix: int = 0, len_enc: str = "bcd") -> dict[str, Any]:
    return {"data_enc": "latin-1", "len_enc": len_enc, "len_type": prefix, "max_len": size, "desc": ""}


def _raw(size: int, prefix: int = 0) -> dict[str, Any]:
    return {"data_enc": "b", "len_enc": "bcd", "len_type": prefix, "max_len": size, "desc": ""}


_POS = {"h": _asc(0), "t": _raw(2), "p": _raw(8), "1": _raw(8), "2": _bcd(19, "right_pad", 1), "3": _bcd(6)}
_POS |= {"4": _bcd(12), "11": _bcd(6), "35": _bcd(37, "right_pad", 1), "39": _asc(2), "41": _asc(8), "52": _raw(8)}
_POS |= {"55": _raw(255, 2), "64": _raw(8)}
BY_HAND: dict[str, dict[str, Any]] = {
    "cup": _POS
    | {"22": _bcd(3, "right_pad"), "23": _bcd(3), "48": _bcd(322, "right_pad", 2), "60": _bcd(30, "right_pad", 2)}
    | {"62": _raw(512, 2), "63": _asc(163, 2)},
    "nac": _POS
    | {"22": _bcd(3), "24": _bcd(3), "45": _asc(76, 1), "60": _asc(999, 2), "63": _asc(999, 2), "70": _bcd(3)}
    | {"128": _raw(8)},
    "iso87": {"h": _asc(0), "t": _asc(4), "p": _asc(16), "1": _asc(16), "2": _asc(19, 2, "ascii"), "4": _asc(12)}
    | {"28": _asc(9), "35": _asc(37, 2, "ascii"), "41": _asc(8), "52": _asc(16), "63": _asc(999, 3, "ascii")}
    | {"70": _asc(3), "90": _asc(42), "97": _asc(17), "128": _asc(16)},
}


@pytest.mark.parametrize("name", sorted(BY_HAND))
@given(data=st.data())
def test_agrees_with_pyiso8583(name: str, data: st.DataObject) -> None:
    dialect, spec = load(name), BY_HAND[name]
    known = [int(key) for key in spec if key.isdigit() and key != "1"]
    des = data.draw(st.sets(st.sampled_from(known)))
    message = Message("0200", {de: data.draw(values_of(dialect.fields[de])) for de in des})
    ours = codec.encode(message, dialect)
    theirs, _ = iso8583.encode({"t": "0200", **{str(de): v for de, v in message.fields.items()}}, spec)
    assert ours == bytes(theirs)
    decoded, _ = iso8583.decode(ours, spec)
    read_by_us = codec.decode(ours, dialect).fields
    assert {k: v for k, v in decoded.items() if k.isdigit() and k != "1"} == {str(k): v for k, v in read_by_us.items()}
