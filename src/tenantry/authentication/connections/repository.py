"""Every query of connections and domains."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select

from tenantry.authentication.connections.models import Connection, ConnectionRole, EmailDomain
from tenantry.directory.roles.models import Role
from tenantry.storage.unit_of_work import UnitOfWork

_FIND = "SELECT * FROM find_connections($1, $2)"
_OF_DOMAIN = "SELECT * FROM connections_of_domain($1)"
_END = "SELECT * FROM end_sessions_from($1, $2, $3)"
_FORGET = "SELECT forget_identities($1)"
_USE = """
INSERT INTO logout_token (jti_hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING jti_hash
"""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A connection as a login finds it: which tenant trusts the issuer, and for which addresses."""

    tenant_id: UUID
    tenant_node: str
    connection_id: UUID
    connection_node: str
    client_id: str
    provisioning: bool
    domains: Sequence[str]


@dataclass(frozen=True, slots=True)
class Offered:
    """Where the people of a domain sign in."""

    issuer: str
    client_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that a provider has ended."""

    tenant_id: UUID
    tenant_node: str
    session_node: str


async def find(work: UnitOfWork, issuer: str, audiences: Collection[str]) -> list[Trusted]:
    """The connections of all tenants for this issuer and one of these client ids, the oldest first."""
    return [Trusted(**row) for row in await work.fetch(_FIND, issuer, list(audiences))]


async def of_domain(work: UnitOfWork, domain: str) -> list[Offered]:
    """The connections of the tenant that has verified the domain."""
    return [Offered(**row) for row in await work.fetch(_OF_DOMAIN, domain)]


async def to_change(work: UnitOfWork, node_id: str) -> Connection | None:
    """The tenant's connection of this node id, held."""
    query = select(Connection).where(Connection.node_id == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def all_of_tenant(work: UnitOfWork) -> Sequence[Connection]:
    """The tenant's connections."""
    return (await work.session.exec(select(Connection))).all()


async def roles_named(work: UnitOfWork, node_ids: Collection[str]) -> dict[str, Role]:
    """The tenant's roles of these node ids, held FOR SHARE."""
    query = select(Role).where(col(Role.node_id).in_(node_ids)).order_by(col(Role.id))
    return {role.node_id: role for role in (await work.session.exec(query.with_for_update(read=True))).all()}


async def roles_given(work: UnitOfWork, connection_id: UUID) -> Sequence[Role]:
    """What provisioning by a connection gives."""
    query = (
        select(Role)
        .join(ConnectionRole, col(ConnectionRole.role_id) == col(Role.id))
        .where(col(ConnectionRole.connection_id) == connection_id)
        .order_by(col(Role.id))
    )
    return (await work.session.exec(query)).all()


async def set_roles(work: UnitOfWork, connection: Connection, roles: Collection[Role]) -> None:
    """Give these roles from now on, and no others."""
    await work.session.exec(
        delete(ConnectionRole).where(
            col(ConnectionRole.tenant_id) == work.tenant, col(ConnectionRole.connection_id) == connection.id
        )
    )
    work.session.add_all(
        ConnectionRole(tenant_id=work.tenant, connection_id=connection.id, role_id=role.id) for role in roles
    )
    await work.session.flush()


async def domain_to_change(work: UnitOfWork, node_id: str) -> EmailDomain | None:
    """The tenant's domain of this node id, held."""
    query = select(EmailDomain).where(EmailDomain.node_id == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def end_sessions(
    work: UnitOfWork, issuers: Collection[str], *, subject: str | None = None, sid: str | None = None
) -> list[Ended]:
    """End the live sessions that these issuers have opened, of whatever tenant; narrowed by what is given."""
    return [Ended(**row) for row in await work.fetch(_END, list(issuers), subject, sid)]


async def forget_identities(work: UnitOfWork, issuer: str) -> None:
    """Unbind who has signed in by a connection of the tenant entered, as long as it is there."""
    await work.fetch(_FORGET, issuer)


async def use_logout_token(work: UnitOfWork, jti_hash: bytes, *, expires_at: datetime) -> bool:
    """Note that a logout token has been taken; False where it was before."""
    return bool(await work.fetch(_USE, jti_hash, expires_at))
