"""The README says what is so: its tables are those of the code, its example works, its paths exist."""

import re
from pathlib import Path

import click
import pytest

from consumer.cli.application import _COMMANDS, cli
from consumer.configuration import RARE_VARIABLES, VARIABLES
from consumer.settings import read_settings

FOLDER = Path(__file__).parents[1]
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def rows(heading: str, page: str = README) -> list[list[str]]:
    """The rows of the first table under `heading`, cell by cell."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_variables_is_the_one_of_the_code() -> None:
    assert rows("Configuration") == [list(row) for row in VARIABLES]
    deploy = (FOLDER / "deploy/README.md").read_text(encoding="utf-8")
    assert rows("What few ever change", deploy) == [list(row) for row in RARE_VARIABLES]


def test_the_table_of_commands_is_the_one_of_the_command_line() -> None:
    listed = [[name, entry.help] for name, entry in _COMMANDS.items() if not entry.is_hidden]
    assert rows("Commands") == listed


@pytest.mark.parametrize("line", re.findall(r"hearlink-xero ([a-z].*?)(?:\s+#.*|`.*)?$", README, re.MULTILINE))
def test_a_command_that_is_shown_is_understood(line: str) -> None:
    name, *arguments = line.split()
    if name.isupper():
        return
    command = cli.get_command(click.Context(cli), name)
    context = click.Context(cli, info_name="hearlink-xero")
    while isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.get_command(context, name)
    assert command is not None, line
    # Parsed as the command line would be, and not run.
    command.make_context(name, arguments, parent=context, resilient_parsing=False)


def test_the_settings_that_are_shown_can_be_applied() -> None:
    example = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert example is not None
    settings = read_settings(example.group(1), "README.md")
    assert settings.organisation_id == "org-1"
    assert settings.clinics["clinic-3"] == {"mode": "manual", "services_tax_type": "OUTPUT2"}


def test_what_the_readme_points_at_is_there() -> None:
    named = re.findall(r"`((?:consumer|schemas|sql|deploy|tests|\.ci|LICENSE)[\w./]*)`", README)
    assert len(named) > 10
    assert [path for path in named if not (FOLDER / path).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150
