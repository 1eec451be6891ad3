"""The description of the stored operations: valid, complete, and of the very table that answers."""

import re
from typing import Any

import pytest
import schemathesis
from jsonschema import Draft202012Validator

from tenantry.kernel.principal import Scope
from tenantry.web.stored.endpoint import STATUSES
from tenantry.web.stored.table import STORED
from tests.support.paths import DESCRIPTION
from tests.support.source import ROOT

INVITE = DESCRIPTION["paths"]["/api/v1/org-users/invite"]["post"]
USERS = DESCRIPTION["paths"]["/api/v1/org-users"]["get"]
REFRESH = DESCRIPTION["paths"]["/auth/refresh"]["post"]


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in DESCRIPTION["paths"].items()
        for method, operation in methods.items()
    }


def test_it_is_valid_openapi() -> None:
    assert DESCRIPTION["openapi"] == "3.1.0"
    schema = schemathesis.openapi.from_dict(DESCRIPTION, config=schemathesis.Config())
    schema.validate()
    assert len([each.ok() for each in schema.get_all_operations()]) == len(STORED)


def test_every_path_of_the_table_is_there_and_no_other() -> None:
    assert set(operations()) == {each.asked for each in STORED}
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)


def test_every_schema_in_it_is_one() -> None:
    for operation in operations().values():
        schemas = [parameter["schema"] for parameter in operation["parameters"]]
        schemas += [
            each["content"]["application/json"]["schema"]
            for each in (*operation["responses"].values(), operation.get("requestBody", {}))
            if "content" in each
        ]
        for schema in schemas:
            Draft202012Validator.check_schema(schema)
        assert "500" in operation["responses"]


def test_what_a_path_takes_is_what_its_document_declares() -> None:
    body = INVITE["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["email", "role"]
    assert set(body["properties"]) == {"email", "role", "name", "tenantId"}
    assert body["properties"]["name"]["type"] == ["string", "null"]
    assert body["additionalProperties"] is False
    given = {each["name"]: each for each in USERS["parameters"]}
    assert set(given) == {"first", "after", "search", "status", "tenantId"}
    assert given["first"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}
    assert given["status"]["schema"] == {"type": "string", "enum": ["ACTIVE", "INVITED", "SUSPENDED"]}
    assert not any(each["required"] for each in USERS["parameters"])
    (path,) = [
        each
        for each in DESCRIPTION["paths"]["/system/tenants/{id}"]["get"]["parameters"]
        if each["in"] == "path"
    ]
    assert (path["name"], path["required"], path["schema"]) == ("id", True, {"type": "string"})


def test_what_a_path_answers_is_what_its_document_selects() -> None:
    found = USERS["responses"]["200"]["content"]["application/json"]["schema"]
    assert found["required"] == ["totalCount", "pageInfo", "nodes"]
    node = found["properties"]["nodes"]["items"]["properties"]
    assert node["status"] == {"type": "string", "enum": ["ACTIVE", "INVITED", "SUSPENDED"]}
    assert node["joinedAt"] == {"type": ["string", "null"], "format": "date-time"}
    assert node["roles"]["items"]["required"] == ["id", "key", "name"]
    for operation in operations().values():
        for status in ("200", "201"):
            content = operation["responses"].get(status, {}).get("content")
            if content is not None:
                # A success is told from a problem by this.
                assert "code" not in content["application/json"]["schema"]["properties"]


@pytest.mark.requirement("001-26")
def test_who_may_come_is_said() -> None:
    assert (USERS["security"], REFRESH["security"]) == ([{"bearer": []}], [{"refreshCookie": []}])
    assert DESCRIPTION["paths"]["/api/v1/auth/user-login"]["post"]["security"] == []
    for (_, path), operation in operations().items():
        group = path.split("/")[1]
        if group in {"system", "crm"}:
            scope = {"system": "platform", "crm": "tenant"}[group]
            assert operation["description"] == f"Signed-in callers with a {scope} token only."
    assert [each["name"] for each in REFRESH["parameters"]] == ["x-tenantry-csrf"]


def test_the_document_lists_the_paths_and_the_statuses() -> None:
    text = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
    by = {None: "anyone", Scope.SYSTEM: "platform token", Scope.TENANT: "tenant token"}
    rows = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| ([^|]+) \| `(\w+)` \| ([^|]+) \|$", text, re.MULTILINE)
    assert rows == [(each.method, each.path, by[each.rule.scope], each.name, each.summary) for each in STORED]
    said = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.+) \|$", text, re.MULTILINE)
        for code in re.findall(r"`([A-Z_]+)`", codes)
    }
    assert {code: status for code, status in said.items() if code in STATUSES} == dict(STATUSES)
    assert {said[code] for code in said.keys() - STATUSES.keys()} == {409}
