"""Score a table of complaints and write the answers beside its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from triage.batch.rows import read_complaints
from triage.engine import Triage
from triage.privacy import MASK, mask
from triage.schema import TEXT_FAULTS, Assessment, TextError, UsageError

PREFIX = "triage_"
"""What the names of added columns begin with; columns of an earlier run are replaced."""

EXCEL_CELL = 32_767
"""Characters that an Excel cell holds."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PERSONAL_HEADING = re.compile(
    r"电话|手机|姓名|联系人|联系方式|身份证|证件号|住址|地址|微信|邮箱|卡号|车牌"
)

ANSWER_COLUMNS = ("nature", "nature_name", "nature_probability", "severity", "severity_name",
                  "severity_probability", "emotion", "emotion_name", "sentiment", "signals",
                  "grade", "grade_name", "decision", "team", "team_name", "desk", "register_due",
                  "first_response_due", "plan_due", "clocks", "opening", "reasons", "degraded",
                  "model_version", "policy_version",
                  "note", "error")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scored:
    """How a run over a file went: rows scored, and rows with an error beside them."""

    rows: int
    errors: int
    default_routed: int


def score_file(
    desk: Triage,
    source: Path,
    target: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    sheet: str | None = None,
    on_start: Callable[[int], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Scored:
    """Score every row of a file; a bad row keeps its error beside it.

    Parameters
    ----------
    desk : Triage
        Assesses the rows.
    source, target : Path
        CSV, Excel or Parquet, by their endings. The target's cells are masked.
    mapping : mapping of heading to column, optional
        For headings that are not recognised.
    sheet : str, optional
        Name of the Excel sheet.
    on_start, on_step : callable, optional
        Told the number of rows, then how many more are done.

    Raises
    ------
    UsageError
        If the target's ending is unknown, it is the source itself, or no column holds the text.
    DataError
        If the source can't be read.
    """
    write = _writer(target)
    if target.resolve() == source.resolve():
        raise UsageError(f"-o {target} is the file to be scored: name another.")
    raw, columns, items = read_complaints(source, mapping, sheet)
    if on_start:
        on_start(len(raw))
    good = [item.complaint for item in items if item.complaint]
    assessed = iter(desk.assess_each(good, on_step))
    answers = [next(assessed) if item.complaint else item.error for item in items]
    if on_step:
        on_step(len(items) - len(good))
    table = _masked(raw, columns)
    rows = [_row(answer, item.notes) for answer, item in zip(answers, items, strict=True)]
    added = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    for name in ANSWER_COLUMNS:
        table[PREFIX + name] = added[name].to_numpy()
    write(table)
    return Scored(
        len(answers),
        sum(isinstance(answer, TextError) for answer in answers),
        sum(isinstance(a, Assessment) and "route.default" in a.degraded for a in answers),
    )


def _masked(raw: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Mask every cell but ids, which are kept for joining; whole columns of personal data go."""
    ids = {columns.get("id"), columns.get("customer_id")}
    table = raw.copy()
    for heading in table.columns:
        if heading in ids:
            continue
        hide = _PERSONAL_HEADING.search(str(heading)) and heading not in columns.values()
        table[heading] = pd.Series(
            [_masked_cell(cell, bool(hide)) for cell in table[heading]],
            index=table.index, dtype=object,
        )  # fmt: skip
    return table


def _masked_cell(cell: Any, hide: bool) -> Any:
    """Mask a cell; one without personal data stays as it is."""
    text = str(cell)
    masked = MASK * len(text) if hide and not pd.isna(cell) else mask(text)
    return cell if masked == text else masked


def _row(answer: Assessment | TextError, notes: Sequence[str]) -> dict[str, Any]:
    """Return the added cells of one row."""
    if isinstance(answer, TextError):
        return {"error": mask(f"{answer.code}: {TEXT_FAULTS.get(answer.code, answer)}")}
    binding = [clock for clock in answer.deadlines if clock.binding]
    cells = {
        f"{clock.milestone}_due": f"{clock.due_at:%Y-%m-%d %H:%M}"
        for clock in binding
        if clock.party == "company"
    }
    return {
        **cells,
        "nature": answer.nature.label,
        "nature_name": answer.nature.name,
        "nature_probability": answer.nature.probability,
        "severity": answer.severity.label,
        "severity_name": answer.severity.name,
        "severity_probability": answer.severity.probability,
        "emotion": answer.emotion.label,
        "emotion_name": answer.emotion.name,
        "sentiment": answer.sentiment,
        "signals": " ".join(dict.fromkeys(signal.name for signal in answer.signals)),
        "grade": answer.grade,
        "grade_name": answer.grade_name,
        "decision": answer.decision,
        "team": answer.route.team,
        "team_name": answer.route.name,
        "desk": answer.route.desk,
        "clocks": "；".join(f"{clock.due_at:%Y-%m-%d %H:%M} {clock.basis}" for clock in binding),
        "opening": answer.handling.opening,
        "reasons": "；".join(answer.reasons),
        "degraded": " ".join(answer.degraded),
        "model_version": answer.model_version,
        "policy_version": answer.policy_version,
        "note": mask("；".join(notes)) or None,
    }


def _writer(target: Path) -> Callable[[pd.DataFrame], None]:
    """Return what writes the target whole or not at all.

    Raises
    ------
    UsageError
        If the target's kind is unknown or its folder can't be written to.
    """
    kinds: dict[str, Callable[[pd.DataFrame, Path], None]] = {
        ".csv": lambda table, path: _safe(table).to_csv(path, index=False, encoding="utf-8-sig"),
        ".xlsx": lambda table, path: _fit_excel(_safe(table)).to_excel(path, index=False),
        ".parquet": lambda table, path: _plain(table).to_parquet(path, index=False),
    }
    kind = target.suffix.lower()
    if kind not in kinds:
        raise UsageError(f"-o {target}: write to one of {', '.join(kinds)}.")
    if not target.parent.is_dir():
        raise UsageError(f"-o {target}: the folder {target.parent} does not exist: create it.")
    draft = target.with_name(f".{target.stem}.draft{kind}")
    try:
        if target.is_dir():
            raise IsADirectoryError(str(target))
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise UsageError(
            f"-o {target} can't be written: name a file in a folder of yours."
        ) from error

    def write(table: pd.DataFrame) -> None:
        try:
            kinds[kind](table, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    return write


def write_table(table: pd.DataFrame, target: Path) -> None:
    """Write a table whole or not at all; cells that a spreadsheet would run are made harmless.

    Raises
    ------
    UsageError
        If the target's kind is unknown or its folder can't be written to.
    """
    _writer(target)(table)


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Put a mark before cells that a spreadsheet would run as a formula."""
    return table.map(
        lambda cell: f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell
    )


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
