"""Amazon Bedrock's runtime: the calls, and what its refusals mean."""

from imagegen.adapters.bedrock.runtime import ERRORS, IDLE_LIMIT, MAX_ANSWER, BedrockRuntime

__all__ = ["ERRORS", "IDLE_LIMIT", "MAX_ANSWER", "BedrockRuntime"]
