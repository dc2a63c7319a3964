"""Files in, files out: score complaints, try policies."""

from triage.batch.score import PREFIX, Scored, score_file, write_table
from triage.batch.trials import CaseResult, PolicyDifference, compare_policies, try_cases

__all__ = [
    "PREFIX",
    "CaseResult",
    "PolicyDifference",
    "Scored",
    "compare_policies",
    "score_file",
    "try_cases",
    "write_table",
]
