"""Logs: one line each on standard error, JSON where machines read it, readable on a terminal, no patient's data.

Ours (structlog) and the libraries' (logging) go the same way. What `LOG_LEVEL` names and worse is shown; librdkafka's
and urllib3's own chatter only from a warning on.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import psycopg
import structlog
from structlog.typing import EventDict, Processor

from consumer.configuration import ConfigurationError
from consumer.database import LockTimeoutError, StatementTimeoutError

# Variable, default, what it is: as in `consumer.configuration.VARIABLES`.
LOG_VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("LOG_LEVEL", "info", "debug, info, warning or error"),
    ("LOG_FORMAT", "", "json or text; unset = text on a terminal, JSON elsewhere"),
)
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FORMATS = ("json", "text")
LIBRDKAFKA_LOGGERS = ("librdkafka", "consumer.results.librdkafka")
_CHATTY_LIBRARIES = (*LIBRDKAFKA_LOGGERS, "urllib3", "psycopg", "psycopg.pool", "httpx")
# KAFKA_CONFIG is for consumers and producers alike: what concerns the others alone is no mistake.
_OF_THE_OTHERS = re.compile("is a (consumer|producer) property and will be ignored")
_REDACTED = "[redacted]"
# Words of a key that stand for a secret or for a person. Nobody of us logs such a thing; this is the second lock.
_PRIVATE_WORDS = frozenset(
    {
        "address",
        "authorization",
        "code",
        "cookie",
        "email",
        "mobile",
        "name",
        "names",
        "passphrase",
        "password",
        "patient",
        "phone",
        "postcode",
        "secret",
        "surname",
        "token",
        "tokens",
        "verifier",
    }
)
# Keys that have such a word and are none.
_HARMLESS_KEYS = frozenset({"code", "problem_code", "patient_id", "topic_name"})


def configure_logs(environment: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error), as LOG_LEVEL and LOG_FORMAT say.

    Raises:
        ConfigurationError: one of the two is set to something else than it may be.
    """
    stream = sys.stderr if stream is None else stream
    level = _LEVELS[_choice(environment, "LOG_LEVEL", tuple(_LEVELS), "info")]
    style = _choice(environment, "LOG_FORMAT", _FORMATS, "text" if stream.isatty() else "json")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        render_exception,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _json_renderer() if style == "json" else _text_renderer(stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for library in _CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
    for name in LIBRDKAFKA_LOGGERS:
        logging.getLogger(name).addFilter(_is_of_interest)
    logging.captureWarnings(capture=True)


def _is_of_interest(record: logging.LogRecord) -> bool:
    return _OF_THE_OTHERS.search(record.getMessage()) is None


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Take out of `event` what a key says is a secret or a person's, at any depth."""
    _redact(event)
    return event


def render_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Turn `exc_info` into text under `exception`, without what Postgres quotes of rows."""
    given = event.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    elif given and not isinstance(given, BaseException):
        given = sys.exc_info()[1]
    if given:
        event["exception"] = describe_exception(given)
    return event


def describe_exception(error: BaseException) -> str:
    """Return the traceback of `error` and its causes; of Postgres' errors only what names no data."""
    parts = []
    seen: BaseException | None = error
    while seen is not None:
        frames = "".join(traceback.format_tb(seen.__traceback__))
        parts.append(f"{frames}{type(seen).__name__}: {error_text(seen)}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n  caused by\n".join(parts)


def error_text(error: BaseException) -> str:
    """Return what `error` says; Postgres' DETAIL and CONTEXT, which may quote a row, are left out."""
    if isinstance(error, StatementTimeoutError | LockTimeoutError):
        # Words of our own, which name the statement.
        return str(error)
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return f"{error.diag.message_primary} (SQLSTATE {error.sqlstate})"
    return str(error).strip()


def _choice(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = environment.get(name, "").strip().lower() or default
    if value not in allowed:
        raise ConfigurationError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
    return value


def _redact(values: MutableMapping[str, Any]) -> None:
    for key, value in values.items():
        if not isinstance(key, str) or key.startswith("_"):
            continue
        if key not in _HARMLESS_KEYS and not _PRIVATE_WORDS.isdisjoint(key.lower().split("_")):
            values[key] = _REDACTED
        elif isinstance(value, dict):
            values[key] = dict(value)
            _redact(values[key])


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(default=str)


def _text_renderer(stream: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
