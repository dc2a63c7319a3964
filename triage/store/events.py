"""What the customer's own system reports of an assessment, and what state that leaves it in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from triage.schema import SHANGHAI, DataError, in_shanghai
from triage.store.feedback import unknown_assessment
from triage.store.nouns import EVENTS, Event
from triage.store.sealing import masked
from triage.store.tables import AssessmentRow, EventRow

_E = EventRow
_STATES = {"resolved": "resolved", "reopened": "open"}


def add(connection: Connection, name: str, event: Event) -> Event:
    """Add an event to an assessment, unless it stands; see `Store.add_event`.

    Raises
    ------
    DataError
        If the assessment is unknown, or the event none.
    """
    now = datetime.now(SHANGHAI)
    by = masked(event.by) if event.by else None
    event = replace(_checked(event), at=in_shanghai(event.at or now), by=by)
    locked = select(AssessmentRow.id).where(AssessmentRow.id == name).with_for_update()
    if connection.scalar(locked) is None:
        raise unknown_assessment(name)
    for known in read(connection, name):
        if (known.kind, known.at) == (event.kind, event.at):
            return known
    row = {"assessment": name, "kind": event.kind, "at": event.at, "value": event.value,
           "by": event.by, "recorded_at": now}  # fmt: skip
    connection.execute(insert(_E), row)
    if event.kind in _STATES:
        last = [known.kind for known in read(connection, name) if known.kind in _STATES][-1]
        changed = update(AssessmentRow).where(AssessmentRow.id == name)
        connection.execute(changed.values(state=_STATES[last]))
    return event


def read(connection: Connection, name: str) -> list[Event]:
    """Return the events of an assessment, the newest last."""
    asked = select(_E.kind, _E.at, _E.value, _E.by).where(_E.assessment == name)
    return [Event(*row) for row in connection.execute(asked.order_by(_E.at, _E.id))]


def _checked(event: Event) -> Event:
    """Return an event that is one.

    Raises
    ------
    DataError
        If its kind is unknown, or a value is missing, wrong or not asked for.
    """
    if event.kind not in EVENTS:
        raise DataError(
            f"The event's kind is {event.kind!r}: it must be one of {', '.join(EVENTS)}.",
            code="event_invalid",
        )
    allowed = range(1, 6) if event.kind == "satisfaction" else (None,)
    if event.value not in allowed:
        raise DataError(
            f"The event {event.kind} has value {event.value!r}: satisfaction needs 1 to 5, the "
            "others none.",
            code="event_invalid",
        )
    return event
