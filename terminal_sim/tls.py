"""TLS of the terminal's side: what `--connect …?tls=1` asks for, and why it failed, in words."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from specs.endpoint import Endpoint
from terminal_sim.errors import ConfigError

_FILE_OPTION = re.compile(r"([?&](?:cert|key|ca)=)([^&]+)")

_REASONS: Mapping[str, str] = {
    "WRONG_VERSION_NUMBER": "the host does not speak TLS on this port",
    "UNEXPECTED_EOF_WHILE_READING": "the host closed the line inside the handshake; is it a plain port?",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the host asks for a client certificate (cert=FILE&key=FILE)",
    "TLSV1_ALERT_UNKNOWN_CA": "the host does not accept our certificate: its CA is unknown there",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the host does not accept our certificate: it has expired",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the host refuses; it may ask for a client certificate (cert=FILE&key=FILE)",
    "TLSV1_ALERT_PROTOCOL_VERSION": "no version of TLS that both sides know; ours are 1.2 and newer",
    "UNSUPPORTED_PROTOCOL": "no version of TLS that both sides know; ours are 1.2 and newer",
}
"""OpenSSL's names -> words."""


def client_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    """What the URL of `--connect` asks for; None = plain. Without ca the machine's own CAs count; the host's name or
    address must stand in its certificate. Raises: ConfigError naming the file or the option."""
    tls = endpoint.tls
    if tls is None:
        return None
    if tls.client_ca:
        raise ConfigError("--connect: client_ca is for a listener; the CA of the host is ca=FILE")
    for option, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        _readable(option, path)
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
    except ssl.SSLError:
        raise ConfigError(f"--connect: ca={tls.ca}: no PEM certificate in it") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        try:
            context.load_cert_chain(tls.cert, tls.key or tls.cert, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(f"--connect: cert={tls.cert}, key={tls.key or tls.cert}: {_about_files(error)}") from None
    return context


def with_absolute_files(url: str) -> str:
    """The URL with the paths of its TLS files made absolute: a terminal's folder is used from wherever one stands."""
    return _FILE_OPTION.sub(lambda m: m[1] + quote(str(Path(unquote(m[2])).absolute()), safe="/:\\"), url)


def why(error: ssl.SSLError) -> str:
    """A handshake that failed, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the host's certificate is refused: {error.verify_message.rstrip('.')}"
    reason = str(getattr(error, "reason", None) or "")
    return _REASONS.get(reason) or (reason.replace("_", " ").lower() or "the handshake failed")


def _no_password() -> str:
    raise ValueError("the key is encrypted; keys with a password are not used here")


def _readable(option: str, path: str) -> None:
    try:
        if path:
            with open(path, "rb"):
                pass
    except OSError as error:
        raise ConfigError(f"--connect: {option}={path}: {error.strerror or error}") from None


def _about_files(error: Exception) -> str:
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "no PEM certificate with its private key" if isinstance(error, ssl.SSLError) else str(error)
