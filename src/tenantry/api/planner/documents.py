"""A document on its way in: bounded, parsed, validated, once for each text."""
# graphql-core's own union types leave out the parameter of GraphQLList, and its parts are unknown with it.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    NameNode,
    Node,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    specified_rules,
    type_from_ast,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.language import Source, TokenKind
from graphql.language.lexer import Lexer

from tenantry.api.planner.arguments import shape
from tenantry.kernel.errors import BadUserInput, QueryTooComplex
from tenantry.settings import Limits

MAX_ERRORS = 20
_TEXTS = ("String", "ID")
_PLAIN = (*_TEXTS, "Int")


class InvalidDocument(BadUserInput):
    """A document that does not parse or validate; ``errors`` says where."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("The document is not valid.")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable and its type.

    ``plain`` names the type whose values need no coercion: ``String``, ``ID`` or ``Int``; None is
    any other.
    """

    name: str
    type: GraphQLInputType
    plain: str | None
    required: bool
    """Whether null may not stand for it."""
    has_default: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """One operation of one document, ready for planning."""

    document_hash: str
    tokens: int
    kind: str
    """``query`` or ``mutation``."""
    is_query: bool
    """Whether it only reads."""
    operation: OperationDefinitionNode
    name: str | None
    root: GraphQLObjectType
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: tuple[Variable, ...]
    reads_node: bool

    def shape(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """What of the coerced variables decides the plan."""
        return tuple(
            (each.name, shape(values[each.name], each.type, letters=self.reads_node))
            for each in self.variables
            if each.name in values
        )


class Documents:
    """The documents seen lately, at most ``size``. With ``hide`` nobody learns the schema from them."""

    def __init__(
        self, schema: GraphQLSchema, limits: Limits, *, size: int = 1_000, hide: bool = True
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._size = size
        self._hide = hide
        self._rules = [*specified_rules, *([NoSchemaIntrospectionCustomRule] if hide else [])]
        self._seen: OrderedDict[tuple[str, str | None], Prepared] = OrderedDict()

    def known(self, text: str, name: str | None) -> Prepared | None:
        """The document if it was seen, and now is the newest."""
        found = self._seen.get((text, name))
        if found is not None:
            self._seen.move_to_end((text, name))
        return found

    def prepare(self, text: str, name: str | None, *, tokens: int) -> Prepared:
        """Bound, parse and validate. Raises ``QueryTooComplex`` or ``InvalidDocument``."""
        found = self.known(text, name)
        if found is None:
            found = self._read(text, name, tokens)
            self._seen[text, name] = found
            if len(self._seen) > self._size:
                self._seen.popitem(last=False)
        if found.tokens > tokens:
            raise QueryTooComplex("token count", tokens, found.tokens)
        return found

    def _read(self, text: str, name: str | None, tokens: int) -> Prepared:
        counted = _count_tokens(text, tokens)
        try:
            document = parse(text, no_location=False)
        except GraphQLError as error:
            raise InvalidDocument([error]) from error
        self._bound(document)
        errors = validate(
            self._schema, document, self._rules, max_errors=MAX_ERRORS, hide_suggestions=self._hide
        )
        if errors:
            raise InvalidDocument(errors)
        operation = _choose(document, name)
        fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        found = _depth(operation.selection_set, fragments)
        if found > self._limits.depth:
            raise QueryTooComplex("depth", self._limits.depth, found)
        return self._prepared(text, counted, operation, fragments)

    def _prepared(
        self,
        text: str,
        tokens: int,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> Prepared:
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            raise InvalidDocument(
                [GraphQLError(f"There are no {operation.operation.value}s here.", operation)]
            )
        variables: list[Variable] = []
        for definition in operation.variable_definitions or ():
            type_: Any = type_from_ast(self._schema, definition.type)
            plain = str(type_).rstrip("!")
            variables.append(
                Variable(
                    definition.variable.name.value,
                    type_,
                    plain=plain if plain in _PLAIN else None,
                    required=isinstance(type_, GraphQLNonNull),
                    has_default=definition.default_value is not None,
                )
            )
        return Prepared(
            document_hash=hashlib.sha256(text.encode()).hexdigest(),
            tokens=tokens,
            kind=operation.operation.value,
            is_query=operation.operation is not OperationType.MUTATION,
            operation=operation,
            name=operation.name.value if operation.name else None,
            root=root,
            fragments=fragments,
            variables=tuple(variables),
            reads_node=any(field.name.value == "node" for field in _fields(operation, fragments)),
        )

    def _bound(self, document: DocumentNode) -> None:
        """Refuse what would cost too much to validate (before validating, which is quadratic)."""
        aliases = 0
        names: Counter[str] = Counter()
        for node in _walk(document):
            if isinstance(node, FieldNode):
                aliases += node.alias is not None
                names[node.name.value] += 1
            elif isinstance(node, FragmentSpreadNode):
                names[f"...{node.name.value}"] += 1
        if aliases > self._limits.aliases:
            raise QueryTooComplex("alias count", self._limits.aliases, aliases)
        most = max(names.values(), default=0)
        if most > self._limits.repeated_fields:
            raise QueryTooComplex("count of one field", self._limits.repeated_fields, most)

    def coerce(self, prepared: Prepared, given: Mapping[str, Any]) -> dict[str, Any]:
        """The declared variables' values by name. Raises ``InvalidDocument``; others are ignored."""
        if not prepared.variables:
            return {}
        coerced = _simple(prepared.variables, given)
        if coerced is not None:
            return coerced
        found = get_variable_values(
            self._schema,
            prepared.operation.variable_definitions or (),
            dict(given),
            max_errors=MAX_ERRORS,
            hide_suggestions=self._hide,
        )
        if isinstance(found, list):
            raise InvalidDocument(found)
        return found.coerced


def _simple(variables: tuple[Variable, ...], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Strings, ids and integers of the declared kind, and nothing where it may stand, need no coercion.

    None where graphql-core has to look (GraphQL, section 6.1.2).
    """
    coerced: dict[str, Any] = {}
    for each in variables:
        value = given.get(each.name)
        if value is None:
            if each.required or each.plain is None or each.has_default:
                return None
            if each.name in given:
                coerced[each.name] = None
            continue
        kind = type(value)
        if (kind is str and each.plain in _TEXTS) or (
            kind is int and each.plain == "Int" and -(2**31) <= value < 2**31
        ):
            coerced[each.name] = value
        else:
            return None
    return coerced


def _count_tokens(text: str, allowed: int) -> int:
    lexer = Lexer(Source(text))
    count = 0
    try:
        while lexer.advance().kind is not TokenKind.EOF:
            count += 1
            if count > allowed:
                raise QueryTooComplex("token count", allowed, count)
    except GraphQLError as error:
        raise InvalidDocument([error]) from error
    return count


def _walk(document: DocumentNode) -> Iterator[Node]:
    """All nodes but names, without recursion."""
    stack: list[Node] = [document]
    while stack:
        node = stack.pop()
        yield node
        for key in node.keys:
            value = getattr(node, key, None)
            if isinstance(value, Node) and not isinstance(value, NameNode):
                stack.append(value)
            elif isinstance(value, (list, tuple)):
                stack.extend(each for each in value if isinstance(each, Node))


def _choose(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that is meant; with several and no name, none is."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    chosen = [
        each for each in operations if name is None or (each.name is not None and each.name.value == name)
    ]
    if len(chosen) == 1:
        return chosen[0]
    if not operations:
        raise InvalidDocument([GraphQLError("The document has no operation.")])
    message = "Name the operation to run: the document has several." if name is None else "No such operation."
    raise InvalidDocument([GraphQLError(message)])


def _fields(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    roots: list[Node] = [operation, *fragments.values()]
    for root in roots:
        for node in _walk(DocumentNode(definitions=(root,))):  # pyright: ignore[reportArgumentType]
            if isinstance(node, FieldNode):
                yield node


def _depth(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """How deep fields nest; fragments count where they are spread (validated: no cycles)."""
    known: dict[str, int] = {}

    def of(part: SelectionSetNode) -> int:
        deepest = 0
        for each in part.selections:
            if isinstance(each, FragmentSpreadNode):
                name = each.name.value
                if name not in known:
                    known[name] = of(fragments[name].selection_set)
                deepest = max(deepest, known[name])
            else:
                inner = getattr(each, "selection_set", None)
                deepest = max(deepest, (isinstance(each, FieldNode)) + (of(inner) if inner else 0))
        return deepest

    return of(selections)
