"""Connections: what SQLite must be told, transactions, and errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    exc,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.orm import Session

from triage.schema import SHANGHAI, ConfigError, DataError
from triage.store.tables import SCHEMA_VERSION, Base, SchemaVersion

BUSY_MS = 30_000
"""How long a writer waits for another one."""

_FAULTS = (
    ("locked", "store_busy", "another program has been writing to it for too long: try again"),
    ("not a database", "store_corrupt", "it is no SQLite database: restore it from a backup, or "
     "name another in TRIAGE_STORE"),
    ("malformed", "store_corrupt", "the file is damaged: restore it from a backup"),
    ("readonly", "store_readonly", "it can't be written to: allow this user to write the file and "
     "its folder"),
    ("unable to open", "store_missing", "it can't be opened: check that its folder exists and is "
     "yours"),
    ("full", "store_full", "the disk is full: make room"),
)  # fmt: skip


def connect(url: str) -> Engine:
    """Open a database and make its tables where they are missing.

    Raises
    ------
    ConfigError
        If the URL is none, or needs a driver that is not installed.
    DataError
        If the database can't be opened, or was made by a later triage.
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed)
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"TRIAGE_STORE is no URL of a database that can be used ({type(error).__name__}): "
            "write one such as sqlite:////var/lib/triage/triage.db, or unset it."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
    found = _version(engine)
    if found is None:
        _make_tables(engine)
    elif found > SCHEMA_VERSION:
        raise DataError(
            f"{parsed.render_as_string()} has tables of version {found}, this triage knows "
            f"{SCHEMA_VERSION}: install the triage that wrote it, or a later one.",
            code="store_newer",
        )
    return engine


def _version(engine: Engine) -> int | None:
    """Return the version of the tables, None where there are none."""
    with reading(engine) as session:
        if not inspect(session.connection()).has_table(SchemaVersion.__tablename__):
            return None
        return session.scalar(select(func.max(SchemaVersion.version)))


def _make_tables(engine: Engine) -> None:
    """Make the tables, unless another process does at the same time."""
    with writing(engine) as session:
        Base.metadata.create_all(session.connection())
        if session.get(SchemaVersion, SCHEMA_VERSION) is None:
            session.add(SchemaVersion(version=SCHEMA_VERSION, at=datetime.now(SHANGHAI)))


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Set what a SQLite connection does not remember; transactions are begun by `_begin`."""
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL",
                   "foreign_keys=ON"):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """Take the write lock first where something will be written: a reader can't become a writer."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Write in one transaction: all of it is kept or nothing."""
    with _in_words(engine), Session(engine.execution_options(writes=True)) as session:
        yield session
        session.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Read what stood when the first row was read."""
    with _in_words(engine), Session(engine) as session:
        yield session


@contextmanager
def _in_words(engine: Engine) -> Iterator[None]:
    """Say what a database's error means and what to do.

    Raises
    ------
    DataError
        In place of SQLAlchemy's errors.
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        cause = str(getattr(error, "orig", None) or error)
        found = next((fault for fault in _FAULTS if fault[0] in cause), ("", "store_failed", cause))
        raise DataError(
            f"The store {engine.url.render_as_string()} failed: {found[2]}.", code=found[1]
        ) from error
