"""Every query of roles.

Members and the roles they hold lie above this package: they are named in SQL here.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from tenantry.directory.roles.models import Role
from tenantry.storage.unit_of_work import UnitOfWork

_IN_USE = text(
    "SELECT EXISTS (SELECT FROM member_role WHERE tenant_id = :tenant AND role_id = :role"
    " AND (expires_at IS NULL OR expires_at > now()))"
)
_RAISE_HOLDERS = text(
    "UPDATE member SET version = version + 1 WHERE tenant_id = :tenant AND id IN"
    " (SELECT member_id FROM member_role WHERE tenant_id = :tenant AND role_id = :role)"
)


async def role_to_change(work: UnitOfWork, node_id: str) -> Role | None:
    """The tenant's role of this node id, held: whoever would grant it waits."""
    query = select(Role).where(Role.node_id == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def node_ids_of(work: UnitOfWork, keys: Collection[str]) -> Mapping[str, str]:
    """Node ids of the tenant's roles of these keys, by key; a key that nobody has is not there."""
    query = select(Role.key, Role.node_id).where(col(Role.key).in_(keys))
    return dict((await work.session.exec(query)).all())


async def is_held(work: UnitOfWork, role_id: UUID) -> bool:
    """Whether a member holds the role, an invited one too."""
    connection = await work.session.connection()
    found = await connection.execute(_IN_USE, {"tenant": work.tenant, "role": role_id})
    return bool(found.scalar_one())


async def raise_holders(work: UnitOfWork, role_id: UUID) -> None:
    """Give each holder of the role a new version, which ends the tokens that name the old one."""
    connection = await work.session.connection()
    await connection.execute(_RAISE_HOLDERS, {"tenant": work.tenant, "role": role_id})
