"""The shape of a blueprint's file: which keys there are, and of which type.

The texts below the fields are what an editor shows for a key (``docs/blueprint.schema.json``).
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, EmailStr, Field, JsonValue

from tenantry.access.catalogue import Catalogue, PermissionInfo, Risk
from tenantry.access.conditions import MAX_CHARACTERS
from tenantry.access.grants import WHEN, Grant, conditional, parse_grant
from tenantry.access.permissions import ANNOUNCED, BuiltIn
from tenantry.kernel.principal import Scope

CLAIM_SOURCES = frozenset({"permissions", "role", "roles", "scope", "sid", "sub", "tenant_id"})
"""The values that a blueprint's claims may repeat under its own names."""

COVERABLE = frozenset({str(name) for name in BuiltIn} | ANNOUNCED)

PLATFORM = "platform"
"""The key of the one blueprint that describes the platform's own staff, and makes no tenants."""


def _shown(names: Iterable[str]) -> dict[str, JsonValue]:
    """For the JSON Schema alone: an editor offers these, and ``checks`` says what is wrong with others."""
    return {"enum": [*sorted(names)]}


Text: TypeAlias = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
GrantText: TypeAlias = Annotated[
    str, Field(strict=True, min_length=1, max_length=200 + len(WHEN) + MAX_CHARACTERS)
]
Covered: TypeAlias = Annotated[Text, Field(json_schema_extra=_shown(COVERABLE))]
Claim: TypeAlias = Annotated[str, Field(json_schema_extra=_shown(CLAIM_SOURCES))]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]


class Shape(BaseModel):
    """A part of a blueprint: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PermissionShape(Shape):
    """One permission, under its name and its group's heading."""

    title: Text
    description: str = ""
    covers: tuple[Covered, ...] = ()
    """The service's own permissions that come with it."""
    risk: Risk = Risk.NORMAL
    """How much harm it can do."""
    freshness: Count | None = None
    """Greatest age in seconds of the holder's second factor."""


class RoleShape(Shape):
    """One locked role."""

    title: Text
    description: str = ""
    includes: tuple[Text, ...] = ()
    """Roles of the same section, whose grants it has too, conditions included."""
    grants: tuple[GrantText, ...] = ()
    """Permissions; each perhaps followed by `when` and a condition."""
    owner: Flag = False
    """Who holds it owns the tenant."""
    mfa_required: Flag = False
    """Who holds it acts only with a second factor."""


class PlanShape(Shape):
    """One plan, and what it unlocks."""

    title: Text
    custom_roles: Flag = False
    """Whether the tenant may make roles of its own."""
    max_members: Count | None = None
    """Most members; without it, any number."""


class Narrowed(Shape):
    """Which permission opens all objects of a type, the team's, or one's own."""

    any: Text | None = None
    own_team: Text | None = None
    own: Text | None = None


def _widest(value: object) -> object:
    return {"any": value} if isinstance(value, str) else value


Guard: TypeAlias = Annotated[Narrowed, BeforeValidator(_widest, json_schema_input_type=Text | Narrowed)]
"""A permission alone opens all objects of the type."""


class ResourceShape(Shape):
    """A type of the product's objects: kept as it is for the feature that guards them."""

    title: Text | None = None
    description: str = ""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """A JSON Schema with `type: object`."""
    states: tuple[Text, ...] = ()
    """The first is that of a new object."""
    personal: Flag = False
    """Each object is its owner's alone, and is locked when they leave."""
    read: Guard | None = None
    create: Guard | None = None
    update: Guard | None = None
    delete: Guard | None = None
    actions: dict[str, Guard] = Field(default_factory=dict)
    """What else can be done with an object, by name."""

    def guards(self) -> dict[tuple[str, ...], str]:
        """Each permission named here, by its path below the resource."""
        verbs = {"read": self.read, "create": self.create, "update": self.update, "delete": self.delete}
        named = [((verb,), guard) for verb, guard in verbs.items() if guard is not None]
        named += [(("actions", action), guard) for action, guard in self.actions.items()]
        return {
            (*path, narrowing): permission
            for path, guard in named
            for narrowing, permission in (
                ("any", guard.any),
                ("own_team", guard.own_team),
                ("own", guard.own),
            )
            if permission is not None
        }


class PersonShape(Shape):
    """A person of the demo tenant, or of the platform's staff."""

    name: Text
    email: EmailStr
    roles: tuple[Text, ...] = ()


