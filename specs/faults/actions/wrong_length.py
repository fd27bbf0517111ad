"""A length header that lies (failure-catalogue 74)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value
from specs.framing import LARGEST, LENGTH_BYTES


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    kind, by = passage.dialect.frame.length, int(params["by"])
    own = LENGTH_BYTES[kind]
    header, payload = passage.frame[:own], passage.frame[own:]
    if not own:
        return [Put(passage.frame)]
    said = _read(header, kind) + by if by else 0
    return [Put(_written(min(max(said, 0), LARGEST[kind]), kind) + payload)]


def _read(header: bytes, kind: str) -> int:
    if kind == "bin2":
        return int.from_bytes(header, "big")
    return int(header.hex() if kind == "bcd2" else header)


def _written(length: int, kind: str) -> bytes:
    if kind == "bin2":
        return length.to_bytes(2, "big")
    return bytes.fromhex(f"{length:04d}") if kind == "bcd2" else b"%04d" % length


ACTION = Action(
    "wrong-length",
    (Place.WIRE,),
    "the length header says `by` bytes more; below zero, less. The bytes after it are all there",
    (Param("by", "signed", 0, "0 = the header says 0, a keep-alive"),),
    on_frame=_on_frame,
)
