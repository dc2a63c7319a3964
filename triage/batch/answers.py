"""A table of complaints with the answers beside its rows, masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from triage.batch.rows import Item, take_items
from triage.batch.write import PREFIX
from triage.engine import Triage
from triage.privacy import MASK, mask
from triage.schema import TEXT_FAULTS, Assessment, TextError

_PERSONAL_HEADING = re.compile(
    r"电话|手机|姓名|联系人|联系方式|身份证|证件号|住址|地址|微信|邮箱|卡号|车牌"
)

ANSWER_COLUMNS = ("nature", "nature_name", "nature_probability", "severity", "severity_name",
                  "severity_probability", "emotion", "emotion_name", "sentiment", "signals",
                  "grade", "grade_name", "decision", "team", "team_name", "desk", "register_due",
                  "first_response_due", "plan_due", "clocks", "opening", "reasons", "degraded",
                  "model_version", "policy_version",
                  "note", "error")  # fmt: skip


class Counts(NamedTuple):
    """Rows, those with an error beside them, and those that the default route took."""

    rows: int
    errors: int
    default_routed: int


def answer_rows(
    desk: Triage,
    table: pd.DataFrame,
    columns: Mapping[str, str],
    received_at: datetime | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[pd.DataFrame, Counts]:
    """Assess the rows of a table; a bad row keeps its error beside it.

    Parameters
    ----------
    desk : Triage
    table : DataFrame
        As read.
    columns : mapping
        Our column → the table's heading.
    received_at : datetime, optional
        When complaints were received that don't say so; now if absent.
    on_step : callable, optional
        Told how many more rows are done.

    Returns
    -------
    answered : DataFrame
        The table, masked, with `ANSWER_COLUMNS`.
    counts : Counts
    """
    items = take_items(table, columns, received_at)
    good = [item.complaint for item in items if item.complaint]
    assessed = iter(desk.assess_each(good, on_step))
    if on_step:
        on_step(len(items) - len(good))
    answers = [next(assessed) if item.complaint else item.error for item in items]
    errors = sum(isinstance(answer, TextError) for answer in answers)
    masked = _masked(table, columns, items, answers)
    rows = [_row(answer, item.notes) for answer, item in zip(answers, items, strict=True)]
    added = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    for name in ANSWER_COLUMNS:
        masked[PREFIX + name] = added[name].to_numpy()
    default = sum(isinstance(a, Assessment) and "route.default" in a.degraded for a in answers)
    return masked, Counts(len(answers), errors, default)


def _masked(
    raw: pd.DataFrame,
    columns: Mapping[str, str],
    items: Sequence[Item],
    answers: Sequence[Assessment | TextError],
) -> pd.DataFrame:
    """Mask every cell but ids, which are kept for joining; whole columns of personal data go."""
    ids = {columns.get("id"), columns.get("customer_id")}
    known = {
        item.complaint.text: answer.masked_text
        for item, answer in zip(items, answers, strict=True)
        if item.complaint and isinstance(answer, Assessment)
    }
    table = raw.copy()
    for heading in table.columns:
        if heading in ids:
            continue
        hide = _PERSONAL_HEADING.search(str(heading)) and heading not in columns.values()
        masked = {} if heading != columns["text"] else known
        table[heading] = pd.Series(
            [_masked_cell(cell, bool(hide), masked) for cell in table[heading]],
            index=table.index, dtype=object,
        )  # fmt: skip
    return table


def _masked_cell(cell: Any, hide: bool, known: Mapping[str, str]) -> Any:
    """Mask a cell; one without personal data stays as it is."""
    text = str(cell)
    if hide and not pd.isna(cell):
        return MASK * len(text)
    masked = known.get(text) or mask(text)
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
