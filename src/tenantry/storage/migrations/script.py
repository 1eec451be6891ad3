"""Running a script of several statements inside a migration's transaction, and what belongs to the guard."""

from collections.abc import Awaitable, Mapping
from typing import Any

from alembic import op

from tenantry.storage.connections import Connection


def run(script: str) -> None:
    """Execute ``script`` by the simple query protocol, which alone takes several statements."""
    connection: Any = op.get_bind().connection.dbapi_connection

    def execute(driver: Connection) -> Awaitable[str]:
        return driver.execute(script)

    connection.run_async(execute)


def guard(*functions: str) -> None:
    """Let ``functions`` (name and types each) look across tenants, at the application's call alone."""
    run("GRANT CREATE ON SCHEMA public TO tenantry_guard")
    for function in functions:
        run(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        run(f"GRANT EXECUTE ON FUNCTION {function} TO tenantry_app")
        run(f"ALTER FUNCTION {function} OWNER TO tenantry_guard")
    run("REVOKE CREATE ON SCHEMA public FROM tenantry_guard")


def open_doors(views: Mapping[str, str]) -> None:
    """Make ``views`` (name, select) that look across tenants, each as far as its own select lets it."""
    run("GRANT CREATE ON SCHEMA public TO tenantry_guard")
    for view, select in views.items():
        run(f"CREATE VIEW {view} WITH (security_barrier) AS {select}")
        run(f"ALTER VIEW {view} OWNER TO tenantry_guard")
        run(f"GRANT SELECT ON {view} TO tenantry_app")
    run("REVOKE CREATE ON SCHEMA public FROM tenantry_guard")
