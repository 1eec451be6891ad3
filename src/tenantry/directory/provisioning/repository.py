"""Every query that whole tenants need beside those of roles and members."""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import col, exists, select

from tenantry.directory.members.models import Member, MemberRole
from tenantry.directory.roles.models import Role
from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.storage.unit_of_work import UnitOfWork

_FLAG = """
INSERT INTO "user" (id, node_id, email, is_super_admin, mfa_enabled, created_at)
VALUES ($1, $2, $3, true, false, now())
ON CONFLICT (email) DO UPDATE SET is_super_admin = true WHERE NOT "user".is_super_admin RETURNING node_id
"""
_UNFLAG = """
UPDATE "user" SET is_super_admin = false WHERE email = $1 AND is_super_admin RETURNING node_id
"""
_STAFF = """
SELECT m.id FROM member m LEFT JOIN "user" u ON u.id = m.user_id
WHERE m.tenant_id = $1 AND (u.email = $2 OR (m.user_id IS NULL AND m.email = $2))
"""
_RAISE = "UPDATE member SET version = version + 1 WHERE tenant_id = $1 AND id = ANY($2::uuid[])"


async def lock_roles(work: UnitOfWork) -> list[Role]:
    """Every role of the tenant entered, held until the unit of work ends."""
    return list((await work.session.exec(select(Role).with_for_update())).all())


async def held(work: UnitOfWork) -> set[UUID]:
    """The keys of the roles that somebody holds."""
    return set((await work.session.exec(select(MemberRole.role_id).distinct())).all())


async def roles_with_holders(work: UnitOfWork) -> list[tuple[Role, int]]:
    """Every role of the tenant entered, for reading, and how many members hold it."""
    holders = func.count(col(MemberRole.id))
    held = (col(MemberRole.tenant_id) == Role.tenant_id) & (col(MemberRole.role_id) == Role.id)
    statement = select(Role, holders).outerjoin(MemberRole, held)
    found = await work.session.exec(statement.group_by(col(Role.tenant_id), col(Role.id)).order_by(Role.key))
    return [(role, count) for role, count in found.all()]


async def addresses(work: UnitOfWork) -> set[str]:
    """The addresses of the members of the tenant entered."""
    return set((await work.session.exec(select(Member.email))).all())


async def settle_holders(work: UnitOfWork, roles: Iterable[UUID]) -> None:
    """Raise the version of whoever holds one of the roles, and say anew who is an owner.

    Who holds an owning role for a time, or belongs for a time, is none: an owner has no end.
    """
    holds = exists().where(
        col(MemberRole.tenant_id) == Member.tenant_id, col(MemberRole.member_id) == Member.id
    )
    owns = holds.where(
        col(Role.tenant_id) == MemberRole.tenant_id, col(Role.id) == MemberRole.role_id, col(Role.is_owner)
    ).where(col(MemberRole.expires_at).is_(None))
    statement = (
        update(Member)
        .where(col(Member.tenant_id) == work.tenant, holds.where(col(MemberRole.role_id).in_(roles)))
        .values(version=col(Member.version) + 1, is_owner=owns & col(Member.expires_at).is_(None))
    )
    await work.session.flush()
    await work.session.exec(statement, execution_options={"synchronize_session": False})


async def flag_super_admin(work: UnitOfWork, email: str) -> str | None:
    """Set the flag of the person of this address, who is made where there is none; None where it is set.

    Returns their node id. Only the role that owns the schema may.
    """
    rows = await work.fetch(_FLAG, new_key(), new_node_id(NodePrefix.USER), email)
    return rows[0]["node_id"] if rows else None


async def unflag_super_admin(work: UnitOfWork, email: str) -> str | None:
    """Clear the flag; returns the node id of whose it was. Only the role that owns the schema may."""
    rows = await work.fetch(_UNFLAG, email)
    return rows[0]["node_id"] if rows else None


async def members_of_person(work: UnitOfWork, email: str) -> list[UUID]:
    """The members of the tenant entered who are the person of this address, or wait for it."""
    return [row["id"] for row in await work.fetch(_STAFF, work.tenant, email)]


async def raise_versions(work: UnitOfWork, members: Collection[UUID]) -> None:
    """End the tokens of these members of the tenant entered."""
    await work.fetch(_RAISE, work.tenant, list(members))


async def members_count(work: UnitOfWork) -> int:
    """How many people the tenant entered has."""
    return (await work.session.exec(select(func.count()).select_from(Member))).one()
