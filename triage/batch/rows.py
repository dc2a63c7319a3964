"""Rows of a file as complaints, each with its notes or its error."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from triage.data import FACTS, FAULT, clean_fact, read_table, recognise_text
from triage.schema import Complaint, TextError


class Item(NamedTuple):
    """One row: its complaint with notes on facts that were ignored, or its error."""

    complaint: Complaint | None
    error: TextError
    notes: tuple[str, ...] = ()


_NO_ERROR = TextError("")


def _complaint(
    row: Mapping[Hashable, Any],
    columns: Mapping[str, str],
    fault: str | None,
    received_at: datetime | None,
) -> Item:
    """Build a complaint from a row; a fact that can't be read is left out and noted."""
    if fault:
        return Item(None, TextError(fault, code="row_malformed"))
    facts: dict[str, Any] = {}
    notes = []
    for column in ("text", *FACTS):
        if column not in columns:
            continue
        try:
            facts[column] = clean_fact(column, row[columns[column]])
        except ValueError as error:
            notes.append(f"{columns[column]}{error}，该项忽略")
    facts["text"] = facts.get("text") or ""
    facts["received_at"] = facts.get("received_at") or received_at
    try:
        return Item(Complaint(**facts), _NO_ERROR, tuple(notes))
    except ValidationError as error:
        first = error.errors()[0]
        heading = columns.get(str(first["loc"][0]), str(first["loc"][0]))
        return Item(None, TextError(f"{heading}：{first['msg']}", code="row_invalid"))


def take_items(
    table: pd.DataFrame, columns: Mapping[str, str], received_at: datetime | None = None
) -> list[Item]:
    """Turn the rows of a table into complaints, and take its faults out of it.

    Parameters
    ----------
    table : DataFrame
        As read; it loses its column `FAULT`.
    columns : mapping
        Our column → the table's heading.
    received_at : datetime, optional
        When complaints were received that don't say so.

    Returns
    -------
    list of Item
        One a row.
    """
    faults = table.pop(FAULT).tolist() if FAULT in table else [None] * len(table)
    return [
        _complaint(row, columns, fault if isinstance(fault, str) else None, received_at)
        for fault, row in zip(faults, table.to_dict("records"), strict=True)
    ]


def read_complaints(
    source: Path, mapping: Mapping[str, str] | None = None, sheet: str | None = None
) -> tuple[pd.DataFrame, dict[str, str], list[Item]]:
    """Read a file of complaints.

    Parameters
    ----------
    source : Path
        CSV, Excel or Parquet, by its ending.
    mapping : mapping of heading to column, optional
        For headings that are not recognised.
    sheet : str, optional
        Name of the Excel sheet.

    Returns
    -------
    raw : DataFrame
        The file as it stands.
    columns : dict
        Our column → the file's heading.
    items : list of Item
        One a row.
    """
    raw = read_table(source, sheet)
    headings = [str(heading) for heading in raw.columns if heading != FAULT]
    columns = dict(recognise_text(source, headings, mapping or {}))
    return raw, columns, take_items(raw, columns)
