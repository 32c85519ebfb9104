"""The one state of access to Xero, kept in Postgres: what is refused, since when, and when it is worth another try.

`xero_access` shows all of it, also lost connections and tenants. Whoever calls Xero takes a turn before and tells the
outcome after; whoever shows access reads `load_access`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.database import load_queries
from consumer.xero.access import AccessCode, Refusal, retry_seconds
from consumer.xero.errors import AccessRefusedError

_QUERIES = load_queries(__file__, "access_store.sql")
_log = structlog.get_logger()


class Obstacle(msgspec.Struct, frozen=True):
    """One thing that Xero refuses to an organisation: to all its tenants where `tenant_id` is "", all where `scope` is.

    `reason` is ours and for people, `xero_message` Xero's own words. `retry_at`: when one call tries it again by
    itself, None = only connecting again mends it.
    """

    organisation_id: str
    tenant_id: str
    scope: str
    code: AccessCode
    reason: str | None
    xero_message: str | None
    since: datetime | None
    retry_at: datetime | None
    # Whether it is too early for that by the database's clock.
    stands: bool

    @property
    def refusal(self) -> Refusal:
        """What is refused."""
        return Refusal(self.code, self.scope, self.xero_message)


def load_access(connection: Connection[Any], organisation_id: str | None = None) -> list[Obstacle]:
    """Return all that Xero refuses (to one organisation): nothing, where access is as it should be."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["access"], {"organisation_id": organisation_id}).fetchall()
    return msgspec.convert(rows, list[Obstacle])


def take_turn(connection: Connection[Any], organisation_id: str, tenant_id: str, scopes: Sequence[str]) -> None:
    """Return if a call that `scopes` stand in the way of may be sent: nothing is refused, or it is time for a try.

    Raises:
        AccessRefusedError: it may not; Xero was not asked.
    """
    row = connection.execute(
        _QUERIES["take_turn"],
        {"organisation_id": organisation_id, "tenant_id": tenant_id, "scopes": list(scopes)},
    ).fetchone()
    if row is not None:
        raise AccessRefusedError(Refusal(AccessCode(row[0]), row[1], row[2]))


def note(
    connection: Connection[Any],
    organisation_id: str,
    tenant_id: str,
    refusal: Refusal,
    *,
    connected_at: datetime | None,
) -> None:
    """Note that Xero refused it to tokens of the connection made at `connected_at`, if that is the newest still."""
    parameters = {
        "organisation_id": organisation_id,
        "tenant_id": tenant_id if refusal.of_tenant else "",
        "scope": refusal.scope,
        "code": refusal.code.value,
        "xero_message": refusal.xero_message,
        "retry_seconds": retry_seconds(refusal, 1),
        "connected_at": connected_at,
    }
    row = connection.execute(_QUERIES["note"], parameters).fetchone()
    if row is None:
        return
    refusals = int(row[0])
    if refusals > 1:
        connection.execute(_QUERIES["put_off"], parameters | {"retry_seconds": retry_seconds(refusal, refusals)})
    _log.error(
        "xero_access_refused",
        organisation_id=organisation_id,
        tenant_id=parameters["tenant_id"] or None,
        scope=refusal.scope or None,
        code=refusal.code.value,
        refusals=refusals,
    )


def lift(connection: Connection[Any], organisation_id: str, tenant_id: str, scopes: Sequence[str]) -> None:
    """Note that Xero lets us do what it refused; the orders that it held are woken by whoever knows orders."""
    rows = connection.execute(
        _QUERIES["lift"], {"organisation_id": organisation_id, "tenant_id": tenant_id, "scopes": list(scopes)}
    ).fetchall()
    for code, scope in rows:
        _log.info("xero_access_regained", organisation_id=organisation_id, scope=scope or None, code=code)


def lift_app(connection: Connection[Any], organisation_id: str) -> None:
    """Note that Xero takes our credentials: they are those of all organisations, so all are worth a try."""
    lift(connection, organisation_id, "", [""])
    connection.execute(_QUERIES["try_app_again"])


def try_app_again(connection: Connection[Any]) -> None:
    """Have the app's credentials tried again at once: a process that starts may have others."""
    connection.execute(_QUERIES["try_app_again"])


def forget(connection: Connection[Any], organisation_id: str) -> None:
    """Forget all refusals: somebody connects anew, and the next calls tell."""
    connection.execute(_QUERIES["forget"], {"organisation_id": organisation_id})
