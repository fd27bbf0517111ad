"""Dialects of users and variants by URL carry a day over TCP; a configuration file with everything in it is served.

docs/examples/mybank.toml, a dialect made by `dialects import` from a jPOS packager and one from a moov specification,
and ISO 87 with other lengths, bitmaps, characters and headers.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal_sim.cards import card_from
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.till import Till
from terminal_sim.moves import Adjust, Echo, End, OfflineSale, Refund, Sale, Settle, SignOn, Void
from tests.e2e.conftest import HostCommand
from tests.support.raw_day import RawTill, nac_totals
from tests.support.tcp_till import TcpTill

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MYBANK = ROOT / "docs" / "examples" / "mybank.toml"
SAMPLES = ROOT / "tests" / "support" / "samples"
VARIANTS = (
    "length=ascii4",
    "bitmap=binary",
    "bitmap=binary&binary=raw",
    "charset=ebcdic",
    "tpdu=1",
    "mti=bcd&numeric=bcd&lengths=bcd&bitmap=binary&binary=raw",
    "length=ascii4&inclusive=1&tpdu=1&charset=ebcdic",
)
NAC_SALE = (
    "0053600003000002003020058020C000040000000000000100000001230022000300374111111111111111D301220100000123456780"
    "31323334353637383132333435363738393031323334350006303030303435"
)
"""nac.md, section 9, with its own length header: 00 53."""


def _imported(folder: Path, acquirer_host_: HostCommand, sample: str, base: str) -> Path:
    """The dialect that `dialects import` makes of a sample; what it cannot map it says, and goes on (exit 1)."""
    made = folder / f"{Path(sample).stem}.toml"
    ended = acquirer_host_("dialects", "import", SAMPLES / sample, "--extends", base, "--output", made)
    assert ended.returncode in (0, 1), ended.stderr
    assert acquirer_host_("dialects", "check", made).returncode == 0
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dialects")


@pytest.fixture(scope="module")
def host(files: Path) -> Iterator[HostProcess]:
    """mybank, and ISO 87 in each variant; the ready file lists the listeners in the order of the arguments."""
    urls = [f"{MYBANK}://127.0.0.1:0", *(f"iso87://127.0.0.1:0?{options}" for options in VARIANTS)]
    options = [part for url in urls for part in ("--listen", url)]
    with HostProcess(files / "host", dialects=(), options=[*options, "--log-level", "warning"]) as running:
        yield running


def port_of(host: HostProcess, at: int) -> int:
    """The port of the listener at this place of the command line."""
    return int(json.loads((host.folder / "ready.json").read_text("utf-8"))["listen"][at]["port"])


def a_day(host: HostProcess, connect: str, tid: str) -> TcpTill:
    """A sale, a sale voided, a settlement that agrees; the books are equal."""
    card = card_from("credit1", "swipe")
    with TcpTill(connect, tid, mid=f"{tid:0>15}") as till:
        assert till.press(Sale(10000, card)).end is End.APPROVED
        second = till.press(Sale(5000, card))
        assert till.press(Void(second.stan)).end is End.APPROVED
        settled = till.press(Settle())
        assert settled.end is End.AGREED, settled
        till.hand_over(host.api)
    (closed,) = [b for b in host.api.items("/batches", tid=tid) if b["state"] != "open"]
    assert (closed["state"], host.api.get(f"/batches/{closed['id']}")["exceptions"]) == ("closed", [])
    states = [(t["kind"], t["state"], t["approved_amount"]) for t in host.api.items("/transactions", tid=tid)]
    assert states == [("sale", "captured", 10000), ("sale", "voided", 5000), ("void", "captured", 5000)]
    assert host.api.whole("/findings") == []
    return till


# ---- mybank


def test_mybank_carries_a_day(host: HostProcess) -> None:
    connect = f"{MYBANK}://127.0.0.1:{port_of(host, 0)}"
    till = a_day(host, connect, "MYBANK01")
    (answered,) = till.messages("0510")
    assert (answered[39], answered[63]) == ("00", nac_totals((1, 10000)))
    assert {t["dialect"] for t in host.api.items("/transactions", tid="MYBANK01")} == {"mybank"}


def test_mybank_counts_its_frames_in_decimal(host: HostProcess) -> None:
    """nac.md's own sale behind MyBank's header: 83 bytes are 00 83, and so is the answer's length said."""
    body = bytes.fromhex(NAC_SALE)[2:]
    assert len(body) == 83
    with socket.create_connection(("127.0.0.1", port_of(host, 0)), timeout=10) as line:
        line.sendall(b"\x00\x83" + body)
        answer = line.recv(65536)
    assert int(answer[:2].hex()) == len(answer) - 2
    assert answer[2:7].hex() == "6000000003", "the TPDU stays, turned round"
    assert answer[7:9].hex() == "0210"


