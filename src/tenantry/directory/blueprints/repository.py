"""Every query of blueprints."""

from typing import Any

import orjson
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from tenantry.directory.blueprints.models import Blueprint
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork

_RESOURCES = """
SELECT (body -> 'resources')::text AS resources FROM blueprint
WHERE encode(sha256(convert_to((body -> 'resources')::text, 'UTF8')), 'hex') = $1 LIMIT 1
"""


async def resources_of(database: Database, digest: str) -> list[dict[str, Any]] | None:
    """What the blueprint of this digest says of resources; None where there is none."""
    row = await database.fetch(_RESOURCES, (digest,))
    return None if row is None else orjson.loads(row["resources"])


async def find(work: UnitOfWork, key: str) -> Blueprint | None:
    """The blueprint as it was last applied; shared by all tenants, so seen from each."""
    return (await work.session.exec(select(Blueprint).where(Blueprint.key == key))).one_or_none()


async def every(work: UnitOfWork) -> list[Blueprint]:
    """All blueprints, by key, as they are now: ``save`` writes past the session."""
    query = select(Blueprint).order_by(col(Blueprint.key)).execution_options(populate_existing=True)
    return list((await work.session.exec(query)).all())


async def save(work: UnitOfWork, blueprint: Blueprint) -> bool:
    """Insert or replace the row; whether anything changed. Its lock makes appliers take turns."""
    values = blueprint.model_dump()
    statement = insert(Blueprint).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={name: statement.excluded[name] for name in values if name != "key"},
        where=col(Blueprint.digest) != statement.excluded.digest,
    )
    return (await work.session.exec(statement.returning(col(Blueprint.key)))).first() is not None
