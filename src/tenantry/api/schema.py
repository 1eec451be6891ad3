"""The schema: one door for every caller, whatever protocol they came by."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from time import perf_counter
from typing import Any, cast

import orjson
import strawberry
from strawberry.extensions import SchemaExtension
from strawberry.schema import Schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from tenantry.access.rules import authenticated, public, scopes
from tenantry.api import decisions
from tenantry.api.api_key_mutations import ApiKeyMutations
from tenantry.api.connection_mutations import ConnectionMutations
from tenantry.api.connections import SignInOptions, sign_in_options
from tenantry.api.decisions import AccessExplanation, Decision, EvaluationInput
from tenantry.api.engine import Engine
from tenantry.api.errors import masked, refused, status_of
from tenantry.api.extensions import AuditExtension
from tenantry.api.factor_mutations import FactorMutations
from tenantry.api.guards import keep_to, permit
from tenantry.api.invitation_mutations import InvitationMutations
from tenantry.api.login import LoginMutations
from tenantry.api.member_mutations import MemberMutations
from tenantry.api.mutations import Mutations
from tenantry.api.nodes import Node
from tenantry.api.operations import Answer, Caller, Operation, SocketCaller
from tenantry.api.planner.fields import computed, graph_type, nested, one, planned
from tenantry.api.planner.plans import PlanMaker
from tenantry.api.planner.registry import build_registry
from tenantry.api.planner.sources import AnyNode
from tenantry.api.planning import Planning
from tenantry.api.printing import Printer
from tenantry.api.records import Book
from tenantry.api.resource_mutations import ResourceMutations
from tenantry.api.results import Result
from tenantry.api.role_mutations import RoleMutations
from tenantry.api.scalars import SCALARS, Permission
from tenantry.api.server import ServerInfo, server_info
from tenantry.api.services import Services
from tenantry.api.session_mutations import SessionMutations
from tenantry.api.system import System
from tenantry.api.team_mutations import TeamMutations
from tenantry.api.tenant_mutations import TenantMutations
from tenantry.api.tenants import Tenant
from tenantry.api.user_mutations import UserMutations
from tenantry.api.viewer import Authority as CallersAuthority
from tenantry.api.viewer import Viewer
from tenantry.api.webhook_mutations import WebhookMutations
from tenantry.audit.actions import AuditAction
from tenantry.audit.records import Outcome
from tenantry.cache.rate_limits import RateRule
from tenantry.directory.tenants.models import Tenant as TenantRow
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import DomainError, RateLimited, Unauthenticated, Unavailable
from tenantry.kernel.principal import ActorKind, Authority, Principal, Scope

RETRY_SECONDS = 5


@graph_type(rule=public())
class Query:
    """Everything that can be read."""

    server_info: ServerInfo = computed("The server, before anyone has signed in.", server_info, rule=public())
    sign_in_options: SignInOptions = computed(
        "Where somebody with this address signs in, by its domain alone: it need not exist.",
        sign_in_options,
        rule=public(),
        arguments={"email": str},
    )
    viewer: Viewer = nested("Who asks.", rule=authenticated())
    node: Node | None = planned(
        AnyNode(), "Any object by its id.", rule=authenticated(), arguments={"id": strawberry.ID}
    )
    tenant: Tenant = one(
        "The token's tenant.",
        TenantRow,
        lambda caller, tenant: [tenant.c.id == caller.c.tenant_id],
        rule=scopes(Scope.TENANT),
    )
    system: System = nested("The platform's own view.", rule=scopes(Scope.SYSTEM))
    explain_access: AccessExplanation = computed(
        "Why a member may do something, or why not. Of others with `role:assign`.",
        decisions.explain,
        rule=scopes(Scope.TENANT),
        arguments={"member_id": strawberry.ID, "permission": Permission, "on": strawberry.ID | None},
        names=decisions.of_one,
    )
    evaluate_access: list[Decision] = computed(
        f"Decisions about members, in order; at most {decisions.MOST}. Of others with `role:assign`.",
        decisions.evaluate,
        rule=scopes(Scope.TENANT),
        arguments={"checks": list[EvaluationInput]},
        names=decisions.of_all,
    )


@graph_type(rule=authenticated())
class Mutation(
    LoginMutations,
    SessionMutations,
    FactorMutations,
    ApiKeyMutations,
    ConnectionMutations,
    TenantMutations,
    InvitationMutations,
    MemberMutations,
    RoleMutations,
    ResourceMutations,
    TeamMutations,
    UserMutations,
    WebhookMutations,
):
    """Everything that can be changed. Each field is one transaction."""


@graph_type(rule=authenticated())
class Subscription:
    """What can be followed, by `graphql-transport-ws`."""

    authority: CallersAuthority = nested(
        "The caller's authority, at once and whenever it changes. Its end, or another version, comes as "
        "UNAUTHENTICATED with the reason: refresh the token where that is AUTHORITY_CHANGED."
    )


def bare_schema() -> Schema:
    """The schema without anything behind it: for printing and for checks."""
    return Schema(
        query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
    )


class TenantrySchema(Schema):
    """The schema over running services. ``serve`` and ``execute`` are the same door."""

    def __init__(self, services: Services) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - graphql-core's execution contexts
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            config=StrawberryConfig(scalar_map=SCALARS),
            extensions=[lambda: AuditExtension(services.trail)],
        )
        self._services = services
        self._key_rate = RateRule("api-key", services.settings.limits.key_operations_per_minute, 60)
        self.registry = build_registry(self._schema)
        hide = not services.settings.development
        self.planning = Planning(
            PlanMaker(self._schema, self.registry),
            services.settings.limits,
            services.limiter,
            hide=hide,
            types=services.resource_types,
            clock=services.clock,
        )
        printer = Printer(self.planning, services.database, services.clock)
        mutations = Mutations(self, self.registry, services, printer)
        self._engine = Engine(self._schema, services, mutations, printer)

    async def serve(self, operation: Operation) -> Answer:
        """Answer one request from the wire; its records are durable. Never raises."""
        started = perf_counter()
        result, book = await self._run(operation)
        if self._services.measure is not None:
            kind = book.prepared.kind if book.prepared else "invalid"
            self._services.measure(kind, _outcome(result), perf_counter() - started)
        return Answer(_print(result), result.status, _retry_after(result), book.cookie)

    async def refuse(self, caller: Caller, error: DomainError) -> Answer:
        """Record and answer a request that came with a credential that does not hold."""
        book = Book(Operation("", caller), self._services.clock)
        book.note(AuditAction.OPERATION_REFUSED, Outcome.REFUSED, code=str(error.code))
        result = Result(None, refused(error), status=status_of(error))
        result = await self._recorded(book, result)
        return Answer(_print(result), result.status)

    # exempt: argument-count because whoever calls a Strawberry schema gives these
    async def execute(  # noqa: PLR0913, PLR0917 - Strawberry's own signature
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """As Strawberry's own, through the same door; ``context_value`` is a ``Caller``."""
        del root_value, operation_extensions
        if not isinstance(context_value, Caller):
            raise TypeError("give the caller as context_value")
        mutations = allowed_operation_types is None or OperationType.MUTATION in set(allowed_operation_types)
        result, _ = await self._run(
            Operation(query or "", context_value, operation_name, variable_values or {}, mutations)
        )
        return _executed(result)

    async def stream(  # pyright: ignore[reportIncompatibleMethodOverride] - of what Strawberry calls it with
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
    ) -> AsyncGenerator[ExecutionResult]:
        """An operation that came by a socket, through the same door; ``context_value`` makes its ``Caller``.

        A query or a mutation has one answer. A subscription has one at once, and another whenever
        the caller's rights may have changed; what does not hold any more is told and ends it.
        """
        del root_value
        if not isinstance(context_value, SocketCaller):
            raise TypeError("give who is at the socket as context_value")
        operation = Operation(
            query or "",
            context_value.caller(),
            operation_name,
            variable_values or {},
            subscriptions=True,
        )
        return self._answers(operation, context_value)

    async def subscribe(self, *arguments: Any, **named: Any) -> Any:
        """As ``stream``."""
        return await self.stream(*arguments, **named)

    async def _answers(self, operation: Operation, socket: SocketCaller) -> AsyncGenerator[ExecutionResult]:
        result, book = await self._run(operation)
        yield _executed(result)
        endings, lasting = (
            self._services.endings,
            book.prepared is not None and (book.prepared.kind == "subscription"),
        )
        if endings is None or book.authority is None or result.data is None or not lasting:
            return
        until = operation.caller.principal.expires_at
        async for _ in endings.following(book.authority, until=until):
            result, _book = await self._run(operation._replace(caller=socket.caller()))
            yield _executed(result)
            if result.data is None:
                return

    async def _run(self, operation: Operation) -> tuple[Result, Book]:
        """One operation inside the schema's extensions."""
        book = Book(operation, self._services.clock)
        result = Result(None)
        try:
            hooks = [await self._open(extension, book) for extension in self.get_extensions()]
            result = await self._answer(operation, book)
            hooks.reverse()
            for hook in hooks:
                await anext(hook, None)
        except DomainError as error:
            result = Result(None, refused(error), status=status_of(error))
        except Exception as error:  # noqa: BLE001 - nothing unexpected leaves unmasked
            result = Result(None, [masked(error, operation.caller.request_id)], status=500)
        return result, book

    async def _open(self, extension: SchemaExtension, book: Book) -> AsyncIterator[None]:
        """Run an extension's hook up to its ``yield``: Strawberry's runner costs a tenth of a short read."""
        extension.execution_context = ExecutionContext(book.operation.document, self, (), context=book)
        hook = extension.on_operation()
        if not isinstance(hook, AsyncIterator):
            raise TypeError(f"{type(extension).__name__}.on_operation is not asynchronous")
        await anext(hook)
        return hook

    async def _answer(self, operation: Operation, book: Book) -> Result:
        try:
            principal = operation.caller.principal
            if operation.subscriptions:
                _still_good(principal, self._services.clock)
            if principal.kind is not ActorKind.ANONYMOUS:
                book.authority = await self._services.authorities.get(principal)
                if self._services.seen is not None:
                    self._services.seen(book.authority.session_id)
                if book.authority.key is not None:
                    await self._services.limiter.hit(self._key_rate, book.authority.key)
            if operation.rule is not None:
                permit(operation.rule, book.authority)
            if operation.tenant is not None:
                keep_to(operation.tenant, book.authority)
            book.prepared = await self.planning.prepare(operation, book.authority)
            planned = await self.planning.plan(operation, book.prepared, book.authority)
            if planned.lacks_factor(book.authority):
                # Another worker may have seen the factor since this one read the authority.
                book.authority = await self._services.authorities.again(principal)
                planned = await self.planning.plan(operation, book.prepared, book.authority)
            return await self._engine.run(planned, book)
        except Exception as error:  # noqa: BLE001 - recorded, then masked or told
            return self._failed(operation, book, error)

    def _failed(self, operation: Operation, book: Book, error: Exception) -> Result:
        """The operation did not get as far as its root fields."""
        book.waiting.clear()
        if isinstance(error, DomainError):
            book.note(AuditAction.OPERATION_REFUSED, Outcome.REFUSED, code=str(error.code))
            return Result(None, refused(error), book.authority, status_of(error))
        failure = masked(error, operation.caller.request_id)
        book.note(AuditAction.OPERATION_REFUSED, Outcome.FAILED, code=failure.code)
        return Result(None, [failure], book.authority, 500)

    async def _recorded(self, book: Book, result: Result) -> Result:
        try:
            await self._services.trail.record(book.waiting)
        except DomainError as error:
            return Result(None, refused(error), status=status_of(error))
        return result