def test_mybank_says_78_for_a_void_of_nothing_and_00_at_the_end(host: HostProcess) -> None:
    """Its two switches: not_found, and final_not_agreed for terminals that stay pending on 77."""
    with RawTill(f"{MYBANK}://127.0.0.1:{port_of(host, 0)}", "MYBANK02") as till:
        assert till.sale(10000)[39] == "00"
        fields = {2: "6223164991230014", 3: "020000", 4: f"{777:012d}", 12: "093000", 13: "1121", 14: "3012"}
        fields |= {22: "012", 25: "00", 37: "000000000000", 60: f"{777:012d}", 62: "000777"}
        assert till.ask("0200", fields)[39] == "78"
        till.sale(5000)
        assert till.settle((1, 10000))[39] == "95"
        assert till.upload((1, 10000)) == ["00"]
        assert till.settle((1, 10000), final=True)[39] == "00"
    (batch, *_) = host.api.items("/batches", tid="MYBANK02")
    assert batch["state"] == "closed-with-exceptions"


# ---- imported


def test_an_imported_packager_carries_a_day(tmp_path: Path, acquirer_host: HostCommand) -> None:
    """A jPOS packager of EDC terminals, on top of nac."""
    made = _imported(tmp_path, acquirer_host, "edc-packager.xml", "nac")
    with HostProcess(tmp_path / "host", dialects=(), options=("--listen", f"{made}://127.0.0.1:0")) as running:
        a_day(running, f"{made}://127.0.0.1:{port_of(running, 0)}", "IMPORT01")
        assert {t["dialect"] for t in running.api.items("/transactions", tid="IMPORT01")} == {made.stem}


def test_an_imported_specification_carries_a_sale_and_its_void(tmp_path: Path, acquirer_host: HostCommand) -> None:
    """A moov specification of a switch, on top of ISO 87. It has no DE 74 to 97, so nothing can be settled with it."""
    made = _imported(tmp_path, acquirer_host, "switch-spec.json", "iso87")
    card = card_from("credit1", "swipe")
    with (
        HostProcess(tmp_path / "host", dialects=(), options=("--listen", f"{made}://127.0.0.1:0")) as running,
        TcpTill(f"{made}://127.0.0.1:{port_of(running, 0)}", "IMPORT02") as till,
    ):
        sold = till.press(Sale(5000, card))
        assert (sold.end, till.press(Void(sold.stan)).end) == (End.APPROVED, End.APPROVED)
        refused = till.press(Settle())
        assert (refused.end, refused.code) == (End.PENDING, "30")
        states = [(t["kind"], t["state"]) for t in running.api.items("/transactions", tid="IMPORT02")]
        assert states == [("sale", "voided"), ("void", "captured")]


# ---- ISO 87 by URL


@pytest.mark.parametrize(("at", "options"), list(enumerate(VARIANTS, start=1)), ids=VARIANTS)
def test_iso87_in_each_variant_carries_a_day(at: int, options: str, host: HostProcess) -> None:
    till = a_day(host, f"iso87://127.0.0.1:{port_of(host, at)}?{options}", f"VARIANT{at}")
    (answered,) = till.messages("0510")
    assert (answered[39], answered[66], answered[88]) == ("00", "1", f"{15000:016d}")


