"""closeout.toml and the CLOSEOUT_ variables: one typed, checked configuration (interface.md, section 2).

Precedence: command line, then CLOSEOUT_* variables, then the file, then the defaults here. Unknown keys are errors: a
switch that is misspelt must not be silently without effect.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from host.clock import zone
from host.engine.context import Settings
from host.engine.working import Needs
from host.errors import ConfigError
from host.limits import DAYS_MAX
from host.limits import Limits as EdgeLimits
from host.rows import Merchant, Terminal
from host.store.store import Store
from specs.bins import BinRange, Bins
from specs.errors import SpecError
from specs.luhn import luhn_ok
from specs.money import currency as known_currency
from specs.security import kcv
from specs.testcards import CARD_CLASSES, TestCard, load_test_cards

PREFIX = "CLOSEOUT_"
CONFIGURED = "config"
_NOT_OURS = frozenset(
    {
        *("CLOSEOUT_CRASH_AT", "CLOSEOUT_KILLS", "CLOSEOUT_KILLS_SEED", "CLOSEOUT_TEARS", "CLOSEOUT_TEARS_SEED"),
        *("CLOSEOUT_FAULTS", "CLOSEOUT_POINTS", "CLOSEOUT_REAL", "CLOSEOUT_TEST_STORE"),
    }
)
"""Variables of the terminal and of the tests that share the prefix."""


def _currency(value: str) -> str:
    try:
        return known_currency(value).numeric
    except SpecError as error:
        raise ValueError(str(error)) from None


def _key(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}", value):
        raise ValueError("a key has 16 or 32 hex digits")
    return value.upper()


def _whole(value: object) -> object:
    """A figure with a decimal point is somebody's major units: never taken for minor ones."""
    if isinstance(value, float) or (isinstance(value, str) and "." in value):
        raise ValueError("minor units, without a decimal point: 500 is 5.00")
    return value


