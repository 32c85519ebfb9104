"""The budget on a database whose rows are aged by hand, and in several processes against the simulator."""

import multiprocessing
import random
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from consumer.database import connect
from consumer.sandbox.xero import Limits, XeroSimulator
from consumer.xero import (
    AccessToken,
    Budget,
    BudgetSpentError,
    ConnectionSource,
    Grant,
    Observation,
    TenantClient,
    Transport,
    Wait,
    XeroClient,
)

_TENANT = "tenant-1"
_AGE = """
update xero_call set granted_at = granted_at - make_interval(secs => %(seconds)s),
    ended_at = ended_at - make_interval(secs => %(seconds)s);
"""
_AGE_BUDGET = """
update xero_budget set observed_at = observed_at - make_interval(secs => %(seconds)s),
    frozen_until = frozen_until - make_interval(secs => %(seconds)s)
"""


class Age:
    """Lets time pass, by moving all that has happened into the past."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection
        self._passed = 0.0
        self._began = time.monotonic()

    def __call__(self, seconds: float) -> None:
        self._connection.execute(_AGE, {"seconds": seconds})
        self._connection.execute(_AGE_BUDGET, {"seconds": seconds})
        self._passed += seconds

    def now(self) -> float:
        """Seconds since the beginning, those that really passed included."""
        return self._passed + time.monotonic() - self._began


@pytest.fixture
def age(connection: Connection[TupleRow]) -> Age:
    return Age(connection)


def granted(answer: Grant | Wait) -> Grant:
    assert isinstance(answer, Grant), answer
    return answer


def refused(answer: Grant | Wait) -> Wait:
    assert isinstance(answer, Wait), answer
    return answer


def use(budget: Budget, connection: Connection[TupleRow], count: int, observation: Observation | None = None) -> None:
    for _ in range(count):
        budget.end(connection, granted(budget.grant(connection, _TENANT)), observation)


def test_the_minute_is_granted_to_its_limit(connection: Connection[TupleRow]) -> None:
    budget = Budget(calls_per_minute=5)
    use(budget, connection, 5)
    wait = refused(budget.grant(connection, _TENANT))
    assert wait.window == "minute"
    assert 55 < wait.seconds <= 60
    assert granted(budget.grant(connection, "another tenant"))


def test_a_call_weighs_until_a_minute_after_its_answer(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=1)
    grant = granted(budget.grant(connection, _TENANT))
    age(15)
    budget.end(connection, grant)
    age(59)
    assert 0 < refused(budget.grant(connection, _TENANT)).seconds <= 1
    age(1)
    assert granted(budget.grant(connection, _TENANT))


def test_a_call_that_never_ended_weighs_as_long_as_it_could_have_taken(
    connection: Connection[TupleRow], age: Age
) -> None:
    budget = Budget(calls_per_minute=1, call_seconds=20)
    granted(budget.grant(connection, _TENANT))
    age(79)
    assert 0 < refused(budget.grant(connection, _TENANT)).seconds <= 1
    age(1)
    assert granted(budget.grant(connection, _TENANT))


def test_a_frozen_process_that_ends_its_call_late_holds_nobody_up(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=1)
    grant = granted(budget.grant(connection, _TENANT))
    age(600)
    budget.end(connection, grant)
    assert granted(budget.grant(connection, _TENANT))


def test_the_day_keeps_a_reserve_for_people(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=1000, calls_per_day=30)
    use(budget, connection, 20)
    wait = refused(budget.grant(connection, _TENANT))
    assert (wait.window, wait.seconds) == ("day", 600)
    for _ in range(10):
        granted(budget.grant(connection, _TENANT, urgent=True))
    assert refused(budget.grant(connection, _TENANT, urgent=True)).window == "day"
    age(86_399)
    assert 0 < refused(budget.grant(connection, _TENANT)).seconds <= 1
    age(1)
    assert granted(budget.grant(connection, _TENANT))


def test_old_calls_are_forgotten(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget()
    use(budget, connection, 3)
    age(86_400 + 21)
    use(budget, connection, 1)
    assert connection.execute("select count(*) from xero_call").fetchone() == (1,)


def test_a_lower_limit_of_xeros_is_learned_from_its_first_answer(connection: Connection[TupleRow]) -> None:
    budget = Budget(calls_per_minute=60, calls_per_day=5000)
    use(budget, connection, 1, Observation(refused=False, minute_remaining=4, day_remaining=999))
    use(budget, connection, 4)
    assert refused(budget.grant(connection, _TENANT)).window == "minute"
    usage = budget.usage(connection, _TENANT)
    assert (usage.minute_used, usage.minute_limit, usage.day_used, usage.day_limit) == (5, 5, 5, 1000)


def test_what_others_use_is_taken_off_and_comes_back(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=60)
    use(budget, connection, 10)
    # 50 would be left by our own count: 45 calls are another's.
    use(budget, connection, 1, Observation(refused=False, minute_remaining=4))
    assert budget.usage(connection, _TENANT).minute_limit == 15
    age(60)
    assert budget.usage(connection, _TENANT).minute_limit == 60


def test_an_answer_without_headers_leaves_what_was_known(connection: Connection[TupleRow]) -> None:
    budget = Budget()
    use(budget, connection, 1, Observation(refused=False, minute_remaining=4, day_remaining=999))
    use(budget, connection, 1, Observation(refused=False))
    usage = budget.usage(connection, _TENANT)
    assert (usage.minute_limit, usage.day_limit) == (5, 1000)


def test_answers_never_raise_the_configured_limits(connection: Connection[TupleRow]) -> None:
    budget = Budget(calls_per_minute=3, calls_per_day=40)
    use(budget, connection, 3, Observation(refused=False, minute_remaining=59, day_remaining=4999))
    usage = budget.usage(connection, _TENANT)
    assert (usage.minute_limit, usage.day_limit) == (3, 40)
    assert refused(budget.grant(connection, _TENANT)).window == "minute"


def test_a_day_that_xero_calls_spent_is_probed_now_and_then(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=1000)
    spent = Observation(refused=False, minute_remaining=900, day_remaining=0)
    use(budget, connection, 1, spent)
    for _ in range(3):
        wait = refused(budget.grant(connection, _TENANT, urgent=True))
        assert wait.window == "day"
        assert 595 < wait.seconds <= 600
        age(601)
        use(budget, connection, 1, spent)
    age(601)
    use(budget, connection, 2, Observation(refused=False, day_remaining=5000))
    assert granted(budget.grant(connection, _TENANT))


def test_a_day_limit_learned_is_forgotten_once_it_binds_and_is_old(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=1000, calls_per_day=5000)
    use(budget, connection, 20)
    use(budget, connection, 1, Observation(refused=False, day_remaining=5))
    assert refused(budget.grant(connection, _TENANT)).window == "day"
    age(599)
    assert refused(budget.grant(connection, _TENANT)).window == "day"
    age(2)
    assert granted(budget.grant(connection, _TENANT))


def test_retry_after_freezes_the_tenant_for_all_kinds_of_calls(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget()
    grant = granted(budget.grant(connection, _TENANT))
    limited = Observation(refused=True, problem="minute", retry_after_seconds=26)
    assert budget.end(connection, grant, limited) == pytest.approx(26, abs=1)
    for urgent in (False, True):
        wait = refused(budget.grant(connection, _TENANT, urgent=urgent))
        assert wait.window == "minute"
        assert 25 < wait.seconds <= 26
    usage = budget.usage(connection, _TENANT)
    assert usage.frozen_until is not None
    assert usage.frozen_reason == "minute"
    age(26)
    assert granted(budget.grant(connection, _TENANT))
    assert budget.usage(connection, _TENANT).frozen_reason == ""


def test_refusals_without_retry_after_back_off_ever_longer(connection: Connection[TupleRow], age: Age) -> None:
    budget = Budget(calls_per_minute=1000)
    limited = Observation(refused=True, problem="concurrent")

    def back_off() -> float:
        seconds = budget.end(connection, granted(budget.grant(connection, _TENANT)), limited)
        assert seconds is not None
        age(31)
        return round(seconds)

    assert [back_off() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    use(budget, connection, 1, Observation(refused=False))
    assert back_off() == 1


def test_a_refused_day_without_retry_after_is_probed(connection: Connection[TupleRow]) -> None:
    budget = Budget()
    grant = granted(budget.grant(connection, _TENANT))
    assert budget.end(connection, grant, Observation(refused=True, problem="day")) == pytest.approx(600, abs=1)


def test_a_shorter_freeze_does_not_end_a_longer_one(connection: Connection[TupleRow]) -> None:
    budget = Budget()
    first, second = (granted(budget.grant(connection, _TENANT)) for _ in range(2))
    budget.end(connection, first, Observation(refused=True, problem="day", retry_after_seconds=3600))
    budget.end(connection, second, Observation(refused=True, problem="minute", retry_after_seconds=5))
    wait = refused(budget.grant(connection, _TENANT))
    assert wait.seconds > 3000
    assert wait.window == "day"


def test_nothing_is_known_of_a_tenant_that_was_never_called(connection: Connection[TupleRow]) -> None:
    usage = Budget().usage(connection, _TENANT)
    assert (usage.minute_used, usage.minute_limit, usage.day_used, usage.day_limit) == (0, 60, 0, 5000)
    assert usage.frozen_until is None


def test_workers_at_once_get_no_more_than_the_limit(connections: ConnectionSource) -> None:
    budget = Budget(calls_per_minute=20)

    def ask(_: int) -> bool:
        with connections() as connection:
            return isinstance(budget.grant(connection, _TENANT), Grant)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(60))) == 20


@pytest.mark.parametrize("seed", range(3))
def test_no_window_is_ever_too_full_however_calls_arrive(connection: Connection[TupleRow], age: Age, seed: int) -> None:
    """Several workers, calls that arrive at any time before their answer, some of which is lost; on simulated time."""
    choice = random.Random(seed)
    budget = Budget(calls_per_minute=12, call_seconds=20)
    arrivals: list[float] = []
    in_flight: list[tuple[float, Grant, bool]] = []
    for _ in range(250):
        age(choice.choice([0.05, 0.5, 2.0, 7.0]))
        for call in [call for call in in_flight if call[0] <= age.now()]:
            in_flight.remove(call)
            if not call[2]:
                budget.end(connection, call[1])
        answer = budget.grant(connection, _TENANT)
        if isinstance(answer, Grant):
            now = age.now()
            # As long as a call may take, less what this test may lose between the grant and here.
            duration = choice.uniform(0.01, 15.0)
            arrivals.append(now + choice.uniform(0, duration))
            in_flight.append((now + duration, answer, choice.random() < 0.1))
    arrivals.sort()
    fullest = max(sum(start <= other < start + 60 for other in arrivals) for start in arrivals)
    assert fullest <= 12
    assert len(arrivals) > 24


def test_a_backlog_uses_nearly_all_of_the_limit(connection: Connection[TupleRow], age: Age) -> None:
    """One worker, calls of 0.3 s, on simulated time."""
    budget = Budget()
    calls: list[float] = []
    while age.now() < 240:
        answer = budget.grant(connection, _TENANT)
        if isinstance(answer, Wait):
            age(answer.seconds)
            continue
        calls.append(age.now())
        age(0.3)
        budget.end(connection, answer, Observation(refused=False, minute_remaining=60 - _within(calls, age.now())))
    assert len(calls) >= 0.9 * 240
    assert max(_within(calls, call) for call in calls) <= 60


def _within(calls: list[float], until: float) -> int:
    return sum(until - 60 < call <= until for call in calls)


class _OneToken:
    """A token source of a process that has one good token."""

    def __init__(self, token: str) -> None:
        self._token = AccessToken(token, organisation_id="org-1", generation=1)

    def access_token(self, organisation_id: str, tenant_id: str | None = None) -> AccessToken:
        assert (organisation_id, tenant_id) == ("org-1", self.tenant_id)
        return self._token

    def replace(self, stale: AccessToken) -> AccessToken:
        raise AssertionError(stale)

    def take_tenant_out(self, organisation_id: str, tenant_id: str) -> None:
        raise AssertionError(organisation_id, tenant_id)

    tenant_id = ""

    def disconnect(self, token: AccessToken, reason: str) -> None:
        raise AssertionError(token, reason)


def _call_for_a_while(database_url: str, url: str, token: str, tenant_id: str, seconds: float, start: Barrier) -> None:
    tokens = _OneToken(token)
    tokens.tenant_id = tenant_id
    with ConnectionPool(database_url, kwargs={"autocommit": True}, min_size=1, max_size=2, open=True) as pool:
        client = XeroClient(
            api_url=url,
            tokens=tokens,
            budget=Budget(calls_per_minute=30, minute_seconds=2.0, call_seconds=1.0),
            connections=pool.connection,
            transport=Transport(),
        )
        tenant = TenantClient(client, "org-1", tenant_id)
        start.wait(60)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                tenant.organisation()
            except BudgetSpentError as spent:
                time.sleep(min(spent.wait_seconds, 0.5))


def test_processes_together_never_pass_the_limit_at_xero(database_url: str) -> None:
    """Against a Xero whose minute lasts 2 s: its clock runs 30 times as fast."""
    began = time.time()
    with XeroSimulator(
        limits=Limits(per_minute=30, concurrent=0), time_source=lambda: began + (time.time() - began) * 30
    ) as simulator:
        tenant_id = simulator.control.demo_tenant("Harbour Hearing")
        token = simulator.control.authorise()["access_token"]
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(3)
        processes = [
            context.Process(target=_call_for_a_while, args=[database_url, simulator.url, token, tenant_id, 5.0, start])
            for _ in range(3)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        statistics = simulator.control.statistics()["tenants"][tenant_id]
        assert statistics["fullest_minute"] == 30
        assert statistics["calls"] > 60
        assert {call["status"] for call in simulator.control.calls()} == {200}
    with connect(database_url, name="test") as connection:
        assert connection.execute("select count(*) from xero_call where ended_at is null").fetchone() == (0,)
