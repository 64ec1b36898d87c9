"""Every fault that `make doctor` tells apart."""

from __future__ import annotations

from typing import Final

from tests.support.doctor_fault import Fault
from tests.support.doctor_faults_of_accounts import ACCOUNTS, IDENTITY, MODELS, REACHES
from tests.support.doctor_faults_of_services import DEPLOYMENTS, PROOFS, SERVICES

FAULTS: Final[tuple[Fault, ...]] = (
    *(*IDENTITY, *ACCOUNTS, *MODELS, *REACHES),
    *(*DEPLOYMENTS, *SERVICES, *PROOFS),
)
