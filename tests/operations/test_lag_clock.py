from consumer.operations.lag_clock import LagClock


def test_who_has_caught_up_has_no_lag() -> None:
    clock = LagClock()
    assert clock.seconds(now=0.0, position=10, end=10) == 0.0
    assert clock.seconds(now=60.0, position=500, end=500) == 0.0


def test_lag_is_the_age_of_the_moment_at_which_the_log_ended_here() -> None:
    clock = LagClock()
    clock.seconds(now=0.0, position=10, end=10)
    clock.seconds(now=15.0, position=10, end=100)
    clock.seconds(now=30.0, position=10, end=200)
    assert clock.seconds(now=45.0, position=10, end=300) == 45.0
    # What the log held at 15 s is projected by now, so all that is missing is younger than that.
    assert clock.seconds(now=60.0, position=150, end=400) == 45.0
    assert clock.seconds(now=75.0, position=400, end=400) == 0.0
    assert clock.seconds(now=90.0, position=400, end=401) == 15.0


def test_a_backlog_from_before_counts_from_the_first_look() -> None:
    clock = LagClock()
    assert clock.seconds(now=100.0, position=0, end=1_000) == 0.0
    assert clock.seconds(now=130.0, position=500, end=1_000) == 30.0


def test_an_end_that_seems_to_go_back_is_not_believed() -> None:
    clock = LagClock()
    clock.seconds(now=0.0, position=90, end=90)
    clock.seconds(now=10.0, position=90, end=100)
    assert clock.seconds(now=20.0, position=95, end=95) == 20.0


def test_a_long_history_keeps_its_bound() -> None:
    clock = LagClock()
    for second in range(1_000):
        lag = clock.seconds(now=float(second), position=0, end=second + 1)
    assert 0 < lag < 1_000
