"""Makes the certificates of the strict mode: an authority that lives as long as the folder, and the emulator's own."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ("localhost", "*.localhost", "*.execute-api.localhost")
LIFETIME = dt.timedelta(days=90)
RENEWAL = dt.timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The files of one folder's strict mode, in PEM."""

    folder: Path

    @property
    def authority(self) -> Path:
        """What clients of the emulator trust: this authority and nothing else."""
        return self.folder / "ca.pem"

    @property
    def trusted(self) -> Path:
        """What the functions trust: the authority, and this machine's own roots for a Bedrock elsewhere."""
        return self.folder / "trusted.pem"

    @property
    def certificate(self) -> Path:
        """The emulator's certificate, with the authority's behind it."""
        return self.folder / "emulator.pem"

    @property
    def key(self) -> Path:
        """The emulator's private key."""
        return self.folder / "emulator.key"


def ensure(folder: Path, *, now: dt.datetime) -> Certificates:
    """Return the folder's certificates; they are made again a week before they end."""
    files = Certificates(folder=folder)
    if not _is_valid(files, now=now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(files, now=now)
    return files


def trust(authority: Path | None) -> ssl.SSLContext:
    """Return what a client of the emulator trusts: the authority alone, or this machine's roots without one."""
    return ssl.create_default_context(cafile=str(authority) if authority else None)


def _is_valid(files: Certificates, *, now: dt.datetime) -> bool:
    wanted = (files.authority, files.trusted, files.certificate, files.key)
    if not all(path.is_file() for path in wanted):
        return False
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    return now < certificate.not_valid_after_utc - RENEWAL


def _make(files: Certificates, *, now: dt.datetime) -> None:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name, name = _name("imagegen local authority"), _name("localhost")
    alternatives = [*map(x509.DNSName, NAMES), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now=now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _builder(name, authority_name, key.public_key(), now=now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    authority_pem = authority.public_bytes(serialization.Encoding.PEM)
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files.trusted.write_bytes(authority_pem + _roots_of_this_machine())
    files.authority.write_bytes(authority_pem)
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + authority_pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _roots_of_this_machine() -> bytes:
    roots = ssl.get_default_verify_paths().cafile
    return Path(roots).read_bytes() if roots and Path(roots).is_file() else b""
