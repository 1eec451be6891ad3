"""Whom the load is sent as: 500 members with tokens of the service's own kind, and what each asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.dataset import MEMBERS
from benchmarks.operations import Target, variables
from tenantry.kernel.principal import ActorKind, Principal, Scope
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.signing import SigningKeys

ISSUER = "http://127.0.0.1:8000"
DAY = 86_400

# In an order that changes the tenant with each request, as many people at once would.
SIGNED_IN = """
SELECT s.id AS session, u.node_id AS subject, t.node_id AS tenant, m.version AS mv, t.version AS tv,
  (SELECT array_agg(r.key ORDER BY r.position) FROM member_role h
    JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id
    WHERE h.tenant_id = m.tenant_id AND h.member_id = m.id) AS roles,
  (SELECT o.node_id FROM member o WHERE o.tenant_id = m.tenant_id
    ORDER BY o.email OFFSET (('x' || substr(md5(s.id::text), 1, 6))::bit(24)::int % $1) LIMIT 1) AS member,
  (SELECT r.node_id FROM role r WHERE r.tenant_id = m.tenant_id AND r.key = 'agent') AS role
FROM session s JOIN member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
JOIN tenant t ON t.id = s.tenant_id JOIN "user" u ON u.id = s.user_id
ORDER BY row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.id), s.tenant_id
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """The signing key of the run: the whole of it for Python, the public half for the others."""

    whole: Path
    public: Path


def make_keys(folder: Path) -> Keys:
    """A fresh ES256 key in ``folder``, unless one is there."""
    keys = Keys(folder / "signing-keys.json", folder / "signing-key.pem")
    active = SigningKeys.load_or_generate(keys.whole).active
    keys.public.write_bytes(active.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return keys


async def make_targets(owner_dsn: str, keys: Keys) -> list[Target]:
    """One target for each session of the data."""
    tokens = AccessTokens(
        SigningKeys.load(keys.whole), issuer=ISSUER, audience="tenantry", lifetime_seconds=DAY
    )
    connection = await asyncpg.connect(owner_dsn)
    try:
        rows = await connection.fetch(SIGNED_IN, MEMBERS)
    finally:
        await connection.close()
    return [
        Target(tokens.mint(_principal(row)).token, row["member"], row["role"], row["tenant"]) for row in rows
    ]


def _principal(row: Mapping) -> Principal:
    return Principal(
        ActorKind.USER,
        subject=row["subject"],
        session=row["session"],
        tenant=row["tenant"],
        scope=Scope.TENANT,
        roles=tuple(row["roles"]),
        member_version=row["mv"],
        tenant_version=row["tv"],
    )


def body(document: str, name: str, target: Target, after: str | None = None) -> bytes:
    """One request's body, as a GraphQL client sends it."""
    return orjson.dumps(
        {"operationName": name, "query": document, "variables": variables(name, target, after)},
    )
