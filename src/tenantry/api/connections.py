"""A tenant's own identity providers, and the e-mail domains for which they count."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, literal

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import public, requires
from tenantry.api.call import Call
from tenantry.api.nodes import Node
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, column, expression, graph_type, many
from tenantry.api.planner.sources import Connection, Many, Order, Row, Rows
from tenantry.api.roles import Role
from tenantry.api.server import SignInMethod
from tenantry.authentication.connections import models as rows
from tenantry.authentication.connections.domains import RECORD, VALUE
from tenantry.authentication.connections.service import sign_in_by
from tenantry.directory.roles.models import Role as RoleRow

MANAGES = requires(BuiltIn.CONNECTION_MANAGE)

PROVIDERS = Connection(
    rows.Connection,
    on=lambda tenant, provider, _arguments, _rows: [provider.c.tenant_id == tenant.c.id],
    order=Order(lambda provider: [provider.c.created_at, provider.c.node_id]),
)
DOMAINS = Connection(
    rows.EmailDomain,
    on=lambda tenant, domain, _arguments, _rows: [domain.c.tenant_id == tenant.c.id],
    order=Order(lambda domain: [domain.c.domain, domain.c.node_id]),
)
GIVEN = Many(
    RoleRow,
    on=lambda provider, role, given: (
        [] if given is None else [given.c.connection_id == provider.c.id, role.c.id == given.c.role_id]
    ),
    order=lambda role: [role.c.position, role.c.node_id],
    link=rows.ConnectionRole,
)


def _record_name(domain: Row, _caller: Row, _of: Rows) -> ColumnElement[str]:
    return literal(f"{RECORD}.") + domain.c.domain


def _record_value(domain: Row, _caller: Row, _of: Rows) -> ColumnElement[str]:
    return literal(VALUE) + domain.c.token


@graph_type(rule=MANAGES, table=rows.Connection)
class IdentityProvider(Node):
    """An OIDC issuer that this tenant trusts, for addresses of its own verified domains."""

    issuer: str = column("Its URL, as its tokens name it.")
    client_id: str = column("The client id that the tenant's people sign in with there.")
    title: str = column("Name for people.")
    provisioning: bool = column("Whether whoever it vouches for becomes a member at their first login.")
    roles: list[Role] = many("What such a member is given.", GIVEN)
    created_at: datetime = column("When it was added.")


@graph_type(rule=MANAGES, table=rows.EmailDomain)
class EmailDomain(Node):
    """A domain of e-mail addresses, the tenant's once its TXT record says so."""

    domain: str = column("Lower-case, in ASCII.")
    record_name: str = expression("Where the TXT record is to stand.", _record_name)
    record_value: str = expression("What it is to hold.", _record_value)
    created_at: datetime = column("When it was added.")
    verified_at: datetime | None = column("When it was found to be the tenant's.")


@graph_type(rule=public())
class SignInOptions:
    """Where somebody signs in."""

    methods: list[SignInMethod] = attribute("The ways, the tenant's own where there are some.")


async def sign_in_options(call: Call, arguments: Mapping[str, Any]) -> object:
    """By the domain of an address: its tenant's own providers, or else those of the settings."""
    async with call.services.database.writing(None) as work:
        found = await sign_in_by(work, arguments["email"])
    own = [
        Outcome(
            "SignInMethod",
            {"kind": "OIDC", "title": each.title, "issuer": each.issuer, "clientId": each.client_id},
        )
        for each in found
    ]
    return Outcome("SignInOptions", {"methods": own or call.sign_in_methods()})
