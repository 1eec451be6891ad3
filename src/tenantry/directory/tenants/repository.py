"""Every query of tenants."""

from collections.abc import Mapping
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlmodel import col, select

from tenantry.directory.blueprints.models import Blueprint
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.tenants.plans import Plan, plans_in
from tenantry.storage.unit_of_work import UnitOfWork

_KEY = text("SELECT tenant_key(:node_id)")
_OF_BLUEPRINT = text("SELECT id FROM platform_tenant WHERE blueprint = :key ORDER BY id")
_OF_SLUG = text("SELECT id FROM platform_tenant WHERE slug = :slug")
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))"
_LOGIN_RULES = """
SELECT b.body -> 'claims' AS claims, (b.body ->> 'max_sessions')::int AS max_sessions
FROM tenant t JOIN blueprint b ON b.key = t.blueprint WHERE t.id = $1
"""
_PLANS = """
SELECT b.body -> 'plans' AS plans, t.plan
FROM tenant t JOIN blueprint b ON b.key = t.blueprint WHERE t.id = $1
"""
_SEATS_TAKEN = "SELECT count(*) FROM member WHERE tenant_id = $1 AND status <> 'INVITED'"
_RULE = "SELECT b.body -> $2 AS rule FROM tenant t JOIN blueprint b ON b.key = t.blueprint WHERE t.id = $1"


async def key_of(work: UnitOfWork, node_id: str) -> UUID | None:
    """The key behind a node id, of any tenant: the caller is the platform's."""
    return await _one_key(work, _KEY, node_id=node_id)


async def wait_for_mutations(work: UnitOfWork) -> None:
    """Have the turn of whoever stops the tenant entered: running mutations end, those that come wait.

    Before a row is held that one of them may be about to change. A mutation inside that tenant is one
    of them itself: two that call this at the same moment wait for each other, and one of them is
    told ``CONFLICT``.
    """
    await work.fetch(_ALONE, work.tenant)


async def raise_version(work: UnitOfWork) -> None:
    """End every token of the tenant entered: what it was decided by has changed."""
    await work.fetch("UPDATE tenant SET version = version + 1 WHERE id = $1", work.tenant)


async def lock_entered(work: UnitOfWork) -> Tenant | None:
    """The tenant this unit of work is in, held until it ends; None where nothing was entered."""
    statement = select(Tenant).with_for_update(key_share=True)
    return (await work.session.exec(statement)).one_or_none()


async def entered(work: UnitOfWork) -> Tenant | None:
    """The tenant this unit of work is in, for reading."""
    return (await work.session.exec(select(Tenant))).one_or_none()


async def blueprint_of_entered(work: UnitOfWork) -> Blueprint:
    """The blueprint of the tenant this unit of work is in."""
    statement = select(Blueprint).join(Tenant, col(Tenant.blueprint) == col(Blueprint.key))
    return (await work.session.exec(statement)).one()


async def most_roles(work: UnitOfWork) -> int | None:
    """How many roles that blueprint lets a member have; None for any number."""
    return cast("int | None", await _rule(work, "max_roles"))


async def plans_of_entered(work: UnitOfWork) -> tuple[list[Plan], str | None]:
    """The plans of that blueprint, and the key of the one that the tenant was put on."""
    (row,) = await work.fetch(_PLANS, work.tenant)
    return plans_in(row["plans"] or ()), row["plan"]


async def seats_taken(work: UnitOfWork) -> int:
    """How many people have joined the tenant entered, suspended ones too."""
    return int((await work.fetch(_SEATS_TAKEN, work.tenant))[0]["count"])


class LoginRules(NamedTuple):
    """What a blueprint says of logins."""

    claims: Mapping[str, str]
    """What it adds to access tokens: extra claim → canonical value."""
    max_sessions: int | None
    """How many sessions one person may have at a time; None for any number."""


async def login_rules(work: UnitOfWork) -> LoginRules:
    """What that blueprint says of logins."""
    (row,) = await work.fetch(_LOGIN_RULES, work.tenant)
    return LoginRules(row["claims"] or {}, row["max_sessions"])


async def keys_of_blueprint(work: UnitOfWork, key: str) -> list[UUID]:
    """Every tenant of a blueprint; seen from the platform alone."""
    connection = await work.session.connection()
    return list((await connection.execute(_OF_BLUEPRINT, {"key": key})).scalars())


async def key_of_slug(work: UnitOfWork, slug: str) -> UUID | None:
    """The tenant of that slug; seen from the platform alone."""
    return await _one_key(work, _OF_SLUG, slug=slug)


async def _one_key(work: UnitOfWork, statement: TextClause, **values: str) -> UUID | None:
    connection = await work.session.connection()
    return (await connection.execute(statement, values)).scalar_one_or_none()


async def _rule(work: UnitOfWork, name: str) -> object:
    """One entry of the body, or None: reading all of it takes milliseconds."""
    return (await work.fetch(_RULE, work.tenant, name))[0]["rule"]
