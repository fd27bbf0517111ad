"""The time line as rows. Expected values are worked out by hand from hand-made events."""

from __future__ import annotations

import pytest

from terminal_sim.lab.report import layout
from terminal_sim.lab.report.layout import Sort, Spot, chapters
from terminal_sim.lab.report.shape import EventShape, FaultShape


def an_event(at: float, text: str = "x", lane: str = "flash", step: int = 0, **changes: object) -> EventShape:
    event = {"at": at, "step": step, "lane": lane, "who": "T0000001", "text": text, "point": "", "fault": False}
    return {**event, "from_books": False, **changes}  # type: ignore[typeddict-item]


def a_fault(at: str, action: str, **changes: object) -> FaultShape:
    lost = action in ("drop", "down")
    fault = {"at": at, "action": action, "text": "", "fired": 1, "lost": lost, "since": 0.0, "until": 0.0}
    return {**fault, **changes}  # type: ignore[typeddict-item]


def spots(events: list[EventShape], *faults: FaultShape) -> list[Spot]:
    return [spot for chapter in chapters(events, faults) for row in chapter.rows for spot in row]


# ---- how long a wait is drawn


def test_a_moment_takes_no_room() -> None:
    assert layout.gap_px(0) == 0
    assert layout.gap_px(-0.001) == 0


def test_a_longer_wait_is_never_drawn_shorter() -> None:
    waits = [0, 0.02, 0.5, 1, 5, 30, 60, 600, 3600, 46_800, 86_400, 10 * 86_400]
    drawn = [layout.gap_px(wait) for wait in waits]
    assert drawn == sorted(drawn)


def test_a_day_is_compressed_to_the_most_that_a_wait_gets() -> None:
    assert layout.gap_px(10 * 86_400) == layout.GAP_MAX_PX == 34
    assert layout.gap_px(1e12) == layout.GAP_MAX_PX


@pytest.mark.parametrize(
    ("wait_s", "label"),
    [(0.9, ""), (1, "+1 s"), (1.5, "+1.5 s"), (30, "+30 s"), (90, "+1 min 30 s"), (600, "+10 min"), (46_140, "+12 h")],
)
def test_a_wait_that_people_notice_is_written_out_and_has_room_for_it(wait_s: float, label: str) -> None:
    assert layout.gap_label(wait_s) == label
    assert not label or layout.gap_px(wait_s) >= layout.LABEL_PX


# ---- frames


@pytest.mark.parametrize(
    ("point", "column", "rightward"),
    [
        ("wire/T0000001>H/0200#1", "wire", True),
        ("wire/H>T0000001/0210#1", "wire", False),
        ("wire/H>I/0420#2", "link", True),
        ("wire/I>H/0430#1", "link", False),
    ],
)
def test_a_frame_is_an_arrow_between_its_two_ends(point: str, column: str, rightward: bool) -> None:
    (spot,) = spots([an_event(0, "0200 sale", "wire", point=point)])
    assert (spot.sort, spot.column, spot.rightward) == (Sort.FRAME, column, rightward)


@pytest.mark.parametrize(
    ("lane", "text", "column", "rightward"),
    [("wire", "0410 ok", "wire", False), ("issuer", "0200 debit", "link", True), ("issuer", "0210 yes", "link", False)],
)
def test_a_frame_without_a_point_goes_where_its_mti_says(lane: str, text: str, column: str, rightward: bool) -> None:
    (spot,) = spots([an_event(0, text, lane)])
    assert (spot.sort, spot.column, spot.rightward) == (Sort.FRAME, column, rightward)


def test_a_word_on_the_wire_that_is_no_frame_stays_a_note() -> None:
    (spot,) = spots([an_event(0, "connection refused", "wire")])
    assert spot.sort is Sort.NOTE


def test_a_dropped_frame_is_lost_and_says_by_which_fault() -> None:
    event = an_event(0, "0210 00 · STAN 000003 ✗ drop", "wire", point="wire/H>T0000001/0210#2", fault=True)
    (spot,) = spots([event], a_fault("wire/T>H/0200#1", "drop", fired=0), a_fault("wire/H>T/0210#2", "drop"))
    assert (spot.lost, spot.late, spot.fault, spot.action) == (True, False, 2, "drop")
    assert spot.text == "0210 00 · STAN 000003"


def test_a_delayed_frame_is_late_and_not_lost() -> None:
    event = an_event(0, "0210 ✗ delay", "wire", point="wire/H>T0000001/0210#1", fault=True)
    (spot,) = spots([event], a_fault("wire/H>T0000001/0210#1", "delay"))
    assert (spot.lost, spot.late) == (False, True)


def test_a_frame_into_a_line_that_is_down_is_lost() -> None:
    event = an_event(0, "0200 sale lost", "wire", point="wire/T0000001>H/0200#1", fault=True)
    (spot,) = spots([event], a_fault("link/T", "down"))
    assert (spot.lost, spot.fault, spot.text) == (True, 1, "0200 sale")


