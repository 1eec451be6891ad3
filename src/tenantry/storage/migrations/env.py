"""What alembic runs: the migrations on the connection it is given, then row security for all."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=context.config.attributes.get("metadata"))
with context.begin_transaction():
    context.run_migrations()
    # Stamped after every migration, so that a table that is added later cannot be forgotten.
    if connection.scalar(text("SELECT to_regproc('public.stamp_row_security')")) is not None:
        connection.execute(text("SELECT public.stamp_row_security()"))
