"""Check past tickets row by row, quarantine the bad ones, remove duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from triage.data.columns import FACTS, LABEL_ALIASES, as_text, clean_fact, recognise_text
from triage.data.encoding import REPLACEMENT
from triage.data.tables import FAULT, read_table
from triage.schema import HEADS, ORDERED_HEADS, DataError
from triage.text import normalise

MIN_CLASS_ROWS = 3
"""A nature with fewer distinct tickets than this can be neither learned nor measured."""


@dataclass
class Tickets:
    """Checked tickets and what was set aside.

    Attributes
    ----------
    frame : DataFrame
        One row a ticket, with `row` (its number in the file, the heading being row 1), the columns
        of `COLUMNS` that the file has, and once grouped `group`.
    quarantine : DataFrame
        `row`, `column`, `reason`, `kept` (whether the ticket stays without that fact), `text`.
    notes : list of str
        What was understood and what was left out, in plain Chinese.
    columns : dict
        The file's heading of each recognised column.
    """

    frame: pd.DataFrame
    quarantine: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def heads(self) -> list[str]:
        """The heads that the tickets hold labels for."""
        return [head for head in HEADS if head in self.frame and self.frame[head].notna().any()]


def load_tickets(
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    sheet: str | None = None,
    max_chars: int = 100_000,
) -> Tickets:
    """Read and check a file of past tickets.

    Parameters
    ----------
    path : Path
        See `read_table`.
    mapping : mapping of heading to column, optional
        For headings that are not recognised.
    labels : mapping of head to mapping of value to label, optional
        For label values in a company's own words.
    sheet : str, optional
        Name of the Excel sheet.
    max_chars : int
        A longer text goes to the quarantine.

    Returns
    -------
    Tickets
        Checked and without exact duplicates.

    Raises
    ------
    UsageError
        If no column holds the text, or the mapping is wrong.
    DataError
        If the file can't be read, or no row of it can be used.
    """
    raw = read_table(path, sheet)
    headings = [str(heading) for heading in raw.columns if heading != FAULT]
    columns = recognise_text(path, headings, mapping or {})
    frame = pd.DataFrame({column: raw[heading] for column, heading in columns.items()})
    check = _Check(frame, labels or {}, max_chars)
    if FAULT in raw:
        check.refuse_faulty(raw[FAULT])
    tickets = check.run()
    tickets.columns = columns
    if unread := [heading for heading in headings if heading not in columns.values()]:
        tickets.notes.append(
            f"没有用到的列：{'、'.join(unread[:12])}；需要时用 --map 列名=字段 指明"
        )
    for head in HEADS:
        if head not in columns:
            tickets.notes.append(f"没有 {head} 列，这一项由基础模型判断")
    if tickets.frame.empty:
        first = tickets.quarantine.iloc[0]
        raise DataError(
            f"{path}: no row can be used; the first fault: row {first['row']}, {first['reason']}.",
            code="no_usable_rows",
        )
    return remove_duplicates(tickets)


class _Check:
    """Checks a table row by row and gathers the faults."""

    def __init__(
        self, frame: pd.DataFrame, labels: Mapping[str, Mapping[str, str]], max_chars: int
    ) -> None:
        self.frame = frame.astype(object).where(frame.notna(), None)
        self.labels = labels
        self.max_chars = max_chars
        self.bad: dict[int, tuple[str, str]] = {}
        self.ignored: list[tuple[int, str, str]] = []

    def run(self) -> Tickets:
        self._check_text()
        for head in (head for head in HEADS if head in self.frame):
            self._check_labels(head)
        for column in FACTS:
            self._check_fact(column)
        return self._result()

    def refuse_faulty(self, faults: pd.Series) -> None:
        """Refuse rows that the reader marked."""
        for row, fault in faults.items():
            if isinstance(fault, str):
                self._refuse(row, "", fault)

    def _refuse(self, row: Any, column: str, reason: str) -> None:
        self.bad.setdefault(row, (column, reason))

    def _check_text(self) -> None:
        texts = [as_text(value) or "" for value in self.frame["text"]]
        self.frame["text"] = texts
        for row, text in zip(self.frame.index, texts, strict=True):
            if not normalise(text[: self.max_chars]).text:
                self._refuse(row, "text", "内容为空")
            elif len(text) > self.max_chars:
                self._refuse(row, "text", f"内容有 {len(text)} 字，超过 {self.max_chars} 字")
            elif REPLACEMENT in text:
                self._refuse(row, "text", "内容里有无法解码的字节")

    def _check_labels(self, head: str) -> None:
        own = self.labels.get(head, {})
        steps = ORDERED_HEADS.get(head)
        known = {**LABEL_ALIASES.get(head, {}), **{step: step for step in steps or ()}, **own}
        values = []
        for row, value in zip(self.frame.index, self.frame[head], strict=True):
            text = as_text(value)
            label = known.get(text, known.get(text.lower())) if text else None
            if text and label is None and steps is None:
                label = text
            if text and (label is None or (steps and label not in steps)):
                self._refuse(
                    row, head, f"标签「{text}」不认识；可用 {'、'.join(steps or ())}，或用 --labels"
                )
            values.append(label)
        self.frame[head] = values

    def _check_fact(self, column: str) -> None:
        """Convert a column of facts; a cell that can't be is ignored and reported."""
        if column not in self.frame:
            return
        values = []
        for row, value in zip(self.frame.index, self.frame[column], strict=True):
            try:
                values.append(clean_fact(column, value))
            except ValueError as error:
                values.append(None)
                self.ignored.append((row, column, f"{error}，该项忽略"))
        self.frame[column] = pd.Series(values, index=self.frame.index, dtype=object)

    def _result(self) -> Tickets:
        text = self.frame["text"]
        faults = [(row, column, reason, False, text[row])
                  for row, (column, reason) in self.bad.items()]  # fmt: skip
        faults += [(row, column, reason, True, text[row])
                   for row, column, reason in self.ignored if row not in self.bad]  # fmt: skip
        quarantine = pd.DataFrame(faults, columns=["row", "column", "reason", "kept", "text"])
        frame = self.frame.drop(index=list(self.bad)).reset_index(names="row")
        return Tickets(frame, quarantine.sort_values("row", ignore_index=True))


