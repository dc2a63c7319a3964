"""Past tickets: read, check, quarantine, de-duplicate, group, split.

Nothing is dropped in silence: a row that can't be used goes to the quarantine with its row number
and reason, and what was left out as a duplicate is counted.
"""

from triage.data.columns import (
    COLUMNS,
    FACTS,
    clean_fact,
    read_label_mapping,
    recognise,
    recognise_text,
)
from triage.data.encoding import decode
from triage.data.split import near_duplicate_groups, split, stable_share, ticket_key
from triage.data.tables import FAULT, read_table
from triage.data.tickets import (
    Tickets,
    frame_digest,
    load_tickets,
    remove_duplicates,
    set_aside_small_classes,
)

__all__ = [
    "COLUMNS",
    "FACTS",
    "FAULT",
    "Tickets",
    "clean_fact",
    "decode",
    "frame_digest",
    "load_tickets",
    "near_duplicate_groups",
    "read_label_mapping",
    "read_table",
    "recognise",
    "recognise_text",
    "remove_duplicates",
    "set_aside_small_classes",
    "split",
    "stable_share",
    "ticket_key",
]
