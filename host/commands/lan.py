"""`serve --lan`: what to type into a POS so that it finds this host, and who else can listen."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from host.config import Configuration, TerminalTable
from specs.endpoint import Endpoint
from specs.framing import HEADER_BYTES, LENGTH_TITLES

TERMINALS_SHOWN = 8
_NAME = 12
_OF_THE_MACHINE = ("docker", "br-", "veth", "virbr")
"""Interfaces that lead to containers and virtual machines: no POS hangs there."""
_SIOCGIFADDR = 0x8915


def addresses() -> list[str]:
    """This machine's own addresses, loopback left out; asks resolver, routing table and interfaces, sends nothing."""
    found = interface_addresses()
    with contextlib.suppress(OSError):
        found |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # a documentation address: a datagram socket's connect only picks a route
        found.add(str(probe.getsockname()[0]))
    return sorted(a for a in found if not a.startswith("127."))


def interface_addresses() -> set[str]:
    """The first IPv4 address of each interface that has one; Linux only, elsewhere nothing. A bench whose POS hangs on
    a switch has no default route, so the routing table does not tell."""
    found: set[str] = set()
    if sys.platform != "linux":
        return found
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if not name.startswith(_OF_THE_MACHINE):
                with contextlib.suppress(OSError):  # no address, or down
                    asked = struct.pack("256s", name.encode()[:15])
                    found.add(socket.inet_ntoa(fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, asked)[20:24]))
    return found


def instructions(
    listeners: Sequence[dict[str, Any]],
    endpoints: Sequence[Endpoint],
    configuration: Configuration,
    api: str,
) -> str:
    """The lines to type, one block a listener, and the warnings that belong to them. listeners: rows of the ready file;
    api: its address, which stays where it is."""
    lines = ["", "Type into the POS:"]
    for row, endpoint in zip(listeners, endpoints, strict=True):
        lines += _block(row, endpoint, configuration)
    lines += _warnings(listeners, api)
    return "\n".join(lines)


def _block(row: dict[str, Any], endpoint: Endpoint, configuration: Configuration) -> Iterable[str]:
    frame = endpoint.dialect.frame
    counted = ", counts itself" if frame.inclusive else ", without itself"
    yield f"  {endpoint.dialect.name}: {endpoint.dialect.title}"
    for name, value in (
        ("host", _reached_by(row["address"])),
        ("port", str(row["port"])),
        ("length", LENGTH_TITLES[frame.length] + (counted if frame.length != "none" else "")),
        ("TPDU", "6000030000; any NII will do: the answer swaps the two addresses" if frame.tpdu else "none"),
        ("header", f"{HEADER_BYTES} bytes, 603100310000 for example" if frame.header else "none"),
        ("TLS", _tls(endpoint)),
        *_terminals(endpoint, configuration),
    ):
        yield f"    {name:<{_NAME}}{value}"


def _reached_by(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.is_unspecified:
        return " or ".join(addresses()) or "(no address but loopback was found on this machine)"
    return f"{address} (this machine only)" if known.is_loopback else address


def _tls(endpoint: Endpoint) -> str:
    if endpoint.tls is None:
        return "off"
    if endpoint.tls.client_ca:
        return f"on, 1.2 or newer; the POS shows a certificate of {endpoint.tls.client_ca}"
    return "on, 1.2 or newer"


def _terminals(endpoint: Endpoint, configuration: Configuration) -> Iterable[tuple[str, str]]:
    known = [t for t in configuration.terminal if t.dialect == endpoint.dialect.name]
    if configuration.provisioning == "strict":
        yield "terminals", _list(known) or "none is configured for this dialect, so every one is refused"
    else:
        yield "TID, MID", "free: any 8 and any 15 characters" + (f"; known: {_list(known)}" if known else "")
    if endpoint.dialect.family == "cup":
        keys = {t.tmk for t in known}
        own = "that of [[terminal]] in the configuration" if keys - {None} else ""
        test = "0123456789ABCDEFFEDCBA9876543210, the documented test key"
        yield "master key", own if own and None not in keys and configuration.provisioning == "strict" else test
        if own and (None in keys or configuration.provisioning != "strict"):
            yield "", f"or {own}"


def _list(terminals: Sequence[TerminalTable]) -> str:
    shown = ", ".join(f"{t.tid} of {t.mid}" for t in terminals[:TERMINALS_SHOWN])
    left = len(terminals) - TERMINALS_SHOWN
    return f"{shown} and {left} more" if left > 0 else shown


def _warnings(listeners: Sequence[dict[str, Any]], api: str) -> Iterable[str]:
    plain = [f"{row['dialect']} on port {row['port']}" for row in listeners if not row["tls"]]
    if plain:
        yield f"Warning: {', '.join(plain)}: plain, no TLS. Anyone on this network can read card numbers there."
        yield "         Use test cards and a network that you trust, or tls=1&cert=…&key=… (docs/network.md)."
    yield f"The API and dashboard stay on this machine: {api}"
