"""DE 62 of the CUP downloads: terminal parameters, CA public keys, IC parameters (cup.md 5.10), for both ends.

The host asks `answer`; the terminal builds its requests with `list_request` and the items of a page, and reads what it
gets with the `parse_` functions. What is handed out stands in downloads.toml; the file is read at the first use.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from specs import tlv
from specs.errors import DecodeError, DialectError
from specs.tlv import Tlv

FUNCTIONS = ("360", "361", "362", "370", "371", "372", "380", "381", "382")
"""60.3 of every download, and of the status upload (362)."""

PAGE_ITEMS = 20
"""Items of one page of a list: the largest entry has 23 bytes, DE 62 holds 512."""
_NOTHING, _COMPLETE, _MORE, _LAST = b"0", b"1", b"2", b"3"
_FILE = "downloads.toml"


# --- values ---


@dataclass(frozen=True, slots=True)
class CaKey:
    """The public key of a scheme. Shape: rid, index, expiry (YYYYMMDD) as text, all else bytes."""

    rid: str
    index: str
    expiry: str
    modulus: bytes
    exponent: bytes
    checksum: bytes

    @property
    def genuine(self) -> bool:
        """Whether the checksum is that of the key: SHA-1 over RID, index, modulus and exponent."""
        return hashlib.sha1(self._head + self.modulus + self.exponent, usedforsecurity=False).digest() == self.checksum

    @property
    def _head(self) -> bytes:
        return bytes.fromhex(self.rid + self.index)

    def request(self) -> bytes:
        """DE 62 that asks for this key (370)."""
        return tlv.build([Tlv("9F06", bytes.fromhex(self.rid)), Tlv("9F22", bytes.fromhex(self.index))])

    def listed(self) -> bytes:
        """The key's entry in the list (372), 23 bytes."""
        return self.request() + tlv.build([Tlv("DF05", self.expiry.encode("ascii"))])

    def whole(self) -> bytes:
        """The key in the order of the wire (370)."""
        tags = (
            *(("DF06", _SHA_1), ("DF07", _RSA), ("DF02", self.modulus)),
            *(("DF04", self.exponent), ("DF03", self.checksum)),
        )
        return self.listed() + tlv.build(Tlv(tag, value) for tag, value in tags)


_SHA_1 = _RSA = b"\x01"


