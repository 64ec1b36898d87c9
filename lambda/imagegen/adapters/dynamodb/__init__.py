"""The table of generations: records, counters and the newest requests are in one table, one class each."""

from imagegen.adapters.dynamodb.counters import DynamoDbQuotas
from imagegen.adapters.dynamodb.recent_requests import DynamoDbRecentRequests
from imagegen.adapters.dynamodb.records import DUE_SHARDS, DynamoDbGenerations

__all__ = ["DUE_SHARDS", "DynamoDbGenerations", "DynamoDbQuotas", "DynamoDbRecentRequests"]
