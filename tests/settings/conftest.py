from collections.abc import Iterator

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import connect


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[TupleRow]]:
    with connect(database_url, name="test") as connection:
        yield connection
