"""A service in another language verifies our tokens with nothing but what we publish."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key

from tenantry.kernel.clock import system_clock
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.discovery import DISCOVERY_PATH, JWKS_PATH, openid_configuration
from tenantry.tokens.signing import SigningKey, SigningKeys
from tests.support.loopback import Answer, LoopbackServer, loopback_server
from tests.support.node_peer import run_node
from tests.tokens.test_access_tokens import MEMBER, STAFF


def publish(server: LoopbackServer, keys: SigningKeys) -> AccessTokens:
    metadata = openid_configuration(server.origin, algorithms=keys.algorithms)
    json_type = {"Content-Type": "application/json"}
    server.answers[DISCOVERY_PATH] = Answer(json.dumps(metadata).encode(), headers=json_type)
    server.answers[JWKS_PATH] = Answer(json.dumps(keys.jwks()).encode(), headers=json_type)
    return AccessTokens(keys, issuer=server.origin, audience="tenantry", clock=system_clock)


@pytest.mark.requirement("000-14", "001-01")
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_nodes_jose_verifies_our_token_by_discovery_and_jwks(algorithm: str) -> None:
    private = generate_private_key(SECP256R1()) if algorithm == "ES256" else generate_rsa_key(65_537, 3_072)
    async with loopback_server() as server:
        tokens = publish(server, SigningKeys([SigningKey.of(private)]))
        minted = tokens.mint(MEMBER, extra={"orgId": "T_acme"})
        outcome = await run_node("verify-access-token.mjs", server.origin, "tenantry", text=minted.token)
    assert outcome["header"]["alg"] == algorithm
    payload = outcome["payload"]
    assert (payload["sub"], payload["tenant_id"], payload["orgId"]) == ("U_ada", "T_acme", "T_acme")
    assert (payload["role"], payload["jti"]) == ("admin", minted.jti)


async def test_nodes_jose_reads_a_platform_tokens_null_and_refuses_a_forgery() -> None:
    async with loopback_server() as server:
        tokens = publish(server, SigningKeys([SigningKey.of(generate_private_key(SECP256R1()))]))
        token = tokens.mint(STAFF).token
        outcome = await run_node("verify-access-token.mjs", server.origin, "tenantry", text=token)
        start, _, signature = token.rpartition(".")
        forged = f"{start}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
        refusal = await run_node("verify-access-token.mjs", server.origin, "tenantry", text=forged)
    assert outcome["payload"]["tenant_id"] is None
    assert refusal == {"error": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}


def test_discovery_names_only_what_there_is() -> None:
    metadata = openid_configuration("https://tenantry.example")
    assert metadata["issuer"] == "https://tenantry.example"
    assert metadata["jwks_uri"] == "https://tenantry.example/.well-known/jwks.json"
    assert metadata["id_token_signing_alg_values_supported"] == ["ES256"]
    assert "authorization_endpoint" not in metadata
