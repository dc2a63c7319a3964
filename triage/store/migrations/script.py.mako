"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Change the tables, and add a row to `schema_version`."""
    ${upgrades if upgrades else "pass"}
