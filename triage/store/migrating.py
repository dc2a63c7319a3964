"""Bring the tables to the version that this triage knows, one process at a time."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text

from triage.schema import DataError
from triage.store.connection import reading, writing
from triage.store.tables import SCHEMA_VERSION, SchemaVersion

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_300_213_447
"""PostgreSQL's advisory lock while tables are changed: any number that others don't use."""


def migrate(engine: Engine) -> int | None:
    """Make the tables, or bring them to the version of this triage, in one transaction.

    Returns
    -------
    int or None
        The version that was found, None where there were no tables.

    Raises
    ------
    DataError
        If the tables were made by a later triage, or the database fails.
    """
    with reading(engine) as connection:
        found = _version(connection)
    if found is not None and found > SCHEMA_VERSION:
        raise DataError(
            f"{engine.url.render_as_string()} has tables of version {found}, this triage knows "
            f"{SCHEMA_VERSION}: install the triage that wrote it, or a later one.",
            code="store_newer",
        )
    if found != SCHEMA_VERSION:
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            if (still := _version(connection)) != SCHEMA_VERSION:
                _upgrade(connection, still)
    return found


def _version(connection: Connection) -> int | None:
    """Return the version of the tables, None where there are none."""
    if not inspect(connection).has_table(SchemaVersion.__tablename__):
        return None
    return connection.scalar(select(func.max(SchemaVersion.version)))


def _upgrade(connection: Connection, found: int | None) -> None:
    """Run the steps that are missing; stores of version 1 do not know Alembic yet."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    if found == 1:
        command.stamp(config, "0001")
    command.upgrade(config, "head")
