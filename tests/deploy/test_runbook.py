"""The runbook says what can be done: its commands exist, its statements run, its links lead somewhere."""

import re
import tomllib
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest

from consumer.cli.application import cli
from consumer.database import connect

RUNBOOK = Path(__file__).parents[2] / "deploy" / "runbook"
CATALOGUE = RUNBOOK.parents[1] / "consumer" / "results" / "problems.toml"
PAGES = sorted(RUNBOOK.glob("*.md"))
TEXTS = {
    str(page.relative_to(RUNBOOK.parent)): page.read_text(encoding="utf-8")
    for page in [*PAGES, RUNBOOK.parent / "capacity.md", RUNBOOK.parent / "README.md"]
}
# In a block of sh or between backticks; the namespace of Kubernetes has the same name.
COMMANDS = sorted(
    {
        line.strip()
        for text in TEXTS.values()
        for line in re.findall(r"(?:^|`|-- )hearlink-xero ([a-z-][^`\n#]*)", text, re.MULTILINE)
    }
)
STATEMENTS = [
    (name, block) for name, text in TEXTS.items() for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_understood(line: str) -> None:
    name, *arguments = re.findall(r'"[^"]*"|\S+', line)
    command = cli.get_command(click.Context(cli), name)
    context = click.Context(cli, info_name="hearlink-xero")
    while isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.get_command(context, name)
    assert command is not None, line
    arguments = ["7" if word == "ID" else word for word in arguments]
    # Closed, for a file that is named is open by then.
    command.make_context(name, arguments, parent=context, resilient_parsing=True).close()


@pytest.mark.parametrize(("page", "statements"), STATEMENTS)
def test_statements_run(database_url: str, page: str, statements: str) -> None:
    with connect(database_url, name=page, autocommit=False) as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(statement)
        connection.rollback()


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", TEXTS[page]):
        places = [RUNBOOK / target, RUNBOOK.parent / target]
        assert any(place.resolve().exists() for place in places), target


def test_problems_that_pages_name_are_in_the_catalogue() -> None:
    known = {problem["code"] for problem in tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["problem"]}
    pattern = r"(?:\bproblem(?:\.code)? = '|--problem )([a-z][a-z_]*)"
    named = {code for text in TEXTS.values() for code in re.findall(pattern, text)}
    assert "not_in_catalogue" in named
    assert named <= known


def test_names_that_pages_quote_are_those_of_the_code() -> None:
    """Log lines, columns, tables and fields between backticks, wherever they come from."""
    files = [file for room in ("consumer", "sql", "deploy") for file in (RUNBOOK.parents[1] / room).rglob("*.*")]
    words = {
        word
        for file in files
        if file.suffix in {".py", ".sql", ".toml", ".yaml", ".yml", ".json"}
        for word in re.findall(r"[a-z]+(?:_[a-z]+)+", file.read_text(encoding="utf-8"))
    }
    quoted = {name for text in TEXTS.values() for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)}
    assert quoted - words == set()


def test_a_patient_is_erased_and_the_accounts_stay(database_url: str) -> None:
    script = (RUNBOOK / "erase-a-patient.sql").read_text()
    for variable, value in (("organisation", "org-1"), ("patient", "patient-1")):
        script = script.replace(f":'{variable}'", f"'{value}'")
    with connect(database_url, name="test") as connection:
        _fill(connection)
        # psql's own commands begin with a backslash.
        connection.execute("\n".join(line for line in script.splitlines() if not line.startswith("\\")))
        for table in ("orders", "xero_intent_element", "xero_link", "dead_letter", "sync_log"):
            rows = connection.execute(f"select to_jsonb(t)::text from {table} t where to_jsonb(t)::text ~* 'Quill'")
            found = rows.fetchall()
            # Another patient's rows are as they were.
            assert all("patient-2" in text or "order-2" in text for (text,) in found), (table, found)
        kept = connection.execute(
            "select invoice_number, total::int, state -> 'patient' ->> 'patient_id' from orders "
            "where order_id = 'order-1'"
        )
        assert kept.fetchone() == ("WH1", 40, "patient-1")


def _fill(connection: psycopg.Connection[Any]) -> None:
    connection.execute((Path(__file__).parent / "two_patients.sql").read_text(encoding="utf-8"))
