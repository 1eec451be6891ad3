"""How an author declares fields: Strawberry's field, its rule, and its source, in one call."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import strawberry
from sqlalchemy import ColumnElement
from sqlmodel import SQLModel
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from tenantry.access.rules import Rule, sentence
from tenantry.api.directives import directive
from tenantry.api.planner.sources import (
    Actions,
    Arguments,
    Attribute,
    Column,
    Computed,
    Connection,
    Criteria,
    Elements,
    Expression,
    FieldPlan,
    Found,
    Known,
    Left,
    Many,
    Named,
    Nested,
    One,
    Row,
    Rows,
    Service,
    Source,
    TypePlan,
)
from tenantry.kernel.principal import Authority

PLAN = "tenantry.plan"
"""Where a Strawberry field keeps its ``FieldPlan``, and a type its ``TypePlan``."""

PAGE: Mapping[str, Any] = {
    "first": int | None,
    "after": str | None,
    "last": int | None,
    "before": str | None,
}

T = TypeVar("T", bound=type)


def planned(
    source: Source, description: str, *, rule: Rule | None = None, arguments: Mapping[str, Any] | None = None
) -> Any:
    """A field with its source. Its description ends with the rule's sentence, where it has one."""
    text = description if rule is None else f"{description}\n\n{sentence(rule)}"
    made = strawberry.field(
        description=text,
        directives=[] if rule is None else [directive(rule)],
        metadata={PLAN: FieldPlan(source, rule)},
    )
    if not isinstance(made, StrawberryField):
        raise TypeError("strawberry.field made something else")
    made.arguments = [
        StrawberryArgument(name, None, StrawberryAnnotation(annotation))
        for name, annotation in (arguments or {}).items()
    ]
    return made


def column(description: str, name: str | None = None, *, rule: Rule | None = None) -> Any:
    """A column of the type's table."""
    return planned(Column(name), description, rule=rule)


def expression(
    description: str, sql: Callable[[Row, Row, Rows], ColumnElement[Any]], *, rule: Rule | None = None
) -> Any:
    """SQL over the row: ``sql(row, caller, rows)``."""
    return planned(Expression(sql), description, rule=rule)


def nested(description: str, *, rule: Rule | None = None) -> Any:
    """An object that lives in the same row."""
    return planned(Nested(), description, rule=rule)


def known(description: str, value: Callable[[Authority], object], *, rule: Rule | None = None) -> Any:
    """A value known from the caller's authority."""
    return planned(Known(value), description, rule=rule)


def one(
    description: str,
    table: type[SQLModel],
    on: Callable[[Row, Row], Criteria],
    *,
    rule: Rule | None = None,
    trusted: Rule | None = None,
) -> Any:
    """An edge to at most one row: ``on(row, target)``; ``trusted`` stands in for its type's rule."""
    source = One(table, lambda row, target, _: on(row, target), trusted=trusted)
    return planned(source, description, rule=rule)


def lookup(
    description: str,
    table: type[SQLModel],
    on: Callable[[Row, Row, Arguments], Criteria],
    *,
    arguments: Mapping[str, Any],
    rule: Rule | None = None,
) -> Any:
    """One row by arguments, ``on(row, target, arguments)``; where there is none, NOT_FOUND."""
    return planned(One(table, on, lookup=True), description, rule=rule, arguments=arguments)


def many(description: str, source: Many | Elements | Actions, *, rule: Rule | None = None) -> Any:
    """An edge to a handful of rows, in order."""
    return planned(source, description, rule=rule)


def connection(
    description: str,
    source: Connection,
    *,
    arguments: Mapping[str, Any] | None = None,
    rule: Rule | None = None,
) -> Any:
    """An edge to many rows by pages; ``first`` or ``last`` is mandatory, 1 to 100."""
    return planned(source, description, rule=rule, arguments={**PAGE, **(arguments or {})})


def computed(
    description: str,
    function: Callable[[Any, Mapping[str, Any]], Awaitable[object]],
    *,
    rule: Rule | None = None,
    arguments: Mapping[str, Any] | None = None,
    names: Callable[[Mapping[str, Any]], Named] | None = None,
) -> Any:
    """A field that needs Python; only where it stands once in an answer."""
    return planned(Computed(function, names), description, rule=rule, arguments=arguments)


def attribute(description: str) -> Any:
    """A field of a payload, as the service left it."""
    return planned(Attribute(), description)


def left(description: str) -> Any:
    """A field of a payload: the objects that the service left, as JSON, for edges to go on from."""
    return planned(Left(), description)


def found(
    description: str,
    table: type[SQLModel],
    *,
    trusted: Rule | None = None,
    order: Callable[[Row], list[ColumnElement[Any]]] | None = None,
) -> Any:
    """A field of a payload: the row whose node id the service left, or with ``order`` the rows."""
    return planned(Found(table, trusted, order), description)


def mutation(
    description: str,
    run: Callable[..., Awaitable[Any]],
    *,
    action: str,
    rule: Rule,
    takes: Any = None,
    before: Callable[..., Awaitable[Any]] | None = None,
) -> Any:
    """A mutation: ``run(call, input)`` or ``run(call)``; with ``before``, its result comes last."""
    arguments = {} if takes is None else {"input": takes}
    return planned(Service(run, action, before), description, rule=rule, arguments=arguments)


def graph_type(
    *,
    rule: Rule | None,
    table: type[SQLModel] | None = None,
    visible: Callable[[Row, Row, Rows], Criteria] | None = None,
    name: str | None = None,
    directives: Sequence[object] = (),
) -> Callable[[T], T]:
    """A type of the graph. ``rule`` is its fields' default; ``visible(row, caller, rows)`` narrows ``node``.

    ``rule`` None is for types that are reached only through fields with a rule of their own.
    """

    def decorate(cls: T) -> T:
        text = (cls.__doc__ or "").strip()
        made = strawberry.type(
            cls,
            name=name,
            description=text if rule is None else f"{text}\n\n{sentence(rule)}",
            directives=[*directives, *([] if rule is None else [directive(rule)])],
        )
        setattr(made, PLAN, TypePlan(rule, table, visible))
        return made

    return decorate
