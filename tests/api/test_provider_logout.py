"""OpenID Connect Back-Channel Logout: what a provider opened it ends, and nobody else does."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio

from tenantry.tokens.identity import LOGOUT_EVENT
from tests.support.api import LOGIN, Product, Speaker, running_product
from tests.support.connecting import connect, own_domain
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant
from tests.support.oidc_provider import Person, RunningOidcProvider
from tests.support.serving import serving
from tests.support.world import World

PATH = "/oidc/backchannel-logout"
WHO = "{ viewer { scope } }"


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase,
    oidc_provider: RunningOidcProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Product]:
    """The product that trusts a certified provider."""
    folder = tmp_path_factory.mktemp("product")
    async with running_product(database, folder, providers=[oidc_provider.settings("RS256")]) as made:
        made.clock.now = datetime.now(UTC)
        yield made


async def test_a_session_ends_when_it_ends_at_the_certified_provider(
    product: Product, oidc_provider: RunningOidcProvider
) -> None:
    email = (await make_member(product.database, await make_tenant(product.database))).email
    person = Person(f"sub-{email}", email)
    speakers: list[tuple[str, Speaker]] = []
    async with serving(product.wire) as base:
        for _ in range(2):
            product.clock.now = datetime.now(UTC)
            token = await oidc_provider.id_token(person)
            sid = jwt.decode(token, options={"verify_signature": False})["sid"]
            door = {"idToken": token, "issuer": oidc_provider.issuer}
            made = (await product.anonymous.query(LOGIN, input={"oidc": door}))["login"]
            speakers.append((sid, product.with_token(made["accessToken"])))
        (first, ended), (second, lives) = speakers
        assert first != second
        product.clock.now = datetime.now(UTC)
        await oidc_provider.log_out(person.subject, first, to=f"{base}{PATH}")
    assert (await ended.ask(WHO)).errors[0]["extensions"]["reason"] == "REVOKED"
    assert (await lives.ask(WHO)).errors == []
    (row,) = await product.database.seen_by_owner(
        "SELECT * FROM audit_record"
        " WHERE action = 'session.provider_logout' AND outcome = 'OK' AND actor_id = $1",
        oidc_provider.issuer,
    )
    assert row["actor_kind"] == "SERVICE"
    assert [target[0] for target in row["targets"]] == ["S"]


def logout_token(product: Product, **changes: Any) -> str:
    """A logout token of the product's own issuer; a change to None leaves a claim out."""
    now = int(product.clock().timestamp())
    claims: dict[str, Any] = {
        "iss": product.issuer.provider.issuer,
        "aud": "spa",
        "iat": now,
        "exp": now + 120,
        "jti": f"jti-{now}-{id(changes)}",
        "events": {LOGOUT_EVENT: {}},
        **changes,
    }
    signer = changes.pop("signer", product.issuer.signer)
    claims.pop("signer", None)
    return signer.sign({name: value for name, value in claims.items() if value is not None})


async def signed_in(product: Product) -> tuple[str, Speaker]:
    """A subject of the product's own issuer, and their session."""
    email = (await make_member(product.database, await make_tenant(product.database))).email
    made = await product.login(email)
    return f"subject of {email}", product.with_token(made["accessToken"])


async def told(product: Product, token: str) -> httpx.Response:
    return await product.http.post(PATH, data={"logout_token": token})


async def test_all_sessions_of_a_subject_end_and_a_token_is_taken_once(product: Product) -> None:
    subject, first = await signed_in(product)
    _, other = await signed_in(product)
    token = logout_token(product, sub=subject)
    answer = await told(product, token)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert (await first.ask(WHO)).errors[0]["extensions"]["reason"] == "REVOKED"
    assert (await other.ask(WHO)).errors == []
    email = subject.removeprefix("subject of ")
    again = product.with_token((await product.login(email))["accessToken"])
    assert (await told(product, token)).status_code == 400
    assert (await again.ask(WHO)).errors == []


