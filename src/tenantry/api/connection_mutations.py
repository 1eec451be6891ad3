"""A tenant's own identity providers and domains: added, changed, proved, removed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import FRESH_SECONDS, requires
from tenantry.api.call import Call
from tenantry.api.changes import kept
from tenantry.api.connections import MANAGES, EmailDomain, IdentityProvider
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import DomainNotVerified, DomainTaken, IssuerNotUsable, RoleNotGrantable
from tenantry.audit.actions import AuditAction
from tenantry.authentication.connections import service
from tenantry.authentication.connections.domains import record_name
from tenantry.authentication.connections.errors import IssuerNotUsable as NotUsable
from tenantry.authentication.connections.models import Connection
from tenantry.authentication.connections.models import EmailDomain as DomainRow
from tenantry.kernel.principal import Scope

HERE = requires(BuiltIn.CONNECTION_MANAGE, scope=Scope.TENANT)
FRESH = replace(HERE, freshness=FRESH_SECONDS)
"""Whoever adds a provider or a domain opens the tenant to whomever they say."""


@strawberry.input(description="An OIDC issuer, and the client that is registered there for this tenant.")
class IdentityProviderCreateInput:
    """``role_ids`` are for whom ``provisioning`` makes a member."""

    issuer: str
    client_id: str
    title: str
    provisioning: bool = False
    role_ids: list[strawberry.ID] = strawberry.field(default_factory=list[strawberry.ID])


@strawberry.input(description="What to change; what is not given stays.")
class IdentityProviderUpdateInput:
    """Issuer and client stay: they are another provider's."""

    identity_provider_id: strawberry.ID
    title: str | None = strawberry.UNSET
    provisioning: bool | None = strawberry.UNSET
    role_ids: list[strawberry.ID] | None = strawberry.UNSET


@strawberry.input(description="The provider to trust no more.")
class IdentityProviderDeleteInput:
    """Which."""

    identity_provider_id: strawberry.ID


@strawberry.input(description="A domain of e-mail addresses, such as `example.com`.")
class EmailDomainAddInput:
    """Any spelling."""

    domain: str


@strawberry.input(description="The domain whose TXT record to look at.")
class EmailDomainVerifyInput:
    """Which."""

    email_domain_id: strawberry.ID


@strawberry.input(description="The domain to give up.")
class EmailDomainRemoveInput:
    """Which."""

    email_domain_id: strawberry.ID


@graph_type(rule=MANAGES)
class IdentityProviderCreated:
    """Trusted, for addresses of the tenant's verified domains."""

    identity_provider: IdentityProvider = found("The provider.", Connection)


@graph_type(rule=MANAGES)
class IdentityProviderUpdated:
    """Changed."""

    identity_provider: IdentityProvider = found("The provider.", Connection)


@graph_type(rule=MANAGES)
class IdentityProviderDeleteResult:
    """Trusted no more; the sessions it had opened have ended."""

    identity_provider_id: strawberry.ID = attribute("Which.")


@graph_type(rule=MANAGES)
class EmailDomainAddResult:
    """Listed. Publish its record, then verify it."""

    email_domain: EmailDomain = found("The domain.", DomainRow)


@graph_type(rule=MANAGES)
class EmailDomainVerified:
    """The tenant's."""

    email_domain: EmailDomain = found("The domain.", DomainRow)


@graph_type(rule=MANAGES)
class EmailDomainRemoveResult:
    """Given up; the sessions that the tenant's providers had opened have ended."""

    email_domain_id: strawberry.ID = attribute("Which.")


IdentityProviderCreateResult = Annotated[
    IdentityProviderCreated | IssuerNotUsable | RoleNotGrantable,
    strawberry.union("IdentityProviderCreateResult", description="What came of it."),
]
IdentityProviderUpdateResult = Annotated[
    IdentityProviderUpdated | RoleNotGrantable,
    strawberry.union("IdentityProviderUpdateResult", description="What came of it."),
]
EmailDomainVerifyResult = Annotated[
    EmailDomainVerified | DomainNotVerified | DomainTaken,
    strawberry.union("EmailDomainVerifyResult", description="What came of it."),
]


