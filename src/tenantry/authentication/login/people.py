"""Who a verified identity is here: found by issuer and subject, bound once, never guessed.

An address is used only while the issuer has verified it, and only where no other identity
owns it. So neither an unverified address, nor another issuer with the same address, nor
another subject at the same issuer opens someone's account (the class of attack known as nOAuth).
"""

from dataclasses import dataclass
from uuid import UUID

from tenantry.authentication.login import repository
from tenantry.authentication.login.candidates import Candidate, one_for_each_tenant
from tenantry.authentication.login.errors import NotInvited
from tenantry.kernel.errors import Conflict
from tenantry.kernel.text import NAME_CHARACTERS
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.identity import VerifiedIdentity


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever signs in: ``user_id`` is None for someone who has never been here.

    ``email`` is the address by which memberships may wait for them, or None.
    """

    identity: VerifiedIdentity
    user_id: UUID | None
    email: str | None
    bound: bool


async def recognise(work: UnitOfWork, identity: VerifiedIdentity) -> Person:
    """The person behind ``identity``; writes nothing.

    Whoever is not bound yet is looked up while holding the address, so that first logins with
    one address take turns until their transactions end. Raises ``NotInvited`` for an
    unverified address, and for one whose owner is bound to another identity.
    """
    email = identity.email if identity.email_verified else None
    known = await repository.find_user(work, identity, email)
    if known is not None and known.bound_here:
        if email != known.email:
            email = await free_address(work, known.user_id, email)
        return Person(identity, known.user_id, email, bound=True)
    if email is None:
        raise NotInvited
    await repository.hold_address(work, email)
    known = await repository.find_user(work, identity, email)
    if known is None:
        return Person(identity, None, email, bound=False)
    if known.bound_elsewhere:
        raise NotInvited
    return Person(identity, known.user_id, email, bound=known.bound_here)


async def memberships(work: UnitOfWork, person: Person) -> list[Candidate]:
    """What the person has, and what waits for their address: at most one a tenant, by its name."""
    return one_for_each_tenant(await repository.candidates_of(work, person.user_id, person.email))


async def bind(work: UnitOfWork, person: Person) -> UUID:
    """Bind issuer and subject to the person, who is made where there is none; returns their key.

    The caller has found that someone waits for this person: strangers leave no trace. Raises
    ``Conflict`` where the same subject is being bound at the same moment under another address.
    """
    if person.bound and person.user_id is not None:
        return person.user_id
    if person.email is None:
        raise NotInvited
    if person.user_id is None:
        await repository.insert_user(work, email=person.email, name=_name(person.identity))
    known = await repository.owner_of_address(work, person.email)
    if known is not None:
        await repository.insert_identity(work, person.identity, known.user_id)
    found = await repository.find_user(work, person.identity, None)
    if known is None or found is None or found.user_id != known.user_id:
        raise Conflict("This account is being set up at this moment; try again.")
    return found.user_id


async def free_address(work: UnitOfWork, user_id: UUID, email: str | None) -> str | None:
    """``email`` (verified) unless it is somebody else's here: an address at the issuer may change hands."""
    owner = None if email is None else await repository.owner_of_address(work, email)
    return email if owner is None or owner.user_id == user_id else None


def _name(identity: VerifiedIdentity) -> str | None:
    name = " ".join((identity.name or "").split())[:NAME_CHARACTERS]
    return name if name and name.isprintable() else None