@dataclass(frozen=True, slots=True)
class IcParameters:
    """What a terminal is told of one application. Shape: aid in hex; (tag, value) pairs in hex, in order."""

    aid: str
    tags: tuple[tuple[str, str], ...]

    def request(self) -> bytes:
        """DE 62 that asks for this application (380); also its entry in the list (382)."""
        return tlv.build([Tlv("9F06", bytes.fromhex(self.aid))])

    def whole(self) -> bytes:
        """The parameters in the order of the wire (380)."""
        return self.request() + tlv.build(Tlv(tag, bytes.fromhex(value)) for tag, value in self.tags)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. Shape: items = DE 62 of the request for each; more = ask again, with the number received."""

    items: tuple[bytes, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Parameter:
    tag: str
    name: str
    width: int
    value: str


@dataclass(frozen=True, slots=True)
class _Store:
    keys: tuple[CaKey, ...]
    applications: tuple[IcParameters, ...]
    parameters: tuple[_Parameter, ...]


# --- the file ---


@lru_cache(maxsize=1)
def _store() -> _Store:
    """Raises: DialectError."""
    table = tomllib.loads(files("specs").joinpath(_FILE).read_text("utf-8"))
    try:
        keys = tuple(_key(row) for row in table["ca_key"])
        tags = tuple(table["ic_parameters"]["tags"].items())
        applications = tuple(IcParameters(aid, tags) for aid in table["ic_parameters"]["aids"])
        parameters = tuple(_Parameter(**row) for row in table["parameter"])
    except (KeyError, TypeError, ValueError) as error:
        raise DialectError(_FILE, "", str(error)) from error
    if wrong := next((key for key in keys if not key.genuine), None):
        raise DialectError(_FILE, f"ca_key {wrong.index}", "the checksum is of another key")
    return _Store(keys, applications, parameters)


def _key(row: Mapping[str, str]) -> CaKey:
    modulus, exponent, checksum = (bytes.fromhex(row[name]) for name in ("modulus", "exponent", "checksum"))
    return CaKey(row["rid"], row["index"], row["expiry"], modulus, exponent, checksum)


# --- the host's answers ---


def answer(function: str, request: bytes, merchant_name: str) -> bytes:
    """DE 62 of the answer; empty where the answer carries none (361, 362, 371, 381).

    request: DE 62 as sent; one that cannot be read asks for the start of a list, and for no item.
    """
    assert function in FUNCTIONS, function
    maker = _ANSWERS.get(function)
    return maker(request, merchant_name) if maker else b""


def _parameters(request: bytes, merchant_name: str) -> bytes:
    told = {p.tag: p.value for p in _store().parameters} | {_MERCHANT_NAME: merchant_name}
    return b"".join(p.tag.encode() + _filled(told[p.tag], p.width) for p in _store().parameters)


_MERCHANT_NAME = "22"


def _filled(text: str, width: int) -> bytes:
    """GBK, blank filled; a character that does not fit whole is left out, one that GBK lacks becomes `?`."""
    fits, size = b"", 0
    for character in (c.encode("gbk", "replace") for c in text):
        size += len(character)
        if size > width:
            break
        fits += character
    return fits.ljust(width)


def page(entries: Sequence[bytes], request: bytes) -> bytes:
    """A page of a list from the number already received on (`1` and N2)."""
    start = int(request[1:3]) if len(request) >= 3 and request[1:3].isdigit() else 0
    taken = entries[start : start + PAGE_ITEMS]
    if not taken:
        return _NOTHING
    return (_MORE if start + len(taken) < len(entries) else _COMPLETE) + b"".join(taken)


def _item(known: Iterable[CaKey | IcParameters], request: bytes) -> bytes:
    wanted = _named(request)
    return next((_COMPLETE + item.whole() for item in known if item.request() == wanted), _NOTHING)


def _named(request: bytes) -> bytes:
    """The tags that name an item, in their order; empty for what cannot be read."""
    try:
        return tlv.build(item for item in tlv.parse(request, de=62) if item.tag in _NAMES)
    except DecodeError:
        return b""


_NAMES = ("9F06", "9F22")

_ANSWERS: Mapping[str, Callable[[bytes, str], bytes]] = {
    "360": _parameters,
    "370": lambda request, _: _item(_store().keys, request),
    "372": lambda request, _: page([key.listed() for key in _store().keys], request),
    "380": lambda request, _: _item(_store().applications, request),
    "382": lambda request, _: page([aid.request() for aid in _store().applications], request),
}


# --- the terminal's requests and parsers ---


def list_request(received: int) -> bytes:
    """DE 62 of a list request (372, 382) that has `received` items already."""
    assert 0 <= received <= 99, received
    return b"1%02d" % received


def parse_list(data: bytes) -> Page:
    """A page of the answer to 372 or 382. Raises: DecodeError."""
    kind = _kind(data, (_NOTHING, _COMPLETE, _MORE, _LAST))
    items: list[list[Tlv]] = []
    for item in tlv.parse(data[1:], de=62):
        if item.tag == "9F06":
            items.append([item])
        elif not items:
            raise DecodeError(62, 1, "tag 9F06 at the start of an item", item.tag)
        elif item.tag in _NAMES:
            items[-1].append(item)
    return Page(tuple(tlv.build(item) for item in items), kind == _MORE)


def parse_key(data: bytes) -> CaKey | None:
    """The answer to 370; None = the host has no such key. Raises: DecodeError."""
    if (found := _whole_item(data)) is None:
        return None
    told = {item.tag: item.value for item in found}
    for tag in ("9F06", "9F22", "DF05", "DF02", "DF04", "DF03"):
        if tag not in told:
            raise DecodeError(62, 1, f"tag {tag} of a public key", "absent")
    expiry = told["DF05"]
    text = expiry.decode("ascii", "replace") if len(expiry) == 8 else expiry.hex()  # some send it in BCD
    return CaKey(told["9F06"].hex().upper(), told["9F22"].hex().upper(), text, told["DF02"], told["DF04"], told["DF03"])


def parse_ic_parameters(data: bytes) -> IcParameters | None:
    """The answer to 380; None = the host has no such application. Raises: DecodeError."""
    if (found := _whole_item(data)) is None:
        return None
    if not found or found[0].tag != "9F06":
        raise DecodeError(62, 1, "tag 9F06 first", found[0].tag if found else "nothing")
    pairs = tuple((item.tag, item.value.hex().upper()) for item in found[1:])
    return IcParameters(found[0].value.hex().upper(), pairs)


def parse_parameters(data: bytes) -> tuple[tuple[str, str], ...]:
    """The answer to 360 as (tag, value) pairs, without blank filling; `parameter_name` names a tag.

    Raises: DecodeError, also for a tag of unknown width: nothing after it could be found.
    """
    widths = {p.tag: p.width for p in _store().parameters}
    at, found = 0, []
    while at < len(data):
        tag = data[at : at + 2].decode("ascii", "replace")
        width = widths.get(tag)
        if width is None:
            raise DecodeError(62, at, "a tag of a terminal parameter", "another one")
        value = data[at + 2 : at + 2 + width]
        if len(value) < width:
            raise DecodeError(62, at + 2, f"{width} characters of parameter {tag}", f"{len(value)}")
        found.append((tag, value.decode("gbk", "replace").rstrip()))
        at += 2 + width
    return tuple(found)


def parameter_name(tag: str) -> str:
    """What a terminal parameter is; the tag itself when it is not known."""
    return next((p.name for p in _store().parameters if p.tag == tag), tag)


def _whole_item(data: bytes) -> list[Tlv] | None:
    return tlv.parse(data[1:], de=62) if _kind(data, (_NOTHING, _COMPLETE)) != _NOTHING else None


def _kind(data: bytes, known: tuple[bytes, ...]) -> bytes:
    if data[:1] not in known:
        raise DecodeError(62, 0, f"one of {', '.join(k.decode() for k in known)}", "another character")
    return data[:1]
