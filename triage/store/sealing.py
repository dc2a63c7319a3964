"""Make an answer fit to be kept: masked, hashed with the store's salt, ready as one row."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import TypeAdapter

from triage.privacy import mask
from triage.schema import CHANNELS, SEVERITIES, SHANGHAI, Assessment
from triage.store.nouns import Entry

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a first response is due to whom no clock promises one."""

Texts = Literal["masked", "original"]

_ANSWERS = TypeAdapter(Assessment)
_WORDS = ("product", "industry", "region", "customer_tier", "resolution")
_FIGURES = ("amount", "repeat_count", "complexity", "area")


@dataclass(frozen=True, slots=True)
class Sealed:
    """One answer as it is written: the tables' columns, `at` being when it was made.

    `urgency` is 0 for the gravest grade; `due_at` is when a first response is.
    """

    id: str
    digest: str
    key: str
    customer: str | None
    channel: str | None
    kind: str | None
    facts: str | None
    text: str
    received_at: datetime
    at: datetime
    nature: str
    severity: str
    emotion: str
    grade: str
    urgency: int
    decision: str
    route: str
    due_at: datetime
    model_version: str
    policy_version: str
    body: str


@dataclass(frozen=True, slots=True)
class Seal:
    """What is needed to mask and to hash.

    Parameters
    ----------
    salt : str
        The store's.
    texts : {"masked", "original"}
        How the complaint's text is kept.
    """

    salt: str
    texts: Texts

    def digest(self, kind: Literal["customer", "text"], value: str) -> str:
        """Return a keyed hash: 128 bits of HMAC-SHA256, in hexadecimal."""
        return hmac.digest(self.salt.encode(), f"{kind}:{value}".encode(), "sha256").hex()[:32]

    def rows(self, entries: Sequence[Entry]) -> list[Sealed]:
        """Make entries fit to be kept."""
        now = datetime.now(SHANGHAI)
        return [self._row(entry, now) for entry in entries]

    def _row(self, entry: Entry, now: datetime) -> Sealed:
        answer, complaint = entry.answer, entry.complaint
        customer = complaint.customer_id
        return Sealed(
            id=entry.id,
            digest=self.digest("text", entry.text),
            key=entry.key,
            customer=None if customer is None else self.digest("customer", customer),
            channel=_masked(complaint.channel),
            kind=complaint.kind,
            facts=_facts(entry),
            text=_plain(answer.masked_text if self.texts == "masked" else entry.text),
            received_at=answer.received_at,
            at=now,
            nature=_plain(answer.nature.label),
            severity=answer.severity.label,
            emotion=answer.emotion.label,
            grade=answer.grade,
            urgency=len(SEVERITIES) - 1 - SEVERITIES.index(answer.grade),
            decision=answer.decision,
            route=answer.route.team,
            due_at=_due_at(answer),
            model_version=answer.model_version,
            policy_version=answer.policy_version,
            body=_body(answer),
        )


def _body(answer: Assessment) -> str:
    """Return an answer's JSON from `model_version` on; what is kept is stored, whenever it was."""
    if not answer.stored or "store" in answer.degraded:
        degraded = [part for part in answer.degraded if part != "store"]
        answer = replace(answer, stored=True, degraded=degraded)
    return _ANSWERS.dump_json(answer, exclude={"id", "revision"}).decode()


def _due_at(answer: Assessment) -> datetime:
    """Return by when the customer must hear first."""
    due = [clock.due_at for clock in answer.deadlines
           if clock.binding and clock.milestone == "first_response"]  # fmt: skip
    return min(due, default=NEVER)


def _facts(entry: Entry) -> str | None:
    """Return the complaint's other facts as JSON, words masked."""
    complaint = entry.complaint
    found: dict[str, Any] = {name: _masked(getattr(complaint, name)) for name in _WORDS}
    found |= {name: getattr(complaint, name) for name in _FIGURES}
    told = {name: value for name, value in found.items() if value is not None}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) if told else None


def _masked(words: str | None) -> str | None:
    return words if words is None or words in CHANNELS else masked(words)


def masked(words: str) -> str:
    """Return words masked and fit for every database."""
    return _plain(mask(words))


def _plain(text: str) -> str:
    """Replace NUL, which PostgreSQL refuses."""
    return text.replace("\0", "\ufffd")
