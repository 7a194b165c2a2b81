"""Alembic's entry: runs the migrations on the connection that ``qa_service.db.schema`` opened and locked."""

from alembic import context

from qa_service.db.rows import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    # SQLite cannot alter a table in place: Alembic copies it instead.
    render_as_batch=True,
    # Our SQLite connections really begin transactions, so a failed migration leaves nothing behind.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
