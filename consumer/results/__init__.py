"""Results: the sync log, the problems and their catalogue, the outbox with its relay, the retry messages."""

from consumer.results.catalogue import Catalogue, CatalogueError, load_catalogue
from consumer.results.outbox import OUTBOX_CHANNEL, OutboxMessage, OutboxTopic, post, unpublished_count
from consumer.results.problem import Behaviour, Facts, Problem, ProblemClass, Severity
from consumer.results.problems import OpenProblem, close_problems_without_orders, open_problem, open_problems
from consumer.results.retry import Rung, ring
from consumer.results.sync_log import LogEntry, Operation, Outcome, Trigger, record, record_skips

__all__ = [
    "OUTBOX_CHANNEL",
    "Behaviour",
    "Catalogue",
    "CatalogueError",
    "Facts",
    "LogEntry",
    "OpenProblem",
    "Operation",
    "OutboxMessage",
    "OutboxTopic",
    "Outcome",
    "Problem",
    "ProblemClass",
    "Rung",
    "Severity",
    "Trigger",
    "close_problems_without_orders",
    "load_catalogue",
    "open_problem",
    "open_problems",
    "post",
    "record",
    "record_skips",
    "ring",
    "unpublished_count",
]
