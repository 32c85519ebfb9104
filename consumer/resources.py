"""Where the files lie that are no code: `sql/` and `schemas/`, in a checkout and in an installed wheel alike."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def sql_folder() -> Path:
    """Return the folder of the migrations."""
    return _find("sql")


def schemas_folder() -> Path:
    """Return the folder of the Avro schemas."""
    return _find("schemas")


def topics_file() -> Path:
    """Return the file that declares the topics."""
    folder = _PACKAGE / "_data" / "topics"
    return (folder if folder.is_dir() else _PACKAGE.parent / "deploy" / "topics") / "topics.toml"


def _find(name: str) -> Path:
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"The folder {name}/ is missing from this installation: install the package anew.")
