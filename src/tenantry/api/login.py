"""Signing in, choosing a tenant, and signing out."""

from datetime import datetime, timedelta
from typing import Annotated, TypeAlias

import strawberry

from tenantry.access.rules import authenticated, public
from tenantry.api.call import Call
from tenantry.api.enums import Scope
from tenantry.api.operations import Hidden, RefreshCookie
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, graph_type, mutation, planned
from tenantry.api.planner.sources import TheCaller
from tenantry.api.problems import (
    FactorNotSet,
    FactorRejected,
    MemberSuspended,
    MfaRequired,
    NotInvited,
    SeatsExhausted,
    SingleMembership,
    TenantChoiceRequired,
    outcome_of,
)
from tenantry.api.scalars import JWT
from tenantry.api.viewer import Viewer
from tenantry.audit.actions import AuditAction
from tenantry.authentication.connections import repository as connections
from tenantry.authentication.connections.service import vouched
from tenantry.authentication.login import service
from tenantry.authentication.login.claims import claims, principal_of
from tenantry.authentication.login.errors import NotInvited as NobodyWaits
from tenantry.authentication.login.errors import TenantChoiceRequired as ChoiceRequired
from tenantry.authentication.login.service import Arrival, SignedIn, Terms
from tenantry.authentication.sessions.service import Client, end_session
from tenantry.cache.rate_limits import RateRule, neighbourhood
from tenantry.kernel.errors import BadUserInput, Problem, Unauthenticated
from tenantry.settings import OidcProvider
from tenantry.tokens.claims import stated_audiences
from tenantry.tokens.errors import IdTokenRejected, Reason


@strawberry.input(description="A Firebase ID token; `tenantId` names the tenant, where there are several.")
class FirebaseLoginInput:
    """What Firebase gave the browser."""

    id_token: JWT
    tenant_id: strawberry.ID | None = strawberry.UNSET
    scope: Scope | None = strawberry.UNSET


@strawberry.input(description="An ID token of a configured OIDC issuer, with the nonce that was asked for.")
class OidcLoginInput:
    """What the OIDC provider gave the browser."""

    id_token: JWT
    issuer: str
    nonce: str | None = strawberry.UNSET
    tenant_id: strawberry.ID | None = strawberry.UNSET
    scope: Scope | None = strawberry.UNSET


@strawberry.input(one_of=True, description="Exactly one of the doors.")
class LoginInput:
    """One door."""

    firebase: FirebaseLoginInput | None = strawberry.UNSET
    oidc: OidcLoginInput | None = strawberry.UNSET


@strawberry.input(description="The tenant to act in; `ticket` stands in for a token.")
class TenantSwitchInput:
    """Where to go."""

    tenant_id: strawberry.ID
    ticket: str | None = strawberry.UNSET


@strawberry.input(description="The challenge of `MfaRequired`, and a code of the second factor.")
class MfaVerifyInput:
    """`code` is what the authenticator shows, or a recovery code."""

    challenge: str
    code: str


@strawberry.input(description="The token of the mailed link, and the login of the invited address.")
class InvitationAcceptInput:
    """What the invited person has."""

    token: str
    login: LoginInput


@graph_type(rule=public())
class LoginSuccess:
    """Signed in. Keep the token in memory, and send it as `Authorization: Bearer`."""

    access_token: JWT = attribute("An `at+jwt` (RFC 9068), good for two hours.")
    expires_at: datetime = attribute("When the token ends.")
    viewer: Viewer = planned(TheCaller(), "Who has signed in.", rule=authenticated())


@graph_type(rule=public())
class LogoutPayload:
    """Signed out."""

    success: bool = attribute("True: the session has ended.")


LoginResult = Annotated[
    LoginSuccess
    | MfaRequired
    | TenantChoiceRequired
    | NotInvited
    | MemberSuspended
    | FactorRejected
    | FactorNotSet
    | SeatsExhausted
    | SingleMembership,
    strawberry.union("LoginResult", description="What a login can come to."),
]


Answer: TypeAlias = Outcome | Problem


async def _verify(call: Call, login: LoginInput) -> Arrival:
    """Prove the person at the issuer, before any transaction begins."""
    await _limit(call)
    if login.firebase:
        door = login.firebase
        if call.services.firebase is None:
            raise BadUserInput("Firebase is not configured here.", {"input.firebase": "not configured"})
        identity = await call.services.firebase.verify(door.id_token)
    elif login.oidc:
        door = login.oidc
        if not call.services.oidc.trusts(door.issuer):
            return await _by_connection(call, door)
        identity = await call.services.oidc.verify(
            door.id_token, issuer=door.issuer, nonce=door.nonce or None
        )
    else:
        raise BadUserInput("Say exactly one of firebase and oidc.", {"input": "one of the two"})
    return Arrival(identity, door.tenant_id or None, door.scope or None)


async def _by_connection(call: Call, door: OidcLoginInput) -> Arrival:
    """Prove the person at an issuer that a tenant trusts, where one does."""
    audiences = stated_audiences(door.id_token)
    async with call.services.database.writing(None) as work:
        found = await connections.find(work, door.issuer, audiences)
    if not found:
        raise IdTokenRejected(Reason.UNKNOWN_ISSUER)
    provider = OidcProvider(issuer=door.issuer, audience=found[0].client_id)
    identity = await call.services.oidc.verify_by(provider, door.id_token, nonce=door.nonce or None)
    same = [each for each in found if each.client_id == provider.audience]
    counted = vouched(same, identity, tenant=door.tenant_id or None)
    if counted is None:
        raise NobodyWaits
    trusted, identity = counted
    return Arrival(identity, trusted.tenant_node, door.scope or None, trusted)


