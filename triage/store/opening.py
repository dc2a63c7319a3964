"""Open the store that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from triage.settings import Settings, home_folder, load_settings
from triage.store.connection import connect, reading
from triage.store.feedback import COLUMNS
from triage.store.migrating import migrate
from triage.store.sealing import Seal
from triage.store.spool import Spool
from triage.store.store import Store
from triage.store.tables import FactRow

if TYPE_CHECKING:
    import pandas as pd


def open_store(settings: Settings | None = None, *, serving: bool = False) -> Store:
    """Open the store that the settings name; the file and its tables are made on first use.

    Tables of an earlier triage are brought up to date, without loss.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment if absent.
    serving : bool
        Whether a service opens it: it waits 2 seconds at most for what a command waits 30, and
        prepares the spool.

    Raises
    ------
    ConfigError
        If `TRIAGE_STORE` is no URL of a database.
    DataError
        If it can't be opened, or was made by a later triage.
    """
    settings = settings or load_settings()
    if settings.store is None:
        home_folder(settings.home).mkdir(parents=True, exist_ok=True)
    engine = connect(settings.store_url, sync=settings.store_sync, serving=serving)
    try:
        found = migrate(engine)
        with reading(engine) as connection:
            salt = connection.scalar(select(FactRow.value).where(FactRow.name == "salt"))
    except BaseException:
        engine.dispose()
        raise
    seal = Seal(str(salt), settings.store_texts)
    spool = Spool(settings.spool)
    if serving:
        spool.prepare(seal)
    return Store(engine, seal, spool, found)


def stored_corrections(settings: Settings | None = None) -> pd.DataFrame:
    """Return the latest corrections of the store; none, and nothing is made, where it has no file.

    Raises
    ------
    ConfigError, DataError
        See `open_store`.
    """
    import pandas as pd

    from triage.data import latest_corrections

    settings = settings or load_settings()
    file = home_folder(settings.home) / "triage.db"
    if settings.store is None and not file.is_file():
        return latest_corrections(pd.DataFrame(columns=COLUMNS, dtype=object))
    with open_store(settings) as store:
        return store.corrections()
