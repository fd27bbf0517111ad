"""The listener URL of interface.md, section 2: one syntax for `serve --listen` and `terminal-sim init --connect`.

    DIALECT://ADDR:PORT[?length=bcd2&inclusive=1&tpdu=0&header=0&strict=1&bitmap=binary&binary=raw&charset=ebcdic]

DIALECT is a built-in name or a TOML path (`./mybank.toml://127.0.0.1:9000`).

    length     bin2, bcd2, ascii4: the length header        mti        ascii, bcd
    inclusive  1: the length counts itself                  bitmap     hex, binary
    tpdu       1: five bytes before the message             numeric    ascii, bcd: digits (n) and tracks (z)
    header     0 or 6 bytes after the TPDU                  lengths    ascii, bcd: LL and LLL
    strict     1: answer 30 to a breach of the dialect      binary     hex, raw: PIN block, MAC, chip data
                                                            charset    ascii, ebcdic (code page 500)

TLS, a listener's and a terminal's side; files are PEM, and nothing is read here (docs/network.md):

    tls        1: TLS 1.2 or newer                          cert, key  FILE: our certificate and its private key
    client_ca  FILE (listener): clients must show a certificate of this CA
    ca         FILE (--connect): the CA of the host         insecure   1 (--connect): any certificate will do
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from specs.dialect import Dialect, load, with_options
from specs.errors import DialectError, SpecError
from specs.framing import LENGTH_BYTES

DEFAULT_PORTS = {"cup": 8583, "nac": 8584, "iso87": 8585}
_FLAGS = {"0": False, "1": True}
_HEADERS = {"0": 0, "6": 6}
_ENCODINGS = ("mti", "bitmap", "numeric", "lengths", "binary", "charset")


class EndpointError(SpecError):
    """A listener URL that cannot be used; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a TLS line by their paths, "" = not given; nobody has opened them yet."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    ca: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen or to dial, and what is spoken there. port 0 = any free port (listening only); no tls = plain."""

    dialect: Dialect
    address: str
    port: int
    strict: bool = False
    url: str = ""
    tls: Tls | None = None


def parse(url: str) -> Endpoint:
    """Read a listener URL. Raises EndpointError; a dialect that cannot be loaded raises DialectError."""
    name, separator, rest = url.partition("://")
    if not separator or not name:
        raise EndpointError(f"{url!r}: expected DIALECT://ADDR:PORT, for example cup://127.0.0.1:8583")
    authority, _, query = rest.partition("?")
    address, port = _address(url, name, authority.rstrip("/"))
    options = _options(url, query)
    tls = _tls(url, options)
    strict = bool(options.pop("strict", False))
    encoding = {key: str(options.pop(key)) for key in _ENCODINGS if key in options}
    dialect = load(name)
    if options or encoding:
        try:
            dialect = with_options(load(name, encoding), **options)  # type: ignore[arg-type]
        except DialectError as error:
            raise EndpointError(f"{url!r}: {error}") from error
    return Endpoint(dialect, address, port, strict, url, tls)


def _address(url: str, name: str, authority: str) -> tuple[str, int]:
    host, separator, port_text = authority.rpartition(":")
    if not separator:
        host, port_text = authority, str(DEFAULT_PORTS.get(name, ""))
    host = host.strip("[]") or "127.0.0.1"
    if not port_text.isascii() or not port_text.isdigit() or int(port_text) > 65535:
        raise EndpointError(f"{url!r}: port {port_text!r} is not a number from 0 to 65535")
    return host, int(port_text)


_VALUES: Mapping[str, Mapping[str, str | bool | int]] = {
    "length": {name: name for name in LENGTH_BYTES if name != "none"},
    "inclusive": _FLAGS,
    "tpdu": _FLAGS,
    "header": _HEADERS,
    "strict": _FLAGS,
    "mti": {"ascii": "ascii", "bcd": "bcd"},
    "bitmap": {"hex": "hex", "binary": "binary"},
    "numeric": {"ascii": "ascii", "bcd": "bcd"},
    "lengths": {"ascii": "ascii", "bcd": "bcd"},
    "binary": {"hex": "hex", "raw": "raw"},
    "charset": {"ascii": "ascii", "ebcdic": "ebcdic"},
    "tls": _FLAGS,
    "insecure": _FLAGS,
}
"""Option -> what may stand behind it -> what it means."""


_TLS_FILES = ("cert", "key", "client_ca", "ca")


def _tls(url: str, options: dict[str, str | bool | int]) -> Tls | None:
    """Takes the options of TLS out of `options`."""
    wanted = bool(options.pop("tls", False))
    files = {name: str(options.pop(name)) for name in _TLS_FILES if name in options}
    insecure = bool(options.pop("insecure", False))
    if not wanted:
        if files or insecure:
            raise EndpointError(f"{url!r}: {next(iter(files), 'insecure')} needs tls=1; without it the line is plain")
        return None
    if files.get("key") and not files.get("cert"):
        raise EndpointError(f"{url!r}: key needs cert, the certificate that it belongs to")
    return Tls(**files, insecure=insecure)


def _options(url: str, query: str) -> dict[str, str | bool | int]:
    options: dict[str, str | bool | int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key in _TLS_FILES:
            if not value:
                raise EndpointError(f"{url!r}: {key}= names no file")
            options[key] = value
            continue
        if key not in _VALUES:
            raise EndpointError(f"{url!r}: option {key!r} is not one of {', '.join((*_VALUES, *_TLS_FILES))}")
        if value not in _VALUES[key]:
            raise EndpointError(f"{url!r}: {key}={value!r} is not one of {', '.join(_VALUES[key])}")
        options[key] = _VALUES[key][value]
    return options
