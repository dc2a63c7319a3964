"""Past tickets: read, check, quarantine, de-duplicate, group, split.

Nothing is dropped in silence: a row that can't be used goes to the quarantine with its row number
and reason, and what was left out as a duplicate is counted.
"""

from triage.data.base import (
    OFF_TOPIC_FILE,
    REVIEWS,
    add_labelled_reviews,
    base_digest,
    load_off_topic,
    sentiment_reviews,
)
from triage.data.check import load_tickets
from triage.data.columns import (
    COLUMN_NAMES,
    COLUMNS,
    FACTS,
    clean_fact,
    read_label_mapping,
    recognise,
    recognise_text,
)
from triage.data.corrected import FEEDBACK, join_corrections, latest_corrections
from triage.data.corrections import (
    BY_HEADING,
    CORRECTION_COLUMNS,
    SOURCE_HEADING,
    Corrections,
    is_corrections_table,
    read_corrections,
)
from triage.data.delimited import FAULT
from triage.data.draft import label_line, write_mapping
from triage.data.encoding import decode
from triage.data.findings import PERSONAL_NAMES
from triage.data.look import Look, look_at, next_command, todo
from triage.data.mapping import (
    FileMapping,
    find_mapping,
    mapping_path,
    read_mapping,
    source_stem,
)
from triage.data.split import near_duplicate_groups, split, stable_share, ticket_key
from triage.data.sql import is_url, read_sql
from triage.data.tables import Stream, open_stream, read_table
from triage.data.tickets import (
    Tickets,
    frame_digest,
    remove_duplicates,
    set_aside_small_classes,
)

__all__ = [
    "add_labelled_reviews",
    "base_digest",
    "sentiment_reviews",
    "BY_HEADING",
    "COLUMNS",
    "COLUMN_NAMES",
    "CORRECTION_COLUMNS",
    "Corrections",
    "FACTS",
    "FAULT",
    "FEEDBACK",
    "FileMapping",
    "Look",
    "OFF_TOPIC_FILE",
    "PERSONAL_NAMES",
    "REVIEWS",
    "SOURCE_HEADING",
    "Stream",
    "Tickets",
    "clean_fact",
    "decode",
    "find_mapping",
    "frame_digest",
    "is_corrections_table",
    "is_url",
    "join_corrections",
    "label_line",
    "latest_corrections",
    "load_off_topic",
    "load_tickets",
    "look_at",
    "mapping_path",
    "near_duplicate_groups",
    "next_command",
    "open_stream",
    "read_corrections",
    "read_label_mapping",
    "read_mapping",
    "read_sql",
    "read_table",
    "recognise",
    "recognise_text",
    "remove_duplicates",
    "set_aside_small_classes",
    "source_stem",
    "split",
    "stable_share",
    "ticket_key",
    "todo",
    "write_mapping",
]
