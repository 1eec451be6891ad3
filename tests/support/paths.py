"""Speaking to the paths of stored operations, as a client without GraphQL does."""

from collections.abc import Mapping
from typing import Any

import httpx
from graphql import build_schema
from jsonschema import Draft202012Validator

from tenantry.api.schema import bare_schema
from tenantry.web.stored.openapi import describe
from tenantry.web.stored.table import STORED
from tests.support.api import Product, Speaker

DESCRIPTION: dict[str, Any] = describe(STORED, build_schema(bare_schema().as_str()), server="/")
"""What clients are told of the paths."""


class Visitor:
    """One client of the paths: whoever the speaker is."""

    def __init__(self, product: Product, speaker: Speaker) -> None:
        self._product = product
        self.token = speaker.token

    async def send(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """One request, its body printed as JSON where there is one.

        Raises ``AssertionError`` where the description does not foresee such an answer.
        """
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        answer = await self._product.http.request(method, path, json=body, headers=headers, params=query)
        if (undescribed := _undescribed(method, path, answer)) is not None:
            raise AssertionError(undescribed)
        return answer

    async def get(self, path: str, **query: str) -> httpx.Response:
        """One GET."""
        return await self.send("GET", path, query=query)


def _undescribed(method: str, path: str, answer: httpx.Response) -> str | None:
    """What the description does not say of an answer."""
    (asked,) = [each for each in STORED if each.method == method and each.pattern.fullmatch(path)]
    responses = DESCRIPTION["paths"][asked.path][method.lower()]["responses"]
    found = responses.get(str(answer.status_code))
    if found is None:
        return f"{answer.status_code} is not foreseen"
    if "$ref" in found:
        found = DESCRIPTION["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
    schema = {**found["content"]["application/json"]["schema"], "components": DESCRIPTION["components"]}
    validator: Any = Draft202012Validator(schema)
    return next((str(each.message) for each in validator.iter_errors(answer.json())), None)


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The one error of an answer. Raises ``AssertionError`` where there is none, or more than errors."""
    body = answer.json()
    if list(body) != ["errors"] or len(body["errors"]) != 1:
        raise AssertionError(body)
    return body["errors"][0]


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that is a refusal."""
    return answer.status_code, error_of(answer)["extensions"]["code"]


async def records(product: Product, answer: httpx.Response) -> list[dict[str, Any]]:
    """The trail of one request, in order."""
    rows = await product.database.seen_by_owner(
        "SELECT * FROM audit_record WHERE request_id = $1 ORDER BY node_id", answer.headers["x-request-id"]
    )
    return [dict(row) for row in rows]
