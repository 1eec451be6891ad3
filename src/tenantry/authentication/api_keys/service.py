"""What can be done with API keys: made, ended, and asked what they may do now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tenantry.access.decisions import missing, narrowed
from tenantry.audit.actions import AuditAction
from tenantry.authentication.api_keys import repository
from tenantry.authentication.api_keys.errors import PermissionNotGrantable, TooManyKeys
from tenantry.authentication.api_keys.models import ApiKey
from tenantry.authentication.sessions.models import Session
from tenantry.authentication.sessions.service import live_authority
from tenantry.directory.blueprints.service import catalogue
from tenantry.directory.tenants.repository import blueprint_of_entered
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import BadUserInput, NotFound, Unauthenticated
from tenantry.kernel.ids import new_key
from tenantry.kernel.principal import Authority
from tenantry.kernel.text import line
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.api_keys import new_api_key
from tenantry.tokens.opaque import digest

MOST_KEYS = 100
"""Living ones in a tenant: a list that a person still looks through."""
NEVER = datetime(9999, 12, 31, tzinfo=UTC)

KEY_INVALID = "KEY_INVALID"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key just made; ``text`` is to be shown once and kept nowhere."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"MadeKey(key={self.key.node_id!r})"


async def create(
    work: UnitOfWork, *, name: str, permissions: Sequence[str], expires_at: datetime | None, clock: Clock
) -> MadeKey:
    """Make a key of the acting member's; it ends with their membership at the latest.

    Raises ``BadUserInput``, ``PermissionNotGrantable`` where it would hold more than they do,
    ``TooManyKeys``.
    """
    acting, now = work.acting, clock()
    if expires_at is not None and expires_at <= now:
        raise BadUserInput("Some input cannot be taken.", {"expiresAt": "must be in the future"})
    listed, effective = await _checked(work, permissions)
    if await repository.count_living(work, now=now) >= MOST_KEYS:
        raise TooManyKeys(MOST_KEYS)
    fresh = new_api_key()
    session = Session(
        tenant_id=work.tenant,
        id=new_key(),
        user_id=acting.user_id,
        member_id=acting.member_id,
        logged_at=now,
        last_seen_at=now,
        expires_at=expires_at or NEVER,
        factor_at=acting.factor_at,
        is_key=True,
    )
    key = ApiKey(
        tenant_id=work.tenant,
        session_id=session.id,
        member_id=acting.member_id,
        name=line(name, "name"),
        prefix=fresh.prefix,
        key_hash=digest(fresh.text),
        permissions=listed,
        effective=effective,
        created_at=now,
        expires_at=expires_at,
    )
    await repository.insert(work, session, key)
    work.record(AuditAction.API_KEY_CREATE, key.node_id)
    return MadeKey(key, fresh.text)


async def revoke(work: UnitOfWork, key_id: str) -> ApiKey:
    """End a key of the tenant, whoever issued it; harmless twice. Raises ``NotFound``."""
    found = await repository.to_revoke(work, key_id)
    if found is None:
        raise NotFound
    key, session = found
    session.revoked = True
    await work.session.flush()
    work.record(AuditAction.API_KEY_REVOKE, key.node_id)
    return key


async def authority_of(database: Database, key_hash: bytes, *, clock: Clock) -> Authority:
    """What a key may do at this moment: of what it names, what its issuer may now.

    No second factor is ever fresh for it. Raises ``Unauthenticated``: ``KEY_INVALID`` for a key that
    is unknown, revoked or expired, and the reasons of a session for its issuer's standing;
    ``Unavailable`` when the database is gone.
    """
    row = await repository.find(database, key_hash)
    if row is None or row["revoked"] or row["expires_at"] <= clock():
        raise Unauthenticated(KEY_INVALID, "This API key does not hold.")
    issuer = live_authority(row, now=clock())
    named = frozenset[str](row["key_permissions"])
    return replace(
        issuer,
        permissions=narrowed(issuer.permissions, named),
        conditional={name: held for name, held in issuer.conditional.items() if name in named},
        label=row["key_name"],
        factor_at=None,
        key=row["key_node"],
    )


async def _checked(work: UnitOfWork, permissions: Sequence[str]) -> tuple[list[str], list[str]]:
    known = catalogue((await blueprint_of_entered(work)).body)
    unknown = {
        f"permissions.{place}": "there is no such permission in this tenant"
        for place, permission in enumerate(permissions)
        if permission not in known
    }
    if unknown or not permissions:
        raise BadUserInput("Some input cannot be taken.", unknown or {"permissions": "name at least one"})
    for permission in permissions:
        if missing(work.acting.permissions | work.acting.conditional.keys(), known.effective([permission])):
            raise PermissionNotGrantable(permission)
    return list(known.ordered(permissions)), sorted(known.effective(permissions))
