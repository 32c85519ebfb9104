"""CHANGELOG.md as keepachangelog.com has it: sections by version, the newest first."""

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

UNRELEASED = "Unreleased"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "For operators")
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<day>\S+))?$", re.MULTILINE)


class Section(NamedTuple):
    """One version's part; `released_on` is None for what is unreleased."""

    name: str
    released_on: date | None
    text: str

    @property
    def entries(self) -> list[str]:
        """The lines that tell of a change."""
        return [line for line in self.text.splitlines() if line.startswith("- ")]

    @property
    def kinds(self) -> list[str]:
        """Its headings."""
        return re.findall(r"^### (.*)$", self.text, re.MULTILINE)


def read_changelog(folder: Path) -> list[Section]:
    """Return the sections of the changelog in `folder`, in their order.

    Raises:
        ValueError: a date is none.
    """
    text = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [
        Section(
            heading["name"],
            date.fromisoformat(heading["day"]) if heading["day"] else None,
            text[heading.end() : end].strip(),
        )
        for heading, end in zip(headings, ends, strict=True)
    ]


def newest_release(folder: Path) -> Section:
    """Return the section of the newest version that is released.

    Raises:
        LookupError: none is.
    """
    for section in read_changelog(folder):
        if section.released_on is not None:
            return section
    raise LookupError("CHANGELOG.md has no section of a release: ## [1.2.3] - 2026-01-31")
