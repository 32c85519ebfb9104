"""Where an export goes: a folder, or one zip file that is sent while it is made."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import IO, Any, cast

from consumer.export.report import ExportReport
from consumer.export.stream import Piece

NOTES_NAME = "read-me-first.txt"
# What lies in memory of a zip file before it goes out.
_CHUNK_BYTES = 64 * 1024


class FolderNotEmptyError(Exception):
    """The folder holds a file of that name already: two exports mixed up would be imported together."""


def write_folder(
    pieces: Iterable[Piece],
    folder: Path,
    report: ExportReport,
    *,
    notes_name: str = NOTES_NAME,
    on_documents: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the files of `pieces` into `folder`; each appears under its name only when it is whole.

    The notes of `report`, which `pieces` fills, come last.

    Raises:
        FolderNotEmptyError: a file is there already; files before it are written.
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notes = _free(folder / notes_name)
    for name, of_file in groupby(pieces, key=lambda piece: piece.name):
        target = _free(folder / name)
        unfinished = target.with_suffix(".unfinished")
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            for piece in of_file:
                file.write(piece.text)
                on_documents(piece.documents)
        unfinished.rename(target)
    notes.write_text(report.notes(), encoding="utf-8")


def _free(target: Path) -> Path:
    if target.exists():
        raise FolderNotEmptyError(f"{target} exists already. Choose an empty folder with --output, or remove it.")
    return target


def zip_chunks(pieces: Iterable[Piece], report: ExportReport) -> Iterator[bytes]:
    """Yield a zip file with the files of `pieces`, and at its end the notes of `report`, which `pieces` fills."""
    buffer = _Outlet()
    with zipfile.ZipFile(cast("IO[bytes]", buffer), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, of_file in groupby(pieces, key=lambda piece: piece.name):
            with archive.open(name, "w") as file:
                for piece in of_file:
                    file.write(piece.text.encode())
                    yield from buffer.take(_CHUNK_BYTES)
        archive.writestr(NOTES_NAME, report.notes())
    yield from buffer.take(1)


class _Outlet(io.RawIOBase):
    """Takes what is written and gives it on; can't go back, as what is sent can't."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._bytes += len(part)
        return len(part)

    def take(self, at_least_bytes: int) -> Iterator[bytes]:
        """Yield what has come in, if it is so much."""
        if self._bytes >= at_least_bytes:
            yield b"".join(self._parts)
            self._parts, self._bytes = [], 0
