"""Write tables whole or not at all, harmless to open, and join the parts of a large one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import pandas as pd

from triage.schema import UsageError

PREFIX = "triage_"
"""What the names of added columns begin with; columns of an earlier run are replaced."""

EXCEL_CELL = 32_767
"""Characters that an Excel cell holds."""

EXCEL_ROWS = 1_048_575
"""Rows that an Excel sheet holds below its heading."""

_GROUP_ROWS = 50_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def check_target(target: Path, rows: int = 0) -> None:
    """Make sure that a table can be written.

    Raises
    ------
    UsageError
        If the target's kind is unknown, its folder can't be written to, or it can't hold so many
        rows.
    """
    kind = target.suffix.lower()
    if kind not in _WRITERS:
        raise UsageError(f"-o {target}: write to one of {', '.join(_WRITERS)}.")
    if kind == ".xlsx" and rows > EXCEL_ROWS:
        raise UsageError(
            f"-o {target}: an Excel sheet holds {EXCEL_ROWS:,} rows, and there are {rows:,}: write "
            "to .csv or .parquet.",
            code="file_too_large",
        )
    if not target.parent.is_dir():
        raise UsageError(f"-o {target}: the folder {target.parent} does not exist: create it.")
    draft = _draft(target)
    try:
        if target.is_dir():
            raise IsADirectoryError(str(target))
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise UsageError(
            f"-o {target} can't be written: name a file in a folder of yours."
        ) from error


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.stem}.draft{target.suffix}")


@contextmanager
def written_whole(target: Path, draft: Path) -> Iterator[Path]:
    """Give a draft to write to, which becomes the target when it is on the disk."""
    try:
        yield draft
        with draft.open("r+b") as written:
            os.fsync(written.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_table(table: pd.DataFrame, target: Path) -> None:
    """Write a table whole or not at all; cells that a spreadsheet would run are made harmless.

    Raises
    ------
    UsageError
        If the target's kind is unknown, its folder can't be written to, or it can't hold so many
        rows.
    """
    check_target(target, len(table))
    with written_whole(target, _draft(target)) as draft:
        _WRITERS[target.suffix.lower()](table, draft)


def write_part(table: pd.DataFrame, part: Path, draft: Path, *, first: bool) -> None:
    """Write a part of a table, for `join_parts`; only the first of a CSV carries the heading."""
    with written_whole(part, draft) as path:
        if part.suffix == ".csv" and not first:
            _safe(table).to_csv(path, index=False, header=False, encoding="utf-8")
        else:
            _WRITERS[part.suffix](table, path)


def join_parts(parts: Sequence[Path], target: Path, draft: Path) -> None:
    """Join the parts of a table, in their order, holding a few of them at a time.

    Parameters
    ----------
    parts : sequence of Path
        Written by `write_part`, of the target's kind.
    target, draft : Path
        The draft must lie on the same disk.
    """
    with written_whole(target, draft) as path:
        _JOINERS[target.suffix.lower()](parts, path)


def _join_csv(parts: Sequence[Path], path: Path) -> None:
    with path.open("wb") as joined:
        for part in parts:
            with part.open("rb") as rows:
                copyfileobj(rows, joined)


def _join_excel(parts: Sequence[Path], path: Path) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from python_calamine import CalamineWorkbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    for nth, part in enumerate(parts):
        with CalamineWorkbook.from_path(part) as opened:
            rows = opened.get_sheet_by_index(0).to_python()
        for row in rows[1 if nth else 0 :]:
            sheet.append([None if cell == "" else cell for cell in row])
    book.save(path)


def _join_parquet(parts: Sequence[Path], path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    schemas = [parquet.read_schema(part).remove_metadata() for part in parts]
    schema = pyarrow.schema(
        _same_field([one.field(name) for one in schemas]) for name in schemas[0].names
    )
    waiting: list[Any] = []
    with parquet.ParquetWriter(path, schema) as writer:
        for part in parts:
            waiting.append(_fitted(parquet.ParquetFile(part).read(), schema))
            if sum(map(len, waiting)) >= _GROUP_ROWS:
                writer.write_table(pyarrow.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pyarrow.concat_tables(waiting))


def _same_field(fields: Sequence[Any]) -> Any:
    """Return the type that holds a column of all parts; text where they have none in common."""
    import pyarrow

    try:
        alone = [pyarrow.schema([one]) for one in fields]
        return pyarrow.unify_schemas(alone, promote_options="permissive").field(0)
    except pyarrow.ArrowException:
        return pyarrow.field(fields[0].name, pyarrow.string())


def _fitted(table: Any, schema: Any) -> Any:
    """Give the columns of a part the types of the whole."""
    pairs = zip(table.columns, schema, strict=True)
    return table.from_arrays([_cast(column, field.type) for column, field in pairs], schema=schema)


def _cast(column: Any, wanted: Any) -> Any:
    """Turn a column into another type; what is no text becomes it as in Python."""
    from pyarrow import array, types

    if types.is_string(wanted) and not types.is_null(column.type) and column.type != wanted:
        return array([None if v is None else str(v) for v in column.to_pylist()], wanted)
    return column.cast(wanted)


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Put a mark before cells that a spreadsheet would run as a formula."""
    return table.rename(columns=_harmless).map(_harmless)


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell


def _fit_excel(table: pd.DataFrame) -> pd.DataFrame:
    """Make cells that Excel can hold: no control characters, no zones, 32,767 characters."""
    for heading in table.columns:
        if isinstance(table[heading].dtype, pd.DatetimeTZDtype):
            table[heading] = table[heading].dt.tz_localize(None)
    long = table.map(lambda cell: isinstance(cell, str) and len(cell) > EXCEL_CELL).any(axis=1)
    if f"{PREFIX}note" in table:
        noted = [f"{note or ''} 内容过长，表格中只保留前 {EXCEL_CELL} 字".strip()
                 for note in table.loc[long, f"{PREFIX}note"].fillna("")]  # fmt: skip
        table.loc[long, f"{PREFIX}note"] = noted
    return table.map(
        lambda cell: _CONTROL.sub("", cell)[:EXCEL_CELL] if isinstance(cell, str) else cell
    )


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of mixed types into text, which Parquet asks for."""
    for heading in table.columns:
        if table[heading].dtype == object and table[heading].dropna().map(type).nunique() > 1:
            table[heading] = [None if pd.isna(v) else str(v) for v in table[heading]]
    return table


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: _safe(table).to_csv(path, index=False, encoding="utf-8-sig"),
    ".xlsx": lambda table, path: _fit_excel(_safe(table)).to_excel(path, index=False),
    ".parquet": lambda table, path: _plain(table).to_parquet(path, index=False),
}
_JOINERS: dict[str, Callable[[Sequence[Path], Path], None]] = {
    ".csv": _join_csv, ".xlsx": _join_excel, ".parquet": _join_parquet,
}  # fmt: skip
