"""What is kept: people's corrections, masked, in one database that several processes may share.

SQLite by default, in a file beside the models. Rows of `feedback` are only ever added: the newest
word on a ticket wins where it is read, and what was said before stays.
"""

from triage.store.connection import BUSY_MS
from triage.store.feedback import Feedback, Store, open_store, stored_corrections
from triage.store.tables import SCHEMA_VERSION

__all__ = ["BUSY_MS", "SCHEMA_VERSION", "Feedback", "Store", "open_store", "stored_corrections"]