def remove_duplicates(tickets: Tickets) -> Tickets:
    """Keep one row of each normalised text; rows with other labels go to the quarantine.

    Of equal texts with unlike labels the most complete, then the most frequent labels stay, the
    latest row on a tie; a copy without any label is merged into them.
    """
    frame = tickets.frame
    labels = [head for head in HEADS if head in frame]
    key = frame["text"].map(lambda text: normalise(text).text)
    verdict = _joined(frame[labels]) if labels else key
    votes = verdict.groupby([key, verdict]).transform("size")
    labelled = frame[labels].notna().sum(axis=1) if labels else votes
    order = pd.DataFrame({"key": key, "verdict": verdict, "labelled": labelled, "votes": votes,
                          "row": frame["row"]})  # fmt: skip
    ranked = order.sort_values(["labelled", "votes", "row"])
    winner = key.map(ranked.groupby("key")["verdict"].last())
    agrees = (verdict == winner) | (labelled == 0)
    conflicts = frame[~agrees]
    kept = frame[(verdict == winner) & ~key.where(verdict == winner).duplicated()]
    copies = int(agrees.sum()) - len(kept)
    notes = list(tickets.notes)
    if copies:
        notes.append(f"完全重复的 {copies} 行已合并")
    quarantine = tickets.quarantine
    if len(conflicts):
        notes.append(f"同一内容标签不一致的 {len(conflicts)} 行移入隔离文件")
        fault = conflicts[["row", "text"]].assign(
            column="|".join(labels), reason="与另一行内容相同而标签不同", kept=False
        )
        quarantine = pd.concat([quarantine, fault], ignore_index=True)
    return Tickets(kept.reset_index(drop=True), quarantine, notes, tickets.columns)


def _joined(labels: pd.DataFrame) -> pd.Series:
    """Return one string for each row of labels, blanks for those that are missing."""
    return labels.astype(object).where(labels.notna(), "").astype(str).agg("|".join, axis=1)


def set_aside_small_classes(tickets: Tickets, min_rows: int = MIN_CLASS_ROWS) -> Tickets:
    """Move natures with too few tickets to the quarantine; other labels of the row go with it.

    Raises
    ------
    DataError
        If fewer than two natures are left; the message says what to do.
    """
    frame = tickets.frame
    if "nature" not in tickets.heads:
        return tickets
    counts = frame["nature"].value_counts()
    small = counts[counts < min_rows]
    if len(counts) - len(small) < 2:
        raise DataError(
            f"The column nature has {len(counts)} class(es) "
            f"({', '.join(map(str, counts.index[:5]))}), of which "
            f"{len(counts) - len(small)} with {min_rows} rows or more: two are needed. Check that "
            "--map names the right column, add tickets, or merge classes with --labels.",
            code="too_few_classes",
        )
    if small.empty:
        return tickets
    rows = frame["nature"].isin(small.index)
    listed = "、".join(f"{name}（{count} 行）" for name, count in small.items())
    notes = [
        *tickets.notes,
        f"性质 {listed} 不足 {min_rows} 行，学不会也量不准，已移入隔离文件；"
        "请补充工单，或用 --labels 合并类别",
    ]
    fault = frame.loc[rows, ["row", "text"]].assign(
        column="nature", reason=f"该性质不足 {min_rows} 行", kept=False
    )
    quarantine = pd.concat([tickets.quarantine, fault], ignore_index=True)
    return Tickets(frame[~rows].reset_index(drop=True), quarantine, notes, tickets.columns)


def frame_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of the texts and labels of a table, in their order."""
    columns = [column for column in ("text", *HEADS) if column in frame]
    hashed = sha256()
    for line in _joined(frame[columns]):
        hashed.update(line.encode("utf-8", "replace") + b"\x1e")
    return hashed.hexdigest()
