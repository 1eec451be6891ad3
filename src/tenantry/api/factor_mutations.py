"""Second factors: one's own, set up, proved anew and taken away."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import FRESH_SECONDS, authenticated, fresh, requires
from tenantry.api.call import Call
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, graph_type, mutation, planned
from tenantry.api.planner.sources import Service
from tenantry.api.problems import FactorAlreadySet, FactorNotSet, FactorRejected
from tenantry.audit.actions import AuditAction
from tenantry.authentication.factors import service
from tenantry.kernel.errors import Problem
from tenantry.kernel.principal import Scope

SIGNED_IN = authenticated()
Answer: TypeAlias = Outcome | Problem


@strawberry.input(description="A code of the authenticator that has just been set up.")
class TotpConfirmInput:
    """Six digits."""

    code: str


@strawberry.input(description="A code that has not been used yet, or a recovery code.")
class TotpDisableInput:
    """The last code of this factor."""

    code: str


@strawberry.input(description="A person who has lost their second factor.")
class FactorResetInput:
    """Whose."""

    user_id: strawberry.ID


@graph_type(rule=SIGNED_IN)
class TotpEnrolled:
    """What to set an authenticator up with. It is never shown again: enroll anew where it is lost."""

    secret: str = attribute("160 bits in Base32, for typing in.")
    uri: str = attribute("The same as `otpauth://totp/…`.")
    svg: str = attribute("The URI as a QR code: an SVG element.")


@graph_type(rule=SIGNED_IN)
class TotpConfirmed:
    """Set up. Every other session of the person has ended."""

    recovery_codes: list[str] = attribute("Each stands in for one code, once. Never shown again.")


@graph_type(rule=SIGNED_IN)
class TotpDisabled:
    """Taken away. Every other session of the person has ended; this one takes a new access token."""

    success: bool = attribute("True: there is no second factor any more.")


@graph_type(rule=SIGNED_IN)
class FactorReset:
    """Taken away. Every session of the person has ended."""

    user_id: strawberry.ID = attribute("Whose.")


@graph_type(rule=SIGNED_IN)
class SteppedUp:
    """Proved anew, for this session."""

    factor_at: datetime = attribute("When; what asks for a fresh factor counts from here.")


TotpEnrollResult = Annotated[
    TotpEnrolled | FactorAlreadySet,
    strawberry.union("TotpEnrollResult", description="What setting up a factor can come to."),
]
TotpConfirmResult = Annotated[
    TotpConfirmed | FactorRejected | FactorNotSet | FactorAlreadySet,
    strawberry.union("TotpConfirmResult", description="What confirming a factor can come to."),
]
TotpDisableResult = Annotated[
    TotpDisabled | FactorRejected | FactorNotSet,
    strawberry.union("TotpDisableResult", description="What taking a factor away can come to."),
]
FactorResetResult = Annotated[
    FactorReset | FactorNotSet,
    strawberry.union("FactorResetResult", description="What helping a person out can come to."),
]
StepUpResult = Annotated[
    SteppedUp | FactorRejected | FactorNotSet,
    strawberry.union("StepUpResult", description="What proving a factor anew can come to."),
]


async def _enroll(call: Call) -> Outcome:
    services = call.services
    made = await service.enroll(
        call.work,
        keys=services.encryption_keys,
        clock=services.clock,
        issuer=services.settings.totp_issuer,
    )
    return Outcome("TotpEnrolled", made._asdict())


async def _confirm(call: Call, taken: TotpConfirmInput) -> Answer:
    keys, clock = call.services.encryption_keys, call.services.clock
    made = await service.confirm(call.work, taken.code, keys=keys, clock=clock)
    return made if isinstance(made, Problem) else Outcome("TotpConfirmed", {"recoveryCodes": made})


async def _disable(call: Call, taken: TotpDisableInput) -> Answer:
    keys, clock = call.services.encryption_keys, call.services.clock
    rejected = await service.disable(call.work, taken.code, keys=keys, clock=clock)
    return rejected or Outcome("TotpDisabled", {"success": True})


async def _reset(call: Call, taken: FactorResetInput) -> Outcome:
    await service.reset(call.work, taken.user_id)
    return Outcome("FactorReset", {"userId": taken.user_id})


async def _step_up(call: Call, code: str) -> Answer:
    keys, clock = call.services.encryption_keys, call.services.clock
    made = await service.step_up(call.work, code, keys=keys, clock=clock)
    return made if isinstance(made, Problem) else Outcome("SteppedUp", {"factorAt": made})


@strawberry.type
class FactorMutations:
    """Second factors."""

    totp_enroll: TotpEnrollResult = mutation(
        "Begin to set up an authenticator; it asks nothing of anyone until `totpConfirm`.",
        _enroll,
        action=AuditAction.FACTOR_ENROLL,
        rule=SIGNED_IN,
    )
    totp_confirm: TotpConfirmResult = mutation(
        "Finish setting up, by a code that the authenticator shows.",
        _confirm,
        takes=TotpConfirmInput,
        action=AuditAction.FACTOR_CONFIRM,
        rule=SIGNED_IN,
    )
    totp_disable: TotpDisableResult = mutation(
        "Take a second factor away.",
        _disable,
        takes=TotpDisableInput,
        action=AuditAction.FACTOR_DISABLE,
        rule=fresh(),
    )
    factor_reset: FactorResetResult = mutation(
        "Take away the second factor of a person who has lost device and recovery codes, once it is "
        "certain who asks. Nothing of the secret is shown.",
        _reset,
        takes=FactorResetInput,
        action=AuditAction.FACTOR_RESET,
        rule=requires(BuiltIn.USER_RESET_FACTOR, scope=Scope.SYSTEM, freshness=FRESH_SECONDS),
    )
    step_up: StepUpResult = planned(
        Service(_step_up, AuditAction.FACTOR_STEP_UP),
        "Prove the second factor anew, for what answers STEP_UP_REQUIRED; a recovery code will do.",
        rule=SIGNED_IN,
        arguments={"code": str},
    )
