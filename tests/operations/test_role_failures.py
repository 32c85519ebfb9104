from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from consumer.operations.role_failures import forget_old_failures, note_role_failure
from consumer.operations.status import RoleFailures, read_gauges
from consumer.projection import BrakeError, OffsetLostError


@pytest.mark.parametrize(
    ("error", "code"),
    [(BrakeError("100 in a row"), "brake"), (OffsetLostError("gone"), "offset_lost"), (ValueError("?"), "defect")],
)
def test_what_ended_a_process_is_told_by_those_that_live(
    connection: Connection[Any], error: Exception, code: str
) -> None:
    assert note_role_failure(connection, "projection", error) == code
    assert read_gauges(connection).role_failures == [RoleFailures("projection", code, 1)]


def test_old_words_are_forgotten(connection: Connection[Any]) -> None:
    for age in (timedelta(minutes=11), timedelta(days=31)):
        note_role_failure(connection, "push", ValueError("?"))
        connection.execute(
            "update role_failure set failed_at = now() - %s where failed_at > now() - interval '1 min'", [age]
        )
    assert read_gauges(connection).role_failures == []
    forget_old_failures(connection)
    assert connection.execute("select count(*) from role_failure").fetchone() == (1,)
