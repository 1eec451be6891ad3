"""Running mutations: each root field in one transaction, its answer and its record inside."""

from dataclasses import replace
from typing import Any, cast

from graphql import GraphQLUnionType, get_named_type
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.schema import Schema
from strawberry.types.arguments import convert_argument
from strawberry.types.field import StrawberryField

from tenantry.access.decisions import conditionally
from tenantry.access.rules import RuleKind
from tenantry.api.call import Call
from tenantry.api.errors import Failure, masked, refused
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.plans import Root
from tenantry.api.planner.registry import DEFINITION, Registry
from tenantry.api.planner.sources import Service
from tenantry.api.planning import Planned
from tenantry.api.printing import Denied, Printer
from tenantry.api.problems import outcome_of
from tenantry.api.records import Book
from tenantry.api.results import Result, told
from tenantry.api.services import Services
from tenantry.audit.records import Outcome as Ending
from tenantry.directory.webhooks.service import publish
from tenantry.kernel.errors import (
    DomainError,
    ErrorCode,
    NotForKeys,
    Problem,
    Unauthenticated,
    Unavailable,
)
from tenantry.kernel.principal import Authority, Environment
from tenantry.storage.unit_of_work import UnitOfWork

OK = 200
_FOR_KEYS = frozenset({RuleKind.GATED, RuleKind.REQUIRES})
"""What API keys may ask for: where a permission guards it."""


class Committed(Exception):
    """A refusal whose transaction was committed, and its record in it."""

    def __init__(self, error: DomainError) -> None:
        super().__init__(error.message)
        self.error = error


class Mutations:
    """Runs the root fields of a mutation in order, until one fails."""

    def __init__(self, schema: Schema, registry: Registry, services: Services, printer: Printer) -> None:
        self._schema = schema
        self._registry = registry
        self._services = services
        self._printer = printer

    async def run(self, planned: Planned, book: Book) -> Result:
        """The answer; each root field is recorded, the refused and the failed too."""
        plan = planned.plan
        if plan.denied:
            failures = told(plan.findings.problems, book.authority)
            for root in plan.roots:
                service = self._service(planned, root)
                if service is not None:
                    book.note(service.action, Ending.REFUSED, root_field=root.name, code=failures[0].code)
            return Result(None, failures, book.authority)
        if refusals := self._not_for_keys(planned, book):
            return Result(None, refusals, book.authority)
        answer: dict[str, Any] = {}
        acting = seen_as = book.authority
        for root in plan.roots:
            service = self._service(planned, root)
            if service is None:
                answer[root.key] = plan.prepared.root.name
                continue
            one = _One(self, planned, root, service, book)
            try:
                answer[root.key] = await one.run()
            except Exception as error:  # noqa: BLE001 - told or masked, and recorded
                return self._ended(one, error, book, acting)
            # Whom a login signs in is whom its own answer is read as. What follows in the document
            # was permitted to the caller, and is done as the caller.
            seen_as, book.authority = book.authority, acting
        return Result(answer, planned.failures, seen_as)

    def _not_for_keys(self, planned: Planned, book: Book) -> list[Failure]:
        """What a key asks for that no permission guards: a person's own matters, and logins."""
        if book.authority is None or book.authority.key is None:
            return []
        failures: list[Failure] = []
        services = [(root, self._service(planned, root)) for root in planned.plan.roots]
        for root, service in services:
            rule = self._registry.field(planned.plan.prepared.root.name, root.name).rule
            if service is not None and (rule is None or rule.kind not in _FOR_KEYS):
                failures += refused(NotForKeys(), (root.key,))
        if failures:
            for root, service in services:
                if service is not None:
                    book.note(service.action, Ending.REFUSED, root_field=root.name, code=failures[0].code)
        return failures

    def _ended(self, one: "_One", error: Exception, book: Book, acting: Authority | None) -> Result:
        """The answer where a root field has failed, which ends the operation; its record is left."""
        path = (one.key,)
        match error:
            case Committed():
                return Result(None, refused(error.error, path), book.authority)
            case Denied():
                one.note(Ending.REFUSED, error.failures[0].code)
                return Result(None, error.failures, acting)
            case DomainError():
                one.note(Ending.REFUSED, str(error.code))
                if isinstance(error, Unauthenticated) and book.authority is not None:
                    self._services.authorities.forget(book.operation.caller.principal)
                status = error.http_status if isinstance(error, Unavailable) else OK
                return Result(None, refused(error, path), book.authority, status)
            case _:
                one.note(Ending.FAILED, ErrorCode.INTERNAL)
                failure = masked(error, book.operation.caller.request_id, path)
                return Result(None, [failure], book.authority)

    def _service(self, planned: Planned, root: Root) -> Service | None:
        if root.name.startswith("__"):
            return None
        source = self._registry.field(planned.plan.prepared.root.name, root.name).source
        if not isinstance(source, Service):
            raise TypeError(f"{root.name} is no mutation")
        return source

    def arguments(self, planned: Planned, root: Root) -> list[Any]:
        """The function's inputs as its author declared them."""
        definition = planned.plan.prepared.root.fields[root.name]
        given = get_argument_values(
            definition, root.details[0].node, VariableValues({}, dict(planned.shaped.coerced))
        )
        field = definition.extensions[DEFINITION]
        if not isinstance(field, StrawberryField):
            raise TypeError(f"{root.name} was not made by Strawberry")
        registry = self._schema.schema_converter.scalar_registry
        return [
            convert_argument(given[argument.python_name], argument.type, registry, self._schema.config)
            for argument in field.arguments
        ]

    def depends(self, planned: Planned, root: Root, authority: Authority | None) -> bool:
        """Whether the caller may run this root field for some objects only, so that a decision is due."""
        rule = self._registry.rule(planned.plan.prepared.root.name, root.name)
        return authority is not None and conditionally(rule, authority)

    def in_union(self, planned: Planned, root: Root, problem: Problem) -> bool:
        """Whether the field's result has a type for this problem."""
        named = cast("object", get_named_type(planned.plan.prepared.root.fields[root.name].type))
        return isinstance(named, GraphQLUnionType) and any(
            each.name == type(problem).__name__ for each in named.types
        )

    @property
    def services(self) -> Services:
        """What the functions work with."""
        return self._services

    @property
    def printer(self) -> Printer:
        """Prints their outcomes."""
        return self._printer


