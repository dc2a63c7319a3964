"""Files in, files out: score complaints, choose those to label, try policies."""

from triage.batch.pick import pick_tickets
from triage.batch.rows import read_complaints
from triage.batch.score import PREFIX, Scored, score_file, write_table
from triage.batch.trials import CaseResult, PolicyDifference, compare_policies, try_cases

__all__ = [
    "PREFIX",
    "CaseResult",
    "PolicyDifference",
    "Scored",
    "compare_policies",
    "pick_tickets",
    "read_complaints",
    "score_file",
    "try_cases",
    "write_table",
]
