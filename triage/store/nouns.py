"""The nouns of the store: what goes in and what comes back."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from triage.schema import HEADS, Assessment, Complaint

EventKind = Literal["registered", "responded", "planned", "resolved", "reopened", "satisfaction"]

EVENTS: tuple[EventKind, ...] = get_args(EventKind)
"""What a customer's own system may report of an assessment."""

FEEDBACK_HEADS = (*HEADS, "grade", "route")
"""What a person may correct; grade and route of an assessment only, and no model learns them."""


def new_id() -> str:
    """Return a new id of an assessment: a UUID of version 7, so that later ones sort later.

    Examples
    --------
    >>> len(new_id()), new_id()[14]
    (36, '7')
    """
    bits = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return str(UUID(int=bits & ~(0xF << 76 | 0x3 << 62) | 7 << 76 | 2 << 62))


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer to be kept.

    Attributes
    ----------
    id : str
        The caller's, or a new one (see `new_id`).
    text : str
        The complaint's text as sent: hashed, and kept as the setting `store_texts` says.
    answer : Assessment
        Its id, revision and `stored` are set by the store.
    complaint : Complaint
        The facts; the customer's id is hashed, other words are masked.
    key : str
        See `data.ticket_key`.
    """

    id: str
    text: str
    answer: Assessment
    complaint: Complaint
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The latest revision of an assessment as it stands.

    Attributes
    ----------
    id : str
    revision : int
        1 for the first.
    digest : str
        A keyed hash of the text as sent (see `Store.digest`).
    received_at, created_at : datetime
        When the complaint came in, and when its first answer was made.
    body : str
        The answer from `model_version` on, as compact JSON.
    """

    id: str
    revision: int
    digest: str
    received_at: datetime
    created_at: datetime
    body: str = field(repr=False)

    @property
    def json(self) -> bytes:
        """The whole answer as JSON, ready to be sent."""
        head = f'{{"id":{json.dumps(self.id, ensure_ascii=False)},"revision":{self.revision},'
        return (head + self.body[1:]).encode()

    @property
    def answer(self) -> dict[str, Any]:
        """The whole answer, `stored` true."""
        return dict(json.loads(self.json))


@dataclass(frozen=True, slots=True)
class Conflict:
    """An id under which another text is kept: nothing was written.

    Attributes
    ----------
    id : str
    """

    id: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a complaint in the customer's own system.

    Attributes
    ----------
    kind : {"registered", "responded", "planned", "resolved", "reopened", "satisfaction"}
    at : datetime or None
        When; the time of adding if absent.
    value : int or None
        Satisfaction, 1 least … 5 most; None for the others.
    by : str or None
        Who reports it; kept masked.
    """

    kind: str
    at: datetime | None = None
    value: int | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says of one head of one ticket or assessment.

    Attributes
    ----------
    key : str
        What the ticket is known by (see `data.ticket_key`); of an assessment the store knows it.
    head : {"nature", "severity", "emotion", "grade", "route"}
        The last two only of an assessment: they are kept and shown, but no model learns them.
    label : str
        What is right: a step, any nature, any team.
    text : str
        The ticket's text; it is kept masked. That of an assessment is the store's.
    was : str or None
        What stood there before: a label of the file, or a model's answer (of an assessment the
        latest revision's).
    by : str or None
        Who says so.
    why : str or None
        In the person's own words.
    source : str
        The file, or the service, that it came by.
    at : datetime or None
        When; the time of adding if absent.
    assessment : str or None
        The id of the assessment that is corrected.
    """

    key: str
    head: str
    label: str
    text: str = ""
    was: str | None = None
    by: str | None = None
    why: str | None = None
    source: str = ""
    at: datetime | None = None
    assessment: str | None = None
