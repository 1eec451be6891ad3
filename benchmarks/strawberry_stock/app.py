"""The schema, with resolvers; the part of Tenantry's that is asked for."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import strawberry
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.fastapi import GraphQLRouter
from strawberry.types import Info as BaseInfo

from benchmarks.strawberry_stock import models
from benchmarks.strawberry_stock.context import SESSIONS, Context, IsAuthenticated, get_context, has
from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.tokens.opaque import digest, new_secret

Info = BaseInfo[Context, None]


@strawberry.type
class Role:
    id: strawberry.ID
    key: str
    name: str
    permissions: list[str]

    @classmethod
    def of(cls, row: models.Role) -> "Role":
        return cls(id=strawberry.ID(row.node_id), key=row.key, name=row.name, permissions=row.permissions)


@strawberry.type
class Member:
    row_key: strawberry.Private[UUID]
    id: strawberry.ID
    email: str
    name: str | None
    status: str

    @classmethod
    def of(cls, row: models.Member) -> "Member":
        return cls(
            row_key=row.id, id=strawberry.ID(row.node_id), email=row.email, name=row.name, status=row.status
        )

    @strawberry.field
    async def roles(self, info: Info) -> list[Role]:
        return [Role.of(row) for row in await info.context.roles.load(self.row_key)]


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class MemberConnection:
    nodes: list[Member]
    page_info: PageInfo


@strawberry.type
class AuditActor:
    id: strawberry.ID | None
    label: str | None
    role: str | None


@strawberry.type
class AuditEvent:
    id: strawberry.ID
    at: datetime
    action: str
    outcome: str
    operation_name: str | None
    root_field: str | None
    code: str | None
    actor: AuditActor

    @classmethod
    def of(cls, row: models.AuditRecord) -> "AuditEvent":
        actor_id = None if row.actor_id is None else strawberry.ID(row.actor_id)
        return cls(
            id=strawberry.ID(row.node_id),
            at=row.at,
            action=row.action,
            outcome=row.outcome,
            operation_name=row.operation_name,
            root_field=row.root_field,
            code=row.code,
            actor=AuditActor(id=actor_id, label=row.actor_label, role=row.actor_role),
        )


@strawberry.type
class AuditEventConnection:
    nodes: list[AuditEvent]
    page_info: PageInfo


def encode(value: object) -> str:
    return base64.b64encode(json.dumps([value]).encode()).decode()


def decode(cursor: str) -> Any:
    return json.loads(base64.b64decode(cursor))[0]


def page_info(rows: list[Any], first: int, key: str) -> PageInfo:
    last = rows[:first][-1:]
    return PageInfo(
        has_next_page=len(rows) > first, end_cursor=encode(getattr(last[0], key)) if last else None
    )


@strawberry.type
class Tenant:
    row_key: strawberry.Private[UUID]
    id: strawberry.ID
    name: str

    @strawberry.field(permission_classes=[has("member:read")])
    async def members(self, info: Info, first: int, after: str | None = None) -> MemberConnection:
        query = (
            select(models.Member).where(models.Member.tenant_id == self.row_key).order_by(models.Member.email)
        )
        if after is not None:
            query = query.where(models.Member.email > decode(after))
        async with SESSIONS() as db:
            rows = list(await db.scalars(query.limit(first + 1)))
        return MemberConnection(
            nodes=[Member.of(row) for row in rows[:first]], page_info=page_info(rows, first, "email")
        )

    @strawberry.field(permission_classes=[has("member:read")])
    async def member(self, info: Info, id: strawberry.ID) -> Member | None:
        query = select(models.Member).where(
            models.Member.tenant_id == self.row_key, models.Member.node_id == id
        )
        async with SESSIONS() as db:
            row = (await db.scalars(query)).first()
        return None if row is None else Member.of(row)

    @strawberry.field(permission_classes=[has("audit:read")])
    async def audit_events(self, info: Info, first: int, after: str | None = None) -> AuditEventConnection:
        record = models.AuditRecord
        query = select(record).where(record.tenant_id == self.row_key).order_by(record.seq.desc())
        if after is not None:
            query = query.where(record.seq < decode(after))
        async with SESSIONS() as db:
            rows = list(await db.scalars(query.limit(first + 1)))
        nodes = [AuditEvent.of(row) for row in rows[:first]]
        return AuditEventConnection(nodes=nodes, page_info=page_info(rows, first, "seq"))


async def load_tenant(info: Info) -> Tenant:
    async with SESSIONS() as db:
        row = await db.get_one(models.Tenant, info.context.member.tenant_id)
    return Tenant(row_key=row.id, id=strawberry.ID(row.node_id), name=row.name)


@strawberry.type
class User:
    id: strawberry.ID
    email: str
    name: str | None


@strawberry.type
class Viewer:
    @strawberry.field
    async def user(self, info: Info) -> User:
        async with SESSIONS() as db:
            row = await db.get_one(models.User, info.context.member.user_id)
        return User(id=strawberry.ID(row.node_id), email=row.email, name=row.name)

    @strawberry.field
    async def member(self, info: Info) -> Member | None:
        return Member.of(info.context.member)

    @strawberry.field
    async def tenant(self, info: Info) -> Tenant | None:
        return await load_tenant(info)

    @strawberry.field
    async def permissions(self, info: Info) -> list[str]:
        roles = await info.context.roles.load(info.context.member.id)
        return sorted({permission for role in roles for permission in role.permissions})


@strawberry.type
class Query:
    @strawberry.field(permission_classes=[IsAuthenticated])
    async def viewer(self) -> Viewer:
        return Viewer()

    @strawberry.field(permission_classes=[IsAuthenticated])
    async def tenant(self, info: Info) -> Tenant:
        return await load_tenant(info)


@strawberry.input
class InvitationInput:
    email: str
    role_ids: list[strawberry.ID]
    name: str | None = None


@strawberry.input
class InvitationsCreateInput:
    invitations: list[InvitationInput]


@strawberry.type
class Invitation:
    id: strawberry.ID
    email: str
    status: str
    roles: list[Role]


@strawberry.type
class InvitationCreated:
    invitation: Invitation


@strawberry.type
class AlreadyMember:
    code: str = "ALREADY_MEMBER"


@strawberry.type
class RoleNotGrantable:
    code: str = "ROLE_NOT_GRANTABLE"


InvitationCreateResult = Annotated[
    InvitationCreated | AlreadyMember | RoleNotGrantable, strawberry.union("InvitationCreateResult")
]


@strawberry.type
class InvitationsCreatePayload:
    results: list[InvitationCreateResult]


async def invite(
    info: Info, db: AsyncSession, wanted: InvitationInput
) -> InvitationCreated | AlreadyMember | RoleNotGrantable:
    """One invitation through the ORM."""
    viewer = info.context.member
    tenant, email = viewer.tenant_id, wanted.email.lower()
    query = select(models.Role).where(
        models.Role.tenant_id == tenant, models.Role.node_id.in_(wanted.role_ids)
    )
    roles = list(await db.scalars(query.with_for_update(read=True)))
    if len(roles) != len(wanted.role_ids) or any(
        set(role.effective) - info.context.permissions for role in roles
    ):
        return RoleNotGrantable()
    same = select(models.Member).where(models.Member.tenant_id == tenant, models.Member.email == email)
    if (await db.scalars(same)).first() is not None:
        return AlreadyMember()
    member = models.Member(
        tenant_id=tenant, id=new_key(), node_id=new_node_id(NodePrefix.MEMBER), email=email, status="INVITED"
    )
    db.add(member)
    await db.flush()
    now = datetime.now(UTC)
    invitation = models.Invitation(
        tenant_id=tenant,
        id=new_key(),
        node_id=new_node_id(NodePrefix.INVITATION),
        email=email,
        status="PENDING",
        token_hash=digest(new_secret()),
        member_id=member.id,
        inviter_id=viewer.id,
        created_at=now,
        expires_at=now + timedelta(days=7),
    )
    db.add(invitation)
    await db.flush()
    for role in roles:
        db.add(models.MemberRole(tenant_id=tenant, id=new_key(), member_id=member.id, role_id=role.id))
        db.add(
            models.InvitationRole(
                tenant_id=tenant, id=new_key(), invitation_id=invitation.id, role_id=role.id
            )
        )
    made = Invitation(
        id=strawberry.ID(invitation.node_id),
        email=email,
        status="PENDING",
        roles=[Role.of(role) for role in roles],
    )
    return InvitationCreated(invitation=made)


@strawberry.type
class Mutation:
    @strawberry.mutation(permission_classes=[IsAuthenticated, has("member:invite")])
    async def invitations_create(self, info: Info, input: InvitationsCreateInput) -> InvitationsCreatePayload:
        async with SESSIONS.begin() as db:
            return InvitationsCreatePayload(
                results=[await invite(info, db, wanted) for wanted in input.invitations]
            )


app = FastAPI()
app.include_router(
    GraphQLRouter(strawberry.Schema(Query, Mutation), context_getter=get_context), prefix="/graphql"
)
