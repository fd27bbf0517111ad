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
STAFF, STAFF_PIN = "6250941006528599", "591827364501"
REFUSED = 4
"""The terminal itself says no (interface.md, section 1)."""
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


def press_all(till: Till, host: HostProcess, *, pins: bool) -> Iterator[Ran]:
    """Every key, one after the other; {key} is the STAN that this key took last.

    pins: whether the terminal has a key for them. Only a UnionPay sign-on brings one; the others refuse a PIN.
    """
    stans: dict[str, str] = {}
    for action, *words in KEYS_PRESSED:
        if action in ("LOSE", "BOOK-BUT-REFUSE"):
            how = {"LOSE": ("drop-reply", {}), "BOOK-BUT-REFUSE": ("answer", {"rc": "05"})}[action]
            host.api.fault(how[0], {"tid": till.tid, "kind": words[0]}, phase="after-commit", **how[1])
            continue
        named = [stans.get(word[1:-1], "999999") if word.startswith("{") else word for word in words]
        ran = till.run(action, *named)
        yield ran
        if "--pin" in named and not pins and ran.code == REFUSED:
            at = named.index("--pin")
            yield till.run(action, *named[:at], *named[at + 2 :])
        rows = till.memory().rows
        if rows and "--increment" not in words:
            stans[action] = rows[-1].stan


class Search:
    """What was found where. leaks: (where, what), empty when all is well."""

    def __init__(self, acquirer_host: HostCommand) -> None:
        self.searched, self.leaks = secrets(), set[tuple[str, str]]()
        self._acquirer_host = acquirer_host

    def look(self, where: str, text: str) -> None:
        self.leaks.update((where, what) for what in self.searched.found(text))

    def command(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """One call of `acquirer-host`; what it said."""
        ended = self._acquirer_host(*words)
        assert ended.returncode in codes, (words, ended.stdout, ended.stderr)
        self.look(" ".join(("acquirer-host", *words[:2])), ended.stdout + ended.stderr)
        return ended.stdout + ended.stderr

    def api(self, host: HostProcess, tid: str) -> None:
        for where, text in api_texts(host, tid):
            self.leaks.update((f"API {where}", what) for what in self.searched.found_in_json(text))
        self.look("ready file", (host.folder / "ready.json").read_text("utf-8"))
        self.look("API /issuer/scripts", host.api.call("GET", "/api/v1/issuer/scripts").text)

    def files(self, host: HostProcess) -> None:
        """Store and log of a host that has ended; keys belong into some columns of the store."""
        for where, text in store_texts(host.folder / "closeout.db"):
            self.look(where, text)
        for path in host.folder.iterdir():
            keys_belong = path.name.startswith("closeout.db")
            found = self.searched.found(path.read_bytes().decode("latin-1"))
            self.leaks.update((path.name, what) for what in found if not (keys_belong and "key" in what))
        assert {path.name for path in host.folder.iterdir()} >= {"closeout.db", "host.log"}

    def flash(self, till: Till) -> None:
        """A terminal keeps card numbers and its keys, and never a track, a PIN or a password (RT1)."""
        raw = "".join(path.read_bytes().decode("latin-1") for path in till.folder.rglob("*") if path.is_file())
        found = self.searched.found(raw)
        assert f"card {STAFF[:6]}" in found, "the search finds what is there"
        self.leaks.update(("flash", what) for what in found if what.startswith(("PIN", "password")))
        for pan in (STAFF, *(load_test_cards()[name].pan for name in ("debit1", "credit1", "foreign1"))):
            # Behind the number stand separator and expiry: as text, and as BCD with the separator D
            forms = [f"{pan}{separator}3012" for separator in "D="]
            forms.append(bytes.fromhex(f"{pan}D3012".ljust(-(-(len(pan) + 5) // 2) * 2, "2")).decode("latin-1"))
            self.leaks.update(("flash", "track") for form in forms if form in raw)


def configured(tmp_path: Path) -> Path:
    config = tmp_path / "closeout.toml"
    config.write_text(configuration(), "utf-8")
    return config


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_operation_shows_a_secret(
    tmp_path: Path, acquirer_host: HostCommand, spawner: Spawner | None, dialect: str
) -> None:
    search = Search(acquirer_host)
    options = ("--config", str(configured(tmp_path)), "--log-level", "debug")
    with HostProcess(tmp_path / "host", dialects=(dialect,), options=options) as host:
        scripts = {"card": "credit1", "commands": ["841E000000"], "times": 3}
        search.look("API /issuer/scripts", host.api.call("POST", "/api/v1/issuer/scripts", scripts).text)
        till = Till(tmp_path / "till", tid_of(dialect), MID, spawner=spawner)
        for ran in (*open_till(till, host, dialect), *press_all(till, host, pins=dialect == "cup")):
            search.look(f"terminal-sim {ran.arguments[0]}", ran.out + ran.err)
        seen = {m["kind"] for m in host.api.items("/messages", tid=till.tid)}
        assert SEEN[dialect] - seen == set()
        given = host.api.call("POST", f"/api/v1/terminals/{till.tid}/journal", till.journal())
        assert given.status == 201
        search.look("API /journal", given.text)
        search.api(host, till.tid)
        api = ("--api", host.api.base)
        for words in (("unsettled", "--csv"), ("batches", "--json"), ("audit",), ("keys", "show", till.tid)):
            search.command(*words, *api, codes=(0, 1))
        newest = {item["kind"]: str(item["id"]) for item in host.api.items("/transactions", tid=till.tid)}
        for kind in ("refund", "tip", "completion-advice"):
            search.command("trace", newest[kind], *api)
    search.files(host)
    search.flash(till)
    assert sorted(search.leaks) == []


def test_no_command_about_keys_and_configuration_shows_a_secret(tmp_path: Path, acquirer_host: HostCommand) -> None:
    """Right and wrong: a mistake is named by its place and never by what stands there."""
    search = Search(acquirer_host)
    config = configured(tmp_path)
    search.command("config", "check", str(config))
    for right, wrong in ((STAFF, f"{STAFF[:-1]}8"), (STAFF_PIN, f"{STAFF_PIN}99"), (KEYS["nac"], f"{KEYS['nac']}Z")):
        spoilt = tmp_path / "spoilt.toml"
        spoilt.write_text(configuration().replace(right, wrong), "utf-8")
        assert "spoilt.toml" in search.command("config", "check", str(spoilt), codes=(2,))
    options = ("--config", str(config), "--log-level", "debug")
    with HostProcess(tmp_path / "host", dialects=("nac",), options=options) as host:
        api = ("--api", host.api.base)
        for tmk, status in ((f"{SET_BY_API}Z", 422), (SET_BY_API, 201)):
            put = host.api.call("PUT", "/api/v1/terminals/KEPT0009", {"mid": MID, "tmk": tmk})
            assert put.status == status, put.text
            search.look("API PUT /terminals", put.text)
        search.command("keys", "set", "KEPT0008", "--tmk", SET_BY_API, "--mid", MID, *api)
        search.command("keys", "set", "KEPT0008", "--tmk", f"{SET_BY_API}Z", *api, codes=(2,))
        search.command("keys", "show", "KEPT0008", *api)
    search.command("keys", "set", "KEPT0007", "--tmk", SET_IN_STORE, "--mid", MID, "--store", host.store)
    search.command("keys", "show", "KEPT0007", "--store", host.store)
    for sample in ("edc-packager.xml", "switch-spec.json"):
        search.command("dialects", "import", str(SAMPLES / sample), codes=(0, 1))
    search.files(host)
    assert sorted(search.leaks) == []
