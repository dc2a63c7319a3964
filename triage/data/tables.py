"""Read a file as it stands: CSV in any common encoding, Excel, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from triage.schema import DataError, UsageError

REPLACEMENT = "\ufffd"
"""What stands for bytes that can't be decoded."""

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
    csv.field_size_limit(10_000_000)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = [cell.strip() for cell in next(lines)]
        return _table(header, lines)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {lines.line_num}: {error}. Save the file as UTF-8 CSV again.",
            code="file_corrupt",
        ) from error


def _table(header: list[str], lines: Iterable[list[str]]) -> pd.DataFrame:
    """Build a table from CSV rows, marking those of another width."""
    rows, index, faults = [], [], []
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        fault = None
        if len(cells) != len(header) and any(cell.strip() for cell in cells[len(header) :]):
            fault = f"有 {len(cells)} 列，表头只有 {len(header)} 列"
        elif len(cells) < len(header) and len(cells) < len(header) - 1:
            fault = f"只有 {len(cells)} 列，表头有 {len(header)} 列"
        rows.append((cells + [""] * len(header))[: len(header)])
        index.append(number)
        faults.append(fault)
    frame = pd.DataFrame(rows, columns=header, index=pd.Index(index, name="row"), dtype=object)
    if any(faults):
        frame[FAULT] = pd.Series(faults, index=frame.index, dtype=object)
    return frame


def decode(raw: bytes) -> tuple[str, str]:
    """Decode bytes as UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030.

    Where neither decodes cleanly, the one with fewer faults is taken and each fault becomes
    U+FFFD, so that one broken row does not cost the file.

    Returns
    -------
    text : str
        The content without its byte order mark.
    encoding : str
        What it was decoded as.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace"), "utf-16"
    best: tuple[int, str, str] | None = None
    for encoding in ("utf-8-sig", "gb18030"):
        text = raw.decode(encoding, errors="replace")
        faults = text.count(REPLACEMENT) - raw.count(b"\xef\xbf\xbd")
        if faults <= 0:
            return text, encoding
        if best is None or faults < best[0]:
            best = (faults, text, encoding)
    assert best is not None
    return best[1], best[2]


def _delimiter(text: str) -> str:
    """Return the delimiter that the heading shows most of."""
    heading = text.split("\n", 1)[0]
    return max(",\t;|", key=heading.count)


def _read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            if sheet is not None and sheet not in names:
                raise UsageError(f"{path} has no sheet {sheet!r}: it has {', '.join(names)}.")
            for name in [sheet] if sheet else names:
                frame = pd.read_excel(book, sheet_name=name, dtype=object)
                if not frame.empty:
                    break
    except UsageError:
        raise
    except Exception as error:  # calamine raises a class of its own for each format
        raise DataError(
            f"{path} is no intact Excel file ({error}): open it and save it as .xlsx again.",
            code="file_corrupt",
        ) from error
    frame.columns = pd.Index([str(column).strip() for column in frame.columns])
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    return frame.dropna(how="all")


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
