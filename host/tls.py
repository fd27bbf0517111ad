"""TLS of a listener: its context, and one line's handshake and records over the loop's plain transport.

The records are made by `ssl.SSLObject` over memory, the same on both loops. The loops' own TLS would hide why a
handshake failed, could not look at the first byte of a client that speaks plain, and on the standard library's loop
keeps a 256 KiB buffer for each connection (design.md, section 3: known traps).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from host.connection import Connection
from host.errors import ConfigError
from specs.errors import FrameError
from specs.framing import FrameFormat

if TYPE_CHECKING:
    from host.server import Server
    from specs.endpoint import Endpoint

READ_BYTES = 16_384
"""The most that one TLS record holds."""
_HANDSHAKE = 0x16
"""The first byte of every TLS connection: a record of the handshake (RFC 8446, section 5.1)."""


def server_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    """What the listener's URL asks for; None = plain. Raises: ConfigError naming the file or the option."""
    tls = endpoint.tls
    if tls is None:
        return None
    where = f"--listen {endpoint.url}"
    if tls.ca or tls.insecure:
        raise ConfigError(f"{where}: ca and insecure are for --connect; for a listener it is client_ca=FILE")
    if not tls.cert:
        raise ConfigError(f"{where}: tls=1 needs cert=FILE and key=FILE (for tests: `make certs`)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 1  # it also tells a TLS 1.3 client that we have accepted its certificate
    _readable(where, "cert", tls.cert)
    _readable(where, "key", tls.key or tls.cert)
    try:
        context.load_cert_chain(tls.cert, tls.key or tls.cert, password=_no_password)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ConfigError(f"{where}: cert={tls.cert}, key={tls.key or tls.cert}: {_about_files(error)}") from None
    if tls.client_ca:
        _readable(where, "client_ca", tls.client_ca)
        try:
            context.load_verify_locations(cafile=tls.client_ca)
        except (ssl.SSLError, OSError):
            raise ConfigError(f"{where}: client_ca={tls.client_ca}: no PEM certificate in it") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; keys with a password are not served")


def _readable(where: str, option: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ConfigError(f"{where}: {option}={path}: {error.strerror or error}") from None


def _about_files(error: Exception) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    if isinstance(error, ssl.SSLError):
        return "no PEM certificate with its private key"
    return str(error)


# ---- why a handshake failed

_REASONS: Mapping[str, str] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate, and client_ca asks for one",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust our certificate's CA",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not accept our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not accept our certificate (host name or contents)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "to the client our certificate has expired",
    "UNSUPPORTED_PROTOCOL": "the client offers nothing newer than TLS 1.1; at least 1.2 is asked for",
    "NO_SHARED_CIPHER": "no cipher that both sides know",
    "HTTP_REQUEST": "an HTTP client speaks to a TLS listener",
}
"""OpenSSL's names -> words. Certificates that we refuse come with OpenSSL's own sentence."""


def why(error: ssl.SSLError) -> str:
    """A failed handshake in words, without addresses of memory or code lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is refused: {error.verify_message}"
    reason = str(getattr(error, "reason", None) or "")
    return _REASONS.get(reason) or (reason.replace("_", " ").lower() or "the TLS handshake failed")


# ---- one line


class TlsTransport:
    """The line's transport with TLS in between: what is written leaves as records. Only what Connection uses.

    Bound: OpenSSL keeps at most one record of each direction here; everything else is in the plain transport's buffer.
    """

    __slots__ = ("_in", "_out", "_plain", "_tls", "ready")

    def __init__(self, plain: asyncio.Transport, context: ssl.SSLContext) -> None:
        self._plain = plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self.ready = False
        """Whether the handshake is done."""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Records in; clear bytes out, and whether the client has ended its side. Raises: ssl.SSLError."""
        self._in.write(data)
        clear = bytearray()
        try:
            if not self.ready:
                self._tls.do_handshake()
                self.ready = True
            while chunk := self._tls.read(READ_BYTES):
                clear += chunk
        except ssl.SSLWantReadError:
            return bytes(clear), False
        except ssl.SSLZeroReturnError:
            return bytes(clear), True
        finally:
            self._flush()  # handshake, tickets, alerts
        return bytes(clear), True

    def write(self, data: bytes) -> None:
        """One answer, as a record or more."""
        self._tls.write(data)
        self._flush()

    def close(self) -> None:
        """Say so to the client (close_notify), then end the line once all has left."""
        if not self._plain.is_closing() and self.ready:
            with contextlib.suppress(ssl.SSLError):  # it would like to hear the client's own; we do not wait for it
                self._tls.unwrap()
            self._flush()
        self._plain.close()

    def abort(self) -> None:
        """End the line with a RST, without a word to the client."""
        self._plain.abort()

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._plain.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the plain line: «peername», «sockname»."""
        return self._plain.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bytes of records that may wait, as asyncio counts them."""
        self._plain.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Bytes of records that wait."""
        return self._plain.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take no more from the socket; what is decrypted already still comes."""
        self._plain.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._plain.resume_reading()

    def _flush(self) -> None:
        if self._out.pending and not self._plain.is_closing():
            self._plain.write(self._out.read())


class TlsConnection(Connection):
    """A line of a TLS listener: the same, behind a handshake that has a deadline and says why it failed."""

    __slots__ = ("_context", "_made_at", "_silent", "_tls")

    def __init__(
        self,
        server: Server,
        endpoint: Endpoint,
        frame: FrameFormat,
        accepted: socket.socket,
        address: str,
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(server, endpoint, frame, accepted, address)
        self._context = context
        self._made_at = 0.0
        self._silent = True
        """Nothing has come yet."""
        self._tls: TlsTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP line is up; the client has to speak first."""
        self._made_at = self._server.loop_time()
        self._tls = TlsTransport(cast(asyncio.Transport, transport), self._context)
        super().connection_made(cast(asyncio.BaseTransport, self._tls))

    def data_received(self, data: bytes) -> None:
        """Records in; what they hold goes the way of every line."""
        tls = self._tls
        assert tls is not None
        if tls.is_closing():
            return
        if self._silent:
            self._silent = False
            if data[0] != _HANDSHAKE:
                self._refuse("a plain client speaks to a TLS listener", data)
                return
        try:
            clear, ended = tls.feed(data)
        except ssl.SSLError as error:
            self._refuse(why(error), b"")
            return
        if clear:
            super().data_received(clear)
        if ended and not self.eof_received():
            self.hang_up()

    def overdue(self, now: float) -> str:
        """As every line; and the handshake has its own time."""
        waiting = self._tls is not None and not self._tls.ready and not self._ending_at
        if waiting and now - self._made_at > self._server.limits.handshake_s:
            return "handshake_s"
        return super().overdue(now)

    def give_up(self, limit: str) -> None:
        """As every line; a handshake that was never finished is told."""
        if limit == "handshake_s":
            self._refuse(f"no TLS handshake within {self._server.limits.handshake_s:g} s", b"")
        else:
            super().give_up(limit)

    def _refuse(self, reason: str, data: bytes) -> None:
        self._server.tls_failed(self, reason)
        self._server.broken(self, FrameError(f"TLS: {reason}", expected="a handshake of TLS 1.2 or newer"), data)
        self.hang_up()
