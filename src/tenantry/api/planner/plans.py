"""A plan: what one operation of one shape does, compiled once and run many times."""
# graphql-core's own union types leave out the parameter of GraphQLList, and its parts are unknown with it.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type
from graphql.execution.values import VariableValues
from sqlalchemy import ColumnElement, Integer, Text, Uuid, cast, column, func, select

from tenantry.access.rules import Rule, RuleKind
from tenantry.api.planner.arguments import Binds, Getter, Values, getter, slots
from tenantry.api.planner.compiler import Compiler, Sight
from tenantry.api.planner.documents import Prepared
from tenantry.api.planner.findings import Details, Findings, Here, Hole, Path, Refused
from tenantry.api.planner.objects import build_object
from tenantry.api.planner.reach import NOTHING, Barred, Reach
from tenantry.api.planner.registry import Registry
from tenantry.api.planner.sources import Attribute, Computed, Crossing, Row, select_over
from tenantry.audit.actions import AuditAction
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import BadUserInput
from tenantry.kernel.principal import Authority, Environment
from tenantry.storage.statements import Compiled, compile_statement

PayloadKey: TypeAlias = tuple[Path, str, frozenset[Rule], Reach]
"""Where it stands, its type, the rules that the caller does not meet, and what is in their reach."""
READS = {
    "node": AuditAction.READ_NODE,
    "authority": AuditAction.READ_AUTHORITY,
    "evaluateAccess": AuditAction.READ_EVALUATE_ACCESS,
    "explainAccess": AuditAction.READ_EXPLAIN_ACCESS,
    "serverInfo": AuditAction.READ_SERVER_INFO,
    "signInOptions": AuditAction.READ_SIGN_IN_OPTIONS,
    "system": AuditAction.READ_SYSTEM,
    "tenant": AuditAction.READ_TENANT,
    "viewer": AuditAction.READ_VIEWER,
}
CALLER = ("tenant_id", "member_id", "user_id", "session_id")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and the ways to its arguments, in order."""

    sql: str
    getters: tuple[Getter, ...]

    def arguments(self, values: Values) -> list[Any]:
        """The arguments of one run."""
        return [get(values) for get in self.getters]


@dataclass(frozen=True, slots=True)
class Root:
    """One root field: its key in the answer, and its name."""

    key: str
    name: str
    details: Details
    action: AuditAction
    """As which a read of it stands in the trail; a mutation's service has its own."""


@dataclass(frozen=True, slots=True)
class Payload:
    """How to print one type that a function answers with.

    ``attributes`` are the fields that the service left: response key, name, selections.
    The rest, and the order of all, come from ``statement`` and ``keys``.
    """

    type_name: str
    keys: tuple[str, ...]
    attributes: Mapping[str, tuple[str, Details]]
    statement: Statement | None
    findings: Findings
    denied: bool
    needed: frozenset[str] = frozenset()
    """Keys of rows that may not be null."""


@dataclass(slots=True)
class Plan:
    """How to answer. ``statement`` is None where nothing is read; ``denied``: data is null."""

    prepared: Prepared
    roots: tuple[Root, ...]
    findings: Findings
    statement: Statement | None = None
    denied: bool = False
    whole: bool = False
    """Whether the statement's JSON is the whole answer, so that its bytes pass through."""
    crossings: dict[Path, Statement] = field(default_factory=dict[Path, Statement])
    payloads: dict[PayloadKey, Payload] = field(default_factory=dict[PayloadKey, Payload])


class Shaped(NamedTuple):
    """One operation with the coerced variables it is compiled for."""

    prepared: Prepared
    coerced: Mapping[str, Any]
    given: Mapping[str, Any]
    """As they came, for graphql-core, which coerces them itself."""
    reach: Reach = NOTHING
    """For whom: what of the tenant's objects they may see, where that depends on the object."""
    barred: Barred = frozenset()
    environment: Environment | None = None
    """Where and when, where conditions may look at it; no plan depends on it."""

    def values(self, authority: Authority | None, payload: Mapping[str, Any] | None = None) -> Values:
        """What the plan is run with."""
        return Values(authority, self.coerced, payload or {}, self.environment)


