"""Registered services: what they learn of a token, and how they end it."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tenantry.authentication.login.claims import principal_of
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Authority
from tests.support.api import Product, running_product
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_tenant, platform, signed_in

SECRET = "s3cret:with a colon" * 3
BILLING = ("billing", SECRET)
INTROSPECT, REVOKE = "/oauth/introspect", "/oauth/revoke"


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    """The product with one registered service."""
    services = [{"client_id": "billing", "secret_sha256": hashlib.sha256(SECRET.encode()).hexdigest()}]
    async with running_product(database, tmp_path_factory.mktemp("product"), services=services) as made:
        yield made


def minted(product: Product, authority: Authority) -> str:
    return product.tokens.mint(principal_of(authority)).token


async def ask(
    product: Product, path: str, token: str | None, auth: tuple[str, str] | None = BILLING
) -> httpx.Response:
    data: Mapping[str, str] = {} if token is None else {"token": token}
    credentials = httpx.USE_CLIENT_DEFAULT if auth is None else auth
    return await product.http.post(path, data=data, auth=credentials)


async def records(product: Product, action: str) -> list[dict[str, Any]]:
    rows = await product.database.seen_by_owner(
        "SELECT * FROM audit_record WHERE action = $1 ORDER BY seq", action
    )
    return [dict(row) for row in rows]


@pytest.mark.requirement("000-05")
async def test_a_live_token_is_told_with_its_claims_and_recorded_in_its_tenant(product: Product) -> None:
    authority = await signed_in(product.database, await make_tenant(product.database), "manager")
    token = minted(product, authority)
    before = len(await records(product, "token.introspect"))
    answer = await ask(product, INTROSPECT, token)
    said = answer.json()
    assert answer.status_code == 200
    assert (said["active"], said["token_type"], said["iss"]) == (True, "Bearer", product.settings.issuer)
    assert (said["sub"], said["tenant_id"], said["scope"]) == (authority.user, authority.tenant, "tenant")
    assert (said["role"], said["roles"]) == ("manager", ["manager"])
    assert said["exp"] - said["iat"] == 7_200
    (record,) = (await records(product, "token.introspect"))[before:]
    assert (record["tenant_id"], record["actor_kind"], record["actor_id"]) == (
        authority.tenant_id,
        "SERVICE",
        "billing",
    )
    assert (record["outcome"], record["path"], record["targets"]) == ("OK", INTROSPECT, [authority.user])
    assert token not in str(record)
    assert SECRET not in str(record)


async def test_a_platform_token_names_no_tenant(product: Product) -> None:
    authority = await signed_in(product.database, await platform(product.database), "support")
    said = (await ask(product, INTROSPECT, minted(product, authority))).json()
    assert (said["active"], said["tenant_id"], said["scope"]) == (True, None, "system")


@pytest.mark.requirement("000-05")
@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE session SET revoked = true WHERE id = $1",
        "UPDATE session SET expires_at = now() - interval '1 hour' WHERE id = $1",
        "UPDATE member m SET version = m.version + 1 FROM session s WHERE s.member_id = m.id AND s.id = $1",
        "UPDATE member m SET status = 'SUSPENDED' FROM session s WHERE s.member_id = m.id AND s.id = $1",
        "UPDATE tenant t SET suspended = true FROM session s WHERE s.tenant_id = t.id AND s.id = $1",
    ],
)
async def test_a_token_that_holds_no_more_is_not_active_at_once(product: Product, ending: str) -> None:
    authority = await signed_in(product.database, await make_tenant(product.database), "agent")
    token = minted(product, authority)
    assert (await ask(product, INTROSPECT, token)).json()["active"] is True
    await product.database.seen_by_owner(ending, authority.session_id)
    assert (await ask(product, INTROSPECT, token)).json() == {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "A" * 20_000, "ключ"])
async def test_what_is_no_token_is_not_active(product: Product, token: str) -> None:
    for path, body in ((INTROSPECT, {"active": False}), (REVOKE, None)):
        answer = await ask(product, path, token)
        assert answer.status_code == 200
        assert (answer.json() if answer.content else None) == body


@pytest.mark.parametrize(
    "auth",
    [None, ("billing", "wrong"), ("billing", ""), ("stranger", SECRET), ("stranger", ""), ("", "")],
)
async def test_a_stranger_learns_and_ends_nothing(product: Product, auth: tuple[str, str] | None) -> None:
    authority = await signed_in(product.database, await make_tenant(product.database), "agent")
    token = minted(product, authority)
    for path, action in ((INTROSPECT, "token.introspect"), (REVOKE, "token.revoke")):
        answer = await ask(product, path, token, auth)
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
        assert answer.headers["www-authenticate"] == 'Basic realm="tenantry"'
        record = (await records(product, action))[-1]
        assert (record["outcome"], record["code"], record["actor_kind"]) == (
            "REFUSED",
            "UNAUTHENTICATED",
            "ANONYMOUS",
        )
        assert record["tenant_id"] == PLATFORM_TENANT_KEY
    revoked = "SELECT revoked FROM session WHERE id = $1"
    assert await product.database.value(revoked, authority.session_id) is False


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Bearer x", "basic"])
async def test_credentials_that_cannot_be_read_are_nobodys(product: Product, header: str) -> None:
    answer = await product.http.post(INTROSPECT, data={"token": "x"}, headers={"Authorization": header})
    assert answer.status_code == 401


async def test_a_form_without_a_token_is_told_so(product: Product) -> None:
    assert (await ask(product, INTROSPECT, None)).json() == {"error": "invalid_request"}
    answer = await product.http.post(INTROSPECT, json={"token": "x"}, auth=BILLING)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    answer = await product.http.post(INTROSPECT, data={"token": "x" * 40_000}, auth=BILLING)
    assert answer.status_code == 413
    assert (await product.http.get(INTROSPECT, auth=BILLING)).status_code == 405


@pytest.mark.requirement("000-05")
async def test_a_revoked_token_is_dead_everywhere_on_record_in_its_tenant(
    product: Product,
) -> None:
    tenant = await make_tenant(product.database)
    authority, other = (
        await signed_in(product.database, tenant, "manager"),
        await signed_in(product.database, tenant, "manager"),
    )
    token = minted(product, authority)
    answer = await ask(product, REVOKE, token)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await product.with_token(token).ask("{ viewer { scope } }")).codes == ["UNAUTHENTICATED"]
    assert (await product.as_(other).ask("{ viewer { scope } }")).errors == []
    record = (await records(product, "token.revoke"))[-1]
    assert (record["tenant_id"], record["actor_id"], record["outcome"]) == (tenant.id, "billing", "OK")
    assert [target[0] for target in record["targets"]] == ["S"]
    assert (await ask(product, REVOKE, token)).status_code == 200


async def test_without_registered_services_there_are_no_such_paths(
    database: TemporaryDatabase, tmp_path: Any
) -> None:
    async with running_product(database, tmp_path) as product:
        assert (await ask(product, INTROSPECT, "x")).status_code == 404
        found = (await product.http.get("/.well-known/openid-configuration")).json()
        assert "introspection_endpoint" not in found


async def test_discovery_says_where_to_ask(product: Product) -> None:
    found = (await product.http.get("/.well-known/openid-configuration")).json()
    issuer = product.settings.issuer
    assert found["introspection_endpoint"] == f"{issuer}{INTROSPECT}"
    assert found["revocation_endpoint"] == f"{issuer}{REVOKE}"
