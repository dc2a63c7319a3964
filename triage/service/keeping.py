"""What is kept, whether or not the store answers: what can't be written now waits in the spool."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

from triage.schema import SHANGHAI, DataError
from triage.service import metrics
from triage.service.problems import Refusal
from triage.settings import Settings
from triage.store import Conflict, Entry, Kept, Spool, Store, open_store

LOG = logging.getLogger("triage.service")

LOOK_SECONDS = 1.0
"""How often a store that is down, and the spool, are looked at."""

PURGE_SECONDS = 3_600.0
"""How often what is too old is deleted."""

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


class Keeping:
    """The store, and the spool for the times when there is none.

    Its methods block: they are called from the workers' threads.

    Parameters
    ----------
    settings : Settings
        Where both are.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.spool = Spool(settings.spool)
        self.store: Store | None = None
        self.up = False
        self.recover()

    def asked(
        self, call: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Ask the store.

        Raises
        ------
        Refusal
            503 while the store is down.
        DataError
            If what is asked is wrong.
        """
        if self.store is None or not self.up:
            raise Refusal("store_down")
        try:
            return call(self.store, *args, **kwargs)
        except DataError as error:
            if not error.code.startswith("store_"):
                raise
            self._failed(error)
            raise Refusal("store_down") from error

    def known(self, ids: Collection[str]) -> Mapping[str, Kept]:
        """Return what stands under these ids; nothing while the store is down."""
        return self._tried(lambda store: store.latest(ids), {}) if ids else {}

    def history(self, customers: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the ids of each customer's recent assessments; none while the store is down."""
        days = self.settings.repeat_days
        found: Mapping[str, Collection[str]] = {}
        return self._tried(lambda s: s.history(customers, days=days), found) if customers else found

    def keep(self, entries: Sequence[Entry]) -> list[Kept | Conflict] | None:
        """Keep answers in one transaction; None if they could only be spooled."""
        kept = self._tried(lambda store: store.keep(entries), None)
        if kept is None and entries:
            try:
                self.spool.add(entries)
            except (DataError, OSError) as error:
                LOG.error("spool can't be written, answers are lost: %s", error)
            metrics.SPOOLED.set(self.spool.pending())
        return kept

    def recover(self) -> None:
        """Open a store that was down, and write what waits in the spool.

        Raises
        ------
        ConfigError
            If the store's URL is none.
        """
        try:
            self.store = self.store or open_store(self.settings, serving=True)
            self.store.ping()
            if self.spool.pending():
                LOG.info(
                    "spool drained", extra={"facts": {"spooled": self.spool.drain(self.store)}}
                )
        except DataError as error:
            self._failed(error)
        else:
            self.up = True
            metrics.STORE_UP.set(1)
        metrics.SPOOLED.set(self.spool.pending())

    def look(self) -> None:
        """Recover from a store that is down, and write what waits in the spool."""
        if not self.up or self.spool.pending():
            self.recover()

    def purge(self) -> None:
        """Delete what is too old."""
        older_than = datetime.now(SHANGHAI) - timedelta(days=self.settings.retention_days)
        self._tried(lambda store: store.purge(older_than), None)

    def note(self, action: str, actor: str, subject: str = "") -> None:
        """Write to the audit log, as long as the store answers."""
        self._tried(lambda store: store.log(action, actor, subject), None)

    def close(self) -> None:
        """Write what waits, if that is possible, and close the store."""
        if self.spool.pending():
            self.recover()
        if self.store is not None:
            self.store.close()

    def _tried(self, call: Callable[[Store], T], otherwise: U) -> T | U:
        """Ask the store, unless it is known to be down: that costs every caller seconds."""
        try:
            return self.asked(call)
        except Refusal:
            return otherwise

    def _failed(self, error: DataError) -> None:
        if self.up or self.store is None:
            LOG.error("store down (%s): answers go to the spool", error.code)
        self.up = False
        metrics.STORE_UP.set(0)
