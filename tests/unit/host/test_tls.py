"""A listener's certificates: what is taken, and what is said of what is not."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from host.errors import ConfigError
from host.tls import server_context, why
from specs.endpoint import parse
from tests.support import certs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = certs.make(tmp_path_factory.mktemp("certs"))
    key = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (folder / "locked.key").write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"secret")))
    (folder / "both.pem").write_bytes((folder / "server.pem").read_bytes() + (folder / "server.key").read_bytes())
    return folder


def context(options: str, folder: Path) -> ssl.SSLContext | None:
    return server_context(parse(f"nac://127.0.0.1:0?{options.format(folder)}"))


def test_what_a_url_asks_for(folder: Path) -> None:
    assert server_context(parse("nac://127.0.0.1:0")) is None
    one_way = context("tls=1&cert={0}/server.pem&key={0}/server.key", folder)
    assert one_way is not None
    assert (one_way.verify_mode, one_way.minimum_version) == (ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2)
    mutual = context("tls=1&cert={0}/server.pem&key={0}/server.key&client_ca={0}/ca.pem", folder)
    assert mutual is not None
    assert mutual.verify_mode == ssl.CERT_REQUIRED
    assert context("tls=1&cert={0}/both.pem", folder) is not None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("tls=1", "needs cert=FILE"),
        ("tls=1&cert={0}/nowhere.pem&key={0}/server.key", "cert={0}/nowhere.pem: No such file"),
        ("tls=1&cert={0}/server.pem&key={0}/nowhere.key", "key={0}/nowhere.key: No such file"),
        ("tls=1&cert={0}&key={0}/server.key", "Is a directory"),
        ("tls=1&cert={0}/server.pem&key={0}/client.key", "the key is not that of the certificate"),
        ("tls=1&cert={0}/server.pem&key={0}/locked.key", "with a password are not served"),
        ("tls=1&cert={0}/server.key&key={0}/server.key", "no PEM certificate"),
        ("tls=1&cert={0}/server.pem", "no PEM certificate with its private key"),
        ("tls=1&cert={0}/both.pem&client_ca={0}/nowhere.pem", "client_ca={0}/nowhere.pem: No such file"),
        ("tls=1&cert={0}/both.pem&client_ca={0}/server.key", "no PEM certificate in it"),
        ("tls=1&cert={0}/both.pem&ca={0}/ca.pem", "for --connect"),
        ("tls=1&cert={0}/both.pem&insecure=1", "for --connect"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(folder: Path, options: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        context(options, folder)
    assert says.format(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reason_that_nobody_has_words_for_is_still_readable() -> None:
    error = ssl.SSLError(1, "[SSL: BAD_ECPOINT] bad ecpoint (_ssl.c:1006)")
    assert why(error) == "the TLS handshake failed"
    error.reason = "BAD_ECPOINT"
    assert why(error) == "bad ecpoint"
