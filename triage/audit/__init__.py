"""Suspect labels, conflicts, leakage and change over time in past tickets.

`audit_tickets` works on tickets and held-out probabilities that are passed in; it trains nothing
but a small throw-away model that tells how much a leaking phrase is leaned on. `answer_held_out`
gets those probabilities.
"""

from triage.audit.held_out import answer_held_out, held_out_answers
from triage.audit.result import Audit
from triage.audit.sentences import summary_sentences
from triage.audit.tables import corrections_table
from triage.audit.tickets import audit_tickets

__all__ = [
    "Audit",
    "answer_held_out",
    "audit_tickets",
    "corrections_table",
    "held_out_answers",
    "summary_sentences",
]
