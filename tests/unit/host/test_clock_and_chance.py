"""Time that never goes back, chance that replays, and a hash that hides a card number."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from host import chance
from host.chance import Chance
from host.clock import Clock, ClockError, zone
from host.errors import ConfigError
from host.flight import InFlight, back_off
from host.pan_hash import pan_hash
from tests.support.books import a_leg

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_frozen_clock_moves_by_hand_only() -> None:
    clock = Clock(UTC, START, running=False)
    assert clock.now() == clock.now() == START
    assert clock.advance(90) == START + timedelta(seconds=90)
    assert clock.set(START + timedelta(days=1)) == START + timedelta(days=1)
    assert not clock.running


def test_it_never_goes_back() -> None:
    clock = Clock(UTC, START, running=False)
    with pytest.raises(ClockError, match="never goes back"):
        clock.set(START - timedelta(seconds=1))
    with pytest.raises(ClockError):
        clock.advance(-1)
    assert clock.now() == START


def test_a_machine_whose_clock_is_set_back_holds_ours_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """NTP or a person turns the machine back an hour: deadlines and ids in the books must not."""
    times = [START, START + timedelta(seconds=5), START - timedelta(hours=1)]
    monkeypatch.setattr("host.clock._machine", lambda: times[0])
    clock = Clock(UTC)
    seen = []
    while times:
        seen.append(clock.now())
        times.pop(0)
    assert seen == [START, START + timedelta(seconds=5), START + timedelta(seconds=5)]


def test_it_can_be_moved_while_it_waits_for_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = [START]
    monkeypatch.setattr("host.clock._machine", lambda: machine[0])
    clock = Clock(UTC)
    assert clock.now() == START
    machine[0] -= timedelta(hours=1)
    assert clock.advance(60) == START + timedelta(seconds=60)
    machine[0] += timedelta(seconds=5)
    assert clock.now() == START + timedelta(seconds=65)


def test_deadlines_do_not_notice_a_machine_whose_clock_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer's answer must not be overdue at once after a leap, nor never after a step back."""
    machine, seconds = [START], [1000.0]
    monkeypatch.setattr("host.clock._machine", lambda: machine[0])
    monkeypatch.setattr("host.clock.monotonic", lambda: seconds[0])
    clock = Clock(UTC)
    flight = InFlight()
    leg = replace(a_leg(1), state="asking", deadline=(START + timedelta(seconds=20)).isoformat())
    flight.note(leg, clock.now(), clock.steady())
    machine[0] += timedelta(hours=1)
    assert flight.due(clock.steady()) == [], "a leap of the wall clock"
    machine[0] -= timedelta(hours=3)
    seconds[0] += 19
    assert flight.due(clock.steady()) == []
    seconds[0] += 2
    assert flight.due(clock.steady()) == [(leg.id, leg.txn_id)], "the wall clock stands, the deadline passes"


def test_a_clock_that_is_moved_or_frozen_takes_its_deadlines_along(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [1000.0]
    monkeypatch.setattr("host.clock.monotonic", lambda: seconds[0])
    clock = Clock(UTC)
    begun = clock.steady()
    clock.advance(60)
    seconds[0] += 1
    assert clock.steady() - begun == timedelta(seconds=61)
    clock.freeze()
    seconds[0] += 100
    clock.advance(9)
    assert clock.steady() - begun == timedelta(seconds=70)
    clock.run()
    seconds[0] += 2
    assert clock.steady() - begun == timedelta(seconds=72)


def test_it_runs_from_where_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = [START]
    monkeypatch.setattr("host.clock._machine", lambda: machine[0])
    clock = Clock(UTC, datetime(2030, 1, 1, tzinfo=UTC))
    machine[0] += timedelta(seconds=10)
    assert clock.now() == datetime(2030, 1, 1, 0, 0, 10, tzinfo=UTC)
    clock.freeze()
    machine[0] += timedelta(hours=1)
    assert clock.now() == datetime(2030, 1, 1, 0, 0, 10, tzinfo=UTC)
    clock.run()
    machine[0] += timedelta(seconds=1)
    assert clock.now() == datetime(2030, 1, 1, 0, 0, 11, tzinfo=UTC)


def test_the_business_date_is_the_hosts_own_day() -> None:
    """17:30 in Greenwich is tomorrow in Shanghai."""
    clock = Clock(SHANGHAI, datetime(2026, 3, 2, 17, 30, tzinfo=UTC), running=False)
    assert clock.business_date() == date(2026, 3, 3)
    assert clock.now().isoformat() == "2026-03-03T01:30:00+08:00"


def test_a_start_without_a_zone_is_in_the_hosts() -> None:
    assert Clock(SHANGHAI, datetime(2026, 3, 2, 9), running=False).now() == datetime(2026, 3, 2, 1, tzinfo=UTC)  # noqa: DTZ001


def test_an_unknown_zone_is_named() -> None:
    assert zone("") is None
    with pytest.raises(ConfigError, match="Mars/Base"):
        zone("Mars/Base")


def test_keys_have_odd_parity_and_replay_from_the_seed() -> None:
    first, again, other, later = Chance(7), Chance(7), Chance(8), Chance(7, start=100)
    key = first.new_key(16)
    assert all(byte.bit_count() % 2 == 1 for byte in key)
    assert again.new_key(16) == key
    assert len({key, first.new_key(16), other.new_key(16), later.new_key(16)}) == 4


def test_secrets_follow_from_seed_and_label() -> None:
    assert chance.secret(7, "a") == chance.secret(7, "a")
    assert len({chance.secret(7, "a"), chance.secret(7, "b"), chance.secret(8, "a")}) == 3
    assert len(chance.secret(7, "a")) == 32


def test_a_fresh_seed_fits_a_json_number_and_differs() -> None:
    seeds = {chance.fresh_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert all(0 <= seed < 2**62 for seed in seeds)


def test_a_card_hash_is_keyed_and_an_absent_card_has_none() -> None:
    """HMAC-SHA-256 (RFC 2104), first 128 bits."""
    key, pan = b"k" * 32, "6223164991230014"
    assert pan_hash(key, pan) == hmac.new(key, pan.encode(), hashlib.sha256).hexdigest()[:32]
    assert pan_hash(b"l" * 32, pan) != pan_hash(key, pan)
    assert pan_hash(key, "") == ""


def test_the_back_off_doubles_up_to_a_minute() -> None:
    assert [back_off(n).seconds for n in range(9)] == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off(10_000) == timedelta(seconds=60)


def test_a_leg_that_is_done_is_out_of_sight() -> None:
    flight = InFlight()
    flight.note(a_leg(1), START)
    flight.note(a_leg(1, "done"), START)
    assert len(flight) == 0
    assert flight.due(START + timedelta(days=1)) == []