class _One:
    """One root field being run."""

    def __init__(
        self, mutations: Mutations, planned: Planned, root: Root, service: Service, book: Book
    ) -> None:
        self._mutations = mutations
        self._planned = planned
        self._root = root
        self._service = service
        self._book = book

    @property
    def key(self) -> str:
        """Where it stands in the answer."""
        return self._root.key

    async def run(self) -> Any:
        services = self._mutations.services
        call = Call(services, self._book.operation.caller, self._book.authority)
        arguments = self._mutations.arguments(self._planned, self._root)
        try:
            if self._service.before is not None:
                arguments.append(await self._service.before(call, *arguments))
            answer = await self._transact(call, arguments)
            self._book.cookie = call.cookie or self._book.cookie
            return answer
        except Problem as problem:
            if not self._mutations.in_union(self._planned, self._root, problem):
                raise
            self.note(Ending.REFUSED, problem.code)
            return await self._print(outcome_of(problem), None)

    async def _transact(self, call: Call, arguments: list[Any]) -> Any:
        services = self._mutations.services
        ended: dict[str, Any] = {}

        async def record(work: UnitOfWork) -> None:
            outcome: Outcome | DomainError = ended["outcome"]
            if isinstance(outcome, DomainError):
                entry = self._entry(work, Ending.REFUSED, outcome.code)
            else:
                await publish(work, clock=services.clock)
                entry = self._entry(work, Ending.OK, None)
            await services.trail.insert(work, [entry])

        async with services.database.writing(self._book.authority, before_commit=record) as work:
            call.unit = work
            work.environment = Environment(self._book.operation.caller.ip, services.clock())
            if self._mutations.depends(self._planned, self._root, self._book.authority):
                work.owe()
            made = ended["outcome"] = await self._service.run(call, *arguments)
            if not isinstance(made, DomainError) or isinstance(made, Problem):
                outcome = outcome_of(made) if isinstance(made, Problem) else made
                if outcome.authority is not None:
                    self._book.authority = outcome.authority
                return await self._print(outcome, work)
        # Refused, and yet something was done that had to stay: it is committed, with its record.
        self._book.cookie = call.cookie or self._book.cookie
        raise Committed(made)

    def _entry(self, work: UnitOfWork, ending: Ending, code: str | None) -> Any:
        targets = [target for action in work.actions for target in action.targets]
        crossed = self._crossed(work, targets)
        return self._book.entry(
            self._service.action,
            ending,
            root_field=self._root.name,
            code=code,
            targets=targets,
            inside=crossed,
        )

    def _crossed(self, work: UnitOfWork, targets: list[str]) -> Any:
        """The tenant the platform has entered, in whose trail the record stands."""
        authority: Authority | None = self._book.authority
        if authority is None:
            return (work.tenant_id, work.tenant_node) if work.tenant_node is not None else None
        if work.tenant_id in {None, authority.tenant_id}:
            return None
        return (work.tenant_id, targets[0] if targets else None)

    async def _print(self, outcome: Outcome, work: UnitOfWork | None) -> Any:
        connection = await work.driver() if work is not None else None
        return await self._mutations.printer.value(
            self._planned, outcome, self._root.details, (self._root.key,), self._reading_as(work), connection
        )

    def _reading_as(self, work: UnitOfWork | None) -> Authority | None:
        """As whom the payload is read: the caller, in the tenant that the service has entered."""
        authority = self._book.authority
        if authority is None or work is None or work.tenant_id in {None, authority.tenant_id}:
            return authority
        return replace(authority, tenant_id=work.tenant)

    def note(self, ending: Ending, code: str) -> None:
        """Leave a record for the end of the operation: the transaction is gone."""
        self._book.note(self._service.action, ending, root_field=self._root.name, code=code)
