"""The report of a training run: its page with the phrases that led to mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from triage.engine import Triage, answer_corrections
from triage.registry import library_versions
from triage.report.model import model_page
from triage.report.shown import ShownError, ShownSpan, worst_errors
from triage.schema import SHANGHAI


def training_page(
    desk: Triage,
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    tickets: pd.DataFrame,
    *,
    comparison: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
    corrections: pd.DataFrame | None = None,
    promoted: bool = False,
    source: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Write the page of a model that has just been trained.

    Parameters
    ----------
    desk : Triage
        The model under its policy and version.
    manifest, metrics : mapping
        What its folder will hold.
    tickets : DataFrame
        See `evaluate.tickets_table`.
    comparison, audit : mapping, optional
        `Comparison.to_dict()`, `Audit.to_dict()`.
    corrections : DataFrame, optional
        The latest ones: `key, head, label, text, was`.
    promoted, source, notes
        See `model_page`.

    Returns
    -------
    str
        HTML in one piece.
    """
    told = {
        "created_at": datetime.now(SHANGHAI).isoformat(timespec="seconds"),
        "libraries": library_versions(),
        **manifest,
    }
    answered = None
    if corrections is not None and len(corrections):
        answered = answer_corrections(desk.model, tickets, corrections)
    return model_page(
        told,
        metrics,
        tickets,
        version=desk.model_version,
        comparison=comparison,
        audit=audit,
        corrections=answered,
        names=desk.policy.file.labels.model_dump(),
        errors=[explained(desk, error) for error in worst_errors(tickets)],
        protected=desk.policy.file.protected_classes,
        promoted=promoted,
        source=source,
        notes=notes,
    )


def explained(desk: Triage, error: ShownError) -> ShownError:
    """Add what led a model to a mistake: the weight of each stretch toward its answer."""
    reading = desk.read(error.text)
    predictions = desk.model.predict([reading.prepared.text])
    parts = desk.contributions(reading, error.answer, error.head, predictions, 0)
    spans = tuple(ShownSpan(part.span.start, part.span.end, part.weight) for part in parts)
    return replace(error, spans=spans)