def _still_good(principal: Principal, clock: Clock) -> None:
    """A socket is open for longer than a token lives. Raises ``Unauthenticated``."""
    if principal.expires_at is not None and principal.expires_at <= clock():
        raise Unauthenticated("EXPIRED", "The access token has expired; refresh it and connect again.")


def _executed(result: Result) -> ExecutionResult:
    """As Strawberry hands results on."""
    data: Any = orjson.loads(result.data) if isinstance(result.data, bytes) else result.data
    errors = [each.as_graphql() for each in result.failures]
    extensions = None if result.authority is None else _extensions(result.authority)
    return ExecutionResult(data=data, errors=errors or None, extensions=extensions)


def _outcome(result: Result) -> str:
    if not result.failures:
        return "ok"
    return "refused" if result.data is None else "partial"


def _retry_after(result: Result) -> int | None:
    """Seconds, where the whole operation was refused for now."""
    match result.status:
        case RateLimited.http_status:
            facts = result.failures[0].extensions or {}
            return cast("int", facts["retryAfter"])
        case Unavailable.http_status:
            return RETRY_SECONDS
        case _:
            return None


def _extensions(authority: Authority) -> dict[str, Any]:
    tenant = authority.tenant if authority.scope is Scope.TENANT else None
    return {"authority": {"tenantId": tenant, "version": authority.version}}


def _print(result: Result) -> bytes:
    """The response by GraphQL's specification, section 7: data, errors, extensions."""
    # Joined once: an answer of many kilobytes is not copied for each of its ends.
    parts: list[bytes] = []
    if isinstance(result.data, bytes):
        parts += (b',"data":', result.data)
    elif result.data is not None or result.status == 200:
        parts += (b',"data":', orjson.dumps(result.data))
    if result.failures:
        parts += (b',"errors":', orjson.dumps([each.printed() for each in result.failures]))
    if result.authority is not None:
        parts += (b',"extensions":', orjson.dumps(_extensions(result.authority)))
    parts[0] = b"{" + parts[0][1:]
    parts.append(b"}")
    return b"".join(parts)
