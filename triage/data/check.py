"""Check an export row by row: what can't be used goes to the quarantine with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from triage.data.columns import FACTS, as_text, clean_fact
from triage.data.corrections import is_corrections_table
from triage.data.delimited import FAULT
from triage.data.encoding import REPLACEMENT
from triage.data.footers import footer_reason
from triage.data.labels import LabelValue, read_label
from triage.data.mapping import FileMapping
from triage.data.source import Source, describe, open_source
from triage.data.taxonomy import SEPARATOR, Levels, join_levels, roll_up
from triage.data.tickets import MIN_CLASS_ROWS, Tickets, remove_duplicates
from triage.data.workbook import SHEET
from triage.schema import HEADS, ORDERED_HEADS, DataError, UsageError
from triage.text import normalise

STEP = 500
"""After how many rows progress is told."""


def load_tickets(
    path: Path | str,
    *,
    mapping: Mapping[str, str] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    sheet: str | None = None,
    query: str | None = None,
    plan: FileMapping | None = None,
    max_chars: int = 100_000,
    copies: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Tickets:
    """Read and check an export of past tickets.

    Parameters
    ----------
    path : Path or str
        A file (see `read_table`) or a database's URL (see `read_sql`).
    mapping : mapping of heading to column, optional
        For headings that are not recognised; it goes before the mapping file.
    labels : mapping of head to mapping of value to label, optional
        For label values in a company's own words; it goes before the mapping file.
    sheet : str, optional
        Name of the only Excel sheet to read.
    query : str, optional
        A SELECT or the name of a table, where `path` is a URL.
    plan : FileMapping, optional
        The mapping file; see `find_mapping`.
    max_chars : int
        A longer text goes to the quarantine.
    copies : bool
        Keep exact duplicates, whatever their labels: for an audit.
    on_start, on_step : callable, optional
        Told the number of rows, then how many more are checked.

    Returns
    -------
    Tickets
        Checked and without exact duplicates. Of a nature on several levels, classes with fewer
        than `MIN_CLASS_ROWS` tickets are rolled up; see `roll_up`.

    Raises
    ------
    UsageError
        If no column holds the text, or the mapping is wrong.
    DataError
        If the export can't be read, or no row of it can be used.
    """
    source = open_source(path, mapping=mapping, labels=labels, sheet=sheet, query=query, plan=plan)
    if is_corrections_table([str(heading) for heading in source.raw.columns]):
        raise UsageError(
            f"{source.name} is a table of corrections, whose labels are those that were doubted: "
            "hand it in with `triage feedback import`, and train on the tickets themselves.",
            code="corrections_table",
        )
    if on_start:
        on_start(len(source.raw))
    tickets = check_source(source, max_chars=max_chars, copies=copies, on_step=on_step).tickets
    if tickets.frame.empty:
        first = tickets.quarantine.iloc[0]
        raise DataError(
            f"{source.name}: no row can be used; the first fault: row {_place(first)}, "
            f"{first['reason']}.",
            code="no_usable_rows",
        )
    return tickets


def _place(fault: pd.Series) -> str:
    """Return where a fault stands: 一月!5 is row 5 of the sheet 一月."""
    return f"{fault['sheet']}!{fault['row']}" if "sheet" in fault else str(fault["row"])


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking an export.

    Attributes
    ----------
    tickets : Tickets
        Without exact duplicates, small classes of a taxonomy rolled up; may have no rows.
    frame : DataFrame
        All rows with our columns and converted cells, whether they can be used or not.
    plain : list of str
        The normalised text of each row of `frame`, empty where there is none.
    values : dict
        Head → the values of its column, the most frequent first.
    """

    tickets: Tickets
    frame: pd.DataFrame
    plain: list[str]
    values: dict[str, list[LabelValue]]