@pytest.mark.parametrize(
    ("at", "point", "strikes"),
    [
        ("wire/T>H/0200#2", "wire/T0000001>H/0200#2", True),
        ("wire/T>H/0200#2", "wire/T0000001>H/0200#1", False),
        ("wire/T>H/0200", "wire/T0000001>H/0200#7", True),
        ("wire/T0000002>H/0200", "wire/T0000001>H/0200#1", False),
        ("wire/H>T/0210", "wire/H>I/0210#1", False),
        ("crash/T/journal.before#1", "crash/T0000001/journal.before#1", True),
        ("crash/T/journal.before", "crash/H/commit.before#1", False),
        ("conn/T#3", "conn/T0000001#3", True),
        ("link/T0000001", "conn/T0000001#1", True),
        ("link/T0000002", "conn/T0000001#1", False),
        ("link/T", "crash/T0000001/journal.before#1", False),
    ],
)
def test_which_fault_strikes_at_a_point(at: str, point: str, strikes: bool) -> None:
    assert layout.fault_at(point, [a_fault(at, "drop")]) == int(strikes)


def test_the_fault_that_names_the_point_most_exactly_is_the_one() -> None:
    faults = [a_fault("link/T", "down"), a_fault("wire/T>H/0200", "delay"), a_fault("wire/T>H/0200#1", "drop")]
    assert layout.fault_at("wire/T0000001>H/0200#1", faults) == 3
    assert layout.fault_at("wire/T0000001>H/0200#2", faults) == 2
    assert layout.fault_at("wire/T0000001>H/0400#1", faults) == 1


@pytest.mark.parametrize(
    ("text", "action"),
    [("journal: no room", "disk-full"), ("journal: torn", "torn-write"), ("journal LOST", "lost-write")],
)
def test_a_fault_without_a_point_is_found_by_the_word_for_it(text: str, action: str) -> None:
    faults = [a_fault("wire/T>H/0200", "drop"), a_fault("store/T/journal", action)]
    assert layout.fault_named(text, faults) == 2


# ---- crashes


CUT = an_event(1, "power cut before journal", point="crash/T0000001/journal.before#1", fault=True)


def test_a_crash_is_told_once_and_switches_the_terminals_lanes_off_until_it_is_heard_of_again() -> None:
    events = [
        an_event(0, "reversal stored"),
        CUT,
        an_event(1, "power off", fault=True),
        an_event(5, "0400", "wire"),
        an_event(21, "power on"),
        an_event(21, "ready", "screen"),
    ]
    found = spots(events, a_fault("crash/T/journal.before#1", "stop"))
    assert [spot.text for spot in found] == ["reversal stored", "power cut before journal", "0400", "power on", "ready"]
    assert [spot.sort is Sort.BREAK for spot in found] == [False, True, False, False, False]
    assert [spot.off for spot in found] == [(), (), ("screen", "flash"), (), ()]
    assert found[3].off_before == ("screen", "flash")


def test_a_host_that_crashed_is_off_in_its_own_lane_only() -> None:
    events = [
        an_event(0, "crash commit.after", "host", who="H", point="crash/H/commit.after#1", fault=True),
        an_event(0, "the host process is gone", "host", who="H", fault=True),
        an_event(3, "unknown", "screen"),
        an_event(5, "the host starts again", "host", who="H"),
    ]
    found = spots(events, a_fault("crash/H/commit.after#1", "stop"))
    assert [spot.column for spot in found] == ["host", "screen", "host"]
    assert [spot.off for spot in found] == [(), ("host",), ()]


def test_the_wire_is_off_while_a_line_is_down() -> None:
    events = [an_event(at, "waits", "operator") for at in (0, 10, 15, 20, 30)]
    found = spots(events, a_fault("link/T", "down", since=10.0, until=20.0))
    assert [spot.off for spot in found] == [(), ("wire",), ("wire",), (), ()]


# ---- rows and chapters


def test_events_of_one_moment_share_a_row_only_from_left_to_right() -> None:
    events = [an_event(1, "captures", "host"), an_event(1, "+1.00", "merchant"), an_event(1, "stored", "flash")]
    (chapter,) = chapters(events, [])
    assert [[spot.text for spot in row] for row in chapter.rows] == [["captures", "+1.00"], ["stored"]]
    assert chapter.count == 3


def test_events_of_two_moments_never_share_a_row() -> None:
    (chapter,) = chapters([an_event(1, "a", "operator"), an_event(1.02, "b", "host")], [])
    assert len(chapter.rows) == 2


def test_a_fault_has_its_row_for_itself() -> None:
    events = [an_event(1, "a", "operator"), an_event(1, "no paper", "screen", fault=True), an_event(1, "b", "host")]
    (chapter,) = chapters(events, [])
    assert [len(row) for row in chapter.rows] == [1, 1, 1]
    assert chapter.eventful


def test_a_chapter_is_what_one_step_did() -> None:
    events = [an_event(0, step=-1), an_event(1, step=0), an_event(2, step=0), an_event(3, step=1), an_event(4, step=-1)]
    assert [(chapter.step, chapter.count) for chapter in chapters(events, [])] == [(-1, 1), (0, 2), (1, 1), (-1, 1)]


def test_nothing_happened() -> None:
    assert chapters([], []) == []
