"""Export: invoices and credit notes as CSV files for Xero's import, by the settings that the live sync goes by."""

from consumer.export.columns import HEADER
from consumer.export.delivery import FolderNotEmptyError, write_folder, zip_chunks
from consumer.export.report import ExportedFile, ExportReport
from consumer.export.selection import ExportKind, ExportSelection
from consumer.export.stream import Piece, UnknownScopeError, count_documents, export_pieces, require_known

__all__ = [
    "HEADER",
    "ExportKind",
    "ExportReport",
    "ExportSelection",
    "ExportedFile",
    "FolderNotEmptyError",
    "Piece",
    "UnknownScopeError",
    "count_documents",
    "export_pieces",
    "require_known",
    "write_folder",
    "zip_chunks",
]
