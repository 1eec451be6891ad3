"""Second factors: set up, prove, take away.

A code is tried under the factor's row lock, and a failure is counted in the very transaction that
tells of it: whatever comes in parallel, by aliases, from many addresses or by several of the ways
in, five tries are had in fifteen minutes and each code is taken once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from tenantry.audit.actions import AuditAction
from tenantry.authentication.factors import repository
from tenantry.authentication.factors.codes import (
    Enrollment,
    enrollment,
    new_recovery_codes,
    new_secret,
    recovery_digest,
    step_of,
    tidied,
)
from tenantry.authentication.factors.errors import FactorAlreadySet, FactorNotSet, FactorRejected
from tenantry.authentication.factors.models import TotpFactor
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import NotFound, RateLimited
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.encryption import EncryptionKeys

TRIES = 5
WINDOW = timedelta(minutes=15)


async def enroll(work: UnitOfWork, *, keys: EncryptionKeys, clock: Clock, issuer: str) -> Enrollment:
    """Begin to set up a factor for the acting person: the one time that its secret is shown.

    A draft that was not confirmed is replaced. Raises ``FactorAlreadySet``.
    """
    user_id = work.acting.user_id
    secret = new_secret()
    sealed = keys.seal(secret.encode(), context=user_id.bytes)
    draft = TotpFactor(user_id=user_id, key_id=sealed.key_id, box=sealed.box, created_at=clock())
    if not await repository.write_draft(work, draft):
        raise FactorAlreadySet
    work.record(AuditAction.FACTOR_ENROLL, work.acting.user)
    account = await repository.account_of(work, user_id)
    return enrollment(secret, account=account, issuer=issuer)


async def confirm(
    work: UnitOfWork, code: str, *, keys: EncryptionKeys, clock: Clock
) -> Sequence[str] | FactorRejected:
    """Turn the acting person's draft into their factor, by a code of it; returns recovery codes, this once.

    Every other session of theirs ends, in all tenants: none of them has proved a factor. Raises
    ``FactorNotSet``, ``FactorAlreadySet`` and ``RateLimited``; a rejection must be committed.
    """
    acting, now = work.acting, clock()
    factor = await repository.hold(work, acting.user_id)
    if factor is None:
        raise FactorNotSet
    if factor.confirmed_at is not None:
        raise FactorAlreadySet
    if rejected := await _try(work, factor, code, keys=keys, now=now):
        return rejected
    factor.confirmed_at = now
    codes = new_recovery_codes()
    await repository.write_recovery_codes(
        work, acting.user_id, [recovery_digest(acting.user_id, each) for each in codes]
    )
    await repository.set_enabled(work, acting.user_id, enabled=True)
    await repository.prove_session(work, acting.session_id, at=now)
    await _end_other_sessions(work)
    work.record(AuditAction.FACTOR_CONFIRM, acting.user)
    return codes


async def disable(
    work: UnitOfWork, code: str, *, keys: EncryptionKeys, clock: Clock
) -> FactorRejected | None:
    """Take the acting person's factor away by a last code, and end their other sessions in all tenants.

    The present session goes on with a new access token, which may do less where a factor is asked
    for. Raises ``FactorNotSet`` and ``RateLimited``; a rejection must be committed.
    """
    acting = work.acting
    factor = await _confirmed(work, acting.user_id)
    if rejected := await _try(work, factor, code, keys=keys, now=clock()):
        return rejected
    await repository.remove(work, factor)
    await repository.set_enabled(work, acting.user_id, enabled=False)
    await repository.prove_session(work, acting.session_id, at=None)
    await _end_other_sessions(work)
    await repository.raise_version(work)
    work.record(AuditAction.FACTOR_DISABLE, acting.user)
    return None


async def reset(work: UnitOfWork, user: str) -> None:
    """Take away the factor of a person (node id) who has lost it, and end all their sessions.

    For the platform's staff; the caller has decided that they may. Raises ``NotFound``,
    ``FactorNotSet``.
    """
    found = await repository.reset(work, user)
    if found is None:
        raise NotFound
    had, ended = found
    if not had:
        raise FactorNotSet
    work.record(AuditAction.FACTOR_RESET, user, *ended)


async def step_up(
    work: UnitOfWork, code: str, *, keys: EncryptionKeys, clock: Clock
) -> datetime | FactorRejected:
    """Prove the acting person's factor anew for this session; returns when that was.

    Raises ``FactorNotSet`` and ``RateLimited``; a rejection must be committed.
    """
    rejected = await prove(work, work.acting.user_id, code, keys=keys, clock=clock)
    if rejected is not None:
        return rejected
    now = clock()
    await repository.prove_session(work, work.acting.session_id, at=now)
    work.record(AuditAction.FACTOR_STEP_UP, work.acting.user)
    return now


async def is_set(work: UnitOfWork, user_id: UUID) -> bool:
    """Whether a login of the person, as whom ``work`` has entered, takes a second factor."""
    return await repository.has_confirmed(work, user_id)


async def prove(
    work: UnitOfWork, user_id: UUID, code: str, *, keys: EncryptionKeys, clock: Clock
) -> FactorRejected | None:
    """Use up a code of the person, or one of their recovery codes; None means that it was right.

    ``work`` has entered a tenant as that person. A rejection must be committed, so that it counts.
    Raises ``FactorNotSet``, and ``RateLimited`` after five failures in fifteen minutes, whatever
    the code.
    """
    return await _try(work, await _confirmed(work, user_id), code, keys=keys, now=clock())


async def _confirmed(work: UnitOfWork, user_id: UUID) -> TotpFactor:
    """The person's factor, held. Raises ``FactorNotSet``."""
    factor = await repository.hold(work, user_id)
    if factor is None or factor.confirmed_at is None:
        raise FactorNotSet
    return factor


async def _try(
    work: UnitOfWork, factor: TotpFactor, code: str, *, keys: EncryptionKeys, now: datetime
) -> FactorRejected | None:
    recent = [each for each in factor.tries if each > now - WINDOW]
    if len(recent) >= TRIES:
        raise RateLimited(max(1, ceil((recent[0] + WINDOW - now).total_seconds())))
    secret = keys.open(factor.key_id, factor.box, context=factor.user_id.bytes).decode()
    step = step_of(secret, tidied(code), now=now, after=factor.last_step)
    if step is not None:
        factor.last_step = step
    elif factor.confirmed_at is None or not await repository.use_recovery_code(
        work, factor.user_id, recovery_digest(factor.user_id, code), now=now
    ):
        factor.tries = [*recent, now]
        await work.session.flush()
        return FactorRejected(TRIES - len(factor.tries))
    factor.tries = []
    await work.session.flush()
    return None


async def _end_other_sessions(work: UnitOfWork) -> None:
    for node_id in await repository.end_other_sessions(work):
        work.record(AuditAction.SESSION_REVOKE, node_id)
