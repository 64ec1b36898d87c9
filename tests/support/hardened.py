"""The settings that harden a stage, as overrides, and every configuration in which they are checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Final

from tests.support.synthesis import COGNITO

BOUNDARY: Final = "arn:aws:iam::111122223333:policy/limits-of-imagegen"
CERTIFICATE: Final = "arn:aws:acm:us-east-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"
DOMAIN: Final = "images.example.com"
KMS: Final = "encryption=kms"
WAF: Final = "waf=true"
NAMED: Final = f"domain_name={DOMAIN} certificate_arn={CERTIFICATE}"
HARDENED: Final = (
    f"{KMS} bucket_access_logs=true {WAF} {NAMED} hosted_zone_id=Z0123456789ABC "
    f"permissions_boundary={BOUNDARY}"
)
"""All of them at once."""
AUTHENTICATION: Final[Mapping[str, str]] = {"key": "", "iam": "api_auth=iam", "cognito": COGNITO}
MATRIX: Final = tuple(
    (stage, " ".join(word for word in (auth, waf, named, kms) if word) or None)
    for stage, auth, waf, named, kms in product(
        ("dev", "prod"), AUTHENTICATION.values(), ("", WAF), ("", NAMED), ("", KMS)
    )
)
"""Each stage for an account with each kind of callers, and firewall, domain and key on and off."""