def test_a_terminal_with_another_length_header_gets_no_answer(host: HostProcess) -> None:
    """length=ascii4 is four digits on the wire, and nothing else is taken for them."""
    with TcpTill(f"iso87://127.0.0.1:{port_of(host, 1)}", "VARIANT9") as till:
        assert till.press(Echo(), waits_s=1.0).end in (End.UNANSWERED, End.UNKNOWN, End.NOT_SENT)
    assert host.api.items("/transactions", tid="VARIANT9") == []


# ---- the configuration file

OWN_KEY, NEW_KEY = "0123456789ABCDEF0123456789ABCDEF", "FEDCBA98765432100123456789ABCDEF"
"""Documented test values; the third one is nobody's."""
OWN_CARD, DOMESTIC_VISA = "6222021234567894", "4000001234567899"
CONFIG = f"""\
listen = ["cup://127.0.0.1:0", "nac://127.0.0.1:0", "iso87://127.0.0.1:0"]
provisioning = "strict"
timezone = "Asia/Shanghai"

[[merchant]]
mid = "111111111111111"
name = "Corner Shop"

[[merchant]]
mid = "222222222222222"
name = "Harbour Hotel"
currency = "344"

[[terminal]]
tid = "CONFIG01"
mid = "111111111111111"
dialect = "cup"
tmk = "{OWN_KEY}"

[[terminal]]
tid = "CONFIG02"
mid = "111111111111111"
dialect = "nac"

[[terminal]]
tid = "CONFIG03"
mid = "222222222222222"
dialect = "iso87"

[[card]]
name = "staff"
pan = "{OWN_CARD}"
expiry = "3012"
class = "debit"
balance = 5000

[[bin]]
low = "400000"
high = "400001"
organisation = "CUP"
"""


@pytest.fixture(scope="module")
def configured(files: Path) -> Iterator[HostProcess]:
    file = files / "closeout.toml"
    file.write_text(CONFIG, "utf-8")
    with HostProcess(files / "configured", dialects=(), options=("--config", str(file))) as running:
        yield running


def _configured_till(host: HostProcess, dialect: str, tid: str, mid: str, **how: str) -> TcpTill:
    return TcpTill(host.url(dialect), tid, mid=mid, **how)


def test_the_file_is_good_and_its_terminals_are_known(
    configured: HostProcess, acquirer_host: HostCommand, files: Path
) -> None:
    assert acquirer_host("config", "check", files / "closeout.toml").returncode == 0
    known = {t["tid"]: (t["mid"], t["dialect"]) for t in configured.api.get("/terminals")["items"]}
    assert known == {
        "CONFIG01": ("111111111111111", "cup"),
        "CONFIG02": ("111111111111111", "nac"),
        "CONFIG03": ("222222222222222", "iso87"),
    }
    assert set(configured.listening.ports) == {"cup", "nac", "iso87"}


