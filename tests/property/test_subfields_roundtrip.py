"""Every sub-field layout: what is written is read back; any text is read or refused, never a surprise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import security, tlv
from specs.errors import DecodeError, SecurityError
from specs.masking import mask_fields
from specs.message import Message
from specs.subfields import amounts, cup, describe_subfields, iso87, nac
from specs.track2 import Track2, parse_track2


def digits(low: int, high: int | None = None) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=low, max_size=low if high is None else high)


def minor(width: int = 12) -> st.SearchStrategy[int]:
    return st.integers(0, 10**width - 1)


pans = st.from_regex(r"[1-9][0-9]{12,18}", fullmatch=True)
keys8, keys16 = st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)
sides = st.builds(cup.Side, minor(), minor(3), minor(), minor(3), st.sampled_from("0123"))
groups = st.builds(nac.Group, minor(3), minor())
additional = st.builds(
    amounts.AdditionalAmount, digits(2), digits(2), digits(3), st.integers(-(10**12) + 1, 10**12 - 1)
)

Layout = tuple[st.SearchStrategy[Any], Callable[[Any], str], Callable[[str], object]]


def refused_at(read: Callable[[Any], object], value: str | bytes) -> int | None:
    """The offset of the DecodeError, None when the value was read; any other exception fails the test."""
    try:
        read(value)
    except DecodeError as error:
        return error.offset
    return None


@st.composite
def cut_private60(draw: st.DrawFn) -> cup.Private60:
    """DE 60 may end after any sub-field."""
    parts = [digits(2), digits(6), digits(3), digits(1), digits(1), digits(1), digits(3)]
    return cup.Private60(*(draw(part) for part in parts[: draw(st.integers(2, 7))]))


@st.composite
def cut_original61(draw: st.DrawFn) -> cup.Original61:
    parts = [digits(6), digits(6), digits(4), digits(2), digits(1, 11)]
    return cup.Original61(*(draw(part) for part in parts[: draw(st.integers(2, 5))]))


rrns = st.one_of(st.none(), st.from_regex(r"[1-9][0-9]{11}", fullmatch=True))
LAYOUTS: dict[str, Layout] = {
    "cup 22": (st.builds(cup.EntryMode, digits(2), digits(1)), cup.format_de22, cup.parse_de22),
    "cup 44": (st.builds(cup.Institutions, digits(1, 11), digits(1, 11)), cup.format_de44, cup.parse_de44),
    "cup 48 totals": (st.builds(cup.Settlement, sides, sides), cup.format_settlement, cup.parse_settlement),
    "cup 48 upload": (
        st.lists(st.builds(cup.UploadItem, st.booleans(), digits(6), pans, minor()), min_size=1, max_size=8).map(tuple),
        cup.format_upload,
        cup.parse_upload,
    ),
    "cup 48 end": (minor(4), cup.format_upload_end, cup.parse_upload_end),
    "cup 48 tip": (minor(), cup.format_tip, cup.parse_tip),
    "cup 53": (
        st.builds(cup.SecurityControl, digits(1), digits(1), st.booleans(), digits(13)),
        cup.format_de53,
        cup.parse_de53,
    ),
    "cup 60": (cut_private60(), cup.format_de60, cup.parse_de60),
    "cup 61": (cut_original61(), cup.format_de61, cup.parse_de61),
    "cup 62 serial": (
        st.builds(cup.TerminalSerial, digits(4), digits(0, 20)),
        cup.format_serial,
        cup.parse_serial,
    ),
    "54": (
        st.lists(additional, min_size=1, max_size=6).map(tuple),
        amounts.format_amounts,
        amounts.parse_amounts,
    ),
    "nac 54": (minor(), nac.format_de54, nac.parse_de54),
    "nac 60": (
        st.one_of(
            st.builds(nac.BatchNumber, digits(6)),
            st.builds(nac.OriginalAmount, minor()),
            st.builds(nac.OriginalData, digits(4), digits(6), rrns),
        ),
        nac.format_de60,
        nac.parse_de60,
    ),
    "nac 62": (digits(6), nac.format_de62, nac.parse_de62),
    "nac 63": (st.builds(nac.Totals, st.tuples(*[groups] * 6)), nac.format_de63, nac.parse_de63),
    "iso87 90": (
        st.builds(iso87.OriginalData, digits(4), digits(6), digits(10), digits(11), digits(11)),
        iso87.format_de90,
        iso87.parse_de90,
    ),
    "iso87 97": (st.integers(-(10**16) + 1, 10**16 - 1), iso87.format_de97, iso87.parse_de97),
}


@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
def test_what_is_written_is_read_back(name: str, data: st.DataObject) -> None:
    values, write, read = LAYOUTS[name]
    value = data.draw(values)
    assert read(write(value)) == value


@pytest.mark.parametrize("name", LAYOUTS)
@given(text=st.one_of(digits(0, 100), st.text(st.characters(max_codepoint=255), max_size=100)))
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    """A terminal can send anything: DecodeError is the only exception that may come out."""
    offset = refused_at(LAYOUTS[name][2], text)
    assert offset is None or 0 <= offset <= len(text)


@given(st.lists(minor(10), min_size=8, max_size=8), st.lists(minor(12), min_size=8, max_size=8))
def test_iso87_totals(numbers: list[int], figures: list[int]) -> None:
    totals = iso87.Totals(*numbers, *figures)
    assert len(fields(totals)) == 16
    written = iso87.format_totals(totals)
    assert iso87.parse_totals(written) == totals
    assert iso87.parse_de97(written[97]) == totals.net


@given(
    st.lists(
        st.builds(
            tlv.Tlv, st.sampled_from(["82", "91", "72", "9F36", "9F10", "DF810C", "5A"]), st.binary(max_size=300)
        ),
        max_size=8,
    )
)
def test_tlv(items: list[tlv.Tlv]) -> None:
    assert tlv.parse(tlv.build(items)) == items


@given(st.binary(max_size=60))
def test_any_bytes_are_tlv_or_refused(data: bytes) -> None:
    offset = refused_at(tlv.parse, data)
    assert offset is None or 0 <= offset <= len(data)


@given(pans, digits(4), digits(3), digits(0, 12), st.sampled_from("D="))
def test_track2(pan: str, expiry: str, service_code: str, discretionary: str, separator: str) -> None:
    track = Track2(pan, expiry, service_code, discretionary)
    assert parse_track2(track.format(separator)) == track


@given(pans, digits(0, 14), keys16)
def test_track_encryption(pan: str, tail: str, tdk: bytes) -> None:
    track = f"{pan}D3012{tail}"
    encrypted = security.encrypt_track(track, tdk)
    assert len(encrypted) == len(track)
    assert security.decrypt_track(encrypted, tdk) == track


@given(digits(4, 12), st.one_of(st.none(), pans), st.one_of(keys8, keys16))
def test_pin_block(pin: str, pan: str | None, key: bytes) -> None:
    assert security.pin_from_block(security.pin_block(pin, pan, key), pan, key) == pin


@given(st.binary(min_size=8, max_size=8), st.one_of(st.none(), pans), keys16)
def test_any_pin_block_is_a_pin_or_unreadable(block: bytes, pan: str | None, key: bytes) -> None:
    try:
        pin = security.pin_from_block(block, pan, key)
    except SecurityError:
        return
    assert pin.isdigit()
    assert 4 <= len(pin) <= 12


@given(st.sampled_from([8, 16]), keys16, st.sampled_from([24, 40, 60]), keys16, keys16, keys16)
def test_working_keys(mak_bytes: int, tmk: bytes, layout: int, pik: bytes, mak: bytes, tdk: bytes) -> None:
    if layout == 24:
        keys = security.WorkingKeys(pik[:8], mak[:8])
    else:
        keys = security.WorkingKeys(pik, mak[:mak_bytes], tdk if layout == 60 else None)
    wrapped = security.wrap_keys(tmk, keys, layout)
    assert len(wrapped) == layout
    assert security.unwrap_keys(tmk, wrapped) == keys


@given(
    st.dictionaries(st.integers(2, 128), st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)),
    st.sampled_from(["cup", "nac", "iso87"]),
    st.sampled_from(["0200", "0220", "0320", "0330", "0500", "0510", "0800", "0810"]),
)
def test_any_message_can_be_shown(values: dict[int, str], family: str, mti: str) -> None:
    """Logs and `decode` show what strangers send: neither masking nor sub-fields may raise."""
    message = Message(mti, values)
    describe_subfields(message, family)
    masked = mask_fields(values)
    assert masked.keys() == values.keys()
    assert all(len(masked[de]) == len(value) for de, value in values.items() if de != 55)


@given(pans, st.sampled_from([2, 34, 35, 36, 45]), digits(0, 12))
def test_a_card_number_never_survives_masking(pan: str, de: int, tail: str) -> None:
    value = pan if de in (2, 34) else f"{pan}D3012{tail}"
    assert pan not in mask_fields({de: value})[de]