class PlanMaker:
    """Compiles operations over one schema."""

    makes: type[Compiler] = Compiler
    """What walks the selections; a test of the walls has one that forgets a criterion."""

    def __init__(self, schema: GraphQLSchema, registry: Registry) -> None:
        self.schema = schema
        self._registry = registry

    def plan(self, shaped: Shaped, refused: frozenset[Rule]) -> Plan:
        """The plan of ``shaped`` for a caller who does not meet ``refused``.

        Raises ``BadUserInput`` for what the document may not ask.
        """
        compiler = self._compiler(shaped, refused)
        selected = compiler.roots(shaped.prepared.root)
        roots = tuple(_root(key, details) for key, details in selected.items())
        plan = Plan(shaped.prepared, roots, compiler.findings)
        if shaped.prepared.is_query:
            self._queries(plan, compiler, selected)
            self._crossings(plan, shaped, refused)
            self._computed(plan, shaped, refused)
        else:
            self._mutations(plan, compiler, shaped, refused)
        return plan

    def _compiler(self, shaped: Shaped, refused: frozenset[Rule]) -> Compiler:
        prepared = shaped.prepared
        types = {each.name: each.type for each in prepared.variables}
        slotted = {name: slots(value, types[name], (name,)) for name, value in shaped.coerced.items()}
        return self.makes(
            self.schema,
            self._registry,
            prepared,
            VariableValues({}, slotted),
            sample=shaped.coerced,
            sight=Sight(refused, shaped.reach, shaped.barred),
        )

    # --- queries ------------------------------------------------------------------------------

    def _queries(self, plan: Plan, compiler: Compiler, selected: Mapping[str, Details]) -> None:
        root = plan.prepared.root
        caller = compiler.caller = caller_from_request(compiler.binds)
        here = Here(caller, pages=plan.findings.pages)
        reading = {key: details for key, details in selected.items() if self._reads(root.name, details)}
        beside = {key: details for key, details in selected.items() if key not in reading}
        try:
            for key, details in beside.items():
                self._beside(compiler, root, key, details)
            members = compiler.members(root, reading, here)
        except Refused:
            plan.denied = True
            return
        if members:
            plan.statement = _statement(compiler, build_object(members))
            plan.whole = not beside and not plan.findings.holes

    def _reads(self, root: str, details: Details) -> bool:
        name = details[0].node.name.value
        return not name.startswith("__") and not isinstance(self._registry.field(root, name).source, Computed)

    def _beside(self, compiler: Compiler, root: GraphQLObjectType, key: str, details: Details) -> None:
        """A root field that needs no row: computed, or introspection (which has no rule)."""
        name = details[0].node.name.value
        if not name.startswith("__"):
            compiler.field(root, key, details, Here(compiler.the_caller))

    def _crossings(self, plan: Plan, shaped: Shaped, refused: frozenset[Rule]) -> None:
        for hole in plan.findings.holes:
            if isinstance(hole.source, Crossing):
                compiler = self._compiler(shaped, refused)
                compiler.findings = plan.findings
                target = getter(hole.arguments["id"])
                caller = compiler.caller = caller_from_request(compiler.binds, "begin_crossing", target)
                try:
                    body = self._crossed(compiler, hole, caller)
                except Refused:
                    continue
                plan.crossings[hole.path] = _statement(compiler, body, caller.c.tenant_id)

    def _crossed(self, compiler: Compiler, hole: Hole, caller: Row) -> ColumnElement[Any]:
        type_: Any = get_named_type(hole.graphql_type)
        here = Here(caller, hole.path, pages=compiler.findings.pages)
        row, within = compiler.rows(Tenant, here)
        body = compiler.object(type_, hole.details, here.on(row))
        return select_over(body, rows=[row]).where(*within).scalar_subquery()

    def _computed(self, plan: Plan, shaped: Shaped, refused: frozenset[Rule]) -> None:
        """Foresee what functions beside the statement answer with: its rules, its pages, its reach."""
        for hole in list(plan.findings.holes):
            if isinstance(hole.source, Computed) and not is_leaf_type(get_named_type(hole.graphql_type)):
                try:
                    self._foresee(plan, hole.graphql_type, hole.details, hole.path, shaped, refused)
                except Refused:
                    plan.denied = True

    # --- mutations ----------------------------------------------------------------------------

    def _mutations(self, plan: Plan, compiler: Compiler, shaped: Shaped, refused: frozenset[Rule]) -> None:
        """Permit each root before any runs, and what it would answer with too.

        Of a public one (a login) only what holds whoever it signs in: its pages, and what has no door.
        """
        root_type = plan.prepared.root
        nobody = Here(caller_in_transaction(Binds()))
        try:
            for root in plan.roots:
                if root.name.startswith("__"):
                    continue
                compiler.permit(root_type.name, root.name, nobody.at(root.key))
                public = self._registry.rule(root_type.name, root.name).kind is RuleKind.PUBLIC
                known = None if public else refused
                self._foresee(
                    plan, root_type.fields[root.name].type, root.details, (root.key,), shaped, known
                )
        except Refused:
            plan.denied = True

    def _foresee(
        self,
        plan: Plan,
        type_: Any,
        details: Details,
        path: Path,
        shaped: Shaped,
        refused: frozenset[Rule] | None,
    ) -> None:
        named = get_named_type(type_)
        possible = [named] if isinstance(named, GraphQLObjectType) else self.schema.get_possible_types(named)
        for each in possible:
            made = self.payload(plan, each.name, details, path, shaped=shaped, refused=refused or frozenset())
            plan.findings.pages += made.findings.pages
            plan.findings.types += made.findings.types
            plan.findings.reaches |= made.findings.reaches
            if refused is not None:
                plan.findings.rules |= made.findings.rules
            if made.denied:
                plan.findings.problems += made.findings.problems
                raise Refused
            for key, (name, inner) in made.attributes.items():
                if name != "__typename" and not is_leaf_type(get_named_type(each.fields[name].type)):
                    self._foresee(plan, each.fields[name].type, inner, (*path, key), shaped, refused)

    def payload(
        self,
        plan: Plan,
        type_name: str,
        details: Details,
        path: Path,
        *,
        shaped: Shaped,
        refused: frozenset[Rule],
    ) -> Payload:
        """How to print ``type_name`` where a function answers with it at ``path``."""
        key = (path, type_name, refused, shaped.reach)
        if key not in plan.payloads:
            plan.payloads[key] = self._payload(type_name, details, path, shaped, refused)
        return plan.payloads[key]

    def _payload(
        self, type_name: str, details: Details, path: Path, shaped: Shaped, refused: frozenset[Rule]
    ) -> Payload:
        type_: Any = self.schema.type_map[type_name]
        compiler = self._compiler(shaped, refused)
        # A mutation's is read inside its transaction; a query's is a statement of its own.
        opened = caller_from_request if shaped.prepared.is_query else caller_in_transaction
        caller = compiler.caller = opened(compiler.binds)
        here = Here(caller, path, pages=compiler.findings.pages)
        attributes: dict[str, tuple[str, Details]] = {}
        members: list[tuple[str, ColumnElement[Any]]] = []
        selected = compiler.below(type_, details)
        try:
            for key, inner in selected.items():
                name = inner[0].node.name.value
                if name == "__typename" or isinstance(
                    self._registry.field(type_name, name).source, Attribute
                ):
                    attributes[key] = (name, inner)
                else:
                    members.append((key, compiler.field(type_, key, inner, here)))
        except Refused:
            return Payload(type_name, tuple(selected), attributes, None, compiler.findings, denied=True)
        if compiler.findings.holes:
            raise BadUserInput("This field cannot be asked for in the answer of another function.")
        statement = _statement(compiler, build_object(members)) if members else None
        needed = frozenset(key for key in selected if self._is_needed(type_, selected[key]))
        return Payload(
            type_name,
            tuple(selected),
            attributes,
            statement,
            compiler.findings,
            denied=False,
            needed=needed - attributes.keys(),
        )

    def _is_needed(self, type_: GraphQLObjectType, details: Details) -> bool:
        definition = type_.fields.get(details[0].node.name.value)
        return definition is not None and isinstance(definition.type, GraphQLNonNull)


