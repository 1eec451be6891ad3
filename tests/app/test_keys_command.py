"""`tenantry keys generate`: a key that the service takes, never over another one."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tenantry.__main__ import CannotGoOn, app
from tenantry.tokens.encryption import EncryptionKeys
from tenantry.tokens.errors import KeyFileError
from tenantry.tokens.signing import SigningKeys
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_tenant, make_user, signed_in
from tests.support.hooks import make_webhook
from tests.support.logins import address


def ran(*arguments: str, **environment: str) -> Result:
    """A command, in an environment of its own."""
    return CliRunner().invoke(app, ["keys", *arguments], env=environment)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_the_key_is_loadable_and_its_owner_s_alone(tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "keys" / "signing.json"
    made = CliRunner().invoke(app, ["keys", "generate", str(file), "--algorithm", algorithm])
    assert made.exit_code == 0
    assert SigningKeys.load(file).algorithms == (algorithm,)
    assert file.stat().st_mode & 0o777 == 0o600


def test_another_key_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "signing.json"
    file.write_text("mine", encoding="utf-8")
    refused = CliRunner().invoke(app, ["keys", "generate", str(file)])
    assert isinstance(refused.exception, CannotGoOn)
    assert file.read_text(encoding="utf-8") == "mine"


def test_an_algorithm_that_is_none_is_named(tmp_path: Path) -> None:
    refused = CliRunner().invoke(
        app, ["keys", "generate", str(tmp_path / "signing.json"), "--algorithm", "HS256"]
    )
    assert isinstance(refused.exception, KeyFileError)
    assert list(tmp_path.iterdir()) == []


def test_keys_are_listed_rotated_and_retired_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "signing.json"
    assert ran("generate", str(file)).exit_code == 0
    old = SigningKeys.load(file).active.kid
    turned = ran("rotate", str(file), "--announce", "0")
    assert turned.exit_code == 0
    listed = ran("list", str(file)).stdout
    new = SigningKeys.load(file).active.kid
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        [old, "ES256", "understood"],
        [new, "ES256", "active"],
    ]
    secrets = {entry["d"] for entry in json.loads(file.read_text())["keys"]}
    assert not any(secret in listed + turned.output for secret in secrets)
    assert ran("retire", str(file), "-Unheard-of").exception.args == (
        f"{file} has no key -Unheard-of; see `tenantry keys list {file}`",
    )
    assert ran("retire", str(file), old).exit_code == 0
    assert isinstance(ran("retire", str(file), new).exception, KeyFileError)
    assert [each["kid"] for each in SigningKeys.load(file).jwks()["keys"]] == [new]


async def test_a_key_that_seals_is_retired_once_nothing_is_sealed_under_it(
    tmp_path: Path, database: TemporaryDatabase
) -> None:
    file = tmp_path / "sealing.json"
    assert ran("generate", str(file), "--algorithm", "A256GCM").exit_code == 0
    old = EncryptionKeys.load(file)
    user = await make_user(database, address())
    sealed = old.seal(b"secret", context=user.bytes)
    await database.seen_by_owner(
        "INSERT INTO totp_factor (user_id, key_id, box, created_at) VALUES ($1, $2, $3, now())", user, *sealed
    )
    owner = await signed_in(database, await make_tenant(database), "owner")
    webhook = await make_webhook(database, owner, old)
    assert "tenantry keys reseal" in ran("rotate", str(file), "--announce", "0").output
    where = {"TENANTRY_DATABASE_URL": database.app_dsn, "TENANTRY_ENCRYPTION_KEY_FILE": str(file)}
    retiring = ("retire", str(file), old.active.kid)
    refused = await asyncio.to_thread(ran, *retiring, **where)
    assert isinstance(refused.exception, CannotGoOn)
    assert "2 secrets only open" in str(refused.exception)
    assert "2 secrets are sealed anew" in (await asyncio.to_thread(ran, "reseal", **where)).output
    assert "0 secrets are sealed anew" in (await asyncio.to_thread(ran, "reseal", **where)).output
    assert (await asyncio.to_thread(ran, *retiring, **where)).exit_code == 0
    (row,) = await database.seen_by_owner("SELECT key_id, box FROM totp_factor WHERE user_id = $1", user)
    keys = EncryptionKeys.load(file)
    assert row["key_id"] == keys.active.kid != old.active.kid
    assert keys.open(row["key_id"], row["box"], context=user.bytes) == b"secret"
    under = "SELECT key_id FROM webhook_secret WHERE endpoint_id = $1"
    assert await database.value(under, webhook.endpoint.id) == keys.active.kid


def test_resealing_needs_to_know_with_which_keys() -> None:
    refused = ran("reseal")
    assert isinstance(refused.exception, CannotGoOn)