class BlueprintDocument(Shape):
    """What a tenant is made from: one product's permissions, roles, rules and types of objects."""

    # Made by ``load_blueprint``, which also checks what the parts say.

    blueprint: Text
    """The name that tenants are created from: lower case, digits, hyphens."""
    title: Text
    description: str = ""
    membership: Literal["many", "single"] = "many"
    """Whether a person may belong to several tenants."""
    max_roles: Count | None = None
    """Most roles that a member may hold; without it, any number."""
    max_sessions: Count | None = None
    """Most sessions of a person in one tenant at a time; a login beyond it ends the oldest."""
    orphan_lock: Literal["removal", "alone"] = "removal"
    """When personal objects of who was removed are locked: always, or once they belong to no tenant."""
    claims: dict[str, Claim] = Field(default_factory=dict)
    """More names for an access token's values."""
    permissions: dict[str, dict[str, PermissionShape]] = Field(default_factory=dict)
    """Heading, permission, what it is; the order of the file is the order everywhere."""
    roles: dict[str, RoleShape] = Field(default_factory=dict)
    """The tenant's locked roles."""
    system_roles: dict[str, RoleShape] = Field(default_factory=dict)
    """Roles of the platform's staff."""
    plans: dict[str, PlanShape] = Field(default_factory=dict)
    """What a tenant can pay for, from the smallest to the largest."""
    resources: dict[str, ResourceShape] = Field(default_factory=dict)
    """The product's types of objects, and the permission of each action on them."""
    people: tuple[PersonShape, ...] = ()
    """Members of the demo tenant."""
    staff: tuple[PersonShape, ...] = ()
    """People of the platform who hold `system_roles` in the demo."""

    @property
    def key(self) -> str:
        """The blueprint's name, unique among blueprints."""
        return self.blueprint

    @property
    def scope(self) -> Scope:
        """Whom ``people`` belong to: SYSTEM for the platform's own file, else TENANT."""
        return Scope.SYSTEM if self.blueprint == PLATFORM else Scope.TENANT

    @cached_property
    def catalogue(self) -> Catalogue:
        """The permissions, in the order of the file."""
        return Catalogue(
            PermissionInfo(
                name=name,
                title=entry.title,
                group=group,
                description=entry.description,
                risk=entry.risk,
                covers=entry.covers,
                freshness=entry.freshness,
            )
            for group, entries in self.permissions.items()
            for name, entry in entries.items()
        )

    def roles_of(self, scope: Scope) -> Mapping[str, RoleShape]:
        """The roles of one scope; a role is named by scope and key together."""
        return self.system_roles if scope is Scope.SYSTEM else self.roles

    def grants_of(self, role_key: str, *, scope: Scope = Scope.TENANT) -> tuple[Grant, ...]:
        """What a role grants by itself and by ``includes``, conditions and all. Raises KeyError."""
        roles = self.roles_of(scope)
        waiting, seen, grants = [role_key], {role_key}, list[str]()
        while waiting:
            role = roles[waiting.pop()]
            grants.extend(role.grants)
            waiting.extend(key for key in role.includes if key not in seen)
            seen.update(role.includes)
        return tuple(parse_grant(grant) for grant in dict.fromkeys(grants))

    def resolved_grants(self, role_key: str, *, scope: Scope = Scope.TENANT) -> tuple[str, ...]:
        """The permissions a role names, under a condition or not, in catalogue order. Raises KeyError."""
        return self.catalogue.ordered(grant.permission for grant in self.grants_of(role_key, scope=scope))

    def effective_grants(self, role_key: str, *, scope: Scope = Scope.TENANT) -> frozenset[str]:
        """All that a holder of a role may do whatever the case: what it covers, what owners add."""
        grants = self.grants_of(role_key, scope=scope)
        plain = [grant.permission for grant in grants if grant.condition is None]
        return self.catalogue.effective(plain, owner=self.roles_of(scope)[role_key].owner)

    def conditional_grants(self, role_key: str, *, scope: Scope = Scope.TENANT) -> dict[str, list[str]]:
        """By permission the conditions under which a role's holder has it; any of them suffices.

        Covered permissions have those of what covers them. What is held anyway is left out.
        """
        grants = self.grants_of(role_key, scope=scope)
        return conditional(self.catalogue, grants, self.effective_grants(role_key, scope=scope))
