"""What Bedrock's refusals mean: which are the account's, the model's or the caller's, and which pass by themselves.

Bedrock has few exceptions and many causes. AccessDeniedException stands for a missing agreement, payment, right or
policy, and ValidationException for a blocked account as well as for a body that is wrong. Only the message tells them
apart, and a message may quote the caller's prompt. So a message counts only if all of it is one of the texts here, with
nothing but ARNs, ids, names of policies and numbers in their places, and if an exception brings it that has brought it
before (`refusals.py`). What no text describes is known by its exception alone. See the Amazon Bedrock user guide,
"Troubleshooting Amazon Bedrock API Error Codes"; `docs/aws.md` has the remedies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imagegen import errors
from imagegen.errors import ImagegenError

_DENIED: Final = frozenset({"AccessDeniedException"})
_INVALID: Final = frozenset({"ValidationException"})
_NOT_FOUND: Final = frozenset({"ResourceNotFoundException"})
SIGNED_WRONG: Final = frozenset(
    {
        "UnrecognizedClientException",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "InvalidClientTokenId",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
    }
)
_AN_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Refusal:
    """One cause: its name in logs and metrics, the error that it is for a caller, and the caller's sentence.

    `texts` are the patterns of whole messages, and `exceptions` those that have carried them. `prefixed` says that the
    model itself was seen to say so: Bedrock then puts words of its own in front. `retry_after` is in seconds, where it
    is not the usual one. `lasting` says that the model will not come back within minutes.
    """

    reason: str
    error: type[ImagegenError]
    sentence: str
    texts: tuple[str, ...]
    exceptions: frozenset[str]
    prefixed: bool = False
    retry_after: int | None = None
    lasting: bool = False


_PLACES: Final[Mapping[str, str]] = {
    "<id>": r"[\w.:/*@+=,-]{1,400}+",
    "<provider>": r"[\w.-]{1,40}(?: [\w.-]{1,40}){0,2}",
    "<action>": r"bedrock:[A-Za-z]{1,60}+",
    "<n>": r"[0-9]{1,5}+",
    "<regular expression>": r"\S{1,2000}+",
}
"""What may stand in the place of a name in angle brackets. None of them takes a whole sentence."""

_SUBSCRIPTION: Final = "Your AWS Marketplace subscription for this model cannot be completed at this time"
_MENDED: Final = "If you recently fixed this issue, try again after <n> minutes"


def _text(text: str, *more: str) -> str:
    """Return the pattern of a whole message; each of the further sentences may be absent."""
    sentences = [_pattern(text), *(rf"(?:\.*+ {_pattern(one)})?" for one in more)]
    return "".join(sentences) + r"\.*+"


def _pattern(text: str) -> str:
    escaped = re.escape(text)
    for place, pattern in _PLACES.items():
        escaped = escaped.replace(re.escape(place), pattern)
    return escaped


def _texts(*texts: str) -> tuple[str, ...]:
    return tuple(_text(text) for text in texts)


def _denied(*policies: str) -> tuple[str, ...]:
    """Return the texts with which IAM denies a call because of one of these kinds of policy."""
    whoever = "(?:(?:User:? ?)?<id> is |User is |)not authorized to perform: <action> on resource: <id>"
    start = whoever.replace("<id>", _PLACES["<id>"]).replace("<action>", _PLACES["<action>"])
    kinds = "|".join(re.escape(policy) for policy in policies)
    action = _PLACES["<action>"]
    because = rf"because no (?:{kinds}) policy allows the (?:{action} )?action"
    deny = rf"with an explicit deny in an? (?:{kinds})(?: policy)?(?:: {_PLACES['<id>']})?"
    short = rf"no (?:{kinds}) policy allows the {action} action"
    return tuple(rf"{pattern}\.*+" for pattern in (f"{start} {because}", f"{start} {deny}", short))


PAYMENT: Final = Refusal(
    "payment",
    errors.Misconfigured,
    "The deployment's AWS account has no valid means of payment for the model.",
    (
        *(
            _text(
                f"{start}INVALID_PAYMENT_INSTRUMENT:{space}A valid payment instrument must be provided", *tail
            )
            for start, tail in (("Model access is denied due to ", (_SUBSCRIPTION, _MENDED)), ("", ()))
            for space in ("", " ")
        ),
    ),
    _DENIED,
)
MARKETPLACE: Final = Refusal(
    "marketplace_agreement",
    errors.Misconfigured,
    "The deployment's AWS account has no AWS Marketplace agreement for the model.",
    (
        _text(
            "Model access is denied due to IAM user or service role is not authorized to perform the required AWS "
            "Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to "
            "this model",
            "Refer to the Amazon Bedrock documentation for further details",
            _SUBSCRIPTION,
            _MENDED,
        ),
        *(
            _text(
                f"Model access is denied due to {who} is not authorized to perform: <id>{where}",
                _SUBSCRIPTION,
                _MENDED,
            )
            for who in ("User: <id>", "User", "<id>")
            for where in (
                "",
                " on resource: <id> because no identity-based policy allows the <id> action",
                " on resource: <id> because no identity-based policy allows the action",
            )
        ),
        _text(_SUBSCRIPTION, _MENDED),
        _text(
            "Your account is not authorized to access this model",
            "Your AWS Marketplace subscription for this model is still being processed",
        ),
        *_texts(
            "Your AWS Marketplace subscription for this model is still being processed",
            "Your account does not have an agreement to this model",
            "API Model access is denied by Marketplace subscription",
            "Model access is denied by Marketplace subscription",
            "The AWS Marketplace Agreement failed due to an underlying issue",
            "The AWS Marketplace Agreement has not succeeded and it has been <n> minutes since the request was made",
        ),
    ),
    _DENIED,
)
MODEL_ACCESS: Final = Refusal(
    "model_access",
    errors.Misconfigured,
    "The deployment's AWS account has no access to the model.",
    (
        _text(
            "Model use case details have not been submitted for this account",
            "Fill out the <provider> use case details form before using the model",
            "If you have already filled out the form, try again in <n> minutes",
        ),
        _text(
            "You have not filled out the required use-case form for this model",
            "Complete the form at <id> before requesting access",
        ),
        _text("You have not filled out the request form", "Fill out the form before getting access"),
        _text(
            "<id> is not available for this account",
            "You can explore other available models on Amazon Bedrock",
            "For additional access options, contact AWS Sales at <id>",
        ),
        _text(
            "Access to this model is not available for channel program accounts",
            "Reach out to your AWS Solution Provider or AWS Distributor for more information",
        ),
        *_texts(
            "data retention mode '<id>' is not available for this model",
            "You don't have access to the model with the specified model ID",
            "You do not have access to the model with the specified model ID",
            "You do not have permission to access the model with the specified model ID",
            "Your account is not authorized to invoke this model",
            "Access to the model is denied",
        ),
    ),
    _DENIED | _INVALID | _NOT_FOUND,
    prefixed=True,
)
ORGANIZATION_POLICY: Final = Refusal(
    "organization_policy",
    errors.Misconfigured,
    "A policy of the deployment's AWS organization denies the call of the model.",
    _denied("service control", "resource control"),
    _DENIED,
)
NOT_AUTHORIZED: Final = Refusal(
    "not_authorized",
    errors.Misconfigured,
    "The deployment's function has no right to call the model.",
    (
        *_denied(
            "identity-based", "permissions boundary", "session", "sessions", "VPC endpoint", "resource-based"
        ),
        *_texts(
            "User: <id> is not authorized to perform: <action> on resource: <id>",
            "Access denied",
            "You do not have permission to perform this action",
            "You do not have sufficient permissions to perform the requested action",
        ),
    ),
    _DENIED,
)
ACCOUNT_BLOCKED: Final = Refusal(
    "account_blocked",
    errors.Misconfigured,
    "AWS does not let the deployment's account call models.",
    (
        _text("Operation not allowed"),
        *(
            _text(f"{prefix}Access to <provider> models is not allowed for this account")
            for prefix in ("", "Error <n>: ")
        ),
        _text(
            "Your account is currently being verified",
            "Verification normally takes less than <n> hours",
            "Until your account is verified, you may not have access to this operation",
            "If you are still receiving this message after more than <n> hours, please let us know by writing to <id>",
            "We appreciate your patience",
        ),
        _text("Your account is not authorized to perform this action", "Please create a support case"),
        *_texts(
            "Your account is not authorized to invoke this API operation",
            "Your account is not authorized to invoke this API operation with a prompt resource",
            "Your account is not authorized to access this model",
        ),
    ),
    _DENIED | _INVALID,
)
CREDENTIALS: Final = Refusal(
    "credentials",
    errors.Misconfigured,
    "AWS does not accept the deployment's credentials.",
    (
        *_texts(
            "The security token included in the request is invalid",
            "The security token included in the request is expired",
            "Credential should be scoped to a valid region",
            "Authentication failed: Please make sure your API Key is valid",
            "Authorization header is missing",
            "Signature expired: <id> is now earlier than <id> (<id> - <n> min.)",
            "Bearer Token has expired",
            "Invalid API Key format: Must start with pre-defined prefix",
            "The X.509 certificate or AWS access key ID provided does not exist in our records",
        ),
    ),
    _DENIED | SIGNED_WRONG,
)
REGION: Final = Refusal(
    "region",
    errors.Misconfigured,
    "The model is not offered to the deployment's account in this region or country.",
    (
        *(
            _text(
                "Access to <provider> models is not allowed from unsupported countries, regions, or territories",
                f"Please refer to <id> for more information{more}",
            )
            for more in ("", " on the countries and regions <provider> currently supports")
        ),
        *_texts(
            *(
                f"{which} model {verb} {what} in {where}"
                for which in ("The", "This")
                for verb in ("is not", "isn't")
                for what in ("supported", "available")
                for where in ("this region", "your region", "this Region", "your Region", "region <id>")
            )
        ),
    ),
    _DENIED | _INVALID,
)
INFERENCE_PROFILE: Final = Refusal(
    "inference_profile",
    errors.Misconfigured,
    "The model can only be called through an inference profile.",
    (
        _text(
            "Invocation of model ID <id> with on-demand throughput isn't supported",
            "Retry your request with the ID or ARN of an inference profile that contains this model",
        ),
        _text("The provided model doesn't support on-demand throughput"),
    ),
    _DENIED | _INVALID,
)
OPERATION: Final = Refusal(
    "unsupported_operation",
    errors.Misconfigured,
    "The model cannot be called in the way that this service calls models.",
    (
        _text(
            "This action doesn't support the model that you provided",
            "Try again with a supported text or chat model",
        ),
        *_texts(
            "The requested operation is not recognized by the service",
            "The model is unsupported for streaming",
        ),
    ),
    _INVALID | {"UnknownOperationException"},
)
END_OF_LIFE: Final = Refusal(
    "end_of_life",
    errors.ModelRetired,
    "The model has reached the end of its life.",
    (
        _text(
            "This model version has reached the end of its life",
            "Please refer to the AWS documentation for more details",
            "Please upgrade to an active model",
        ),
    ),
    _NOT_FOUND,
    lasting=True,
)
LEGACY: Final = Refusal(
    "legacy",
    errors.ModelRetired,
    "The model is a legacy model that the deployment's account has not been using.",
    (
        *(
            _text(
                f"{start}This Model is marked by provider as Legacy{used}",
                "Please upgrade to an active model on Amazon Bedrock",
            )
            for start in ("Access denied. ", "")
            for used in ("", " and you have not been actively using the model in the last <n> days")
        ),
    ),
    _DENIED | _NOT_FOUND,
    lasting=True,
)
IDENTIFIER: Final = Refusal(
    "unknown_identifier",
    errors.ModelRetired,
    "Bedrock does not know the model in its region.",
    _texts(
        "The provided model identifier is invalid",
        "Could not validate the provided model identifier",
        "The model ID is invalid",
        "The model ID is not supported",
        "<n> validation error detected: Value '<id>' at 'modelId' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: <regular expression>",
    ),
    _INVALID,
)
MISSING: Final = Refusal(
    IDENTIFIER.reason,
    errors.ModelRetired,
    IDENTIFIER.sentence,
    _texts(
        "Could not resolve the foundation model from the provided model identifier",
        "The model '<id>' does not exist",
        "Model not found",
    ),
    _DENIED | _NOT_FOUND,
)
BUSY: Final = Refusal(
    "throttled",
    errors.ModelThrottled,
    "The model takes no more requests at the moment.",
    (
        *_texts(
            "Too many connections, please wait before trying again",
            "Too many connections",
            "Too many requests to model, please wait before trying again",
            "Too many requests, please wait before trying again",
            "Too many requests",
        ),
    ),
    frozenset({"ThrottlingException", "ServiceUnavailableException"}),
)
DAILY_QUOTA: Final = Refusal(
    "daily_quota",
    errors.ModelThrottled,
    "The quota of the deployment's AWS account for this model is used up for today.",
    _texts("Too many tokens per day, please wait before trying again", "Too many tokens per day"),
    frozenset({"ThrottlingException"}),
    retry_after=_AN_HOUR,
)
FILTERED: Final = Refusal(
    "content_filter",
    errors.ContentFiltered,
    "The model's filter refused the prompt.",
    (
        _text(
            "This request has been blocked by our content filters",
            *(
                f"Our filters automatically flagged this prompt because it may conflict{how} our AUP or AWS "
                "Responsible AI Policy"
                for how in ("", " with")
            ),
            "Please adjust your text prompt to submit a new request",
        ),
        _text(
            "Content in the generated image(s) has been blocked",
            "Please adjust your text prompt to submit a new request",
        ),
        # The name that Stability's own API gives this error, with whatever it says about it.
        r"invalid_prompts(?:: .*+)?",
    ),
    _INVALID,
    prefixed=True,
)

REFUSALS: Final[tuple[Refusal, ...]] = (
    PAYMENT,
    MARKETPLACE,
    MODEL_ACCESS,
    ORGANIZATION_POLICY,
    NOT_AUTHORIZED,
    ACCOUNT_BLOCKED,
    CREDENTIALS,
    REGION,
    INFERENCE_PROFILE,
    OPERATION,
    END_OF_LIFE,
    LEGACY,
    IDENTIFIER,
    MISSING,
    BUSY,
    DAILY_QUOTA,
    FILTERED,
)
"""Every cause that a text describes, the first that fits counts."""
