"""Random blows on everything at once: workers killed and frozen, faults of Xero, broker and Postgres restarted."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from consumer.sandbox.xero import Fault
from consumer.sandbox.xero.faults import FAULT_KINDS
from tests.chaos.arena import Arena, Worker
from tests.chaos.histories import History

# 10 s, and what a busy machine needs besides.
_STOP_SECONDS = 12.0
# Roles of the workers that are started, some mixes more often than others; () = all.
_MIXES: tuple[tuple[str, ...], ...] = (
    (),
    (),
    (),
    ("projection",),
    ("push",),
    ("push", "relay"),
    ("projection", "relay"),
)
_PATHS = (None, None, r"/Contacts$", r"/Invoices", r"/Payments", r"/CreditNotes", r"/Allocations", r"/connect/token")


Blow = Callable[[], None]


class Part(Protocol):
    """A broker or a server that can be mistreated."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True)
class Weather:
    """How hard it blows. `longest_delay_seconds` is shorter than the safe wait after a lost answer."""

    workers: int = 3
    pause_seconds: float = 0.4
    longest_delay_seconds: float = 2.0
    longest_freeze_seconds: float = 8.0
    longest_outage_seconds: float = 3.0
    # How often Postgres and the broker go, per hundred blows.
    outages_percent: float = 5.0
    # Calls that outlast their deadline, tenants that rest for minutes: only where there is time to wait for them.
    endless: bool = False


@dataclass
class Tally:
    """What was done to the service, and how its workers ended that nobody had killed."""

    blows: Counter[str] = field(default_factory=Counter)
    died: list[str] = field(default_factory=list)


