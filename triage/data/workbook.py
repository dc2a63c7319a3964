"""Read an Excel file as it comes: title rows, merged cells, several sheets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from triage.data.bounds import check_workbook
from triage.data.columns import recognise
from triage.data.heading import SEARCHED, find_heading
from triage.schema import DataError, TriageError, UsageError

SHEET = "工作表"
"""Column that says which sheet a row comes from, where several were read."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was found in one sheet: rows below its heading, whether they are read, else why not."""

    name: str
    rows: int
    read: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Page:
    """One sheet with its rows; `text` is the heading of the complaint's text, if there is one."""

    name: str
    hidden: bool
    frame: pd.DataFrame
    columns: Mapping[str, str]

    @property
    def text(self) -> str | None:
        return self.columns.get("text")


def read_workbook(
    path: Path, wanted: Sequence[str] | None, asked: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Sheet]]:
    """Read the sheets of a workbook that hold complaints.

    Parameters
    ----------
    path : Path
        An intact .xlsx, .xls, .xlsm, .xlsb or .ods file.
    wanted : sequence of str or None
        Names of the sheets to read; all visible ones whose text stands under the same heading if
        None.
    asked : mapping of heading to column
        Headings that the user names.

    Returns
    -------
    frame : DataFrame
        The rows of the sheets one below the other. `row` as index: the row's number in its sheet,
        which the column `SHEET` names where several were read.
    sheets : list of Sheet
        All sheets of the workbook.

    Raises
    ------
    UsageError
        If a wanted sheet is not there.
    DataError
        If the file is no intact workbook, or one that would fill the memory.
    """
    pages, names = _open(path, wanted, asked)
    chosen = list(pages) if wanted else _same_text(pages)
    frame = _below_one_another(chosen) if chosen else pd.DataFrame()
    text = next((page.text for page in chosen if page.text), None)
    sheets = [Sheet(page.name, len(page.frame), page in chosen,
                    "" if page in chosen else _reason(page, text)) for page in pages]  # fmt: skip
    opened = {page.name for page in pages}
    unread = [Sheet(name, 0, False, "没有指定要读") for name in names if name not in opened]
    return frame, sheets + unread


def _open(
    path: Path, wanted: Sequence[str] | None, asked: Mapping[str, str]
) -> tuple[list[_Page], list[str]]:
    """Read the wanted sheets; return them with the names of all."""
    try:
        check_workbook(path)
        with CalamineWorkbook.from_path(path) as book:
            names = [facts.name for facts in book.sheets_metadata
                     if facts.typ == SheetTypeEnum.WorkSheet]  # fmt: skip
            _check_wanted(path, names, wanted)
            hidden = {facts.name for facts in book.sheets_metadata
                      if facts.visible != SheetVisibleEnum.Visible}  # fmt: skip
            return [
                _page(book.get_sheet_by_name(name), name in hidden, asked)
                for name in names
                if not wanted or name in wanted
            ], names
    except TriageError:
        raise
    except Exception as error:  # calamine raises a class of its own for each format
        raise DataError(
            f"{path} is no intact Excel file ({error}): open it and save it as .xlsx again.",
            code="file_corrupt",
        ) from error


def _check_wanted(path: Path, names: Sequence[str], wanted: Sequence[str] | None) -> None:
    for name in wanted or ():
        if name not in names:
            raise UsageError(
                f"{path} has no sheet {name!r}: it has {', '.join(names)}. Correct --sheet, or the "
                "mapping file's sheets."
            )


