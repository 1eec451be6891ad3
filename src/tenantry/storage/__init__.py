"""PostgreSQL: the tables' base, the two walls, reading and writing, migrations, the embedded server."""
