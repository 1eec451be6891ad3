"""The limit: hand-written SQL by asyncpg in a bare ASGI application, and nothing else."""
