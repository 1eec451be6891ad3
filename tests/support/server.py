"""The product as `make run` starts it, on a port of its own, with the demo tenants of ``seeds/``."""

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tenantry.app.application import Outside, running
from tenantry.directory.provisioning.demo import ensure_demo
from tests.support.api import product_settings
from tests.support.database import DatabaseServer, documents
from tests.support.serving import serving


@pytest_asyncio.fixture(scope="module")
async def running_server(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Its base URL, which is also the issuer of its tokens; without a trailing slash."""
    database = await database_server.create(seeded=False)
    known = list(documents().values())
    await ensure_demo(database, known)
    port = free_port()
    settings = product_settings(
        tmp_path_factory.mktemp("server"),
        public_url=f"http://127.0.0.1:{port}",
        port=port,
        development_provider=True,
        graphiql=True,
    )
    async with (
        running(settings, database.app_dsn, Outside(documents=known)) as wire,
        serving(wire, port=port) as url,
    ):
        yield url
    await database_server.drop(database)


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
