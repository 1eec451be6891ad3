"""Another tenant's id and an id that nobody has: the answers are the same, byte for byte."""

from collections.abc import Iterator
from secrets import token_urlsafe

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from tenantry.api.schema import bare_schema
from tests.support.api import Product, Speaker
from tests.support.refusals import snapshot
from tests.support.world import World

ACCEPT = """mutation { invitationAccept(input: {token: "none", login: {oidc: {
    idToken: <ID token>, issuer: <issuer>, tenantId: <id>}}}) { __typename } }"""
LOGIN = """mutation { login(input: {oidc: {idToken: <ID token>, issuer: <issuer>, tenantId: <id>}})
    { __typename ... on Problem { code message } } }"""

# For each argument of type ID: whose token, what kind of object, what is asked, and what the answer holds.
MEMBER, ROLE, INVITATION, TENANT, SESSION, USER, API_KEY, PROVIDER, DOMAIN, RESOURCE, TEAM = (
    "powerless member",
    "powerless role",
    "invitation",
    "tenant",
    "own session",
    "user",
    "API key",
    "identity provider",
    "published domain",
    "ticket object",
    "team",
)
WEBHOOK, DELIVERY = "webhook", "dead delivery"
ASKS: dict[str, tuple[str, str, str]] = {
    "Query.node.id": (MEMBER, "{ node(id: <id>) { id } }", "NOT_FOUND"),
    "Tenant.member.id": (MEMBER, "{ tenant { member(id: <id>) { email } } }", "NOT_FOUND"),
    "Viewer.can.on": (
        MEMBER,
        '{ viewer { can(permission: "member:read", on: <id>) { allowed reason } } }',
        "NOT_FOUND",
    ),
    "CanInput.on": (
        MEMBER,
        '{ viewer { canAll(checks: [{permission: "member:read", on: <id>}]) { allowed reason } } }',
        "NOT_FOUND",
    ),
    "Query.explainAccess.memberId": (
        MEMBER,
        '{ explainAccess(memberId: <id>, permission: "org:read") { allowed } }',
        "NOT_FOUND",
    ),
    "Query.explainAccess.on": (
        RESOURCE,
        """{ explainAccess(memberId: <powerless member>, permission: "ticket:read", on: <id>) {
            allowed reason paths { holds } } }""",
        '"allowed":false',
    ),
    "EvaluationInput.subject": (
        MEMBER,
        '{ evaluateAccess(checks: [{permission: "org:read", subject: <id>}]) { allowed reason } }',
        "NOT_FOUND",
    ),
    "EvaluationInput.on": (
        RESOURCE,
        """{ evaluateAccess(checks: [{permission: "ticket:read", on: <id>, type: "ticket"}]) {
            allowed reason } }""",
        "NOT_FOUND",
    ),
    "System.tenant.id": (MEMBER, "{ system { tenant(id: <id>) { id } } }", "SCOPE_MISMATCH"),
    "MemberFilter.roleId": (
        ROLE,
        "{ tenant { members(first: 9, filter: {roleId: <id>}) { totalCount nodes { id } } } }",
        '"totalCount":0',
    ),
    "AuditFilter.actorId": (
        USER,
        "{ tenant { auditEvents(first: 9, filter: {actorId: <id>}) { totalCount } } }",
        '"totalCount":0',
    ),
    "MemberFilter.teamId": (
        TEAM,
        "{ tenant { members(first: 9, filter: {teamId: <id>}) { totalCount nodes { id } } } }",
        '"totalCount":0',
    ),
    "Tenant.team.id": (TEAM, "{ tenant { team(id: <id>) { name } } }", "NOT_FOUND"),
    "TeamCreateInput.supervisorIds": (
        MEMBER,
        'mutation { teamCreate(input: {name: "X", supervisorIds: [<id>]}) { __typename } }',
        "NOT_FOUND",
    ),
    "TeamCreateInput.memberIds": (
        MEMBER,
        'mutation { teamCreate(input: {name: "X", memberIds: [<id>]}) { __typename } }',
        "NOT_FOUND",
    ),
    "TeamUpdateInput.teamId": (
        TEAM,
        'mutation { teamUpdate(input: {teamId: <id>, name: "X"}) { __typename } }',
        "NOT_FOUND",
    ),
    "TeamUpdateInput.supervisorIds": (
        MEMBER,
        "mutation { teamUpdate(input: {teamId: <team>, supervisorIds: [<id>]}) { __typename } }",
        "NOT_FOUND",
    ),
    "TeamUpdateInput.addMemberIds": (
        MEMBER,
        "mutation { teamUpdate(input: {teamId: <team>, addMemberIds: [<id>]}) { __typename } }",
        "NOT_FOUND",
    ),
    "TeamUpdateInput.removeMemberIds": (
        MEMBER,
        "mutation { teamUpdate(input: {teamId: <team>, removeMemberIds: [<id>]}) { __typename } }",
        "NOT_FOUND",
    ),
    "TeamDeleteInput.teamId": (
        TEAM,
        "mutation { teamDelete(input: {teamId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "ResourceCreateInput.teamId": (
        TEAM,
        'mutation { resourceCreate(input: {type: "ticket", name: "X", teamId: <id>}) { __typename } }',
        "NOT_FOUND",
    ),
    "ResourceUpdateInput.teamId": (
        TEAM,
        "mutation { resourceUpdate(input: {resourceId: <ticket object>, teamId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "Tenant.resource.id": (RESOURCE, "{ tenant { resource(id: <id>) { name } } }", "NOT_FOUND"),
    "ResourceUpdateInput.resourceId": (
        RESOURCE,
        'mutation { resourceUpdate(input: {resourceId: <id>, name: "X"}) { __typename } }',
        "NOT_FOUND",
    ),
    "ResourceUpdateInput.ownerId": (
        MEMBER,
        "mutation { resourceUpdate(input: {resourceId: <ticket object>, ownerId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "ResourceDeleteInput.resourceId": (
        RESOURCE,
        "mutation { resourceDelete(input: {resourceId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "ResourceActInput.resourceId": (
        RESOURCE,
        'mutation { resourceAct(input: {resourceId: <id>, action: "archive"}) { __typename } }',
        "NOT_FOUND",
    ),
    "MemberUpdateInput.memberId": (
        MEMBER,
        'mutation { memberUpdate(input: {memberId: <id>, name: "X"}) { member { id } } }',
        "NOT_FOUND",
    ),
    "MemberRolesSetInput.memberId": (
        MEMBER,
        "mutation { memberRolesSet(input: {memberId: <id>, roleIds: []}) { __typename } }",
        "NOT_FOUND",
    ),
    "MemberRolesSetInput.roleIds": (
        ROLE,
        "mutation { memberRolesSet(input: {memberId: <powerless member>, roleIds: [<id>]}) { __typename } }",
        "NOT_FOUND",
    ),
    "MemberSuspendInput.memberId": (
        MEMBER,
        "mutation { memberSuspend(input: {memberId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "MemberReactivateInput.memberId": (
        MEMBER,
        "mutation { memberReactivate(input: {memberId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "MemberRemoveInput.memberId": (
        MEMBER,
        "mutation { memberRemove(input: {memberId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "OwnershipTransferInput.memberId": (
        MEMBER,
        "mutation { ownershipTransfer(input: {memberId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "ApiKeyRevokeInput.apiKeyId": (
        API_KEY,
        "mutation { apiKeyRevoke(input: {apiKeyId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "IdentityProviderUpdateInput.identityProviderId": (
        PROVIDER,
        'mutation { identityProviderUpdate(input: {identityProviderId: <id>, title: "X"}) { __typename } }',
        "NOT_FOUND",
    ),
    "IdentityProviderUpdateInput.roleIds": (
        ROLE,
        """mutation { identityProviderUpdate(input: {identityProviderId: <identity provider>,
            roleIds: [<id>]}) { __typename } }""",
        "BAD_USER_INPUT",
    ),
    "IdentityProviderCreateInput.roleIds": (
        ROLE,
        """mutation { identityProviderCreate(input: {issuer: <other issuer>, clientId: "x", title: "X",
            roleIds: [<id>]}) { __typename } }""",
        "BAD_USER_INPUT",
    ),
    "IdentityProviderDeleteInput.identityProviderId": (
        PROVIDER,
        "mutation { identityProviderDelete(input: {identityProviderId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "EmailDomainVerifyInput.emailDomainId": (
        DOMAIN,
        "mutation { emailDomainVerify(input: {emailDomainId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "EmailDomainRemoveInput.emailDomainId": (
        DOMAIN,
        "mutation { emailDomainRemove(input: {emailDomainId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "WebhookUpdateInput.webhookId": (
        WEBHOOK,
        "mutation { webhookUpdate(input: {webhookId: <id>, enabled: false}) { __typename } }",
        "NOT_FOUND",
    ),
    "WebhookDeleteInput.webhookId": (
        WEBHOOK,
        "mutation { webhookDelete(input: {webhookId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "WebhookSecretRotateInput.webhookId": (
        WEBHOOK,
        "mutation { webhookSecretRotate(input: {webhookId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "WebhookReplayInput.deliveryId": (
        DELIVERY,
        "mutation { webhookReplay(input: {deliveryId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "FactorResetInput.userId": (
        USER,
        "mutation { factorReset(input: {userId: <id>}) { __typename } }",
        "SCOPE_MISMATCH",
    ),
    "InvitationInput.roleIds": (
        ROLE,
        """mutation { invitationsCreate(input: {invitations: [{email: "a@b.example", roleIds: [<id>]}]})
            { results { __typename } } }""",
        "NOT_FOUND",
    ),
    "InvitationResendInput.invitationId": (
        INVITATION,
        "mutation { invitationResend(input: {invitationId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "InvitationRevokeInput.invitationId": (
        INVITATION,
        "mutation { invitationRevoke(input: {invitationId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "RoleUpdateInput.roleId": (
        ROLE,
        'mutation { roleUpdate(input: {roleId: <id>, name: "X"}) { __typename } }',
        "NOT_FOUND",
    ),
    "RoleDeleteInput.roleId": (
        ROLE,
        "mutation { roleDelete(input: {roleId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "SessionRevokeInput.sessionId": (
        SESSION,
        "mutation { sessionRevoke(input: {sessionId: <id>}) { __typename } }",
        "NOT_FOUND",
    ),
    "TenantUpdateInput.tenantId": (
        TENANT,
        'mutation { tenantUpdate(input: {tenantId: <id>, name: "X"}) { __typename } }',
        "BAD_USER_INPUT",
    ),
    "TenantPlanSetInput.tenantId": (
        TENANT,
        'mutation { tenantPlanSet(input: {tenantId: <id>, plan: "x"}) { __typename } }',
        "BAD_USER_INPUT",
    ),
    "TenantSuspendInput.tenantId": (
        TENANT,
        "mutation { tenantSuspend(input: {tenantId: <id>}) { __typename } }",
        "SCOPE_MISMATCH",
    ),
    "TenantReactivateInput.tenantId": (
        TENANT,
        "mutation { tenantReactivate(input: {tenantId: <id>}) { __typename } }",
        "SCOPE_MISMATCH",
    ),
    "TenantSwitchInput.tenantId": (
        TENANT,
        "mutation { tenantSwitch(input: {tenantId: <id>}) { __typename ... on Problem { code } } }",
        "NOT_INVITED",
    ),
    "OidcLoginInput.tenantId": (TENANT, LOGIN, "NOT_INVITED"),
    "FirebaseLoginInput.tenantId": (
        TENANT,
        'mutation { login(input: {firebase: {idToken: "x", tenantId: <id>}}) { __typename } }',
        "BAD_USER_INPUT",
    ),
}
# The platform sees every tenant, so nothing is another's: an id that nobody has, and one of another kind.
PLATFORM_ASKS = {
    "System.tenant.id": "{ system { tenant(id: <id>) { id } } }",
    "TenantSuspendInput.tenantId": "mutation { tenantSuspend(input: {tenantId: <id>}) { __typename } }",
    "TenantReactivateInput.tenantId": "mutation { tenantReactivate(input: {tenantId: <id>}) { __typename } }",
    "TenantUpdateInput.tenantId": (
        'mutation { tenantUpdate(input: {tenantId: <id>, name: "X"}) { __typename } }'
    ),
    "FactorResetInput.userId": "mutation { factorReset(input: {userId: <id>}) { __typename } }",
    "TenantPlanSetInput.tenantId": (
        'mutation { tenantPlanSet(input: {tenantId: <id>, plan: "x"}) { __typename } }'
    ),
}


def id_arguments() -> Iterator[str]:
    """Every argument and input field of type ID in the schema."""
    for name, kind in bare_schema()._schema.type_map.items():
        if isinstance(kind, GraphQLInputObjectType):
            yield from (f"{name}.{key}" for key, given in kind.fields.items() if is_id(given.type))
        elif isinstance(kind, GraphQLObjectType):
            for field, definition in kind.fields.items():
                taken = definition.args.items()
                yield from (f"{name}.{field}.{key}" for key, given in taken if is_id(given.type))


def is_id(kind: object) -> bool:
    """Whether ids are taken there."""
    return get_named_type(kind).name == "ID"


def test_every_id_argument_of_the_schema_is_tried() -> None:
    assert set(ASKS) == set(id_arguments())


def nobody_has(node_id: str) -> str:
    """An id of the same kind that nobody has."""
    return f"{node_id.partition('_')[0]}_{token_urlsafe(16)}"


async def elsewhere(product: Product, kind: str) -> tuple[World, str]:
    """An object of that kind in another tenant."""
    other = await World.make(product)
    if kind == USER:
        return other, other.owner.user
    await other.fill(f"<{kind}>")
    return other, other.made[kind]


async def answers(speaker: Speaker, text: str, ids: list[str], world: World) -> list[str]:
    """What is answered for each id; nothing else differs."""
    found: list[str] = []
    for node_id in ids:
        world.made["id"] = node_id
        found.append((await speaker.ask(await world.fill(text))).text)
    return found


@pytest.mark.requirement("001-32", "J-04", "000-09")
@pytest.mark.parametrize("argument", sorted(ASKS))
async def test_another_tenants_id_is_no_id(product: Product, argument: str) -> None:
    kind, text, expected = ASKS[argument]
    world = await World.make(product)
    owner = await world.enter("owner")
    assert world.caller is not None
    await world.prove(world.caller)
    other, foreign = await elsewhere(product, kind)
    await world.fill(text.replace("<id>", ""))
    # Somebody acts there, so that the trail has something of theirs.
    await product.as_(other.owner).query("{ viewer { scope } }")
    before = await snapshot(product.database)
    first, second, third = await answers(
        owner, text, [foreign, nobody_has(foreign), nobody_has(foreign)], world
    )
    assert first == second == third
    assert expected in first
    assert foreign not in first
    assert await snapshot(product.database) == before


@pytest.mark.parametrize("argument", sorted(PLATFORM_ASKS))
async def test_the_platform_is_told_of_tenants_only(product: Product, argument: str) -> None:
    world = await World.make(product)
    platform = await world.enter("platform")
    assert world.caller is not None
    await world.prove(world.caller)
    await world.fill("<powerless member>")
    before = await snapshot(product.database)
    ids = [world.made["powerless member"], nobody_has("T_x"), "T_", "garbage"]
    found = await answers(platform, PLATFORM_ASKS[argument], ids, world)
    assert len(set(found)) == 1, found
    assert "NOT_FOUND" in found[0]
    assert await snapshot(product.database) == before
