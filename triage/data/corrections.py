"""Read the corrections table that a lead fills in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from triage.data.columns import LABEL_ALIASES, as_text
from triage.data.delimited import FAULT
from triage.data.split import ticket_key
from triage.data.tables import read_table
from triage.privacy import MASK, mask
from triage.schema import HEADS, ORDERED_HEADS, UsageError

CORRECTION_COLUMNS: Mapping[str, str] = MappingProxyType({
    "key": "工单指纹",
    "row": "行号",
    "text": "内容",
    "nature": "性质",
    "right_nature": "正确性质",
    "severity": "严重程度",
    "right_severity": "正确严重程度",
    "emotion": "情绪",
    "right_emotion": "正确情绪",
    "why": "说明",
})  # fmt: skip
"""Our name → the heading in the table. A head's own column holds the label as it is or the model's
guess, its `right_` column what a person says it is; an empty one is no correction."""

CONFIRMING = frozenset({"√", "✓", "✔", "对", "是", "同左", "正确"})
"""What a lead may write into a `正确…` cell to say that the label on its left is right."""

BY_HEADING, SOURCE_HEADING = "更正人", "更正来源"
"""Optional headings: who made the correction, and by which file it first came."""

LONGEST_LABEL = 30
"""A longer new nature, or one with the marks of a sentence, is a remark and no label."""

_COLUMNS = ["key", "text", "head", "label", "was", "why", "by", "source", "row"]
_KEY_CHARS = 14
_KEY = re.compile(rf"[0-9a-f]{{{_KEY_CHARS}}}")
_QUOTED_FORMULA = re.compile(r"'(?=[=+\-@\t\r])")
_SPREADSHEET_FAULTS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!")
_SENTENCE = re.compile(r"[\n，。；？！,;?!]")


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a corrections table says.

    Attributes
    ----------
    frame : DataFrame
        One row a correction, in the order of the file: `key`, `text` (masked), `head`, `label`,
        `was` (the label on its left, None if blank), `why`, `by` and `source` (None where the file
        has no `更正人`, `更正来源`), `row` (its number in the file, the heading being row 1). Of
        two for one ticket and head by one person the later row stands.
    quarantine : DataFrame
        One row a cell that can't be used: `row`, `column` (the heading), `value`, `reason`.
    notes : list of str
        What a person should know of those that were taken in, in plain Chinese.
    """

    frame: pd.DataFrame
    quarantine: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def read_corrections(
    path: Path,
    sheet: str | None = None,
    *,
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> Corrections:
    """Read a corrections table: Excel, CSV or Parquet with the headings of `CORRECTION_COLUMNS`.

    Parameters
    ----------
    path : Path
        See `read_table`.
    sheet : str, optional
        Name of the Excel sheet.
    names : mapping of head to mapping of value to label, optional
        What a label may be called: ids, display names, a company's own words. Steps of ordered
        heads and `LABEL_ALIASES` are known without it. A nature that is not among them is taken as
        a new one, and noted.

    Returns
    -------
    Corrections

    Raises
    ------
    UsageError
        If the file lacks the headings, no `正确…` cell is filled in, or keys and texts were sorted
        apart.
    DataError
        If it can't be read.
    """
    raw = read_table(path, sheet)
    headings = {str(heading).strip(): heading for heading in raw.columns}
    right = [head for head in HEADS if CORRECTION_COLUMNS[f"right_{head}"] in headings]
    if not right or not {"工单指纹", "内容"} & set(headings):
        raise UsageError(
            f"{path} is no corrections table: it needs 工单指纹 or 内容, and one of 正确性质, "
            f"正确严重程度, 正确情绪; it has {', '.join(headings)}. Fill in a table that "
            "`triage review pick` or `triage audit` wrote.",
            code="corrections_columns",
        )
    reader = _Reader(names or {})
    rows = [{title: cells[column] for title, column in headings.items()}
            for cells in raw.to_dict("records")]  # fmt: skip
    _check_order(path, [int(row) for row in raw.index], rows)
    for row, cells in zip(raw.index, rows, strict=True):
        reader.read(int(row), cells)
    if not reader.found and not reader.bad:
        filled = "、".join(CORRECTION_COLUMNS[f"right_{head}"] for head in right)
        raise UsageError(
            f"{path} has {len(raw)} rows, but no cell under {filled} is filled in: write the right "
            "label there, or √ where the one on its left is right.",
            code="no_corrections",
        )
    return reader.result()


def is_corrections_table(headings: list[str]) -> bool:
    """Tell a corrections table, whose labels may be wrong, from a file of tickets."""
    plain = {heading.strip() for heading in headings}
    return any(CORRECTION_COLUMNS[f"right_{head}"] in plain for head in HEADS)


class _Reader:
    """Takes a table apart cell by cell and gathers the faults."""

    def __init__(self, names: Mapping[str, Mapping[str, str]]) -> None:
        self.names = {head: _known(head, names.get(head, {})) for head in HEADS}
        told = names.get("nature", {})
        self.natures = sorted({*told, *told.values()})
        self.found: list[dict[str, Any]] = []
        self.bad: list[tuple[int, str, str, str]] = []
        self.new: Counter[str] = Counter()

    def read(self, row: int, cells: Mapping[str, Any]) -> None:
        """Take in one row."""
        ours = {name: _cell(cells.get(title)) for name, title in CORRECTION_COLUMNS.items()}
        filled = [head for head in HEADS if ours[f"right_{head}"]]
        if not filled:
            return
        key = _key(ours["key"]) or (ticket_key(ours["text"]) if ours["text"] else "")
        fault = None if key else "工单指纹和内容都是空的，不知道是哪张工单"
        fault = cells.get(FAULT) if isinstance(cells.get(FAULT), str) else fault
        if fault:
            self._refuse(row, filled[0], ours[f"right_{filled[0]}"], fault)
            return
        shared = {"key": key, "text": mask(ours["text"] or ""), "row": row,
                  "why": mask(ours["why"]) if ours["why"] else None,
                  "by": _cell(cells.get(BY_HEADING)),
                  "source": _cell(cells.get(SOURCE_HEADING))}  # fmt: skip
        for head in filled:
            was = self._was(head, ours[head])
            if label := self._label(row, head, str(ours[f"right_{head}"]), was):
                self.found.append({**shared, "head": head, "label": label, "was": was})

    def _was(self, head: str, value: str | None) -> str | None:
        if value is None:
            return None
        return self.names[head].get(_folded(value), mask(value))

    def _label(self, row: int, head: str, value: str, was: str | None) -> str | None:
        """Return the label that a cell means; None after refusing it."""
        label, reason = self.names[head].get(_folded(value)), ""
        if label is None and value in CONFIRMING:
            value = was or value
            label = self.names[head].get(_folded(value))
            reason = "" if was else "左边没有标签可以确认"
        if label is None and head in ORDERED_HEADS:
            reason = reason or f"不认识；可用 {_steps_in_words(head)}"
        elif label is None and not reason:
            label, reason = self._new_nature(value)
        if reason:
            self._refuse(row, head, value, reason)
        return label

    def _new_nature(self, value: str) -> tuple[str | None, str]:
        """Accept a nature that nobody knows yet, unless the cell holds no name."""
        if value.upper() in _SPREADSHEET_FAULTS or not any(char.isalnum() for char in value):
            return None, "不是性质的名称"
        if len(value) > LONGEST_LABEL or _SENTENCE.search(value):
            return None, "像是说明，不是性质的名称；请写在「说明」列"
        if mask(value) != value:
            return None, "含有个人信息，不能作性质的名称"
        self.new[value] += 1
        return value, ""

    def _refuse(self, row: int, head: str, value: Any, reason: str) -> None:
        self.bad.append((row, CORRECTION_COLUMNS[f"right_{head}"], mask(str(value)), reason))

    def result(self) -> Corrections:
        """Return what was taken in and what was not."""
        notes = []
        for value, count in self.new.items():
            like = get_close_matches(value, self.natures, n=1, cutoff=0.6)
            hint = f"；如果是「{like[0]}」的笔误，请改正后重新导入" if like else ""
            notes.append(f"「{value}」是模型和策略都没有的新性质（{count} 处），已收下{hint}")
        frame = pd.DataFrame(self.found, columns=_COLUMNS, dtype=object)
        last = frame.drop_duplicates(["key", "head", "by", "source"], keep="last")
        if unlike := len(frame.drop_duplicates(["key", "head", "by", "source", "label"])) - len(
            last
        ):
            notes.append(f"同一张工单在表里有不同说法的 {unlike} 处，以靠后的一行为准")
        quarantine = pd.DataFrame(self.bad, columns=["row", "column", "value", "reason"])
        return Corrections(last.reset_index(drop=True), quarantine, notes)


def _known(head: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what each folded name of a label means; what is told goes before what is built in."""
    steps = {step: step for step in ORDERED_HEADS.get(head, ())}
    themselves = {label: label for label in names.values()}
    known = {**LABEL_ALIASES.get(head, {}), **steps, **themselves, **names}
    return {_folded(name): label for name, label in known.items()}


def _steps_in_words(head: str) -> str:
    names = {label: name for name, label in reversed([*LABEL_ALIASES[head].items()])}
    return "、".join(f"{names[step]}（{step}）" for step in ORDERED_HEADS[head])


def _folded(value: str) -> str:
    return value.strip().lower()


def _cell(value: Any) -> str | None:
    """Return a cell as text, without the mark that kept a spreadsheet from running it."""
    text = as_text(value)
    return (_QUOTED_FORMULA.sub("", text, count=1) if text[:1] == "'" else text) if text else None


def _key(cell: str | None) -> str:
    """Return a written key, nothing if it is none; of digits alone it may have lost its zeros."""
    written = (cell or "").lower()
    written = written.zfill(_KEY_CHARS) if written.isdigit() else written
    return written if _KEY.fullmatch(written) else ""


def _check_order(path: Path, numbers: list[int], rows: list[dict[str, Any]]) -> None:
    """Refuse a table of which some columns were sorted without the others; masked texts can't tell.

    Raises
    ------
    UsageError
        If a row's text belongs to the key of another row, which holds another text.
    """
    keys = [_key(_cell(cells.get(CORRECTION_COLUMNS["key"]))) for cells in rows]
    texts = [_cell(cells.get(CORRECTION_COLUMNS["text"])) or "" for cells in rows]
    own = [ticket_key(text) if text and MASK not in text else "" for text in texts]
    beside = dict(zip(keys, own, strict=True))
    apart = [number for number, key, true in zip(numbers, keys, own, strict=True)
             if key and true and true != key and beside.get(true, true) != true]  # fmt: skip
    if apart:
        raise UsageError(
            f"{path}: in {len(apart)} rows (such as {', '.join(map(str, apart[:5]))}) 工单指纹 is "
            "not that of 内容 but of another row's: some columns were sorted without the others. "
            "Undo that, or fill in a new table; to sort, select all columns.",
            code="corrections_shuffled",
        )
