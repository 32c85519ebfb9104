"""The long run: `python -m tests.chaos --minutes 10 --seed 1 --workers 4 --orders 3000`, with a report at its end.

Storms follow one another, each with a broker, a server and a history of its own, in turn with the classic group
protocol and with KIP-848; then what can only be measured in calm: recovery times, and the budget under a backlog.
Ends with 1 if anything was lost, doubled, wrong or unexplained, or a worker died that nobody had killed.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from tests.chaos.arena import Arena
from tests.chaos.checker import Report
from tests.chaos.conftest import CLINICS
from tests.chaos.histories import make_history
from tests.chaos.storm import Storm, Tally, Weather
from tests.fixtures.apache_kafka import KafkaBroker

_STORM_SECONDS = 90.0
_PROTOCOLS: tuple[dict[str, Any], ...] = ({}, {"group.protocol": "consumer"})


def main() -> int:
    options = _options()
    # However it ends, its workers end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    until = time.monotonic() + 60 * options.minutes
    reports: list[Report] = []
    blows: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    died: list[str] = []
    number, orders_left = 0, options.orders
    while number == 0 or (time.monotonic() < until and orders_left > 0):
        seed = options.seed * 1000 + number
        storms_left = max(1, round((until - time.monotonic()) / (1.6 * _STORM_SECONDS)))
        orders = max(1, orders_left // storms_left)
        report, tally, struck, fullest = _storm(seed, orders, options.workers, _PROTOCOLS[number % len(_PROTOCOLS)])
        reports.append(report)
        blows += tally.blows
        faults += struck
        died += tally.died
        print(f"storm {number} (seed {seed}): {report}")
        print(f"    {dict(tally.blows)}, fullest minute {fullest} of {options.calls_per_minute}", flush=True)
        orders_left -= orders
        number += 1
    bad = [name for name in ("lost", "doubled", "wrong", "unexplained") if any(getattr(r, name) for r in reports)]
    print(f"\norders checked        {sum(report.orders for report in reports)}")
    print(f"documents in Xero     {sum(report.documents for report in reports)}")
    for name in ("lost", "doubled", "wrong", "unexplained"):
        print(f"{name:21} {sum(len(getattr(report, name)) for report in reports)}")
    print(f"kills survived        {blows['kill -9']}")
    for name, count in sorted(blows.items()):
        print(f"{name:21} {count}")
    print(f"faults that struck    {sum(faults.values())}")
    for kind, count in sorted(faults.items()):
        print(f"    {kind:22} {count}")
    for text in died:
        print(f"DIED: {text}")
    return 1 if bad or died else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--orders", type=int, default=3000)
    parser.add_argument("--calls-per-minute", type=int, default=600)
    return parser.parse_args()


def _storm(seed: int, orders: int, workers: int, protocol: dict[str, Any]) -> tuple[Report, Tally, Counter[str], int]:
    with (
        KafkaBroker() as broker,
        EmbeddedPostgres() as server,
        XeroSimulator() as simulator,
        tempfile.TemporaryDirectory() as folder,
        Arena(
            database_url=server.create_database("chaos"),
            bootstrap_servers=broker.bootstrap_servers,
            simulator=simulator,
            folder=Path(folder),
            clinics=CLINICS,
            calls_per_minute=600,
            safe_wait_seconds=4.0,
            kafka_config=protocol,
        ) as arena,
    ):
        storm = Storm(arena, Random(seed), Weather(workers=workers), broker=broker, server=server)
        storm.rage(make_history(seed, orders, CLINICS), _STORM_SECONDS)
        try:
            storm.heal()
        finally:
            for text in storm.tally.died:
                print(f"DIED: {text}")
        report = arena.check()
        control = simulator.control
        struck = Counter(call["fault"] for call in control.calls() if call["fault"])
        tenants = control.statistics()["tenants"]
        fullest = max(tenants[tenant_id]["fullest_minute"] for tenant_id in arena.tenant_ids)
        return report, storm.tally, struck, fullest


if __name__ == "__main__":
    sys.exit(main())
