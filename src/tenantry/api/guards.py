"""Guards: the rules of the graph for what is not planned, decided by the same function.

Paths have their rule checked here before their document is looked at. And whoever builds fields
of their own with Strawberry, beside this graph, guards them by the field extensions below or by
the decorators over them:

    @scopes("tenant")
    @roles("TENANT_ADMIN")
    @strawberry.field
    def report(self, info: strawberry.Info) -> str: ...

The context of such a schema has the caller's ``authority``, as it was found live for this very
request (``authentication.sessions.authorities.Authorities.get``), or None for nobody. A guard
prints itself: its directive and its sentence are the field's.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import strawberry
from graphql import GraphQLError
from strawberry.extensions.field_extension import FieldExtension
from strawberry.types.field import StrawberryField

from tenantry.access import rules
from tenantry.access.decisions import decide, refusal
from tenantry.access.rules import InvalidRule, Rule
from tenantry.api.directives import directive
from tenantry.kernel.errors import DomainError, NotFound
from tenantry.kernel.principal import Authority, Scope


def permit(rule: Rule, authority: Authority | None) -> None:
    """Let a caller pass who meets ``rule``. Raises ``DomainError`` by the decision on anybody else."""
    decision = decide(rule, authority)
    if not decision.allowed:
        raise refusal(decision)


def keep_to(tenant: str, authority: Authority | None) -> None:
    """Let a caller pass who acts in this tenant, by its node id.

    Raises ``NotFound`` for another tenant's, the same as for one that does not exist.
    """
    if authority is None or authority.tenant != tenant:
        raise NotFound


@runtime_checkable
class Context(Protocol):
    """What guards need of a schema's context."""

    @property
    def authority(self) -> Authority | None:
        """The caller's, live; None for nobody."""
        ...


class Guard(FieldExtension):
    """Lets a field be resolved for whoever meets a rule; for anybody else nothing of it runs."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def apply(self, field: StrawberryField) -> None:
        """Print the rule with the field; twice the same is printed once."""
        printed, said = directive(self.rule), rules.sentence(self.rule)
        if printed not in field.directives:
            field.directives = [*field.directives, printed]
            field.description = f"{field.description}\n\n{said}" if field.description else said

    def check(self, authority: Authority | None, arguments: Mapping[str, Any]) -> None:  # noqa: ARG002 - for those below
        """Raises ``DomainError`` for a caller who may not."""
        permit(self.rule, authority)

    def resolve(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        """Check, then resolve."""
        self._check(info, kwargs)
        return next_(source, info, **kwargs)

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        """Check, then resolve."""
        self._check(info, kwargs)
        return await next_(source, info, **kwargs)

    def _check(self, info: strawberry.Info, arguments: Mapping[str, Any]) -> None:
        try:
            self.check(_authority(info), arguments)
        except DomainError as error:
            raise _told(error) from error


class JwtAuthGuard(Guard):
    """Whoever is signed in."""

    def __init__(self) -> None:
        super().__init__(rules.authenticated())


class ScopeGuard(Guard):
    """Whoever is signed in by a token of this scope, ``system`` or ``tenant``."""

    def __init__(self, scope: Scope | str) -> None:
        super().__init__(rules.scopes(Scope(scope.upper())))


class RolesGuard(Guard):
    """Whoever holds one of these roles, named as ``access.rules.roles`` takes them."""

    def __init__(self, *names: str, scope: Scope | None = None) -> None:
        super().__init__(rules.roles(*names, scope=scope))


class TenantGuard(Guard):
    """Whoever acts in a tenant; where ``argument`` names one, in that one and no other.

    A tenant that is left out is the token's. Where the field has no such argument, the schema
    is not built.
    """

    def __init__(self, argument: str | None = None) -> None:
        super().__init__(rules.scopes(Scope.TENANT))
        self.argument = argument

    def apply(self, field: StrawberryField) -> None:
        """Print the rule. Raises ``InvalidRule`` where the field has no such argument."""
        if self.argument is not None and self.argument not in {each.python_name for each in field.arguments}:
            raise InvalidRule(f"{field.python_name} has no argument {self.argument}")
        super().apply(field)

    def check(self, authority: Authority | None, arguments: Mapping[str, Any]) -> None:
        """Raises ``DomainError`` for a caller of the platform, and for a tenant that is not the caller's."""
        super().check(authority, arguments)
        named = None if self.argument is None else arguments.get(self.argument)
        if named not in {None, strawberry.UNSET}:
            keep_to(str(named), authority)


def roles(*names: str, scope: Scope | None = None) -> Callable[[Any], Any]:
    """A decorator over ``@strawberry.field``: a ``RolesGuard``."""
    return _guarded(RolesGuard(*names, scope=scope))


def scopes(scope: Scope | str) -> Callable[[Any], Any]:
    """A decorator over ``@strawberry.field``: a ``ScopeGuard``."""
    return _guarded(ScopeGuard(scope))


def current_user(info: strawberry.Info) -> Authority:
    """The caller, for a resolver. Raises ``GraphQLError`` with the code UNAUTHENTICATED for nobody."""
    authority = _authority(info)
    if authority is None:
        raise _told(refusal(decide(rules.authenticated(), None)))
    return authority


def _guarded(guard: Guard) -> Callable[[Any], Any]:
    def decorate(field: Any) -> Any:
        if not isinstance(field, StrawberryField):
            raise TypeError("guards stand above @strawberry.field")
        field.extensions = [guard, *field.extensions]
        return field

    return decorate


def _authority(info: strawberry.Info) -> Authority | None:
    """Whoever asks. Raises ``TypeError`` for a context that does not say: that is not nobody."""
    context: object = info.context
    if not isinstance(context, Context):
        raise TypeError("the schema's context has no authority")
    return context.authority


def _told(error: DomainError) -> GraphQLError:
    extensions = {"code": str(error.code), **error.extensions()}
    return GraphQLError(error.message, original_error=error, extensions=extensions)
