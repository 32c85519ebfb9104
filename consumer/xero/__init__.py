"""Xero: HTTP client, tokens, call budget, payload types, error parsing. Knows nothing of orders.

`errors` says what each failure asks of the caller; `client` calls, `tenant` names the calls, `answer` reads them;
`budget` grants; `tokens` and `identity` keep the access; `payloads` holds Xero's limits and words.
"""

from consumer.xero.answer import ElementResult, XeroAnswer
from consumer.xero.budget import Budget, BudgetUsage, Grant, Observation, Wait
from consumer.xero.client import CallRecord, TokenSource, XeroClient
from consumer.xero.errors import (
    AnswerLostError,
    BudgetSpentError,
    DisconnectedError,
    MaintenanceError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RequestRefusedError,
    UnauthorisedError,
    XeroError,
)
from consumer.xero.identity import IdentityClient
from consumer.xero.payloads import account_reference, batches, read_amount, read_date, read_instant
from consumer.xero.tenant import TenantClient
from consumer.xero.tokens import AccessToken, ConnectionSource, TokenCipher, TokenKeyError, Tokens
from consumer.xero.transport import Transport

__all__ = [
    "AccessToken",
    "AnswerLostError",
    "Budget",
    "BudgetSpentError",
    "BudgetUsage",
    "CallRecord",
    "ConnectionSource",
    "DisconnectedError",
    "ElementResult",
    "Grant",
    "IdentityClient",
    "MaintenanceError",
    "NotFoundError",
    "NotSentError",
    "Observation",
    "RateLimitedError",
    "RequestRefusedError",
    "TenantClient",
    "TokenCipher",
    "TokenKeyError",
    "TokenSource",
    "Tokens",
    "Transport",
    "UnauthorisedError",
    "Wait",
    "XeroAnswer",
    "XeroClient",
    "XeroError",
    "account_reference",
    "batches",
    "read_amount",
    "read_date",
    "read_instant",
]
