"""What answers the paths of stored operations: the document's field itself, without GraphQL's envelope.

A refusal keeps GraphQL's ``errors`` and gets the status that its code asks for; so does a problem,
which is an expected outcome and still no success.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson
from starlette.types import Receive, Scope, Send

from tenantry.kernel.errors import ErrorCode
from tenantry.web.graphql_http import GraphQLEndpoint, Reply, send_reply
from tenantry.web.media_types import JSON
from tenantry.web.stored.operation import Chosen, StoredOperation

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
    # Problems. What is not listed stands against how things are at present.
    "FACTOR_NOT_SET": 403,
    "FACTOR_REJECTED": 403,
    "INVALID_EMAIL": 400,
    "MEMBER_SUSPENDED": 403,
    "MFA_REQUIRED": 403,
    "NOT_INVITED": 403,
    "ROLE_NOT_GRANTABLE": 403,
}
"""The HTTP status of each code, for clients that look at nothing else."""

CONFLICT = 409


class StoredEndpoint:
    """The stored operations by method and path."""

    def __init__(self, graphql: GraphQLEndpoint, operations: Iterable[StoredOperation]) -> None:
        self._graphql = graphql
        self._plain: dict[str, dict[str, StoredOperation]] = {}
        self._patterns: dict[str, dict[str, StoredOperation]] = {}
        for each in operations:
            paths = self._patterns if "{" in each.path else self._plain
            paths.setdefault(each.path, {})[each.method] = each

    def find(self, method: str, path: str) -> Chosen | None:
        """What a request comes to, None where there is no such path; ``path`` is decoded."""
        if (by_method := self._plain.get(path)) is not None:
            return _chosen(by_method, method, {})
        for by_method in self._patterns.values():
            found = next(iter(by_method.values())).pattern.fullmatch(path)
            if found is not None:
                return _chosen(by_method, method, found.groupdict())
        return None

    async def answer(self, stored: Chosen, scope: Scope, receive: Receive, send: Send) -> None:
        """Run it, and send what comes of it."""
        request = self._graphql.request_of(scope)
        reply = await self._graphql.reply(request, receive, stored=stored)
        if reply is None:
            return
        if isinstance(stored.operation, StoredOperation):
            reply = _plain(stored.operation, reply)
        await send_reply(send, reply, self._graphql.headers(request, reply))


def _chosen(by_method: Mapping[str, StoredOperation], method: str, values: Mapping[str, str]) -> Chosen:
    return Chosen(tuple(sorted(by_method)), by_method.get(method), values)


def _plain(stored: StoredOperation, reply: Reply) -> Reply:
    """The reply without the envelope."""
    answer = cast("dict[str, Any]", orjson.loads(reply.body))
    if errors := answer.get("errors"):
        code = errors[0]["extensions"]["code"]
        # What the graph answers by 200 or, to who asks for its own media type, by 400.
        status = STATUSES.get(code, CONFLICT) if reply.status in {200, 400} else reply.status
        return Reply(orjson.dumps({"errors": errors}), status, JSON, reply.headers)
    data = answer["data"]
    for step in stored.answer:
        data = data[step]
    if isinstance(data, dict) and "code" in data:
        return _problem(cast("dict[str, Any]", data), reply)
    return Reply(orjson.dumps(data), stored.status, JSON, reply.headers)


def _problem(problem: dict[str, Any], reply: Reply) -> Reply:
    facts = {name: value for name, value in problem.items() if name not in {"message", "__typename"}}
    error = {"message": problem["message"], "extensions": facts}
    return Reply(
        orjson.dumps({"errors": [error]}), STATUSES.get(problem["code"], CONFLICT), JSON, reply.headers
    )
