"""What each action does to a frame: against hand-made bytes and real messages (protocol/vectors.json)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from specs import dialect
from specs.codec import decode_payload, encode_payload
from specs.dialect import Dialect
from specs.faults import Across, Action, Behind, Effect, End, Fault, Passage, Place, Put, With
from specs.faults.actions import ACTIONS
from specs.faults.checking import KINDS, effects
from specs.faults.model import Value
from specs.framing import FrameReader, frame
from specs.message import Message

CUP = dialect.load("cup")
NAC = dialect.load("nac")
VECTORS = {row["name"]: row for row in json.loads(Path("tests/vectors/vectors.json").read_text("utf8"))}
PURCHASE = bytes.fromhex(VECTORS["cup-0210-purchase-yuantu"]["hex"])
# Length 16, TPDU, header, and five bytes that are no message: enough for actions that do not read.
PLAIN = bytes.fromhex("0010 6000030000 603100000000 0102030405".replace(" ", ""))


def of(
    name: str, sent: bytes = PLAIN, at: str = "wire/H>T/0210", spoken: Dialect = CUP, **params: object
) -> list[Effect]:
    try:
        message = decode_payload(sent[2:], spoken) if sent is not PLAIN else None
    except Exception:
        message = None
    return effects(Fault(at, name, params), Passage(sent, spoken, message))  # type: ignore[arg-type]


def single(made: list[Effect]) -> bytes:
    (put,) = made
    assert isinstance(put, Put)
    assert put.after_s == 0.0
    return put.data


def test_the_frame_of_the_tests_is_one() -> None:
    assert FrameReader(CUP.frame).feed(PLAIN) == [PLAIN[2:]]


def test_nothing_and_drop() -> None:
    assert of("nothing") == [Put(PLAIN)]
    assert of("drop") == []


def test_delay_dup_and_their_times() -> None:
    assert of("delay", seconds=45) == [Put(PLAIN, 45.0)]
    assert of("dup") == [Put(PLAIN), Put(PLAIN)]
    assert of("dup", n=2, gap=1.5) == [Put(PLAIN), Put(PLAIN, 1.5), Put(PLAIN, 3.0)]


def test_what_waits_for_others() -> None:
    assert of("reorder") == [Behind(PLAIN, 1)]
    assert of("reorder", frames=3) == [Behind(PLAIN, 3)]
    assert of("coalesce") == [With(PLAIN, 5.0)]
    assert of("cross", tid="T0000002") == [Across(PLAIN, "T0000002")]


@pytest.mark.parametrize("how", ["reset", "fin", "half-open"])
def test_ends_of_a_connection_lose_the_frame(how: str) -> None:
    assert of(how) == [End(how)]


def test_truncate_counts_the_length_header() -> None:
    assert of("truncate", n=7) == [Put(bytes.fromhex("00106000030000")), End("reset")]
    assert of("truncate") == [Put(PLAIN[:9]), End("reset")]  # 18 bytes


def test_split_into_pieces() -> None:
    parts = of("split", sizes="1,3", gap=0.5)
    assert parts == [Put(b"\x00"), Put(bytes.fromhex("106000"), 0.5), Put(PLAIN[4:], 1.0)]
    assert [p.data for p in of("split") if isinstance(p, Put)] == [PLAIN[:1], PLAIN[1:]]
    assert of("split", sizes="100,5") == [Put(PLAIN)]  # longer than the frame: one piece


def test_drip_sends_each_byte_at_its_time() -> None:
    puts = of("drip", rate=4)
    assert [put.data for put in puts if isinstance(put, Put)] == [PLAIN[i : i + 1] for i in range(18)]
    assert [put.after_s for put in puts if isinstance(put, Put)] == [i / 4 for i in range(18)]


def test_drip_of_a_long_frame_has_64_pieces_and_takes_as_long() -> None:
    assert len(PURCHASE) == 165
    puts = [put for put in of("drip", PURCHASE, rate=2) if isinstance(put, Put)]
    assert len(puts) == 64
    assert b"".join(put.data for put in puts) == PURCHASE
    assert puts[-1].after_s == 82.0  # 164 gaps of half a second
    assert {len(put.data) for put in puts[:-1]} == {1}


@pytest.mark.parametrize(
    ("by", "header"), [(0, "0000"), (1, "0011"), (-1, "000f"), (16, "0020"), (-100, "0000"), (1_000_000, "ffff")]
)
def test_wrong_length_changes_the_header_alone(by: int, header: str) -> None:
    assert single(of("wrong-length", by=by)) == bytes.fromhex(header) + PLAIN[2:]


@pytest.mark.parametrize(
    ("kind", "before", "by", "after"),
    [
        ("bcd2", bytes.fromhex("0016"), 5, bytes.fromhex("0021")),
        ("ascii4", b"0016", -7, b"0009"),
        ("ascii4", b"0016", 0, b"0000"),
        ("none", b"", 5, b""),
    ],
)
def test_wrong_length_in_other_headers(kind: str, before: bytes, by: int, after: bytes) -> None:
    spoken = dialect.with_options(CUP, length=kind)
    assert single(of("wrong-length", before + PLAIN[2:], spoken=spoken, by=by)) == after + PLAIN[2:]


def test_corrupt_turns_one_byte_counted_from_the_mti() -> None:
    assert single(of("corrupt", byte=2)) == PLAIN[:-3] + b"\xfc\x04\x05"  # 03 turned
    assert single(of("corrupt")) == PLAIN[:-5] + b"\xfe\x02\x03\x04\x05"
    assert single(of("corrupt", byte=999)) == PLAIN[:-1] + b"\xfa"


def values(sent: bytes, spoken: Dialect = CUP) -> dict[int, str]:
    return dict(decode_payload(sent[2:], spoken).fields)


@pytest.mark.parametrize(("de", "other"), [(4, 1), (11, 1), (39, "01"), (41, None)])
def test_corrupt_makes_a_field_say_something_else_and_keeps_the_length(de: int, other: object) -> None:
    spoilt = single(of("corrupt", PURCHASE, field=de))
    assert len(spoilt) == len(PURCHASE)
    assert spoilt[:2] == PURCHASE[:2]
    told, was = values(spoilt), VECTORS["cup-0210-purchase-yuantu"]["fields"]
    assert {number for number in told if told[number] != was[str(number)]} == {de}
    if isinstance(other, int):
        assert int(told[de]) == int(was[str(de)]) + other
    elif other:
        assert told[de] == other


def test_corrupt_of_a_field_that_is_not_there_changes_nothing() -> None:
    assert single(of("corrupt", PURCHASE, field=35)) == PURCHASE
    assert single(of("corrupt", PLAIN, field=4)) == PLAIN


def test_corrupt_of_a_field_that_was_written_otherwise() -> None:
    """A filler of F where we would write 0: the message reads the same, and is changed where it stands."""
    message = decode_payload(PURCHASE[2:], CUP).with_fields({2: "6216261000000000018"})
    odd = frame(encode_payload(message, CUP), CUP.frame)
    odd = odd.replace(bytes.fromhex("62162610000000000180"), bytes.fromhex("6216261000000000018F"))
    assert values(odd)[2] == "6216261000000000018"
    spoilt = single(of("corrupt", odd, field=39))
    assert len(spoilt) == len(odd)
    assert sum(a != b for a, b in zip(spoilt, odd, strict=True)) == 1
    assert values(spoilt)[39] == "01"


def test_bad_mac_turns_every_bit_of_a_mac_only() -> None:
    assert PURCHASE[-8:] == b"51D8741E"
    assert single(of("bad-mac", PURCHASE)) == PURCHASE[:-8] + bytes.fromhex("CACEBBC7C8CBCEBA")
    plain = bytes.fromhex(VECTORS["nac-0410-reversal-crediban"]["hex"])
    assert single(of("bad-mac", plain, spoken=NAC)) == plain
    assert single(of("bad-mac")) == PLAIN


def test_bad_mac_in_hex_stays_hex() -> None:
    spoken = dialect.load("cup", {"binary": "hex"})
    message = decode_payload(PURCHASE[2:], CUP)
    written = frame(encode_payload(message, spoken), spoken.frame)
    spoilt = single(of("bad-mac", written, spoken=spoken))
    assert decode_payload(spoilt[2:], spoken)[64] == "CACEBBC7C8CBCEBA"


def test_answer_says_the_code_and_is_sealed_by_who_has_the_key() -> None:
    message = decode_payload(PURCHASE[2:], CUP)
    sealed: list[Message] = []

    def reseal(changed: Message) -> bytes:
        sealed.append(changed)
        return b"sealed"

    passage = Passage(PURCHASE, CUP, message, reseal)
    assert effects(Fault("wire/H>T/0210", "answer", {"rc": "05"}), passage) == [Put(b"sealed")]
    assert sealed[0][39] == "05"
    assert 38 not in sealed[0]
    without = single(of("answer", PURCHASE, rc="51"))
    assert values(without)[39] == "51"
    assert without[-8:] == PURCHASE[-8:]  # nobody here knows the key: the MAC stays, and is wrong


def test_every_action_of_the_catalogue_is_there() -> None:
    catalogue = {
        *("drop", "delay", "dup", "reorder", "corrupt", "truncate", "wrong-length", "split", "coalesce", "drip"),
        *("bad-mac", "answer", "cross", "reset", "fin", "half-open", "refuse", "down"),
        *("stop", "torn-write", "lost-write", "disk-full", "paper-out"),
        *("silence", "late", "outage", "lose-after-issuer"),
        *("rekey", "rekey-on", "query", "clear-rev", "force-settle", "swap", "forget"),
        *("skew", "cutoff-now", "holiday", "prompt"),
    }
    assert set(ACTIONS) == catalogue | {"nothing"}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_each_action_is_one_small_file_and_said_in_one_line(action: Action) -> None:
    file = Path(f"specs/faults/actions/{action.name.replace('-', '_')}.py")
    assert file.exists()
    assert len(file.read_text("utf8").splitlines()) < 100
    assert action.places
    assert action.meaning
    assert "|" not in action.meaning  # it stands in a table
    for param in action.params:
        assert param.kind in KINDS
        assert param.meaning


@pytest.mark.parametrize("name", [n for n, a in ACTIONS.items() if a.on_frame and Place.WIRE in a.places])
def test_no_action_on_a_frame_fails_on_rubbish(name: str) -> None:
    known: dict[str, dict[str, Value]] = {"delay": {"seconds": 1}, "answer": {"rc": "05"}, "cross": {"tid": "T2"}}
    given = known.get(name, {})
    for spoken in (CUP, NAC, replace(CUP)):
        for rubbish in (b"\x00", b"\x00\x01\x02", PLAIN[:9], b"\xff" * 300):
            for effect in effects(Fault("wire/H>T", name, given), Passage(rubbish, spoken)):
                assert effect is not None
