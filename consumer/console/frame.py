"""What every page of an organisation shows around its own: the failed tile and the banner of the connection."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "frame.sql")


class Frame(msgspec.Struct, frozen=True):
    """`failed` orders need someone, `settled` ones were closed by somebody; `waiting` orders wait for the connection.

    `state` is the connection's, None before the first one. `lost_tenants` are Xero organisations that settings name,
    and that were taken out of the connection there.
    """

    failed: int
    waiting: int
    settled: int
    lost_tenants: list[str]
    state: str | None
    disconnected_at: datetime | None
    reason: str | None

    @property
    def is_disconnected(self) -> bool:
        """Whether the connection was there and is lost, all of it or for some of its organisations."""
        return self.state == "disconnected" or (self.state is not None and bool(self.lost_tenants))


def load_frame(connection: Connection[Any]) -> Frame:
    """Return the frame of the organisation whose rows `connection` sees."""
    with connection.cursor(row_factory=class_row(Frame)) as cursor:
        frame = cursor.execute(_QUERIES["frame"]).fetchone()
    assert frame is not None  # noqa: S101 -- the query gives one row in every case
    return frame
