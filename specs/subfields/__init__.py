"""Sub-fields of private data elements: one module per family, and what `decode --json` shows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from specs import tlv
from specs.errors import DecodeError
from specs.masking import SENSITIVE_TAGS, mask_pan, mask_text
from specs.message import Message
from specs.subfields import cup, iso87, nac
from specs.track2 import parse_track2

Show = Callable[[str, Message, bool], object]
"""(value, message, clear) -> dataclasses, dicts, lists and plain values; None: nothing to show. Raises: DecodeError."""


def describe_subfields(msg: Message, family: str, *, clear: bool = False) -> dict[str, object]:
    """The sub-fields of a message, DE -> JSON-ready value, masked unless `clear`.

    An element that its layout cannot read is `{"error": …}`; one that has no sub-fields, or that was misread, is left
    out.
    """
    shown: dict[str, object] = {}
    masked = msg.masked()
    for de, show in sorted({**_EVERY_FAMILY, **_BY_FAMILY.get(family, {})}.items()):
        value = msg.get(de) if clear or de in _MASKED_BY_PART else masked.get(de)
        if value is None or (de in msg.doubtful and not clear):
            continue
        try:
            described = show(value, msg, clear)
        except DecodeError as error:
            shown[str(de)] = {"error": f"at {error.offset}: expected {error.expected}, got {error.got}"}
        else:
            if described is not None:
                shown[str(de)] = _plain(described, clear)
    return shown


_MASKED_BY_PART = frozenset({35, 48, 55, 62})
"""Read in clear, so that their parts are found; of the others a card number might be cut in two by the layout."""


def _stars(value: str) -> str:
    return "*" * len(value)


_SECRET_PARTS: Mapping[str, Callable[[str], str]] = {"pan": mask_pan, "expiry": _stars, "discretionary": _stars}
"""Attribute of a sub-field dataclass -> its masker."""


def _plain(value: Any, clear: bool) -> object:
    """Dataclasses become dicts without their absent parts."""
    if is_dataclass(value):
        parts = {column.name: getattr(value, column.name) for column in fields(value)}
        return {
            name: _SECRET_PARTS.get(name, mask_text)(part)
            if isinstance(part, str) and not clear
            else _plain(part, clear)
            for name, part in parts.items()
            if part is not None and part != ""
        }
    if isinstance(value, Mapping):
        return {name: mask_text(part) if isinstance(part, str) and not clear else part for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part, clear) for part in value]
    return value


def _of(parse: Callable[[str], object]) -> Show:
    return lambda value, _msg, _clear: parse(value)


# --- every family ---


def _track(value: str, msg: Message, _clear: bool) -> object:
    """Only a clear track has parts to show."""
    encrypted = (msg.get(53) or "")[2:3] == "1"
    return None if encrypted else parse_track2(value)


def _chip(value: str, _msg: Message, clear: bool) -> object:
    """Pairs of tag and value, since tags may repeat."""
    try:
        items = tlv.parse(bytes.fromhex(value))
    except ValueError:
        raise DecodeError(55, 0, "hex", "other characters") from None
    return [[item.tag, _tag_value(item, clear)] for item in items]


def _tag_value(item: tlv.Tlv, clear: bool) -> str:
    text = item.value.hex().upper()
    return text if clear or not (item.tag in SENSITIVE_TAGS or item.constructed) else _stars(text)


_EVERY_FAMILY: Mapping[int, Show] = {35: _track, 55: _chip}


# --- CUP ---


def _cup_additional(value: str, msg: Message, _clear: bool) -> object:
    """What DE 48 holds is told by MTI and 60.3."""
    function = (msg.get(60) or "")[8:11]
    match msg.mti[:3], function:
        case "050" | "051", _:
            return cup.parse_settlement(value)
        case "032", "201":
            return cup.parse_upload(value)
        case "033", "201":
            return {"items": cup.parse_upload_count(value)}
        case "032" | "033", "202" | "207":
            return {"items": cup.parse_upload_end(value)}
        case ("022" | "023", _) | ("032", "000"):  # the latter is the copy of an adjustment
            return {"tip": cup.parse_tip(value)}
    return None


def _cup_private_62(value: str, msg: Message, clear: bool) -> object:
    """Serial number of a sign-on request, wrapped keys of its answer; other downloads are not opened."""
    function = (msg.get(60) or "")[8:11]
    if function not in ("001", "003", "004"):
        return None
    if msg.mti == "0800":
        return cup.parse_serial(value)
    keys = cup.parse_keys(value)
    return {"layout": len(keys), "keys": value if clear else _stars(value)}


def _cup_private_63(value: str, msg: Message, _clear: bool) -> object:
    """Operator in requests of management and settlement, organisation and remarks elsewhere."""
    private = cup.parse_de63(value)
    if msg.mti in ("0800", "0500", "0510"):
        return {"operator": private.organisation.rstrip()}
    remarks = {
        "issuer_remark": private.issuer_remark,
        "centre_remark": private.centre_remark,
        "acquirer_remark": private.acquirer_remark,
    }
    read = {name: cup.remark_text(remark) for name, remark in remarks.items() if remark is not None}
    return {"organisation": private.organisation, **{name: text for name, text in read.items() if text}}


# --- NAC ---


def _nac_private_60(value: str, msg: Message, _clear: bool) -> object:
    """Six digits are a batch number in settlement only (rules.md 1)."""
    if len(value) == 6 and msg.mti[:3] not in ("050", "051"):
        return None
    return nac.parse_de60(value)


def _nac_invoice(value: str, _msg: Message, _clear: bool) -> object:
    return {"invoice": nac.parse_de62(value)}


def _nac_totals(value: str, msg: Message, _clear: bool) -> object:
    """Totals of a 0500; a 0510 may carry text for the slip instead."""
    if msg.mti[:3] == "050" or (msg.mti[:3] == "051" and value.isdigit()):
        return dict(zip(nac.GROUP_NAMES, map(_group, nac.parse_de63(value).groups), strict=False))
    return None


def _group(group: nac.Group) -> dict[str, int]:
    return {"count": group.count, "minor": group.minor}


def _nac_amount(value: str, _msg: Message, _clear: bool) -> object:
    amount = nac.parse_de54(value)
    return {"minor": amount} if isinstance(amount, int) else amount


_BY_FAMILY: Mapping[str, Mapping[int, Show]] = {
    "cup": {
        22: _of(cup.parse_de22),
        44: _of(cup.parse_de44),
        48: _cup_additional,
        53: _of(cup.parse_de53),
        54: _of(cup.parse_de54),
        60: _of(cup.parse_de60),
        61: _of(cup.parse_de61),
        62: _cup_private_62,
        63: _cup_private_63,
    },
    "nac": {54: _nac_amount, 60: _nac_private_60, 62: _nac_invoice, 63: _nac_totals},
    "iso87": {
        54: _of(iso87.parse_de54),
        90: _of(iso87.parse_de90),
        97: lambda value, _msg, _clear: {"minor": iso87.parse_de97(value)},
    },
}
