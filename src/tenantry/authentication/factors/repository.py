"""Every query of factors. Row security shows a person their own, and nobody else's."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update

from tenantry.authentication.factors.models import RecoveryCode, TotpFactor
from tenantry.authentication.sessions.models import Session
from tenantry.directory.members.models import Member, User
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.encryption import Sealed

_CONFIRMED = "SELECT FROM totp_factor WHERE user_id = $1 AND confirmed_at IS NOT NULL"
_OTHERWISE = "SELECT * FROM sealed_under_other_keys($1, $2, $3)"
_REPLACE = "SELECT reseal($1, $2, $3, $4) AS done"
_COUNT = "SELECT sealed_count($1) AS count"
_RESET = "SELECT had, ended FROM reset_factor($1)"
_END = "SELECT end_sessions_of($1, $2) AS node_id"


async def has_confirmed(work: UnitOfWork, user_id: UUID) -> bool:
    """Whether the person whom ``work`` has entered as has a second factor: asked at every login."""
    return bool(await work.fetch(_CONFIRMED, user_id))


async def hold(work: UnitOfWork, user_id: UUID) -> TotpFactor | None:
    """The person's factor, held until ``work`` ends: whoever else tries a code waits."""
    query = select(TotpFactor).where(TotpFactor.user_id == user_id).with_for_update()
    return (await work.session.exec(query.execution_options(populate_existing=True))).one_or_none()


async def write_draft(work: UnitOfWork, draft: TotpFactor) -> bool:
    """Keep an unconfirmed factor, in place of an earlier draft; False where there is a confirmed one."""
    kept = {"key_id": draft.key_id, "box": draft.box, "created_at": draft.created_at, "last_step": 0}
    statement = (
        insert(TotpFactor)
        .values(draft.model_dump())
        .on_conflict_do_update(
            index_elements=["user_id"], set_=kept, where=col(TotpFactor.confirmed_at).is_(None)
        )
        .returning(col(TotpFactor.user_id))
    )
    return (await work.session.exec(statement)).first() is not None


async def remove(work: UnitOfWork, factor: TotpFactor) -> None:
    """Forget a person's factor and their recovery codes."""
    await work.session.exec(delete(RecoveryCode).where(col(RecoveryCode.user_id) == factor.user_id))
    await work.session.delete(factor)
    await work.session.flush()


async def write_recovery_codes(work: UnitOfWork, user_id: UUID, hashes: Collection[bytes]) -> None:
    """Keep these recovery codes in place of all earlier ones."""
    await work.session.exec(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    work.session.add_all(RecoveryCode(user_id=user_id, code_hash=each) for each in hashes)
    await work.session.flush()


async def use_recovery_code(work: UnitOfWork, user_id: UUID, code_hash: bytes, *, now: datetime) -> bool:
    """Use up the person's code of this hash; False where it is unknown or was used."""
    statement = (
        update(RecoveryCode)
        .where(
            col(RecoveryCode.user_id) == user_id,
            col(RecoveryCode.code_hash) == code_hash,
            col(RecoveryCode.used_at).is_(None),
        )
        .values(used_at=now)
        .returning(col(RecoveryCode.user_id))
    )
    return (await work.session.exec(statement)).first() is not None


async def set_enabled(work: UnitOfWork, user_id: UUID, *, enabled: bool) -> None:
    """Say on the person whether they have a factor."""
    statement = update(User).where(col(User.id) == user_id).values(mfa_enabled=enabled)
    await work.session.exec(statement)


async def prove_session(work: UnitOfWork, session_id: UUID, *, at: datetime | None) -> None:
    """Note when a session of the tenant entered has proved a factor; None takes that back."""
    statement = (
        update(Session)
        .where(col(Session.tenant_id) == work.tenant, col(Session.id) == session_id)
        .values(factor_at=at)
    )
    await work.session.exec(statement)


async def account_of(work: UnitOfWork, user_id: UUID) -> str:
    """The address by which an authenticator names a person."""
    return (await work.session.exec(select(User.email).where(User.id == user_id))).one()


async def reset(work: UnitOfWork, user: str) -> tuple[bool, list[str]] | None:
    """Forget the factor of the person of this node id, and end their sessions: for the platform alone.

    Whether there was a factor, and the node ids of the sessions; None where there is no such person.
    """
    rows = await work.fetch(_RESET, user)
    return (rows[0]["had"], rows[0]["ended"]) if rows else None


async def raise_version(work: UnitOfWork) -> None:
    """End the acting member's present access tokens: a refreshed one says what holds from now on."""
    statement = (
        update(Member)
        .where(col(Member.tenant_id) == work.tenant, col(Member.id) == work.acting.member_id)
        .values(version=col(Member.version) + 1)
    )
    await work.session.exec(statement)


async def end_other_sessions(work: UnitOfWork) -> list[str]:
    """End the acting person's sessions in every tenant but the present one; returns their node ids."""
    rows = await work.fetch(_END, work.acting.user_id, work.acting.session_id)
    return [row["node_id"] for row in rows]


class Box(NamedTuple):
    """A sealed secret, and whose it is."""

    user_id: UUID
    key_id: str
    box: bytes


async def sealed_otherwise(work: UnitOfWork, key_id: str, *, after: UUID, most: int) -> list[Box]:
    """Secrets that another key than ``key_id`` has sealed, in the order of people, from after one of them."""
    return [Box(**row) for row in await work.fetch(_OTHERWISE, key_id, after, most)]


async def replace_box(work: UnitOfWork, box: Box, sealed: Sealed) -> bool:
    """Put ``sealed`` in place of ``box``, unless that is there no more."""
    rows = await work.fetch(_REPLACE, box.user_id, box.box, sealed.key_id, sealed.box)
    return bool(rows[0]["done"])


async def count_sealed(work: UnitOfWork, key_id: str) -> int:
    """How many secrets a key has sealed."""
    return int((await work.fetch(_COUNT, key_id))[0]["count"])
