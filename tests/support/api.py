"""The whole product in this process: the real wire over the real database, spoken to as a client does."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tenantry.app.application import ENCRYPTION_KEYS, SIGNING_KEYS, Outside, running
from tenantry.authentication.login.claims import principal_of
from tenantry.directory.members.models import Member
from tenantry.kernel.principal import Authority
from tenantry.mail.mailbox import Mailbox
from tenantry.mail.port import MailMessage
from tenantry.settings import Limits, Settings
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.encryption import EncryptionKeys
from tenantry.tokens.signing import SigningKeys
from tenantry.web.wire import Wire
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import sign_in
from tests.support.local_issuer import LocalIssuer, local_issuer

LOGIN = """mutation Login($input: LoginInput!) { login(input: $input) {
  __typename
  ... on LoginSuccess { accessToken expiresAt viewer { user { id email } member { id } tenant { id } } }
  ... on Problem { code message }
  ... on MfaRequired { challenge methods }
  ... on TenantChoiceRequired { ticket choices { tenantId name } }
} }"""
# Tests bring more new documents a minute than any person would.
PLENTY = Limits(compiles_per_minute=1_000_000, logins_per_minute=1_000_000)

Variables = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer of the wire."""

    status: int
    headers: httpx.Headers
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """The JSON."""
        return json.loads(self.text)

    @property
    def data(self) -> Any:
        """What was asked for. Raises ``AssertionError`` where anything of it was refused."""
        body = self.body
        if "errors" in body:
            raise AssertionError(body["errors"])
        return body["data"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors, none where all went well."""
        return self.body.get("errors", [])

    @property
    def codes(self) -> list[str]:
        """The errors' codes."""
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def request_id(self) -> str:
        """The request's id, as in the trail."""
        return self.headers["x-request-id"]


@dataclass
class BreakableMailer(Mailbox):
    """Keeps what it is given, and fails as ``failure`` says."""

    failure: Exception | None = None

    def __post_init__(self) -> None:
        super().__init__()

    async def send(self, message: MailMessage) -> None:
        """Raises ``failure``, once one is set."""
        if self.failure is not None:
            raise self.failure
        await super().send(message)

    def to(self, address: str) -> list[MailMessage]:
        """What was sent to one address, oldest first."""
        return [message for message in self.messages() if message.to == address]


@dataclass
class Speaker:
    """One client: whoever the header names."""

    http: httpx.AsyncClient
    token: str | None = None

    async def ask(self, document: str, variables: Variables | None = None, name: str | None = None) -> Reply:
        """Send one operation by POST."""
        body: dict[str, Any] = {"query": document, "variables": dict(variables or {})}
        if name is not None:
            body["operationName"] = name
        headers = {"Accept": "application/graphql-response+json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        answer = await self.http.post("/graphql", json=body, headers=headers)
        return Reply(answer.status_code, answer.headers, answer.text)

    async def query(self, document: str, **variables: object) -> Any:
        """The data of an operation that must succeed."""
        return (await self.ask(document, variables)).data


@dataclass
class Product:
    """The product over ``database``; its clock and its mail are the test's."""

    wire: Wire
    database: TemporaryDatabase
    settings: Settings
    tokens: AccessTokens
    issuer: LocalIssuer
    clock: MovableClock
    mail: BreakableMailer
    guest: LocalIssuer
    """Another issuer, which nothing trusts by itself."""
    names: dict[str, list[str]]
    """The domain name system: TXT records by name."""
    http: httpx.AsyncClient = field(repr=False)

    @property
    def sealing(self) -> EncryptionKeys:
        """The keys that seal secrets here."""
        path = self.settings.encryption_key_file or self.settings.data_dir / ENCRYPTION_KEYS
        return EncryptionKeys.load(path)

    @property
    def anonymous(self) -> Speaker:
        """Whoever has no token."""
        return Speaker(self.http)

    def with_token(self, token: str) -> Speaker:
        """Whoever holds this token."""
        return Speaker(self.http, token)

    def as_(self, authority: Authority) -> Speaker:
        """Whoever has this session, by a token as a login would mint it."""
        return self.with_token(self.tokens.mint(principal_of(authority)).token)

    async def as_member(self, member: Member) -> Speaker:
        """This member, signed in anew."""
        return self.as_(await sign_in(self.database, member))

    def login_input(self, email: str, **choice: object) -> dict[str, Any]:
        """The input of ``login`` for a person whom the issuer knows by this address."""
        door = {"idToken": self.issuer.id_token(email), "issuer": self.issuer.provider.issuer}
        return {"oidc": {**door, **choice}}

    async def login(self, email: str, **choice: object) -> dict[str, Any]:
        """What ``login`` comes to for this person."""
        data = await self.anonymous.query(LOGIN, input=self.login_input(email, **choice))
        return data["login"]

    async def trail(self, reply: Reply) -> list[dict[str, Any]]:
        """The records of one request, in order."""
        rows = await self.database.seen_by_owner(
            "SELECT * FROM audit_record WHERE request_id = $1 ORDER BY node_id", reply.request_id
        )
        return [dict(row) for row in rows]


def product_settings(data_dir: Path, **values: object) -> Settings:
    """A developer's settings that keep to ``data_dir``; the environment's are not read."""
    return Settings.model_validate(
        {
            "environment": "development",
            "data_dir": data_dir,
            "limits": PLENTY,
            "introspection": True,
            "allow_private_issuers": True,
            **values,
        }
    )


@asynccontextmanager
async def running_product(
    database: TemporaryDatabase, data_dir: Path, *, providers: Sequence[object] = (), **values: object
) -> AsyncGenerator[Product]:
    """Everything started over ``database``, with an issuer of its own beside ``providers``."""
    clock, mail = MovableClock(), BreakableMailer()
    names: dict[str, list[str]] = {}

    async def texts(name: str) -> Sequence[str]:
        return names.get(name, [])

    async with local_issuer(clock) as issuer, local_issuer(clock) as guest:
        outside = Outside(clock=clock, mailer=mail, dns_texts=texts)
        settings = product_settings(data_dir, oidc_providers=(issuer.provider, *providers), **values)
        async with running(settings, database.app_dsn, outside) as wire:
            tokens = AccessTokens(
                SigningKeys.load(settings.signing_key_file or settings.data_dir / SIGNING_KEYS),
                issuer=settings.issuer,
                audience=settings.audience,
                clock=clock,
            )
            transport = httpx.ASGITransport(wire)
            async with httpx.AsyncClient(transport=transport, base_url=settings.issuer) as http:
                yield Product(wire, database, settings, tokens, issuer, clock, mail, guest, names, http)


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    """The product that the tests of one module share."""
    async with running_product(database, tmp_path_factory.mktemp("product")) as made:
        yield made
