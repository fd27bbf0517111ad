"""`serve --lan`: what to type into a POS so that it finds this host."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from typing import Any

from specs.endpoint import Endpoint
from specs.framing import LENGTH_TITLES


def addresses() -> list[str]:
    """This machine's own addresses, loopback left out; asks the resolver and the routing table, sends nothing."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        found |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # a documentation address: a datagram socket's connect only picks a route
        found.add(str(probe.getsockname()[0]))
    return sorted(a for a in found if not a.startswith("127."))


def instructions(listeners: Iterable[dict[str, Any]], endpoints: Iterable[Endpoint]) -> str:
    """The lines to type, one block a listener, and the warning that belongs to them."""
    here = " or ".join(addresses()) or "(no address but loopback found on this machine)"
    lines = ["", "Type into the POS:"]
    for row, endpoint in zip(listeners, endpoints, strict=True):
        frame = endpoint.dialect.frame
        lines.append(f"  {endpoint.dialect.title}")
        lines.append(f"    host      {here}")
        lines.append(f"    port      {row['port']}")
        lines.append(f"    length    {LENGTH_TITLES[frame.length]}")
        if frame.tpdu:
            lines.append("    TPDU      6000030000 (any works: the answer swaps the two addresses)")
        if endpoint.dialect.family == "cup":
            lines.append("    TMK       0123456789ABCDEFFEDCBA9876543210 (the documented test key)")
        lines.append("    terminal  any 8 characters, merchant any 15")
    lines.append("The line is plain: no TLS. Use test cards and a network that you trust.")
    return "\n".join(lines)
