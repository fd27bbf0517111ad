"""The quick ways of masking and of writing log rows against the careful ones: nothing is shown that they would hide."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from hypothesis import example, given
from hypothesis import strategies as st

from host.exchange import storable
from host.pan_hash import pan_hash
from host.service import _fields_json
from specs import masking
from specs.luhn import luhn_ok
from specs.masking import MASKERS, mask_fields, mask_pan, mask_text, mask_track
from specs.operation import Card, Kind, Operation, OriginalRef, UploadItem

KEY = bytes(range(32))
PANS = ("6223164991230014", "4111111111111111", "371449635398431", "4222222222222", "6216261000000000018")
ARABIC = "".join(chr(0x660 + int(digit)) for digit in PANS[0])
"""Digits too, for a pattern that says «digit»."""

pieces = st.one_of(
    st.sampled_from(PANS),
    st.sampled_from(
        ("D", "=", "^", " ", "-", "\n", "%B", ";", "?", "|", "A", "KEY ", "000000", "\x00\x81", "\xd3\xea")
    ),
    st.sampled_from(("6223 1649 9123 0014", "3714 496353 98431", "0123456789ABCDEFFEDCBA9876543210", ARABIC)),
    st.text("0123456789", min_size=1, max_size=33),
    st.text("0123456789ABCDEF", min_size=1, max_size=34),
    st.text(max_size=8),
)
values = st.lists(pieces, max_size=4).map("".join)
elements = st.dictionaries(
    st.sampled_from((2, 3, 4, 11, 14, 34, 35, 36, 37, 44, 45, 48, 49, 52, 54, 55, 60, 61, 62, 63, 64, 102)), values
)


def careful_track(track: str) -> str:
    found = masking._TRACK.fullmatch(track)
    if found is None:
        return "*" * len(track)
    start, pan, separator, rest = found.groups()
    return str(start + mask_pan(pan) + separator + "*" * len(rest))


def careful_text(text: str) -> str:
    """Every pattern over every text."""
    text = masking._TRACK_IN_TEXT.sub(lambda found: careful_track(found[0]), text)
    text = masking._PAN_IN_TEXT.sub(lambda f: f[1] + mask_pan(f[2]) if luhn_ok(f[2]) else f[0], text)
    text = masking._GROUPED_PAN.sub(lambda found: masking._mask_grouped(found[0]), text)
    if len(text) >= masking._LONG_RUN_DIGITS:
        text = masking._LONG_RUN.sub(lambda found: masking._mask_long_run(found[0]), text)
    return masking._KEY_IN_TEXT.sub(lambda found: "*" * len(found[0]), text)


def careful_62(value: str) -> str:
    if not masking._HEX.fullmatch(value):
        return careful_text(value)
    if value.startswith(masking._PUBLIC_DOWNLOADS):
        return value
    text = bytes.fromhex(value).decode("latin-1")
    if text.isascii() and text.isprintable() and careful_text(text) == text:
        return value
    return "*" * len(value) if len(text) >= masking._BINARY_BYTES_MIN else careful_text(value)


def careful_63(value: str) -> str:
    unprintable = sum(not character.isprintable() for character in value)
    return "*" * len(value) if unprintable and len(value) >= 8 and not masking._is_gbk(value) else careful_text(value)


CAREFUL = {
    **dict.fromkeys(masking._TEXT_ELEMENTS, careful_text),
    **dict.fromkeys((35, 36, 45), careful_track),
    62: careful_62,
    63: careful_63,
}


def careful_fields(fields: Mapping[int, str]) -> dict[int, str]:
    """Each element by itself, then the message's own number looked for in each."""
    shown = {
        de: CAREFUL[de](value) if de in CAREFUL else MASKERS[de](value, fields) if de in MASKERS else value
        for de, value in fields.items()
    }
    pan = fields.get(2) or re.split("[D=]", fields.get(35, ""), maxsplit=1)[0]
    if len(pan) < 13 or not any(pan in value for value in shown.values()):
        return shown
    return {de: value.replace(pan, mask_pan(pan)) for de, value in shown.items()}


