"""What an export came to: its files, and what it had to leave out."""

from collections import Counter

import msgspec

# So many are told one by one; the report stays small, whatever the export's size.
_REMARKS_MAX = 100
_ALWAYS = (
    "Patients of one name have (HL-...) behind it, so that no two share a contact; whom Xero has is called as there.",
    "Numbers stand in the files just as in HearLink, also those that begin with = + - or @: Xero must find them again.",
    "Other texts that begin so have an apostrophe before them, so that no spreadsheet takes them for a formula.",
)


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
        # Exported all the same, because that was asked for.
        self.in_xero = 0
        # What to look at before the import.
        self.remarks: list[str] = []
        self.remarks_untold = 0

    @property
    def documents(self) -> int:
        """How many invoices or credit notes were exported."""
        return sum(file.documents for file in self.files)

    def as_document(self) -> dict[str, object]:
        """Return the report in a form that can be encoded."""
        return {
            "documents": self.documents,
            "files": self.files,
            "left_out": dict(self.left_out),
            "in_xero": self.in_xero,
            "remarks": self.remarks,
            "remarks_untold": self.remarks_untold,
        }

    def remark_number(self, number: str, order_id: str, other_order_id: str, *, in_xero: bool) -> None:
        """Note that a document was left out because of its number, which one of `other_order_id` has too.

        `in_xero`: that one is in Xero, and keeps the number. Otherwise both are left out: either may be the one that is
        to be renumbered, which only people can tell, and a half that looks whole would not be missed.
        """
        if len(self.remarks) == _REMARKS_MAX:
            self.remarks_untold += 1
            return
        other = "another document of this order" if other_order_id == order_id else f"order {other_order_id}"
        holder = f"Xero holds this number already, for {other}" if in_xero else f"{other} has the same number"
        self.remarks.append(
            f"{number} of order {order_id} is left out: {holder}. Give one of the two another number in HearLink, then "
            "export again"
        )

    def notes(self) -> str:
        """Return what whoever imports the files should know, in lines of text."""
        left_out = self.left_out.total()
        lines = [f"Left out: {left_out} of {left_out + self.documents} documents."]
        lines += [f"  {count}: {reason}." for reason, count in self.left_out.most_common()]
        if self.in_xero:
            lines += [
                "",
                f"{self.in_xero} documents in these files are in Xero already: imported, they would be there twice.",
            ]
        if self.remarks:
            lines += ["", "Look at these before the import:", *(f"  {remark}." for remark in self.remarks)]
        if self.remarks_untold:
            lines.append(f"  ... and {self.remarks_untold} more of that kind.")
        lines += ["", *_ALWAYS]
        lines += ["", f"{self.documents} documents in {len(self.files)} files, for Xero's sales invoice import.", ""]
        for file in self.files:
            lines.append(f"{file.name}: {file.documents} documents for {file.tenant_name}.")
            lines.append(f"  In Xero's import, say that amounts are tax {file.prices}.")
        return "\n".join(lines) + "\n"
