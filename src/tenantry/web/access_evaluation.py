"""OpenID AuthZEN's Authorization API 1.0: decisions for programs that enforce them elsewhere.

A request becomes one stored query, and passes the door that every operation passes: recorded, limited,
decided by the same rules. ``context`` and ``properties`` are taken and decide nothing: what is not
known here, whoever asks could say as they please.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import Receive, Scope, Send

from tenantry.access.rules import Rule
from tenantry.api.decisions import MOST
from tenantry.kernel.ids import NodePrefix
from tenantry.web.graphql_http import GraphQLEndpoint, Reply, send_reply
from tenantry.web.media_types import JSON
from tenantry.web.parameters import Parameters
from tenantry.web.refusals import HeaderPairs, Malformed
from tenantry.web.requests import Request
from tenantry.web.stored.endpoint import STATUSES
from tenantry.web.stored.operation import Chosen

EVALUATION_PATH = "/access/v1/evaluation"
EVALUATIONS_PATH = "/access/v1/evaluations"
PATHS = frozenset({EVALUATION_PATH, EVALUATIONS_PATH})
CONFIGURATION_PATH = "/.well-known/authzen-configuration"
REQUEST_ID = b"x-request-id"
OUR_REQUEST_ID = b"x-tenantry-request-id"
REQUEST_ID_BYTES = 200

_DOCUMENT = """query AccessEvaluation($checks: [EvaluationInput!]!) {
  evaluateAccess(checks: $checks) { allowed reason } }"""
_LETTERS = {"member": NodePrefix.MEMBER, "user": NodePrefix.USER}
# By semantic, the decision after which no more are answered (section 7.1.2.1).
_LAST = {"execute_all": None, "deny_on_first_deny": False, "permit_on_first_permit": True}


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Subject(_Part):
    type: Literal["member", "user"]
    id: str
    properties: dict[str, Any] = Field(default_factory=dict)

    @property
    def node_id(self) -> str:
        """Its id, or none where that is of another type."""
        return self.id if self.id.startswith(f"{_LETTERS[self.type]}_") else ""


class _Action(_Part):
    name: str
    properties: dict[str, Any] = Field(default_factory=dict)


class _Resource(_Part):
    type: str
    id: str
    properties: dict[str, Any] = Field(default_factory=dict)


class _Evaluation(_Part):
    """Section 6.1; every part may be left to the defaults around it."""

    subject: _Subject | None = None
    action: _Action | None = None
    resource: _Resource | None = None
    context: dict[str, Any] | None = None

    def check(self, default: "_Evaluation", place: str) -> dict[str, str]:
        """The question as the graph takes it. Raises ``Malformed`` where a part is missing."""
        subject = self.subject or default.subject
        action = self.action or default.action
        resource = self.resource or default.resource
        if subject is None or action is None or resource is None:
            parts = {"subject": subject, "action": action, "resource": resource}
            raise _malformed({f"{place}{name}": "is missing" for name, part in parts.items() if part is None})
        return {
            "subject": subject.node_id,
            "permission": action.name,
            "on": resource.id,
            "type": resource.type,
        }


class _Options(_Part):
    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = (
        "execute_all"
    )


class _Evaluations(_Evaluation):
    """Section 7.1: without ``evaluations`` it is a single one."""

    evaluations: list[_Evaluation] = Field(default_factory=list["_Evaluation"], max_length=MOST)
    options: _Options = Field(default_factory=_Options)


class AccessEvaluation:
    """The ASGI application behind ``PATHS``."""

    def __init__(self, graphql: GraphQLEndpoint) -> None:
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._graphql.request_of(scope)
        asked = _Asked(several=scope["path"] == EVALUATIONS_PATH)
        reply = await self._graphql.reply(request, receive, stored=Chosen(("POST",), asked, {}))
        if reply is not None:
            reply = asked.answer(reply)
            await send_reply(send, reply, _identified(request, self._graphql.headers(request, reply)))


class _Asked:
    """One request, from its body to its answer."""

    by_cookie = False
    reads_body = True
    rule: Rule | None = None
    """The document's own are all there are."""

    def __init__(self, *, several: bool) -> None:
        self._shape = _Evaluations if several else _Evaluation
        self._semantic: str | None = None
        """None where there is one question, and one answer."""

    def read(self, values: Mapping[str, str], query_string: bytes, body: bytes) -> Parameters:
        """The stored query with the body's questions. Raises ``Malformed``."""
        del values, query_string
        try:
            asked = self._shape.model_validate(orjson.loads(body))
        except orjson.JSONDecodeError:
            raise Malformed("The body is not JSON.") from None
        except ValidationError as error:
            raise _malformed(dict(_faults(error))) from None
        checks = [asked.check(asked, "")] if not isinstance(asked, _Evaluations) else self._checks(asked)
        return Parameters(_DOCUMENT, None, {"checks": checks})

    def _checks(self, asked: _Evaluations) -> list[dict[str, str]]:
        if not asked.evaluations:
            return [asked.check(asked, "")]
        self._semantic = asked.options.evaluations_semantic
        return [each.check(asked, f"evaluations.{place}.") for place, each in enumerate(asked.evaluations)]

    def answer(self, reply: Reply) -> Reply:
        """The decisions without GraphQL's envelope; a refusal keeps its ``errors``, and gets a status."""
        if not reply.body:
            return reply
        answer = orjson.loads(reply.body)
        if "errors" in answer:
            code = answer["errors"][0]["extensions"]["code"]
            status = STATUSES[code] if reply.status == 200 else reply.status
            return Reply(orjson.dumps({"errors": answer["errors"]}), status, JSON, reply.headers)
        decisions = list(map(_decision, answer["data"]["evaluateAccess"]))
        body = (
            decisions[0]
            if self._semantic is None
            else {"evaluations": _cut(decisions, _LAST[self._semantic])}
        )
        return Reply(orjson.dumps(body), 200, JSON, reply.headers)


def authzen_configuration(issuer: str) -> dict[str, str]:
    """Where to ask (section 9.1); ``issuer`` is a URL without a trailing slash."""
    return {
        "policy_decision_point": issuer,
        "access_evaluation_endpoint": f"{issuer}{EVALUATION_PATH}",
        "access_evaluations_endpoint": f"{issuer}{EVALUATIONS_PATH}",
    }


def _decision(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["allowed"]:
        return {"decision": True}
    return {"decision": False, "context": {"reason": found["reason"]}}


def _cut(decisions: Sequence[dict[str, Any]], last: bool | None) -> list[dict[str, Any]]:  # noqa: FBT001 - a decision
    """The decisions up to the first that is ``last``."""
    kept: list[dict[str, Any]] = []
    for each in decisions:
        kept.append(each)
        if each["decision"] is last:
            break
    return kept


def _identified(request: Request, headers: HeaderPairs) -> HeaderPairs:
    """The caller's own name for the request (section 10.1.7) in the place of ours, which stands beside it."""
    theirs = request.headers.get(REQUEST_ID)
    if theirs is None or len(theirs) > REQUEST_ID_BYTES or not theirs.decode("latin-1").isprintable():
        return headers
    kept = [(name, value) for name, value in headers if name != REQUEST_ID]
    return [*kept, (REQUEST_ID, theirs), (OUR_REQUEST_ID, request.id.encode())]


def _faults(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Each fault by its place; the message names the rule, never the value."""
    for each in error.errors(include_input=False, include_url=False):
        yield ".".join(map(str, each["loc"])) or "body", each["msg"]


def _malformed(fields: Mapping[str, str]) -> Malformed:
    return Malformed("The request is no access evaluation.", fields)
