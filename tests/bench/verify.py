"""How long `verify` takes, without and with HearLink's own list beside: a million orders within a minute.

Options: --orders N (1000000). A fiftieth of them comes first, to show how it grows. The server's processor time is
shown as well: it is the same on a machine that is busy with other things.
"""

import argparse
import os
import resource
import time
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import connect, load_queries, migrate
from consumer.operations.verification import load_list, verify_links
from consumer.sandbox.postgres import EmbeddedPostgres

_QUERIES = load_queries(__file__, "verify.sql")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="verify")
    parser.add_argument("--orders", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    with EmbeddedPostgres() as server:
        for orders in (options.orders // 50, options.orders):
            url = server.create_database(f"bench_{orders}")
            migrate(url)
            with connect(url, name="bench") as connection:
                _fill(connection, orders)
            with connect(url, name="bench") as connection:
                _measure(connection, orders)


def _fill(connection: Connection[TupleRow], orders: int) -> None:
    connection.execute("set statement_timeout = 0")
    for name in ("orders", "links"):
        connection.execute(_QUERIES[name], {"orders": orders})
    connection.execute("vacuum analyze orders, xero_link")


def _measure(connection: Connection[TupleRow], orders: int) -> None:
    watch = _Watch(connection.info.backend_pid)
    found = verify_links(connection)
    alone = watch.lap()
    assert len(found.findings) == orders // 1_000, found.findings[:3]
    assert sum(totals.payments_linked for totals in found.totals) == 2 * orders
    load_list(connection, ((f"order-{number}", 5) for number in range(1, orders + 1)))
    taken_in = watch.lap()
    compared = verify_links(connection, with_list=True).against
    assert compared is not None
    assert compared.equal == orders
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{orders:,} orders: {alone}")
    print(f"  HearLink's list taken in: {taken_in}; with it beside: {watch.lap()}; at most {memory:.0f} MB here")


class _Watch:
    """Seconds between laps, of the clock and of the server process that works for us."""

    def __init__(self, server_pid: int) -> None:
        self._stat = Path(f"/proc/{server_pid}/stat")
        self._clock, self._processor = time.monotonic(), self._read()

    def lap(self) -> str:
        clock, processor = time.monotonic(), self._read()
        text = f"{clock - self._clock:.1f} s ({processor - self._processor:.1f} s of a processor)"
        self._clock, self._processor = clock, processor
        return text

    def _read(self) -> float:
        user, system = self._stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