async def _verify_invited(call: Call, taken: InvitationAcceptInput) -> Arrival:
    return await _verify(call, taken.login)


async def _login(call: Call, _login: LoginInput, arrival: Arrival) -> Answer:
    made = await service.sign_in(call.work, arrival, client=_client(call), terms=_terms(call))
    return outcome_of(made) if isinstance(made, ChoiceRequired) else _answer(call, made)


async def _accept(call: Call, taken: InvitationAcceptInput, arrival: Arrival) -> Answer:
    made = await service.accept_invitation(
        call.work, taken.token, arrival, client=_client(call), terms=_terms(call)
    )
    return _answer(call, made)


async def _limit(call: Call, *_taken: object) -> None:
    """Logins are rationed by address; codes of a factor by their person, besides."""
    await _ration(call, "login")


async def _limit_renewal(call: Call) -> None:
    """Renewals by themselves: whoever is signed in stays so while others crowd at the door."""
    await _ration(call, "renewal")


async def _ration(call: Call, name: str) -> None:
    most = call.services.settings.limits.logins_per_minute
    await call.services.limiter.hit(RateRule(name, most, 60), neighbourhood(call.caller.ip))


async def _verify_factor(call: Call, taken: MfaVerifyInput, _limited: None) -> Answer:
    made = await service.answer_challenge(
        call.work,
        taken.challenge,
        taken.code,
        keys=call.services.encryption_keys,
        client=_client(call),
        terms=_terms(call),
    )
    return _answer(call, made)


async def _switch(call: Call, taken: TenantSwitchInput, _limited: None) -> Answer:
    client, terms = _client(call), _terms(call)
    if taken.ticket:
        made = await service.redeem_ticket(
            call.work, taken.ticket, taken.tenant_id, client=client, terms=terms
        )
    elif call.authority is None:
        raise Unauthenticated("MISSING", "Send a token, or the ticket of a login.")
    else:
        made = await service.switch_tenant(call.work, taken.tenant_id, client=client, terms=terms)
    return _answer(call, made)


async def _refresh(call: Call, _limited: None) -> Outcome | Unauthenticated:
    token = call.caller.refresh_token
    if token is None:
        raise Unauthenticated("MISSING", "There is no refresh cookie; sign in.")
    made = await service.renew_session(call.work, token, terms=_terms(call))
    if isinstance(made, Unauthenticated):
        call.cookie = RefreshCookie()
        return made
    return _success(call, made)


async def _logout(call: Call) -> Outcome:
    await end_session(call.work)
    call.cookie = RefreshCookie()
    return Outcome("LogoutPayload", {"success": True})


def _answer(call: Call, made: SignedIn | Problem) -> Answer:
    """What is left undone is a problem: recorded as a refusal, and committed with what it needs."""
    return made if isinstance(made, Problem) else _success(call, made)


def _success(call: Call, made: SignedIn) -> Outcome:
    minted = call.services.access_tokens.mint(principal_of(made.authority), extra=claims(made))
    left = made.refresh.expires_at - call.services.clock()
    call.cookie = RefreshCookie(Hidden(made.refresh.token), max(0, int(left.total_seconds())))
    values = {"accessToken": minted.token, "expiresAt": minted.expires_at}
    return Outcome("LoginSuccess", values, authority=made.authority)


def _client(call: Call) -> Client:
    return Client(ip=call.caller.ip, user_agent=call.caller.user_agent)


def _terms(call: Call) -> Terms:
    settings = call.services.settings
    return Terms(
        clock=call.services.clock,
        session=timedelta(seconds=settings.session_seconds),
        ticket=timedelta(seconds=settings.ticket_seconds),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
    )


@strawberry.type
class LoginMutations:
    """Signing in and out."""

    login: LoginResult = mutation(
        "Exchange an ID token for an access token. Sends no token itself.",
        _login,
        takes=LoginInput,
        before=_verify,
        action=AuditAction.AUTHENTICATION_LOGIN,
        rule=public(),
    )
    mfa_verify: LoginResult = mutation(
        "Go on with a login that has come to `MfaRequired`. Five wrong codes in fifteen minutes are one "
        "too many, however they are sent.",
        _verify_factor,
        takes=MfaVerifyInput,
        before=_limit,
        action=AuditAction.AUTHENTICATION_MFA_VERIFY,
        rule=public(),
    )
    tenant_switch: LoginResult = mutation(
        "Act in another tenant: by a token, or by the ticket of `TenantChoiceRequired`.",
        _switch,
        takes=TenantSwitchInput,
        before=_limit,
        action=AuditAction.AUTHENTICATION_TENANT_SWITCH,
        rule=public(),
    )
    invitation_accept: LoginResult = mutation(
        "Accept an invitation by its mailed token, and sign in.",
        _accept,
        takes=InvitationAcceptInput,
        before=_verify_invited,
        action=AuditAction.INVITATION_ACCEPT,
        rule=public(),
    )
    session_refresh: LoginResult = mutation(
        "A new access token, by the refresh cookie that a login has set; the cookie changes with it. "
        "A cookie used before ends its session.",
        _refresh,
        before=_limit_renewal,
        action=AuditAction.SESSION_REFRESH,
        rule=public(),
    )
    logout: LogoutPayload = mutation(
        "End this session, at once and everywhere.",
        _logout,
        action=AuditAction.AUTHENTICATION_LOGOUT,
        rule=authenticated(),
    )
