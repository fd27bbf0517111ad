"""Fault rules: which messages they spoil, and what they refuse to be."""

from __future__ import annotations

import pytest

from host.faults import Facts, FaultError, FaultTable, Phase

SALE = Facts(tid="00000001", mti="0200", kind="sale", stan="000005", amount=26800)
VOID = Facts(tid="00000001", mti="0200", kind="void", stan="000006", amount=26800)


def test_a_rule_fires_once_by_default_and_counts_it() -> None:
    table = FaultTable()
    table.add({"match": {"kind": "sale"}, "action": "drop-reply"})
    assert table.fires(VOID, Phase.AFTER_COMMIT) is None
    assert table.fires(SALE, Phase.AFTER_COMMIT) is not None
    assert table.fires(SALE, Phase.AFTER_COMMIT) is None
    (rule,) = table.list()
    assert (rule.seen, rule.fired) == (2, 1)


def test_drop_reply_is_kept_under_the_names_of_the_catalogue() -> None:
    shown = FaultTable().add({"action": "drop-reply"}).to_json()
    assert (shown["action"], shown["at"], shown["phase"]) == ("drop", "wire/H>T", "after-commit")


def test_late_reply_is_a_delay_beyond_the_terminal_s_30_seconds() -> None:
    shown = FaultTable().add({"action": "late-reply"}).to_json()
    assert (shown["name"], shown["action"], shown["delay_s"]) == ("late-reply", "delay", 35.0)


def test_the_phase_decides_when_a_reply_is_lost() -> None:
    table = FaultTable()
    table.add({"action": "drop-reply", "phase": "before-commit"})
    assert table.fires(SALE, Phase.AFTER_COMMIT) is None
    assert table.fires(SALE, Phase.BEFORE_COMMIT) is not None


def test_nth_means_the_nth_matching_message_only() -> None:
    table = FaultTable()
    table.add({"match": {"kind": "sale", "nth": 2}, "action": "reset"})
    fired = [table.fires(f, Phase.AFTER_COMMIT) is not None for f in (SALE, VOID, SALE, SALE)]
    assert fired == [False, False, True, False]
    table.clear()
    table.add({"match": {"kind": "sale", "nth": 2}, "action": "reset", "times": 0})
    assert [table.fires(SALE, Phase.AFTER_COMMIT) is not None for _ in range(4)] == [False, True, False, False]


def test_chance_replays_from_its_seed() -> None:
    def run(seed: int) -> list[bool]:
        table = FaultTable()
        table.add({"action": "drop-request", "times": 0, "probability": 0.5, "seed": seed})
        return [table.fires(SALE, Phase.BEFORE_COMMIT) is not None for _ in range(64)]

    assert run(7) == run(7)
    assert run(7) != run(8)
    assert 10 < sum(run(7)) < 54


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"action": "explode"}, "/action"),
        ({"action": "drop-request", "phase": "after-commit"}, "/phase"),
        ({"action": "answer"}, "/rc"),
        ({"action": "delay", "delay_s": -1}, "/delay_s"),
        ({"action": "delay", "dealy_s": 1}, "/dealy_s"),
        ({"action": "reset", "match": {"kind": "sail"}}, "/match/kind"),
        ({"action": "reset", "match": {"mti": "20"}}, "/match/mti"),
        ({"action": "reset", "match": {"amount": "1.00"}}, "/match/amount"),
        ({"action": "reset", "times": True}, "/times"),
        ({"action": "reset", "rc": "05"}, "/rc"),
        ({"action": "drop-reply", "delay_s": 1}, "/delay_s"),
        ({"action": "corrupt", "byte": 9000}, "/byte"),
        ({"action": "drip", "byte": 1}, "/byte"),
        ({"action": "drip", "phase": "before-commit"}, "/phase"),
    ],
)
def test_a_bad_rule_names_the_key(body: dict[str, object], where: str) -> None:
    with pytest.raises(FaultError) as caught:
        FaultTable().add(body)
    assert caught.value.where == where
