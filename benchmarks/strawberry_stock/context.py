"""One request's context: who asks, and the loaders.

Fields of a query run concurrently and no two may share one session of the ORM, so each opens its own.
"""

import os
from collections import defaultdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from strawberry.dataloader import DataLoader
from strawberry.fastapi import BaseContext
from strawberry.permission import BasePermission

from benchmarks.strawberry_stock.models import Member, MemberRole, Role, Session, Tenant
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.errors import AccessTokenRejected
from tenantry.tokens.signing import SigningKeys

KEYS = SigningKeys.load(Path(os.environ["BENCH_SIGNING_KEY_FILE"]))
TOKENS = AccessTokens(KEYS, issuer=os.environ["BENCH_ISSUER"], audience="tenantry")
URL = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
ENGINE = create_async_engine(URL, pool_size=16, max_overflow=0)
SESSIONS = async_sessionmaker(ENGINE, expire_on_commit=False)


class Context(BaseContext):
    """What resolvers and permission classes are given."""

    def __init__(self, member: Member | None = None) -> None:
        super().__init__()
        self.member = member
        self.permissions: frozenset[str] = frozenset()

    @cached_property
    def roles(self) -> DataLoader[UUID, list[Role]]:
        """The roles of members, by the members' keys."""
        return DataLoader(load_fn=self._load_roles)

    async def _load_roles(self, keys: list[UUID]) -> list[list[Role]]:
        query = (
            select(MemberRole.member_id, Role)
            .join(MemberRole.role)
            .where(MemberRole.tenant_id == self.member.tenant_id, MemberRole.member_id.in_(keys))
            .order_by(Role.position)
        )
        found: dict[UUID, list[Role]] = defaultdict(list)
        async with SESSIONS() as db:
            for member_id, role in await db.execute(query):
                found[member_id].append(role)
        return [found[key] for key in keys]


async def get_context(request: Request) -> Context:
    """Verify the token; find the live session, its member and what the member may."""
    try:
        claims = TOKENS.verify(request.headers.get("authorization", "")[7:])
    except AccessTokenRejected:
        return Context()
    query = (
        select(Member)
        .join(Session, (Session.tenant_id == Member.tenant_id) & (Session.member_id == Member.id))
        .where(Session.id == claims.session, ~Session.revoked, Session.expires_at > datetime.now(UTC))
        .join(Tenant, Tenant.id == Member.tenant_id)
        .where(Member.status == "ACTIVE", Member.version == claims.member_version)
        .where(~Tenant.suspended, Tenant.version == claims.tenant_version)
    )
    async with SESSIONS() as db:
        member = (await db.scalars(query)).first()
    context = Context(member)
    if member is not None:
        roles = await context.roles.load(member.id)
        context.permissions = frozenset(permission for role in roles for permission in role.effective)
    return context


class IsAuthenticated(BasePermission):
    """Whether somebody asks."""

    message = "UNAUTHENTICATED"

    async def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        return info.context.member is not None


def has(permission: str) -> type[BasePermission]:
    """A permission class for one permission."""

    class HasPermission(BasePermission):
        message = "FORBIDDEN"

        async def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
            return permission in info.context.permissions

    return HasPermission
