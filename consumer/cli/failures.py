"""Errors of all rooms as one sentence each, with the exit code that tells scripts what kind it is."""

import errno
from collections.abc import Callable

import psycopg
from confluent_kafka import KafkaError, KafkaException
from psycopg import errors

from consumer.cli.failure import FAILED, MISUSED, UNREACHABLE, Failure
from consumer.configuration import ConfigurationError
from consumer.contract import JsonEventError, RegistryUnavailableError, SchemaFolderError
from consumer.database import MigrationError, MissingRightsError, UnsupportedServerError, is_limit, is_outage
from consumer.operations.health import AddressError
from consumer.operations.kafka import ForbiddenTopicError, KafkaUnreachableError, MissingTopicError, NotDeliveredError
from consumer.operations.logs import error_text
from consumer.operations.partition_log import NoSuchPlaceError
from consumer.operations.process import NotReadyError, RoleFailedError
from consumer.operations.skipping import NotToBeSkippedError
from consumer.projection import ProjectionError
from consumer.results import CatalogueError
from consumer.settings import SettingsError
from consumer.sync.settlement import ReasonError
from consumer.sync.settling import NotSettledError, UnknownOrderError
from consumer.xero import (
    AnswerLostError,
    AppRefusedError,
    AuthorisationDeniedError,
    AuthorisationTimeoutError,
    DifferentOrganisationError,
    MaintenanceError,
    NotSentError,
    RateLimitedError,
    TokenKeyError,
    XeroError,
)

# Standard output, or a file that was asked for, takes no more.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
_AWAY = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}  # noqa: SLF001 -- their names
)
_MISUSED = (AddressError, AppRefusedError, ConfigurationError, ReasonError, SettingsError, TokenKeyError)
_UNREACHABLE = (
    KafkaUnreachableError,
    NotDeliveredError,
    RegistryUnavailableError,
    NotSentError,
    AnswerLostError,
    RateLimitedError,
    MaintenanceError,
)
_FAILED = (
    ForbiddenTopicError,
    MigrationError,
    MissingRightsError,
    MissingTopicError,
    NoSuchPlaceError,
    NotReadyError,
    NotSettledError,
    NotToBeSkippedError,
    ProjectionError,
    CatalogueError,
    UnknownOrderError,
    SchemaFolderError,
    UnsupportedServerError,
    JsonEventError,
    DifferentOrganisationError,
    AuthorisationDeniedError,
    AuthorisationTimeoutError,
    XeroError,
)


# The first that fits counts.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    (_MISUSED, MISUSED),
    (_UNREACHABLE, UNREACHABLE),
    (_FAILED, FAILED),
)


def describe(error: Exception) -> Failure:
    """Return what to tell of `error`; one that nobody foresaw is called a defect."""
    for classes, exit_code in _CODES:
        if isinstance(error, classes):
            return Failure(str(error), exit_code)
    if isinstance(error, RoleFailedError) and isinstance(error.__cause__, Exception):
        return Failure(f"{error}: {describe(error.__cause__).message}", FAILED)
    if isinstance(error, psycopg.Error):
        return _database(error)
    if isinstance(error, KafkaException):
        return _kafka(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Failure(f"What is to be shown can't be written: {error.strerror}.", FAILED)
    return Failure(
        f"A defect: {type(error).__name__}: {error_text(error)}. Run it again with --debug before the command and "
        "report what it shows.",
        FAILED,
    )


# The first that fits counts: what is told, with Postgres' own line, and the exit code.
_DATABASE: tuple[tuple[Callable[[psycopg.Error], bool], str, int], ...] = (
    (
        lambda error: isinstance(error, errors.UndefinedTable | errors.UndefinedColumn),
        "The database lacks tables of this version. Run: hearlink-xero migrate",
        FAILED,
    ),
    (
        lambda error: isinstance(
            error, errors.InvalidPassword | errors.InvalidAuthorizationSpecification | errors.InvalidCatalogName
        ),
        "Postgres lets nobody in by DATABASE_URL: {line}",
        UNREACHABLE,
    ),
    (
        lambda error: isinstance(error, errors.ReadOnlySqlTransaction),
        "The database takes no writes, as a standby does: {line}",
        UNREACHABLE,
    ),
    (is_limit, "{line}", FAILED),
    (is_outage, "Postgres can't be reached: {line}", UNREACHABLE),
    (
        # The driver quotes what it could not read, and that may be the password.
        lambda error: isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None,
        "DATABASE_URL is no address of a database: postgresql://user:password@host/database",
        MISUSED,
    ),
)


def _database(error: psycopg.Error) -> Failure:
    for fits, text, exit_code in _DATABASE:
        if fits(error):
            return Failure(text.format(line=_line(error)), exit_code)
    return Failure(f"Postgres refuses: {_line(error)}", FAILED)


def _kafka(error: KafkaException) -> Failure:
    cause = error.args[0]
    if not isinstance(cause, KafkaError):
        return Failure(f"Kafka's client refuses: {cause}", FAILED)
    if cause.code() == KafkaError._INVALID_ARG:  # noqa: SLF001 -- that is its name
        return Failure(f"KAFKA_CONFIG or KAFKA_BOOTSTRAP_SERVERS can't be used: {cause.str()}", MISUSED)
    if cause.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001 -- as above
        return Failure(f"Kafka lacks a topic ({cause.str()}). For development: hearlink-xero topics ensure", FAILED)
    if cause.code() in _AWAY:
        return Failure(f"Kafka can't be reached: {cause.str()}", UNREACHABLE)
    return Failure(f"Kafka says: {cause.str()}", UNREACHABLE)


def _line(error: psycopg.Error) -> str:
    """Return the first line alone: what follows repeats it for each address that was tried."""
    return error_text(error).partition("\n")[0]
