"""Speaking to the paths of stored operations, as a client without GraphQL does."""

from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.api import Product, Speaker


class Visitor:
    """One client of the paths: whoever the speaker is."""

    def __init__(self, product: Product, speaker: Speaker) -> None:
        self._product = product
        self.token = speaker.token

    async def send(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """One request, its body printed as JSON where there is one."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return await self._product.http.request(method, path, json=body, headers=headers, params=query)

    async def get(self, path: str, **query: str) -> httpx.Response:
        """One GET."""
        return await self.send("GET", path, query=query)


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
