"""A row for every human act: who, when, what."""

import json
from typing import Any

from psycopg import Connection

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "audit.sql")


def record_act(
    connection: Connection[Any], *, organisation_id: str, actor: str, action: str, detail: dict[str, Any]
) -> None:
    """Write down what `actor` did, in the transaction in which it is done. `detail` holds ids, no patient's data."""
    connection.execute(
        _QUERIES["record"],
        {"organisation_id": organisation_id, "actor": actor, "action": action, "detail": json.dumps(detail)},
    )
