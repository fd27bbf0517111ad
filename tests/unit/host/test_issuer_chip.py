"""The issuer and the chip: ARQC, ARPC, scripts, and cards it does not know. Cryptograms: tests.support.chip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from host.engine.events import Ask, IssuerAnswer
from host.errors import StoreUnavailable
from host.issuer.cards import index_test_cards
from host.issuer.chip import look
from host.issuer.scripts import SCRIPTS_MAX, ScriptError, ScriptTable
from host.rows import IssuerAccount, Leg, Txn
from specs.bins import BinRange, Bins
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from specs.testcards import load_test_cards
from tests.support import chip
from tests.support.engine import CUP, ISO87, NAC, a_card
from tests.support.host_engine import EngineHost

CREDIT, DEBIT, PARTIAL = "6223164991230014", "6216261000000000018", "6250946000000016"
STOLEN, UNKNOWN, FOREIGN = "6200000000000047", "6212345678901265", "4012888888881881"
PROFILES = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=lambda p: p.family)
COMMAND = "8424000008112233445566778899"


@pytest.fixture
def host() -> Iterator[EngineHost]:
    made = EngineHost("sqlite://")
    yield made
    made.store.close()


def with_scripts(host: EngineHost) -> ScriptTable:
    host.link.scripts = ScriptTable(host.store.pan_hash_key, index_test_cards(host.store.pan_hash_key))
    return host.link.scripts


def sell(host: EngineHost, data: bytes | None, pan: str = CREDIT, *, stan: int = 1, **more: Any) -> str:
    """The code of a sale of 100.00 (or `amount`)."""
    kind = more.pop("kind", Kind.SALE)
    (code,) = host.ask(kind, stan=stan, **({"amount": 10_000} | more), card=a_card(pan), chip=data)
    return code


def arqc(txn: Txn) -> str:
    return str(json.loads(txn.chip or "{}").get("arqc", ""))


def notes(host: EngineHost, data: bytes, pan: str = CREDIT) -> tuple[str, ...]:
    """What is noted with the answer to a sale."""
    heard: list[tuple[str, ...]] = []
    request = host.request(Kind.SALE, stan=77, amount=10_000, card=a_card(pan), chip=data)
    host.runner.submit(request, lambda _, decision, __: heard.append(tuple(map(str, decision.notes))))
    host.run()
    return heard[-1]


# ---- the cryptogram


@PROFILES
def test_a_good_cryptogram_is_answered_with_the_issuers_own(profile: Profile) -> None:
    """EMV book 2, 8.2.1; cup.md 5.6: 36 and 91 in the answer."""
    host = EngineHost("sqlite://", profile=profile)
    data = chip.request(CREDIT, 10_000, atc=7)
    assert sell(host, data) == "00"
    outcome = host.heard[-1][1]
    assert outcome is not None
    assert outcome.chip is not None
    assert chip.tags(outcome.chip) == {"9F36": b"\x00\x07", "91": chip.arpc(CREDIT, data, "00") + b"00"}
    assert arqc(host.txn(1)) == "good"


def test_a_replay_repeats_the_same_91(host: EngineHost) -> None:
    data = chip.request(CREDIT, 10_000)
    with_scripts(host).add("credit1", [COMMAND])
    assert [sell(host, data), sell(host, data)] == ["00", "00"]
    first, again = (outcome.chip for _, outcome in host.heard if outcome is not None)
    assert first is not None
    assert "72" in chip.tags(first)
    assert again == first
    assert host.money() == (10_000, 10_000)


@pytest.mark.parametrize("tag", ["9F26", *chip.COVERED])
def test_one_flipped_bit_is_refused(host: EngineHost, tag: str) -> None:
    values = chip.tags(chip.request(CREDIT, 10_000))
    values[tag] = bytes([values[tag][0] ^ 1]) + values[tag][1:]
    assert sell(host, chip.build(values)) == "05"
    assert arqc(host.txn(1)) == "bad"
    assert host.money() == (0, 0)
    assert host.heard[-1][1] is not None
    assert host.heard[-1][1].chip is None


def test_the_cryptogram_of_another_card_is_wrong(host: EngineHost) -> None:
    data = chip.request(DEBIT, 10_000)
    assert notes(host, data) == ("ARQC wrong",)


@pytest.mark.parametrize("pan", [UNKNOWN, "6205500000000000004"], ids=["no test card", "a test card without a key"])
def test_a_card_without_a_key_is_accepted_with_a_note(host: EngineHost, pan: str) -> None:
    data = chip.request(CREDIT, 10_000)
    refused = pan != UNKNOWN  # nofunds has no funds, and that is all it is refused for
    assert sell(host, data, pan) == ("51" if refused else "00")
    assert arqc(host.txn(1)) == "not-checked"
    assert "ARQC not checked: no key of this card" in notes(host, data, pan)
    assert host.txn(1).chip_answer == ""


@pytest.mark.parametrize("tag", ["9F26", *chip.COVERED])
def test_a_missing_tag_is_noted_and_does_not_refuse(host: EngineHost, tag: str) -> None:
    values = chip.tags(chip.request(CREDIT, 10_000))
    del values[tag]
    data = chip.build(values)
    assert sell(host, data) == "00"
    assert (arqc(host.txn(1)), host.txn(1).chip_answer) == ("not-checked", "")
    assert notes(host, data) == (f"ARQC not checked: tag {tag}: absent",)


def test_data_that_cannot_be_read_are_30_and_not_shown(host: EngineHost) -> None:
    data = chip.request(CREDIT, 10_000)[:-1]
    assert sell(host, data) == "30"
    (note,) = notes(host, data)
    assert note == "DE 55 cannot be read: expected 1 bytes of value"
    assert host.money() == (0, 0)


def test_a_partial_approval_has_an_arpc_over_10(host: EngineHost) -> None:
    cards = load_test_cards()
    keyed = replace(cards["partial"], chip_key=chip.IMK.hex().upper(), sequence="001")
    host.link.cards = index_test_cards(host.store.pan_hash_key, {"partial": keyed})
    data = chip.request(PARTIAL, 10_000)
    assert sell(host, data, PARTIAL) == "10"
    answer = chip.tags(bytes.fromhex(host.txn(1).chip_answer))
    assert answer["91"] == chip.arpc(PARTIAL, data, "10") + b"10"


def test_a_yes_by_magic_amount_has_an_arpc_over_its_code() -> None:
    """rules.md: 1,000.11 answers 11 (VIP); 1,000.10 half of it with 10."""
    host = EngineHost("sqlite://", profile=CUP)
    host.runner.settings = replace(host.settings, magic=True)
    for stan, code in ((1, "11"), (2, "10")):
        amount = 100_000 + int(code)
        data = chip.request(CREDIT, amount)
        assert sell(host, data, stan=stan, amount=amount) == code
        answer = chip.tags(bytes.fromhex(host.txn(stan).chip_answer))
        assert answer["91"] == chip.arpc(CREDIT, data, code) + code.encode()


@pytest.mark.parametrize("kind", [Kind.CASH_BACK, Kind.PRE_AUTH])
def test_other_requests_are_checked_too(host: EngineHost, kind: Kind) -> None:
    bad = chip.request(CREDIT, 9_999) + b""
    forged = bad.replace(bytes.fromhex("9F0206000000009999"), bytes.fromhex("9F0206000000010000"))
    assert forged != bad
    assert sell(host, forged, kind=kind) == "05"
    assert sell(host, chip.request(CREDIT, 10_000), kind=kind, stan=2) == "00"
    assert arqc(host.txn(2)) == "good"


def test_a_balance_inquiry_gets_its_arpc(host: EngineHost) -> None:
    data = chip.request(CREDIT, 0, kind="31")
    assert sell(host, data, kind=Kind.BALANCE, amount=None) == "00"
    answer = chip.tags(bytes.fromhex(host.txn(1).chip_answer))
    assert answer["91"] == chip.arpc(CREDIT, data, "00") + b"00"


def test_what_the_chip_decided_by_itself_is_noted_and_not_checked(host: EngineHost) -> None:
    values = chip.tags(chip.request(CREDIT, 10_000)) | {"9F27": b"\x40", "9F26": bytes.fromhex("AABBCCDDEEFF0011")}
    assert sell(host, chip.build(values), kind=Kind.OFFLINE_SALE, advice=True) == "00"
    assert json.loads(host.txn(1).chip) == {"tc": "AABBCCDDEEFF0011"}
    assert host.txn(1).chip_answer == ""


# ---- its place in the order: card, chip, PIN, funds


def test_the_card_comes_first(host: EngineHost) -> None:
    keyed = replace(load_test_cards()["stolen"], chip_key=chip.IMK.hex().upper(), sequence="001")
    host.link.cards = index_test_cards(host.store.pan_hash_key, {"stolen": keyed})
    assert sell(host, chip.request(CREDIT, 1), STOLEN) == "43"


def test_then_the_chip_then_funds(host: EngineHost) -> None:
    keyed = replace(load_test_cards()["nofunds"], chip_key=chip.IMK.hex().upper(), sequence="001")
    host.link.cards = index_test_cards(host.store.pan_hash_key, {"nofunds": keyed})
    assert sell(host, chip.request(CREDIT, 10_000), keyed.pan) == "05"
    assert sell(host, chip.request(keyed.pan, 10_000), keyed.pan, stan=2) == "51"


# ---- scripts


def test_a_script_rides_once_on_the_next_approved_answer_of_its_card(host: EngineHost) -> None:
    """EMV book 3, 10.10: 72 with the identifier 9F18 and one 86 a command."""
    table = with_scripts(host)
    script = table.add("credit1", [COMMAND, "8416000004AABBCCDD"])
    inside = bytes.fromhex("9F1804" + f"{script.id:08X}" + "860E" + COMMAND + "8609" + "8416000004AABBCCDD")
    assert sell(host, chip.request(DEBIT, 10_000), DEBIT, stan=1) == "00"
    bad = chip.tags(chip.request(CREDIT, 10_000)) | {"9F37": b"1234"}
    assert sell(host, chip.build(bad), stan=2) == "05"
    assert sell(host, None, stan=3) == "00"
    assert [sell(host, chip.request(CREDIT, 10_000, atc=n), stan=n) for n in (4, 5)] == ["00", "00"]
    with_72 = [chip.tags(bytes.fromhex(host.txn(n).chip_answer)).get("72") for n in (1, 2, 3, 4, 5)]
    assert with_72 == [None, None, None, inside, None]
    assert [(s.sent, s.times) for s in table.list()] == [(1, 1)]


def test_two_answers_of_one_group_do_not_share_a_script(host: EngineHost) -> None:
    with_scripts(host).add(CREDIT, [COMMAND])
    for stan in (1, 2):
        data = chip.request(CREDIT, 10_000, atc=stan)
        host.submit(host.request(Kind.SALE, stan=stan, amount=10_000, card=a_card(CREDIT), chip=data))
    host.run()
    assert ["72" in chip.tags(bytes.fromhex(host.txn(n).chip_answer)) for n in (1, 2)] == [True, False]


def test_a_script_that_was_not_said_waits_for_the_next_answer(
    host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The issuer's commit fails: it has decided nothing, so the script has not gone out."""
    table = with_scripts(host)
    table.add("credit1", [COMMAND])
    commit = type(host.store).commit

    def refuse(store: object, rows: Any) -> None:
        if any(isinstance(row, IssuerAccount) for row in rows):
            raise StoreUnavailable("full")
        commit(store, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(type(host.store), "commit", refuse)
    data = chip.request(CREDIT, 10_000)
    host.submit(host.request(Kind.SALE, stan=1, amount=10_000, card=a_card(CREDIT), chip=data))
    host.run()
    assert [s.sent for s in table.list()] == [0]


def test_its_result_is_kept_with_the_transaction(host: EngineHost) -> None:
    with_scripts(host).add("credit1", [COMMAND])
    sell(host, chip.request(CREDIT, 10_000))
    result = bytes.fromhex("DF31052000000001")
    named = OriginalRef(stan="000001", batch="000001")
    assert host.ask(Kind.SCRIPT_RESULT, stan=9, advice=True, chip=result, original=named) == ["00"]
    assert json.loads(host.txn(1).chip) == {"arqc": "good", "script": "2000000001"}


@pytest.mark.parametrize(
    ("card", "commands", "times", "where"),
    [
        ("nobody", [COMMAND], 1, "/card"),
        ("qr1", [COMMAND], 1, "/card"),
        (UNKNOWN, [COMMAND], 1, "/card"),
        ("credit1", [], 1, "/commands"),
        ("credit1", ["842400"], 1, "/commands/0"),
        ("credit1", [COMMAND, "84240"], 1, "/commands/1"),
        ("credit1", ["84" * 119], 1, ""),
        ("credit1", ["84" * 120], 1, "/commands"),
        ("credit1", [COMMAND], 0, "/times"),
    ],
)
def test_what_a_script_may_be(host: EngineHost, card: str, commands: list[str], times: int, where: str) -> None:
    """Room: 7 bytes of identifier, 2 of each command's tag and length; 128 in all."""
    table = with_scripts(host)
    if not where:
        assert len(table.add(card, commands, times).value) == 128
        return
    with pytest.raises(ScriptError) as caught:
        table.add(card, commands, times)
    assert caught.value.where == where
    assert UNKNOWN not in str(caught.value)


def test_scripts_have_a_bound_and_come_and_go(host: EngineHost) -> None:
    table = with_scripts(host)
    made = [table.add("credit1", [COMMAND]) for _ in range(SCRIPTS_MAX)]
    with pytest.raises(ScriptError):
        table.add("credit1", [COMMAND])
    assert (table.remove(made[0].id), table.remove(made[0].id)) == (True, False)
    assert table.add("credit1", [COMMAND]).id == SCRIPTS_MAX + 1
    table.clear()
    assert table.list() == []


# ---- cards that the issuer does not know


def test_unknown_cards_are_refused_when_the_configuration_says_so(host: EngineHost) -> None:
    """14, unless a configured BIN has them; test cards are known."""
    host.runner.settings = replace(host.settings, unknown_cards="refuse")
    host.link.bins = Bins.of([BinRange("401288", "401288", "VIS", "debit")])
    cards = (UNKNOWN, FOREIGN, CREDIT)
    assert [sell(host, None, pan, stan=n) for n, pan in enumerate(cards, 1)] == ["14", "00", "00"]
    assert host.money() == (20_000, 20_000)


def test_unknown_cards_have_the_class_of_their_bin(host: EngineHost) -> None:
    host.link.bins = Bins.of([BinRange("401288", "401288", "VIS", "debit")])
    for stan, pan in enumerate((UNKNOWN, FOREIGN, "5105105105105100", DEBIT), 1):
        assert sell(host, None, pan, stan=stan) == "00"
    assert [a.card_class for a in host.rows(IssuerAccount)] == ["credit", "debit", "foreign", "debit"]


# ---- nothing shows


def test_no_repr_shows_chip_data_or_keys(host: EngineHost) -> None:
    data = chip.request(CREDIT, 10_000)
    script = with_scripts(host).add("credit1", [COMMAND])
    assert sell(host, data) == "00"
    (leg,), (txn,) = host.rows(Leg), host.rows(Txn)
    ask = Ask(leg, undo=False, chip=data)
    looked = look(ask, load_test_cards()["credit1"])
    assert looked.key is not None
    said = IssuerAnswer(1, 1, "debit", True, 1, "", chip=bytes.fromhex(txn.chip_answer))
    text = repr([script, ask, looked, said]).upper()
    for secret in (CREDIT, chip.IMK.hex().upper(), data.hex().upper(), repr(data).upper(), txn.chip_answer, COMMAND):
        assert secret not in text
    assert script.to_json()["card"] == "622316******0014"
