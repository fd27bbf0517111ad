"""The listener URL of interface.md, section 2: one syntax for `serve --listen` and `terminal-sim init --connect`.

    DIALECT://ADDR:PORT[?length=bcd2&inclusive=1&tpdu=0&header=0&strict=1]

DIALECT is a built-in name or a TOML path (`./mybank.toml://127.0.0.1:9000`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from specs.dialect import Dialect, load, with_options
from specs.errors import DialectError, SpecError

DEFAULT_PORTS = {"cup": 8583, "nac": 8584, "iso87": 8585}
_LENGTHS = ("bin2", "bcd2", "ascii4")
_FLAGS = {"0": False, "1": True}
_OPTIONS = ("length", "inclusive", "tpdu", "header", "strict")


class EndpointError(SpecError):
    """A listener URL that cannot be used; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen or to dial, and what is spoken there. port 0 = any free port (listening only)."""

    dialect: Dialect
    address: str
    port: int
    strict: bool = False
    url: str = ""


def parse(url: str) -> Endpoint:
    """Read a listener URL. Raises EndpointError; a dialect that cannot be loaded raises DialectError."""
    name, separator, rest = url.partition("://")
    if not separator or not name:
        raise EndpointError(f"{url!r}: expected DIALECT://ADDR:PORT, for example cup://127.0.0.1:8583")
    authority, _, query = rest.partition("?")
    address, port = _address(url, name, authority.rstrip("/"))
    options = _options(url, query)
    strict = bool(options.pop("strict", False))
    dialect = load(name)
    if options:
        try:
            dialect = with_options(dialect, **options)  # type: ignore[arg-type]
        except DialectError as error:
            raise EndpointError(f"{url!r}: {error}") from error
    return Endpoint(dialect, address, port, strict, url)


def _address(url: str, name: str, authority: str) -> tuple[str, int]:
    host, separator, port_text = authority.rpartition(":")
    if not separator:
        host, port_text = authority, str(DEFAULT_PORTS.get(name, ""))
    host = host.strip("[]") or "127.0.0.1"
    if not port_text.isascii() or not port_text.isdigit() or int(port_text) > 65535:
        raise EndpointError(f"{url!r}: port {port_text!r} is not a number from 0 to 65535")
    return host, int(port_text)


def _options(url: str, query: str) -> dict[str, str | bool | int]:
    options: dict[str, str | bool | int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _OPTIONS:
            raise EndpointError(f"{url!r}: option {key!r} is not one of {', '.join(_OPTIONS)}")
        if key == "length":
            if value not in _LENGTHS:
                raise EndpointError(f"{url!r}: length={value!r} is not one of {', '.join(_LENGTHS)}")
            options[key] = value
        elif key == "header":
            if value not in ("0", "6"):
                raise EndpointError(f"{url!r}: header={value!r} is not 0 or 6 (bytes)")
            options[key] = int(value)
        elif value in _FLAGS:
            options[key] = _FLAGS[value]
        else:
            raise EndpointError(f"{url!r}: {key}={value!r} is not 0 or 1")
    return options
