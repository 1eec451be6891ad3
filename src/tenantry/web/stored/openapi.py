"""The stored operations described by OpenAPI 3.1, from the same table that answers them."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from graphql import GraphQLSchema, build_schema

from tenantry import __version__
from tenantry.access.rules import RuleKind, sentence
from tenantry.web.origins import CSRF_HEADER
from tenantry.web.routes import PUBLIC
from tenantry.web.stored.json_schema import answered, taken
from tenantry.web.stored.operation import WITH_BODY, Parameter, Place, StoredOperation
from tenantry.web.stored.table import STORED

OPENAPI_PATH = "/openapi.json"
BEARER, COOKIE = "bearer", "refreshCookie"

_BOUNDS: Mapping[str, Mapping[str, Any]] = {"first": {"minimum": 1, "maximum": 100}}
_SAID: Mapping[str, str] = {
    "after": "The `endCursor` of the page before.",
    "attributes": "As the type's JSON Schema in the blueprint has them.",
    "blueprint": "Key of the blueprint.",
    "email": "The address to send the letter to.",
    "firebase_token": "The ID token that Firebase gave the browser.",
    "first": "How many at most.",
    "id": "The id, as the lists have it.",
    "name": "Name for people.",
    "ownerEmail": "Who signs in with this address owns the tenant.",
    "plan": "Key of one of the blueprint's plans.",
    "role": "Key of the role, as the list of roles has it.",
    "scope": "SYSTEM for the platform's staff.",
    "search": "Part of the name or address.",
    "slug": "Lower-case letters, digits and single hyphens.",
    "status": "Only these.",
    "tenantId": "Which tenant, where there could be a doubt; it must be the token's.",
}
_ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["message", "extensions"],
    "properties": {
        "message": {"type": "string", "description": "For people."},
        "path": {"type": "array", "description": "Where in the document."},
        "locations": {"type": "array"},
        "extensions": {
            "type": "object",
            "required": ["code"],
            "properties": {"code": {"type": "string", "description": "Stable; facts stand beside it."}},
        },
    },
}
_ERRORS: Mapping[str, Any] = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Error"}}
    },
}
_REFUSALS: Mapping[str, str] = {
    "400": "Something given cannot be taken; `fields` says what.",
    "401": "Not signed in, or no longer: `reason` says why.",
    "403": "Not allowed, or by a token of another scope.",
    "404": "There is no such object, or it is another tenant's.",
    "405": "Not by this method.",
    "406": "Answers are JSON.",
    "408": "The body did not arrive in time.",
    "409": "It stands against how things are.",
    "413": "The body is too large.",
    "415": "The body must be JSON.",
    "429": "Too many, too fast; see Retry-After.",
    "500": "Ours is the fault; the correlation id is in the log.",
    "503": "Not available; see Retry-After.",
}
_OF_BODIES = frozenset({"408", "413", "415"})


def describe(operations: Iterable[StoredOperation], schema: GraphQLSchema, *, server: str) -> dict[str, Any]:
    """The description of ``operations``, whose documents ask ``schema``, at the URL ``server``."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schema)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tenantry",
            "version": __version__,
            "description": "Paths for clients without GraphQL. Each runs one fixed operation of the graph.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT, or an API key"},
                COOKIE: {"type": "apiKey", "in": "cookie", "name": "__Host-tenantry_refresh"},
            },
            "schemas": {"Error": _ERROR, "Errors": _ERRORS},
            "responses": {f"Refused{status}": _refusal(said) for status, said in _REFUSALS.items()},
        },
    }


def _operation(each: StoredOperation, schema: GraphQLSchema) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "description": sentence(each.rule),
        "tags": [each.path.removeprefix("/api/v1").split("/")[1]],
        "security": _security(each),
        "parameters": [
            _parameter(given, schema) for given in each.parameters if given.place is not Place.BODY
        ],
        "responses": _responses(each, schema),
    }
    if each.by_cookie:
        made["parameters"].append(_CSRF)
    if each.method in WITH_BODY:
        made["requestBody"] = {"required": True, "content": _json(_body(each, schema))}
    return made


def _security(each: StoredOperation) -> list[Mapping[str, list[str]]]:
    if each.by_cookie:
        return [{COOKIE: []}]
    return [] if each.rule.kind is RuleKind.PUBLIC else [{BEARER: []}]


def _parameter(given: Parameter, schema: GraphQLSchema) -> Mapping[str, Any]:
    found = _value(given, schema)
    if isinstance(found["type"], list):
        # An address has no null: what is not wanted is left out.
        found["type"] = found["type"][0]
        if "enum" in found:
            found["enum"] = [value for value in found["enum"] if value is not None]
    return {
        "name": given.name,
        "in": given.place,
        "required": given.place is Place.PATH or given.required,
        "description": _SAID[given.name],
        "schema": found,
    }


def _body(each: StoredOperation, schema: GraphQLSchema) -> dict[str, Any]:
    given = [parameter for parameter in each.parameters if parameter.place is Place.BODY]
    return {
        "type": "object",
        "properties": {
            parameter.name: {**_value(parameter, schema), "description": _SAID[parameter.name]}
            for parameter in given
        },
        "required": [parameter.name for parameter in given if parameter.required],
        # What is not read at all may hold anything.
        "additionalProperties": not each.reads_body,
    }


def _value(given: Parameter, schema: GraphQLSchema) -> dict[str, Any]:
    found = {**taken(schema, given.type), **_BOUNDS.get(given.name, {})}
    return found if given.default is None else {**found, "default": given.default}


def _responses(each: StoredOperation, schema: GraphQLSchema) -> Mapping[str, Any]:
    success = {"description": each.summary + ".", "content": _json(answered(schema, each))}
    refusals = {
        status: {"$ref": f"#/components/responses/Refused{status}"}
        for status in _REFUSALS
        if each.method in WITH_BODY or status not in _OF_BODIES
    }
    return {str(each.status): success, **refusals}


def _refusal(said: str) -> Mapping[str, Any]:
    return {"description": said, "content": _json({"$ref": "#/components/schemas/Errors"})}


def _json(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"application/json": {"schema": schema}}


_CSRF: Mapping[str, Any] = {
    "name": CSRF_HEADER.decode(),
    "in": "header",
    "required": True,
    "description": "Anything; another site's page cannot send it.",
    "schema": {"type": "string", "minLength": 1},
}


def openapi_routes(server: str, sdl: Callable[[], str]) -> APIRouter:
    """``/openapi.json``, for everyone; made when first asked for."""
    routes = APIRouter()

    @cache
    def description() -> dict[str, Any]:
        return describe(STORED, build_schema(sdl()), server=server)

    @routes.get(OPENAPI_PATH)
    async def openapi() -> JSONResponse:
        return JSONResponse(description(), headers=PUBLIC)

    return routes
