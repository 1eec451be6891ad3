"""Random rows: tenants, people, roles, invitations in every state, sessions and a trail, by one seed."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tests.api.planner.reached import RESOURCE_TYPES, some_attributes, some_conditional
from tests.support.database import TemporaryDatabase

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]

TABLES = (
    "blueprint", "tenant", "user", "member", "role", "member_role",
    "invitation", "invitation_role", "session", "api_key", "audit_record",
    "connection", "connection_role", "email_domain", "team", "team_member", "resource",
    "webhook_endpoint", "webhook_delivery",
)  # fmt: skip
NOW = datetime(2026, 3, 4, 5, 6, 7, 890_120, tzinfo=UTC)
WORDS = (
    "Ada", "Bea", "café", "O'Neil", 'say "hi"', "back\\slash", "50% off", "a:b", ":p1", "$1", "tab\there",
    "два", "日本", "🙂 ok", "line\nbreak", "x" * 120, "null", "{}",
)  # fmt: skip
PERMISSIONS = (
    "apikey:read", "audit:read", "connection:manage", "blueprint:read", "invitation:read",
    "invitation:revoke", "member:invite", "member:own", "member:read", "member:remove", "member:suspend",
    "member:update", "role:assign",
    "role:manage", "team:read", "tenant:read", "user:read_all", "call:read", "call:read_own", "call:monitor",
    "ticket:read", "ticket:update", "ticket:archive", "Call:Instance:Update",
    "webhook:manage",
)  # fmt: skip
ACTIONS = ("member.update", "read.viewer", "read.tenant", "operation.refused", "login")


@dataclass
class World:
    """What was put into one database, and who can ask."""

    rng: Random
    rows: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    sessions: list[UUID] = field(default_factory=list)
    """Live sessions of active members: the callers."""
    made: int = 0

    # --- values -------------------------------------------------------------------------------

    def key(self) -> UUID:
        return UUID(int=self.rng.getrandbits(122) | 7 << 76, version=4)

    def node(self, letter: str) -> str:
        return f"{letter}_{self.rng.getrandbits(128):032x}"

    def word(self) -> str:
        return self.rng.choice(WORDS)

    def maybe(self, value: Any, chance: float = 0.6) -> Any:
        return value if self.rng.random() < chance else None

    def time(self) -> datetime:
        """Some are equal, so that ties are broken; some have trailing zeros."""
        micro = self.rng.choice((0, 100_000, 120_000, 1, 999_999))
        return (NOW - timedelta(hours=self.rng.randrange(40))).replace(microsecond=micro)

    def email(self) -> str:
        self.made += 1
        return f"{self.rng.choice(('ada', 'bob', 'zoë', 'o-neil', 'a_b'))}{self.made}@people.example"

    def add(self, table: str, **row: Any) -> Row:
        self.rows[table].append(row)
        return row

    # --- things -------------------------------------------------------------------------------

    def user(self, *, super_admin: bool = False) -> Row:
        return self.add(
            "user", id=self.key(), node_id=self.node("U"), email=self.email(), name=self.maybe(self.word()),
            is_super_admin=super_admin, mfa_enabled=self.rng.random() < 0.3, created_at=self.time(),
        )  # fmt: skip

    def tenant(self) -> Row:
        return self.add(
            "tenant", id=self.key(), node_id=self.node("T"), slug=f"t-{len(self.rows['tenant'])}",
            name=self.word(), blueprint=self.rng.choice(("phone-system", "platform")),
            plan=self.maybe("gold"), suspended=False, version=self.rng.randrange(1, 4),
            created_at=self.time(),
        )  # fmt: skip

    def role(self, tenant: UUID, effective: Sequence[str], scope: str = "TENANT") -> Row:
        return self.add(
            "role", tenant_id=tenant, id=self.key(), node_id=self.node("R"),
            key=f"role-{len(self.rows['role'])}", name=self.word(), description=self.maybe(self.word()),
            scope=scope, is_locked=self.rng.random() < 0.5, is_owner=False,
            position=self.rng.randrange(4), permissions=json.dumps(list(effective)),
            effective=sorted({*effective, *self.rng.sample(PERMISSIONS, self.rng.randrange(2))}),
            conditional=some_conditional(self.rng),
            created_at=self.time(),
        )  # fmt: skip

    def member(self, tenant: UUID, roles: Sequence[Row], user: Row | None, status: str = "ACTIVE") -> Row:
        member = self.add(
            "member", tenant_id=tenant, id=self.key(), node_id=self.node("M"),
            user_id=user["id"] if user else None, email=self.email(), name=self.maybe(self.word()),
            status=status, is_owner=self.rng.random() < 0.2, extension=self.maybe("4711"),
            version=self.rng.randrange(1, 4), joined_at=self.maybe(self.time()) if user else None,
            last_seen_at=self.maybe(self.time()),
        )  # fmt: skip
        member["expires_at"] = None if member["is_owner"] else self.maybe(NOW + timedelta(days=50_000), 0.3)
        for role in roles:
            end = self.maybe(NOW + timedelta(days=self.rng.choice((-1_000, 50_000))), 0.3)
            self.add(
                "member_role", tenant_id=tenant, id=self.key(), member_id=member["id"], role_id=role["id"],
                expires_at=end,
            )  # fmt: skip
        return member

    def session(self, member: Row, *, live: bool = True) -> Row:
        start = self.time()
        return self.add(
            "session", tenant_id=member["tenant_id"], id=self.key(), node_id=self.node("S"),
            user_id=member["user_id"], member_id=member["id"], ip=self.maybe("192.0.2.9"),
            user_agent=self.maybe(self.word()), logged_at=start, last_seen_at=start,
            expires_at=NOW + timedelta(days=50_000 if live else -1_000),
            revoked=not live and self.rng.random() < 0.5,
        )  # fmt: skip

    def api_key(self, member: Row) -> None:
        session = self.session(member, live=self.rng.random() < 0.7)
        session["is_key"] = True
        session["last_seen_at"] += timedelta(hours=self.rng.randrange(2))
        self.add(
            "api_key", tenant_id=member["tenant_id"], id=self.key(), node_id=self.node("K"),
            session_id=session["id"], member_id=member["id"], name=self.word(), prefix="tntk_00000000",
            key_hash=self.rng.randbytes(32), permissions=json.dumps(self.rng.sample(PERMISSIONS, 2)),
            effective=[], created_at=self.time(), expires_at=self.maybe(session["expires_at"]),
        )  # fmt: skip

    def connection(self, tenant: UUID, roles: Sequence[Row]) -> None:
        made = self.add(
            "connection", tenant_id=tenant, id=self.key(), node_id=self.node("P"),
            issuer="https://issuer.example", client_id=f"client-{len(self.rows['connection'])}",
            title=self.word(), provisioning=self.rng.random() < 0.5, created_at=self.time(),
        )  # fmt: skip
        for role in self.rng.sample(roles, self.rng.randrange(3)):
            self.add(
                "connection_role", tenant_id=tenant, id=self.key(), connection_id=made["id"],
                role_id=role["id"],
            )  # fmt: skip
        self.add(
            "email_domain", tenant_id=tenant, id=self.key(), node_id=self.node("D"),
            domain=f"d{len(self.rows['email_domain'])}.example", token="x" * 43, created_at=self.time(),
            verified_at=self.maybe(self.time()),
        )  # fmt: skip

    def webhook(self, tenant: UUID) -> None:
        made = self.add(
            "webhook_endpoint", tenant_id=tenant, id=self.key(), node_id=self.node("W"),
            url="https://receiver.example/hook", description=self.word(),
            events=self.rng.choice(([], ["resource.created", "member.removed"])),
            enabled=self.rng.random() < 0.5, created_at=self.time(),
        )  # fmt: skip
        for _ in range(self.rng.randrange(5)):
            state = self.rng.choice(("DEAD", "DELIVERED", "PENDING"))
            self.add(
                "webhook_delivery", tenant_id=tenant, id=self.key(), node_id=self.node("Y"),
                endpoint_id=made["id"], message_id=f"msg_{self.rng.getrandbits(64):x}",
                event="resource.created", body=b"{}", state=state, attempts=self.rng.randrange(4),
                next_attempt_at=self.time() if state == "PENDING" else None,
                last_status=self.maybe(500), last_error=self.maybe("TIMEOUT"), created_at=self.time(),
            )  # fmt: skip

    def caller(self, member: Row) -> None:
        """One more who can ask."""
        self.sessions.append(self.session(member)["id"])
        for _ in range(self.rng.randrange(3)):
            self.session(member, live=False)

    def invitation(self, tenant: UUID, members: Sequence[Row], roles: Sequence[Row]) -> None:
        status = self.rng.choice(("ACCEPTED", "EXPIRED", "PENDING", "PENDING", "REVOKED"))
        invitation = self.add(
            "invitation", tenant_id=tenant, id=self.key(), node_id=self.node("I"), email=self.email(),
            name=None, status=status, token_hash=self.rng.randbytes(32), member_id=None,
            inviter_id=self.maybe(self.rng.choice(members)["id"]), created_at=self.time(),
            expires_at=NOW + timedelta(days=self.rng.choice((-1_000, 50_000))), accepted_at=None,
        )  # fmt: skip
        for role in self.rng.sample(roles, self.rng.randrange(3)):
            self.add(
                "invitation_role", tenant_id=tenant, id=self.key(), invitation_id=invitation["id"],
                role_id=role["id"],
            )  # fmt: skip

    def resource(self, tenant: Row) -> None:
        personal = self.rng.random() < 0.3
        people = [
            row["user_id"] for row in self.rows["member"] if personal or row["tenant_id"] == tenant["id"]
        ]
        self.add(
            "resource", tenant_id=tenant["id"], id=self.key(), node_id=self.node("O"),
            type=self.rng.choice((*RESOURCE_TYPES, "gone")), name=self.word(),
            state=self.rng.choice(("open", "closed")), owner_id=self.rng.choice((*people, None)),
            team_id=self.rng.choice(
                (None, *(row["id"] for row in self.rows["team"] if row["tenant_id"] == tenant["id"]))
            ),
            is_personal=personal, locked_at=self.maybe(self.time()) if personal else None,
            attributes=json.dumps(some_attributes(self.rng)), created_at=self.time(), updated_at=self.time(),
        )  # fmt: skip

    def team(self, tenant: UUID, members: Sequence[Row]) -> None:
        made = self.add(
            "team", tenant_id=tenant, id=self.key(), node_id=self.node("G"),
            name=f"{self.word()} {len(self.rows['team'])}", created_at=self.time(),
        )  # fmt: skip
        for member in self.rng.sample(members, self.rng.randrange(4)):
            self.add(
                "team_member", tenant_id=tenant, id=self.key(), team_id=made["id"], member_id=member["id"],
                is_supervisor=self.rng.random() < 0.4,
            )  # fmt: skip

    def record(self, tenant: Row) -> None:
        rng = self.rng
        self.add(
            "audit_record", tenant_id=tenant["id"], node_id=self.node("A"), at=self.time(),
            actor_kind=rng.choice(("USER", "ANONYMOUS", "SYSTEM")),
            actor_id=self.maybe(rng.choice(self.rows["user"])["node_id"]),
            actor_label=self.maybe(self.word()),
            actor_role=self.maybe("admin"), actor_tenant=None, tenant=self.maybe(tenant["node_id"]),
            action=rng.choice(ACTIONS), operation_type=rng.choice(("query", "mutation")),
            operation_name=self.maybe(rng.choice(("Op", "Q_1"))), root_field=self.maybe("viewer"),
            document_hash=None, targets=["M_x"], method="POST", path="/graphql",
            outcome=rng.choice(("OK", "PARTIAL", "REFUSED", "FAILED")), code=self.maybe("FORBIDDEN"),
            ip=self.maybe("192.0.2.1"), user_agent=self.maybe(self.word()),
            request_id=f"{rng.getrandbits(112):028x}", body=b"{}",
        )  # fmt: skip


async def populate(database: TemporaryDatabase, seed: int) -> World:
    """Fill a seeded database, by ``seed`` alone."""
    world = World(Random(seed))
    both = world.user()
    tenants = [world.tenant() for _ in range(world.rng.randrange(2, 4))]
    for tenant in tenants:
        _inside(world, tenant, both)
    for _ in range(world.rng.randrange(3)):
        tenant = world.tenant()
        tenant["suspended"] = world.rng.random() < 0.7
    platform = {"id": PLATFORM_TENANT_KEY, "node_id": "T_platform"}
    staff = [world.role(platform["id"], each, "SYSTEM") for each in (["*"], ["tenant:read"])]
    for role, super_admin in ((staff[0], False), (staff[1], False), (staff[1], True)):
        world.caller(world.member(platform["id"], [role], world.user(super_admin=super_admin)))
    few = world.role(platform["id"], world.rng.sample(PERMISSIONS, 6), "SYSTEM")
    world.caller(world.member(platform["id"], [few], world.user()))
    for _ in range(3):
        world.record(platform)
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        for table in TABLES:
            for row in world.rows[table]:
                await _insert(connection, table, row)
    finally:
        await connection.close()
    return world


def _inside(world: World, tenant: Row, both: Row) -> None:
    """One tenant: roles from everything to nothing, members of every kind, and who asks."""
    rng, key = world.rng, tenant["id"]
    sets = (
        ["*"],
        [],
        ["member:read"],
        [
            "member:read",
            "role:assign",
            "invitation:read",
            "apikey:read",
            "connection:manage",
            "webhook:manage",
        ],
    )
    roles = [world.role(key, each) for each in (*sets, rng.sample(PERMISSIONS, 5), ["audit:read"])]
    some = [world.role(key, rng.sample(PERMISSIONS, rng.randrange(9))) for _ in range(3)]
    askers = [world.member(key, [role], world.user()) for role in roles[:5]]
    askers.append(world.member(key, rng.sample(roles[1:] + some, 3), world.user()))
    askers.append(world.member(key, rng.sample(roles, rng.randrange(2)), both))
    for member in askers:
        world.caller(member)
    for _ in range(rng.randrange(5)):
        status = rng.choice(("ACTIVE", "INVITED", "SUSPENDED"))
        user = None if status == "INVITED" else world.user()
        world.member(key, rng.sample(roles + some, rng.randrange(3)), user, status)
    members = [row for row in world.rows["member"] if row["tenant_id"] == key]
    for _ in range(rng.randrange(8)):
        world.invitation(key, members, roles)
    for _ in range(rng.randrange(4)):
        world.api_key(rng.choice(askers))
        world.connection(key, roles)
        world.webhook(key)
    for _ in range(rng.randrange(4)):
        world.team(key, members)
    for _ in range(rng.randrange(12)):
        world.record(tenant)
        world.resource(tenant)


async def _insert(connection: Any, table: str, row: Row) -> None:
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    names = ", ".join(f'"{name}"' for name in row)
    await connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})', *row.values())  # noqa: S608


async def load(database: TemporaryDatabase) -> Tables:
    """Every row of every table, as the superuser sees it."""
    found: dict[str, list[Row]] = {}
    for table in TABLES:
        seen = await database.seen_by_owner(f'SELECT * FROM "{table}"')  # noqa: S608
        rows = [dict(row) for row in seen]
        for row in rows:
            for name in ("permissions", "body", "attributes"):
                if isinstance(row.get(name), str):
                    row[name] = json.loads(row[name])
        found[table] = rows
    return found