def test_each_terminal_does_a_day_with_the_files_card_and_range(configured: HostProcess) -> None:
    """The staff card has 50.00; a Visa number of the file's range is domestic, so CUP counts it on that side."""
    staff, visa = card_from(OWN_CARD, "swipe"), card_from(DOMESTIC_VISA, "swipe")
    with _configured_till(configured, "cup", "CONFIG01", "111111111111111", tmk=OWN_KEY) as till:
        till.sign_on()
        assert till.press(Sale(4000, staff)).end is End.APPROVED
        declined = till.press(Sale(4000, staff))
        assert (declined.end, declined.code) == (End.DECLINED, "51")
        assert till.press(Sale(3000, visa)).end is End.APPROVED
        assert [row.foreign for row in till.memory.rows] == [False, False]
        assert till.press(Settle()).end is End.AGREED
        (asked,) = till.messages("0500")
        assert asked[48] == "000000007000002" + "0" * 47, "both on the domestic side"
    with _configured_till(configured, "nac", "CONFIG02", "111111111111111") as till:
        first = till.press(Sale(2000, visa))
        assert till.press(Adjust(first.stan, tip=200)).end is End.APPROVED
        assert till.press(Settle()).end is End.AGREED
    with _configured_till(configured, "iso87", "CONFIG03", "222222222222222", currency="344") as till:
        first = till.press(Sale(2000, visa))
        assert till.press(Refund(500, stan=first.stan)).end is End.APPROVED
        assert till.press(OfflineSale(700, visa)).end is End.APPROVED
        assert till.press(Settle()).end is End.AGREED
    shown = {t["tid"]: (t["mid"], t["currency"]) for t in configured.api.items("/transactions")}
    assert shown == {
        "CONFIG01": ("111111111111111", "156"),
        "CONFIG02": ("111111111111111", "156"),
        "CONFIG03": ("222222222222222", "344"),
    }
    assert configured.api.whole("/findings") == []


@pytest.mark.parametrize(
    ("dialect", "action", "code"),
    [("cup", ("signon",), "97"), ("nac", ("sale", "1000"), "89"), ("iso87", ("sale", "1000"), "58")],
)
def test_an_unknown_terminal_is_told_so(
    dialect: str, action: tuple[str, ...], code: str, configured: HostProcess, tmp_path: Path
) -> None:
    till = Till(tmp_path / "till", "STRANGER").install(configured.url(dialect))
    ran = till.run(*action, "--json")
    assert (ran.code, ran.json["outcome"], ran.json["response_code"]) == (1, "declined", code)
    assert "STRANGER" not in {t["tid"] for t in configured.api.get("/terminals")["items"]}


@pytest.mark.parametrize(("dialect", "tid"), [("cup", "CONFIG01"), ("nac", "CONFIG02"), ("iso87", "CONFIG03")])
def test_a_known_terminal_of_another_merchant_is_03(dialect: str, tid: str, configured: HostProcess) -> None:
    how = {"tmk": OWN_KEY} if dialect == "cup" else {}
    with _configured_till(configured, dialect, tid, "333333333333333", **how) as till:
        order = SignOn() if dialect == "cup" else Sale(1000, card_from("credit1", "swipe"))
        assert till.press(order).code == "03"


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning:psec")
def test_keys_are_shown_by_check_value_and_set_at_the_running_host(
    configured: HostProcess, acquirer_host: HostCommand
) -> None:
    """A new master key ends the sign-on; a terminal with the old one cannot use what the 0810 brings."""
    from psec.des import generate_kcv

    api = ("--api", configured.api.base)
    check = generate_kcv(bytes.fromhex(OWN_KEY)).hex().upper()
    assert check in acquirer_host("keys", "show", "CONFIG01", *api).stdout
    ended = acquirer_host("keys", "set", "CONFIG01", "--tmk", NEW_KEY, *api)
    assert ended.returncode == 0, ended.stderr
    shown = acquirer_host("keys", "show", "CONFIG01", *api)
    assert generate_kcv(bytes.fromhex(NEW_KEY)).hex().upper() in shown.stdout
    assert NEW_KEY not in ended.stdout + ended.stderr + shown.stdout + shown.stderr
    assert not configured.api.get("/terminals/CONFIG01")["signed_on"]
    with _configured_till(configured, "cup", "CONFIG01", "111111111111111", tmk=OWN_KEY) as old:
        assert old.press(SignOn()).end is not End.OK
    with _configured_till(configured, "cup", "CONFIG01", "111111111111111", tmk=NEW_KEY) as new:
        assert new.press(SignOn()).end is End.OK
        assert new.press(Sale(1000, card_from("credit1", "swipe"))).end is End.APPROVED
    assert acquirer_host("keys", "show", "NOBODY01", *api).returncode == 2
    assert acquirer_host("keys", "set", "CONFIG02", "--tmk", "12", *api).returncode == 2
