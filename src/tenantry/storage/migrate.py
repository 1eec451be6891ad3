"""Running the migrations, from code and not from a folder's configuration file."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tenantry.storage.connections import patient_connector

MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def head() -> str:
    """The newest revision this code knows."""
    return ScriptDirectory.from_config(_config()).get_revision("head").revision


async def upgrade(owner_dsn: str, revision: str = "head") -> None:
    """Bring the database to ``revision`` in one transaction, as the role that owns the schema."""
    await _run(owner_dsn, lambda config: command.upgrade(config, revision))


async def downgrade(owner_dsn: str, revision: str) -> None:
    """Take the database back to ``revision`` ("base" for nothing at all)."""
    await _run(owner_dsn, lambda config: command.downgrade(config, revision))


async def current(owner_dsn: str) -> str | None:
    """The revision the database stands at, or None where nothing has run."""
    engine = _engine(owner_dsn)
    async with engine.connect() as connection:
        if await connection.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
            return None
        return await connection.scalar(text("SELECT version_num FROM alembic_version"))


def _engine(owner_dsn: str) -> AsyncEngine:
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=patient_connector(owner_dsn), poolclass=NullPool
    )


async def _run(owner_dsn: str, step: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        step(config)

    engine = _engine(owner_dsn)
    async with engine.begin() as connection:
        await connection.run_sync(run)
