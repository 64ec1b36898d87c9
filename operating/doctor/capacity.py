"""The account's concurrency, the role of API Gateway's logs, and the quota of its time-out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from operating.doctor.deployment import reserved_now
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, warning
from operating.doctor.quotas import MILLISECONDS, all_quotas, raise_command

EVERY_ACCOUNT_ALLOWS: Final = 29
"""Seconds that API Gateway waits in an account whose quota was not raised."""
TIMEOUT_QUOTA: Final = "integration timeout in milliseconds"
"""What the quota's name ends in, whatever its code is."""
TIMEOUT_CODE: Final = "L-E5AE38E3"
"""The quota's code, if AWS renames it."""


def concurrency(examined: Examined) -> Iterator[Finding]:
    """Compare what the stage's functions take with the account's limit (AWS Lambda developer guide, "quotas")."""
    limits = examined.client("lambda").get_account_settings()["AccountLimit"]
    limit, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    stated = examined.config.account_concurrency
    if stated is not None and stated != limit:
        yield warning(
            f"account_concurrency is {stated}, but the account's limit of concurrent executions is {limit}.",
            examined.deploy(f"account_concurrency={limit}"),
        )
    small = examined.deploy(
        "reserve_concurrency=false", f"account_concurrency={limit}", "api_concurrency=null"
    )
    if examined.config.reserve_concurrency:
        yield _reserved(examined, limit=limit, free=free, mend=small)
        return
    taken = examined.plan.queue + examined.plan.beside
    if stated is None and taken > limit / 2:
        yield problem(
            f"The worker may take {taken} of the {limit} concurrent executions of the account, and would leave "
            f"{max(0, limit - taken)} to requests.",
            small,
        )
        return
    yield fine(f"The stage reserves nothing, and its worker takes {taken} of {limit} concurrent executions.")


def _reserved(examined: Examined, *, limit: int, free: int, mend: str) -> Finding:
    # What the deployed stage reserves is not free now, and is given back by the deployment that replaces it.
    now = reserved_now(examined) if examined.deployed else 0
    wanted = examined.plan.reserved
    left = free + now - wanted
    words = f"The stage reserves {wanted} of {limit} concurrent executions of the account"
    if left < examined.plan.kept:
        return problem(
            f"{words}, of which {free + now} are free, and Lambda keeps {examined.plan.kept} for functions without a "
            "reservation: AWS would refuse the deployment. Reserve nothing, or ask for a higher limit in Service "
            "Quotas.",
            mend,
        )
    return fine(f"{words}, and leaves {left} to functions without a reservation.")


def log_role(examined: Examined) -> Iterator[Finding]:
    """See by which role API Gateway writes logs in this account and region."""
    role: str = examined.client("apigateway").get_account().get("cloudwatchRoleArn", "")
    sets = examined.config.gateway_log_role
    if not role and not sets:
        yield problem(
            "No role is set by which API Gateway could write logs, and with gateway_log_role false the stage sets "
            "none: AWS would refuse the deployment.",
            examined.deploy("gateway_log_role=true"),
        )
    elif not role:
        yield fine("No role is set by which API Gateway could write logs; the deployment sets one.")
    elif sets and examined.deployed is None and not role.rpartition("/")[2].startswith("imagegen-"):
        yield warning(
            f"API Gateway writes the logs of all APIs of the region by {role}, and the deployment would set another "
            "role in its place.",
            examined.deploy("gateway_log_role=false"),
        )
    else:
        yield fine(f"API Gateway writes logs by {role}.")


def gateway_timeout(examined: Examined) -> Iterator[Finding]:
    """Compare `gateway_timeout` with the quota of the account (API Gateway developer guide, "quotas")."""
    seconds = examined.config.gateway_timeout
    if seconds <= EVERY_ACCOUNT_ALLOWS:
        yield fine(f"gateway_timeout is {seconds} s, which every account allows.")
        return
    quota = _timeout_quota(all_quotas(examined, "apigateway"))
    if quota is None:
        yield warning(
            f"gateway_timeout is {seconds} s, and Service Quotas does not say how long API Gateway may wait here.",
            examined.aws("service-quotas list-service-quotas --service-code apigateway"),
        )
        return
    allowed = quota["Value"] / MILLISECONDS
    if allowed < seconds:
        yield problem(
            f"gateway_timeout is {seconds} s, but API Gateway may wait for {allowed:g} s here: the deployment would "
            "be rolled back. A higher quota may lower the throttle of all APIs of the region.",
            raise_command(examined, quota, to=seconds * MILLISECONDS),
        )
        return
    yield fine(f"gateway_timeout is {seconds} s, and API Gateway may wait for {allowed:g} s here.")


def _timeout_quota(quotas: list[dict[str, Any]]) -> dict[str, Any] | None:
    named = (each for each in quotas if each.get("QuotaName", "").lower().endswith(TIMEOUT_QUOTA))
    return next(named, next((each for each in quotas if each.get("QuotaCode") == TIMEOUT_CODE), None))
