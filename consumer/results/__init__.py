"""Results: the sync log, the problems and their catalogue, the outbox with its relay, the retry messages."""

from consumer.results.catalogue import NOT_FOUND, Catalogue, CatalogueError, load_catalogue
from consumer.results.encoding import OutboxEncoder, topic_names
from consumer.results.log_search import LogCount, LogFilter, LoggedEntry, log_counts, log_entries
from consumer.results.outbox import OUTBOX_CHANNEL, OutboxMessage, OutboxTopic, post, set_aside_count, unpublished_count
from consumer.results.problem import Attempt, Behaviour, Facts, Problem, ProblemClass, Severity
from consumer.results.problems import (
    OpenProblem,
    close_problems_if_free,
    close_problems_without_orders,
    open_problem,
    open_problems,
)
from consumer.results.publisher import Delivery, Publication, Publisher, producer_settings
from consumer.results.relay import Relay, RelayMetrics
from consumer.results.retention import KeptMonths, keep_months
from consumer.results.retry import Rung, produce_retries, request_retry, ring
from consumer.results.retry_selection import (
    RetryCandidate,
    RetrySelection,
    left_behind_count,
    operator_requests,
    retry_candidates,
    settled_candidates,
    still_off_count,
)
from consumer.results.sync_log import EncodeLogEntry, LogEntry, Operation, Outcome, Trigger, record, record_skips

__all__ = [
    "NOT_FOUND",
    "OUTBOX_CHANNEL",
    "Attempt",
    "Behaviour",
    "Catalogue",
    "CatalogueError",
    "Delivery",
    "EncodeLogEntry",
    "Facts",
    "KeptMonths",
    "LogCount",
    "LogEntry",
    "LogFilter",
    "LoggedEntry",
    "OpenProblem",
    "Operation",
    "OutboxEncoder",
    "OutboxMessage",
    "OutboxTopic",
    "Outcome",
    "Problem",
    "ProblemClass",
    "Publication",
    "Publisher",
    "Relay",
    "RelayMetrics",
    "RetryCandidate",
    "RetrySelection",
    "Rung",
    "Severity",
    "Trigger",
    "close_problems_if_free",
    "close_problems_without_orders",
    "keep_months",
    "left_behind_count",
    "load_catalogue",
    "log_counts",
    "log_entries",
    "open_problem",
    "open_problems",
    "operator_requests",
    "post",
    "produce_retries",
    "producer_settings",
    "record",
    "record_skips",
    "request_retry",
    "retry_candidates",
    "ring",
    "set_aside_count",
    "settled_candidates",
    "still_off_count",
    "topic_names",
    "unpublished_count",
]
