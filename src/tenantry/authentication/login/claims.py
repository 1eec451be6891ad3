"""From a login to an access token: who it names, and the claims a blueprint adds."""

from collections.abc import Mapping

from tenantry.authentication.login.service import SignedIn
from tenantry.kernel.principal import ActorKind, Authority, Principal, Scope


def principal_of(authority: Authority) -> Principal:
    """Whom a token of this session names. A platform token names no tenant: it is of none."""
    return Principal(
        kind=ActorKind.USER,
        subject=authority.user,
        session=authority.session_id,
        tenant=authority.tenant if authority.scope is Scope.TENANT else None,
        scope=authority.scope,
        roles=authority.roles,
        member_version=authority.member_version,
        tenant_version=authority.tenant_version,
    )


def claims(signed_in: SignedIn) -> dict[str, object]:
    """The claims of the blueprint's profile: other names for the canonical values, and no others.

    ``permissions`` are what the roles list, in the blueprint's own spelling: for clients to
    show or hide by. The server decides nothing by them. Raises ``KeyError`` for a profile that
    names an unknown value, which no blueprint that was read can.
    """
    principal = principal_of(signed_in.authority)
    values: Mapping[str, object] = {
        "permissions": list(signed_in.permissions),
        "role": principal.roles[0] if principal.roles else None,
        "roles": list(principal.roles),
        "scope": str(principal.scope).lower(),
        "sid": str(principal.session),
        "sub": principal.subject,
        "tenant_id": principal.tenant,
    }
    return {claim: values[source] for claim, source in signed_in.profile.items()}
