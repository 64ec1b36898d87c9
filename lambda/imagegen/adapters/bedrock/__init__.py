"""Amazon Bedrock's runtime: the calls, and what its refusals mean."""

from imagegen.adapters.bedrock.runtime import ERRORS, MAX_ANSWER, BedrockRuntime

__all__ = ["ERRORS", "MAX_ANSWER", "BedrockRuntime"]
