"""What start-up refuses: each rule broken once."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from tenantry.app.application import Outside, running
from tenantry.app.checks import EMULATOR, RefusedToStart, check_settings
from tenantry.kernel.errors import Unavailable
from tenantry.settings import Settings
from tenantry.tokens.errors import KeyFileError
from tests.support.api import product_settings
from tests.support.database import TemporaryDatabase
from tests.support.server import free_port

SOUND: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgresql://tenantry_app@db.example/tenantry",
    "signing_key_file": "keys.json",
    "encryption_key_file": "sealing-keys.json",
    "smtp_url": "smtp://mail.example",
    "public_url": "https://id.example",
}
HOLES: dict[str, dict[str, Any]] = {
    "TENANTRY_DEVELOPMENT_PROVIDER": {"development_provider": True},
    "TENANTRY_INTROSPECTION": {"introspection": True},
    "TENANTRY_GRAPHIQL": {"graphiql": True},
    "TENANTRY_ALLOW_PRIVATE_ISSUERS": {"allow_private_issuers": True},
    "TENANTRY_DATABASE_URL": {"database_url": None},
    "TENANTRY_SIGNING_KEY_FILE": {"signing_key_file": None},
    "TENANTRY_ENCRYPTION_KEY_FILE": {"encryption_key_file": None},
    "TENANTRY_SMTP_URL": {"smtp_url": None},
    "TENANTRY_PUBLIC_URL": {"public_url": "http://id.example"},
}


def settings(**changes: Any) -> Settings:
    """Sound settings of production, but for the changes."""
    return Settings.model_validate(SOUND | changes)


def test_sound_settings_are_not_refused() -> None:
    assert check_settings(settings(), {}) == []


@pytest.mark.parametrize("name", HOLES)
def test_each_hole_is_named_alone(name: str) -> None:
    (problem,) = check_settings(settings(**HOLES[name]), {})
    assert problem.startswith(name)


def test_the_emulators_variable_is_refused_outside_of_development() -> None:
    (problem,) = check_settings(settings(), {EMULATOR: "127.0.0.1:9099"})
    assert problem.startswith(EMULATOR)
    assert check_settings(settings(environment="development"), {EMULATOR: "127.0.0.1:9099"}) == []


def test_all_holes_are_told_at_once() -> None:
    changes = {key: value for each in HOLES.values() for key, value in each.items()}
    found = check_settings(settings(**changes), {})
    assert len(found) == len(HOLES)
    text = str(RefusedToStart(found))
    assert all(name in text for name in HOLES)


async def test_a_product_with_a_hole_does_not_start(database: TemporaryDatabase) -> None:
    with pytest.raises(RefusedToStart, match="TENANTRY_INTROSPECTION"):
        async with running(settings(introspection=True), database.app_dsn):
            pytest.fail("it has started")


async def test_a_role_that_could_pass_the_walls_does_not_serve(
    database: TemporaryDatabase, tmp_path: Path
) -> None:
    with pytest.raises(RefusedToStart, match="superuser"):
        async with running(product_settings(tmp_path), database.owner_dsn):
            pytest.fail("it has started")


async def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    dsn = f"postgresql://tenantry_app@127.0.0.1:{free_port()}/none"
    with pytest.raises(Unavailable):
        async with running(product_settings(tmp_path), dsn, Outside()):
            pytest.fail("it has started")


async def test_a_short_key_is_refused(database: TemporaryDatabase, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = RSAAlgorithm.to_jwk(generate_private_key(65_537, 2_048))
    file.write_text('{"keys": [' + key + "]}")
    file.chmod(0o600)
    with pytest.raises(KeyFileError):
        async with running(settings(signing_key_file=file, encryption_key_file=file), database.app_dsn):
            pytest.fail("it has started")
