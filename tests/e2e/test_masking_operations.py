"""Every operation of every dialect, and every command around it, shows no card number, track, PIN, password or key.

The terminals have operators and a master key of their own; card, PIN and keys stand in `closeout.toml`. What is
searched, and how, is in test_masking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from specs.testcards import load_test_cards
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Ran, Till
from tests.e2e.conftest import HostCommand
from tests.e2e.test_masking import Searched, api_texts, store_texts

pytestmark = pytest.mark.e2e

DIALECTS = ("cup", "nac", "iso87")
MID = "898100012345678"
STAFF, STAFF_PIN = "6222021234567890128", "591827364501"
OLD_PASSWORD, PASSWORD = "12345678", "73918264"
KEYS = {
    "cup": "1F3E5D7C9BB0D2F4A8C6E41337597B9D",
    "nac": "2A4C6E80A2C4E6F81B3D5F7193B5D7F9",
    "iso87": "3157799BBDDFF102244668ACCEE01325",
}
SET_BY_API, SET_IN_STORE = "46688AACCEE0F2143658BA9CDEF0C2B5", "576B79BDCDF1032547698BADCFE0F2A8"
SAMPLES = Path(__file__).parent.parent / "support" / "samples"

#: Of each dialect; what it lacks is refused by the terminal, which must not show anything either.
KEYS_PRESSED: tuple[tuple[str, ...], ...] = (
    ("signon",),
    ("balance", "--card", STAFF, "--pin", STAFF_PIN),
    ("sale", "30000", "--card", STAFF, "--pin", STAFF_PIN),
    ("tip", "1000", "--stan", "{sale}"),
    ("adjust", "28000", "--stan", "{sale}"),
    ("sale", "20000", "--card", "debit1", "--entry", "chip", "--pin", "card"),
    ("refund", "5000", "--stan", "{sale}"),
    ("refund", "1000", "--card", "debit1"),
    ("void", "--stan", "{refund}"),
    ("sale", "900", "--card", "foreign1", "--entry", "tap"),
    ("sale", "1100", "--card", "foreign2", "--entry", "manual", "--json"),
    ("sale", "1200", "--card", "qr1", "--entry", "qr"),
    ("sale", "1300", "--card", "credit1", "--entry", "fallback"),
    ("void", "--stan", "{sale}"),
    ("sale", "9000", "--card", STAFF, "--cash", "4000", "--json"),
    ("sale", "700", "--card", "credit1", "--entry", "chip", "--chip-refuses"),
    ("preauth", "50000", "--card", STAFF, "--pin", STAFF_PIN),
    ("preauth", "1000", "--card", STAFF, "--increment", "--stan", "{preauth}"),
    ("complete", "45000", "--stan", "{preauth}"),
    ("void", "--stan", "{complete}"),
    ("complete", "40000", "--stan", "{preauth}", "--advice", "--json"),
    ("preauth", "7000", "--card", "credit1", "--entry", "chip"),
    ("preauth-void", "--stan", "{preauth}"),
    ("offline-sale", "3000", "--card", "credit1"),
    ("offline-sale", "3100", "--card", "foreign1", "--entry", "chip"),
    ("send",),
    ("sale", "100", "--card", STAFF, "--pin", f"{STAFF_PIN}X"),
    ("sale", "100", "--card", f"{STAFF}X"),
    ("LOSE", "sale"),
    ("sale", "6600", "--card", STAFF, "--pin", STAFF_PIN),
    ("query",),
    ("query", "--json"),
    ("journal",),
    ("BOOK-BUT-REFUSE", "sale"),
    ("sale", "7700", "--card", "credit1", "--entry", "chip"),
    *(("download", what) for what in ("parameters", "ca-keys", "ic-parameters", "status")),
    ("reprint",),
    ("reprint", "--detail"),
    ("settle", "--detail"),
    ("reprint", "--settlement"),
    ("journal",),
    ("journal", "--json"),
    ("operator", "list"),
    ("signoff",),
)
EVERYWHERE = {
    *("sale", "tip", "adjust", "refund", "void", "pre-auth", "pre-auth-void", "completion", "completion-advice"),
    *("offline-sale", "balance", "reversal", "settle"),
}
SEEN: Mapping[str, set[str]] = {
    "cup": EVERYWHERE
    | {"sign-on", "sign-off", "pre-auth-increment", "completion-void", "download", "upload", "tc-upload", "upload-end"}
    | {"script-result"},
    "nac": EVERYWHERE | {"cash-back", "upload"},
    "iso87": EVERYWHERE | {"sign-on", "sign-off", "cash-back", "pre-auth-increment", "script-result"},
}
"""The kinds that must have been on the line, so that the search was over all of them."""


def secrets() -> Searched:
    """All that must not be found."""
    searched = Searched()
    searched.needles |= {STAFF_PIN: "PIN", STAFF_PIN.encode().hex(): "PIN in hex", PASSWORD: "password"}
    for pan in (STAFF, *(card.pan for card in load_test_cards().values())):
        searched.card(pan)
    for name, key in {**KEYS, "set by API": SET_BY_API, "set in the store": SET_IN_STORE}.items():
        searched.key(f"master key {name}", bytes.fromhex(key))
        searched.key(f"half of the master key {name}", bytes.fromhex(key[:16]))
    for chip in {card.chip_key for card in load_test_cards().values() if card.chip_key}:
        searched.key("chip key", bytes.fromhex(chip))
    return searched


def configuration() -> str:
    """closeout.toml: a merchant, a terminal of each dialect with its own key, a card with a PIN."""
    terminals = "".join(
        f'[[terminal]]\ntid = "{tid_of(d)}"\nmid = "{MID}"\ndialect = "{d}"\ntmk = "{KEYS[d]}"\n' for d in DIALECTS
    )
    card = f'[[card]]\nname = "staff"\npan = "{STAFF}"\nexpiry = "3012"\nclass = "debit"\npin = "{STAFF_PIN}"\n'
    return f'provisioning = "strict"\n[[merchant]]\nmid = "{MID}"\nname = "Staff Shop"\n{terminals}{card}'


def tid_of(dialect: str) -> str:
    return f"KEPT{dialect.upper():0>4}"[:8]


def open_till(till: Till, host: HostProcess, dialect: str) -> Iterator[Ran]:
    """A terminal with operators, whose supervisor has changed his password and is logged in."""
    who = ("--tid", till.tid, "--mid", MID, "--tmk", KEYS[dialect], "--operators", "--timeout", "2")
    yield till.run("init", "--connect", host.url(dialect), "--api", host.api.base, *who)
    yield till.run("operator", "login", "99", "--password", PASSWORD[::-1])
    yield till.run("operator", "login", "99", "--password", OLD_PASSWORD)
    yield till.run("operator", "add", "02", "--password", PASSWORD)
    yield till.run("operator", "login", "00", "--password", "123456")
    yield till.run("operator", "passwd", "00", "--password", "123456", "--new-password", PASSWORD)
    yield till.run("operator", "login", "00", "--password", PASSWORD)


def press_all(till: Till, host: HostProcess) -> Iterator[Ran]:
    """Every key, one after the other; {key} is the STAN that this key took last."""
    stans: dict[str, str] = {}
    for action, *words in KEYS_PRESSED:
        if action in ("LOSE", "BOOK-BUT-REFUSE"):
            how = {"LOSE": ("drop-reply", {}), "BOOK-BUT-REFUSE": ("answer", {"rc": "05"})}[action]
            host.api.fault(how[0], {"tid": till.tid, "kind": words[0]}, phase="after-commit", **how[1])
            continue
        named = [stans.get(word[1:-1], "999999") if word.startswith("{") else word for word in words]
        yield till.run(action, *named)
        rows = till.memory().rows
        if rows and "--increment" not in words:
            stans[action] = rows[-1].stan


def test_no_operation_of_any_dialect_shows_a_secret(
    tmp_path: Path, acquirer_host: HostCommand, spawner: Spawner | None
) -> None:
    searched, leaks = secrets(), set[tuple[str, str]]()

    def look(where: str, text: str) -> None:
        leaks.update((where, what) for what in searched.found(text))

    def command(*words: str, code: int = 0) -> str:
        ended = acquirer_host(*words)
        assert ended.returncode == code, (words, ended.stdout, ended.stderr)
        look(" ".join(("acquirer-host", *words[:2])), ended.stdout + ended.stderr)
        return ended.stdout + ended.stderr

    config = tmp_path / "closeout.toml"
    config.write_text(configuration(), "utf-8")
    command("config", "check", str(config))
    for wrong in (STAFF[:-1] + "9", STAFF_PIN + "99", f"{KEYS['nac'][:-1]}Z"):
        spoilt = tmp_path / "spoilt.toml"
        right = {STAFF[:-1] + "9": STAFF, STAFF_PIN + "99": STAFF_PIN}.get(wrong, KEYS["nac"])
        spoilt.write_text(configuration().replace(right, wrong), "utf-8")
        assert "spoilt.toml" in command("config", "check", str(spoilt), code=2)

    options = ("--config", str(config), "--log-level", "debug")
    with HostProcess(tmp_path / "host", dialects=DIALECTS, options=options) as host:
        host.api.ask("POST", "/issuer/scripts", {"card": "credit1", "commands": ["841E000000"], "times": 3})
        for dialect in DIALECTS:
            till = Till(tmp_path / dialect, tid_of(dialect), MID, spawner=spawner)
            for ran in (*open_till(till, host, dialect), *press_all(till, host)):
                look(f"terminal-sim {ran.arguments[0]} ({dialect})", ran.out + ran.err)
            seen = {m["kind"] for m in host.api.items("/messages", tid=till.tid)}
            assert SEEN[dialect] - seen == set(), dialect
            answered = host.api.call("POST", f"/api/v1/terminals/{till.tid}/journal", till.journal())
            look("journal", answered.text)
            _flash(till, searched, leaks)

        wrong_key = {"mid": MID, "tmk": SET_BY_API[:-1] + "Z"}
        refused = host.api.call("PUT", "/api/v1/terminals/KEPT0009", wrong_key)
        assert refused.status == 422, refused.text
        look("PUT /terminals", refused.text)
        look("PUT /terminals", host.api.call("PUT", "/api/v1/terminals/KEPT0009", wrong_key | {"tmk": SET_BY_API}).text)
        api = ("--api", host.api.base)
        command("keys", "set", "KEPT0008", "--tmk", SET_BY_API, "--mid", MID, *api)
        command("keys", "set", "KEPT0008", "--tmk", SET_BY_API[:-1] + "Z", *api, code=2)
        command("keys", "show", "KEPT0008", *api)
        command("keys", "show", tid_of("cup"), *api)
        for words in (("unsettled", "--csv"), ("unsettled", "--json"), ("batches", "--json"), ("audit", "--json")):
            ended = acquirer_host(*words, *api)
            look(f"acquirer-host {words[0]}", ended.stdout + ended.stderr)
        for where, text in api_texts(host, tid_of("cup")):
            leaks.update((f"API {where}", what) for what in searched.found_in_json(text))
        newest = {item["kind"]: str(item["id"]) for item in host.api.items("/transactions", tid=tid_of("cup"))}
        for kind in ("refund", "tip", "completion-advice"):
            command("trace", newest[kind], *api)
        look("API /issuer/scripts", host.api.call("GET", "/api/v1/issuer/scripts").text)

    command("keys", "set", "KEPT0007", "--tmk", SET_IN_STORE, "--mid", MID, "--store", host.store)
    command("keys", "show", "KEPT0007", "--store", host.store)
    for sample in ("edc-packager.xml", "switch-spec.json"):
        command("dialects", "import", str(SAMPLES / sample))
    for where, text in store_texts(host.folder / "closeout.db"):
        look(where, text)
    for path in host.folder.iterdir():
        raw = path.read_bytes().decode("latin-1")
        keys_belong = path.name.startswith("closeout.db")  # in the columns that store_texts leaves out
        leaks.update((path.name, what) for what in searched.found(raw) if not (keys_belong and "key" in what))
    assert {path.name for path in host.folder.iterdir()} >= {"closeout.db", "host.log", "ready.json"}
    assert sorted(leaks) == []


def _flash(till: Till, searched: Searched, leaks: set[tuple[str, str]]) -> None:
    """A terminal keeps card numbers and its keys, and never a track, a PIN or a password (RT1)."""
    raw = "".join(path.read_bytes().decode("latin-1") for path in till.folder.rglob("*") if path.is_file())
    found = searched.found(raw)
    assert "card 622202" in found, "the search finds what is there"
    leaks.update((f"flash of {till.tid}", what) for what in found if what.startswith(("PIN", "password")))
    for pan in (STAFF, "6216261000000000018", "6223164991230014"):
        # Behind the number stand separator and expiry: as text, and as BCD with the separator D
        forms = [f"{pan}{separator}3012" for separator in "D="]
        forms.append(bytes.fromhex(f"{pan}D3012".ljust(-(-(len(pan) + 5) // 2) * 2, "2")).decode("latin-1"))
        leaks.update((f"flash of {till.tid}", "track") for form in forms if form in raw)
