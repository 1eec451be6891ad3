"""Migrations, by alembic; ``tenantry.storage.migrate`` runs them."""
