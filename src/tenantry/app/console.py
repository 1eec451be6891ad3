"""What the commands share: how they speak, the settings they read, the database they open."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError
from rich.console import Console

from tenantry.settings import Settings
from tenantry.storage.database import Database
from tenantry.web.loop import run

T = TypeVar("T")

say = Console(stderr=True, highlight=False, soft_wrap=True)


class CannotGoOn(Exception):
    """Something an operator must mend; its text says what."""


def settings_in_force() -> Settings:
    """The environment's settings. Raises ``CannotGoOn`` naming each that cannot be read."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"  TENANTRY_{'__'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()
        ]
        raise CannotGoOn("These settings cannot be read:\n" + "\n".join(lines)) from None


def dsn_of(settings: Settings) -> str:
    """Where the database is. Raises ``CannotGoOn`` where no setting says so."""
    if settings.database_url is None:
        raise CannotGoOn("Set TENANTRY_DATABASE_URL, or try `tenantry dev`.")
    return settings.database_url.get_secret_value()


def owners_dsn_of(settings: Settings) -> str:
    """The database, as the role that owns it. Raises ``CannotGoOn`` where no setting says so."""
    if settings.owner_database_url is None:
        raise CannotGoOn("Set TENANTRY_OWNER_DATABASE_URL to the role that owns the schema.")
    return settings.owner_database_url.get_secret_value()


def with_database(ask: Callable[[Database], Awaitable[T]]) -> T:
    """What ``ask`` finds in the database of the settings, which is closed afterwards."""
    return _with(dsn_of(settings_in_force()), ask)


def with_owners_database(ask: Callable[[Database], Awaitable[T]]) -> T:
    """As ``with_database``, as the role that owns the schema. Raises ``CannotGoOn`` where none is set."""
    return _with(owners_dsn_of(settings_in_force()), ask)


def _with(dsn: str, ask: Callable[[Database], Awaitable[T]]) -> T:
    found: list[T] = []

    async def asking() -> None:
        database = Database(dsn)
        try:
            found.append(await ask(database))
        finally:
            await database.close()

    run(asking())
    return found[0]