def check_source(
    source: Source,
    *,
    max_chars: int = 100_000,
    copies: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> Checked:
    """Check an export row by row; what can't be used goes to the quarantine with its reason.

    Parameters
    ----------
    source : Source
        See `open_source`.
    max_chars : int
        A longer text goes to the quarantine.
    copies : bool
        Keep exact duplicates.
    on_step : callable, optional
        Told how many more rows are checked.

    Returns
    -------
    Checked
    """
    check = _Check(source, max_chars)
    tickets = check.run(on_step)
    plain = [check.plain[at] for at in tickets.frame.pop("at")]
    if not copies:
        tickets = remove_duplicates(tickets, plain)
    return Checked(_roll_up(tickets, check.paths), check.frame, check.plain, check.values)


def _roll_up(tickets: Tickets, paths: Mapping[str, Levels]) -> Tickets:
    """Roll the small classes of a taxonomy up, each named with its count."""
    if not paths or "nature" not in tickets.frame:
        return tickets
    nature, rolled = roll_up(tickets.frame["nature"], paths, MIN_CLASS_ROWS)
    notes = list(tickets.notes)
    if rolled:
        listed = "、".join(f"{one.was}（{one.rows} 行）→ {one.now}" for one in rolled)
        notes.append(f"不足 {MIN_CLASS_ROWS} 行的下级类别并入上级：{listed}")
    frame = tickets.frame.assign(nature=nature)
    return Tickets(frame, tickets.quarantine, notes, tickets.columns)


class _Check:
    """Checks a table row by row and gathers the faults; rows are known by their place."""

    def __init__(self, source: Source, max_chars: int) -> None:
        self.source = source
        self.rows = list(source.raw.index)
        self.sheets = source.raw[SHEET].tolist() if source.many else None
        self.max_chars = max_chars
        self.bad: dict[int, tuple[str, str]] = {}
        self.ignored: list[tuple[int, str, str]] = []
        self.paths: dict[str, Levels] = {}
        self.plain: list[str] = []
        self.values: dict[str, list[LabelValue]] = {}
        raw = source.raw.reset_index(drop=True)
        self.faults = raw[FAULT] if FAULT in raw else pd.Series(dtype=object)
        taken = {column: raw[heading] for column, heading in source.columns.items()
                 if heading in raw}  # fmt: skip
        frame = pd.DataFrame(taken).astype(object)
        self.frame = frame.where(frame.notna(), None)
        self.levels = raw[list(source.levels)] if source.levels else None

    def run(self, on_step: Callable[[int], None] | None) -> Tickets:
        for at, fault in self.faults.dropna().items():
            self._refuse(at, "", fault)
        self._check_footers()
        self._check_text(on_step)
        if self.levels is not None:
            self._join_levels(self.levels)
        for head in (head for head in HEADS if head in self.frame):
            self._check_labels(head)
        for column in FACTS:
            self._check_fact(column)
        return self._result()

    def _refuse(self, at: Any, column: str, reason: str) -> None:
        self.bad.setdefault(at, (column, reason))

    def _check_footers(self) -> None:
        """Refuse totals, footers and repeated headings."""
        ours = [FAULT, SHEET] if self.source.many else [FAULT]
        raw = self.source.raw.drop(columns=ours, errors="ignore")
        text = list(raw.columns).index(self.source.columns["text"])
        headings = [str(heading) for heading in raw.columns]
        for at, cells in enumerate(zip(*(raw[c].array for c in raw.columns), strict=True)):
            if reason := footer_reason(cells, text, headings):
                self._refuse(at, "", reason)

    def _check_text(self, on_step: Callable[[int], None] | None) -> None:
        texts = [as_text(value) or "" for value in self.frame["text"]]
        self.frame["text"] = pd.Series(texts, dtype=object)
        for at, text in enumerate(texts):
            plain = normalise(text[: self.max_chars]).text
            self.plain.append(plain)
            if not plain:
                self._refuse(at, "text", "内容为空")
            elif len(text) > self.max_chars:
                self._refuse(at, "text", f"内容有 {len(text)} 字，超过 {self.max_chars} 字")
            elif REPLACEMENT in text:
                self._refuse(at, "text", "内容里有无法解码的字节")
            if on_step and (at % STEP == STEP - 1 or at == len(texts) - 1):
                on_step(at % STEP + 1)

    def _join_levels(self, levels: pd.DataFrame) -> None:
        """Make one column of the levels of the nature."""
        joined = join_levels(levels)
        names = {path: SEPARATOR.join(path) for path in set(joined)}
        self.paths = {name: path for path, name in names.items()}
        self.frame["nature"] = pd.Series([names[path] or None for path in joined], dtype=object)

    def _check_labels(self, head: str) -> None:
        """Read a column of labels, and count its values."""
        own = self.source.labels.get(head, {})
        broken = {at for at, (column, _) in self.bad.items() if not column}
        texts = [None if at in broken else as_text(value)
                 for at, value in enumerate(self.frame[head])]  # fmt: skip
        self.values[head] = [
            LabelValue(text, rows, *read_label(head, text, own))
            for text, rows in Counter(filter(None, texts)).most_common()
        ]
        read = {value.value: value.label for value in self.values[head]}
        unknown = {value.value for value in self.values[head] if not value.known}
        steps = "、".join(ORDERED_HEADS.get(head, ()))
        for at, text in enumerate(texts):
            if text in unknown:
                self._refuse(
                    at, head, f"标签「{text}」不认识；可用 {steps}，请在对照表里填写，或用 --labels"
                )
        labels = [read[text] if text else None for text in texts]
        self.frame[head] = pd.Series(labels, dtype=object)

    def _check_fact(self, column: str) -> None:
        """Convert a column of facts; a cell that can't be is ignored and reported."""
        if column not in self.frame:
            return
        done: dict[Any, Any] = {}
        values = []
        for at, value in enumerate(self.frame[column]):
            known = (type(value), value if isinstance(value, Hashable) else str(value))
            if known not in done:
                try:
                    done[known] = clean_fact(column, value)
                except ValueError as error:
                    done[known] = error
            if isinstance(found := done[known], ValueError):
                self.ignored.append((at, column, f"{found}，该项忽略"))
                found = None
            values.append(found)
        self.frame[column] = pd.Series(values, dtype=object)

    def _result(self) -> Tickets:
        text = self.frame["text"]
        faults = [(at, column, reason, False) for at, (column, reason) in self.bad.items()]
        faults += [(at, column, reason, True) for at, column, reason in self.ignored
                   if at not in self.bad]  # fmt: skip
        faults.sort(key=lambda fault: fault[0])
        quarantine = pd.DataFrame(
            [(self.rows[at], column, reason, kept, text[at])
             for at, column, reason, kept in faults],
            columns=["row", "column", "reason", "kept", "text"],
        )  # fmt: skip
        good = [at for at in range(len(self.rows)) if at not in self.bad]
        frame = self.frame.iloc[good].reset_index(drop=True)
        frame.insert(0, "row", [self.rows[at] for at in good])
        if self.sheets is not None:
            frame.insert(1, "sheet", [self.sheets[at] for at in good])
            quarantine.insert(0, "sheet", [self.sheets[fault[0]] for fault in faults])
        frame["at"] = good
        return Tickets(frame, quarantine, describe(self.source), self.source.columns)
