"""Xero: HTTP client, tokens, call budget, payload types, error parsing. Knows nothing of orders.

`errors` says what each failure asks of the caller; `client` calls, `tenant` names the calls, `answer` reads them;
`access` reads what they say of our access, and `access_store` keeps it: the one state that everybody reads; `budget`
grants; `tokens`, `identity`, `authorisation` and `callback` get and keep the access; `description` reads what a tenant
offers; `payloads` holds Xero's limits and words.
"""

from consumer.xero.access import AccessCode, Refusal
from consumer.xero.access_store import Obstacle, load_access, try_app_again
from consumer.xero.answer import ElementResult, XeroAnswer
from consumer.xero.authorisation import (
    Authorisation,
    AuthorisationRequest,
    DifferentOrganisationError,
    PendingConnection,
    Tenant,
    authorisation_request,
)
from consumer.xero.budget import Budget, BudgetUsage, Grant, Observation, Wait
from consumer.xero.callback import AuthorisationDeniedError, AuthorisationTimeoutError, CallbackListener
from consumer.xero.client import CallRecord, TokenSource, XeroClient
from consumer.xero.description import describe_tenant
from consumer.xero.errors import (
    AccessError,
    AccessRefusedError,
    AnswerLostError,
    AppRefusedError,
    BudgetSpentError,
    DisconnectedError,
    MaintenanceError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RequestRefusedError,
    XeroError,
)
from consumer.xero.identity import IdentityClient, InvalidGrantError
from consumer.xero.payloads import account_reference, batches, read_amount, read_date, read_instant
from consumer.xero.tenant import TenantClient
from consumer.xero.tokens import AccessToken, ConnectionSource, TokenCipher, TokenKeyError, Tokens
from consumer.xero.transport import Transport

__all__ = [
    "AccessCode",
    "AccessError",
    "AccessRefusedError",
    "AccessToken",
    "AnswerLostError",
    "AppRefusedError",
    "Authorisation",
    "AuthorisationDeniedError",
    "AuthorisationRequest",
    "AuthorisationTimeoutError",
    "Budget",
    "BudgetSpentError",
    "BudgetUsage",
    "CallRecord",
    "CallbackListener",
    "ConnectionSource",
    "DifferentOrganisationError",
    "DisconnectedError",
    "ElementResult",
    "Grant",
    "IdentityClient",
    "InvalidGrantError",
    "MaintenanceError",
    "NotFoundError",
    "NotSentError",
    "Observation",
    "Obstacle",
    "PendingConnection",
    "RateLimitedError",
    "Refusal",
    "RequestRefusedError",
    "Tenant",
    "TenantClient",
    "TokenCipher",
    "TokenKeyError",
    "TokenSource",
    "Tokens",
    "Transport",
    "Wait",
    "XeroAnswer",
    "XeroClient",
    "XeroError",
    "account_reference",
    "authorisation_request",
    "batches",
    "describe_tenant",
    "load_access",
    "read_amount",
    "read_date",
    "read_instant",
    "try_app_again",
]
