"""Refusals: one hierarchy, one closed list of codes.

Naming rule: a code is SCREAMING_SNAKE_CASE, names what the caller met (never the place
in our code that noticed), and once published never changes its meaning.

A ``DomainError`` reaches the client as a top-level error with ``extensions.code``; a
``Problem`` is an expected outcome of one mutation and reaches it as a member of that
mutation's result union, where the union has a type of the same name, and as a top-level
error where it has none.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The codes of top-level errors, sorted; the list clients may rely on."""

    BAD_USER_INPUT = "BAD_USER_INPUT"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    INTERNAL = "INTERNAL"
    NOT_FOUND = "NOT_FOUND"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    RATE_LIMITED = "RATE_LIMITED"
    SCOPE_MISMATCH = "SCOPE_MISMATCH"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    TENANT_REQUIRED = "TENANT_REQUIRED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNAVAILABLE = "UNAVAILABLE"


class DomainError(Exception):
    """A refusal with a stable code; its message is safe to show to the caller."""

    code: ClassVar[str]
    http_status: ClassVar[int] = 200

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def extensions(self) -> Mapping[str, object]:
        """Facts beside the code, JSON-able, free of personal values."""
        return {}


class Problem(DomainError):
    """An expected outcome of one mutation, a member of its result union."""


class Unauthenticated(DomainError):
    """No credential, or one that does not hold; ``reason`` says which."""

    code = ErrorCode.UNAUTHENTICATED
    http_status = 401

    def __init__(self, reason: str, message: str = "Sign in to do this.") -> None:
        super().__init__(message)
        self.reason = reason

    def extensions(self) -> Mapping[str, object]:
        return {"reason": self.reason}


class Forbidden(DomainError):
    """Inside one's own tenant, without the permission."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, permission: str | None = None) -> None:
        super().__init__("You are not allowed to do this.")
        self.permission = permission

    def extensions(self) -> Mapping[str, object]:
        return {} if self.permission is None else {"permission": self.permission}


class NotForKeys(Forbidden):
    """A person's own matter, which an API key cannot see to: it does what its permissions name."""

    def __init__(self) -> None:
        super().__init__()
        self.message = "An API key does what its permissions name; this is a person's own."


class ScopeMismatch(DomainError):
    """A tenant's token where the platform's is needed, or the other way round."""

    code = ErrorCode.SCOPE_MISMATCH

    def __init__(self, required: str) -> None:
        super().__init__(f"This needs a token of scope {required}.")
        self.required = required

    def extensions(self) -> Mapping[str, object]:
        return {"required": self.required}


class StepUpRequired(DomainError):
    """The caller may, once they have given a second factor: in the last ``freshness`` s, or at all (None)."""

    code = ErrorCode.STEP_UP_REQUIRED

    def __init__(self, freshness: int | None) -> None:
        super().__init__(
            "A second factor is asked for here; set one up."
            if freshness is None
            else f"Confirm with your second factor; it must be given in the last {freshness} s."
        )
        self.freshness = freshness

    def extensions(self) -> Mapping[str, object]:
        return {"freshness": self.freshness}


class TenantRequired(DomainError):
    """Tenant-owned data asked for without naming one tenant."""

    code = ErrorCode.TENANT_REQUIRED

    def __init__(self) -> None:
        super().__init__("Name one tenant: system { tenant(id: …) { … } }.")


class NotFound(DomainError):
    """No such object, or another tenant's: the two are not told apart."""

    code = ErrorCode.NOT_FOUND

    def __init__(self) -> None:
        super().__init__("There is no such object.")


class BadUserInput(DomainError):
    """Input that cannot be taken; ``fields`` maps an input path to what is wrong with it."""

    code = ErrorCode.BAD_USER_INPUT

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})

    def extensions(self) -> Mapping[str, object]:
        return {"fields": self.fields} if self.fields else {}


class QueryTooComplex(DomainError):
    """A document or an answer larger than the limits allow."""

    code = ErrorCode.QUERY_TOO_COMPLEX

    def __init__(self, limit: str, allowed: int, found: int) -> None:
        super().__init__(f"The operation's {limit} is {found}; {allowed} is allowed.")
        self.limit, self.allowed, self.found = limit, allowed, found

    def extensions(self) -> Mapping[str, object]:
        return {"limit": self.limit, "allowed": self.allowed, "found": self.found}


class RateLimited(DomainError):
    """Too many, too fast; ``retry_after`` in seconds."""

    code = ErrorCode.RATE_LIMITED
    http_status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests; try again in {retry_after} s.")
        self.retry_after = retry_after

    def extensions(self) -> Mapping[str, object]:
        return {"retryAfter": self.retry_after}


class Conflict(DomainError):
    """Someone else changed the same thing first, or a unique name is taken."""

    code = ErrorCode.CONFLICT


class Unavailable(DomainError):
    """A part this service cannot do without does not answer; nothing was served."""

    code = ErrorCode.UNAVAILABLE
    http_status = 503

    def __init__(self, message: str = "The service is not available; try again shortly.") -> None:
        super().__init__(message)
