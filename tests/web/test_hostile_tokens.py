"""Hostile tokens on the wire: each a 401 and a record, none an operation, none a failure of ours."""

from random import Random

import httpx

from tests.support.hostile_tokens import hostile_tokens
from tests.support.serving import serving
from tests.support.wires import make_wire

SAMPLE = 400


async def test_none_gets_past_the_wire() -> None:
    wire = make_wire()
    key = wire.tokens._keys.active
    good = wire.bearer()["Authorization"].removeprefix("Bearer ")
    sendable = [
        token
        for _, token in hostile_tokens(good, key)
        if token.isascii() and token.isprintable() and token.strip() == token and 0 < len(token) < 8_000
    ]
    chosen = Random(good).sample(sendable, SAMPLE)
    async with serving(wire.app) as base, httpx.AsyncClient(base_url=base) as client:
        for token in chosen:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert wire.graph.served == []
        assert len(wire.graph.refused) == SAMPLE
        answer = await client.post("/graphql", json={"query": "{ hello }"}, headers=wire.bearer())
        assert answer.json() == {"data": {"hello": "world"}}
