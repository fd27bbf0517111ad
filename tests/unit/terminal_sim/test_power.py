"""The power fails before and after every named step; then the terminal boots, the day is finished, and the books agree.

The expected points are written out: a step that a change makes unreachable would else pass unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from specs.operation import Kind
from specs.totals import BatchItem
from terminal_sim.flash import STEPS
from terminal_sim.moves import End, Order, Sale, Settle, SignOn, Void
from tests.support.scripted_host import drop
from tests.support.till import CARD, FOREIGN, Till, agree

NTH_MAX = 12


def _ready(dialect: str) -> Till:
    till = Till(dialect)
    if dialect == "cup":
        till.press(SignOn())
    till.press(Sale(100, CARD))
    till.press(Sale(200, CARD))
    till.press(Sale(300, FOREIGN))
    return till


def _nothing(till: Till) -> None:
    pass


def _dispute(till: Till) -> None:
    till.host.extra = [BatchItem(Kind.SALE, 4200)]


def _owe(till: Till) -> None:
    till.host.faults["0200", 4] = drop
    assert till.press(Sale(400, CARD)).end is End.UNKNOWN


def _first_0510_lost(till: Till) -> None:
    till.host.faults["0500", 1] = drop
    assert till.press(Settle()).end is End.UNANSWERED


@dataclass(frozen=True)
class Scene:
    """What is prepared, which order is cut, and how often each step is reached in CUP and in NAC."""

    prepare: Callable[[Till], None]
    order: Callable[[Till], Order]
    cup: dict[str, int]
    nac: dict[str, int]


_MONEY = {"stan": 1, "rev-store": 1, "send": 1, "recv": 1, "journal": 1, "print": 1}
_LINE = {"send": 1, "recv": 1}
SCENES = {
    "sale": Scene(_nothing, lambda till: Sale(500, CARD), _MONEY, _MONEY),
    "void": Scene(_nothing, lambda till: Void(stan=till.memory.rows[0].stan), _MONEY, _MONEY),
    "sale-behind-a-reversal": Scene(
        _owe,
        lambda till: Sale(500, CARD),
        _MONEY | {"send": 2, "recv": 2, "rev-clear": 1},
        _MONEY | {"send": 2, "recv": 2, "rev-clear": 1},
    ),
    "sign-on": Scene(
        _nothing,
        lambda till: SignOn(),
        {"stan": 1, **_LINE, "key-store": 1},
        {"stan": 1, **_LINE, "key-store": 1},
    ),
    "settle-agreed": Scene(
        _nothing,
        lambda till: Settle(),
        {"freeze": 1, "stan": 2, "send": 2, "recv": 2, "settle-pending": 1, "archive": 1, "print": 1},
        {"freeze": 1, "stan": 1, **_LINE, "archive": 1, "print": 1},
    ),
    "settle-again": Scene(
        _first_0510_lost,
        lambda till: Settle(),
        {"stan": 2, "send": 2, "recv": 2, "settle-pending": 1, "archive": 1, "print": 1},
        {"stan": 1, **_LINE, "archive": 1, "print": 1},
    ),
    "settle-disputed": Scene(
        _dispute,
        lambda till: Settle(),
        {"freeze": 1, "stan": 3, "send": 3, "recv": 3, "settle-pending": 1, "upload-flag": 1, "archive": 1, "print": 1},
        {"freeze": 1, "stan": 5, "send": 5, "recv": 5, "settle-pending": 1, "upload-flag": 3, "archive": 1, "print": 1},
    ),
}


@pytest.mark.parametrize("dialect", ["cup", "nac"])
@pytest.mark.parametrize("name", SCENES)
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
    assert reached == (scene.cup if dialect == "cup" else scene.nac)


def _cut(scene: Scene, dialect: str, step: str, when: str, nth: int) -> bool:
    """One run with one cut, finished after it; whether the point was reached at all."""
    till = _ready(dialect)
    scene.prepare(till)
    if not till.press_and_cut(scene.order(till), step, when, nth):
        return False
    till.power_up()
    assert till.memory.pending is None, "the boot must have settled what was owed"
    if dialect == "cup" and not till.memory.signed_on:
        till.press(SignOn())
    for _ in range(3):
        if till.press(Settle()).end is End.NOTHING:
            break
    assert till.memory.rows == ()
    agree(till)
    for number, staged in till.host.ended.items():
        closed = next(c for c in till.memory.archive if c.batch == number)
        assert set(staged) in (set(), {row.stan for row in closed.rows if _uploads(till, row)})
    _one_set_of_totals_a_batch(till)
    return True


def _uploads(till: Till, row: object) -> bool:
    return not (till.wire.name == "cup" and row.foreign)  # type: ignore[attr-defined]


def _one_set_of_totals_a_batch(till: Till) -> None:
    """RT6 seen from the host: every 0500 of one batch claims the same."""
    claims: dict[str, set[str]] = {}
    for message in till.host.sent("0500"):
        claims.setdefault(message[60], set()).add(message[48] if till.wire.name == "cup" else message[63])
    assert all(len(claim) == 1 for claim in claims.values())


def test_a_sale_cut_before_its_slip_can_be_printed_again() -> None:
    """Case 16: the row is there, the paper is not; the operator reprints and does not charge again."""
    till = _ready("cup")
    slips = len(till.screen.slips)
    assert till.press_and_cut(Sale(500, CARD), "print", "before")
    assert len(till.screen.slips) == slips
    till.power_up()
    slip = till.memory.last_slip
    assert slip is not None
    assert "CNY 5.00" in slip.copies[0]
    assert till.memory.rows[-1].stan in slip.copies[0]


def test_a_second_cut_in_the_boot_that_mends_the_first() -> None:
    """The 0400 is sent again and undone once."""
    for step in ("send", "recv", "rev-clear"):
        for when in ("before", "after"):
            till = _ready("cup")
            assert till.press_and_cut(Sale(500, CARD), "recv", "after")
            assert till.power_up_and_cut(Sale(600, CARD), step, when)
            till.power_up()
            till.press(Settle())
            agree(till)


def test_the_upload_after_a_cut_goes_on_where_it_stopped() -> None:
    """Case 36 [V5S restarts at item 1]: no record is sent twice once its flag is set."""
    till = _ready("nac")
    _dispute(till)
    assert till.press_and_cut(Settle(), "upload-flag", "after", nth=2)
    till.power_up(Settle())
    assert [m[60][4:10] for m in till.host.sent("0320")] == ["000001", "000002", "000003"]
