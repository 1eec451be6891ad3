"""The five operations by hand: read the token, run one statement, send PostgreSQL's bytes."""

import asyncio
import base64
import os
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson

from benchmarks.limit import statements
from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.storage.connections import reader_connector
from tenantry.tokens.access_tokens import AccessClaims, AccessTokens
from tenantry.tokens.errors import AccessTokenRejected
from tenantry.tokens.opaque import digest, new_secret
from tenantry.tokens.signing import SigningKeys

CONNECTIONS = 8
NEWEST = 2**63 - 1


class Lane:
    """One connection and its prepared statements."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.prepared = {}

    async def statement(self, sql: str):
        found = self.prepared.get(sql)
        if found is None:
            found = self.prepared[sql] = await self.connection.prepare(sql)
        return found

    async def one(self, sql: str, *arguments):
        return await (self.prepared.get(sql) or await self.statement(sql)).fetchval(*arguments)


class Limit:
    """A bare ASGI application."""

    def __init__(self) -> None:
        keys = SigningKeys.load(Path(os.environ["BENCH_SIGNING_KEY_FILE"]))
        self.tokens = AccessTokens(keys, issuer=os.environ["BENCH_ISSUER"], audience="tenantry")
        self.connect = reader_connector(os.environ["BENCH_DATABASE_URL"])
        self.free: list[Lane] = []
        self.waiting = []
        self.known: dict[UUID, tuple] = {}
        self.opened = 0
        self.operations = {
            "Viewer": (statements.VIEWER, None),
            "List": (statements.LIST, None),
            "One": (statements.MEMBER, lambda given: given["id"]),
            "Trail": (statements.TRAIL, _seq),
        }

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        try:
            message = await receive()
            body = message["body"]
            while message.get("more_body"):
                message = await receive()
                body += message["body"]
            answer, status = await self.answer(scope["headers"], orjson.loads(body)), 200
        except AccessTokenRejected:
            answer, status = b'{"errors":[{"message":"UNAUTHENTICATED"}]}', 401
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    async def answer(self, headers, request) -> bytes:
        claims = self.tokens.verify(next(v for k, v in headers if k == b"authorization")[7:].decode())
        lane = self.free.pop() if self.free else await self.open()
        try:
            if request["operationName"] == "Invite":
                answer = await self.invite(lane, claims, request["variables"])
            else:
                sql, argument = self.operations[request["operationName"]]
                tenant, _ = self.known.get(claims.session) or await self.know(lane, claims)
                given = (claims.session, claims.member_version, claims.tenant_version)
                more = () if argument is None else (argument(request["variables"]),)
                answer = await lane.one(sql, tenant, *given, *more)
        finally:
            self.give_back(lane)
        if answer is None:
            raise AccessTokenRejected("REVOKED")
        return answer

    async def invite(self, lane: Lane, claims: AccessClaims, given) -> bytes | None:
        tenant, authority = self.known.get(claims.session) or await self.know(lane, claims)
        async with lane.connection.transaction():
            begun = await lane.one(
                statements.BEGIN_MUTATION,
                tenant,
                claims.session,
                claims.member_version,
                claims.tenant_version,
            )
            if begun is None:
                return None
            return await lane.one(
                statements.INVITE,
                tenant,
                given["role"],
                authority["permissions"],
                new_key(),
                new_node_id(NodePrefix.MEMBER),
                given["email"].lower(),
                new_key(),
                new_key(),
                new_node_id(NodePrefix.INVITATION),
                digest(new_secret()),
                authority["member_id"],
                new_key(),
            )

    async def know(self, lane: Lane, claims: AccessClaims):
        """The keys behind a session, kept: ``begin_request`` says with each statement whether they still hold."""
        row = await lane.connection.fetchrow("SELECT * FROM load_authority($1)", claims.session)
        self.known[claims.session] = (row["tenant_id"], row)
        return self.known[claims.session]

    async def open(self) -> Lane:
        if self.opened < CONNECTIONS:
            self.opened += 1
            return Lane(await self.connect())
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        return await waiter

    def give_back(self, lane: Lane) -> None:
        if self.waiting:
            self.waiting.pop(0).set_result(lane)
        else:
            self.free.append(lane)


def _seq(given) -> int:
    after = given.get("after")
    return NEWEST if after is None else orjson.loads(base64.b64decode(after))[0]


app = Limit()
