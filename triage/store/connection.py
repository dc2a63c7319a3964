"""Connections: what a database must be told, transactions, and errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from triage.privacy import mask
from triage.schema import ConfigError, DataError

BUSY_MS = 30_000
"""How long a command waits for another writer."""

SERVING_MS = 2_000
"""How long a service waits for a database, at most."""

_BUSY = ("store_busy", "another program has been writing to it for too long: try again")
_FULL = ("store_full", "the disk is full: make room")
_CORRUPT = ("store_corrupt", "it is no SQLite database: restore it from a backup, or name another "
            "in TRIAGE_STORE")  # fmt: skip
_READONLY = ("store_readonly", "it can't be written to: allow this user to write the database, or "
             "the file and its folder")  # fmt: skip
_DOWN = ("store_down", "the server does not answer: start it; what is assessed meanwhile is not "
         "lost")  # fmt: skip
_ABSENT = ("store_missing", "it, or the user or a table in it, does not exist: create it, or "
           "correct TRIAGE_STORE")  # fmt: skip
_CROWDED = ("store_busy", "the server has no connection left: allow more, or use fewer workers")
_FAULTS = (
    ("locked", *_BUSY),
    *((f"[{state}]", *_BUSY) for state in ("57014", "55P03", "40P01", "40001")),
    ("[53300]", *_CROWDED),
    ("too many", *_CROWDED),
    ("not a database", *_CORRUPT),
    ("malformed", "store_corrupt", "the file is damaged: restore it from a backup"),
    *((sign, *_READONLY) for sign in ("readonly", "[25006]", "[42501]")),
    ("unable to open", "store_missing", "it can't be opened: check that its folder exists and is "
     "yours"),
    ("does not exist", *_ABSENT),
    ("[42P01]", *_ABSENT),
    ("authentication failed", "store_denied", "user or password are wrong: correct TRIAGE_STORE"),
    ("disk is full", *_FULL),
    ("[53100]", *_FULL),
)  # fmt: skip


def connect(url: str, *, sync: str = "normal", serving: bool = False) -> Engine:
    """Make an engine for a database; nothing is opened yet.

    Parameters
    ----------
    url : str
    sync : {"normal", "full"}
        SQLite's `synchronous`. What is committed outlives the process, however it ends, with both;
        `normal` may lose the last moments, never the file, when power fails. PostgreSQL has its own
        setting, `synchronous_commit`.
    serving : bool
        Whether to wait 2 seconds at most, as a service must, for what a command waits 30.

    Raises
    ------
    ConfigError
        If the URL is none, or needs a driver that is not installed.
    """
    wait_ms = min(SERVING_MS, BUSY_MS) if serving else BUSY_MS
    try:
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        engine = create_engine(
            parsed, hide_parameters=True, pool_pre_ping=not sqlite,
            connect_args={} if sqlite else _arguments(parsed, wait_ms if serving else None),
        )  # fmt: skip
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"TRIAGE_STORE is no URL of a database that can be used ({type(error).__name__}): "
            "write one such as sqlite:////var/lib/triage/triage.db or "
            "postgresql+psycopg://user@host/triage (needs the extra `postgres`), or unset it."
        ) from error
    if sqlite:
        pragmas = (f"busy_timeout={wait_ms}", "journal_mode=WAL", f"synchronous={sync}",
                   "foreign_keys=ON", "secure_delete=ON")  # fmt: skip
        event.listen(engine, "connect", lambda raw, record: _prepare_sqlite(raw, pragmas))
        event.listen(engine, "begin", _begin)
    elif serving:
        event.listen(engine, "do_connect", _connect_hurriedly)
    return engine


def _arguments(url: URL, wait_ms: int | None) -> dict[str, Any]:
    """Return what a PostgreSQL connection is told: whom it serves, and when to give up."""
    if url.get_backend_name() != "postgresql":
        raise exc.ArgumentError("neither SQLite nor PostgreSQL")
    asked: dict[str, Any] = {"connect_timeout": 2, "application_name": "triage"}
    if wait_ms:
        asked["options"] = f"-c statement_timeout={wait_ms} -c lock_timeout={wait_ms}"
        asked["tcp_user_timeout"] = wait_ms
    return asked


def _connect_hurriedly(dialect: Any, record: Any, words: Any, named: dict[str, Any]) -> Any:
    """Make a connection that gives up where the server is frozen."""
    from triage.store.patience import HurriedConnection

    return HurriedConnection.connect(*words, **named)


def _prepare_sqlite(connection: Any, pragmas: tuple[str, ...]) -> None:
    """Set what a SQLite connection does not remember; transactions are begun by `_begin`."""
    connection.isolation_level = None
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """Take the write lock first where something will be written: a reader can't become a writer."""
    writes = connection.get_execution_options().get("writes", False)
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN").close()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Write in one transaction: all of it is kept or nothing."""
    with in_words(engine), engine.connect() as connection:
        with connection.execution_options(writes=True).begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Read what is committed, on PostgreSQL without the round trips of a transaction."""
    with in_words(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        yield connection


@contextmanager
def in_words(engine: Engine) -> Iterator[None]:
    """Say what a database's error means and what to do.

    Raises
    ------
    DataError
        In place of SQLAlchemy's and the driver's errors; its code begins with `store_`.
    """
    try:
        yield
    except Exception as error:
        driver: Any = engine.dialect.loaded_dbapi
        if not isinstance(error, exc.SQLAlchemyError | driver.Error):
            raise
        code, advice = _explained(error, engine.dialect.name)
        raise DataError(
            f"The store {engine.url.render_as_string()} failed: {advice}.", code=code
        ) from error


def is_taken(error: DataError) -> bool:
    """Tell whether a write failed because another process added the same row meanwhile."""
    return "IntegrityError" in {kind.__name__ for kind in type(error.__cause__).__mro__}


def _explained(error: Exception, dialect: str) -> tuple[str, str]:
    """Return the code of a database's error and what to do about it."""
    origin = getattr(error, "orig", None) or error
    cause = f"[{getattr(origin, 'sqlstate', None)}] {origin}"
    for sign, code, advice in _FAULTS:
        if sign in cause:
            return code, advice
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    if dialect != "sqlite" and (lost or isinstance(error, exc.OperationalError | exc.TimeoutError)):
        return _DOWN
    return "store_failed", mask(str(origin).partition("\n")[0])
