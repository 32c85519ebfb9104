"""The console's README says what is so."""

from pathlib import Path

from consumer.configuration import CONSOLE_VARIABLES, SignIn

README = (Path(__file__).parents[2] / "consumer" / "console" / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_variables_is_the_one_of_the_code() -> None:
    assert rows("Configuration") == [[name, default, meaning] for name, default, meaning in CONSOLE_VARIABLES]


def test_each_way_to_sign_in_is_explained() -> None:
    assert [name for name, _ in rows("Who gets in")] == list(SignIn)
