"""Where each field's value is to be found, for the reference: by looking through rows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError

from tests.api.planner import reached
from tests.api.planner.rows import Row
from tests.api.planner.sight import Place, Who

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INVITATION_TIME = datetime.now(UTC)
TYPES = {
    "A": ("AuditEvent", "audit_record"),
    "G": ("Team", "team"),
    "K": ("ApiKey", "api_key"),
    "D": ("EmailDomain", "email_domain"),
    "P": ("IdentityProvider", "connection"),
    "I": ("Invitation", "invitation"),
    "M": ("Member", "member"),
    "O": ("Resource", "resource"),
    "R": ("Role", "role"),
    "S": ("Session", "session"),
    "T": ("Tenant", "tenant"),
    "U": ("User", "user"),
    "W": ("WebhookEndpoint", "webhook_endpoint"),
    "Y": ("WebhookDelivery", "webhook_delivery"),
}

Arguments = Mapping[str, Any]
Key = Callable[[Row], tuple[Any, ...]]
Page = tuple[str, list[Row], Key, bool]
"""Type of the nodes, all rows that match, what they are ordered by, whether descending."""

COLUMNS = {
    ("ArchivedResource", "id"): "node_id",
    ("AuditActor", "id"): "actor_id",
    ("AuditActor", "kind"): "actor_kind",
    ("AuditActor", "label"): "actor_label",
    ("AuditActor", "role"): "actor_role",
    ("AuditEvent", "tenantId"): "tenant",
    ("Blueprint", "name"): "title",
    **{(kind, "id"): "node_id" for kind, _ in TYPES.values()},
}
TABLES = {
    ("Tenant", "members"): "member",
    ("Tenant", "member"): "member",
    ("Tenant", "roles"): "role",
    ("Tenant", "invitations"): "invitation",
    ("Tenant", "apiKeys"): "api_key",
    ("Tenant", "identityProviders"): "connection",
    ("Tenant", "emailDomains"): "email_domain",
    ("Tenant", "auditEvents"): "audit_record",
    ("Tenant", "resources"): "resource",
    ("Tenant", "resource"): "resource",
    ("Tenant", "teams"): "team",
    ("Tenant", "team"): "team",
    ("Member", "teams"): "team",
    ("Tenant", "webhooks"): "webhook_endpoint",
}
"""What a field looks through; in some places of the graph there is no door to it."""


def letter(node_id: str) -> str:
    """The letter that names the type; "" where the text is no node id."""
    return node_id[0] if node_id[1:2] == "_" and len(node_id) > 2 else ""


def not_found() -> GraphQLError:
    return GraphQLError("not found", extensions={"code": "NOT_FOUND"})


# --- pages ----------------------------------------------------------------------------------


def _members(place: Place, arguments: Arguments) -> Page:
    wanted = arguments.get("filter") or {}
    rows = place.rows("member", tenant_id=place.row.get("id"))
    if (search := wanted.get("search")) is not None:
        rows = [
            row
            for row in rows
            if any(search.lower() in (row[name] or "").lower() for name in ("email", "name"))
        ]
    if (status := wanted.get("status")) is not None:
        rows = [row for row in rows if row["status"] == status]
    if (role_id := wanted.get("roleId")) is not None:
        role = place.one("role", node_id=role_id) or {"id": None}
        holders = {row["member_id"] for row in place.rows("member_role", role_id=role["id"])}
        rows = [row for row in rows if row["id"] in holders]
    if (team_id := wanted.get("teamId")) is not None:
        team = place.one("team", node_id=team_id)
        seen = team is not None and reached.sees_team(place, team)
        inside = {row["member_id"] for row in _places(place, team)} if team and seen else set[object]()
        rows = [row for row in rows if row["id"] in inside]
    order = arguments.get("orderBy") or {}
    keys: Mapping[str, Key] = {
        "EMAIL": lambda row: (row["email"],),
        "NAME": lambda row: (row["name"] or "", row["node_id"]),
        "JOINED_AT": lambda row: (row["joined_at"] or EPOCH, row["node_id"]),
    }
    return "Member", rows, keys[order.get("field", "EMAIL")], order.get("direction") == "DESC"


def _roles(place: Place, _: Arguments) -> Page:
    return "Role", place.rows("role", tenant_id=place.row.get("id")), by_position, False


def by_position(row: Row) -> tuple[Any, ...]:
    """The order of roles."""
    return row["position"], row["node_id"]


def status_of(row: Row) -> str:
    """How an invitation stands: PENDING past its time reads as EXPIRED."""
    over = row["status"] == "PENDING" and row["expires_at"] <= INVITATION_TIME
    return "EXPIRED" if over else row["status"]


def _invitations(place: Place, arguments: Arguments) -> Page:
    rows = place.rows("invitation", tenant_id=place.row.get("id"))
    if (status := arguments.get("status")) is not None:
        rows = [row for row in rows if status_of(row) == status]
    return "Invitation", rows, lambda row: (row["created_at"], row["node_id"]), True


def _events(place: Place, arguments: Arguments) -> Page:
    wanted = arguments.get("filter") or {}
    rows = place.rows("audit_record", tenant_id=place.row.get("id"))
    equal = {
        "actorId": "actor_id",
        "action": "action",
        "outcome": "outcome",
        "operationName": "operation_name",
    }
    for name, column in equal.items():
        if (value := wanted.get(name)) is not None:
            rows = [row for row in rows if row[column] == value]
    if (since := wanted.get("since")) is not None:
        rows = [row for row in rows if row["at"] >= since]
    if (until := wanted.get("until")) is not None:
        rows = [row for row in rows if row["at"] < until]
    return "AuditEvent", rows, lambda row: (row["seq"],), True


def _sessions(place: Place, _: Arguments) -> Page:
    rows = place.rows("session", user_id=place.sight.who.session.get("user_id"), is_key=False)
    return "Session", rows, lambda row: (row["logged_at"], row["node_id"]), True


def _api_keys(place: Place, _: Arguments) -> Page:
    rows = [
        row
        for row in place.rows("api_key", tenant_id=place.row.get("id"))
        if not _session(place, row)["revoked"]
    ]
    return "ApiKey", rows, lambda row: (row["created_at"], row["node_id"]), True


def _session(place: Place, key: Row) -> Row:
    """What a key stands on."""
    session = place.one("session", id=key["session_id"])
    assert session is not None
    return session


def _last_used(place: Place, _: Arguments) -> datetime | None:
    session = _session(place, place.row)
    return session["last_seen_at"] if session["last_seen_at"] > session["logged_at"] else None


def _providers(place: Place, _: Arguments) -> Page:
    rows = place.rows("connection", tenant_id=place.row.get("id"))
    return "IdentityProvider", rows, lambda row: (row["created_at"], row["node_id"]), False


def _domains(place: Place, _: Arguments) -> Page:
    rows = place.rows("email_domain", tenant_id=place.row.get("id"))
    return "EmailDomain", rows, lambda row: (row["domain"], row["node_id"]), False


def _webhooks(place: Place, _: Arguments) -> Page:
    rows = place.rows("webhook_endpoint", tenant_id=place.row.get("id"))
    return "WebhookEndpoint", rows, lambda row: (row["created_at"], row["node_id"]), False


def _deliveries(place: Place, _: Arguments) -> Page:
    rows = place.rows("webhook_delivery", endpoint_id=place.row.get("id"))
    return "WebhookDelivery", rows, lambda row: (row["created_at"], row["node_id"]), True


def _given_roles(place: Place, _: Arguments) -> list[Any]:
    ids = {row["role_id"] for row in place.rows("connection_role", connection_id=place.row["id"])}
    roles = [row for row in place.rows("role") if row["id"] in ids]
    return _listed(place, "Role", sorted(roles, key=by_position))


def _resources(place: Place, arguments: Arguments) -> Page:
    rows = [
        row
        for row in place.rows("resource", tenant_id=place.row.get("id"), type=arguments["type"])
        if reached.may(place, row, "read")
    ]
    return "Resource", rows, lambda row: (row["created_at"], row["node_id"]), True


def _places(place: Place, team: Row) -> list[Row]:
    return place.rows("team_member", team_id=team.get("id"))


def _teams(place: Place, _: Arguments) -> Page:
    rows = [row for row in place.rows("team") if reached.sees_team(place, row)]
    return "Team", rows, by_name, False


def by_name(row: Row) -> tuple[Any, ...]:
    """The order of teams."""
    return row["name"], row["node_id"]


def _of_team(place: Place, _: Arguments) -> Page:
    inside = {row["member_id"] for row in _places(place, place.row)}
    rows = [row for row in place.rows("member") if row["id"] in inside]
    return "Member", rows, lambda row: (row["email"],), False


def _supervisors(place: Place, _: Arguments) -> list[Any]:
    lead = {row["member_id"] for row in _places(place, place.row) if row["is_supervisor"]}
    rows = sorted((row for row in place.rows("member") if row["id"] in lead), key=lambda row: row["email"])
    return _listed(place, "Member", rows)


def _teams_of(place: Place, _: Arguments) -> list[Any]:
    mine = {row["team_id"] for row in place.rows("team_member", member_id=place.row["id"])}
    rows = [row for row in place.rows("team") if row["id"] in mine and reached.sees_team(place, row)]
    return _listed(place, "Team", sorted(rows, key=by_name))


def _memberships(place: Place, _: Arguments) -> Page:
    return "Member", place.rows("member"), lambda row: (row["joined_at"] or EPOCH, row["node_id"]), False


def _archive(place: Place, _: Arguments) -> Page:
    rows = [
        row if row["locked_at"] is None else {**row, "attributes": None}
        for row in place.sight.tables.get("archive", ())
    ]
    return "ArchivedResource", rows, lambda row: (row["created_at"], row["node_id"]), True


def _tenants(place: Place, arguments: Arguments) -> Page:
    rows, search = place.rows("tenant"), arguments.get("search")
    if search is not None:
        low = search.lower()
        rows = [row for row in rows if low in row["name"].lower() or row["slug"] == low]
    return "Tenant", rows, lambda row: (row["name"], row["node_id"]), False


def _users(place: Place, arguments: Arguments) -> Page:
    rows, search = place.rows("user"), arguments.get("search")
    if search is not None:
        rows = [row for row in rows if search.lower() in row["email"]]
    return "User", rows, lambda row: (row["email"],), False


PAGES: Mapping[tuple[str, str], Callable[[Place, Arguments], Page]] = {
    ("Tenant", "members"): _members,
    ("Tenant", "roles"): _roles,
    ("Tenant", "invitations"): _invitations,
    ("Tenant", "auditEvents"): _events,
    ("Tenant", "apiKeys"): _api_keys,
    ("Tenant", "identityProviders"): _providers,
    ("Tenant", "emailDomains"): _domains,
    ("Tenant", "resources"): _resources,
    ("Tenant", "teams"): _teams,
    ("Team", "members"): _of_team,
    ("Tenant", "webhooks"): _webhooks,
    ("WebhookEndpoint", "deliveries"): _deliveries,
    ("Viewer", "sessions"): _sessions,
    ("Viewer", "memberships"): _memberships,
    ("Viewer", "archive"): _archive,
    ("System", "tenants"): _tenants,
    ("System", "users"): _users,
}

# --- single fields ----------------------------------------------------------------------------


def _node(place: Place, arguments: Arguments) -> Any:
    kind, table = TYPES.get(letter(arguments["id"]), ("", ""))
    row = place.one(table, node_id=arguments["id"]) if table else None
    own_user = place.sight.who.session.get("user_id")
    if row is None or (kind == "Session" and (row["user_id"] != own_user or row["is_key"])):
        raise not_found()
    if kind == "Resource" and not reached.may(place, row, "read"):
        raise not_found()
    if kind == "Team" and not reached.sees_team(place, row):
        raise not_found()
    return place.to(kind, row)


def _member(place: Place, arguments: Arguments) -> Any:
    row = place.one("member", tenant_id=place.row["id"], node_id=arguments["id"])
    if row is None and not place.listed:
        raise not_found()
    return place.to("Member", row)


def _resource(place: Place, arguments: Arguments) -> Any:
    row = place.one("resource", tenant_id=place.row["id"], node_id=arguments["id"])
    if row is not None and not reached.may(place, row, "read"):
        row = None
    if row is None and not place.listed:
        raise not_found()
    return place.to("Resource", row)


def _team(place: Place, arguments: Arguments) -> Any:
    row = place.one("team", node_id=arguments["id"])
    if row is not None and not reached.sees_team(place, row):
        row = None
    if row is None and not place.listed:
        raise not_found()
    return place.to("Team", row)


def _team_of(place: Place, _: Arguments) -> Any:
    row = place.one("team", id=place.row["team_id"])
    return place.to("Team", row) if row is not None and reached.sees_team(place, row) else None


def _system_tenant(place: Place, arguments: Arguments) -> Any:
    row = place.one("tenant", node_id=arguments["id"])
    if row is None or row["id"].int == 0:
        raise not_found()
    return place.to("Tenant", row)


def _held(place: Place, member_id: object) -> list[Row]:
    """The roles that a member holds, in order."""
    ids = {row["role_id"] for row in place.rows("member_role", member_id=member_id)}
    return sorted((row for row in place.rows("role") if row["id"] in ids), key=by_position)


def _listed(place: Place, kind: str, rows: Sequence[Row]) -> list[Any]:
    return [place.to(kind, row, listed=True) for row in rows]


def _can(place: Place, arguments: Arguments) -> Mapping[str, Any]:
    reason = _objection(place, arguments["permission"], arguments.get("on"))
    return {"allowed": reason is None, "reason": reason}


def _objection(place: Place, permission: str, on: str | None) -> str | None:
    caller: Who = place.sight.who
    plain = bool(caller.permissions & {"*", permission})
    if not plain and not any(each.startswith(f"{permission} when ") for each in caller.conditional):
        return "FORBIDDEN"
    if on is None:
        return None if plain else "CONDITIONAL"
    _, table = TYPES.get(letter(on), ("", ""))
    row = None if table in {"", "user"} else place.one(table, node_id=on)
    seen = {
        "resource": lambda: reached.may(place, row, "read"),
        "team": lambda: reached.sees_team(place, row),
    }
    if row is None or not seen.get(table, lambda: True)():
        return "NOT_FOUND"
    if table == "team":
        return None if plain or reached.holds_of_team(caller, row, permission) else "CONDITION_NOT_MET"
    if table != "resource":
        return None if plain or reached.regardless(caller, permission) else "CONDITION_NOT_MET"
    return None if reached.holds(place, row, permission) else "CONDITION_NOT_MET"


def _viewer_can(permission: str) -> Callable[[Place, Arguments], bool]:
    """The caller's roles hold it, and whatever the member's roles hold."""

    def can(place: Place, _: Arguments) -> bool:
        my_roles, roles = (_held(place, key) for key in (place.sight.who.member["id"], place.row["id"]))
        mine = {name for role in my_roles for name in role["effective"]}
        theirs = {name for role in roles for name in role["effective"]}
        under = {each for role in my_roles for each in role["conditional"]}
        asked = {each for role in roles for each in role["conditional"]} - under
        covered = theirs <= mine and all(each.split(" when ")[0] in mine for each in asked)
        return "*" in mine or (permission in mine and covered)

    return can


def _invited_roles(place: Place, _: Arguments) -> list[Any]:
    ids = {row["role_id"] for row in place.rows("invitation_role", invitation_id=place.row["id"])}
    roles = [row for row in place.rows("role") if row["id"] in ids]
    return _listed(place, "Role", sorted(roles, key=by_position))


def _mine(place: Place) -> list[Row]:
    return _held(place, place.sight.who.member["id"])


SPECIAL: Mapping[tuple[str, str], Callable[[Place, Arguments], Any]] = {
    ("Query", "serverInfo"): lambda place, _: place.row["server"],
    ("Query", "viewer"): lambda place, _: place.to("Viewer", {}),
    ("Query", "node"): _node,
    ("Query", "tenant"): lambda place, _: place.to("Tenant", place.sight.who.tenant),
    ("Query", "system"): lambda place, _: place.to("System", {}),
    ("System", "tenant"): _system_tenant,
    ("System", "blueprints"): lambda place, _: _listed(
        place, "Blueprint", sorted(place.rows("blueprint"), key=lambda row: row["key"])
    ),
    ("Viewer", "user"): lambda place, _: place.to(
        "User", place.one("user", id=place.sight.who.session["user_id"])
    ),
    ("Viewer", "member"): lambda place, _: place.to(
        "Member", place.one("member", id=place.sight.who.member["id"]), vouched=True
    ),
    ("Viewer", "tenant"): lambda place, _: place.to("Tenant", place.sight.who.tenant),
    ("Viewer", "scope"): lambda place, _: place.sight.who.scope,
    ("Viewer", "roles"): lambda place, _: _listed(place, "Role", _mine(place)),
    ("Viewer", "permissions"): lambda place, _: sorted(
        {name for role in _mine(place) for name in role["permissions"]}
    ),
    ("Viewer", "can"): _can,
    ("Viewer", "canAll"): lambda place, given: [_can(place, each) for each in given["checks"]],
    ("Viewer", "session"): lambda place, _: place.to("Session", place.sight.who.session),
    ("Viewer", "authority"): lambda place, _: place.to("Authority", {}),
    ("Authority", "tenantId"): lambda place, _: (
        place.sight.who.tenant["node_id"] if place.sight.who.scope == "TENANT" else None
    ),
    ("Authority", "version"): lambda place, _: (
        f"{place.sight.who.tenant['version']}.{place.sight.who.member['version']}"
    ),
    ("Tenant", "blueprint"): lambda place, _: place.to(
        "Blueprint", place.one("blueprint", key=place.row["blueprint"])
    ),
    ("Tenant", "member"): _member,
    ("Tenant", "resource"): _resource,
    ("Tenant", "team"): _team,
    ("Team", "supervisors"): _supervisors,
    ("Member", "teams"): _teams_of,
    ("Resource", "team"): _team_of,
    ("Resource", "owner"): lambda place, _: (
        place.to("Member", place.one("member", user_id=place.row["owner_id"]))
        if place.row["owner_id"] is not None
        else None
    ),
    ("Resource", "actions"): lambda place, _: _listed(
        place, "ResourceAction", reached.actions(place, place.row)
    ),
    ("Resource", "viewerCan"): lambda place, _: place.to("ResourceActions", place.row),
    ("ResourceActions", "update"): lambda place, _: reached.may(place, place.row, "update"),
    ("ResourceActions", "delete"): lambda place, _: reached.may(place, place.row, "delete"),
    ("Member", "tenant"): lambda place, _: place.to("Tenant", place.one("tenant", id=place.row["tenant_id"])),
    ("Member", "user"): lambda place, _: place.to("User", place.one("user", id=place.row["user_id"])),
    ("Member", "roles"): lambda place, _: _listed(place, "Role", _held(place, place.row["id"])),
    ("Member", "roleAssignments"): lambda place, _: _listed(
        place,
        "RoleAssignment",
        sorted(place.rows("member_role", member_id=place.row["id"]), key=lambda row: row["id"]),
    ),
    ("RoleAssignment", "role"): lambda place, _: place.to("Role", place.one("role", id=place.row["role_id"])),
    ("Member", "viewerCan"): lambda place, _: place.to("MemberActions", place.row, vouched=place.vouched),
    ("MemberActions", "setRoles"): _viewer_can("role:assign"),
    ("MemberActions", "suspend"): _viewer_can("member:suspend"),
    ("MemberActions", "remove"): _viewer_can("member:remove"),
    ("Role", "memberCount"): lambda place, _: len(place.rows("member_role", role_id=place.row["id"])),
    ("Invitation", "status"): lambda place, _: status_of(place.row),
    ("Invitation", "roles"): _invited_roles,
    ("Invitation", "inviter"): lambda place, _: place.to(
        "Member", place.one("member", id=place.row["inviter_id"])
    ),
    ("ApiKey", "issuer"): lambda place, _: place.to("Member", place.one("member", id=place.row["member_id"])),
    ("ApiKey", "lastUsedAt"): _last_used,
    ("IdentityProvider", "roles"): _given_roles,
    ("EmailDomain", "recordName"): lambda place, _: f"_tenantry.{place.row['domain']}",
    ("EmailDomain", "recordValue"): lambda place, _: f"tenantry-verification={place.row['token']}",
    ("Session", "isCurrent"): lambda place, _: place.row["id"] == place.sight.who.session["id"],
    ("AuditEvent", "actor"): lambda place, _: place.to("AuditActor", place.row),
    ("Blueprint", "permissions"): lambda place, _: _listed(
        place, "PermissionInfo", place.row["body"]["permissions"]
    ),
    ("Blueprint", "roles"): lambda place, _: _listed(place, "RoleInfo", place.row["body"]["roles"]),
    ("Blueprint", "resourceTypes"): lambda place, _: [
        each["type"] for each in place.row["body"]["resources"]
    ],
    ("RoleInfo", "name"): lambda place, _: place.row["title"],
}
