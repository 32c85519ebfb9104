"""Whether an organisation or a clinic that somebody names is there: a name mistyped looks like one without orders."""

from typing import Any

from psycopg import Connection

from consumer.cli.failure import Failure
from consumer.database import load_queries

_QUERIES = load_queries(__file__, "known.sql")


def refuse_unknown(
    connection: Connection[Any], *, organisation_id: str | None = None, clinic_id: str | None = None
) -> None:
    """Raise Failure where what is named has neither orders nor settings nor a connection here; None names nothing."""
    named = {"organisation_id": organisation_id, "clinic_id": clinic_id}
    if organisation_id is not None and not _is_true(connection, "organisation", named):
        raise Failure(f"There is no organisation {organisation_id!r}: no order, setting or connection of it is here.")
    if clinic_id is not None and not _is_true(connection, "clinic", named):
        where = "" if organisation_id is None else f" in {organisation_id}"
        raise Failure(f"There is no clinic {clinic_id!r}{where}: no order or setting of it is here.")


def _is_true(connection: Connection[Any], question: str, named: dict[str, str | None]) -> bool:
    row = connection.execute(_QUERIES[question], named).fetchone()
    return row is not None and bool(row[0])
