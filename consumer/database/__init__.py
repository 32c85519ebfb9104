"""Postgres: connections with explicit options, numbered migrations, SQL kept in named blocks beside its module."""

from consumer.database.connection import connect, is_outage
from consumer.database.crash import crash_point
from consumer.database.migrations import MigrationError, migrate, pending_migrations
from consumer.database.queries import Queries, load_queries
from consumer.database.setback import note_server, note_setback

__all__ = [
    "MigrationError",
    "Queries",
    "connect",
    "crash_point",
    "is_outage",
    "load_queries",
    "migrate",
    "note_server",
    "note_setback",
    "pending_migrations",
]
