"""Refuse files that unpack to far more than they look."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from triage.schema import DataError

FREE_BYTES = 100_000_000
"""Bytes that any file may unpack to."""

MAX_RATIO = 200
"""How many times its size a file may unpack to. Exports reach 10 to 60; a bomb comes to 1,000."""

MAX_WORKBOOK_BYTES = 2_000_000_000
"""Bytes that an Excel file may unpack to: a sheet is held in memory."""

MAX_CELLS = 20_000_000
"""Cells of the rectangle from the first to the last filled cell of a sheet; all are held."""

_BLOCK = 1 << 20
_LONGEST_TAG = 400
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*(?<!/)>')


def check_unpacked(path: Path, unpacked: int, packed: int) -> None:
    """Refuse a file that unpacks to more than a file of complaints could.

    Parameters
    ----------
    path : Path
        Named in the message.
    unpacked, packed : int
        Bytes.

    Raises
    ------
    DataError
        With code `file_bomb`.
    """
    if unpacked > max(FREE_BYTES, MAX_RATIO * packed):
        raise DataError(
            f"{path} holds {packed:,} bytes that unpack to {unpacked:,} or more: no export of "
            "complaints does that. It was not read; export it again.",
            code="file_bomb",
        )


def check_workbook(path: Path) -> None:
    """Refuse a workbook that would fill the memory, before it is read.

    Parameters
    ----------
    path : Path
        Any file; one that is no zip archive (.xls) can't unpack to more than it is.

    Raises
    ------
    DataError
        With code `file_bomb` or `file_too_large`.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        check_unpacked(path, unpacked, path.stat().st_size)
        if unpacked > MAX_WORKBOOK_BYTES:
            raise DataError(_too_large(path, f"unpacks to {unpacked:,} bytes"),
                            code="file_too_large")  # fmt: skip
        for member in members:
            if member.filename.lower().endswith(".xml"):
                cells = _rectangle(archive, member)
                if cells > MAX_CELLS:
                    raise DataError(
                        _too_large(path, f"has a sheet whose last cell makes it {cells:,} cells"),
                        code="file_too_large",
                    )


def _too_large(path: Path, found: str) -> str:
    return (
        f"{path} {found}, which is more than can be read from Excel: delete the far empty rows and "
        "columns, split it, or save it as .csv."
    )


def _rectangle(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return the rows times the columns of a sheet up to its last filled cells."""
    columns: set[bytes] = set()
    rows, tail = 0, b""
    with archive.open(member) as sheet:
        while block := sheet.read(_BLOCK):
            found = _CELL.findall(tail + block)
            columns.update(letters for letters, _ in found)
            rows = max(rows, max((int(row) for _, row in found), default=0))
            tail = block[-_LONGEST_TAG:]
    return rows * max(map(_place, columns), default=0)


def _place(letters: bytes) -> int:
    """Return the number of a column: A is 1, XFD is 16,384."""
    place = 0
    for letter in letters:
        place = 26 * place + letter - 64
    return place