@given(values)
@example("6223164991230")
@example(f"{ARABIC}D12345")
@example("371449635398D1234")
@example("3714 496353 98431")
@example("3714-496353-98431")
@example("4222222222222")
@example("0123456789ABCDEFFEDCBA9876543210")
def test_text_is_masked_as_by_every_pattern(text: str) -> None:
    assert mask_text(text) == careful_text(text)


@given(st.lists(pieces, min_size=1, max_size=3).map("D".join))
@example(f"{PANS[0]}D3012")
@example(f"{PANS[0]}=30D12")
@example(f"B{PANS[0]}D3012")
@example(f"{ARABIC}D3012")
@example("12345678901D3012")
@example("6223164991230014123456D3012")
@example("²²²²²²²²²²²²²D3012")
def test_a_track_is_masked_as_by_its_pattern(track: str) -> None:
    assert mask_track(track) == careful_track(track)


@given(elements)
@example({62: "313233343536"})
@example({62: "4222222222222"})
@example({62: f"{PANS[0]}00000000"})
@example({63: "\x80" * 8})
@example({63: "\x80" * 7})
@example({63: "\u4e2d" * 8})
@example({2: PANS[0], 60: f"22{PANS[0]}"})
@example({35: f"{PANS[0]}=3012=1", 60: f"22{PANS[0]}"})
@example({2: f"{PANS[0]}\n1", 3: PANS[0], 4: "1"})
def test_a_message_is_masked_as_element_by_element(fields: dict[int, str]) -> None:
    shown = mask_fields(fields)
    assert shown == careful_fields(fields)
    assert list(shown) == list(fields)


@given(st.dictionaries(st.integers(2, 128), st.one_of(values, st.text(), st.text('"\\%{}s'))))
@example({})
@example({2: "a\\b"})
@example({2: 'a"b', 3: "%s"})
@example({2: "\x7f"})
def test_elements_in_the_log_are_what_json_writes(shown: dict[int, str]) -> None:
    assert _fields_json(shown) == json.dumps({str(de): value for de, value in shown.items()})


def careful_storable(operation: Operation) -> Operation:
    """Every value made anew."""
    pan = operation.card.pan if operation.card else ""

    def kept(name: str, value: str) -> str:
        if name == "pan" or (careful_text(value) == value and not (pan and pan in value)):
            return value
        return pan_hash(KEY, value.encode("latin-1", "replace").hex())

    def ref(original: OriginalRef) -> OriginalRef:
        return OriginalRef(stan=original.stan, invoice=careful_text(original.invoice))

    return Operation(
        operation.kind,
        operation.tid,
        card=operation.card,
        content=tuple((name, kept(name, value)) for name, value in operation.content),
        invoice=careful_text(operation.invoice),
        original=ref(operation.original) if operation.original else None,
        items=tuple(UploadItem(ref(item.ref), item.amount) for item in operation.items),
    )


references = st.builds(OriginalRef, stan=st.just("000101"), invoice=values)


@given(
    st.builds(
        Operation,
        st.just(Kind.SALE),
        st.just("12345678"),
        card=st.one_of(st.none(), st.builds(Card, st.sampled_from(("", "1234567890", *PANS)))),
        content=st.lists(st.tuples(st.sampled_from(("pan", "amount", "batch")), values), max_size=4).map(tuple),
        invoice=values,
        original=st.one_of(st.none(), references),
        items=st.lists(st.builds(UploadItem, references, st.just(100)), max_size=2).map(tuple),
    )
)
@example(Operation(Kind.SALE, "1", card=Card("1234567890"), content=(("batch", "12345678901"), ("batch", "1"))))
def test_an_operation_is_kept_as_value_by_value(operation: Operation) -> None:
    assert storable(operation, KEY) == careful_storable(operation)
