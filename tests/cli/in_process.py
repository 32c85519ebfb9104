"""Commands run inside of this process: the same `main`, without half a second of interpreter and imports each."""

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence

import structlog

from consumer.cli import main


def run_command(arguments: Sequence[str], environment: Mapping[str, str], stdin: str) -> tuple[int, str, str]:
    """Return the exit code and what was printed to standard output and standard error."""
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    with (
        _as_was(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["hearlink-xero", *arguments]
        sys.stdin = given
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def _as_was() -> Iterator[None]:
    """Put back what a command may change of the process that it thinks its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    environment, argv, stdin = dict(os.environ), sys.argv, sys.stdin
    try:
        with warnings.catch_warnings():
            yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger("librdkafka").setLevel(logging.NOTSET)
        structlog.reset_defaults()
        os.environ.clear()
        os.environ.update(environment)
        sys.argv, sys.stdin = argv, stdin
