"""What a blueprint must mean, beyond its shape; every check reports all it finds."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from tenantry.access.grants import parse_grant
from tenantry.access.permissions import WILDCARD, InvalidPermission, parse
from tenantry.directory.blueprints.conditions import condition_problems
from tenantry.directory.blueprints.schemas import schema_problem
from tenantry.directory.blueprints.shape import (
    CLAIM_SOURCES,
    COVERABLE,
    PLATFORM,
    BlueprintDocument,
    RoleShape,
)
from tenantry.directory.blueprints.source import FieldPath, Source, did_you_mean
from tenantry.kernel.principal import Scope

_SERVICE_CLAIMS = {"mv", "role", "roles", "scope", "sid", "tenant_id", "tv"}
_STANDARD_CLAIMS = {
    "act",
    "aud",
    "auth_time",
    "client_id",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "scp",
    "sub",
    "typ",
}
CANONICAL_CLAIMS = frozenset(_SERVICE_CLAIMS | _STANDARD_CLAIMS)
"""Claims with one meaning in every token: the service's own, and those of RFC 7519 and 9068."""

_KEY = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_ROLE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def check(document: BlueprintDocument, source: Source) -> None:
    """Add to ``source`` every problem of meaning that the document has."""
    _check_key(document, source)
    _check_claims(document, source)
    _check_plans(document, source)
    _check_permissions(document, source)
    for section, roles in (("roles", document.roles), ("system_roles", document.system_roles)):
        known = _declared(document, source)
        if section == "system_roles":
            known |= COVERABLE | {WILDCARD}
        _check_roles(section, roles, known, source)
        _check_conditions(section, roles, document, source)
    _check_resources(document, source)
    _check_persons("people", document, source)
    _check_persons("staff", document, source)


def _declared(document: BlueprintDocument, source: Source) -> frozenset[str]:
    """Every permission's name in the file, a misshapen one's too: one fault, one report."""
    return frozenset(document.catalogue).union(
        *(source.keys("permissions", group) for group in document.permissions)
    )


def _check_key(document: BlueprintDocument, source: Source) -> None:
    if not _KEY.fullmatch(document.blueprint):
        source.add(("blueprint",), "must be lower case letters and digits, joined by hyphens")
    if document.blueprint == PLATFORM:
        for section in ("roles", "permissions", "resources", "claims", "plans"):
            if getattr(document, section):
                source.add((section,), "the platform's own file makes no tenants and has system_roles only")
        if document.staff:
            source.add(("staff",), "the platform's staff stand under `people` in its own file")
    elif not document.roles:
        source.add(("roles",), "name at least one role; without any, nobody can join a tenant")


def _check_claims(document: BlueprintDocument, source: Source) -> None:
    for claim, value in document.claims.items():
        if claim in CANONICAL_CLAIMS:
            source.add(("claims", claim), "a canonical claim; its meaning is the same in every token")
        elif not _CLAIM.fullmatch(claim):
            source.add(("claims", claim), "must be a letter followed by letters, digits or underscores")
        if value not in CLAIM_SOURCES:
            hint = did_you_mean(value, CLAIM_SOURCES) or f"; known are {', '.join(sorted(CLAIM_SOURCES))}"
            source.add(("claims", claim), f"unknown value `{value}`{hint}")


def _check_plans(document: BlueprintDocument, source: Source) -> None:
    for key in document.plans:
        if not _ROLE_KEY.fullmatch(key):
            message = "a plan's key must be a letter followed by letters, digits or underscores"
            source.add(("plans", key), message)


def _check_permissions(document: BlueprintDocument, source: Source) -> None:
    places: dict[str, str] = {}
    for group, entries in document.permissions.items():
        for name, entry in entries.items():
            path = ("permissions", group, name)
            _check_permission(name, path, source)
            if name in places:
                source.add(path, f"declared twice; it stands under {places[name]!r} already")
            places.setdefault(name, group)
            for place, covered in enumerate(entry.covers):
                if covered not in COVERABLE:
                    hint = did_you_mean(covered, COVERABLE)
                    source.add((*path, "covers", place), f"unknown built-in permission `{covered}`{hint}")
            _check_repeats(entry.covers, (*path, "covers"), source)


