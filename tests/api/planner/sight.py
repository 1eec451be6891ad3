"""What can be seen from where: a tenant from inside, one's own memberships, the platform's lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.api.planner.rows import Row, Tables

PLATFORM = UUID(int=0)
OF_A_TENANT = (
    "member", "role", "member_role", "invitation", "invitation_role", "session", "api_key", "audit_record",
    "connection", "connection_role", "email_domain", "resource", "team", "team_member", "webhook_endpoint",
    "webhook_delivery",
)  # fmt: skip


@dataclass(frozen=True)
class Who:
    """The caller: their rows, and what they may. ``scope`` None is nobody."""

    scope: str | None = None
    permissions: frozenset[str] = frozenset()
    conditional: frozenset[str] = frozenset()
    """As ``permission when condition``."""
    tenant: Row = field(default_factory=dict)
    member: Row = field(default_factory=dict)
    session: Row = field(default_factory=dict)
    teams: frozenset[object] = frozenset()
    """Keys of the teams they are in."""


def who(tables: Tables, session_id: object) -> Who:
    """The caller by their session."""
    session = next((row for row in tables["session"] if row["id"] == session_id), None)
    if session is None:
        return Who()
    member = next(row for row in tables["member"] if row["id"] == session["member_id"])
    tenant = next(row for row in tables["tenant"] if row["id"] == member["tenant_id"])
    user = next(row for row in tables["user"] if row["id"] == session["user_id"])
    system = tenant["id"] == PLATFORM
    holdings = [row for row in tables["member_role"] if row["member_id"] == member["id"]]
    held = {row["role_id"] for row in holdings if lasts(row)}
    member = {**member, "version": member["version"] + sum(not lasts(row) for row in holdings)}
    names = {name for role in tables["role"] if role["id"] in held for name in role["effective"]}
    conditional = {each for role in tables["role"] if role["id"] in held for each in role["conditional"]}
    if system and user["is_super_admin"]:
        names, conditional = {"*"}, set[str]()
    scope = "SYSTEM" if system else "TENANT"
    teams = frozenset(row["team_id"] for row in tables["team_member"] if row["member_id"] == member["id"])
    return Who(scope, frozenset(names), frozenset(conditional), tenant, member, session, teams)


def lasts(holding: Row) -> bool:
    """Whether a role is held still."""
    return holding["expires_at"] is None or holding["expires_at"] > datetime.now(UTC)


@dataclass(frozen=True)
class Sight:
    """The rows that can be seen, by table. A table that is not there is behind a wall without a door."""

    tables: Mapping[str, Sequence[Row]]
    who: Who


def inside(tables: Tables, tenant: object, caller: Who) -> Sight:
    """Everything in one tenant, and the people who belong to it."""
    seen = {name: [row for row in tables[name] if row["tenant_id"] == tenant] for name in OF_A_TENANT}
    seen["member_role"] = [row for row in seen["member_role"] if lasts(row)]
    people = {row["user_id"] for row in seen["member"]}
    return Sight(
        {
            **seen,
            "tenant": [row for row in tables["tenant"] if row["id"] == tenant],
            "user": [row for row in tables["user"] if row["id"] in people],
            "blueprint": tables["blueprint"],
        },
        caller,
    )


def own(tables: Tables, here: Sight) -> Sight:
    """One's own memberships in every tenant, with the roles held there; nothing else of other tenants."""
    user = here.who.session.get("user_id")
    members = [row for row in tables["member"] if user is not None and row["user_id"] == user]
    ids = {row["id"] for row in members}
    held = [row for row in tables["member_role"] if row["member_id"] in ids and lasts(row)]
    left = [
        row
        for row in tables["resource"]
        if row["is_personal"]
        and row["owner_id"] == user
        and user is not None
        and row["tenant_id"] not in {each["tenant_id"] for each in members}
    ]
    return Sight(
        {
            "archive": left,
            "member": members,
            "member_role": held,
            "role": [row for row in tables["role"] if row["id"] in {each["role_id"] for each in held}],
            "tenant": [
                row for row in tables["tenant"] if row["id"] in {each["tenant_id"] for each in members}
            ],
            "user": here.tables["user"],
            "blueprint": tables["blueprint"],
        },
        here.who,
    )


def across(tables: Tables, here: Sight) -> Sight:
    """The platform's lists: every tenant from outside, and every person."""
    return Sight(
        {
            "tenant": [row for row in tables["tenant"] if row["id"] != PLATFORM],
            "user": tables["user"],
            "blueprint": tables["blueprint"],
        },
        here.who,
    )


@dataclass(frozen=True)
class Place:
    """An object of the answer: its type, its row, what can be seen from there.

    ``vouched``: the edge that led here is to the caller's own, whatever the type asks for.
    ``listed``: inside of a list.
    """

    type: str
    row: Row
    sight: Sight
    vouched: bool = False
    listed: bool = False

    def to(self, kind: str, row: Row | None, *, vouched: bool = False, listed: bool = False) -> Any:
        """Another object that this one leads to."""
        if row is None:
            return None
        return replace(self, type=kind, row=row, vouched=vouched, listed=self.listed or listed)

    def rows(self, table: str, **values: Any) -> list[Row]:
        """The rows in sight with these values."""
        return [
            row
            for row in self.sight.tables[table]
            if all(row[name] == value for name, value in values.items())
        ]

    def one(self, table: str, **values: Any) -> Row | None:
        """The row in sight with these values, if any."""
        return next(iter(self.rows(table, **values)), None)
