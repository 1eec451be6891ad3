"""Running a plan: the statement, what stands beside it, and mutations one after another."""
# graphql-core's own union types leave out the parameter of GraphQLList.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from typing import Any, cast

import orjson
from graphql import GraphQLNonNull, GraphQLSchema

from tenantry.api.call import Call
from tenantry.api.errors import Failure, refused
from tenantry.api.inquiry import Inquiry
from tenantry.api.mutations import Mutations
from tenantry.api.planner.arguments import Slot, Values
from tenantry.api.planner.findings import Hole
from tenantry.api.planner.introspection import introspected
from tenantry.api.planner.plans import Plan
from tenantry.api.planner.sources import Computed, Named
from tenantry.api.planning import Planned
from tenantry.api.printing import Printer
from tenantry.api.records import Book
from tenantry.api.results import Result, not_found, told
from tenantry.api.services import Services
from tenantry.audit.actions import AuditAction
from tenantry.audit.records import Outcome
from tenantry.kernel.errors import DomainError, NotFound, Unauthenticated


class Engine:
    """Runs planned operations."""

    def __init__(
        self, schema: GraphQLSchema, services: Services, mutations: Mutations, printer: Printer
    ) -> None:
        self._schema = schema
        self._services = services
        self._mutations = mutations
        self._printer = printer

    async def run(self, planned: Planned, book: Book) -> Result:
        """The answer, with its records left in ``book``. Raises ``DomainError`` where all fails at once."""
        if not planned.plan.prepared.is_query:
            return await self._mutations.run(planned, book)
        result = await self._read(planned, book)
        _record_reads(planned.plan, result, book)
        return result

    async def _read(self, planned: Planned, book: Book) -> Result:
        plan, authority = planned.plan, book.authority
        values = planned.shaped.values(authority)
        failures = told(plan.findings.problems, authority)
        if plan.denied:
            return Result(None, failures, authority)
        data = await self._fetch(plan, values, book)
        if plan.whole and data is not None and not (plan.findings.lookups and b"null" in data):
            return Result(data, failures, authority)
        answer: dict[str, Any] = orjson.loads(data) if data is not None else {}
        inquiry = self._inquiry(plan, values, book)
        for hole in plan.findings.holes:
            value = await self._fill(planned, hole, values, book, failures, inquiry)
            if value is None and isinstance(hole.graphql_type, GraphQLNonNull):
                return Result(None, failures, authority)
            _put(answer, hole.path, value)
        failures += planned.failures
        failures += not_found(answer, plan.findings.lookups, failures)
        self._introspect(planned, answer)
        return Result({root.key: answer.get(root.key) for root in plan.roots}, failures, authority)

    async def _fetch(self, plan: Plan, values: Values, book: Book) -> bytes | None:
        # Without an authority every field that reads is refused: nothing is left to ask for.
        if plan.statement is None or values.authority is None:
            return None
        row = await self._services.database.fetch(plan.statement.sql, plan.statement.arguments(values))
        if row is None:
            await self._stale(book)
        return None if row is None else row[0]

    async def _stale(self, book: Book) -> None:
        """The authority did not hold any more: say why. Always raises ``Unauthenticated``."""
        principal = book.operation.caller.principal
        self._services.authorities.forget(principal)
        await self._services.authorities.get(principal)
        raise Unauthenticated("AUTHORITY_CHANGED", "Your rights have just changed; sign in again.")

    def _inquiry(self, plan: Plan, values: Values, book: Book) -> Inquiry:
        """What all functions of the operation ask about, to be looked up once the first of them wants it."""
        named = Named()
        for hole in plan.findings.holes:
            if isinstance(hole.source, Computed) and hole.source.names is not None:
                named = named.joined(hole.source.names(_filled(hole.arguments, values)))
        return Inquiry(self._services, book.operation.caller, book.authority, named)

    async def _fill(
        self,
        planned: Planned,
        hole: Hole,
        values: Values,
        book: Book,
        failures: list[Failure],
        inquiry: Inquiry,
    ) -> object:
        if not isinstance(hole.source, Computed):
            return await self._cross(planned.plan, hole, values, book, failures)
        call = Call(self._services, book.operation.caller, book.authority, inquiry=inquiry)
        try:
            value = await hole.source.function(call, _filled(hole.arguments, values))
            return await self._printer.whatever(planned, value, hole.details, hole.path, book.authority)
        except Unauthenticated:
            # Since the operation began the authority has ended: nothing of it is answered.
            raise
        except DomainError as error:
            failures += refused(error, hole.path)
            return None

    async def _cross(
        self, plan: Plan, hole: Hole, values: Values, book: Book, failures: list[Failure]
    ) -> object:
        """Look into one tenant as the platform, recorded in that tenant's trail before the answer."""
        statement = plan.crossings.get(hole.path)
        if statement is None:
            return None
        row = await self._services.database.fetch(statement.sql, statement.arguments(values))
        if row is None:
            await self._stale(book)
            return None
        answer = None if row[0] is None else orjson.loads(row[0])
        if answer is None or row[1] is None:
            failures += refused(NotFound(), hole.path)
            return None
        target = (row[1], str(_filled(hole.arguments["id"], values)))
        book.note(
            AuditAction.READ_CROSSING, Outcome.OK, root_field="system", targets=(target[1],), inside=target
        )
        return answer

    def _introspect(self, planned: Planned, answer: dict[str, Any]) -> None:
        """``__typename`` of the root, and what graphql-core says of the schema."""
        plan = planned.plan
        asked = [root for root in plan.roots if root.name in {"__schema", "__type"}]
        for root in plan.roots:
            if root.name == "__typename":
                answer[root.key] = plan.prepared.root.name
        if asked:
            nodes = [detail.node for root in asked for detail in root.details]
            answer |= introspected(self._schema, plan.prepared, nodes, planned.shaped.given)


def _record_reads(plan: Plan, result: Result, book: Book) -> None:
    """One record for each root field: refused where it is null for it, partial where something inside is."""
    failures, denied = result.failures, result.data is None
    if not failures and not denied:
        for root in plan.roots:
            book.note(root.action, Outcome.OK, root_field=root.name)
        return
    for root in plan.roots:
        inside = [each for each in failures if each.path and each.path[0] == root.key]
        code = (inside or failures)[0].code if inside or (denied and failures) else None
        whole = denied or any(len(each.path or ()) == 1 for each in inside)
        outcome = Outcome.REFUSED if whole else Outcome.PARTIAL if inside else Outcome.OK
        book.note(root.action, outcome, root_field=root.name, code=code)


def _filled(value: Any, values: Values) -> Any:
    """Arguments with what variables bring in place of their slots."""
    if isinstance(value, Mapping):
        inside = cast("Mapping[str, Any]", value)
        return {name: _filled(each, values) for name, each in inside.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in cast("list[Any]", value)]
    return value.get(values) if isinstance(value, Slot) else value


def _put(answer: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    found = answer
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = value
