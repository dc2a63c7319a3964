"""Read past tickets from a database by URL, without ever writing to it or showing a password."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from triage.data.encoding import decode
from triage.data.workbook import named
from triage.schema import DataError, TriageError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

CHUNK = 5_000
"""Rows that are fetched at a time."""

_URL = re.compile(r"[A-Za-z][\w+.-]+://")
_NAME = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*){0,2}")
_READS = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:select|with|values|table)\b", re.I | re.S)
_SECRET_KEY = re.compile("pass|pwd|secret|token|key", re.I)
_DRIVERS = {"postgres": "psycopg[binary]", "postgresql": "psycopg[binary]", "mysql": "pymysql",
            "mariadb": "pymysql", "mssql": "pyodbc", "oracle": "oracledb"}  # fmt: skip
_DEFAULTS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg",
             "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql",
             "oracle": "oracle+oracledb"}  # fmt: skip
_READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY",
              "mysql": "SET SESSION TRANSACTION READ ONLY",
              "mariadb": "SET SESSION TRANSACTION READ ONLY"}  # fmt: skip


def is_url(source: object) -> bool:
    """Tell whether a source is a database's URL rather than a file.

    Examples
    --------
    >>> is_url("sqlite:///crm.db"), is_url("去年工单.xlsx"), is_url("C:/工单.xlsx")
    (True, False, False)
    """
    return isinstance(source, str) and _URL.match(source) is not None


def shown_url(url: str) -> str:
    """Return a URL as it may be shown: without password and options.

    Examples
    --------
    >>> shown_url("postgresql://crm:geheim@10.0.0.5/desk?sslmode=require")
    'postgresql://crm:***@10.0.0.5/desk'
    """
    scheme, sign, rest = url.partition("://")
    login, at, place = ("", "", rest) if rest.startswith("/") else rest.rpartition("@")
    if ":" in login:
        login = login.split(":", 1)[0] + ":***"
    return scheme + sign + login + at + place.split("?", 1)[0]


def url_stem(url: str, query: str | None) -> str:
    """Return what files about a query are called: the table, else the database.

    Examples
    --------
    >>> url_stem("sqlite:///data/crm.db", "tickets"), url_stem("sqlite:///data/crm.db", "select 1")
    ('tickets', 'crm')
    """
    named = query and _NAME.fullmatch(query.strip())
    name = query.strip() if named and query else Path(shown_url(url).rpartition("/")[2]).stem
    return re.sub(r"[^\w.-]", "_", name) or "database"


def read_sql(
    url: str, query: str | None = None, on_step: Callable[[int], None] | None = None
) -> pd.DataFrame:
    """Read the rows of a query.

    Parameters
    ----------
    url : str
        A database URL as SQLAlchemy takes it: `postgresql://user:password@host/database`,
        `mysql://…`, `sqlite:///file.db`.
    query : str, optional
        A SELECT, or the name of a table or view; may be absent where the database holds one table.
    on_step : callable, optional
        Told how many more rows are read.

    Returns
    -------
    DataFrame
        The query's columns; `row` as index, the first row being 1.

    Raises
    ------
    UsageError
        If the URL can't be read, its driver is not installed, the query only could write, or there
        is no such table.
    DataError
        If the database can't be reached, refuses the query, or answers with no rows.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            _forbid_writing(connection, engine.dialect.name)
            asked = _statement(engine, connection, url, query)
            rows, headings = _fetch(connection, asked, on_step)
            connection.rollback()
    except TriageError:
        raise
    except Exception as error:  # each driver's errors are its own
        raise _refused(url, engine, error) from None
    finally:
        engine.dispose()
    if not rows:
        raise DataError(f"{shown_url(url)}: the query answers no rows.", code="file_empty")
    index = pd.RangeIndex(1, len(rows) + 1, name="row")
    return named(pd.DataFrame(rows, index=index, dtype=object), headings)


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        parsed = _parsed(url)
        engine = create_engine(parsed)
    except NoSuchModuleError as error:
        raise UsageError(
            f"{shown_url(url)}: this kind of database is not known; write postgresql://, mysql://, "
            "oracle://, mssql+pyodbc:// or sqlite:///."
        ) from error
    except ModuleNotFoundError as error:
        raise UsageError(_missing_driver(url, error), code="driver_missing") from error
    except (ArgumentError, ValueError):
        raise UsageError(
            f"{shown_url(url)} is no database URL: write postgresql://user:password@host/database; "
            "in a password, @ is written %40, / is %2F and : is %3A."
        ) from None
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise UsageError(f"{parsed.database} does not exist: check the path after sqlite:///.",
                         code="file_missing")  # fmt: skip
    return engine


