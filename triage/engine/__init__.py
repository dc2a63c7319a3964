"""The road of one complaint, for one and for many, and which model may walk it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from triage.engine.desk import Triage, open_registry

if TYPE_CHECKING:
    from triage.engine.corrected import answer_corrections
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


def __getattr__(name: str) -> Any:
    """Import what compares models on first use: answering needs neither it nor pandas."""
    if name not in __all__:
        raise AttributeError(f"module 'triage.engine' has no attribute {name!r}")
    module = "corrected" if name == "answer_corrections" else "promotion"
    return getattr(import_module(f"triage.engine.{module}"), name)