def _root(key: str, details: Details) -> Root:
    name = details[0].node.name.value
    return Root(key, name, details, READS.get(name, AuditAction.READ_INTROSPECTION))


def caller_from_request(binds: Binds, function: str = "begin_request", target: Getter | None = None) -> Row:
    """The authority's row as the database finds it: no row where it no longer holds."""
    given: list[ColumnElement[Any]] = [
        binds.add(lambda values: _authority(values).tenant_id, Uuid()),
        binds.add(lambda values: _authority(values).session_id, Uuid()),
        binds.add(lambda values: _authority(values).member_version, Integer()),
        binds.add(lambda values: _authority(values).tenant_version, Integer()),
    ]
    if target is not None:
        given.append(binds.add(target, Text()))
    made = getattr(func, function)(*given)
    return made.table_valued(*(column(name, Uuid()) for name in CALLER), name="authority")


def caller_in_transaction(binds: Binds) -> Row:
    """The authority's row where the transaction has begun with it already."""
    given = {
        "tenant_id": binds.add(lambda values: _authority(values).tenant_id, Uuid()),
        "member_id": binds.add(lambda values: _authority(values).member_id, Uuid()),
        "user_id": binds.add(lambda values: _authority(values).user_id, Uuid()),
        "session_id": binds.add(lambda values: _authority(values).session_id, Uuid()),
    }
    return select(*(cast(value, Uuid()).label(name) for name, value in given.items())).subquery("authority")


def _authority(values: Values) -> Authority:
    if values.authority is None:
        raise RuntimeError("this statement needs an authority")
    return values.authority


def getters_of(compiled: Compiled, binds: Binds) -> tuple[Getter, ...]:
    """The ways to the parameters of a compiled statement, in order."""
    return tuple(binds.getters.get(name) or getter(compiled.constants[name]) for name in compiled.parameters)


def _statement(compiler: Compiler, body: ColumnElement[Any], *further: ColumnElement[Any]) -> Statement:
    """The statement over the caller's row."""
    caller = compiler.the_caller
    # The bytes as they go out: text would be decoded here, and encoded again.
    made = select(func.convert_to(body, "UTF8").label("data"), *further).select_from(caller)
    compiled = compile_statement(made, tenant=caller.c.tenant_id)
    return Statement(compiled.sql, getters_of(compiled, compiler.binds))
