"""Rows of a file as complaints, each with its notes or its error."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
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


def _complaint(row: Mapping[Hashable, Any], columns: Mapping[str, str], fault: str | None) -> Item:
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
    try:
        return Item(Complaint(**facts), _NO_ERROR, tuple(notes))
    except ValidationError as error:
        first = error.errors()[0]
        heading = columns.get(str(first["loc"][0]), str(first["loc"][0]))
        return Item(None, TextError(f"{heading}：{first['msg']}", code="row_invalid"))


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
    faults = [
        fault if isinstance(fault, str) else None
        for fault in (raw.pop(FAULT) if FAULT in raw else [None] * len(raw))
    ]
    headings = [str(heading) for heading in raw.columns]
    columns = dict(recognise_text(source, headings, mapping or {}))
    items = [
        _complaint(row, columns, fault)
        for fault, row in zip(faults, raw.to_dict("records"), strict=True)
    ]
    return raw, columns, items
