"""Everything on one developer's machine: database, migrations, demo people, server."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from tenantry.app.application import Outside, running
from tenantry.app.checks import RefusedToStart
from tenantry.app.demo_people import demo_people
from tenantry.directory.blueprints.document import BlueprintDocument, load_blueprint
from tenantry.directory.provisioning.demo import ensure_demo
from tenantry.settings import Settings
from tenantry.storage.connections import connector
from tenantry.storage.database import Database
from tenantry.storage.embedded import EmbeddedServer, embedded_server
from tenantry.storage.migrate import upgrade
from tenantry.web.development.identity_provider import DemoPerson
from tenantry.web.server import server_config

OWNER, APPLICATION = "postgres", "tenantry_app"
DATABASE = "tenantry"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are, for whoever has just started them."""

    url: str
    people: Sequence[DemoPerson]

    def named(self) -> Iterator[tuple[str, str]]:
        """Name and address of each page."""
        yield "GraphiQL", f"{self.url}/graphiql/"
        yield "GraphQL", f"{self.url}/graphql"
        yield "Mailbox", f"{self.url}/dev/mailbox"
        yield "Health", f"{self.url}/readyz"


async def start_development(
    settings: Settings, seeds: Path, *, progress: Callable[[str], None], ready: Callable[[Addresses], None]
) -> None:
    """Serve until stopped. Raises ``RefusedToStart``, ``BlueprintInvalid``, ``EmbeddedServerError``."""
    documents = read_seeds(seeds)
    _check_port(settings)
    async with embedded_server(settings.data_dir.absolute() / "postgresql", progress=progress) as server:
        progress("migrations")
        await prepare(server)
        progress("demo tenants and people")
        dsn = server.dsn(APPLICATION, DATABASE)
        database = Database(dsn)
        await ensure_demo(database, documents)
        await database.close()
        async with running(settings, dsn, Outside(documents=documents)) as wire:
            people = demo_people(documents)
            ready(Addresses(settings.issuer, people))
            await uvicorn.Server(server_config(wire, host=settings.host, port=settings.port)).serve()


def read_seeds(folder: Path) -> list[BlueprintDocument]:
    """Every blueprint of a folder. Raises ``BlueprintInvalid``, or ``RefusedToStart`` where there is none."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise RefusedToStart(
            [f"there are no blueprints in {folder.absolute()}; name the folder with --seeds"]
        )
    return [load_blueprint(file) for file in files]


async def prepare(server: EmbeddedServer) -> None:
    """Make the database where there is none, and bring it to this version."""
    connection = await connector(server.dsn(OWNER, "postgres"))()
    try:
        # exempt: sql-place because PostgreSQL's own catalogue is no table of any feature
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
    await upgrade(server.dsn(OWNER, DATABASE))


def _check_port(settings: Settings) -> None:
    """Say now, and not after everything has started, that another program has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise RefusedToStart([f"port {settings.port} is taken ({error.strerror}); try --port"]) from None
