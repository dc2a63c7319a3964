"""Files in, files out: score complaints, choose those to label, try policies."""

from typing import TYPE_CHECKING, Any

from triage.batch.rows import read_complaints
from triage.batch.run import parts_folder
from triage.batch.score import Scored, score_file
from triage.batch.trials import CaseResult, PolicyDifference, compare_policies, try_cases
from triage.batch.write import PREFIX, write_table

if TYPE_CHECKING:
    from triage.batch.pick import pick_tickets

__all__ = [
    "PREFIX",
    "CaseResult",
    "PolicyDifference",
    "Scored",
    "compare_policies",
    "parts_folder",
    "pick_tickets",
    "read_complaints",
    "score_file",
    "try_cases",
    "write_table",
]


def __getattr__(name: str) -> Any:
    """Import what chooses tickets on first use: scoring, in each process, needs no scikit-learn."""
    if name == "pick_tickets":
        from triage.batch.pick import pick_tickets

        return pick_tickets
    raise AttributeError(f"module 'triage.batch' has no attribute {name!r}")
