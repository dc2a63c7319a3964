"""How Alembic runs: in the transaction of the store that is being opened."""

from alembic import context

from triage.store.tables import Base

if hasattr(context, "config"):  # not where doctests import every file
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=Base.metadata
    )
    with context.begin_transaction():
        context.run_migrations()
