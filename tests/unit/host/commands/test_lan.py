"""`serve --lan`: what is printed for whoever types it into a POS."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from host.commands import lan
from host.config import Configuration
from specs.endpoint import Endpoint, parse

API = "http://127.0.0.1:8580"
TERMINAL = {"tid": "12345678", "mid": "123456789012345"}
MERCHANT = {"mid": "123456789012345"}


@pytest.fixture(autouse=True)
def _two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan, "addresses", lambda: ["192.0.2.10", "198.51.100.7"])


def printed(url: str, address: str = "0.0.0.0", **settings: Any) -> dict[str, str]:
    """Name -> value of the block."""
    lines = text(url, address, **settings).splitlines()
    return {line[4:16].strip(): line[16:] for line in lines if line.startswith("    ") and line[4] != " "}


def text(url: str, address: str = "0.0.0.0", **settings: Any) -> str:
    endpoint: Endpoint = parse(url)
    shown = {"dialect": endpoint.dialect.name, "address": address, "port": 9000, "tls": endpoint.tls is not None}
    return lan.instructions([shown], [endpoint], Configuration(**settings), API)


def test_a_cup_pos_is_told_everything_that_it_asks_for() -> None:
    """cup.md section 1: 2-byte binary length without itself, TPDU, header of six bytes."""
    block = printed("cup://:0")
    assert block == {
        "host": "192.0.2.10 or 198.51.100.7",
        "port": "9000",
        "length": "2-byte binary, without itself",
        "TPDU": "6000030000; any NII will do: the answer swaps the two addresses",
        "header": "6 bytes, 603100310000 for example",
        "TLS": "off",
        "TID, MID": "free: any 8 and any 15 characters",
        "master key": "0123456789ABCDEFFEDCBA9876543210, the documented test key",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="interfaces are asked on Linux only")
def test_an_interface_without_a_route_to_the_world_is_found() -> None:
    """A bench: machine, switch, POS, no default route. The one interface that every machine has stands for it."""
    assert "127.0.0.1" in lan.interface_addresses()


def test_what_the_url_changed_is_what_is_typed() -> None:
    block = printed("iso87://:0?length=ascii4&inclusive=1&tpdu=0&header=0")
    assert block["length"] == "4-digit ASCII, counts itself"
    assert (block["TPDU"], block["header"]) == ("none", "none")
    assert "master key" not in block


def test_strict_lists_who_is_known_and_never_a_key() -> None:
    key = "00112233445566778899AABBCCDDEEFF"
    shown = text("cup://:0", provisioning="strict", merchant=[MERCHANT], terminal=[{**TERMINAL, "tmk": key}])
    assert "12345678 of 123456789012345" in shown
    assert "free" not in shown
    assert key not in shown
    assert "that of [[terminal]]" in shown
    assert "none is configured" in text("nac://:0", provisioning="strict", merchant=[MERCHANT], terminal=[TERMINAL])


def test_a_plain_line_is_warned_of_and_a_tls_line_is_not() -> None:
    assert "Warning: nac on port 9000: plain" in text("nac://:0")
    secure = text("nac://:0?tls=1&cert=s.pem&client_ca=ca.pem")
    assert "Warning" not in secure
    assert "the POS shows a certificate of ca.pem" in secure
    assert f"stay on this machine: {API}" in secure


def test_a_chosen_address_is_printed_as_it_is() -> None:
    assert printed("nac://:0", "192.0.2.10")["host"] == "192.0.2.10"
    assert printed("nac://:0", "127.0.0.1")["host"] == "127.0.0.1 (this machine only)"
