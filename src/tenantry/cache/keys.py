"""The one table of cache keys: what is kept, for how long, and what may be stale meanwhile.

Every key is built from a tenant, or says outright that it belongs to the platform. Tenant and
name are identifiers or digests, of at most 64 characters: an e-mail address or a token does not
fit the pattern, and no two keys can be read as one another.
"""

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

PLATFORM = "platform"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Space(Enum):
    """What is cached, sorted: its lifetime in seconds, and what a reader may see of the past."""

    AUTHORITY = (60, "Nothing: begin_request compares the versions, and refuses an old copy.")
    DENIED_SESSION = (7_200, "A revoked session may be missing; the sessions table decides.")
    ISSUER_KEYS = (3_600, "A key that its issuer has withdrawn, for as long as this lives.")
    LOGIN_PROVIDER = (60, "A provider's title or its place in the list.")

    @property
    def seconds(self) -> int:
        """How long an entry lives at most."""
        return self.value[0]

    @property
    def may_be_stale(self) -> str:
        """What a reader has to expect."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class CacheKey:
    """One entry's name. ``tenant`` and ``name`` are outward ids, or ``digest_of`` something."""

    space: Space
    tenant: str
    name: str

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.tenant) and _NAME.fullmatch(self.name)):
            raise ValueError("A cache key is made of identifiers and digests only.")

    @classmethod
    def of_platform(cls, space: Space, name: str) -> "CacheKey":
        """A key of what belongs to no tenant."""
        return cls(space, PLATFORM, name)

    def __str__(self) -> str:
        return f"tenantry:{self.space.name.lower()}:{self.tenant}:{self.name}"


def digest_of(text: str) -> str:
    """A name for what is too long, or too private, to be one (64 characters)."""
    return sha256(text.encode()).hexdigest()
