"""Makes the two certificates of the strict mode: a local authority, and the emulator's own, signed by it."""

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509

NAMES = ("localhost", "*.localhost", "*.execute-api.localhost", "127.0.0.1")
LIFETIME = dt.timedelta(days=90)
RENEWAL = dt.timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The certificate files of one folder, in PEM."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate: the only one that clients of the emulator trust."""
        return self.folder / "ca.pem"

    @property
    def trusted(self) -> Path:
        """The authority's certificate and this machine's roots. The functions trust both: Bedrock may be elsewhere."""
        return self.folder / "trusted.pem"

    @property
    def certificate(self) -> Path:
        """The emulator's certificate, followed by the authority's."""
        return self.folder / "emulator.pem"

    @property
    def key(self) -> Path:
        """The emulator's private key."""
        return self.folder / "emulator.key"


def ensure(folder: Path, *, now: dt.datetime) -> Certificates:
    """Return the folder's certificates; make them if they are missing or end within a week."""
    files = Certificates(folder=folder)
    if not _is_valid(files, now=now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(files, now=now)
    return files


def trust(authority: Path | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the authority alone, or this machine's roots if there is no authority."""
    return ssl.create_default_context(cafile=str(authority) if authority else None)


def _is_valid(files: Certificates, *, now: dt.datetime) -> bool:
    wanted = (files.authority, files.trusted, files.certificate, files.key)
    if not all(path.is_file() for path in wanted):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except ValueError:  # damaged
        return False
    return now < certificate.not_valid_after_utc - RENEWAL


def _make(files: Certificates, *, now: dt.datetime) -> None:
    authority = trustme.CA(
        organization_name="imagegen", organization_unit_name="local authority", path_length=0
    )
    # An hour back, because a client's clock may be behind this one.
    certificate = authority.issue_cert(
        *NAMES, not_before=now - dt.timedelta(hours=1), not_after=now + LIFETIME
    )
    authority_pem = authority.cert_pem.bytes()
    # The permission comes before the key, so that nobody can read it in between. The authority's own key is never
    # written.
    files.key.touch(mode=0o600)
    files.key.write_bytes(certificate.private_key_pem.bytes())
    files.trusted.write_bytes(authority_pem + _roots_of_this_machine())
    files.authority.write_bytes(authority_pem)
    files.certificate.write_bytes(certificate.cert_chain_pems[0].bytes() + authority_pem)


def _roots_of_this_machine() -> bytes:
    roots = ssl.get_default_verify_paths().cafile
    return Path(roots).read_bytes() if roots and Path(roots).is_file() else b""
