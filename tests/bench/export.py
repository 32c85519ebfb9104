"""Memory and time of an export of a hundred thousand invoices, beside one of a thousand.

Options: --invoices N (100000).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

import msgspec

from consumer.database import connect, load_queries, migrate
from consumer.orders import ChangeKind, OrderEvent, ProjectedOrder, apply_event
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.cli.service import base_environment
from tests.sync import books

_QUERIES = load_queries(__file__, "export.sql")
_FEW = 1_000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="export")
    parser.add_argument("--invoices", type=int, default=100_000)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres())
        url = server.create_database("bench")
        migrate(url)
        with connect(url, name="bench") as connection:
            connection.execute(_QUERIES["organisation"])
            # The few are all of January, the many all of February.
            for count, month in ((_FEW, "2026-01-01"), (options.invoices, "2026-02-01")):
                connection.execute(_QUERIES["orders"], {"count": count, "month": month, "state": _state()})
            connection.execute("vacuum analyze orders")
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        few_mib = _export(url, f"{folder}/few", "2026-01-01", "2026-01-31", _FEW)
        many_mib = _export(url, f"{folder}/many", "2026-02-01", "2026-02-28", options.invoices)
        print(f"memory, many to few          {many_mib / few_mib:.2f}")


def _export(url: str, folder: str, since: str, until: str, invoices: int) -> float:
    started = time.monotonic()
    answer = subprocess.run(
        [
            *(sys.executable, "-c", _MEASURED, "export", "invoices", "--organisation", "org-1"),
            *("--since", since, "--until", until, "--output", folder, "--json"),
        ],
        env=base_environment(DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=True,
    )
    took = time.monotonic() - started
    said = json.loads(answer.stdout)
    assert said["documents"] == invoices, said
    mib = int(answer.stderr.split()[-1]) / 1024
    words = f"{invoices:,} invoices"
    print(f"{words:28} {mib:.0f} MiB at most, {took:.1f} s, {len(said['files'])} files")
    return mib


# The process itself says how much it used at most, in KiB.
_MEASURED = """
import resource, sys
from consumer.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def _state() -> str:
    """Return the state of an order with an invoice, as the projection writes it."""
    order = ProjectedOrder("order", "org-1")
    apply_event(
        order,
        OrderEvent(
            event_id="event",
            organisation_id="org-1",
            clinic_id="clinic-1",
            order_id="order",
            sequence=1,
            occurred_at_us=1,
            actor=None,
            patient=books.patient("patient"),
            kind=ChangeKind.INVOICE_SAVED,
            change={"invoice": books.invoice("WH")},
        ),
    )
    return msgspec.json.encode(order.state).decode()
