"""`python -m tests.release check`: is this commit a release?  `… dist [--to FOLDER]`: write its files."""

import argparse
import sys
from pathlib import Path

from tests.release.agreement import disagreements
from tests.release.artefacts import PROJECT, write_artefacts


def main() -> int:
    """Return the exit code: 0, or 1 where something keeps this commit from being a release."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("action", choices=("check", "dist"))
    parser.add_argument("--to", type=Path, default=PROJECT / "dist", help="where dist writes; emptied first")
    parser.add_argument("--project", type=Path, default=PROJECT, help="the checkout that check looks at")
    options = parser.parse_args()
    if options.action == "dist":
        sys.stdout.write("".join(f"{path}\n" for path in write_artefacts(options.to)))
        return 0
    found = disagreements(options.project)
    sys.stderr.write("".join(f"{sentence}\n" for sentence in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
