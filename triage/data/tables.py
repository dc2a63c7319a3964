"""Read a file as it stands: CSV in any common encoding, Excel, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from triage.data.columns import is_known_heading
from triage.data.encoding import decode
from triage.schema import DataError, UsageError

FAULT = "__fault__"
"""Column that carries the fault of a row that the reader could not take apart."""


def read_table(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read a CSV (UTF-8, with BOM or GB18030, also gzipped), Excel or Parquet file as it stands.

    Parameters
    ----------
    path : Path
        The file; its ending says what it is (.csv .tsv .txt with .gz, .xlsx .xls .xlsm .ods,
        .parquet).
    sheet : str, optional
        Name of the Excel sheet; the first one with rows if absent.

    Returns
    -------
    DataFrame
        Its headings as columns; `row` as index, the heading being row 1. Cells of a CSV are str.
        A CSV row with too many or too few cells carries its fault in the column `FAULT`.

    Raises
    ------
    UsageError
        If the file or sheet does not exist, or its ending is unknown.
    DataError
        If the file is empty, corrupt or has no rows.
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
    frame = reader(path, sheet)
    if frame.empty:
        raise DataError(f"{path} has a heading but no rows: export it again.", code="file_empty")
    return frame


def _read_csv(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no intact gzip file ({error}): export it again.") from error
    text, _ = decode(raw)
    if not text.strip():
        raise DataError(f"{path} is empty: export it again.", code="file_empty")
    delimiter = _delimiter(text)
    csv.field_size_limit(max(len(text), 131_072))
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:  # a stray quote: a row then ends where its line ends
        records = [next(csv.reader([line], delimiter=delimiter), []) for line in text.splitlines()]
    return _table(records)


def _table(records: list[list[str]]) -> pd.DataFrame:
    """Build a table from CSV records, marking those of another width."""
    header = [cell.strip() for cell in records[0]]
    rows, index, faults = [], [], []
    for number, cells in enumerate(records[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        fault = None
        if any(cell.strip() for cell in cells[len(header) :]):
            fault = f"有 {len(cells)} 列，表头只有 {len(header)} 列"
        elif len(cells) < len(header) - 1:
            fault = f"只有 {len(cells)} 列，表头有 {len(header)} 列"
        rows.append((cells + [""] * len(header))[: len(header)])
        index.append(number)
        faults.append(fault)
    frame = pd.DataFrame(rows, index=pd.Index(index, name="row"), dtype=object)
    frame = _named(frame.reindex(columns=range(len(header))), header)
    if any(faults):
        frame[FAULT] = pd.Series(faults, index=frame.index, dtype=object)
    return frame


def _named(frame: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """Give a table its headings; empty columns go, a repeated heading gets a number."""
    names: dict[int, str] = {}
    for at, heading in enumerate(header):
        blank = frame.iloc[:, at].isin(["", None]) | frame.iloc[:, at].isna()
        if not heading and blank.all():
            continue
        name, number = heading or f"列{at + 1}", 2
        while name in names.values():
            name, number = f"{heading or '列'}.{number}", number + 1
        names[at] = name
    kept = frame.iloc[:, list(names)]
    kept.columns = pd.Index(list(names.values()))
    return kept.copy()


def _delimiter(text: str) -> str:
    """Return the delimiter that the heading shows most of; none of them: a single column."""
    heading = text.split("\n", 1)[0]
    delimiter = max(",\t;|", key=heading.count)
    return delimiter if delimiter in heading else "\x1f"


def _read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            if sheet is not None and sheet not in names:
                raise UsageError(f"{path} has no sheet {sheet!r}: it has {', '.join(names)}.")
            for name in [sheet] if sheet else names:
                cells = pd.read_excel(
                    book, sheet_name=name, header=None, dtype=object, keep_default_na=False,
                    na_values=[""],
                )  # fmt: skip
                if len(cells.dropna(how="all")) > 1:
                    break
    except UsageError:
        raise
    except Exception as error:  # calamine raises a class of its own for each format
        raise DataError(
            f"{path} is no intact Excel file ({error}): open it and save it as .xlsx again.",
            code="file_corrupt",
        ) from error
    cells.index = pd.RangeIndex(1, len(cells) + 1, name="row")
    cells = cells.dropna(how="all")
    if cells.empty:
        return cells
    top = _heading_row(cells)
    header = ["" if pd.isna(cell) else str(cell).strip() for cell in cells.iloc[top]]
    return _named(cells.iloc[top + 1 :], header)


def _heading_row(cells: pd.DataFrame) -> int:
    """Return the place of the heading among the first rows: that with most known headings."""
    known = [sum(is_known_heading(str(cell)) for cell in row) for row in cells.head(10).to_numpy()]
    return max(range(len(known)), key=lambda at: (known[at], -at))


def _read_parquet(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors share no base that pandas does not wrap
        raise DataError(
            f"{path} is no intact Parquet file ({error}): export it again.", code="file_corrupt"
        ) from error
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    return frame


_READERS: dict[str, Callable[[Path, str | None], pd.DataFrame]] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _read_csv),
    **dict.fromkeys(("xlsx", "xls", "xlsm", "xlsb", "ods"), _read_excel),
    "parquet": _read_parquet,
}