def _zone(value: str) -> str:
    try:
        zone(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return value


def _pan(value: str) -> str:
    if not (13 <= len(value) <= 19 and value.isascii() and value.isdigit() and luhn_ok(value)):
        raise ValueError("no card number with a right check digit")
    return value


Currency = Annotated[str, AfterValidator(_currency)]
Key = Annotated[str, AfterValidator(_key)]
Minor = Annotated[int, BeforeValidator(_whole), Field(ge=0, lt=10**12)]
Class = Literal["credit", "debit", "foreign", "qr"]
assert set(CARD_CLASSES) == {"credit", "debit", "foreign", "qr"}


class _Table(BaseModel):
    # hide_input_in_errors: a key or card number must not come back in an error text.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class MerchantTable(_Table):
    """[[merchant]]: who is paid."""

    mid: Annotated[str, Field(min_length=1, max_length=15, description="Merchant id, DE 42.")]
    name: Annotated[str, Field(max_length=40, description="Name on slips and in parameter downloads.")] = ""
    currency: Annotated[Currency, Field(description="ISO 4217, three digits.")] = ""

    @model_validator(mode="before")
    @classmethod
    def _no_blank_currency(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if not (k == "currency" and v == "")} if isinstance(data, dict) else data


class TerminalTable(_Table):
    """[[terminal]]: who may dial in under `strict`; under `auto` what is known of it before it does."""

    tid: Annotated[str, Field(min_length=8, max_length=8, description="Terminal id, DE 41, 8 characters.")]
    mid: Annotated[str, Field(min_length=1, max_length=15, description="Its merchant, one of [[merchant]].")]
    dialect: Annotated[str, Field(description="A built-in name or the name of a dialect file.")] = "cup"
    tmk: Annotated[
        Key | None, Field(repr=False, description="Terminal master key, 16 or 32 hex digits. Test keys only!")
    ] = None
    currency: Annotated[Currency | None, Field(description="If not its merchant's.")] = None


class CardTable(_Table):
    """[[card]]: a card that the issuer knows besides the documented test cards."""

    name: str
    pan: Annotated[str, AfterValidator(_pan), Field(repr=False)]
    expiry: Annotated[str, Field(pattern=r"^\d{2}(0[1-9]|1[0-2])$", description="YYMM.")]
    card_class: Annotated[Class, Field(alias="class")] = "credit"
    pin: Annotated[str | None, Field(repr=False, pattern=r"^\d{4,12}$")] = None
    balance: Annotated[Minor | None, Field(description="Minor units; without it the card has no limit.")] = None
    expired: bool = False
    stolen: bool = False
    lost: bool = False
    partial: Annotated[bool, Field(description="Approve what is left.")] = False


class BinTable(_Table):
    """[[bin]]: the organisation and class of the numbers between two prefixes of equal length."""

    low: Annotated[str, Field(pattern=r"^\d{1,6}$")]
    high: Annotated[str, Field(pattern=r"^\d{1,6}$")]
    organisation: Annotated[str, Field(min_length=3, max_length=3, description="As in DE 63: CUP is domestic.")]
    card_class: Annotated[Class, Field(alias="class")] = "credit"

    @model_validator(mode="after")
    def _ordered(self) -> BinTable:
        if len(self.low) != len(self.high) or self.low > self.high:
            raise ValueError("low and high must have the same number of digits, low first")
        return self


edge = EdgeLimits()
"""The defaults of what the edge bounds."""


class Limits(_Table):
    """[limits]: sums and times that the host refuses or waits for."""

    amount_max: Annotated[Minor, Field(gt=0, description="Minor units; above it 61.")] = 999_999_999_999
    issuer_timeout_s: Annotated[int, Field(ge=1, le=600)] = 20
    cutoff_grace_s: Annotated[int, Field(ge=0, le=86400, description="rules.md, section 7.")] = 900
    cutoff_grace_max_s: Annotated[int, Field(ge=0, le=86400)] = 3600
    stale_days: Annotated[int, Field(ge=0, le=365, description="Days until an unsettled batch alarms; 0 = never.")] = 3

    # The edge: the same names as host.limits.Limits, which says what each means.
    frame_bytes: Annotated[int, Field(ge=64, le=65535, description="Bytes, never above the dialect's own limit.")] = (
        edge.frame_bytes
    )
    frame_s: Annotated[float, Field(ge=1, le=3600, description="First to last byte of a frame.")] = edge.frame_s
    idle_s: Annotated[float, Field(ge=0, le=86400, description="0 = never closed.")] = edge.idle_s
    handshake_s: Annotated[float, Field(ge=1, le=600, description="TLS handshake.")] = edge.handshake_s
    closing_s: Annotated[float, Field(ge=1, le=600, description="Above issuer_timeout_s.")] = edge.closing_s
    connections: Annotated[int, Field(ge=1, le=1_000_000, description="Open lines in all.")] = edge.connections
    connections_per_address: Annotated[int, Field(ge=0, le=1_000_000, description="0 = no limit of its own.")] = (
        edge.connections_per_address
    )
    in_flight_per_connection: Annotated[int, Field(ge=1, le=100_000, description="Requests without an answer.")] = (
        edge.in_flight_per_connection
    )
    write_buffer_bytes: Annotated[int, Field(ge=1024, le=2**30, description="Bytes of answers not read, a line.")] = (
        edge.write_buffer_bytes
    )
    queue: Annotated[int, Field(ge=1, le=1_000_000, description="Requests that wait; beyond 96.")] = edge.queue
    wire_log_rows: Annotated[int, Field(ge=0, le=10**12, description="Of the message log, 0 = unbounded.")] = (
        edge.wire_log_rows
    )
    wire_log_days: Annotated[int, Field(ge=0, le=DAYS_MAX, description="Of the message log, 0 = unbounded.")] = (
        edge.wire_log_days
    )


class Configuration(BaseSettings):
    """The whole file. Every key has a default, so an empty file is a good one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    listen: Annotated[list[str], Field(description="Listener URLs.")] = []
    api: Annotated[str, Field(description="Address and port of the API, loopback only.")] = ""
    store: Annotated[str, Field(description="sqlite:///FILE or postgresql://…")] = ""
    provisioning: Annotated[Literal["auto", "strict"], Field(description="Who may dial in.")] = "auto"
    terminal_reset: Annotated[Literal["epoch", "keep", ""], Field(description="rules.md, section 4.")] = ""
    timezone: Annotated[str, AfterValidator(_zone), Field(description="Of the host's clock, e.g. Asia/Shanghai.")] = ""
    cutoff: Annotated[
        str,
        Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="When the business date turns; 00:00 = at midnight."),
    ] = "23:00"
    currency: Annotated[Currency, Field(description="Of terminals and merchants that state none.")] = "156"
    magic: Annotated[
        bool, Field(description="Amounts 1,000.01-1,000.99 answer their last two digits, 1,001.01-1,001.99 are faults.")
    ] = True
    unknown_cards: Annotated[
        Literal["accept", "refuse"], Field(description="accept: an ordinary credit card without a limit; refuse: 14.")
    ] = "accept"
    host_only: Annotated[Literal["fund-and-flag", "suspense"], Field(description="rules.md, section 9.")] = (
        "fund-and-flag"
    )
    acquirer_code: Annotated[str, Field(pattern=r"^\d{8,11}$", description="DE 32.")] = "48020000"
    issuer_code: Annotated[str, Field(pattern=r"^\d{8,11}$", description="DE 44.")] = "01020000"
    limits: Limits = Limits()
    merchant: list[MerchantTable] = []
    terminal: list[TerminalTable] = []
    card: list[CardTable] = []
    bin: list[BinTable] = []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """A variable wins over the file; there is no .env."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _consistent(self) -> Configuration:
        mids = [m.mid for m in self.merchant]
        tids = [t.tid for t in self.terminal]
        pans = [c.pan for c in self.card]
        for name, values in (("merchant.mid", mids), ("terminal.tid", tids)):
            twice = sorted({v for v in values if values.count(v) > 1})
            if twice:
                raise ValueError(f"{name} {twice[0]} is given twice")
        if len(set(pans)) < len(pans) or {c.name for c in self.card} & set(load_test_cards()):
            raise ValueError("card: two cards with one number, or the name of a documented test card")
        lost = next((t for t in self.terminal if t.mid not in mids), None)
        if lost is not None:
            raise ValueError(f"terminal {lost.tid}: merchant {lost.mid} is not among [[merchant]]")
        return self


@dataclass(frozen=True, slots=True)
class Ready:
    """What the configuration comes to: the engine's settings, the cards, the BIN table, and who is provisioned."""

    configuration: Configuration
    settings: Settings
    bins: Bins
    cards: dict[str, TestCard] = field(repr=False)
    limits: EdgeLimits = edge


def read(path: Path | None) -> Configuration:
    """The file (None: no file) under the variables. Raises: ConfigError, one line with file, line where known, key."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text("utf8"))
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
    _known_variables()
    try:
        return Configuration(**table)
    except ValidationError as error:
        raise ConfigError(_first(error, path)) from None
    except SettingsError as error:  # a variable whose JSON cannot be read
        raise ConfigError(f"{PREFIX}…: {error}") from None


def _known_variables() -> None:
    """A misspelt CLOSEOUT_ variable is told, as a misspelt key is."""
    names = {f"{PREFIX}{name}".upper() for name in Configuration.model_fields}
    for variable in os.environ:
        if not variable.startswith(PREFIX) or variable in _NOT_OURS:
            continue
        if variable.partition("__")[0].upper() not in names:
            raise ConfigError(f"{variable}: no such setting")


def _first(error: ValidationError, path: Path | None) -> str:
    errors = error.errors(include_input=False, include_url=False)
    # A key that is misspelt is also one that is missing: the first tells more.
    found = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    key = ".".join(str(part) for part in found["loc"])
    line = _line_of(path, found["loc"]) if path is not None else 0
    where = f"{path}:{line}" if line else str(path or "configuration")
    text = found["msg"].removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        text = "is no key of a configuration (see `acquirer-host config init`)"
    variable = f"{PREFIX}{key.replace('.', '__')}".upper()
    if variable in os.environ:
        where = variable
    return f"{where}: {key}: {text}" if key else f"{where}: {text}"


def _line_of(path: Path, loc: tuple[int | str, ...]) -> int:
    """The line on which a key stands, 0 when it cannot be told: [[table]] headers are counted, then the key's name."""
    names = [part for part in loc if isinstance(part, str)]
    at = next((part for part in loc if isinstance(part, int)), None)
    if not names:
        return 0
    lines = path.read_text("utf8").splitlines()
    seen, inside = -1, at is None and len(names) == 1
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if header := re.match(r"\[\[?\s*([\w-]+)\s*\]?\]", text):
            if header[1] == names[0] and len(names) == 1 and at is None:
                return number
            seen += header[1] == names[0]
            inside = header[1] == names[0] and (at is None or seen == at)
        elif inside and re.match(rf"{re.escape(names[-1])}\s*=", text):
            return number
    return 0


def ready(configuration: Configuration) -> Ready:
    """The values that the parts of the host take."""
    reset = configuration.terminal_reset or ("epoch" if configuration.provisioning == "auto" else "keep")
    settings = Settings(
        provisioning=configuration.provisioning,
        terminal_reset=reset,
        host_only=configuration.host_only,
        issuer_timeout_s=configuration.limits.issuer_timeout_s,
        amount_max=configuration.limits.amount_max,
        cutoff_grace_s=configuration.limits.cutoff_grace_s,
        cutoff_grace_max_s=configuration.limits.cutoff_grace_max_s,
        stale_days=configuration.limits.stale_days,
        currency=configuration.currency,
        acquirer_code=configuration.acquirer_code,
        issuer_code=configuration.issuer_code,
        magic=configuration.magic,
        unknown_cards=configuration.unknown_cards,
    )
    bins = Bins.of(BinRange(b.low, b.high, b.organisation, b.card_class) for b in configuration.bin)
    cards = dict(load_test_cards())
    for card in configuration.card:
        cards[card.name] = TestCard(
            name=card.name,
            pan=card.pan,
            expiry=card.expiry,
            card_class=card.card_class,
            organisation=bins.organisation(card.pan),
            pin=card.pin,
            balance=card.balance,
            expired=card.expired,
            stolen=card.stolen,
            lost=card.lost,
            partial=card.partial,
        )
    limits = EdgeLimits(**{f.name: getattr(configuration.limits, f.name) for f in fields(EdgeLimits)})
    return Ready(configuration, settings, bins, cards, limits)


# ---- provisioning from the file


def provision(store: Store, configuration: Configuration, now: str) -> list[str]:
    """Put the file's merchants and terminals into the books; gives back what changed, one line each, without keys.

    Books stay: a terminal that is there already keeps its batch, epoch and working keys unless its master key is
    another one. Called before anything listens, as the only writer.
    """
    if not (configuration.merchant or configuration.terminal):
        return []
    ws = store.load(Needs(tids={t.tid for t in configuration.terminal}, mids={m.mid for m in configuration.merchant}))
    ids = store.last_ids()
    puts: list[Merchant | Terminal] = []
    lines: list[str] = []

    def new_id(table: type) -> int:
        ids[table.__name__] = ids.get(table.__name__, 0) + 1
        return ids[table.__name__]

    currencies = {}
    for merchant in configuration.merchant:
        currencies[merchant.mid] = merchant.currency or configuration.currency
        old = ws.merchant(merchant.mid)
        fresh = Merchant(
            id=old.id if old else new_id(Merchant),
            mid=merchant.mid,
            name=merchant.name or merchant.mid,
            currency=currencies[merchant.mid],
            provisioned=CONFIGURED,
        )
        if fresh != old:
            puts.append(fresh)
            lines.append(f"merchant {merchant.mid}: {'changed' if old else 'new'}")
    for table in configuration.terminal:
        terminal = ws.terminal(table.tid)
        tmk = table.tmk or (terminal.tmk if terminal else Settings().test_tmk)
        currency = table.currency or currencies[table.mid]
        if terminal is None:
            new = Terminal(
                id=new_id(Terminal),
                tid=table.tid,
                mid=table.mid,
                dialect=table.dialect,
                provisioned=CONFIGURED,
                signed_on=False,
                tmk=tmk,
                pik="",
                mak="",
                tdk="",
                old_mak="",
                epoch=1,
                last_stan="",
                last_seen="",
                currency=currency,
            )
        else:
            new = replace(terminal, mid=table.mid, provisioned=CONFIGURED, currency=currency)
            if tmk != terminal.tmk:
                new = with_master_key(new, tmk)
        if new != terminal:
            puts.append(new)
            lines.append(f"terminal {table.tid}: {'changed' if terminal else 'new'}, {describe_key('TMK', tmk)}")
    if puts:
        # A crash before: nothing is known yet and the next start does it again. After: it is known.
        store.commit(puts)
    return lines


def with_master_key(terminal: Terminal, tmk: str) -> Terminal:
    """The terminal under another master key: its working keys are of no use to it any more, so it must sign on."""
    return replace(terminal, tmk=tmk, signed_on=False, pik="", mak="", tdk="", old_mak="", spent_mak="")


def describe_key(name: str, key: str) -> str:
    """A key as it may be shown: its name, length and check value, never itself."""
    return f"{name} {len(key) * 4} bit, check value {kcv(bytes.fromhex(key)).hex().upper()[:8]}" if key else f"{name} -"
