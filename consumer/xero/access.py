"""What an answer of Xero's means for our access: which right a call needs, and what was refused. Pure.

Access is refused by organisation, tenant and scope. A scope is named as OAuth names it; reading needs less than
writing, so what is refused of writing is not yet refused of reading.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

_READ = ".read"
# By the first part of the path. Apps from before March 2026 have accounting.transactions in the place of the first two.
_SCOPES = {
    "Invoices": "accounting.invoices",
    "CreditNotes": "accounting.invoices",
    "Payments": "accounting.payments",
    "Contacts": "accounting.contacts",
}
_OTHERS = "accounting.settings"
_NAMES = {
    "accounting.invoices": "invoices and credit notes",
    "accounting.payments": "payments",
    "accounting.contacts": "contacts",
    "accounting.settings": "the organisation's accounts and tax rates",
}
_LONGEST_WORDS = 1000
_TOO_LOW = "does not have the correct permission"
# The first and the longest wait before one call tries again what was refused. Growing, so that a mended role is seen
# soon, and one that nobody mends costs a tenant one call an hour.
_FIRST_SECONDS, _LONGEST_SECONDS = 60.0, 3600.0
# The token endpoint has no budget of a tenant's, and credentials are mended for all organisations at once.
_LONGEST_APP_SECONDS = 300.0


class AccessCode(StrEnum):
    """What is refused, by its name in the problem catalogue."""

    # All of it, or a tenant: revoked, expired, taken out of the connection.
    DISCONNECTED = "xero_disconnected"
    # A right was not granted: only connecting again brings it.
    SCOPE_MISSING = "scope_missing"
    # Whoever connected may not do it in Xero: their role may be changed there.
    PERMISSION_MISSING = "permission_missing"
    # Fresh tokens are refused, and nobody says why.
    UNEXPLAINED = "access_refused"
    # Our own app's id or secret is wrong.
    APP_REFUSED = "app_refused"


class Refusal(msgspec.Struct, frozen=True):
    """What Xero refuses: `scope` "" = everything. `xero_message` is what it said, verbatim, or None."""

    code: AccessCode
    scope: str = ""
    xero_message: str | None = None

    @property
    def concerns_all(self) -> bool:
        """Whether no call at all is let through."""
        return not self.scope

    @property
    def of_tenant(self) -> bool:
        """Whether it holds for the tenant alone: roles are given in each, while rights are those of the connection."""
        return self.code in {AccessCode.PERMISSION_MISSING, AccessCode.UNEXPLAINED}

    def keeps_from(self, method: str, path: str) -> bool:
        """Whether a call of the Accounting API is not worth sending."""
        return self.concerns_all or self.scope in standing_in_the_way(needed_scope(method, path))

    def values(self) -> dict[str, str]:
        """Return what the problem catalogue's words need."""
        return {"scope": self.scope, "what": describe_scope(self.scope)}


def needed_scope(method: str, path: str) -> str:
    """Return the scope that a call of the Accounting API needs at least."""
    scope = _SCOPES.get(path.partition("/")[0], _OTHERS)
    return scope + _READ if method == "GET" else scope


def standing_in_the_way(scope: str) -> list[str]:
    """Return the refused scopes that keep a call which needs `scope` from being sent.

    Who may not read may not write either.
    """
    return [scope] if scope.endswith(_READ) else [scope, scope + _READ]


def describe_scope(scope: str) -> str:
    """Say for people what `scope` lets us do: "change payments"."""
    if not scope:
        return "do anything"
    verb = "read" if scope.endswith(_READ) else "change"
    return f"{verb} {_NAMES.get(scope.removesuffix(_READ), scope)}"


def read_refusal(status: int, challenge: str, messages: Sequence[str], *, scope: str) -> Refusal | None:
    """Return what a 4xx of the Accounting API says of access, None where it speaks of something else.

    `challenge` is the header WWW-Authenticate. A 401 is one to a token that is fresh. DISCONNECTED and UNEXPLAINED are
    what it looks like: whether the tenant is still ours, the list of connections tells.
    """
    said = _verbatim(messages)
    text = "".join(character for character in f"{said or ''} {challenge}".lower() if character.isalnum())
    if _TOO_LOW in (said or "").lower():
        return Refusal(AccessCode.PERMISSION_MISSING, scope, said)
    if status == 401:  # noqa: PLR2004 -- HTTP
        # AuthorizationUnsuccessful is about rights, AuthenticationUnsuccessful about who we are.
        is_scope = "insufficientscope" in text or "authorizationunsuccessful" in text
        return Refusal(AccessCode.SCOPE_MISSING if is_scope else AccessCode.UNEXPLAINED, scope, said)
    if status != 403:  # noqa: PLR2004 -- HTTP
        return None
    if "authenticationunsuccessful" in text:
        return Refusal(AccessCode.DISCONNECTED, "", said)
    if "scope" in text:
        return Refusal(AccessCode.SCOPE_MISSING, scope, said)
    return Refusal(AccessCode.PERMISSION_MISSING, scope, said)


def read_app_refusal(error: str, messages: Sequence[str]) -> Refusal:
    """Return what a 4xx of the token endpoint says of our access; `error` is its code (`invalid_client`, …) or ""."""
    said = _verbatim(list(dict.fromkeys([error, *messages] if error else messages)))
    if not error:
        return Refusal(AccessCode.UNEXPLAINED, "", said)
    code = AccessCode.SCOPE_MISSING if error == "invalid_scope" else AccessCode.APP_REFUSED
    return Refusal(code, "", said)


def _verbatim(messages: Sequence[str]) -> str | None:
    # Postgres keeps no NUL; and nobody reads on for ever.
    return " / ".join(messages).replace("\x00", "").strip()[:_LONGEST_WORDS] or None


def retry_seconds(refusal: Refusal, refusals: int) -> float | None:
    """Return for how long to leave it after so many refusals (from 1); None = until somebody connects."""
    if refusal.code in {AccessCode.SCOPE_MISSING, AccessCode.DISCONNECTED}:
        return None
    longest = _LONGEST_APP_SECONDS if refusal.concerns_all else _LONGEST_SECONDS
    return min(_FIRST_SECONDS * 3.0 ** min(refusals - 1, 10), longest)
