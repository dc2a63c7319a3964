"""Open an export of past tickets, wherever it lies, and say what its columns mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from triage.data.columns import recognise_text
from triage.data.delimited import FAULT
from triage.data.labels import OwnLabels
from triage.data.mapping import FileMapping, merge_labels
from triage.data.sql import is_url, read_sql, shown_url
from triage.data.tables import Table, read_file
from triage.data.taxonomy import SEPARATOR, find_levels
from triage.data.workbook import SHEET, Sheet
from triage.schema import HEADS, UsageError


@dataclass(frozen=True, slots=True)
class Source:
    """An export as it was read, and what its columns mean.

    Attributes
    ----------
    name : str
        File or URL as it may be shown: never with a password.
    raw : DataFrame
        See `read_table` and `read_sql`.
    form : str
        `utf-8-sig`, `gb18030`, `excel`, `parquet`, `sql` …
    columns : dict
        Our column → its heading; of a nature on several levels their headings, joined.
    levels : tuple of str
        Headings of a nature on several levels, the upper one first.
    labels : mapping of head to mapping of value to label
        What the company says of its label values.
    unread : list of str
        Headings that stand for nothing.
    sheets : list of Sheet
        Sheets of an Excel file, those that were left out too.
    """

    name: str
    raw: pd.DataFrame
    form: str
    columns: dict[str, str]
    levels: tuple[str, ...]
    labels: OwnLabels
    unread: list[str]
    sheets: list[Sheet] = field(default_factory=list)

    @property
    def many(self) -> bool:
        """Whether rows come from several sheets, named in the column `SHEET`."""
        return _many(self.sheets)


def _many(sheets: Sequence[Sheet]) -> bool:
    return sum(sheet.read for sheet in sheets) > 1


def open_source(
    source: Path | str,
    *,
    mapping: Mapping[str, str] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    sheet: str | None = None,
    query: str | None = None,
    plan: FileMapping | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Source:
    """Read an export and recognise its columns.

    Parameters
    ----------
    source : Path or str
        A file (see `read_table`) or a database's URL (see `read_sql`).
    mapping : mapping of heading to column, optional
        What the command line says; it goes before the mapping file, which goes before what is
        recognised.
    labels : mapping of head to mapping of value to label, optional
        What the command line says.
    sheet : str, optional
        The only Excel sheet to read.
    query : str, optional
        What to read from a database.
    plan : FileMapping, optional
        The mapping file.
    on_step : callable, optional
        Told how many more rows of a database are read.

    Returns
    -------
    Source

    Raises
    ------
    UsageError
        If no column holds the text, a heading or sheet is not there, or a query is wrong.
    DataError
        If the export can't be read or has no rows.
    """
    said = dict(mapping or {})
    planned = {heading: column for heading, column in (plan.headings if plan else {}).items()
               if column not in said.values() and heading not in said}  # fmt: skip
    sheets = [sheet] if sheet is not None else list(plan.sheets or ()) if plan else None
    table = _read(source, sheets, {**planned, **said}, query, on_step)
    name = _shown(source)
    ours = {FAULT, SHEET} if _many(table.sheets) else {FAULT}
    headings = [str(heading) for heading in table.frame.columns if heading not in ours]
    levels = () if "nature" in said.values() else _levels(name, headings, plan, {**planned, **said})
    _check_planned(name, headings, planned)
    unwanted = set(plan.unwanted if plan else ()) - set(said.values())
    if levels:
        unwanted.add("nature")
    columns = recognise_text(name, headings, {**planned, **said}, unwanted)
    used = {*columns.values(), *levels}
    if levels:
        columns["nature"] = SEPARATOR.join(levels)
    unread = [heading for heading in headings if heading not in used]
    own = merge_labels(plan, labels)
    return Source(name, table.frame, table.form, columns, levels, own, unread, table.sheets)


def _shown(source: Path | str) -> str:
    return shown_url(source) if isinstance(source, str) and is_url(source) else str(source)


def _read(
    source: Path | str,
    sheets: Sequence[str] | None,
    asked: Mapping[str, str],
    query: str | None,
    on_step: Callable[[int], None] | None,
) -> Table:
    if isinstance(source, str) and is_url(source):
        return Table(read_sql(source, query, on_step), "sql")
    if query:
        raise UsageError(f"--query goes with a database's URL, and {source} is a file: leave it.")
    return read_file(Path(source), sheets, asked)


def _levels(
    name: str, headings: Sequence[str], plan: FileMapping | None, taken: Collection[str]
) -> tuple[str, ...]:
    """Return the headings of nature's levels, as the mapping file says or as recognised."""
    if plan is None or plan.taxonomy is None:
        settled = plan is not None and "nature" in plan.columns
        return () if settled else find_levels([h for h in headings if h not in taken])
    if missing := [heading for heading in plan.taxonomy if heading not in headings]:
        raise UsageError(
            f"{name}: the mapping file's taxonomy names {', '.join(missing)}, but the data has "
            f"{', '.join(headings)}: correct the mapping file, or delete it and import again.",
            code="column_unknown",
        )
    return plan.taxonomy


def _check_planned(name: str, headings: Sequence[str], planned: Mapping[str, str]) -> None:
    """Refuse a mapping file that was written for other headings."""
    for heading, column in planned.items():
        if heading not in headings:
            raise UsageError(
                f"{name}: the mapping file's columns.{column} is {heading!r}, but the data has "
                f"{', '.join(headings)}: correct the mapping file, or delete it and import again.",
                code="column_unknown",
            )


def describe(source: Source) -> list[str]:
    """Say in plain Chinese what was not understood or was left out, for a reader's notes."""
    notes = []
    read = [sheet for sheet in source.sheets if sheet.read]
    if len(read) > 1:
        notes.append("读取工作表：" + "、".join(f"{one.name}（{one.rows} 行）" for one in read))
    for left in (sheet for sheet in source.sheets if not sheet.read):
        rows = f"（{left.rows} 行）" if left.rows else ""
        notes.append(f"没有读取工作表「{left.name}」{rows}：{left.reason}")
    if source.levels:
        notes.append(f"性质按 {len(source.levels)} 级合并：{source.columns['nature']}")
    if source.unread:
        notes.append(
            f"没有用到的列：{'、'.join(source.unread[:12])}；需要时用 --map 列名=字段 指明"
        )
    notes += [f"没有 {head} 列，这一项由基础模型判断" for head in HEADS
              if head not in source.columns]  # fmt: skip
    return notes
