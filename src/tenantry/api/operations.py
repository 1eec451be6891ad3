"""What the wire hands to the graph, and what it gets back.

Named tuples: as frozen as a frozen dataclass, and made in a quarter of its time, which counts
for what every operation makes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from tenantry.access.rules import Rule
from tenantry.kernel.principal import ANONYMOUS, Principal

_NONE: Mapping[str, Any] = MappingProxyType({})


class Hidden(str):
    """A text that shows in no representation: a secret on its way."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Hidden()"


class RefreshCookie(NamedTuple):
    """What the client's cookie is to hold from now on; without a ``token`` it is to be forgotten."""

    token: Hidden | None = None
    seconds: int = 0


class Caller(NamedTuple):
    """Who asks, and from where; all of it is for the audit record, only ``principal`` decides.

    ``ip`` comes from the peer or from a trusted proxy; ``request_id`` is ours: 12 hex
    digits of Unix milliseconds, then 16 random ones.
    """

    request_id: str
    principal: Principal = ANONYMOUS
    method: str = "POST"
    path: str = "/graphql"
    ip: str | None = None
    user_agent: str | None = None
    refresh_token: Hidden | None = None
    """As the browser's cookie holds it; only ``sessionRefresh`` looks at it."""


@runtime_checkable
class SocketCaller(Protocol):
    """Who is at the other end of a socket."""

    def caller(self) -> Caller:
        """The caller of one operation, with a request id of its own."""
        ...


class Operation(NamedTuple):
    """One GraphQL request, as parsed from the wire (GraphQL over HTTP, section 5).

    ``mutations`` is False for GET; ``subscriptions`` True for what comes by a socket. ``rule`` is
    what its path asks of the caller beside the document's own rules, and ``tenant`` a tenant
    that the request names beside the token, which must be the token's.
    """

    document: str
    caller: Caller
    operation_name: str | None = None
    variables: Mapping[str, Any] = _NONE
    mutations: bool = True
    subscriptions: bool = False
    rule: Rule | None = None
    tenant: str | None = None


class Answer(NamedTuple):
    """The response, printed. ``status`` is for ``application/graphql-response+json``.

    200 where there is data (even null); 400 for a document or variables that cannot be
    run; 401, 405, 429 and 503 as their errors say. ``retry_after`` in seconds, with the last two.
    """

    body: bytes
    status: int = 200
    retry_after: int | None = None
    cookie: RefreshCookie | None = None
