"""Misjudged tickets as a table that a person corrects and feeds back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from triage.analysis.opened import Opened, open_version
from triage.batch import write_table
from triage.data import CORRECTION_COLUMNS
from triage.schema import HEADS, UsageError

ANSWERS = "模型判断"


def to_correct(rows: pd.DataFrame, path: str | Path, version: str | None = None) -> Path:
    """Write tickets to a corrections table, for `triage feedback import`.

    Parameters
    ----------
    rows : DataFrame
        With the tickets' `key`, as `errors` and `Compared.newly_wrong` have it.
    path : str or Path
        An .xlsx or .csv file; one that exists is overwritten.
    version : str, optional
        The model whose tickets they are; the promoted one if absent.

    Returns
    -------
    Path
        The file: one row a ticket with its labels by their Chinese names, empty `正确…` cells to
        fill in where a label is wrong, and what the model answers. Text is masked.

    Raises
    ------
    UsageError
        If a row has no key, or the model knows none of them.
    """
    opened = open_version(version)
    if "key" not in rows:
        raise UsageError(
            f"The rows have no column 'key', only {', '.join(map(str, rows.columns))}: pass what "
            "errors() returns.",
            code="column_unknown",
        )
    known = opened.tickets.drop_duplicates("key").set_index("key")
    keys = [key for key in dict.fromkeys(rows["key"]) if key in known.index]
    if not keys:
        raise UsageError(
            f"Model {opened.folder.version} knows none of the {len(rows)} tickets: name the "
            "version that they came from.",
            code="tickets_unknown",
        )
    tickets = known.loc[keys].reset_index()
    table = pd.DataFrame(
        {title: _cells(opened, tickets, name) for name, title in CORRECTION_COLUMNS.items()}
    )
    table[ANSWERS] = _cells(opened, tickets, ANSWERS)
    write_table(table, Path(path))
    return Path(path)


def _cells(opened: Opened, tickets: pd.DataFrame, column: str) -> list[str | int | None]:
    """Return one column of the table."""
    if column == ANSWERS:
        answers = [_named(opened, tickets, head, f"{head}_answer") for head in HEADS]
        return ["，".join(name for name in row if name) for row in zip(*answers, strict=True)]
    if column in HEADS:
        return [*_named(opened, tickets, column, column)]
    return tickets[column].tolist() if column in tickets else [None] * len(tickets)


def _named(opened: Opened, tickets: pd.DataFrame, head: str, column: str) -> list[str | None]:
    """Return the names of labels; None where there is none."""
    labels = tickets[column] if column in tickets else [None] * len(tickets)
    return [opened.name(head, label) if isinstance(label, str) else None for label in labels]