def _parsed(url: str) -> URL:
    """Parse a URL; the drivers that we recommend stand for a bare postgresql:// or mysql://."""
    from sqlalchemy import make_url

    scheme, sign, rest = url.partition("://")
    return make_url(_DEFAULTS.get(scheme.lower(), scheme) + sign + rest)


def _missing_driver(url: str, error: ModuleNotFoundError) -> str:
    backend = re.split(r"[+:]", url, maxsplit=1)[0].lower()
    package = _DRIVERS.get(backend, error.name or "its package")
    bare = f" and write {backend}://" if "+" in url.partition("://")[0] else ""
    return (
        f"{shown_url(url)}: the driver {error.name} is not installed: pip install '{package}'"
        f"{bare}, then try again."
    )


def _forbid_writing(connection: Connection, backend: str) -> None:
    """Ask the database to refuse writes; nothing is ever committed either."""
    from sqlalchemy import text

    if statement := _READ_ONLY.get(backend):
        connection.execute(text(statement))


def _statement(engine: Engine, connection: Connection, url: str, query: str | None) -> str:
    """Return the SELECT that is asked for."""
    asked = (query or "").strip().rstrip(";").strip()
    if asked and not _NAME.fullmatch(asked):
        if not _READS.match(asked):
            raise UsageError("--query must be a SELECT or the name of a table: triage only reads.")
        return asked
    from sqlalchemy import inspect

    inspector = inspect(connection)
    known = [*inspector.get_table_names(), *inspector.get_view_names()]
    if not asked and len(known) != 1:
        raise UsageError(
            f"{shown_url(url)}: say which table or query to read with --query; the database has "
            f"{', '.join(sorted(known)) or 'no tables'}."
        )
    quoted = engine.dialect.identifier_preparer.quote
    parts = (asked or known[0]).split(".")
    if len(parts) == 1 and parts[0] not in known:
        raise UsageError(
            f"{shown_url(url)} has no table {asked}: it has {', '.join(sorted(known)) or 'none'}."
        )
    return f"SELECT * FROM {'.'.join(map(quoted, parts))}"


def _fetch(
    connection: Connection, asked: str, on_step: Callable[[int], None] | None
) -> tuple[list[list[Any]], list[str]]:
    """Fetch all rows, a chunk at a time."""
    result = connection.exec_driver_sql(
        asked, execution_options={"stream_results": True, "no_parameters": True}
    )
    headings = [str(key) for key in result.keys()]
    rows: list[list[Any]] = []
    for chunk in result.partitions(CHUNK):
        rows += [[_cell(cell) for cell in row] for row in chunk]
        if on_step:
            on_step(len(chunk))
    return rows, headings


def _cell(cell: Any) -> Any:
    """Return a cell with bytes as text."""
    if isinstance(cell, bytes | memoryview):
        return decode(bytes(cell))[0]
    return cell


def _refused(url: str, engine: Engine, error: Exception) -> TriageError:
    """Say what the database said, without the password and on one line."""
    said = str(getattr(error, "orig", None) or error).replace(url, shown_url(url))
    for secret in _secrets(engine.url):
        said = said.replace(secret, "***").replace(quote(secret, safe=""), "***")
    said = " ".join(said.split())
    return DataError(
        f"{shown_url(url)}: {said}. Check the address, the account and the query.", code="database"
    )


def _secrets(url: URL) -> list[str]:
    """Return what no message may hold."""
    hidden = [str(value) for key, value in url.query.items() if _SECRET_KEY.search(key)]
    return [secret for secret in (str(url.password or ""), *hidden) if secret]