class Storm:
    """Blows at the workers of `arena`, and at its `broker` and `server` where these are given."""

    def __init__(
        self, arena: Arena, rng: Random, weather: Weather, *, broker: Part | None = None, server: Part | None = None
    ) -> None:
        self.tally = Tally()
        self._arena = arena
        self._rng = rng
        self._weather = weather
        self._broker = broker
        self._server = server
        self._frozen: dict[int, tuple[float, Worker]] = {}
        self._ended: set[int] = set()

    def rage(self, history: History, seconds: float) -> None:
        """Publish `history` bit by bit over `seconds`, with blows all the while."""
        arena = self._arena
        arena.truths.update(history.truths)
        started, sent = time.monotonic(), 0
        self._fill_up()
        while (elapsed := time.monotonic() - started) < seconds:
            until = min(len(history.events), int(len(history.events) * 1.2 * elapsed / seconds) + 5)
            arena.produce_events(history.events[sent:until])
            sent = max(sent, until)
            self._blow()
            self._thaw(time.monotonic())
            self._fill_up()
            time.sleep(self._rng.uniform(0.0, 2 * self._weather.pause_seconds))
        arena.produce_events(history.events[sent:])

    def heal(self, patience_seconds: float = 180.0) -> None:
        """Let everything be well again, and wait until all is quiet."""
        self._thaw(float("inf"))
        arena = self._arena
        arena.simulator.control.clear_faults()
        arena.flush()
        self._fill_up()
        if not any(worker.is_running and not worker.roles for worker in arena.workers):
            arena.start()
        arena.reconnect()
        arena.ring_for_waiting()
        arena.wait_until_quiet(patience_seconds)
        self._look_for_dead()

    def _blow(self) -> None:
        rng = self._rng
        blows: dict[Blow, float] = {
            self._kill: 10,
            self._freeze: 8,
            self._stop: 4,
            self._fault: 50,
            self._expire_token: 3,
            self._reconnect: 4,
            self._ring: 6,
        }
        if self._server is not None:
            blows[self._restart_postgres] = self._weather.outages_percent / 2
        if self._broker is not None:
            blows[self._restart_broker] = self._weather.outages_percent / 2
        (blow,) = rng.choices(list(blows), list(blows.values()))
        blow()

    def _kill(self) -> None:
        for worker in self._some_worker():
            self._ended.add(worker.process.pid)
            worker.kill()
            self.tally.blows["kill -9"] += 1

    def _stop(self) -> None:
        for worker in self._some_worker():
            self._ended.add(worker.process.pid)
            started = time.monotonic()
            code = worker.stop()
            # Whoever has not begun yet may just end; where a call is held up, the end is forced, and says so (4).
            good = code in {0, 4} or (code == -signal.SIGTERM and not worker.lines("http_listening"))
            if not good or time.monotonic() - started > _STOP_SECONDS:
                self.tally.died.append(
                    f"SIGTERM ended with {code} after {time.monotonic() - started:.1f} s: {worker.log}"
                )
            self.tally.blows["SIGTERM"] += 1

    def _freeze(self) -> None:
        for worker in self._some_worker():
            if worker.process.pid not in self._frozen:
                worker.freeze()
                until = time.monotonic() + self._rng.uniform(0.5, self._weather.longest_freeze_seconds)
                self._frozen[worker.process.pid] = (until, worker)
                self.tally.blows["SIGSTOP"] += 1

    def _thaw(self, now: float) -> None:
        for process_id, (until, worker) in list(self._frozen.items()):
            if now >= until:
                if worker.is_running:
                    worker.thaw()
                del self._frozen[process_id]

    def _fault(self) -> None:
        rng, weather = self._rng, self._weather
        kind = rng.choice(FAULT_KINDS)
        fault = Fault(
            kind=kind,  # type: ignore[arg-type]
            method=rng.choice((None, "GET", "PUT", "POST", "DELETE")),
            path=rng.choice(_PATHS),
            nth=rng.choice((1, 1, 2)),
            count=rng.choice((1, 1, 2, 4)),
            delay_seconds=rng.uniform(0.1, weather.longest_delay_seconds),
            retry_after_seconds=rng.randint(1, 4),
            bytes_per_second=rng.choice((500.0, 20_000.0) if weather.endless else (20_000.0,)),
            committed_elements=rng.choice((None, 0, 1, 5)),
            # Xero's own words ask for minutes of patience.
            detail="Out of order" if kind == "unavailable" and not weather.endless else None,
        )
        self._arena.simulator.control.add_fault(fault)

    def _expire_token(self) -> None:
        self._arena.simulator.control.expire_access_tokens()
        self.tally.blows["token expired"] += 1

    def _reconnect(self) -> None:
        """What an operator does who finds Xero disconnected."""
        self._arena.reconnect()
        self.tally.blows["connected again"] += 1

    def _ring(self) -> None:
        """Retry messages as they may come: for orders of ours or nobody's, old, doubled, unreadable."""
        rng, topic = self._rng, self._arena.environment["RETRY_TOPIC"]
        order_id = rng.choice([*self._arena.truths, "nobodys-order"])
        value = rng.choice(
            [
                json.dumps({"order_id": order_id}).encode(),
                json.dumps({"order_id": order_id, "attempt": rng.randint(0, 3), "trigger": "retry"}).encode(),
                None,
                b"\xff\x00nonsense",
            ]
        )
        for _ in range(rng.choice((1, 1, 3))):
            self._arena.produce(topic, order_id.encode(), value)
        self.tally.blows["retry message"] += 1

    def _restart_postgres(self) -> None:
        self._restart(self._server, "Postgres restart")

    def _restart_broker(self) -> None:
        self._restart(self._broker, "broker restart")

    def _restart(self, part: Part | None, name: str) -> None:
        assert part is not None
        if self._rng.random() < 0.5:
            part.kill()
        else:
            part.stop()
        time.sleep(self._rng.uniform(0.1, self._weather.longest_outage_seconds))
        part.start()
        self.tally.blows[name] += 1

    def _some_worker(self) -> list[Worker]:
        running = [worker for worker in self._arena.workers if worker.is_running]
        return [self._rng.choice(running)] if running else []

    def _fill_up(self) -> None:
        self._look_for_dead()
        running = [worker for worker in self._arena.workers if worker.is_running]
        for _ in range(len(running), self._weather.workers):
            whole = any(not worker.roles for worker in running)
            # One at least does everything, or a mix might lack a role for good.
            running.append(self._arena.start(*(self._rng.choice(_MIXES) if whole else ())))

    def _look_for_dead(self) -> None:
        for worker in self._arena.workers:
            if not worker.is_running and worker.process.pid not in self._ended:
                self._ended.add(worker.process.pid)
                self.tally.died.append(f"exit code {worker.process.returncode}: {worker.text()[-3000:]}")
