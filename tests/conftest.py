"""Fixtures of the whole suite; each family has its file in `tests/fixtures/`."""

pytest_plugins = [
    "tests.fixtures.certificates",
    "tests.fixtures.kafka",
    "tests.fixtures.pgbouncer",
    "tests.fixtures.postgres",
    "tests.fixtures.standby",
    "tests.fixtures.secure_kafka",
    "tests.fixtures.skips",
]
