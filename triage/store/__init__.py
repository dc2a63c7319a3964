"""What is kept: answers with their revisions, events, people's corrections and an audit log.

One database that several processes may share: SQLite by default, in a file beside the models, or
PostgreSQL by URL. Personal data is masked; customer ids and texts are known by keyed hashes only.
"""

from triage.store.connection import BUSY_MS
from triage.store.nouns import (
    EVENTS,
    FEEDBACK_HEADS,
    Conflict,
    Entry,
    Event,
    Feedback,
    Kept,
    new_id,
)
from triage.store.opening import open_store, stored_corrections
from triage.store.spool import Spool
from triage.store.store import Store
from triage.store.tables import SCHEMA_VERSION

__all__ = [
    "BUSY_MS",
    "EVENTS",
    "FEEDBACK_HEADS",
    "SCHEMA_VERSION",
    "Conflict",
    "Entry",
    "Event",
    "Feedback",
    "Kept",
    "Spool",
    "Store",
    "new_id",
    "open_store",
    "stored_corrections",
]
