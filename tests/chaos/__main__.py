"""The long run: `make chaos`, or `python -m tests.chaos --minutes 10 --seed 1 --workers 4 --orders 3000`.

Storms follow one another, each with a broker, a server and a history of its own, in turn with the classic group
protocol and with KIP-848; the last one is patient: the service's own waits, calls that outlast their deadline, and
processes frozen for longer than a lease. Then comes what can only be measured in calm: recovery times, and the use of
the budget.
Ends with 1 if anything was lost, doubled, wrong or unexplained, or a worker died that nobody had killed.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from tests.chaos import measures
from tests.chaos.arena import Arena
from tests.chaos.checker import KINDS, Report
from tests.chaos.conftest import CLINICS
from tests.chaos.histories import Clinic, make_history
from tests.chaos.storm import Storm, Tally, Weather
from tests.fixtures.apache_kafka import KafkaBroker

_STORM_SECONDS = 90.0
# With starting, healing and checking.
_WHOLE_STORM_SECONDS = 130.0
_CALLS_PER_MINUTE = 600
_PROTOCOLS: tuple[dict[str, Any], ...] = ({}, {"group.protocol": "consumer"})


@dataclass
class _Sums:
    reports: list[Report] = field(default_factory=list)
    blows: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    died: list[str] = field(default_factory=list)
    fullest: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.died and self.fullest <= _CALLS_PER_MINUTE and all(report.is_clean for report in self.reports)


def main() -> int:
    options = _options()
    # However it ends, its workers end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sums = _Sums()
    until = time.monotonic() + 60 * options.minutes
    seconds = min(_STORM_SECONDS, 60 * options.minutes)
    number, orders_left = 0, options.orders
    while number == 0 or (time.monotonic() < until and orders_left > 0):
        storms_left = max(1, round((until - time.monotonic()) / _WHOLE_STORM_SECONDS))
        orders = max(1, orders_left // storms_left)
        weather = Weather(workers=options.workers)
        _storm(sums, f"storm {number}", options.seed * 1000 + number, orders, weather, _PROTOCOLS[number % 2], seconds)
        orders_left -= orders
        number += 1
    if not options.short:
        patient = Weather(
            workers=options.workers, longest_delay_seconds=25.0, longest_freeze_seconds=60.0, endless=True
        )
        _storm(sums, "patient storm", options.seed * 1000 + 999, options.orders // 10, patient, {}, seconds)
    _tell(sums)
    if not options.short:
        _measure(options.workers)
    return 0 if sums.is_clean else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of storms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--orders", type=int, default=3000, help="in all storms together")
    parser.add_argument("--short", action="store_true", help="neither the patient storm nor the measures")
    return parser.parse_args()


@contextmanager
def _arena(clinics: list[Clinic], **more: Any) -> Iterator[tuple[Arena, KafkaBroker, EmbeddedPostgres]]:
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
            clinics=clinics,
            **more,
        ) as arena,
    ):
        yield arena, broker, server


def _storm(
    sums: _Sums, name: str, seed: int, orders: int, weather: Weather, protocol: dict[str, Any], seconds: float
) -> None:
    safe_wait = None if weather.endless else 4.0
    with _arena(CLINICS, calls_per_minute=_CALLS_PER_MINUTE, safe_wait_seconds=safe_wait, kafka_config=protocol) as (
        arena,
        broker,
        server,
    ):
        storm = Storm(arena, Random(seed), weather, broker=broker, server=server)
        storm.rage(make_history(seed, orders, CLINICS), seconds)
        storm.heal(900.0 if weather.endless else 240.0)
        report = arena.check()
        control = arena.simulator.control
        struck = Counter(call["fault"] for call in control.calls() if call["fault"])
        tenants = control.statistics()["tenants"]
        fullest = max(tenants[tenant_id]["fullest_minute"] for tenant_id in arena.tenant_ids)
    sums.reports.append(report)
    sums.blows += storm.tally.blows
    sums.faults += struck
    sums.died += storm.tally.died
    sums.fullest = max(sums.fullest, fullest)
    _say(f"{name} (seed {seed}): {report}")
    _say(f"    {_words(storm.tally)}; {sum(struck.values())} faults; fullest minute {fullest} of {_CALLS_PER_MINUTE}")


def _words(tally: Tally) -> str:
    return ", ".join(f"{count} x {name}" for name, count in sorted(tally.blows.items()))


def _tell(sums: _Sums) -> None:
    _say("")
    _say(f"{'orders checked':24} {sum(report.orders for report in sums.reports)}")
    _say(f"{'documents in Xero':24} {sum(report.documents for report in sums.reports)}")
    for kind in KINDS:
        _say(f"{kind:24} {sum(len(getattr(report, kind)) for report in sums.reports)}")
    for name, count in sorted(sums.blows.items()):
        _say(f"{name:24} {count}")
    _say(f"{'faults that struck':24} {sum(sums.faults.values())}")
    for name, count in sorted(sums.faults.items()):
        _say(f"    {name:24} {count}")
    for text in sums.died:
        _say(f"DIED: {text}")


def _measure(workers: int) -> None:
    with _arena(measures.ONE_CLINIC) as (arena, broker, server):
        _say(f"first push after ...     a worker dies {measures.seconds_after_kill(arena):.2f} s")
        _say(f"                         Postgres returns {measures.seconds_after_postgres(arena, server):.2f} s")
        _say(f"                         Kafka returns {measures.seconds_after_broker(arena, broker):.2f} s")
    with _arena(measures.ONE_CLINIC, calls_per_minute=60) as (arena, _, _):
        fullest, used = measures.budget_use(arena, 3.0, workers)
        share = f"{used:.1f} calls a minute ({used / 60:.0%})"
        _say(f"backlog, {workers} workers       fullest minute {fullest} of 60, {share}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
