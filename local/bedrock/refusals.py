"""The errors of the Bedrock runtime, by their name on the wire."""

from http import HTTPStatus
from typing import Final

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
STATUS_OF: Final[dict[str, int]] = {
    "AccessDeniedException": HTTPStatus.FORBIDDEN,
    "InternalServerException": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ModelErrorException": HTTPStatus.FAILED_DEPENDENCY,
    "ModelNotReadyException": HTTPStatus.TOO_MANY_REQUESTS,
    "ModelStreamErrorException": HTTPStatus.FAILED_DEPENDENCY,
    "ModelTimeoutException": HTTPStatus.REQUEST_TIMEOUT,
    "ResourceNotFoundException": HTTPStatus.NOT_FOUND,
    "ServiceQuotaExceededException": HTTPStatus.BAD_REQUEST,
    "ServiceUnavailableException": HTTPStatus.SERVICE_UNAVAILABLE,
    "ThrottlingException": HTTPStatus.TOO_MANY_REQUESTS,
    "ValidationException": HTTPStatus.BAD_REQUEST,
}

MESSAGE_OF: Final[dict[str, str]] = {
    "AccessDeniedException": "You don't have access to the model with the specified model ID.",
    "InternalServerException": "The system encountered an unexpected error during processing. Try again.",
    "ModelErrorException": "The model returned an error while it processed the request.",
    "ModelNotReadyException": "The model is not ready for inference. Wait and try your request again.",
    "ModelStreamErrorException": "An error occurred while the response was streamed.",
    "ModelTimeoutException": "Model has timed out in processing the request. Try your request again.",
    "ResourceNotFoundException": "The resource that you specified could not be found.",
    "ServiceQuotaExceededException": "Your request exceeds the service quota for your account.",
    "ServiceUnavailableException": "Bedrock is unable to process your request.",
    "ThrottlingException": "Too many requests, please wait before trying again.",
    "ValidationException": "The request does not satisfy the constraints of the service.",
}

# The model may have run before one of these is sent, so a careful caller counts the call as paid.
MAYBE_BILLED: Final = frozenset(
    {
        "InternalServerException",
        "ModelErrorException",
        "ModelStreamErrorException",
        "ModelTimeoutException",
        "ServiceUnavailableException",
    }
)

END_OF_LIFE: Final = (
    "This model version has reached the end of its life. "
    "Please refer to the AWS documentation for more details."
)
LEGACY: Final = (
    "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model "
    "in the last 30 days. Please upgrade to an active model on Amazon Bedrock."
)
_CANNOT: Final = (
    "Your AWS Marketplace subscription for this model cannot be completed at this time. "
    "If you recently fixed this issue, try again after 2 minutes."
)
_WHOEVER: Final = (
    "User: arn:aws:sts::123456789012:assumed-role/imagegen/api is not authorized to perform: bedrock:InvokeModel "
    "on resource: arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"
)
ACCOUNT: Final[dict[str, tuple[str, str]]] = {
    "marketplace_agreement": (
        "AccessDeniedException",
        (
            "Model access is denied due to IAM user or service role is not authorized to perform the required AWS "
            "Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to "
            f"this model. Refer to the Amazon Bedrock documentation for further details. {_CANNOT}"
        ),
    ),
    "payment": (
        "AccessDeniedException",
        (
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided.. "
            f"{_CANNOT}"
        ),
    ),
    "model_access": (
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    "organization_policy": (
        "AccessDeniedException",
        f"{_WHOEVER} with an explicit deny in a service control policy",
    ),
    "not_authorized": (
        "AccessDeniedException",
        f"{_WHOEVER} because no identity-based policy allows the bedrock:InvokeModel action",
    ),
    "account_blocked": ("ValidationException", "Operation not allowed"),
    "credentials": ("ExpiredTokenException", "The security token included in the request is expired"),
    "region": ("ValidationException", "The model is not supported in this region"),
    "inference_profile": (
        "ValidationException",
        (
            "Invocation of model ID stability.stable-image-core-v1:1 with on-demand throughput "
            "isn\N{RIGHT SINGLE QUOTATION MARK}t supported. Retry your request with the ID or ARN of an inference "
            "profile that contains this model."
        ),
    ),
    "unsupported_operation": (
        "ValidationException",
        "The requested operation is not recognized by the service.",
    ),
    "unknown_identifier": ("ValidationException", "The provided model identifier is invalid."),
    "too_many_connections": (
        "ServiceUnavailableException",
        "Too many connections, please wait before trying again.",
    ),
    "daily_quota": ("ThrottlingException", "Too many tokens per day, please wait before trying again."),
}
"""Refusals that are about the account or its region, each with its exception, as accounts have met them."""

UNKNOWN_MODEL: Final = "The provided model identifier is invalid."
MALFORMED: Final = "Malformed input request, please reformat your input and try again."


class RefusedError(Exception):
    """The runtime refuses a call with one of its own exceptions."""

    def __init__(self, name: str, message: str | None = None, *, status: int | None = None) -> None:
        self.name = name
        self.message = MESSAGE_OF.get(name, name) if message is None else message
        self.status = status or STATUS_OF.get(name, HTTPStatus.BAD_REQUEST)
        super().__init__(f"{name}: {self.message}")


def invalid(message: str) -> RefusedError:
    """Return the ValidationException that says `message`."""
    return RefusedError("ValidationException", message)


def retired() -> RefusedError:
    """Return the answer of a model that is past its end of life."""
    return RefusedError("ResourceNotFoundException", END_OF_LIFE)


def account(reason: str) -> RefusedError:
    """Return the answer to an account that may not call the model, for one of the reasons of `ACCOUNT`."""
    name, message = ACCOUNT[reason]
    # What AWS's front end refuses before the runtime sees it is a 403.
    return RefusedError(name, message, status=STATUS_OF.get(name, HTTPStatus.FORBIDDEN))


def legacy() -> RefusedError:
    """Return the answer of a legacy model to an account that has not been using it."""
    return RefusedError("ResourceNotFoundException", LEGACY)
