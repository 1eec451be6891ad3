"""Renewal over the wire: a cookie that only the browser sees, and what it takes to use it."""

import re
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from tenantry.web.cookies import MAX_CHARACTERS, NAME, refresh_token
from tests.support.api import LOGIN, Product, Reply, Speaker
from tests.support.factories import make_member, make_tenant
from tests.support.logins import address

REFRESH = """mutation { sessionRefresh { __typename
    ... on LoginSuccess { accessToken expiresAt viewer { user { email } } } } }"""
COOKIE = NAME.decode()
JSON = {"Content-Type": "application/json"}
CSRF = {"X-Tenantry-Csrf": "1"}


def kept(headers: httpx.Headers) -> str:
    """What a browser would keep of the answer's cookie."""
    (morsel,) = SimpleCookie(headers["set-cookie"]).values()
    assert morsel.key == COOKIE
    return morsel.value


async def signed_in(product: Product) -> tuple[str, Reply]:
    """Somebody's e-mail, and the answer to their login."""
    email = address()
    await make_member(product.database, await make_tenant(product.database), email=email)
    reply = await product.anonymous.ask(LOGIN, {"input": product.login_input(email)})
    assert reply.data["login"]["__typename"] == "LoginSuccess"
    return email, reply


async def refreshed(product: Product, cookie: str | None, **headers: str) -> Reply:
    sent = {**JSON, "Accept": "application/graphql-response+json", **headers}
    if cookie is not None:
        sent["Cookie"] = f"{COOKIE}={cookie}"
    answer = await product.http.post("/graphql", json={"query": REFRESH}, headers=sent)
    return Reply(answer.status_code, answer.headers, answer.text)


async def by_path(product: Product, cookie: str | None, **headers: str) -> httpx.Response:
    sent = {**JSON, **CSRF, **headers}
    if cookie is not None:
        sent["Cookie"] = f"{COOKIE}={cookie}"
    return await product.http.post("/auth/refresh", content=b"{}", headers=sent)


async def revoked(product: Product, email: str) -> list[bool]:
    rows = await product.database.seen_by_owner(
        'SELECT s.revoked FROM session s JOIN "user" u ON u.id = s.user_id WHERE u.email = $1', email
    )
    return [row[0] for row in rows]


@pytest.mark.requirement("000-07")
async def test_a_login_sets_a_cookie_with_every_protection_and_tells_nobody(product: Product) -> None:
    _, reply = await signed_in(product)
    said = reply.headers["set-cookie"]
    token = kept(reply.headers)
    assert re.fullmatch(r"[\w-]{43}", token)
    assert said == f"{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=604800"
    assert token not in reply.text


@pytest.mark.requirement("000-08")
async def test_the_cookie_brings_a_new_token_and_changes(product: Product) -> None:
    email, reply = await signed_in(product)
    again = await refreshed(product, kept(reply.headers))
    made = again.data["sessionRefresh"]
    assert made["viewer"]["user"]["email"] == email
    assert kept(again.headers) != kept(reply.headers)
    assert kept(again.headers) not in again.text
    speaker = product.with_token(made["accessToken"])
    assert (await speaker.query("{ viewer { user { email } } }"))["viewer"]["user"]["email"] == email
    (record,) = await product.trail(again)
    assert (record["action"], record["outcome"], record["actor_kind"]) == ("session.refresh", "OK", "USER")


