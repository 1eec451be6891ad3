"""The stored operations under made-up requests: nothing breaks, and every answer is as described."""

import asyncio

import httpx
import pytest

from tests.support.api import Product
from tests.support.factories import make_tenant, signed_in, system_authority
from tests.support.fuzzing import fuzz
from tests.support.paths import DESCRIPTION
from tests.support.serving import serving

EXAMPLES = 6
"""Of each operation, for each caller, that fit, and as many that do not."""

PANEL = {
    f"{method} /crm/{what}" for method in ("GET", "POST") for what in ("contacts", "inbox", "automations")
}
OWN = {"GET /api/v1/org-users/me/profile", "GET /api/v1/roles"}
ANSWERED = {
    "anonymous": set[str](),
    "GUEST": OWN | {path for path in PANEL if path.startswith("GET")},
    "ADMIN": OWN | {"GET /api/v1/org-users"} | PANEL,
    "super_admin": {"GET /system/users", "GET /system/tenants", "GET /system/billing"},
}
"""What each caller is answered even though nothing that exists is named."""


async def headers_of(product: Product, who: str) -> dict[str, str]:
    """Of a member of a client company with this role, of the platform's staff, or of nobody."""
    if who == "anonymous":
        return {}
    if who == "super_admin":
        authority = await system_authority(product.database, who)
    else:
        tenant = await make_tenant(product.database, "messaging-crm")
        authority = await signed_in(product.database, tenant, who)
    return {"Authorization": f"Bearer {product.as_(authority).token}"}


@pytest.mark.requirement("001-30", "003-30")
@pytest.mark.parametrize("who", list(ANSWERED))
async def test_every_answer_is_as_described(product: Product, who: str) -> None:
    headers = await headers_of(product, who)
    async with serving(product.wire) as base:
        async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
            description = (await http.get("/openapi.json")).json()
        seen = await asyncio.to_thread(fuzz, description, base, headers=headers, examples=EXAMPLES)
    assert len(seen) == 20
    assert {path for path, statuses in seen.items() if statuses & {200, 201}} == ANSWERED[who]


async def test_everyone_may_read_the_description(product: Product) -> None:
    answer = await product.http.get("/openapi.json", headers={"Origin": "https://spa.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json() == DESCRIPTION | {"servers": [{"url": product.settings.issuer}]}
