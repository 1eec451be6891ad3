"""Expected outcomes that are not success: members of result unions, named as their exceptions are."""

import strawberry

from tenantry.access.rules import public
from tenantry.api.nodes import Problem
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, graph_type
from tenantry.api.scalars import Permission
from tenantry.authentication.api_keys import errors as api_keys
from tenantry.authentication.factors import errors as factors
from tenantry.authentication.login import errors as login
from tenantry.directory.members import errors as members
from tenantry.directory.roles import errors as roles
from tenantry.directory.webhooks import errors as webhooks
from tenantry.kernel.errors import Problem as Expected


@strawberry.type
class Told(Problem):
    """What the service says of every problem."""

    code: str = attribute("Stable.")
    message: str = attribute("For people.")


@graph_type(rule=public())
class LastOwner(Told):
    """A tenant keeps at least one active owner."""


@graph_type(rule=public())
class RoleNotGrantable(Told):
    """No one grants what they do not hold."""

    role_id: strawberry.ID | None = attribute("The role that holds more than the caller.")


@graph_type(rule=public())
class TooManyRoles(Told):
    """The product allows fewer roles a member."""

    most: int = attribute("How many a member may hold.")


@graph_type(rule=public())
class SeatsExhausted(Told):
    """As many people have joined as the tenant's plan allows."""


@graph_type(rule=public())
class SingleMembership(Told):
    """The person belongs to another tenant of this product, where everyone belongs to one."""


@graph_type(rule=public())
class PlanDoesNotAllow(Told):
    """The tenant's plan does not include this."""

    plans: list[str] = attribute("The plans that do.")


@graph_type(rule=public())
class RoleLocked(Told):
    """The role comes from the blueprint."""


@graph_type(rule=public())
class RoleInUse(Told):
    """Someone still holds the role."""


@graph_type(rule=public())
class TeamNameTaken(Told):
    """Another team has this name."""


@graph_type(rule=public())
class AlreadyMember(Told):
    """The address belongs to a member."""


@graph_type(rule=public())
class InvitationPending(Told):
    """The address has been invited, and the invitation still stands."""


@graph_type(rule=public())
class InvitationNotPending(Told):
    """The invitation is used, revoked, or expired."""


@graph_type(rule=public())
class InvalidEmail(Told):
    """This is no e-mail address."""


@graph_type(rule=public())
class NotInvited(Told):
    """Nobody waits for this person here; also the answer wherever another would tell too much."""


@graph_type(rule=public())
class MemberSuspended(Told):
    """The membership, or its tenant, is suspended."""


@graph_type(rule=public())
class MfaRequired(Told):
    """The person has a second factor; `mfaVerify` takes the challenge with a code, within five minutes."""

    challenge: str = attribute("Names this login; it is no token.")
    methods: list[str] = attribute("What `mfaVerify` takes: TOTP, RECOVERY_CODE.")


@graph_type(rule=public())
class FactorRejected(Told):
    """The code is wrong, too old or used before."""

    tries_left: int = attribute("Tries left in these fifteen minutes.")


@graph_type(rule=public())
class FactorAlreadySet(Told):
    """There is a second factor already; its secret is never shown again."""


@graph_type(rule=public())
class FactorNotSet(Told):
    """There is no second factor; `totpEnroll` begins to set one up."""


@graph_type(rule=public())
class PermissionNotGrantable(Told):
    """The key would hold more than its issuer."""

    permission: Permission = attribute("The permission that the caller does not hold.")


@graph_type(rule=public())
class TooManyKeys(Told):
    """The tenant has as many living keys as it may."""

    most: int = attribute("How many it may have.")


@graph_type(rule=public())
class TooManyWebhooks(Told):
    """The tenant has as many webhooks as it may."""

    most: int = attribute("How many it may have.")


@graph_type(rule=public())
class WebhookUrlNotUsable(Told):
    """The URL is no https address of the public internet."""


@graph_type(rule=public())
class IssuerNotUsable(Told):
    """The issuer's documents cannot be had, or it is not a tenant's to connect."""


@graph_type(rule=public())
class DomainNotVerified(Told):
    """The TXT record is not there yet."""


@graph_type(rule=public())
class DomainTaken(Told):
    """Another tenant has verified the domain."""


@graph_type(rule=public())
class TenantChoice:
    """A tenant that the person can sign in to."""

    tenant_id: strawberry.ID = attribute("Give it to `tenantSwitch` or to `login`.")
    name: str = attribute("Name for people.")


@graph_type(rule=public())
class TenantChoiceRequired(Told):
    """The person belongs to several tenants; `tenantSwitch` takes the ticket, once, within five minutes."""

    choices: list[TenantChoice] = attribute("The tenants to choose from.")
    ticket: str = attribute("Stands in for a token.")


def outcome_of(problem: Expected) -> Outcome:
    """A problem as an object of the graph: its code, its message, and its facts."""
    said = {"code": str(problem.code), "message": problem.message}
    return Outcome(type(problem).__name__, {**said, **_facts(problem)})


def _facts(problem: Expected) -> dict[str, object]:
    facts: dict[str, object] = {}
    match problem:
        case login.TenantChoiceRequired(choices=choices, ticket=ticket):
            made = [Outcome("TenantChoice", {"tenantId": each.tenant, "name": each.name}) for each in choices]
            facts = {"choices": made, "ticket": ticket}
        case login.MfaRequired(challenge=challenge, methods=methods):
            facts = {"challenge": challenge, "methods": methods}
        case factors.FactorRejected(tries_left=left):
            facts = {"triesLeft": left}
        case roles.PlanDoesNotAllow(plans=plans):
            facts = {"plans": list(plans)}
        case roles.RoleNotGrantable(role=role):
            facts = {"roleId": role}
        case (
            members.TooManyRoles(most=most)
            | api_keys.TooManyKeys(most=most)
            | webhooks.TooManyWebhooks(most=most)
        ):
            facts = {"most": most}
        case api_keys.PermissionNotGrantable(permission=permission):
            facts = {"permission": permission}
        case _:
            pass
    return facts
