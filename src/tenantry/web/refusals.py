"""What the wire itself refuses, before there is an operation; and every error's printed form."""

from collections.abc import Mapping, Sequence

import orjson

from tenantry.kernel.errors import DomainError, ErrorCode

HeaderPairs = Sequence[tuple[bytes, bytes]]


class RequestRefused(DomainError):
    """An HTTP request that never becomes an operation; nothing was run, so no record is made."""

    code = ErrorCode.BAD_USER_INPUT
    http_status = 400

    def headers(self) -> HeaderPairs:
        """What the status asks for beside the body (RFC 9110, section 15.5)."""
        return ()


class Malformed(RequestRefused):
    """Not a GraphQL request; ``fields`` maps a parameter to what is wrong with it."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})

    def extensions(self) -> Mapping[str, object]:
        return {"fields": self.fields} if self.fields else {}


class CrossSite(RequestRefused):
    """A browser says that another site's page sent this, and that site is not allowed to."""

    code = ErrorCode.FORBIDDEN
    http_status = 403

    def __init__(self) -> None:
        super().__init__("Requests from other sites are refused; the operator can allow an origin.")


class MethodNotAllowed(RequestRefused):
    """A method that the path does not take; ``methods`` are those it does."""

    http_status = 405

    def __init__(self, message: str, methods: Sequence[str]) -> None:
        super().__init__(message)
        self.methods = methods

    def headers(self) -> HeaderPairs:
        return [allow(self.methods)]


class NotAcceptable(RequestRefused):
    """The client takes neither of the two media types."""

    http_status = 406

    def __init__(self) -> None:
        super().__init__("Answers are application/graphql-response+json or application/json.")


class BodyTooSlow(RequestRefused):
    """The body did not arrive in time."""

    http_status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body did not arrive within {seconds:g} s.")

    def headers(self) -> HeaderPairs:
        return [(b"connection", b"close")]


class BodyTooLarge(RequestRefused):
    """More bytes than an operation may have; the rest was not read."""

    code = ErrorCode.QUERY_TOO_COMPLEX
    http_status = 413

    def __init__(self, allowed: int) -> None:
        super().__init__(f"A request may have {allowed} bytes.")
        self.allowed = allowed

    def extensions(self) -> Mapping[str, object]:
        return {"limit": "bytes", "allowed": self.allowed}

    def headers(self) -> HeaderPairs:
        return [(b"connection", b"close")]


class UnsupportedMediaType(RequestRefused):
    """The body is not plain JSON in UTF-8."""

    http_status = 415

    def __init__(self) -> None:
        super().__init__("The body must be application/json in UTF-8, not compressed.")

    def headers(self) -> HeaderPairs:
        return [(b"accept-encoding", b"identity")]


def allow(methods: Sequence[str]) -> tuple[bytes, bytes]:
    """The header field that names the methods of a path (RFC 9110, section 10.2.1)."""
    return (b"allow", ", ".join((*methods, "OPTIONS")).encode())


def print_error(error: DomainError) -> bytes:
    """``error`` as the whole of a GraphQL response: errors, and no data."""
    return print_errors(error.message, {"code": error.code, **error.extensions()})


def print_internal(correlation_id: str) -> bytes:
    """The unexpected, masked: ``correlation_id`` is the request's, and is in the log."""
    return print_errors(
        "Something went wrong here; it is logged under the correlation id.",
        {"code": ErrorCode.INTERNAL, "correlationId": correlation_id},
    )


def print_errors(message: str, extensions: Mapping[str, object]) -> bytes:
    """A GraphQL response of one error (GraphQL, section 7.1.2)."""
    return orjson.dumps({"errors": [{"message": message, "extensions": extensions}]}, default=str)
