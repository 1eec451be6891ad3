"""The five operations: what is asked of each server, and what its answer must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

UNIQUE = "@@@@@@@@@@"
"""Stands for a number in an address; wrk and the open-loop generator write a fresh one for each request."""

PLAIN = {
    "Viewer": """query Viewer {
  viewer { user { email name } member { email status roles { key name } } tenant { name } permissions }
}""",
    "List": """query List {
  tenant { members(first: 50) {
    nodes { id email name status roles { key name permissions } }
    pageInfo { hasNextPage endCursor }
  } }
}""",
    "One": """query One($id: ID!) {
  tenant { member(id: $id) { id email name status roles { key name permissions } } }
}""",
    "Trail": """query Trail($after: String) {
  tenant { auditEvents(first: 100, after: $after) {
    nodes { id at action outcome operationName rootField code actor { id label role } }
    pageInfo { hasNextPage endCursor }
  } }
}""",
    "Invite": """mutation Invite($email: String!, $role: ID!) {
  invitationsCreate(input: { invitations: [{ email: $email, roleIds: [$role] }] }) {
    results { __typename ... on InvitationCreated { invitation { id email status roles { key } } } }
  }
}""",
}
"""In Tenantry's own schema, of which Strawberry and Mercurius serve the part that is asked for."""

POSTGRAPHILE = {
    "Viewer": """query Viewer {
  viewer {
    user { email name } email status permissions tenant { name }
    memberRolesList { role { key name position } }
  }
}""",
    "List": """query List {
  allMembers(first: 50, orderBy: EMAIL_ASC) {
    nodes { nodeId email name status memberRolesList { role { key name permissions position } } }
    pageInfo { hasNextPage endCursor }
  }
}""",
    "One": """query One($id: String!) {
  memberByNodeId(nodeId: $id) {
    nodeId email name status memberRolesList { role { key name permissions position } }
  }
}""",
    "Trail": """query Trail($after: Cursor) {
  allAuditRecords(first: 100, after: $after, orderBy: PRIMARY_KEY_DESC) {
    nodes { nodeId at action outcome operationName rootField code actorId actorLabel actorRole }
    pageInfo { hasNextPage endCursor }
  }
}""",
    "Invite": """mutation Invite($email: String!, $role: String!) {
  invite(input: { address: $email, roleNode: $role }) {
    result { nodeId email status invitationRolesList { role { key } } }
  }
}""",
}

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Who asks, and for what."""

    token: str
    member: str
    """Node id of the member asked for."""
    role: str
    """Node id of the role to invite into."""
    tenant: str


def variables(name: str, target: Target, after: str | None = None) -> dict[str, Any]:
    """The variables of one request; every second page of the trail is a later one (``after``)."""
    match name:
        case "One":
            return {"id": target.member}
        case "Trail":
            return {"after": after}
        case "Invite":
            return {"email": f"guest{UNIQUE}@example.com", "role": target.role}
        case _:
            return {}


def cursor(answer: Answer) -> str:
    """The end of the page of the trail in ``answer``."""
    data = answer["data"]
    page = data["tenant"]["auditEvents"] if "tenant" in data else data["allAuditRecords"]
    return page["pageInfo"]["endCursor"]


def _member(found: Answer) -> dict[str, Any]:
    return {**found, "roles": [dict(role) for role in found["roles"]]}


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).isoformat()


def _plain_trail(data: Answer) -> Any:
    page = data["tenant"]["auditEvents"]
    nodes = [{**node, "at": _instant(node["at"])} for node in page["nodes"]]
    return {"nodes": nodes, "more": page["pageInfo"]["hasNextPage"]}


def _plain_list(data: Answer) -> Any:
    page = data["tenant"]["members"]
    return {"nodes": page["nodes"], "more": page["pageInfo"]["hasNextPage"]}


def _plain_viewer(data: Answer) -> Any:
    return {**data["viewer"], "permissions": sorted(data["viewer"]["permissions"])}


def _plain_invite(data: Answer) -> Any:
    made = data["invitationsCreate"]["results"][0]["invitation"]
    return {"status": made["status"], "roles": [role["key"] for role in made["roles"]]}


PLAIN_FORMS: dict[str, Callable[[Answer], Any]] = {
    "Viewer": _plain_viewer,
    "List": _plain_list,
    "One": lambda data: data["tenant"]["member"],
    "Trail": _plain_trail,
    "Invite": _plain_invite,
}


def _roles(found: Answer, link: str = "memberRolesList") -> list[dict[str, Any]]:
    roles = sorted((held["role"] for held in found[link]), key=lambda role: role.get("position", 0))
    return [{name: value for name, value in role.items() if name != "position"} for role in roles]


def _graphile_member(found: Answer) -> dict[str, Any]:
    return {
        "id": found["nodeId"],
        **{name: found[name] for name in ("email", "name", "status")},
        "roles": _roles(found),
    }


def _graphile_viewer(data: Answer) -> Any:
    viewer = data["viewer"]
    return {
        "user": viewer["user"],
        "member": {"email": viewer["email"], "status": viewer["status"], "roles": _roles(viewer)},
        "tenant": viewer["tenant"],
        "permissions": sorted(viewer["permissions"]),
    }


def _graphile_trail(data: Answer) -> Any:
    page = data["allAuditRecords"]
    nodes = [
        {
            "id": node["nodeId"],
            "at": _instant(node["at"]),
            **{name: node[name] for name in ("action", "outcome", "operationName", "rootField", "code")},
            "actor": {"id": node["actorId"], "label": node["actorLabel"], "role": node["actorRole"]},
        }
        for node in page["nodes"]
    ]
    return {"nodes": nodes, "more": page["pageInfo"]["hasNextPage"]}


def _graphile_invite(data: Answer) -> Any:
    made = data["invite"]["result"]
    return {"status": made["status"], "roles": [held["role"]["key"] for held in made["invitationRolesList"]]}


GRAPHILE_FORMS: dict[str, Callable[[Answer], Any]] = {
    "Viewer": _graphile_viewer,
    "List": lambda data: {
        "nodes": [_graphile_member(node) for node in data["allMembers"]["nodes"]],
        "more": data["allMembers"]["pageInfo"]["hasNextPage"],
    },
    "One": lambda data: _graphile_member(data["memberByNodeId"]),
    "Trail": _graphile_trail,
    "Invite": _graphile_invite,
}