def _check_permission(name: str, path: FieldPath, source: Source) -> None:
    try:
        parse(name)
    except InvalidPermission as error:
        source.add(path, error.message)
        return
    if name == WILDCARD:
        source.add(path, "`*` stands for every permission and cannot be declared")


def _check_roles(section: str, roles: Mapping[str, RoleShape], known: frozenset[str], source: Source) -> None:
    for key, role in roles.items():
        path = (section, key)
        if not _ROLE_KEY.fullmatch(key):
            source.add(path, "a role's key must be a letter followed by letters, digits or underscores")
        if role.owner and section == "system_roles":
            source.add((*path, "owner"), "the platform has no owners; only a tenant's role can be one")
        for place, grant in enumerate(role.grants):
            if problem := _grant_problem(grant, known):
                source.add((*path, "grants", place), problem)
        for place, included in enumerate(role.includes):
            if included not in roles and included not in source.keys(section):
                message = f"unknown role `{included}`{did_you_mean(included, roles)}"
                source.add((*path, "includes", place), message)
        _check_repeats(role.grants, (*path, "grants"), source)
        _check_repeats(role.includes, (*path, "includes"), source)
    _check_cycles(section, roles, source)


def _grant_problem(grant: str, known: frozenset[str]) -> str | None:
    permission = parse_grant(grant).permission
    if permission in known:
        return None
    if permission == WILDCARD:
        return "`*` reaches across tenants; only system_roles may grant it"
    return f"unknown permission `{permission}`{did_you_mean(permission, known)}"


def _check_conditions(
    section: str, roles: Mapping[str, RoleShape], document: BlueprintDocument, source: Source
) -> None:
    for key, role in roles.items():
        for place, text in enumerate(role.grants):
            for problem in condition_problems(document, parse_grant(text)):
                source.add((section, key, "grants", place), problem)


def _check_cycles(section: str, roles: Mapping[str, RoleShape], source: Source) -> None:
    finished: set[str] = set()

    def visit(key: str, trail: tuple[str, ...]) -> None:
        if key in trail:
            cycle = " → ".join([*trail[trail.index(key) :], key])
            source.add((section, trail[-1], "includes"), f"roles include each other in a circle: {cycle}")
        elif key in roles and key not in finished:
            for included in roles[key].includes:
                visit(included, (*trail, key))
            finished.add(key)

    for key in roles:
        visit(key, ())


def _check_resources(document: BlueprintDocument, source: Source) -> None:
    known = _declared(document, source)
    for kind, resource in document.resources.items():
        if not _ROLE_KEY.fullmatch(kind):
            source.add(
                ("resources", kind), "a type must be a letter followed by letters, digits or underscores"
            )
        for below, permission in resource.guards().items():
            if permission not in known:
                message = f"unknown permission `{permission}`{did_you_mean(permission, known)}"
                source.add(source.nearest(("resources", kind, *below)), message)
        if problem := schema_problem(resource.attributes):
            source.add(("resources", kind, "attributes"), problem)
        if resource.attributes and resource.attributes.get("type") != "object":
            source.add(("resources", kind, "attributes"), "must be a JSON Schema with `type: object`")


def _check_persons(section: str, document: BlueprintDocument, source: Source) -> None:
    people = document.people if section == "people" else document.staff
    of_platform = section == "staff" or document.scope is Scope.SYSTEM
    roles = source.keys("system_roles" if of_platform else "roles")
    addresses = Counter(person.email.casefold() for person in people)
    most = None if of_platform else document.max_roles
    for place, person in enumerate(people):
        path = (section, place, "roles")
        if addresses[person.email.casefold()] > 1:
            source.add((section, place, "email"), "another person of this file has the same address")
        for position, key in enumerate(person.roles):
            if key not in roles:
                source.add((*path, position), f"unknown role `{key}`{did_you_mean(key, roles)}")
        if not person.roles:
            source.add(path, "name at least one role")
        if most is not None and len(person.roles) > most:
            source.add(path, f"has {len(person.roles)} roles; max_roles is {most}")
        _check_repeats(person.roles, path, source)


def _check_repeats(names: Iterable[str], path: FieldPath, source: Source) -> None:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            source.add((*path, place), f"`{name}` stands here twice")
        seen.add(name)
