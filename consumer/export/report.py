"""What an export came to: its files, and what it had to leave out."""

from collections import Counter

import msgspec


class ExportedFile(msgspec.Struct):
    """One file. `prices` is what Xero's import screen must be told about its amounts: inclusive or exclusive."""

    name: str
    tenant_id: str
    tenant_name: str
    prices: str
    documents: int = 0
    rows: int = 0


class ExportReport:
    """Grows while the export runs; small, whatever the export's size."""

    def __init__(self) -> None:
        self.files: list[ExportedFile] = []
        # By reason, in words.
        self.left_out: Counter[str] = Counter()

    @property
    def documents(self) -> int:
        """How many invoices or credit notes were exported."""
        return sum(file.documents for file in self.files)

    def as_document(self) -> dict[str, object]:
        """Return the report in a form that can be encoded."""
        return {"documents": self.documents, "files": self.files, "left_out": dict(self.left_out)}

    def notes(self) -> str:
        """Return what whoever imports the files should know, in lines of text."""
        lines = [f"{self.documents} documents in {len(self.files)} files, for Xero's sales invoice import.", ""]
        for file in self.files:
            lines.append(f"{file.name}: {file.documents} documents for {file.tenant_name}.")
            lines.append(f"  In Xero's import, say that amounts are tax {file.prices}.")
        if self.left_out:
            lines += ["", "Left out:"]
            lines += [f"  {count}: {reason}" for reason, count in self.left_out.most_common()]
        return "\n".join(lines) + "\n"
