"""From an operation to its plan: the caches, the limits, and the decision on every rule at once."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from tenantry.access.decisions import decide
from tenantry.access.permissions import WILDCARD
from tenantry.access.predicates import NEVER
from tenantry.access.rules import Rule
from tenantry.api.errors import Failure
from tenantry.api.operations import Operation
from tenantry.api.planner.arguments import Values
from tenantry.api.planner.documents import Documents, Prepared
from tenantry.api.planner.findings import PageSize
from tenantry.api.planner.plans import Plan, PlanMaker, Shaped
from tenantry.api.planner.reach import NOTHING, Barred, Reach, reach_of
from tenantry.cache.rate_limits import RateLimiter, RateRule
from tenantry.directory.blueprints.types import TypesInForce
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.errors import BadUserInput, QueryTooComplex
from tenantry.kernel.principal import Authority, Environment, Scope
from tenantry.settings import Limits

PLANS = 2_000
NONE: frozenset[Rule] = frozenset()

_NO_LISTS: Barred = frozenset()

Key = tuple[str, str | None, Any, frozenset[Rule], Reach, Barred]


class MutationOverGet(BadUserInput):
    """A mutation where only queries are taken (GraphQL over HTTP, section 5.1)."""

    http_status = 405

    def __init__(self) -> None:
        super().__init__("Send mutations by POST.")


class Planned(NamedTuple):
    """An operation ready to run: its plan, and the rules its caller does not meet."""

    plan: Plan
    shaped: Shaped
    refused: frozenset[Rule]
    failures: list[Failure]
    """What printing the answers of functions finds refused or missing inside."""

    def lacks_factor(self, authority: Authority | None) -> bool:
        """Whether a second factor, proved since ``authority`` was read, could make a difference."""
        if authority is None or not self.refused:
            return False
        return authority.awaits_factor or any(rule.freshness is not None for rule in self.refused)


class Planning:
    """Documents and plans seen lately, for all callers together."""

    def __init__(
        self,
        maker: PlanMaker,
        limits: Limits,
        limiter: RateLimiter,
        *,
        hide: bool,
        types: TypesInForce,
        clock: Clock = system_clock,
    ) -> None:
        self.documents = Documents(maker.schema, limits, hide=hide)
        self.maker = maker
        self._limits = limits
        self._limiter = limiter
        self._rate = RateRule("compile", limits.compiles_per_minute, 60)
        self.types = types
        self._clock = clock
        self.size = PLANS
        """How many plans are kept."""
        self._plans: OrderedDict[Key, Plan] = OrderedDict()

    async def prepare(self, operation: Operation, authority: Authority | None) -> Prepared:
        """The operation, bounded, parsed and validated.

        Raises ``InvalidDocument``, ``QueryTooComplex``, ``MutationOverGet``, ``RateLimited``.
        """
        tokens = self._limits.tokens_anonymous if authority is None else self._limits.tokens
        prepared = self.documents.known(operation.document, operation.operation_name)
        if prepared is None or prepared.tokens > tokens:
            await self._count(operation, authority)
            prepared = self.documents.prepare(operation.document, operation.operation_name, tokens=tokens)
        if not prepared.is_query and not operation.mutations:
            raise MutationOverGet
        if prepared.kind == "subscription" and not operation.subscriptions:
            raise BadUserInput("Send subscriptions by a WebSocket, as graphql-transport-ws.")
        return prepared

    async def plan(self, operation: Operation, prepared: Prepared, authority: Authority | None) -> Planned:
        """The plan for this caller, every rule of the operation decided.

        Raises ``InvalidDocument`` for variables, ``BadUserInput``, ``QueryTooComplex``, ``RateLimited``.
        """
        coerced = self.documents.coerce(prepared, operation.variables)
        shaped = Shaped(prepared, coerced, operation.variables)
        shape = prepared.shape(coerced) if coerced else ()
        plan = await self._plan(operation, shaped, shape, NONE, authority)
        if plan.findings.reaches:
            environment = Environment(operation.caller.ip, self._clock())
            reach = await self.reach(authority, environment)
            barred = await self._barred(plan, shaped.values(authority)) if plan.findings.types else _NO_LISTS
            shaped = shaped._replace(reach=reach, barred=barred, environment=environment)
            plan = await self._plan(operation, shaped, shape, NONE, authority)
        refused = unmet(plan.findings.rules, authority, self._clock)
        if refused:
            plan = await self._plan(operation, shaped, shape, refused, authority)
        if plan.findings.pages:
            self._bound(plan.findings.pages, Values(authority, coerced))
        return Planned(plan, shaped, refused, [])

    async def reach(self, authority: Authority | None, environment: Environment | None) -> Reach:
        """What this caller may see and do, where that depends on the object."""
        if authority is None:
            return NOTHING
        types = await self.types.of(authority.resource_types)
        return reach_of(authority, types, environment)

    async def _barred(self, plan: Plan, values: Values) -> Barred:
        """Lists of a type of which the caller never sees any. Raises ``BadUserInput`` for no type."""
        authority = values.authority
        if authority is None or WILDCARD in authority.permissions:
            return frozenset()
        types = await self.types.of(authority.resource_types)
        closed: set[tuple[tuple[str, ...], str | None]] = set()
        for path, name in plan.findings.types:
            kind = types.get(name(values))
            if kind is None and authority.scope is Scope.TENANT:
                raise BadUserInput("Some input cannot be taken.", {"type": "there is no such type here"})
            # A tenant's blueprint opens nothing to the platform's staff.
            gate = None if kind is None else kind.gates.get("read")
            if gate is None or gate.condition(authority) == NEVER:
                permission = "" if gate is None else gate.permission
                closed.add((path, None if authority.awaits_factor else permission))
        return frozenset(closed)

    async def _plan(
        self,
        operation: Operation,
        shaped: Shaped,
        shape: Any,
        refused: frozenset[Rule],
        authority: Authority | None,
    ) -> Plan:
        prepared = shaped.prepared
        key = (prepared.document_hash, prepared.name, shape, refused, shaped.reach, shaped.barred)
        plan = self._plans.get(key)
        if plan is None:
            await self._count(operation, authority)
            plan = self._plans[key] = self.maker.plan(shaped, refused)
            if len(self._plans) > self.size:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan

    async def _count(self, operation: Operation, authority: Authority | None) -> None:
        """Compiling costs milliseconds: nobody makes us compile without end."""
        subject = authority.user if authority is not None else operation.caller.ip or "unknown"
        await self._limiter.hit(self._rate, subject)

    def _bound(self, pages: Sequence[PageSize], values: Values) -> None:
        found = sum(_cost(page, values) for page in pages)
        if found > self._limits.cost:
            raise QueryTooComplex("cost", self._limits.cost, found)


def unmet(rules: set[Rule], authority: Authority | None, clock: Clock) -> frozenset[Rule]:
    """The rules among ``rules`` that the caller does not meet."""
    refused: list[Rule] = []
    for rule in rules:
        # Nearly no rule asks for a second factor's age, and a clock costs.
        age = None if rule.freshness is None or authority is None else authority.factor_age(clock())
        if not decide(rule, authority, age).allowed:
            refused.append(rule)
    return frozenset(refused) if refused else NONE


def _cost(page: PageSize, values: Values) -> int:
    """Most objects that a connection can bring: its size times what each node brings."""
    return int(page.size(values)) * (1 + sum(_cost(inner, values) for inner in page.inner))
