import io
import json
import logging
import sys
from collections.abc import Iterator

import psycopg
import pytest
import structlog

from consumer.configuration import ConfigurationError
from consumer.operations.logs import configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_the_libraries_have_one_form() -> None:
    stream = io.StringIO()
    configure_logs({}, stream)
    structlog.get_logger("ours").info("pass_done", orders=3)
    logging.getLogger("library").warning("connection %s lost", 7)
    ours, theirs = lines(stream)
    assert (ours["event"], ours["orders"], ours["level"], ours["logger"]) == ("pass_done", 3, "info", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("connection 7 lost", "warning", "library")
    assert str(ours["timestamp"]).endswith("Z")


def test_a_terminal_gets_text_and_a_pipe_gets_json() -> None:
    terminal = Terminal()
    configure_logs({}, terminal)
    structlog.get_logger().info("started", roles=["push"])
    assert "started" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    configure_logs({"LOG_FORMAT": "json"}, terminal := Terminal())
    structlog.get_logger().info("started")
    assert json.loads(terminal.getvalue())["event"] == "started"


def test_the_level_holds_for_all_and_chatter_stays_out() -> None:
    stream = io.StringIO()
    configure_logs({"LOG_LEVEL": "debug"}, stream)
    structlog.get_logger().debug("seen")
    logging.getLogger("urllib3").debug("chatter")
    configure_logs({"LOG_LEVEL": "error"}, stream)
    structlog.get_logger().warning("unseen")
    assert [line["event"] for line in lines(stream)] == ["seen"]


def test_what_is_a_secret_or_a_persons_by_its_key_is_taken_out_at_any_depth() -> None:
    stream = io.StringIO()
    configure_logs({}, stream)
    structlog.get_logger().info(
        "event",
        access_token="geheim",
        patient={"first_name": "Ada", "id": 1},
        detail={"contact": {"EMAIL": "ada@example.org", "count": 2}},
        phone="01632 960001",
        postal_address="1 High Street",
        order_id="order-1",
        problem_code="no_tenant",
        patient_id="patient-1",
    )
    text = stream.getvalue()
    assert not [word for word in ("geheim", "Ada", "example.org", "01632 960001", "High Street") if word in text]
    (line,) = lines(stream)
    assert line["detail"] == {"contact": {"EMAIL": "[redacted]", "count": 2}}
    assert (line["order_id"], line["problem_code"], line["patient_id"]) == ("order-1", "no_tenant", "patient-1")


def test_an_exception_is_told_with_its_cause_and_without_the_row_that_postgres_quotes(database_url: str) -> None:
    stream = io.StringIO()
    configure_logs({}, stream)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create temporary table person (full_name text primary key)")
        connection.execute("insert into person values ('Ada Example')")
        try:
            try:
                connection.execute("insert into person values ('Ada Example')")
            except psycopg.Error as error:
                raise RuntimeError("the write failed") from error
        except RuntimeError:
            structlog.get_logger().exception("push_defect")
    (line,) = lines(stream)
    told = str(line["exception"])
    assert "RuntimeError: the write failed" in told
    assert "UniqueViolation: duplicate key value" in told
    assert "SQLSTATE 23505" in told
    assert "Ada Example" not in told.replace("insert into person values ('Ada Example')", "")
    assert "test_logs.py" in told


def test_an_exception_outside_of_a_handler_is_told_too() -> None:
    stream = io.StringIO()
    configure_logs({}, stream)
    error = ValueError("a defect")
    structlog.get_logger().error("role_failed", exc_info=error)
    logging.getLogger("library").error("oh", exc_info=(ValueError, error, None))
    assert [str(line["exception"]).strip() for line in lines(stream)] == ["ValueError: a defect"] * 2
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize(("name", "value"), [("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml")])
def test_an_impossible_choice_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        configure_logs({name: value}, io.StringIO())
