"""Read a file as it comes: CSV in any common encoding, Excel, Parquet."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from triage.data.delimited import lay_out
from triage.data.workbook import Sheet, read_workbook
from triage.schema import DataError, UsageError


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
    table = _READERS[_kind(path)](path, sheets, asked or {})
    _check_rows(path, len(table.frame))
    return table


@dataclass(frozen=True, slots=True)
class Stream:
    """A file that is read a table at a time.

    Attributes
    ----------
    headings : list of str
    rows : int
    tables : callable
        Takes the rows of a table and the numbers of those to skip, which are read over quickly;
        yields (number from 0, table as from `read_table`, but whole numbers stay so where some are
        missing). The last table may be shorter.
    """

    headings: list[str]
    rows: int
    tables: Callable[[int, Container[int]], Iterator[tuple[int, pd.DataFrame]]]


def open_stream(path: Path, sheet: str | None = None) -> Stream:
    """Open a file that need not fit into memory: CSV and Parquet; an Excel sheet is read whole.

    Parameters
    ----------
    path, sheet
        See `read_table`.

    Raises
    ------
    UsageError, DataError
        See `read_table`.
    """
    kind = _kind(path)
    if _READERS[kind] is _read_csv:
        layout = lay_out(path, ())
        stream = Stream(list(layout.names.values()), layout.rows, layout.tables)
    elif _READERS[kind] is _read_parquet:
        stream = _stream_parquet(path)
    else:
        frame = read_table(path, sheet)
        headings = [str(heading) for heading in frame.columns]
        stream = Stream(headings, len(frame), partial(_slices, frame))
    _check_rows(path, stream.rows)
    return stream


def _kind(path: Path) -> str:
    """Return what a file's ending says it is, if it can be read."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it.", code="file_missing")
    if not path.is_file():
        raise UsageError(f"{path} does not exist: check the path.", code="file_missing")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in _READERS:
        known = ", ".join(f".{ending}" for ending in _READERS)
        raise UsageError(f"{path}: .{kind} files can't be read; save it as one of {known}.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: export it again.", code="file_empty")
    return kind


def _check_rows(path: Path, rows: int) -> None:
    if not rows:
        raise DataError(f"{path} has a heading but no rows: export it again.", code="file_empty")


def _read_csv(path: Path, sheets: Sequence[str] | None, asked: Mapping[str, str]) -> Table:
    layout = lay_out(path, asked)
    return Table(next(frame for _, frame in layout.tables()), layout.encoding)


def _read_excel(path: Path, sheets: Sequence[str] | None, asked: Mapping[str, str]) -> Table:
    frame, found = read_workbook(path, sheets, asked)
    return Table(frame, "excel", found)


def _read_parquet(path: Path, sheets: Sequence[str] | None, asked: Mapping[str, str]) -> Table:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors share no base that pandas does not wrap
        raise _corrupt_parquet(path, error) from error
    return Table(_plain_index(frame, 0), "parquet")


def _corrupt_parquet(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is no intact Parquet file ({error}): export it again.", code="file_corrupt"
    )


def _plain_index(frame: pd.DataFrame, above: int) -> pd.DataFrame:
    """Give a table plain headings, and the row numbers as if a heading stood above."""
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    frame.index = pd.RangeIndex(above + 2, above + len(frame) + 2, name="row")
    return frame


def _stream_parquet(path: Path) -> Stream:
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            headings = file.schema_arrow.empty_table().to_pandas().columns
            rows = file.metadata.num_rows
    except Exception as error:
        raise _corrupt_parquet(path, error) from error
    return Stream([str(heading) for heading in headings], rows, partial(_batches, path))


def _batches(
    path: Path, size: int, skip: Container[int] = ()
) -> Iterator[tuple[int, pd.DataFrame]]:
    import pyarrow
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        batches = file.iter_batches(size)
        for number in range(-(-file.metadata.num_rows // size)):
            try:
                batch = next(batches)
                table = None if number in skip else pyarrow.Table.from_batches([batch])
                frame = None if table is None else table.to_pandas(integer_object_nulls=True)
            except Exception as error:
                raise _corrupt_parquet(path, error) from error
            if frame is not None:
                yield number, _plain_index(frame, number * size)


def _slices(
    frame: pd.DataFrame, size: int, skip: Container[int] = ()
) -> Iterator[tuple[int, pd.DataFrame]]:
    for number, begin in enumerate(range(0, len(frame), size)):
        if number not in skip:
            yield number, frame.iloc[begin : begin + size].copy()


_READERS: dict[str, Callable[[Path, Sequence[str] | None, Mapping[str, str]], Table]] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _read_csv),
    **dict.fromkeys(("xlsx", "xls", "xlsm", "xlsb", "ods"), _read_excel),
    "parquet": _read_parquet,
}
