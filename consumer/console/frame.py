"""What every page of an organisation shows around its own: the failed tile and the banner of the connection."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import load_queries
from consumer.operations.access import AccessReport, explain_access
from consumer.results import Catalogue
from consumer.xero import load_access

_QUERIES = load_queries(__file__, "frame.sql")


class Frame(msgspec.Struct, frozen=True):
    """`failed` orders need someone, `settled` ones were closed by somebody; `waiting` orders wait for access.

    `state` is None before the first connection. `lost_tenants` are Xero organisations that settings name, and that
    were taken out of the connection there. `access` is all that Xero refuses, tenants that nobody names left out.
    """

    failed: int
    waiting: int
    settled: int
    lost_tenants: list[str]
    state: str | None
    disconnected_at: datetime | None
    reason: str | None
    access: list[AccessReport] = []

    @property
    def is_disconnected(self) -> bool:
        """Whether the connection was there and is lost, all of it or for some of its organisations."""
        return self.state is not None and any(report.is_disconnected for report in self.access)

    @property
    def refusals(self) -> list[AccessReport]:
        """What Xero refuses although it lets us in, each in its words once."""
        return list({report.message: report for report in self.access if not report.is_disconnected}.values())


def load_frame(connection: Connection[Any], organisation_id: str, catalogue: Catalogue) -> Frame:
    """Return the frame of the organisation whose rows `connection` sees."""
    with connection.cursor(row_factory=class_row(Frame)) as cursor:
        frame = cursor.execute(_QUERIES["frame"]).fetchone()
    assert frame is not None  # noqa: S101 -- the query gives one row in every case
    named = {tenant_id for (tenant_id,) in connection.execute(_QUERIES["named_tenants"])}
    obstacles = [
        obstacle
        for obstacle in load_access(connection, organisation_id)
        if not obstacle.tenant_id or obstacle.tenant_id in named
    ]
    return msgspec.structs.replace(frame, access=explain_access(obstacles, catalogue))
