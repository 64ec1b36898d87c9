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


def legacy() -> RefusedError:
    """Return the answer of a legacy model to an account that has not been using it."""
    return RefusedError("ResourceNotFoundException", LEGACY)