async def _usable(call: Call, taken: IdentityProviderCreateInput) -> None:
    """Ask the issuer for its documents, before any transaction begins; never one of the settings'."""
    services = call.services
    firebase = f"https://securetoken.google.com/{services.settings.firebase_project}"
    if services.oidc.trusts(taken.issuer) or taken.issuer.rstrip("/") in {services.settings.issuer, firebase}:
        raise NotUsable("This issuer serves everybody here, and cannot be one tenant's.")
    if not await services.oidc.reachable(taken.issuer):
        raise NotUsable("The issuer's documents cannot be had from here; see OpenID Connect Discovery.")


async def _create(call: Call, taken: IdentityProviderCreateInput, _usable: None) -> Outcome:
    made = await service.create(
        call.work,
        issuer=taken.issuer,
        client_id=taken.client_id,
        title=taken.title,
        role_ids=taken.role_ids,
        provisioning=taken.provisioning,
    )
    return Outcome("IdentityProviderCreated", {"identityProvider": made.node_id})


async def _update(call: Call, taken: IdentityProviderUpdateInput) -> Outcome:
    changed = await service.update(
        call.work,
        taken.identity_provider_id,
        title=kept(taken.title),
        provisioning=kept(taken.provisioning),
        role_ids=kept(taken.role_ids),
    )
    return Outcome("IdentityProviderUpdated", {"identityProvider": changed.node_id})


async def _delete(call: Call, taken: IdentityProviderDeleteInput) -> Outcome:
    await service.delete(call.work, taken.identity_provider_id)
    return Outcome("IdentityProviderDeleteResult", {"identityProviderId": taken.identity_provider_id})


async def _add(call: Call, taken: EmailDomainAddInput) -> Outcome:
    made = await service.add_domain(call.work, taken.domain, clock=call.services.clock)
    return Outcome("EmailDomainAddResult", {"emailDomain": made.node_id})


async def _texts(call: Call, taken: EmailDomainVerifyInput) -> Sequence[str]:
    """Ask the domain name system while no transaction waits for it."""
    async with call.services.database.writing(call.authority) as work:
        name = record_name((await service.domain(work, taken.email_domain_id)).domain)
    return await call.services.dns_texts(name)


async def _verify(call: Call, taken: EmailDomainVerifyInput, texts: Sequence[str]) -> Outcome:
    row = await service.verify_domain(call.work, taken.email_domain_id, texts, clock=call.services.clock)
    return Outcome("EmailDomainVerified", {"emailDomain": row.node_id})


async def _remove(call: Call, taken: EmailDomainRemoveInput) -> Outcome:
    await service.remove_domain(call.work, taken.email_domain_id)
    return Outcome("EmailDomainRemoveResult", {"emailDomainId": taken.email_domain_id})


@strawberry.type
class ConnectionMutations:
    """A tenant's own providers and domains."""

    identity_provider_create: IdentityProviderCreateResult = mutation(
        "Trust an OIDC issuer for this tenant.",
        _create,
        takes=IdentityProviderCreateInput,
        before=_usable,
        action=AuditAction.CONNECTION_CREATE,
        rule=FRESH,
    )
    identity_provider_update: IdentityProviderUpdateResult = mutation(
        "Change what a provider is called, and whom it makes a member with which roles.",
        _update,
        takes=IdentityProviderUpdateInput,
        action=AuditAction.CONNECTION_UPDATE,
        rule=FRESH,
    )
    identity_provider_delete: IdentityProviderDeleteResult = mutation(
        "Trust a provider no more; the sessions it has opened end at once.",
        _delete,
        takes=IdentityProviderDeleteInput,
        action=AuditAction.CONNECTION_DELETE,
        rule=HERE,
    )
    email_domain_add: EmailDomainAddResult = mutation(
        "List a domain of e-mail addresses, to be proved by a TXT record.",
        _add,
        takes=EmailDomainAddInput,
        action=AuditAction.DOMAIN_ADD,
        rule=HERE,
    )
    email_domain_verify: EmailDomainVerifyResult = mutation(
        "Look whether the domain's TXT record says that it is this tenant's.",
        _verify,
        takes=EmailDomainVerifyInput,
        before=_texts,
        action=AuditAction.DOMAIN_VERIFY,
        rule=FRESH,
    )
    email_domain_remove: EmailDomainRemoveResult = mutation(
        "Give a domain up; the sessions that the tenant's providers have opened end at once.",
        _remove,
        takes=EmailDomainRemoveInput,
        action=AuditAction.DOMAIN_REMOVE,
        rule=HERE,
    )
