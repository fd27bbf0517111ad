"""closeout.toml: what is read, what wins, and the one line about the first mistake."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from psec.des import encrypt_tdes_ecb

from host.commands import config as command
from host.commands import keys
from host.config import Configuration, provision, read, ready
from host.engine.working import Needs
from host.errors import ConfigError
from host.store.store import open_store
from specs.bins import BinRange, Bins

TMK = "0123456789ABCDEFFEDCBA9876543210"
OTHER_TMK = "11111111111111112222222222222222"
TMK_CHECK_VALUE = "08D7B4FB"
"""Worked out with another implementation (psec) below."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("CLOSEOUT_")]:
        monkeypatch.delenv(name)


def written(folder: Path, text: str) -> Path:
    path = folder / "closeout.toml"
    path.write_text(text, "utf8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        ready(read(path))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_without_a_file_everything_has_its_default() -> None:
    settings = ready(read(None)).settings
    assert (settings.provisioning, settings.terminal_reset, settings.currency) == ("auto", "epoch", "156")


def test_strict_keeps_a_terminal_that_starts_again_unless_told_otherwise(tmp_path: Path) -> None:
    assert ready(read(written(tmp_path, 'provisioning = "strict"'))).settings.terminal_reset == "keep"
    both = 'provisioning = "strict"\nterminal_reset = "epoch"'
    assert ready(read(written(tmp_path, both))).settings.terminal_reset == "epoch"


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "[limits]\namount_max = 500\nissuer_timeout_s = 7\n")
    monkeypatch.setenv("CLOSEOUT_LIMITS__AMOUNT_MAX", "700")
    limits = read(path).limits
    assert (limits.amount_max, limits.issuer_timeout_s) == (700, 7)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('provisioning = "anyone"', 1, "provisioning"),
        ("magik = true", 1, "magik"),
        ("\n[limits]\nissuer_timeout_s = 0", 3, "limits.issuer_timeout_s"),
        ('[[merchant]]\nmid = "1"\n[[terminal]]\ntid = "T0000002"\nmid = "1"\ntmk = "12"', 6, "terminal.0.tmk"),
        ('[[card]]\nname = "x"\npan = "6222021234567890121"\nexpiry = "3012"', 3, "card.0.pan"),
        ('[[card]]\nname = "x"\npan = "6222021234567890128"\nexpiry = "3013"', 4, "card.0.expiry"),
        ('[[bin]]\nlow = "62"\nhigh = "63"\norganisation = "CUP"\nclass = "gold"', 5, "bin.0.class"),
        ('currency = "CNY"', 1, "currency"),
        ("[limits]\namount_max = 500.00", 2, "limits.amount_max"),
        ("[limits]\nwire_log_days = 99999999", 2, "limits.wire_log_days"),  # no clock goes back so far
        ("[limits]\nwrite_buffer_bytes = 99999999999999999999999", 2, "limits.write_buffer_bytes"),
        ('[[card]]\nname = "x"\npan = "6222021234567890128"\nexpiry = "3012"\nbalance = 5.0', 5, "card.0.balance"),
        ('[[card]]\nnam = "x"\npan = "6222021234567890128"\nexpiry = "3012"', 2, "card.0.nam"),
        ('[[merchant]]\nmid = "1"\n[[terminal]]\ntid = "T0001"\nmid = "1"', 4, "terminal.0.tid"),
        ('timezone = "Moon/Base"', 1, "timezone"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_key(tmp_path: Path, text: str, line: int, key: str) -> None:
    path = written(tmp_path, text)
    assert refused(path).startswith(f"{path}:{line}: {key}: ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[[terminal]]\ntid = "T0000001"\nmid = "M"', "merchant M is not among"),
        ('[[merchant]]\nmid = "1"\n[[merchant]]\nmid = "1"', "merchant.mid 1 is given twice"),
        ('[[bin]]\nlow = "620"\nhigh = "62"\norganisation = "CUP"', "same number of digits"),
        ('[[card]]\nname = "credit1"\npan = "6222021234567890128"\nexpiry = "3012"', "documented test card"),
        ("provisioning = ", "Invalid value"),
    ],
)
def test_tables_that_contradict_each_other(tmp_path: Path, text: str, what: str) -> None:
    assert what in refused(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.toml" in refused(tmp_path / "nowhere.toml")


def test_an_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSEOUT_MAGIK", "1")
    with pytest.raises(ConfigError, match="CLOSEOUT_MAGIK: no such setting"):
        read(None)


def test_a_variable_that_is_no_list_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSEOUT_LISTEN", "cup://127.0.0.1:1")
    with pytest.raises(ConfigError, match="listen"):
        read(None)


def test_no_error_shows_a_key_or_a_card_number(tmp_path: Path) -> None:
    secret, pan = "0123456789ABCDEFFEDCBA98765432", "6222021234567890121"
    told = refused(written(tmp_path, f'[[merchant]]\nmid="1"\n[[terminal]]\ntid="T0000002"\nmid="1"\ntmk="{secret}"'))
    told += refused(written(tmp_path, f'[[card]]\nname="x"\npan="{pan}"\nexpiry="3012"'))
    assert secret not in told
    assert pan not in told


# ---- init, check, schema


def test_the_template_is_all_comment_and_good(tmp_path: Path) -> None:
    path = tmp_path / "closeout.toml"
    command.init(path)
    assert read(path) == read(None)
    with pytest.raises(ConfigError, match="exists already"):
        command.init(path)


def test_every_line_of_the_template_is_good_without_its_comment_sign(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (\[|\w+ = )", r"\1", command.TEMPLATE)
    assert text != command.TEMPLATE
    path = written(tmp_path, text)
    assert command.check(path).endswith(
        "good; 3 listeners, 1 merchant, 1 terminal, 1 card, 1 BIN range; provisioning auto"
    )
    names = set(re.findall(r"(?m)^(\w+) = ", text.partition("\n[limits]")[0]))
    assert names == set(Configuration.model_fields) - {"limits", "merchant", "terminal", "card", "bin"}


def test_the_schema_knows_every_key() -> None:
    schema = json.loads(command.schema())
    assert set(schema["properties"]) == set(Configuration.model_fields)
    assert "class" in schema["$defs"]["CardTable"]["properties"]


# ---- cards and BINs


def test_a_longer_prefix_goes_before_a_shorter_one() -> None:
    bins = Bins.of([BinRange("62", "62", "AAA", "qr"), BinRange("622202", "622203", "BBB", "debit")])
    assert (bins.organisation("6222030000000000"), bins.card_class("6222030000000000")) == ("BBB", "debit")
    assert (bins.organisation("6222040000000000"), bins.card_class("6222040000000000")) == ("AAA", "qr")


def test_what_no_range_holds_is_what_the_schemes_say() -> None:
    bins = Bins.of([BinRange("62", "62", "AAA")])
    assert (bins.organisation("4111111111111111"), bins.card_class("4111111111111111")) == ("VIS", "foreign")
    assert bins.card_class("8171000000000000") == "credit"


def test_a_card_of_the_file_stands_beside_the_documented_ones(tmp_path: Path) -> None:
    text = '[[card]]\nname = "staff"\npan = "6222021234567890128"\nexpiry = "3012"\nclass = "debit"\nbalance = 5\n'
    cards = ready(read(written(tmp_path, text))).cards
    assert (cards["staff"].balance, cards["staff"].organisation) == (5, "CUP")
    assert cards["credit1"].pan.endswith("0014")


# ---- merchants, terminals, keys

FILE = f"""
[[merchant]]
mid = "123456789012345"
name = "Corner Shop"
currency = "344"
[[terminal]]
tid = "12345678"
mid = "123456789012345"
tmk = "{TMK}"
"""


def test_merchants_and_terminals_of_the_file_are_in_the_books_once(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/b.db", seed=1, created_at="2026-03-02T09:00:00+00:00")
    try:
        found = read(written(tmp_path, FILE))
        first = provision(store, found, "now")
        assert first == [
            "merchant 123456789012345: new",
            f"terminal 12345678: new, TMK 128 bit, check value {TMK_CHECK_VALUE}",
        ]
        assert provision(store, found, "later") == []
        ws = store.load(Needs(tids={"12345678"}, mids={"123456789012345"}))
        terminal, merchant = ws.terminal("12345678"), ws.merchant("123456789012345")
        assert terminal is not None
        assert merchant is not None
        assert (terminal.currency, terminal.provisioned, merchant.name) == ("344", "config", "Corner Shop")
    finally:
        store.close()


def test_another_master_key_ends_the_sign_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/b.db"
    store = open_store(url, seed=1, created_at="2026-03-02T09:00:00+00:00")
    try:
        provision(store, read(written(tmp_path, FILE)), "now")
        terminal = store.load(Needs(tids={"12345678"})).terminal("12345678")
        assert terminal is not None
        store.commit([replace(terminal, signed_on=True, mak="11" * 8)])
        assert provision(store, read(written(tmp_path, FILE)), "now") == []
        other = FILE.replace(TMK, OTHER_TMK)
        assert len(provision(store, read(written(tmp_path, other)), "now")) == 1
        changed = store.load(Needs(tids={"12345678"})).terminal("12345678")
        assert changed is not None
        assert (changed.signed_on, changed.mak, changed.tmk) == (False, "", OTHER_TMK)
    finally:
        store.close()


def test_a_key_is_set_in_a_store_that_nobody_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/b.db"
    with pytest.raises(ConfigError, match="does not exist"):
        keys.set_in_store(url, "12345678", "M", TMK)
    open_store(url, seed=1, created_at="2026-03-02T09:00:00+00:00").close()
    with pytest.raises(ConfigError, match="--mid"):
        keys.set_in_store(url, "12345678", "", TMK)
    told = keys.set_in_store(url, "12345678", "M", TMK)
    assert TMK_CHECK_VALUE in told
    assert TMK not in told


@pytest.mark.parametrize("text", ["", "0123", "G" * 32, TMK + "00"])
def test_a_key_of_another_form_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keys.check_key(text)
    assert not text or text not in str(caught.value)


def test_the_check_value_is_what_psec_says() -> None:
    assert encrypt_tdes_ecb(bytes.fromhex(TMK), bytes(8))[:4].hex().upper() == TMK_CHECK_VALUE
