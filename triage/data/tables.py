"""Read a file as it comes: CSV in any common encoding, Excel, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from triage.data.encoding import decode
from triage.data.heading import SEARCHED, find_heading, known_headings
from triage.data.workbook import Sheet, named, read_workbook
from triage.schema import DataError, UsageError

FAULT = "__fault__"
"""Column that carries the fault of a row that the reader could not take apart."""

SINGLE = "\x1f"
"""Delimiter of a file with a single column: one that does not occur."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds.

    Attributes
    ----------
    frame : DataFrame
        See `read_table`.
    form : str
        What it was read as: `utf-8-sig`, `gb18030`, `excel`, `parquet` …
    sheets : list of Sheet
        Of an Excel file.
    """

    frame: pd.DataFrame
    form: str
    sheets: list[Sheet] = field(default_factory=list)


def read_table(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read a CSV (UTF-8, with BOM or GB18030, also gzipped), Excel or Parquet file as it comes.

    Parameters
    ----------
    path : Path
        The file; its ending says what it is (.csv .tsv .txt with .gz, .xlsx .xls .xlsm .ods,
        .parquet).
    sheet : str, optional
        Name of the Excel sheet; if absent all sheets whose text stands under the same heading.

    Returns
    -------
    DataFrame
        Its headings as columns; `row` as index, the row's number in the file or its sheet. Where
        several sheets were read, the column `SHEET` names that of each row. Cells of a CSV are
        str. A CSV row with too many or too few cells carries its fault in the column `FAULT`.

    Raises
    ------
    UsageError
        If the file or sheet does not exist, or its ending is unknown.
    DataError
        If the file is empty, corrupt or has no rows.
    """
    return read_file(path, [sheet] if sheet is not None else None).frame


def read_file(
    path: Path, sheets: Sequence[str] | None = None, asked: Mapping[str, str] | None = None
) -> Table:
    """Read a file as `read_table` does, and say what was found in it.

    Parameters
    ----------
    path : Path
        See `read_table`.
    sheets : sequence of str, optional
        Names of the Excel sheets.
    asked : mapping of heading to column, optional
        Headings that the user names, by which the heading's row is found as well.

    Returns
    -------
    Table

    Raises
    ------
    UsageError, DataError
        See `read_table`.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it.", code="file_missing")
    if not path.is_file():
        raise UsageError(f"{path} does not exist: check the path.", code="file_missing")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    reader = _READERS.get(kind)
    if reader is None:
        known = ", ".join(f".{ending}" for ending in _READERS)
        raise UsageError(f"{path}: .{kind} files can't be read; save it as one of {known}.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: export it again.", code="file_empty")
    table = reader(path, sheets, asked or {})
    if table.frame.empty:
        raise DataError(f"{path} has a heading but no rows: export it again.", code="file_empty")
    return table


def _read_csv(path: Path, sheets: Sequence[str] | None, asked: Mapping[str, str]) -> Table:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no intact gzip file ({error}): export it again.") from error
    text, encoding = decode(raw)
    del raw
    if not text.strip():
        raise DataError(f"{path} is empty: export it again.", code="file_empty")
    delimiter = _delimiter(text, asked)
    csv.field_size_limit(max(len(text), 131_072))
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:  # a stray quote: a row then ends where its line ends
        records = [next(csv.reader([line], delimiter=delimiter), []) for line in text.splitlines()]
    return Table(_body(records, asked), encoding)


def _body(records: list[list[str]], asked: Collection[str]) -> pd.DataFrame:
    """Build a table from CSV records, marking those of another width than the heading's."""
    start = next((at for at, cells in enumerate(records) if any(map(str.strip, cells))), 0)
    first = [[cell.strip() for cell in cells] for cells in records[start : start + SEARCHED]]
    wide = max(map(len, first))
    padded = [cells + [""] * (wide - len(cells)) for cells in first]
    heading = find_heading(padded, [_spread(cells) for cells in padded], asked)
    body = start + heading.body
    filled = [at for at, name in enumerate(heading.names, start=1) if name]
    header = heading.names[: max(len(first[heading.body - 1]), *filled[-1:])]
    rows, index, faults = [], [], []
    for number, cells in enumerate(records[body:], start=body + 1):
        if any(cell.strip() for cell in cells):
            rows.append((cells + [""] * len(header))[: len(header)])
            index.append(number)
            faults.append(_fault(cells, header))
    frame = pd.DataFrame(rows, index=pd.Index(index, name="row"), dtype=object)
    frame = named(frame.reindex(columns=range(len(header))), header)
    if any(faults):
        frame[FAULT] = pd.Series(faults, index=frame.index, dtype=object)
    return frame


def _spread(cells: Sequence[str]) -> list[str]:
    """Fill blanks from the left, as a merged group heading stands in a CSV."""
    filled: list[str] = []
    for cell in cells:
        filled.append(cell or (filled[-1] if filled else ""))
    return filled


def _fault(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """Say what is wrong with the number of cells of a row."""
    if any(cell.strip() for cell in cells[len(header) :]):
        return f"有 {len(cells)} 列，表头只有 {len(header)} 列"
    if len(cells) < len(header) - 1:
        return f"只有 {len(cells)} 列，表头有 {len(header)} 列"
    return None


def _delimiter(text: str, asked: Collection[str]) -> str:
    """Return the delimiter that shows most headings, else that the first line shows most of.

    Neither: a single column.
    """
    lines = text[:100_000].split("\n", SEARCHED)[:SEARCHED]
    delimiters = ",\t;|"
    scored: list[tuple[tuple[bool, int], str]] = [
              (known_headings([cell.strip(' "\r') for cell in line.split(mark)], asked), mark)
              for line in lines for mark in (SINGLE, *delimiters)]  # fmt: skip
    known, mark = max(scored, key=lambda one: one[0])
    if known > (False, 0):
        return mark
    delimiter = max(delimiters, key=lines[0].count)
    return delimiter if delimiter in lines[0] else SINGLE


def _read_excel(path: Path, sheets: Sequence[str] | None, asked: Mapping[str, str]) -> Table:
    frame, found = read_workbook(path, sheets, asked)
    return Table(frame, "excel", found)


def _read_parquet(path: Path, sheets: Sequence[str] | None, asked: Mapping[str, str]) -> Table:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors share no base that pandas does not wrap
        raise DataError(
            f"{path} is no intact Parquet file ({error}): export it again.", code="file_corrupt"
        ) from error
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    return Table(frame, "parquet")


_READERS: dict[str, Callable[[Path, Sequence[str] | None, Mapping[str, str]], Table]] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _read_csv),
    **dict.fromkeys(("xlsx", "xls", "xlsm", "xlsb", "ods"), _read_excel),
    "parquet": _read_parquet,
}