HOSTILE: dict[str, Callable[[Product], dict[str, Any]]] = {
    "another audience": lambda _: {"aud": "someone-else"},
    "another issuer": lambda _: {"iss": "https://evil.example"},
    "no issuer": lambda _: {"iss": None},
    "no audience": lambda _: {"aud": None},
    "no time of issue": lambda _: {"iat": None},
    "no end": lambda _: {"exp": None},
    "no name": lambda _: {"jti": None},
    "no events": lambda _: {"events": None},
    "events that are a text": lambda _: {"events": LOGOUT_EVENT},
    "an event that is a text": lambda _: {"events": {LOGOUT_EVENT: "yes"}},
    "another event": lambda _: {"events": {"https://example.com/other": {}}},
    "a nonce": lambda _: {"nonce": "n"},
    "expired": lambda product: {"exp": int(product.clock().timestamp()) - 1},
    "from the future": lambda product: {"iat": int(product.clock().timestamp()) + 600},
    "old": lambda product: {"iat": int(product.clock().timestamp()) - 900},
    "neither subject nor session": lambda _: {"sub": None},
    "a foreign key": lambda product: {"signer": product.guest.signer},
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
async def test_what_is_no_logout_token_ends_nothing(product: Product, name: str) -> None:
    subject, speaker = await signed_in(product)
    answer = await told(product, logout_token(product, **{"sub": subject, **HOSTILE[name](product)}))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert answer.headers["cache-control"] == "no-store"
    assert (await speaker.ask(WHO)).errors == []


@pytest.mark.parametrize("content", [b"", b"logout_token=", b"logout_token=x", b"x" * 40_000, b"\xff\xfe"])
async def test_garbage_is_refused_and_on_record(product: Product, content: bytes) -> None:
    before = await product.database.value("SELECT coalesce(max(seq), 0) FROM audit_record")
    answer = await product.http.post(PATH, content=content)
    assert answer.status_code == 400
    (row,) = await product.database.seen_by_owner("SELECT * FROM audit_record WHERE seq > $1", before)
    assert (row["action"], row["outcome"]) == ("session.provider_logout", "REFUSED")


async def test_an_id_token_is_no_logout_token(product: Product) -> None:
    subject, speaker = await signed_in(product)
    email = subject.removeprefix("subject of ")
    assert (await told(product, product.issuer.id_token(email))).status_code == 400
    assert (await speaker.ask(WHO)).errors == []


async def test_a_tenants_provider_ends_what_it_has_opened_and_nothing_else(product: Product) -> None:
    world = await World.make(product)
    await own_domain(product, world.owner, "acme-logout.example")
    await connect(product, world.owner, provisioning=True)
    email = "ada@acme-logout.example"
    door = {"idToken": product.guest.id_token(email), "issuer": product.guest.provider.issuer}
    made = (await product.anonymous.query(LOGIN, input={"oidc": door}))["login"]
    member = product.with_token(made["accessToken"])
    subject, settings_own = await signed_in(product)
    ours = {"iss": product.guest.provider.issuer, "signer": product.guest.signer}
    assert (await told(product, logout_token(product, sub=subject, **ours))).status_code == 200
    assert (await settings_own.ask(WHO)).errors == []
    assert (await member.ask(WHO)).errors == []
    answer = await told(product, logout_token(product, sub=f"subject of {email}", **ours))
    assert answer.status_code == 200
    assert (await member.ask(WHO)).errors[0]["extensions"]["reason"] == "REVOKED"


async def test_a_provider_that_does_not_answer_is_no_verdict(product: Product) -> None:
    subject, speaker = await signed_in(product)
    world = await World.make(product)
    await connect(product, world.owner, issuer="http://127.0.0.1:9", client_id="spa")
    token = logout_token(product, sub=subject, iss="http://127.0.0.1:9")
    answer = await told(product, token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (await speaker.ask(WHO)).errors == []
