"""Stored operations: a path of its own for one fixed document, run through the same door.

The answer is the document's field itself, without the envelope of GraphQL; a refusal keeps its
``errors`` and gets the status that its code asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.types import Receive, Scope, Send

from tenantry.kernel.errors import ErrorCode
from tenantry.web.graphql_http import GraphQLEndpoint, Reply, send_reply
from tenantry.web.media_types import JSON
from tenantry.web.parameters import Parameters

STATUSES: Mapping[str, int] = {
    ErrorCode.BAD_USER_INPUT: 400,
    ErrorCode.CONFLICT: 409,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.INTERNAL: 500,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.QUERY_TOO_COMPLEX: 400,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.SCOPE_MISMATCH: 403,
    ErrorCode.STEP_UP_REQUIRED: 403,
    ErrorCode.TENANT_REQUIRED: 403,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.UNAVAILABLE: 503,
}
"""The HTTP status of each code, for clients that look at nothing else."""


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """One document with one root field, by POST at ``path``; the request must carry the CSRF header."""

    path: str
    field: str
    document: str


REFRESH = StoredOperation(
    "/auth/refresh",
    "sessionRefresh",
    "mutation Refresh { sessionRefresh { ... on LoginSuccess { accessToken expiresAt }"
    " ... on Problem { code message } } }",
)
STORED = {each.path: each for each in (REFRESH,)}


class StoredEndpoint:
    """The ASGI application behind the paths of ``STORED``."""

    def __init__(self, graphql: GraphQLEndpoint) -> None:
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stored = STORED[scope["path"]]
        request = self._graphql.request_of(scope)
        reply = await self._graphql.reply(request, receive, stored=Parameters(stored.document, None, {}))
        if reply is not None:
            reply = _plain(stored, reply)
            await send_reply(send, reply, self._graphql.headers(request, reply))


def _plain(stored: StoredOperation, reply: Reply) -> Reply:
    answer = cast("dict[str, Any]", orjson.loads(reply.body))
    data = cast("dict[str, Any]", answer.get("data") or {}).get(stored.field)
    if "errors" in answer:
        body, status = orjson.dumps({"errors": answer["errors"]}), reply.status
        if status == 200:
            status = STATUSES[answer["errors"][0]["extensions"]["code"]]
    else:
        # A problem is an expected outcome, and still no success.
        body, status = orjson.dumps(data), 403 if "code" in (data or {}) else reply.status
    return Reply(body, status, JSON, reply.headers)
