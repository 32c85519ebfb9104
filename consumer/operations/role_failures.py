"""Word of what ended a process, left in the database: metrics of a process that is gone can't be read."""

import os
import socket
from typing import Any

from psycopg import Connection

from consumer.database import load_queries
from consumer.operations.logs import error_text
from consumer.projection import BrakeError, ClientFailedError, OffsetLostError, OwnershipError

_QUERIES = load_queries(__file__, "role_failures.sql")
_CODES: tuple[tuple[type[BaseException], str], ...] = (
    (BrakeError, "brake"),
    (OffsetLostError, "offset_lost"),
    (OwnershipError, "ownership"),
    (ClientFailedError, "client"),
)
# The brake's words name partitions, causes and commands.
_DETAIL_CHARACTERS = 8_000


def note_role_failure(connection: Connection[Any], role: str, error: BaseException) -> str:
    """Write down that `error` ended `role`, and return its code: brake, offset_lost, ownership, client or defect."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "defect")
    connection.execute(
        _QUERIES["note"],
        {
            "owner": f"{socket.gethostname()}:{os.getpid()}",
            "role": role,
            "code": code,
            "detail": error_text(error)[:_DETAIL_CHARACTERS],
        },
    )
    return code


def forget_old_failures(connection: Connection[Any]) -> None:
    """Delete what is older than a month."""
    connection.execute(_QUERIES["forget"])
