"""What Xero refuses us, in words: what `status`, the console's banner and its API show of the one state of access."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from consumer.results import Catalogue
from consumer.xero import AccessCode, Obstacle


class AccessReport(msgspec.Struct, frozen=True):
    """One thing that Xero refuses to an organisation.

    `tenant_id` None = to all its tenants, `scope` None = everything. `code`, `message` and `fix` are the problem
    catalogue's, `xero_message` is what Xero said. `retry_at`: when one call tries it again by itself.
    """

    organisation_id: str
    tenant_id: str | None
    scope: str | None
    code: str
    message: str
    fix: str
    reason: str | None
    xero_message: str | None
    since: datetime | None
    retry_at: datetime | None

    @property
    def is_disconnected(self) -> bool:
        """Whether the connection itself is gone, or a tenant of it."""
        return self.code == AccessCode.DISCONNECTED


def explain_access(obstacles: Iterable[Obstacle], catalogue: Catalogue) -> list[AccessReport]:
    """Return `obstacles` in the catalogue's words."""
    reports = []
    for obstacle in obstacles:
        problem = catalogue.local(obstacle.code, xero_message=obstacle.xero_message, **obstacle.refusal.values())
        reports.append(
            AccessReport(
                organisation_id=obstacle.organisation_id,
                tenant_id=obstacle.tenant_id or None,
                scope=obstacle.scope or None,
                code=problem.code,
                message=problem.message,
                fix=problem.fix,
                reason=obstacle.reason,
                xero_message=obstacle.xero_message,
                since=obstacle.since,
                retry_at=obstacle.retry_at,
            )
        )
    return reports