def _page(sheet: CalamineSheet, hidden: bool, asked: Mapping[str, str]) -> _Page:
    cells = [[_cell(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
    merged = _merged(sheet)
    frame = _table(cells, merged, asked)
    mapping = {heading: column for heading, column in asked.items() if heading in frame}
    columns = recognise([str(heading) for heading in frame.columns], mapping)
    return _Page(sheet.name, hidden, frame, columns)


def _cell(cell: Any) -> Any:
    """Return a cell with blanks as None, whole numbers as int and days as times."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)
    return cell


_Area = tuple[tuple[int, int], tuple[int, int]]


def _merged(sheet: CalamineSheet) -> list[_Area]:
    """Return the merged areas, none where the format does not tell."""
    try:
        return list(sheet.merged_cell_ranges or ())
    except Exception:  # formats without that list raise a class of their own
        return []


def _table(
    cells: list[list[Any]], merged: Sequence[_Area], asked: Mapping[str, str]
) -> pd.DataFrame:
    """Cut a sheet into heading and body; cells merged downwards hold for each of their rows."""
    filled = [number for number, row in enumerate(cells) if any(_is_filled(c) for c in row)]
    if not filled:
        return pd.DataFrame()
    start = filled[0]
    first = [[_words(cell) for cell in row] for row in cells[start : start + SEARCHED]]
    groups = [list(row) for row in first]
    for (top, left), (bottom, right) in merged:
        for at in range(max(top - start, 0), min(bottom - start + 1, len(groups))):
            groups[at][left : right + 1] = [groups[max(top - start, 0)][left]] * (right + 1 - left)
    heading = find_heading(first, groups, asked)
    body = start + heading.body
    for (top, left), (bottom, right) in merged:
        if left == right and top >= body:
            for at in range(top + 1, min(bottom + 1, len(cells))):
                cells[at][left] = cells[top][left]
    places = [at for at in filled if at >= body]
    frame = pd.DataFrame(
        [cells[at] for at in places],
        index=pd.Index([at + 1 for at in places], name="row"),
        columns=range(len(heading.names)), dtype=object,
    )  # fmt: skip
    return named(frame, heading.names)


def _is_filled(cell: Any) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _words(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def named(frame: pd.DataFrame, header: Sequence[str]) -> pd.DataFrame:
    """Give a table its headings; empty columns go, a repeated heading gets a number."""
    blank = {
        at
        for at, heading in enumerate(header)
        if not heading and (frame.iloc[:, at].isin(["", None]) | frame.iloc[:, at].isna()).all()
    }
    names = name_columns(header, blank)
    kept = frame.iloc[:, list(names)]
    kept.columns = pd.Index(list(names.values()))
    return kept.copy()


def name_columns(header: Sequence[str], blank: Container[int]) -> dict[int, str]:
    """Return place → heading of the columns but the blank ones; a repeated heading gets a number.

    Examples
    --------
    >>> name_columns(["渠道", "", "渠道", ""], blank={1})
    {0: '渠道', 2: '渠道.2', 3: '列4'}
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    for at, heading in enumerate(header):
        if at in blank:
            continue
        name, number = heading or f"列{at + 1}", 2
        while name in taken:
            name, number = f"{heading or '列'}.{number}", number + 1
        names[at] = name
        taken.add(name)
    return names


def _same_text(pages: Sequence[_Page]) -> list[_Page]:
    """Return the sheets with the text heading under which most rows stand.

    Where no sheet has a text heading, the first of the longest sheets.
    """
    rows: dict[str, int] = defaultdict(int)
    for page in pages:
        if page.text and not page.hidden and len(page.frame):
            rows[page.text] += len(page.frame)
    if rows:
        text = max(rows, key=lambda heading: rows[heading])
        return [page for page in pages
                if page.text == text and not page.hidden and len(page.frame)]  # fmt: skip
    longest = max(pages, key=lambda page: len(page.frame), default=None)
    return [longest] if longest else []


def _reason(page: _Page, text: str | None) -> str:
    """Say why a sheet was left out."""
    if page.frame.columns.empty:
        return "是空的"
    if page.text is None:
        return "没有投诉内容列"
    if page.frame.empty:
        return "没有数据行"
    if page.hidden:
        return "是隐藏的工作表"
    return f"内容列是「{page.text}」，与「{text}」不同"


def _below_one_another(pages: Sequence[_Page]) -> pd.DataFrame:
    """Put sheets one below the other; a field keeps the heading that it has in the first."""
    first = pages[0]
    if len(pages) == 1:
        return first.frame
    parts = []
    for page in pages:
        own = {heading: first.columns.get(column) for column, heading in page.columns.items()}
        part = page.frame.rename(
            columns={heading: same for heading, same in own.items()
                     if same and same not in page.frame}
        )  # fmt: skip
        parts.append(part if SHEET in part else part.assign(**{SHEET: page.name}))
    joined = pd.concat(parts).astype(object)
    joined.index.name = "row"
    return joined.where(joined.notna(), None)
