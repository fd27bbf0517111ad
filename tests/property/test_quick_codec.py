"""The quick road of the codec against the careful one (pyiso8583 and the checks around it)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import codec
from specs.dialect import Dialect, builtin, load
from specs.errors import EncodeError
from specs.inspection import inspect
from specs.message import Message
from specs.quick import quick
from tests.property.test_codec_roundtrip import WRITING, messages
from tests.vectors.test_vectors import NOT_PLAIN, VECTORS, Row, best, body_of

ANY_TEXT = st.text(max_size=40)


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
    assert quick(dialect).encode(message) in (body, None)
    assert quick(dialect).decode(body) in (carefully_read(body, dialect), None)


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_the_quick_road_takes_no_value_that_the_careful_one_refuses(name: str, data: st.DataObject) -> None:
    dialect = load(name)
    de = data.draw(st.sampled_from(sorted(dialect.fields)))
    message = Message(data.draw(st.sampled_from(["0200", "02x0", "02", "٠٢٠٠"])), {de: data.draw(ANY_TEXT)})
    assert quick(dialect).encode(message) in (carefully_written(message, dialect), None)


@pytest.mark.parametrize("name", WRITING)
@given(data=st.data())
def test_a_message_with_a_wrong_byte_is_read_alike(name: str, data: st.DataObject) -> None:
    dialect = load(name)
    body = bytearray(codec.write_with_care(data.draw(messages(dialect)), dialect))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for raw in (bytes(body), bytes(body[:cut]), bytes(body) + b"\x00"):
        found = quick(dialect).decode(raw)
        assert found is None or found == carefully_read(raw, dialect)


@pytest.mark.parametrize("name", builtin())
@given(raw=st.binary(max_size=60))
def test_noise_is_read_alike(name: str, raw: bytes) -> None:
    dialect = load(name)
    found = quick(dialect).decode(raw)
    assert found is None or found == carefully_read(raw, dialect)


@pytest.mark.parametrize("row", VECTORS, ids=lambda r: r["name"])
def test_real_messages_take_the_quick_road(row: Row) -> None:
    """All but two, with the same result; else the road would be there for nothing."""
    found = best(row)
    assert found.message is not None
    dialect, body = load(found.dialect), body_of(row, found)
    read = quick(dialect).decode(body)
    if row["name"] in NOT_PLAIN:
        assert read in (None, carefully_read(body, dialect))
        return
    assert read is not None
    assert read == carefully_read(body, dialect)
    assert quick(dialect).encode(read) == body
