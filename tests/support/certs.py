"""Certificates for tests: `python -m tests.support.certs DIR`, or `make certs` for ./certs.

    ca.pem                        the CA of server and client
    server.pem, server.key        for 127.0.0.1, ::1 and localhost
    client.pem, client.key        a terminal that the CA knows
    expired.pem, expired.key      a server whose certificate ended yesterday
    foreign-ca.pem, foreign.pem, foreign.key    another CA and its client, that ours knows nothing of

Test keys, without a password: nothing else may ever trust them. Valid from yesterday for ten years.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
YEARS = timedelta(days=3652)
_ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    def write(self, folder: Path, name: str, *, with_key: bool = True) -> None:
        """NAME.pem and NAME.key."""
        (folder / f"{name}.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        if with_key:
            path = folder / f"{name}.key"
            path.touch(mode=0o600)
            path.write_bytes(
                self.key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )


def make(folder: Path, now: datetime | None = None) -> Path:
    """Write them all; the folder."""
    now = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    ca, foreign = _authority("Closeout test CA", now), _authority("Foreign test CA", now)
    ca.write(folder, "ca", with_key=False)
    foreign.write(folder, "foreign-ca", with_key=False)
    _signed(ca, "localhost", now - DAY, now + YEARS, server=True).write(folder, "server")
    _signed(ca, "localhost", now - 3 * DAY, now - DAY, server=True).write(folder, "expired")
    _signed(ca, "terminal 12345678", now - DAY, now + YEARS, server=False).write(folder, "client")
    _signed(foreign, "a stranger", now - DAY, now + YEARS, server=False).write(folder, "foreign")
    return folder


def _authority(name: str, now: datetime) -> Pair:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key, now - DAY, now + YEARS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(usage, critical=True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def _signed(by: Pair, name: str, since: datetime, until: datetime, *, server: bool) -> Pair:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, by.certificate.subject, key, since, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    if server:
        names = [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(a)) for a in _ADDRESSES)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(by.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(identifier, critical=False)
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.support.certs DIR")
    for path in sorted(make(Path(sys.argv[1])).iterdir()):
        print(path)