@pytest.mark.requirement("000-08")
async def test_a_used_cookie_ends_the_session_on_record_and_its_access_token(product: Product) -> None:
    email, reply = await signed_in(product)
    stolen = kept(reply.headers)
    good = await refreshed(product, stolen)
    thief = await refreshed(product, stolen)
    assert thief.body["data"] is None
    assert thief.errors[0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": "REFRESH_REUSED"}
    assert thief.headers["set-cookie"] == (f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
    assert await revoked(product, email) == [True]
    after = await product.with_token(good.data["sessionRefresh"]["accessToken"]).ask("{ viewer { scope } }")
    assert after.codes == ["UNAUTHENTICATED"]
    assert (await refreshed(product, kept(good.headers))).errors[0]["extensions"][
        "reason"
    ] == "REFRESH_INVALID"
    (record,) = await product.trail(thief)
    tenant = await product.database.value(
        'SELECT m.tenant_id FROM member m JOIN "user" u ON u.id = m.user_id WHERE u.email = $1', email
    )
    assert (record["action"], record["outcome"], record["code"]) == (
        "session.refresh",
        "REFUSED",
        "UNAUTHENTICATED",
    )
    assert (record["tenant_id"], record["actor_kind"]) == (tenant, "ANONYMOUS")
    assert record["tenant"].startswith("T_")
    assert [target[0] for target in record["targets"]] == ["S"]
    for token in (stolen, kept(good.headers)):
        assert token not in str(dict(record))


@pytest.mark.parametrize("cookie", [None, "", "x", "A" * 43, "A" * (MAX_CHARACTERS + 1)])
async def test_without_a_cookie_that_holds_nothing_is_renewed(product: Product, cookie: str | None) -> None:
    reply = await refreshed(product, cookie)
    assert reply.codes == ["UNAUTHENTICATED"]
    (record,) = await product.trail(reply)
    assert (record["action"], record["outcome"]) == ("session.refresh", "REFUSED")
    assert "set-cookie" not in reply.headers or "Max-Age=0" in reply.headers["set-cookie"]


async def test_a_token_that_came_along_changes_nothing(product: Product) -> None:
    _, mine = await signed_in(product)
    theirs, reply = await signed_in(product)
    bearer = {"Authorization": f"Bearer {mine.data['login']['accessToken']}"}
    again = await refreshed(product, kept(reply.headers), **bearer)
    assert again.data["sessionRefresh"]["viewer"]["user"]["email"] == theirs


async def test_by_get_nothing_is_renewed(product: Product) -> None:
    email, reply = await signed_in(product)
    headers = {**CSRF, "Cookie": f"{COOKIE}={kept(reply.headers)}"}
    answer = await product.http.get("/graphql", params={"query": REFRESH}, headers=headers)
    assert answer.status_code == 405
    assert (await product.http.get("/auth/refresh", headers=headers)).status_code == 405
    assert await revoked(product, email) == [False]
    assert (await refreshed(product, kept(reply.headers))).errors == []


async def test_logging_out_forgets_the_cookie_and_ends_the_family(product: Product) -> None:
    _, reply = await signed_in(product)
    speaker = product.with_token(reply.data["login"]["accessToken"])
    out = await speaker.ask("mutation { logout { success } }")
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert (await refreshed(product, kept(reply.headers))).errors[0]["extensions"][
        "reason"
    ] == "REFRESH_INVALID"


async def test_a_refused_login_sets_no_cookie(product: Product) -> None:
    reply = await product.anonymous.ask(LOGIN, {"input": product.login_input(address())})
    assert reply.data["login"]["__typename"] == "NotInvited"
    assert "set-cookie" not in reply.headers


# --- /auth/refresh --------------------------------------------------------------------------------


@pytest.mark.requirement("000-08")
async def test_the_path_answers_without_an_envelope(product: Product) -> None:
    _, reply = await signed_in(product)
    answer = await by_path(product, kept(reply.headers))
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "expiresAt"}
    assert kept(answer.headers) not in answer.text
    record = await product.database.seen_by_owner(
        "SELECT path, method, action FROM audit_record WHERE request_id = $1", answer.headers["x-request-id"]
    )
    assert [tuple(row) for row in record] == [("/auth/refresh", "POST", "session.refresh")]


async def test_the_path_refuses_with_a_status(product: Product) -> None:
    _, reply = await signed_in(product)
    await by_path(product, kept(reply.headers))
    for cookie, why in ((kept(reply.headers), "REFRESH_REUSED"), (None, "MISSING"), ("x", "REFRESH_INVALID")):
        answer = await by_path(product, cookie)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": why}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Tenantry-Csrf": None}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "X-Tenantry-Csrf": None}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": None}, 415),
        ({"Accept": "text/html"}, 406),
    ],
)
async def test_a_forged_request_renews_nothing(
    product: Product, headers: dict[str, str | None], status: int
) -> None:
    email, reply = await signed_in(product)
    sent: dict[str, Any] = {**JSON, **CSRF, "Cookie": f"{COOKIE}={kept(reply.headers)}", **headers}
    request = product.http.build_request(
        "POST", "/auth/refresh", content=b"{}", headers={k: v for k, v in sent.items() if v is not None}
    )
    answer = await product.http.send(request)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert await revoked(product, email) == [False]
    assert (await by_path(product, kept(reply.headers))).status_code == 200


async def test_an_allowed_page_may_send_the_cookie_and_read_the_answer(product: Product) -> None:
    origin = "https://spa.example"
    reply = await Speaker(product.http).ask("{ serverInfo { version } }")
    assert "access-control-allow-credentials" not in reply.headers
    answer = await by_path(product, None, Origin=product.settings.issuer)
    assert answer.status_code == 401
    assert "access-control-allow-origin" not in answer.headers
    assert origin not in str(answer.headers)


# --- the cookie's text ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (None, None),
        (b"", None),
        (NAME + b"=abc", "abc"),
        (b"a=1; " + NAME + b"=abc; b=2", "abc"),
        (NAME + b"=", None),
        (NAME + b"=a; " + NAME + b"=b", None),
        (NAME + b"=a, " + NAME + b"=b", None),
        (b"x" + NAME + b"=abc", None),
        (NAME.lower() + b"=abc", None),
        (NAME + b"=\xc3\xa4", None),
        (NAME + b"=" + b"a" * (MAX_CHARACTERS + 1), None),
    ],
)
def test_one_cookie_of_that_name_is_read_and_no_other(sent: bytes | None, found: str | None) -> None:
    token = refresh_token({} if sent is None else {b"cookie": sent})
    assert token == found
    assert token is None or token not in repr(token)
