"""Whether an object of the caller's tenant exists, by its node id."""

from functools import cache
from typing import Any

from sqlalchemy import Text, exists, select
from sqlmodel import SQLModel

from tenantry.api.planner.arguments import Binds, Values
from tenantry.api.planner.plans import Statement, caller_from_request, getters_of
from tenantry.api.planner.sources import table_of
from tenantry.audit.models import AuditRecord
from tenantry.authentication.api_keys.models import ApiKey
from tenantry.authentication.connections.models import Connection, EmailDomain
from tenantry.authentication.sessions.models import Session
from tenantry.directory.invitations.models import Invitation
from tenantry.directory.members.models import Member
from tenantry.directory.resources.models import Resource
from tenantry.directory.roles.models import Role
from tenantry.directory.teams.models import Team
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.ids import NodePrefix
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tenantry.storage.statements import compile_statement
from tenantry.storage.tenancy import tenant_column

TABLES: dict[str, type[SQLModel]] = {
    NodePrefix.API_KEY: ApiKey,
    NodePrefix.AUDIT_EVENT: AuditRecord,
    NodePrefix.EMAIL_DOMAIN: EmailDomain,
    NodePrefix.IDENTITY_PROVIDER: Connection,
    NodePrefix.INVITATION: Invitation,
    NodePrefix.MEMBER: Member,
    NodePrefix.RESOURCE: Resource,
    NodePrefix.ROLE: Role,
    NodePrefix.SESSION: Session,
    NodePrefix.TEAM: Team,
    NodePrefix.TENANT: Tenant,
}


async def present(database: Database, authority: Authority, node_id: str) -> bool:
    """Whether ``node_id`` names an object in the caller's tenant. Raises ``Unauthenticated``."""
    prefix = node_id.partition("_")[0]
    if prefix not in TABLES:
        return False
    statement = _statement(prefix)
    found = await database.fetch(statement.sql, statement.arguments(Values(authority, {"id": node_id})))
    if found is None:
        raise Unauthenticated("REVOKED", "The session has ended or its rights have changed.")
    return bool(found[0])


@cache
def _statement(prefix: str) -> Statement:
    table = TABLES[prefix]
    binds = Binds()
    caller = caller_from_request(binds)
    row: Any = table_of(table).alias()
    node_id = binds.add(lambda values: values.variables["id"], Text())
    inside = tenant_column(row)
    if inside is None:
        raise TypeError(f"{table.__name__} belongs to no tenant")
    found = exists(select(1).select_from(row).where(inside == caller.c.tenant_id, row.c.node_id == node_id))
    compiled = compile_statement(select(found).select_from(caller), tenant=caller.c.tenant_id)
    return Statement(compiled.sql, getters_of(compiled, binds))
