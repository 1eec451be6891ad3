"""The command line: what it prints, what it refuses, and that it never shows a traceback."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from tenantry import __version__
from tenantry.tokens.key_files import create
from tenantry.tokens.key_rotation import generated
from tests.support.command_line import CommandLine
from tests.support.database import SEEDS, DatabaseServer
from tests.support.server import free_port
from tests.support.source import ROOT

START_SECONDS = 120


@contextlib.asynccontextmanager
async def started(folder: Path, url: str, *arguments: str, **variables: str) -> AsyncGenerator[list[bytes]]:
    """A process of its own that is ready at ``url``; interrupted afterwards. Yields what it says."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TENANTRY_")}
    command = [sys.executable, "-m", "tenantry", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment | variables, stdout=PIPE, stderr=PIPE
    )
    said: list[bytes] = []
    try:
        await _ready(url, process)
        yield said
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        said += [out, err]


async def _ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
        while process.returncode is None:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get(f"{url}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"it has ended with {process.returncode}")


async def ask(url: str, document: str) -> httpx.Response:
    """One operation by POST."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(f"{url}/graphql", json={"query": document})


async def test_help_names_the_commands(tenantry: CommandLine) -> None:
    status, said = await tenantry.run("--help")
    assert status == 0
    for command in ("dev", "serve", "migrate", "schema", "blueprint", "config", "version"):
        assert f"  {command} " in said
    assert await tenantry.run("version") == (0, f"{__version__}\n")
    assert (await tenantry.run())[0] == 2
    assert (await tenantry.run("nonsense"))[0] == 2


@pytest.mark.requirement("J-02")
async def test_the_schema_is_printed_and_compared(
    tenantry: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, printed = await tenantry.run("schema")
    assert printed == (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert (await tenantry.run("schema", "--check"))[0] == 0
    monkeypatch.chdir(tmp_path)
    status, said = await tenantry.run("schema", "--check")
    assert (status, "make schema" in said) == (1, True)


async def test_a_broken_blueprint_is_told_by_file_line_and_field(
    tenantry: CommandLine, tmp_path: Path
) -> None:
    status, said = await tenantry.run("blueprint", "check", *map(str, sorted(SEEDS.glob("*.yaml"))))
    assert status == 0
    assert "owner, admin, manager, agent" in said
    broken = tmp_path / "broken.yaml"
    text = (SEEDS / "phone-system.yaml").read_text(encoding="utf-8")
    broken.write_text(text.replace("grants: [apikey:manage]", "grants: [apikey:manag]"), encoding="utf-8")
    status, said = await tenantry.run("blueprint", "check", str(broken))
    line = text[: text.index("grants: [apikey:manage]")].count("\n") + 1
    assert status == 1
    assert f"{broken}:{line}" in said.replace("\n", "")
    assert "apikey:manag" in said
    assert "Traceback" not in said
    assert (await tenantry.run("blueprint", "check", str(tmp_path / "none.yaml")))[0] == 1


async def test_settings_are_shown_without_their_secrets(tenantry: CommandLine) -> None:
    tenantry.set(
        database_url="postgresql://app:hunter2@db.example/tenantry",
        signing_key_file="keys.json",
        encryption_key_file="sealing-keys.json",
        smtp_url="smtp://me:hunter3@mail.example",
        public_url="https://id.example",
    )
    status, said = await tenantry.run("config", "check")
    assert status == 0, said
    assert "TENANTRY_PUBLIC_URL" in said
    assert "hunter" not in said
    tenantry.set(introspection="true")
    status, said = await tenantry.run("config", "check")
    assert (status, "TENANTRY_INTROSPECTION is for development" in said) == (1, True)
    tenantry.set(port="many")
    status, said = await tenantry.run("config", "check")
    assert (status, "TENANTRY_PORT" in said) == (1, True)
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "command", [("migrate",), ("serve",), ("blueprint", "apply", str(SEEDS / "platform.yaml"))]
)
async def test_what_needs_a_database_says_which_setting(
    tenantry: CommandLine, command: tuple[str, ...]
) -> None:
    status, said = await tenantry.run(*command)
    assert status == 1
    assert "DATABASE_URL" in said
    assert "Traceback" not in said


async def test_a_database_is_migrated_and_seeded(
    tenantry: CommandLine, database_server: DatabaseServer
) -> None:
    name = "by_command_line"
    connection = await asyncpg.connect(database_server.embedded.dsn("postgres", "postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    database = database_server.open(name)
    tenantry.set(owner_database_url=database.owner_dsn, database_url=database.app_dsn)
    status, said = await tenantry.run("blueprint", "apply", str(SEEDS / "platform.yaml"))
    assert (status, "Run `tenantry migrate` first." in said) == (1, True)
    assert "Traceback" not in said
    assert "INSERT" not in said
    status, said = await tenantry.run("migrate")
    assert (status, said.startswith("Database: empty → ")) == (0, True)
    assert (await tenantry.run("migrate"))[0] == 0
    seeds = [str(path) for path in sorted(SEEDS.glob("*.yaml"))]
    for _ in range(2):
        status, said = await tenantry.run("blueprint", "apply", *seeds)
        assert status == 0, said
    assert await database.value("SELECT count(*) FROM blueprint") == len(seeds)
    await database.close()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def test_an_unreachable_database_is_told_in_words(tenantry: CommandLine) -> None:
    dsn = f"postgresql://tenantry:hunter2@127.0.0.1:{free_port()}/none"
    tenantry.set(owner_database_url=dsn, database_url=dsn)
    for command in (("migrate",), ("blueprint", "apply", str(SEEDS / "platform.yaml"))):
        status, said = await tenantry.run(*command)
        assert status == 1
        assert "Traceback" not in said
        assert "hunter2" not in said


async def test_serving_with_a_key_that_is_too_short_is_told_in_words(
    tenantry: CommandLine, database_server: DatabaseServer, tmp_path: Path
) -> None:
    database = await database_server.create()
    file = tmp_path / "keys.json"
    file.write_text('{"keys": [' + RSAAlgorithm.to_jwk(generate_private_key(65_537, 2_048)) + "]}")
    file.chmod(0o600)
    tenantry.set(
        database_url=database.app_dsn,
        signing_key_file=str(file),
        encryption_key_file=str(tmp_path / "sealing-keys.json"),
        smtp_url="smtp://mail.example",
        public_url="https://id.example",
    )
    status, said = await tenantry.run("serve")
    await database_server.drop(database)
    assert status == 1
    assert str(file) in said.replace("\n", "")
    assert "Traceback" not in said


async def test_a_taken_port_and_a_folder_without_blueprints_are_told_before_anything_starts(
    tenantry: CommandLine, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = await tenantry.run("dev", "--port", str(port), "--seeds", str(SEEDS))
    assert (status, f"port {port} is taken" in said) == (1, True)
    status, said = await tenantry.run("dev", "--seeds", str(tmp_path))
    assert (status, "there are no blueprints" in said) == (1, True)


async def test_one_command_starts_everything_and_ends_cleanly(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with started(tmp_path, url, "dev", "--port", str(port), "--seeds", str(SEEDS)) as said:
        answer = await ask(
            url, "{ serverInfo { environment signInMethods { kind } } __schema { __typename } }"
        )
        assert answer.json()["data"]["__schema"] == {"__typename": "__Schema"}
        assert answer.json()["data"]["serverInfo"] == {
            "environment": "development",
            "signInMethods": [{"kind": "DEVELOPMENT"}],
        }
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            pages = ("/graphiql/", "/dev/mailbox", "/dev/idp/.well-known/openid-configuration")
            assert [(await http.get(page)).status_code for page in pages] == [200, 200, 200]
    text = b"".join(said).decode()
    assert "olivia@phone.example" in text
    assert f"{url}/graphiql/" in text
    assert "Traceback" not in text


async def test_a_worker_serves_in_production_as_settings_say(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    database = await database_server.create()
    port = free_port()
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": [' + RSAAlgorithm.to_jwk(generate_private_key(65_537, 3_072)) + "]}")
    keys.chmod(0o600)
    sealing = tmp_path / "sealing-keys.json"
    create(sealing, generated("A256GCM"))
    variables = {
        "TENANTRY_DATABASE_URL": database.app_dsn,
        "TENANTRY_SIGNING_KEY_FILE": str(keys),
        "TENANTRY_ENCRYPTION_KEY_FILE": str(sealing),
        "TENANTRY_SMTP_URL": "smtp://mail.example",
        "TENANTRY_PUBLIC_URL": "https://id.example",
        "TENANTRY_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    async with started(tmp_path, url, "serve", **variables) as said:
        answer = await ask(url, "{ serverInfo { environment signInMethods { kind } } }")
        assert answer.json()["data"]["serverInfo"] == {"environment": "production", "signInMethods": []}
        hidden = await ask(url, "{ __schema { queryType { name } } }")
        assert hidden.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert not hidden.json().get("data")
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            pages = ("/graphiql/", "/dev/mailbox", "/dev/idp/.well-known/openid-configuration")
            assert {(await http.get(page)).status_code for page in pages} == {404}
    await database_server.drop(database)
    assert b"Traceback" not in b"".join(said)
