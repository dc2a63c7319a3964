"""The road of one complaint, for one and for many, and which model may walk it."""

from triage.engine.corrected import answer_corrections
from triage.engine.desk import Triage, open_registry
from triage.engine.promotion import (
    candidate,
    challenge,
    common_rows,
    compare_models,
    compare_versions,
    promote,
    read_tickets,
    stored_comparison,
)

__all__ = [
    "Triage",
    "answer_corrections",
    "candidate",
    "challenge",
    "common_rows",
    "compare_models",
    "compare_versions",
    "open_registry",
    "promote",
    "read_tickets",
    "stored_comparison",
]
