"""People's corrections: checked, masked, added once, given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from triage.schema import HEADS, ORDERED_HEADS, SEVERITIES, SHANGHAI, DataError
from triage.store.nouns import FEEDBACK_HEADS, Feedback
from triage.store.sealing import masked
from triage.store.tables import AssessmentRow, FeedbackRow

COLUMNS = ["id", "at", "key", "text", "head", "label", "was", "by", "why", "source", "assessment"]
"""The columns of all corrections."""

_MASKED = ("text", "label", "was", "by", "why", "source")
_STEPS = {**ORDERED_HEADS, "grade": SEVERITIES}
_AT_ONCE = 500
_F = FeedbackRow
_CORRECTED = (
    update(AssessmentRow)
    .where(AssessmentRow.id.in_(bindparam("ids", expanding=True)), AssessmentRow.state == "open")
    .values(state="corrected")
)


def add(connection: Connection, items: Sequence[Feedback]) -> int:
    """Add corrections that are new; see `Store.add_feedback`.

    Raises
    ------
    DataError
        If one is none, or its assessment is unknown.
    """
    now = datetime.now(SHANGHAI)
    corrected = _assessments(connection, {item.assessment for item in items if item.assessment})
    rows = [_row(_of_assessment(item, corrected), now) for item in items]
    last = {_who(row): at for at, row in enumerate(rows)}
    rows = [row for at, row in enumerate(rows) if last[_who(row)] == at]
    said = _last_words(connection, {row["key"] for row in rows})
    new = [row for row in rows if said.get(_who(row)) != row["label"]]
    if new:
        connection.execute(insert(_F), new)
    if corrected:
        connection.execute(_CORRECTED, {"ids": list(corrected)})
    return len(new)


def read(
    connection: Connection, *where: ColumnElement[bool]
) -> list[dict[str, Any]]:  # fmt: skip
    """Return corrections as they were added, the newest last."""
    asked = select(*(getattr(_F, name) for name in COLUMNS)).where(*where).order_by(_F.at, _F.id)
    return [dict(row) for row in connection.execute(asked).mappings()]


def _assessments(connection: Connection, ids: set[str]) -> dict[str, Any]:
    """Return the assessments that are corrected, locked against being erased meanwhile.

    Raises
    ------
    DataError
        If one is unknown.
    """
    asked = select(AssessmentRow.__table__).where(AssessmentRow.id.in_(sorted(ids)))
    rows = connection.execute(asked.order_by(AssessmentRow.id).with_for_update()) if ids else ()
    found = {row.id: row for row in rows}
    if unknown := ids - found.keys():
        raise unknown_assessment(min(unknown))
    return found


def unknown_assessment(name: str) -> DataError:
    """Return the error that there is no such assessment."""
    return DataError(
        f"There is no assessment {name}: it was never kept, or is erased or purged; check the id.",
        code="assessment_unknown",
    )


def _of_assessment(item: Feedback, corrected: Mapping[str, Any]) -> Feedback:
    """Fill in what the store knows of the assessment that is corrected."""
    if item.assessment is None:
        return item
    row = corrected[item.assessment]
    was = getattr(row, item.head, None) if item.head in FEEDBACK_HEADS else None
    return replace(item, key=row.key, text=row.text, was=item.was or was)


def _row(item: Feedback, now: datetime) -> dict[str, Any]:
    """Check a correction and mask it.

    Raises
    ------
    DataError
        If it is none.
    """
    heads = FEEDBACK_HEADS if item.assessment else HEADS
    if item.head not in heads or not item.key or not item.label:
        raise DataError(
            f"Feedback on {item.key!r} has head {item.head!r} and label {item.label!r}: it needs a "
            f"key, a label and one of {', '.join(heads)}.",
            code="feedback_invalid",
        )
    steps = _STEPS.get(item.head)
    if steps and item.label not in steps:
        raise DataError(
            f"Feedback on {item.key} says {item.head} is {item.label!r}: it must be one of "
            f"{', '.join(steps)}.",
            code="feedback_invalid",
        )
    kept = {name: masked(value) if isinstance(value, str) and name in _MASKED else value
            for name, value in asdict(item).items()}  # fmt: skip
    return kept | {"at": item.at or now}


_Who = tuple[str, str, str | None, str, str | None]


def _who(row: Mapping[str, Any]) -> _Who:
    """Return of which ticket and head who says something, and by which source."""
    return row["key"], row["head"], row["by"], row["source"], row["assessment"]


def _last_words(connection: Connection, keys: Iterable[str]) -> dict[_Who, str]:
    """Return what each person last said of each of these tickets' heads by each source."""
    said: dict[_Who, str] = {}
    wanted = sorted(keys)
    for begin in range(0, len(wanted), _AT_ONCE):
        part = _F.key.in_(wanted[begin : begin + _AT_ONCE])
        asked = select(_F.__table__).where(part).order_by(_F.id)
        said |= {_who(row): row["label"] for row in map(dict, connection.execute(asked).mappings())}
    return said
