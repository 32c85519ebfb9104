"""Time to first byte of the sync log's pages, with a log of ten million rows.

Options: --rows N (10000000), --samples N (15).
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO

import requests

from consumer.database import connect, load_queries, migrate
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.cli.service import base_environment

_QUERIES = load_queries(__file__, "console.sql")
_MONTHS = 12


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="console")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--samples", type=int, default=15)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres())
        url = server.create_database("bench")
        _fill(url, options.rows)
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "consumer", "console"],
                env=base_environment(DATABASE_URL=url, CONSOLE_ADDRESS="127.0.0.1:0", LOG_FORMAT="json"),
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        try:
            assert process.stderr is not None
            _measure(f"{_address(process.stderr)}/organisations/org-1/log", options)
        finally:
            process.terminate()


def _fill(url: str, rows: int) -> None:
    started = time.monotonic()
    migrate(url)
    with connect(url, name="bench") as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute(_QUERIES["months"], {"months": _MONTHS})
        connection.execute(_QUERIES["organisation"])
        connection.execute(_QUERIES["rows"], {"rows": rows, "months": _MONTHS})
        connection.execute("vacuum analyze sync_log")
        found = connection.execute("select count(*), pg_total_relation_size('sync_log_default') from sync_log")
        count, in_default = found.fetchone() or (0, 0)
    print(
        f"rows                         {count:,}, filled in {time.monotonic() - started:.0f} s, {in_default:,} B astray"
    )


def _measure(log: str, options: argparse.Namespace) -> None:
    middle = options.rows // 2
    views: Mapping[str, dict[str, str | int]] = {
        "first page": {},
        "a page in the middle": {"before": middle},
        "one clinic": {"clinic": "clinic-7"},
        "one order": {"order": f"order-{middle // 4}"},
        "one invoice number": {"invoice": f"WH{middle // 4:07}"},
        "one operation": {"operation": "payment_delete"},
        "failed": {"outcome": "failed"},
        "one problem": {"problem": "period_locked"},
        "clinic, failed, in the middle": {"clinic": "clinic-7", "outcome": "failed", "before": middle},
        "a day last winter": {"since": _day(200), "until": _day(199)},
        "nothing found": {"order": "there is none"},
    }
    session = requests.Session()
    for name, query in views.items():
        seconds = sorted(_first_byte(session, log, query) for _ in range(options.samples + 1))
        print(f"{name:28} median {statistics.median(seconds) * 1000:.0f} ms, slowest {seconds[-1] * 1000:.0f} ms")


def _first_byte(session: requests.Session, log: str, query: Mapping[str, str | int]) -> float:
    started = time.monotonic()
    with session.get(log, params=dict(query), stream=True, timeout=60) as answer:
        took = time.monotonic() - started
        assert answer.status_code == 200, answer.text
        assert answer.content
    return took


def _day(days_ago: int) -> str:
    return time.strftime("%Y-%m-%dT00:00", time.gmtime(time.time() - days_ago * 86_400))


def _address(log: IO[str]) -> str:
    for line in log:
        if "The console is at " in line:
            return line.split()[-1]
    raise RuntimeError("The console ended without saying where it is.")
