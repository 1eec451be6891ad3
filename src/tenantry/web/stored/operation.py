"""One stored operation: its parameters are the variables of its document, whatever carries them.

A variable whose name stands in the path's template comes from the path; the others come from the
query string where the method has no body, and from a JSON object where it has one.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from graphql import (
    DocumentNode,
    OperationDefinitionNode,
    OperationType,
    parse,
    parse_type,
    value_from_ast_untyped,
)
from graphql.language import ListTypeNode, NamedTypeNode, NonNullTypeNode, TypeNode

from tenantry.access.rules import Rule
from tenantry.kernel.principal import Scope
from tenantry.web.parameters import Parameters, is_deep, json_object, query_pairs, too_deep
from tenantry.web.refusals import Malformed
from tenantry.web.stored.documents import DOCUMENTS

TENANT = "tenantId"
"""The parameter of every path of a tenant: which one, where a client cares to say; the token's."""

WITH_BODY = frozenset({"POST", "PUT"})
"""The methods whose requests bring JSON, if only an empty object."""

_IN_PATH = re.compile(r"\{(\w+)\}")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_REFUSED = "The request is not what this path takes."


class Place(StrEnum):
    """Where a parameter stands."""

    PATH = "path"
    QUERY = "query"
    BODY = "body"


class Parameter(NamedTuple):
    """One parameter, its type and default as the document declares them."""

    name: str
    place: Place
    type: TypeNode
    default: object = None

    @property
    def required(self) -> bool:
        """Whether the document cannot be run without it."""
        return isinstance(self.type, NonNullTypeNode) and self.default is None


@dataclass(frozen=True)
class StoredOperation:
    """A document behind a method and a path.

    ``name`` is the document's, ``answer`` where in its data the response's body stands, and
    ``rule`` what the path asks of its caller before the document is looked at. With
    ``by_cookie`` the request must carry the CSRF header: the browser sends what it acts by.

    Raises ``ValueError`` when made with parts that do not go together.
    """

    asked: tuple[str, str]
    summary: str
    name: str
    answer: tuple[str | int, ...]
    rule: Rule
    status: int = 200
    by_cookie: bool = False

    def __post_init__(self) -> None:
        if (self.method == "GET") is not (self.definition.operation is OperationType.QUERY):
            raise ValueError(f"{self.path}: a query is asked for by GET, a mutation by another method")
        if unknown := self._in_path - {each.name for each in self.parameters}:
            raise ValueError(f"{self.path}: the document has no variable of the name {unknown}")

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.asked[0]

    @property
    def path(self) -> str:
        """The path, with the names of variables in braces."""
        return self.asked[1]

    @property
    def document(self) -> str:
        """The document's text."""
        return DOCUMENTS[self.name]

    @cached_property
    def parsed(self) -> DocumentNode:
        """The document, its operation first."""
        return parse(self.document, no_location=True)

    @property
    def definition(self) -> OperationDefinitionNode:
        """The document's operation."""
        first = self.parsed.definitions[0]
        if not isinstance(first, OperationDefinitionNode):
            raise TypeError(f"{self.name} begins with something else")
        return first

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What requests may give; to a tenant's path, the tenant too."""
        own = [
            Parameter(
                each.variable.name.value,
                self._place(each.variable.name.value),
                each.type,
                None if each.default_value is None else value_from_ast_untyped(each.default_value),
            )
            for each in self.definition.variable_definitions or ()
        ]
        if self.rule.scope is Scope.TENANT:
            own.append(Parameter(TENANT, self._place(TENANT), parse_type("ID", no_location=True)))
        return tuple(own)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the operation's paths look like, decoded."""
        literals = map(re.escape, _IN_PATH.split(self.path)[::2])
        names = (*(f"(?P<{name}>[^/]+)" for name in _IN_PATH.findall(self.path)), "")
        return re.compile("".join(map("".join, zip(literals, names, strict=True))))

    @property
    def reads_body(self) -> bool:
        """Whether anything of the body is looked at."""
        return any(each.place is Place.BODY for each in self.parameters)

    @property
    def _in_path(self) -> frozenset[str]:
        return frozenset(_IN_PATH.findall(self.path))

    def _place(self, name: str) -> Place:
        if name in self._in_path:
            return Place.PATH
        return Place.BODY if self.method in WITH_BODY else Place.QUERY

    def read(self, values: Mapping[str, str], query_string: bytes, body: bytes) -> Parameters:
        """The request's variables, ``values`` being the path's. Raises ``Malformed``."""
        asked = self._queried(query_string)
        given = {**values, **asked, **(self._known(Place.BODY, json_object(body)) if self.reads_body else {})}
        tenant = given.pop(TENANT, None) if self.rule.scope is Scope.TENANT else None
        if tenant is not None and not isinstance(tenant, str):
            raise Malformed(_REFUSED, {TENANT: "must be a string"})
        return Parameters(self.document, None, given, tenant)

    def _queried(self, query_string: bytes) -> Mapping[str, object]:
        pairs = query_pairs(query_string)
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        _refuse(dict.fromkeys(twice, "must be given once"))
        given = self._known(Place.QUERY, dict(pairs))
        types = {each.name: named(each.type) for each in self.parameters}
        return {name: _number(name, text) if types[name] == "Int" else text for name, text in given.items()}

    def _known(self, place: Place, given: Mapping[str, Any]) -> Mapping[str, Any]:
        known = {each.name for each in self.parameters if each.place is place}
        _refuse(dict.fromkeys(given.keys() - known, f"is not taken in the {place}"))
        if is_deep(given):
            raise too_deep(next(name for name, value in given.items() if is_deep({name: value})))
        return given


class Fixed(Protocol):
    """What a path runs, whatever the request says: made of its parts, under a rule of its own."""

    @property
    def by_cookie(self) -> bool:
        """Whether the request must carry the CSRF header."""
        ...

    @property
    def rule(self) -> Rule | None:
        """What is asked of the caller before the document is looked at."""
        ...

    @property
    def reads_body(self) -> bool:
        """Whether anything of the body is looked at."""
        ...

    def read(self, values: Mapping[str, str], query_string: bytes, body: bytes) -> Parameters:
        """The document and its variables, ``values`` being the path's. Raises ``Malformed``."""
        ...


class Chosen(NamedTuple):
    """What a request's path comes to: the methods that it has, and the operation of the request's own."""

    methods: tuple[str, ...]
    operation: Fixed | None
    values: Mapping[str, str]


def named(kind: TypeNode) -> str:
    """The name of the type inside of lists and exclamation marks."""
    while isinstance(kind, NonNullTypeNode | ListTypeNode):
        kind = kind.type
    if not isinstance(kind, NamedTypeNode):
        raise TypeError("there is no other kind of type")
    return kind.name.value


def _number(name: str, text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise Malformed(_REFUSED, {name: "must be a whole number"})
    return int(text)


def _refuse(fields: Mapping[str, str]) -> None:
    if fields:
        raise Malformed(_REFUSED, fields)
