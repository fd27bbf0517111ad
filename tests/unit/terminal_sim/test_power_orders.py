"""The power fails around every step of the orders beyond sale and void; then the day is finished, and the books agree.

The expected points are written out, as in test_power: a step that a change makes unreachable would else pass unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from specs import tlv
from specs.operation import Card, Entry, Kind
from specs.tlv import Tlv
from specs.totals import BatchItem
from terminal_sim.flash import STEPS
from terminal_sim.moves import (
    Adjust,
    Complete,
    Download,
    End,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Sale,
    SendStored,
    Settle,
    SignOn,
    Void,
)
from tests.support.scripted_host import drop
from tests.support.till import CARD, Till, agree

NTH_MAX = 14
CHIP = Card(CARD.pan, CARD.expiry, entry=Entry.CHIP)
ARPC = bytes.fromhex("1122334455667788")


def _ready(dialect: str) -> Till:
    """Rows: a sale, a pre-authorisation."""
    till = Till(dialect)
    if dialect == "cup":
        till.press(SignOn())
    till.press(Sale(10_000, CARD))
    till.press(PreAuth(5_000, CARD))
    return till


def _nothing(till: Till) -> None:
    pass


def _store(till: Till) -> None:
    assert till.press(OfflineSale(400, CARD)).end is End.APPROVED
    assert till.press(Adjust(stan=till.memory.rows[0].stan, tip=500)).end is End.APPROVED


def _lose_a_refund(till: Till) -> None:
    till.host.faults["0220", 1] = drop
    assert till.press(Refund(1_000, stan=till.memory.rows[0].stan)).end is End.UNKNOWN


def _refusing_card(till: Till) -> None:
    till.host.chip = tlv.build([Tlv("91", ARPC + b"05")])


def _script(till: Till) -> None:
    till.host.chip = tlv.build([Tlv("91", ARPC + b"00"), Tlv("72", b"")])
    assert till.press(Sale(300, CHIP)).end is End.APPROVED
    till.host.chip = None


def _dispute_with_stored(till: Till) -> None:
    _store(till)
    till.press(Sale(700, CHIP))
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]


_MONEY = {"stan": 1, "rev-store": 1, "send": 1, "recv": 1, "journal": 1, "print": 1}
_LOCAL = {"stan": 1, "saf-store": 1, "print": 1}
EVERY = ("cup", "nac", "iso87")


@dataclass(frozen=True)
class Scene:
    """What is prepared, which order is cut, and how often each step is reached: in all families unless said apart."""

    prepare: Callable[[Till], None]
    order: Callable[[Till], Order]
    steps: dict[str, int]
    apart: dict[str, dict[str, int]] = field(default_factory=dict)
    families: tuple[str, ...] = EVERY


SCENES = {
    "sale": Scene(_nothing, lambda till: Sale(900, CARD), _MONEY),
    "void": Scene(_nothing, lambda till: Void(stan=till.memory.rows[0].stan), _MONEY),
    "refund": Scene(
        _nothing,
        lambda till: Refund(1_000, stan=till.memory.rows[0].stan),
        _MONEY,
        {"cup": {"stan": 1, "saf-store": 1, "send": 1, "recv": 1, "saf-flag": 1, "print": 1}},
    ),
    "pre-auth": Scene(_nothing, lambda till: PreAuth(900, CARD), _MONEY),
    "pre-auth-void": Scene(_nothing, lambda till: PreAuthVoid(stan=till.memory.rows[1].stan), _MONEY),
    "completion": Scene(_nothing, lambda till: Complete(stan=till.memory.rows[1].stan), _MONEY),
    "completion-advice": Scene(_nothing, lambda till: Complete(stan=till.memory.rows[1].stan, advice=True), _LOCAL),
    "offline-sale": Scene(_nothing, lambda till: OfflineSale(400, CARD), _LOCAL),
    "tip": Scene(_nothing, lambda till: Adjust(stan=till.memory.rows[0].stan, tip=500), _LOCAL),
    # ISO 87 notes before the first send of each item that it is on its way, for the repeat digit of the next
    "send-stored": Scene(
        _store,
        lambda till: SendStored(),
        {"send": 2, "recv": 2, "saf-flag": 2},
        {"iso87": {"send": 2, "recv": 2, "saf-flag": 4}},
    ),
    "sale-behind-stored": Scene(
        _store,
        lambda till: Sale(600, CARD),
        _MONEY | {"send": 3, "recv": 3, "saf-flag": 2},
        {"iso87": _MONEY | {"send": 3, "recv": 3, "saf-flag": 4}},
    ),
    "void-of-an-adjusted-sale": Scene(
        _store,
        lambda till: Void(stan=till.memory.rows[0].stan),
        _MONEY | {"send": 3, "recv": 3, "saf-flag": 2},
        {"iso87": _MONEY | {"send": 3, "recv": 3, "saf-flag": 4}},
    ),
    "sale-behind-a-lost-refund": Scene(
        _lose_a_refund,
        lambda till: Sale(600, CARD),
        _MONEY | {"send": 2, "recv": 2, "saf-flag": 1},
        families=("cup",),
    ),
    "a-card-that-refuses": Scene(
        _refusing_card,
        lambda till: Sale(600, CHIP),
        {"stan": 1, "rev-store": 2, "send": 2, "recv": 2, "rev-clear": 1},
        {"iso87": {"stan": 1, "rev-store": 3, "send": 2, "recv": 2, "rev-clear": 1}},
    ),
    "sale-behind-a-script": Scene(
        _script,
        lambda till: Sale(600, CARD),
        _MONEY | {"send": 2, "recv": 2, "saf-flag": 2},
        families=("cup", "iso87"),
    ),
    "settle-with-stored": Scene(
        _store,
        lambda till: Settle(),
        {"saf-flag": 2, "freeze": 1, "stan": 1, "send": 3, "recv": 3, "archive": 1, "print": 1},
        {
            "cup": {
                "saf-flag": 2,
                "freeze": 1,
                "stan": 2,
                "send": 4,
                "recv": 4,
                "settle-pending": 1,
                "archive": 1,
                "print": 1,
            },
            "iso87": {"saf-flag": 4, "freeze": 1, "stan": 1, "send": 3, "recv": 3, "archive": 1, "print": 1},
        },
    ),
    "settle-disputed": Scene(
        _dispute_with_stored,
        lambda till: Settle(),
        # the TC of the chip sale, 0500, three records (the adjusted sale, the offline sale, the chip sale), 0500; two
        # stored went with the sale
        {
            "saf-flag": 1,
            "freeze": 1,
            "stan": 6,
            "send": 6,
            "recv": 6,
            "settle-pending": 1,
            "upload-flag": 3,
            "archive": 1,
            "print": 1,
        },
        {
            # 0500, copies of offline sale and tip, a TC, 202: only 0500 and 202 take a STAN
            "cup": {
                "freeze": 1,
                "stan": 2,
                "send": 5,
                "recv": 5,
                "settle-pending": 1,
                "upload-flag": 3,
                "archive": 1,
                "print": 1,
            },
            # 0500, 0520
            "iso87": {
                "freeze": 1,
                "stan": 2,
                "send": 2,
                "recv": 2,
                "settle-pending": 1,
                "archive": 1,
                "print": 1,
            },
        },
    ),
    "download": Scene(
        _nothing, lambda till: Download("parameters"), {"send": 2, "recv": 2, "key-store": 1}, families=("cup",)
    ),
}
CELLS = [(name, family) for name, scene in SCENES.items() for family in scene.families]


@pytest.mark.parametrize(("name", "dialect"), CELLS)
def test_a_cut_before_or_after_any_step_leaves_books_that_agree(name: str, dialect: str) -> None:
    scene = SCENES[name]
    reached: dict[str, int] = {}
    for step in STEPS:
        for nth in range(1, NTH_MAX):
            cuts = [_cut(scene, dialect, step, when, nth) for when in ("before", "after")]
            assert cuts[0] == cuts[1], f"{step} #{nth}: reached on one side only"
            if not cuts[0]:
                break
            reached[step] = nth
    assert reached == scene.apart.get(dialect, scene.steps)


def _cut(scene: Scene, dialect: str, step: str, when: str, nth: int) -> bool:
    """One run with one cut, finished after it; whether the point was reached at all."""
    till = _ready(dialect)
    scene.prepare(till)
    if not till.press_and_cut(scene.order(till), step, when, nth):
        return False
    till.host.chip = None
    till.power_up()
    assert till.memory.pending is None, "the boot must have settled what was owed"
    assert not till.memory.stored_rows, "and told what was stored"
    for _ in range(3):
        if till.press(Settle()).end is End.NOTHING:
            break
    assert till.memory.rows == ()
    agree(till)
    claims = {(m.get(60), m.get(15), m.get(48) or m.get(63) or m.get(88)) for m in till.host.sent("0500")}
    batches = {(m.get(60), m.get(15)) for m in till.host.sent("0500")}
    assert len(claims) == len(batches), "RT6: one set of totals a batch"
    return True


@pytest.mark.parametrize("dialect", EVERY)
def test_an_offline_sale_cut_before_its_slip_counts_and_can_be_printed_again(dialect: str) -> None:
    till = _ready(dialect)
    slips = len(till.screen.slips)
    assert till.press_and_cut(OfflineSale(400, CARD), "print", "before")
    assert len(till.screen.slips) == slips
    till.power_up()
    assert till.memory.last_slip is not None
    assert till.memory.rows[-1].stan in till.memory.last_slip.copies[0]


def test_an_upload_of_copies_and_chip_items_goes_on_where_it_stopped() -> None:
    """Case 36: no record twice once its flag is set."""
    till = _ready("cup")
    _dispute_with_stored(till)
    assert till.press_and_cut(Settle(), "upload-flag", "after", nth=2)
    till.power_up(Settle())
    uploaded = [stan for _, stan, _ in till.host.uploaded]
    assert len(uploaded) == len(set(uploaded)) == 3
