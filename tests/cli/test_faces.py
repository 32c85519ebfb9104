"""How the command line looks to who makes mistakes: one sentence, the right exit code, no traceback."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from cryptography.fernet import Fernet
from rich.console import Console

from consumer.cli import output
from consumer.cli.application import _COMMANDS, cli
from consumer.database import connect
from consumer.operations import kafka
from consumer.operations.logs import LOG_VARIABLES
from consumer.operations.metric_table import TABLE
from consumer.sandbox.processes import free_port
from tests.cli.service import Service

pytestmark = pytest.mark.timeout(180)

NOWHERE = "postgresql://someone:geheim@127.0.0.1:1/nothing"


def shell(line: str, service: Service) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell; it fails where a part of a pipeline does."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=service.environment, capture_output=True, text=True, check=False
    )


def test_every_command_loads_and_explains_itself() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert isinstance(command, click.Command), name
        assert command.get_short_help_str(), name
        assert _COMMANDS[name].help


def test_help_is_quick_because_it_loads_nothing() -> None:
    code = "import sys; from consumer.cli import main; sys.argv = ['x', '--help']\n"
    code += "try: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert not {"psycopg", "confluent_kafka", "requests", "rich", "structlog"} & set(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        (["migrate"], {"DATABASE_URL": ""}, 2, "DATABASE_URL is not set"),
        (["migrate"], {"DATABASE_URL": NOWHERE}, 3, "Postgres can't be reached"),
        (["migrate"], {"DATABASE_URL": "postgres//someone:geheim@host/db"}, 2, "DATABASE_URL is no address"),
        (["status"], {"XERO_API_URL": "xero"}, 2, "XERO_API_URL"),
        (["status"], {"TOKEN_ENCRYPTION_KEYS": "geheim"}, 2, "no Fernet key"),
        (["status"], {"LOG_LEVEL": "loud"}, 2, "LOG_LEVEL"),
        (["status"], {}, 1, "hearlink-xero migrate"),
        (["events", "tail", "--timeout", "0"], {"KAFKA_CONFIG": '{"no.such": 1}'}, 2, "KAFKA_CONFIG"),
        (["statuss"], {}, 2, "Did you mean status"),
        (["logs", "--organisation", "\udcff"], {}, 2, "Argument 3 is not text in UTF-8"),
        (["logs", "--since", "soon"], {}, 2, "no time"),
        (["run"], {"TOKEN_ENCRYPTION_KEYS": ""}, 2, "TOKEN_ENCRYPTION_KEYS is not set"),
        (["run", "--only", "push"], {"XERO_CLIENT_ID": ""}, 2, "XERO_CLIENT_ID is not set"),
        (["connect", "--organisation", "org-1", "--listen", "nowhere"], {}, 2, "--listen is 'nowhere'"),
        (["connect", "--organisation", "org-1", "--listen", "127.0.0.1:99999"], {}, 2, "must be HOST:PORT"),
        (["connect", "--organisation", "org-1", "--timeout", "-1"], {}, 2, "no number of seconds"),
        (["logs", "--since", "999999d"], {}, 2, "'999999d' ago there was no calendar"),
        (["status"], {"HEARLINK_URL": "http://[::1"}, 2, "HEARLINK_URL is"),
        (["status"], {"XERO_API_URL": "https://geheim@[bad"}, 2, "XERO_API_URL can't be used"),
        (["status"], {"XERO_REDIRECT_URI": "http://localhost:99999/x"}, 2, "XERO_REDIRECT_URI is"),
        (["status"], {"SCHEMA_REGISTRY_URL": "http://one,nowhere"}, 2, "SCHEMA_REGISTRY_URL is 'nowhere'"),
        (["status"], {"HTTP_ADDRESS": "127.0.0.1:²"}, 2, "HTTP_ADDRESS is"),
        (["status"], {"HTTP_ADDRESS": "a..b:80"}, 2, "HTTP_ADDRESS is"),
        (["status"], {"XERO_CALLS_PER_DAY": "9" * 5_000}, 2, "XERO_CALLS_PER_DAY is"),
        (["status"], {"DEAD_LETTER_BRAKE_RUN": "0"}, 2, "DEAD_LETTER_BRAKE_RUN is"),
        (["status"], {"DEAD_LETTER_BRAKE_WINDOW": "1000001"}, 2, "must be 1000000 at most"),
        (["status"], {"DEAD_LETTER_BRAKE_SHARE": "10%"}, 2, "above 0 and up to 1"),
        (["status"], {"DEAD_LETTER_BRAKE_SHARE": "0.0"}, 2, "above 0 and up to 1"),
        (["status"], {"DEAD_LETTER_BRAKE_SHARE": "1.1"}, 2, "above 0 and up to 1"),
        (["status"], {"SCHEMAS_DIRECTORY": "/no/such"}, 2, "which is no directory here"),
        (["sync", "order-1", "--wait", "--timeout", "nan"], {}, 2, "no number of seconds"),
        (["sync", "order-1", "--wait", "--timeout", "-1"], {}, 2, "no number of seconds"),
        (["dead-letters", "drop", "9" * 20, "--reason", "x"], {}, 2, "not in the range"),
        (["dead-letters", "replay", "9" * 20], {}, 2, "not in the range"),
        (["console"], {"DATABASE_URL": NOWHERE}, 3, "Postgres can't be reached"),
        (["console"], {}, 1, "hearlink-xero migrate"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    blank_service: Service, arguments: list[str], environment: dict[str, str], code: int, words: str
) -> None:
    answer = blank_service.run(*arguments, environment=environment)
    assert answer.code == code, answer
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert "defect" not in answer.err
    assert "geheim" not in answer.err + answer.out


def test_debug_shows_the_traceback_and_keeps_the_exit_code(blank_service: Service) -> None:
    answer = blank_service.run_apart("--debug", "migrate", environment={"DATABASE_URL": NOWHERE})
    assert answer.code == 3
    assert "Traceback" in answer.err


def test_a_settings_file_with_faults_names_each_of_them(service: Service) -> None:
    service.expect("migrate")
    path = service.folder / "wrong.toml"
    path.write_text('[organisation]\nid = "org-1"\nmode = "sometimes"\npayment_acount = "090"\n', encoding="utf-8")
    answer = service.run("settings", "apply", str(path))
    assert answer.code == 2
    assert "mode" in answer.err
    assert "payment_acount" in answer.err
    path.write_text("[organisation\n", encoding="utf-8")
    answer = service.run("settings", "apply", str(path))
    assert answer.code == 2
    assert "is not TOML" in answer.err
    assert service.run("settings", "show").code == 1


def test_settings_are_applied_shown_and_checked(service: Service) -> None:
    service.expect("migrate")
    assert "organisation: mode: not set -> auto" in service.apply_settings("tenant-1").out
    assert "Nothing changed" in service.apply_settings("tenant-1").out
    assert "organisation: mode: auto -> manual" in service.apply_settings("tenant-1", mode="manual").out
    (shown,) = service.expect("settings", "show", "--json").json
    assert shown["defaults"]["mode"] == "manual"
    check = service.run("settings", "check", "--json")
    assert check.code == 1
    assert "not_connected" in {finding["code"] for finding in check.json["org-1"]}
    assert "hearlink-xero connect" in service.run("settings", "check").out


def test_status_without_kafka_says_so_and_shows_the_rest(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "KAFKA_SECONDS", 0.2)
    service.expect("migrate")
    away = service.run("topics", "ensure", environment={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert away.code == 3
    assert "Kafka doesn't answer" in away.err
    answer = service.run("status", "--json", environment={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert answer.code == 0
    assert answer.json["lag"] is None
    assert "Kafka doesn't answer" in answer.json["lag_reason"]
    assert answer.json["due"] == 0


def test_topics_are_created_once(service: Service) -> None:
    assert service.expect("topics", "ensure", "--partitions", "2").out.count("created") == 4
    assert service.expect("topics", "ensure").out.count("exists") == 4


def test_a_taken_port_is_told(blank_service: Service) -> None:
    host, _, port = blank_service.environment["KAFKA_BOOTSTRAP_SERVERS"].partition(":")
    answer = blank_service.run_apart("run", environment={"HTTP_ADDRESS": f"{host}:{port}"})
    assert answer.code == 2
    assert "HTTP_ADDRESS" in answer.err


def test_completion_and_the_table_of_metrics_are_printed(blank_service: Service) -> None:
    assert "_HEARLINK_XERO_COMPLETE" in blank_service.expect("completion", "bash").out
    table = blank_service.expect("metrics", "--markdown").out
    assert all(f"`{metric.full_name}`" in table for metric in TABLE)
    assert blank_service.run("--version").out.startswith("hearlink-xero")


def test_metrics_are_shown_in_the_help_and_with_their_meaning(blank_service: Service) -> None:
    assert "metrics" in blank_service.expect("--help").out
    assert TABLE[0].full_name in blank_service.expect("metrics").out
    listed = blank_service.expect("metrics", "--json").json
    assert [(entry["name"], entry["help"]) for entry in listed] == [(entry.full_name, entry.help) for entry in TABLE]


def test_the_readme_tells_of_the_variables_of_the_logs_and_where_the_command_lies() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name, default, _ in LOG_VARIABLES:
        assert f"`{name}`" in readme
        assert default in readme
    assert "`.venv/bin/hearlink-xero`" in readme


def test_where_there_is_nothing_it_is_said_in_words(service: Service) -> None:
    service.expect("migrate")
    assert "The log is empty" in service.expect("logs").out
    assert service.expect("logs", "--order", "order-1").out == "The log has no rows that fit.\n"
    assert service.expect("logs", "--summary", "--order", "order-1").out == "The log has no rows that fit.\n"
    assert "There is no problem 'bogus'" in service.expect("logs", "--problem", "bogus").out
    assert service.expect("problems").out == "No problem is open.\n"
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-1', 'clinic-1')")
    assert service.expect("problems", "--organisation", "org-1").out == "No problem is open in org-1.\n"
    for command in ("logs", "problems"):
        assert service.expect(command, "--json").out.strip() in {"", "[]"}


def test_names_that_nobody_has_are_told(service: Service) -> None:
    service.expect("migrate")
    for arguments, words in (
        (("retry", "--organisation", "nope"), "There is no organisation 'nope'"),
        (("retry", "--clinic", "nope", "--dry-run"), "There is no clinic 'nope'"),
        (("problems", "--organisation", "nope"), "There is no organisation 'nope'"),
        (("settings", "show", "--organisation", "nope"), "nope has no settings"),
        (("settings", "show"), "No organisation has settings"),
    ):
        for further in ((), ("--json",)):
            answer = service.run(*arguments, *further)
            assert (answer.code, answer.out) == (1, ""), arguments
            assert words in answer.err
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-1', 'clinic-1')")
    assert service.expect("retry", "--organisation", "org-1", "--clinic", "clinic-1", "--dry-run").code == 0
    answer = service.run("retry", "--organisation", "org-1", "--clinic", "clinic-2", "--dry-run")
    assert "There is no clinic 'clinic-2' in org-1" in answer.err


@pytest.mark.parametrize("width", [80, 60])
def test_numbers_are_never_folded(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "console", lambda: Console(highlight=False, width=width))
    output.print_table(
        "",
        ["tenant", "name", ">due", ">waiting", ">failed", ">minute", ">day", "note"],
        [["5b1c6f0e-0000-4000-8000-000000000000", "Harbour Hearing", 0, 1200, 0, "1000/1000", "107/100000", "rests"]],
    )
    shown = capsys.readouterr().out
    assert {"1200", "1000/1000", "107/100000"} <= set(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def test_a_problem_that_does_not_exist_is_not_retried(service: Service) -> None:
    service.expect("migrate")
    answer = service.run("retry", "--problem", "bogus")
    assert answer.code == 2
    assert "There is no problem 'bogus'" in answer.err
    assert service.expect("retry", "--problem", "account_archived").out == "0 orders were requested.\n"


def test_a_reader_that_has_seen_enough_is_no_error(blank_service: Service) -> None:
    done = shell(f"{sys.executable} -m consumer metrics --markdown | head -n 1", blank_service)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        # By rich, by click while it reads the arguments, and by a command itself.
        ("metrics | head -c 0", 0, ""),
        ("--help | head -c 0", 0, ""),
        ("completion bash | head -c 0", 0, ""),
        ("metrics >&-", 1, "Standard output is closed"),
        ("metrics >/dev/full", 1, "No space left on device"),
    ],
)
def test_an_output_that_takes_nothing_is_told(blank_service: Service, line: str, code: int, words: str) -> None:
    done = shell(f"{sys.executable} -m consumer {line}", blank_service)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, code), done.stderr
    assert words in done.stderr
    assert "defect" not in done.stderr


def test_an_output_of_ascii_alone_takes_everything(service: Service) -> None:
    service.expect("migrate")
    path = service.folder / "é.toml"
    path.write_text('[organisation]\nid = "Müller"\nmode = "manual"\n', encoding="utf-8")
    service.expect("settings", "apply", str(path))
    for locale in ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        shown = service.run_apart("settings", "show", environment=locale)
        assert (shown.code, shown.err) == (0, "")
        assert "M?ller: defaults" in shown.out
        (found,) = service.run_apart("settings", "show", "--json", environment=locale).json
        assert found["organisation_id"] == "Müller"


def test_tokens_move_to_a_new_key(service: Service) -> None:
    service.simulator.control.demo_tenant("Harbour Hearing")
    service.expect("migrate")
    assert service.connect().code == 0
    old = service.environment["TOKEN_ENCRYPTION_KEYS"]
    new = Fernet.generate_key().decode()
    service.environment["TOKEN_ENCRYPTION_KEYS"] = f"{new},{old}"
    assert "1 connections" in service.expect("tokens", "rotate", "--actor", "ann", "--reason", "yearly").out
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        (act,) = connection.execute("select actor, detail from audit where action = 'rotate_tokens'").fetchall()
    assert act == ("ann", {"connections": 1, "reason": "yearly"})
    service.environment["TOKEN_ENCRYPTION_KEYS"] = new
    assert "1 connections" in service.expect("tokens", "rotate").out
    service.environment["TOKEN_ENCRYPTION_KEYS"] = old
    answer = service.run("tokens", "rotate")
    assert answer.code == 2
    assert "None of TOKEN_ENCRYPTION_KEYS opens" in answer.err


def test_no_port_of_the_redirect_is_left_open(service: Service) -> None:
    service.expect("migrate")
    port = free_port()
    service.environment["XERO_REDIRECT_URI"] = f"http://localhost:{port}/xero/callback"
    answer = service.run("connect", "--organisation", "org-1", "--no-browser", "--timeout", "0")
    assert answer.code == 1
    assert "Nobody came back" in answer.err
