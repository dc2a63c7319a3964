"""What several versions do: mark themselves, and make a table refuse to be changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

from triage.schema import SHANGHAI
from triage.store.tables import Moment

_WHEN = {
    "REPLACE": "INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)",
    "TRUNCATE": "TRUNCATE ON {table} FOR EACH STATEMENT",
}


def mark_version(version: int) -> None:
    """Add a row to `schema_version`, by which an older triage knows that it must not write here."""
    table = sa.table("schema_version", sa.column("version"), sa.column("at", Moment))
    op.execute(table.insert().values(version=version, at=datetime.now(SHANGHAI)))


def refuse(table: str, *actions: str) -> None:
    """Make a table refuse to be changed, by one trigger an action.

    Parameters
    ----------
    table : str
    *actions : str
        `UPDATE`, `DELETE`; on SQLite `REPLACE`, which deletes without firing a trigger; on
        PostgreSQL `TRUNCATE`.
    """
    message = f"{table} is only ever added to"
    then = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    if op.get_bind().dialect.name != "sqlite":
        then = f"EXECUTE FUNCTION {table}_refuses()"
        op.execute(
            f"CREATE FUNCTION {table}_refuses() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = "
            "'integrity_constraint_violation'; END $$"
        )
    for action in actions:
        name = f"{table}_is_only_added_to" + ("" if action == "UPDATE" else f"_{action.lower()}")
        each = "{action} ON {table}" + ("" if then.startswith("BEGIN") else " FOR EACH ROW")
        when = _WHEN.get(action, each).format(action=action, table=table)
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} {then}")
