"""Errors as clients see them: a stable code, a path, and nothing that was not meant for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import GraphQLError

from tenantry.api.planner.documents import InvalidDocument
from tenantry.kernel.errors import DomainError, ErrorCode

Path = Sequence[str | int]

BAD_REQUEST = 400

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error on its way out."""

    code: str
    message: str
    path: Path | None = None
    extensions: Mapping[str, object] | None = None
    locations: Sequence[Mapping[str, int]] | None = None

    def printed(self) -> dict[str, Any]:
        """The error by GraphQL's specification, section 7.1.2."""
        made: dict[str, Any] = {"message": self.message}
        if self.locations:
            made["locations"] = list(self.locations)
        if self.path:
            made["path"] = list(self.path)
        made["extensions"] = {"code": self.code, **(self.extensions or {})}
        return made

    def as_graphql(self) -> GraphQLError:
        """For callers inside the process."""
        return GraphQLError(self.message, path=list(self.path or ()), extensions=self.printed()["extensions"])


def refused(error: DomainError, path: Path | None = None) -> list[Failure]:
    """What a refusal tells the client."""
    if isinstance(error, InvalidDocument):
        return [_invalid(each) for each in error.errors]
    return [Failure(str(error.code), error.message, path, error.extensions())]


def masked(error: BaseException, request_id: str, path: Path | None = None) -> Failure:
    """The unexpected: a correlation id for the client, the rest for the log."""
    log.error("operation failed", request_id=request_id, exc_info=error)
    message = "Something went wrong on our side; quote the correlation id."
    return Failure(ErrorCode.INTERNAL, message, path, {"correlationId": request_id})


def _invalid(error: GraphQLError) -> Failure:
    locations = [{"line": each.line, "column": each.column} for each in error.locations or ()]
    return Failure(ErrorCode.BAD_USER_INPUT, error.message, error.path, None, locations)


def status_of(error: DomainError) -> int:
    """The HTTP status of an operation that did not start (GraphQL over HTTP, section 6.4)."""
    return max(error.http_status, BAD_REQUEST)
