"""Running a script of several statements inside a migration's transaction."""

from collections.abc import Awaitable
from typing import Any

from alembic import op

from tenantry.storage.connections import Connection


def run(script: str) -> None:
    """Execute ``script`` by the simple query protocol, which alone takes several statements."""
    connection: Any = op.get_bind().connection.dbapi_connection

    def execute(driver: Connection) -> Awaitable[str]:
        return driver.execute(script)

    connection.run_async(execute)
