"""The store: one open database, and what can be asked of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Engine, func, select, text

from triage.schema import HEADS, SHANGHAI, DataError
from triage.store import assessments, events, feedback, removal
from triage.store.connection import in_words, is_taken, reading, writing
from triage.store.nouns import Conflict, Entry, Event, Feedback, Kept
from triage.store.sealing import Seal, Sealed
from triage.store.spool import Spool
from triage.store.tables import AssessmentRow, Base, FeedbackRow, RevisionRow

if TYPE_CHECKING:
    import pandas as pd

_BREATH_SECONDS = 0.01
"""Time that a purge leaves to other writers between its portions of 30 ms."""

_TRIES = 5
"""Times that a write is begun again because another process kept the same id meanwhile."""


class Store:
    """An open store; close it, or use it in a `with` statement. Threads may share it.

    Every method raises `DataError`: with a code that begins with `store_` where the database fails,
    with another where what is asked is wrong.

    Parameters
    ----------
    engine : Engine
        See `connection.connect`; its tables are there.
    seal : Seal
        What masks and hashes.
    spool : Spool
        Where answers wait on this machine: an erasure reaches them too.
    found_version : int or None
        The version of the tables before they were opened, None where there were none.
    """

    def __init__(self, engine: Engine, seal: Seal, spool: Spool, found_version: int | None) -> None:
        self.engine = engine
        self.found_version = found_version
        self.seal = seal
        self.spool = spool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def ping(self) -> None:
        """Ask the database for nothing, to see that it answers.

        Raises
        ------
        DataError
            If it does not.
        """
        with reading(self.engine) as connection:
            connection.execute(text("SELECT 1"))

    def digest(self, words: str) -> str:
        """Return the keyed hash by which a text as sent is known: that of `Kept.digest`."""
        return self.seal.digest("text", words)

    def latest(self, ids: Collection[str]) -> dict[str, Kept]:
        """Return what stands under each of these ids; those that are unknown are left out."""
        with reading(self.engine) as connection:
            return assessments.latest(connection, ids)

    def history(self, customers: Collection[str], *, days: int) -> dict[str, list[str]]:
        """Return the assessments of customers that were received within so many days before now.

        Parameters
        ----------
        customers : collection of str
            As the complaints name them.
        days : int

        Returns
        -------
        dict of customer to list of id
            The newest `assessments.HISTORY_MOST` at most; the caller leaves out its own.
        """
        if not customers:
            return {}
        since = datetime.now(SHANGHAI) - timedelta(days=days)
        hashes = {self.seal.digest("customer", customer): customer for customer in customers}
        with reading(self.engine) as connection:
            found = assessments.history(connection, hashes, since)
        return {hashes[customer]: ids for customer, ids in found.items()}

    def keep(self, entries: Sequence[Entry]) -> list[Kept | Conflict]:
        """Keep answers, all in one transaction.

        The same id, text and answer again gives what stands; another answer makes the next
        revision.

        Parameters
        ----------
        entries : sequence of Entry

        Returns
        -------
        list of Kept or Conflict
            What stands now, in the order given; a Conflict where the id has another text.

        Raises
        ------
        DataError
            If the database fails: then nothing of it is kept.
        """
        return self._keep(self.seal.rows(entries))[0]

    def keep_sealed(self, rows: Sequence[Sealed]) -> list[Sealed]:
        """Keep answers that waited in the spool; return those whose id has another text.

        One that is older than what stands by now adds nothing, nor does one of a customer who was
        erased after it was made.
        """
        outcomes, rows = self._keep(rows, late=True)
        return [row for row, outcome in zip(rows, outcomes, strict=True)
                if isinstance(outcome, Conflict)]  # fmt: skip

    def _keep(
        self, rows: Sequence[Sealed], *, late: bool = False
    ) -> tuple[list[Kept | Conflict], Sequence[Sealed]]:
        """Keep rows; again, where another process added the same one between look and write."""
        for left in reversed(range(_TRIES)):
            try:
                with writing(self.engine) as connection:
                    if late:
                        rows = removal.without_erased(connection, rows)
                    return assessments.keep(connection, rows, late=late), rows
            except DataError as error:
                if not (left and is_taken(error)):
                    raise
        raise AssertionError("the last try returns or raises")

    def assessment(self, name: str) -> dict[str, Any] | None:
        """Return all that is kept of an assessment, None where there is none.

        Returns
        -------
        dict or None
            `assessment` the latest answer; `created_at`; `state`, one of `open`, `corrected` and
            `resolved`; `revisions`, each with `revision, at, model_version, policy_version`;
            `events`, each with `kind, at, value, by`; `feedback`, each with `head, label, was, by,
            why, source, at`. The newest are last.
        """
        row = RevisionRow
        asked = select(row.revision, row.at, row.model_version, row.policy_version)
        with reading(self.engine) as connection:
            kept = assessments.latest(connection, [name]).get(name)
            if kept is None:
                return None
            state = connection.scalar(select(AssessmentRow.state).where(AssessmentRow.id == name))
            revisions = connection.execute(
                asked.where(row.assessment == name).order_by(row.revision)
            )
            said = feedback.read(connection, FeedbackRow.assessment == name)
            return {
                "assessment": kept.answer,
                "created_at": kept.created_at,
                "state": state,
                "revisions": [dict(revision) for revision in revisions.mappings()],
                "events": [asdict(event) for event in events.read(connection, name)],
                "feedback": [{part: one[part] for part in _SHOWN} for one in said],
            }

    def add_event(self, name: str, event: Event) -> Event:
        """Add what happened to a complaint; the same kind at the same time again adds nothing.

        The last of `resolved` and `reopened`, by their times, says whether it is resolved.

        Returns
        -------
        Event
            As it stands.

        Raises
        ------
        DataError
            `assessment_unknown` or `event_invalid`, or if the database fails.
        """
        with writing(self.engine) as connection:
            return events.add(connection, name, event)

    def add_feedback(self, items: Sequence[Feedback]) -> int:
        """Keep corrections, all of them or none, in the order given.

        One that says what the same person last said of that ticket and head by the same source adds
        nothing, so that a file can be imported again; nor does one that the same person takes back
        further on. A later one wins over an earlier one. An assessment that is corrected, or
        confirmed, waits for review no longer.

        Parameters
        ----------
        items : sequence of Feedback

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        DataError
            If a head or a step (`feedback_invalid`) or an assessment (`assessment_unknown`) is
            unknown, or the database fails; nothing is kept then.
        """
        with writing(self.engine) as connection:
            return feedback.add(connection, items)

    def feedback(self) -> pd.DataFrame:
        """Return all corrections that a model may learn from, the newest last.

        Returns
        -------
        DataFrame
            `id, at, key, text, head, label, was, by, why, source, assessment`; `at` in
            Asia/Shanghai. Those of grade and route are no labels: see `assessment`.
        """
        import pandas as pd

        with reading(self.engine) as connection:
            found = feedback.read(connection, FeedbackRow.head.in_(HEADS))
        return pd.DataFrame(found, columns=feedback.COLUMNS, dtype=object)

    def corrections(self) -> pd.DataFrame:
        """Return the latest correction of each ticket and head.

        Returns
        -------
        DataFrame
            Columns of `feedback`, with `conflict` and `others` (see `data.latest_corrections`).
        """
        from triage.data import latest_corrections

        return latest_corrections(self.feedback())

    def review(
        self, *, after: str | None = None, limit: int = 50, decision: str | None = None
    ) -> tuple[list[Kept], str | None]:
        """Return a page of what waits for a person: neither corrected nor resolved since.

        Parameters
        ----------
        after : str, optional
            Where the page before ended; the first page if absent.
        limit : int
            Most items.
        decision : {"review", "suggest"}, optional
            Only what a person has to judge, or only what a person confirms.

        Returns
        -------
        items : list of Kept
            The gravest grade first, then the earliest binding first response.
        after : str or None
            Where this page ended; None if it is the last.

        Raises
        ------
        DataError
            `cursor_invalid`, or if the database fails.
        """
        with reading(self.engine) as connection:
            return assessments.review(connection, after, limit, decision)

    def erase_customer(self, customer: str, actor: str = "") -> dict[str, int]:
        """Delete everything of a customer (PIPL, Art. 47).

        Assessments with revisions, events and corrections; corrections by file of the same tickets;
        lines in this machine's spool. Lines in another machine's are left out when they are
        drained. The audit log says how many and when, and knows the customer by a keyed hash only.
        SQLite overwrites what is deleted, and its write-ahead log is emptied; where a reader holds
        that log, or in PostgreSQL's pages and log, the bytes stay until the next checkpoint or
        vacuum reuses them. Backups are not reached.

        Parameters
        ----------
        customer : str
            As the complaints name it.
        actor : str
            Who asked for it; kept masked.

        Returns
        -------
        dict of str to int
            Rows deleted: `assessments, revisions, events, feedback, spooled`.
        """
        known_as = self.seal.digest("customer", customer)
        with writing(self.engine) as connection:
            counts = removal.erase(connection, known_as, actor)
        self._clean()
        return counts | {"spooled": self.spool.forget(known_as)}

    def purge(self, older_than: datetime, actor: str = "") -> dict[str, int]:
        """Delete what came in before a moment, in portions, with all that hangs on it.

        Corrections that came by a file go by the time they were added, for their texts are personal
        data too: export them first if a later model shall learn from them. The audit log stays.

        Returns
        -------
        dict of str to int
            Rows deleted: `assessments, revisions, events, feedback`.
        """
        total: Counter[str] = Counter()
        while True:
            with writing(self.engine) as connection:
                counts = removal.purge(connection, older_than, actor)
            total.update(counts)
            if not any(counts.values()):
                break
            time.sleep(_BREATH_SECONDS)
        if any(total.values()):
            self._clean()
        self.spool.purge(older_than)
        return dict(total)

    def _clean(self) -> None:
        with in_words(self.engine):
            removal.forget_traces(self.engine)

    def log(self, action: str, actor: str, subject: str = "", detail: str = "") -> None:
        """Add a line to the audit log, masked; it can be neither changed nor deleted."""
        with writing(self.engine) as connection:
            removal.log(connection, action, actor, subject, detail)

    def audit(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last lines of the audit log, the newest first: `at, action, actor, …`."""
        with reading(self.engine) as connection:
            return removal.read_log(connection, limit)

    def counts(self) -> dict[str, int]:
        """Return the rows of each table."""
        tables = [table for table in Base.metadata.sorted_tables if table.name not in _OWN]
        with reading(self.engine) as connection:
            return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                    for table in tables}  # fmt: skip


_SHOWN = ("head", "label", "was", "by", "why", "source", "at")
_OWN = ("schema_version", "facts")
