import time
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from consumer.sandbox.xero import Fault, Limits
from consumer.sandbox.xero.limits import RateLimiter
from tests.sandbox.xero.client import Api


def test_the_minute_is_any_sixty_seconds(api: Api) -> None:
    api.control.set_limits(api.tenant_id, per_minute=3)
    replies = [api.get("Organisation") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert [reply.headers["X-MinLimit-Remaining"] for reply in replies] == ["2", "1", "0", "0"]
    refused = replies[3]
    assert refused.body == ""
    assert "Content-Type" not in refused.headers
    assert refused.headers["X-Rate-Limit-Problem"] == "minute"
    assert 55 <= int(refused.headers["Retry-After"]) <= 60
    api.control.advance_clock(60)
    assert api.get("Organisation").status == 200


def test_the_day_is_any_twenty_four_hours(api: Api) -> None:
    api.control.set_limits(api.tenant_id, per_minute=0, per_day=2)
    assert [api.get("Organisation").status for _ in range(3)] == [200, 200, 429]
    api.control.advance_clock(3600)
    api.control.expire_access_tokens()
    later = Api(api.xero, api.tenant_id, api.control.authorise()["access_token"])
    refused = later.get("Organisation")
    assert refused.headers["X-Rate-Limit-Problem"] == "day"
    assert refused.headers["X-DayLimit-Remaining"] == "0"
    assert 22 * 3600 < int(refused.headers["Retry-After"]) <= 23 * 3600
    api.control.reset_limits()
    assert later.get("Organisation").status == 200


def test_one_tenants_calls_do_not_count_for_another(api: Api) -> None:
    other = api.control.demo_tenant("Other", limits=Limits(per_minute=1))
    tokens = api.control.authorise()
    second = Api(api.xero, other, tokens["access_token"])
    assert [second.get("Organisation").status for _ in range(2)] == [200, 429]
    assert api.get("Organisation").status == 200


def test_the_apps_limit_spans_tenants_and_names_no_time(api: Api) -> None:
    api.control.set_app_limit(2)
    replies = [api.get("Organisation") for _ in range(3)]
    assert [reply.headers["X-AppMinLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
    assert replies[2].status == 429
    assert "Retry-After" not in replies[2].headers


def test_five_calls_at_a_time(api: Api) -> None:
    api.control.add_fault(Fault(kind="delay_before", count=5))
    with ThreadPoolExecutor(5) as pool:
        held = [pool.submit(api.get, "Organisation") for _ in range(5)]
        while len(api.control.calls(api.tenant_id)) < 5:
            time.sleep(0.005)
        sixth = api.get("Organisation")
        api.control.release_delayed()
        assert [one.result().status for one in held] == [200] * 5
    assert sixth.status == 429
    assert sixth.headers["X-Rate-Limit-Problem"] == "concurrent"
    assert "Retry-After" not in sixth.headers
    assert api.get("Organisation").status == 200
    assert api.control.statistics()["tenants"][api.tenant_id]["most_concurrent"] == 5


def test_refused_calls_write_nothing_and_keep_no_key(api: Api) -> None:
    api.control.set_limits(api.tenant_id, per_minute=1)
    assert api.get("Organisation").status == 200
    assert api.put("Contacts", {"Name": "A"}, Idempotency_Key="k").status == 429
    api.control.reset_limits()
    assert api.put("Contacts", {"Name": "A"}, Idempotency_Key="k").status == 200
    assert len(api.control.ledger(api.tenant_id)["Contacts"]) == 1


def test_errors_carry_the_headers_too(api: Api) -> None:
    for reply in (api.put("Contacts", {}), api.get("Invoices/unknown")):
        assert reply.status in {400, 404}
        assert {"X-DayLimit-Remaining", "X-MinLimit-Remaining", "X-AppMinLimit-Remaining"} <= set(reply.headers)


def test_the_fullest_minute_counts_refused_and_faulty_calls(api: Api) -> None:
    api.control.set_limits(api.tenant_id, per_minute=2)
    api.control.add_fault(Fault(kind="unavailable"))
    for _ in range(5):
        api.get("Organisation")
    api.control.advance_clock(61)
    api.get("Organisation")
    statistics = api.control.statistics()["tenants"][api.tenant_id]
    assert statistics["fullest_minute"] == 5
    assert statistics["calls"] == 6
    assert [call["status"] for call in api.control.calls(api.tenant_id)] == [503, 200, 200, 429, 429, 200]
    api.control.clear_calls()
    assert api.control.statistics()["tenants"][api.tenant_id]["fullest_minute"] == 1


@given(st.lists(st.floats(min_value=0, max_value=40), max_size=60), st.integers(min_value=1, max_value=8))
def test_no_sixty_seconds_ever_hold_more_than_the_limit(gaps: list[float], limit: int) -> None:
    limiter = RateLimiter()
    limiter.set_limits("t", Limits(per_minute=limit, concurrent=0))
    taken, now = [], 0.0
    for gap in gaps:
        now += gap
        rejection = limiter.enter("t", "app", now)
        if rejection is None:
            taken.append(now)
        else:
            assert rejection.retry_after_seconds is not None
            assert rejection.retry_after_seconds >= 1
    assert all(sum(start <= moment < start + 60 for moment in taken) <= limit for start in taken)
