"""The command line."""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
import uvicorn
from pydantic import HttpUrl
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from tenantry import __version__
from tenantry.api.schema import bare_schema
from tenantry.app.admin_commands import admins
from tenantry.app.application import running
from tenantry.app.audit_commands import audit
from tenantry.app.blueprint_commands import blueprints
from tenantry.app.checks import RefusedToStart, check_settings
from tenantry.app.console import CannotGoOn, dsn_of, owners_dsn_of, say, settings_in_force, with_database
from tenantry.app.development import Addresses, start_development
from tenantry.authentication.factors import resealing as factors
from tenantry.directory.blueprints.errors import BlueprintInvalid
from tenantry.directory.webhooks import resealing as webhooks
from tenantry.kernel.clock import system_clock
from tenantry.kernel.errors import DomainError
from tenantry.settings import Environment, Settings
from tenantry.storage.database import Database
from tenantry.storage.embedded import EmbeddedServerError
from tenantry.storage.errors import sqlstate
from tenantry.storage.migrate import current, head, upgrade
from tenantry.tokens.encryption import ALGORITHM, EncryptionKeys
from tenantry.tokens.errors import KeyFileError, SealBroken
from tenantry.tokens.key_files import create
from tenantry.tokens.key_rotation import (
    ANNOUNCE_SECONDS,
    generated,
    is_for_sealing,
    kid_of,
    retire,
    rotate,
    states,
)
from tenantry.tokens.signing import SigningKey
from tenantry.web.loop import run as run_loop
from tenantry.web.loop import settle
from tenantry.web.server import server_config
from tenantry.web.telemetry import configure_logging

SCHEMA = Path("schema.graphql")
UNMIGRATED = frozenset({"42P01", "42883"})
"""undefined_table and undefined_function of PostgreSQL's appendix A."""

app = typer.Typer(
    name="tenantry",
    help="Identity and access for multi-tenant products, spoken to in GraphQL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
configuration = typer.Typer(help="Settings, as they are in force.", no_args_is_help=True)
keys = typer.Typer(help="Keys that sign access tokens, and keys that seal secrets.", no_args_is_help=True)
app.add_typer(admins, name="admin")
app.add_typer(audit, name="audit")
app.add_typer(blueprints, name="blueprint")
app.add_typer(configuration, name="config")
app.add_typer(keys, name="keys")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8000,
    seeds: Annotated[Path, typer.Option(help="Folder of the blueprints.")] = Path("seeds"),
) -> None:
    """Start everything on this machine: database, people, GraphiQL."""
    settings = Settings(
        environment=Environment.DEVELOPMENT,
        host="127.0.0.1",
        port=port,
        public_url=HttpUrl(f"http://127.0.0.1:{port}"),
        development_provider=True,
        introspection=True,
        graphiql=True,
        log_level="WARNING",
    )
    configure_logging(settings)
    run_loop(start_development(settings, seeds, progress=_progress, ready=_welcome))


@app.command()
def serve() -> None:
    """Serve one worker, as settings say. Run as many as there are processors."""
    settings = settings_in_force()
    configure_logging(settings)

    async def run() -> None:
        async with running(settings, dsn_of(settings)) as wire:
            settle()
            await uvicorn.Server(server_config(wire, host=settings.host, port=settings.port)).serve()

    run_loop(run())


@app.command()
def migrate() -> None:
    """Bring the database to this version, as the role that owns it."""
    dsn = owners_dsn_of(settings_in_force())

    async def run() -> None:
        before = await current(dsn)
        await upgrade(dsn)
        say.print(f"Database: {before or 'empty'} → {head()}")

    run_loop(run())


@app.command()
def schema(
    check: Annotated[bool, typer.Option(help="Compare with schema.graphql and say what differs.")] = False,  # noqa: FBT002
) -> None:
    """Print the schema."""
    printed = bare_schema().as_str() + "\n"
    if not check:
        sys.stdout.write(printed)
    elif not SCHEMA.exists() or SCHEMA.read_text() != printed:
        raise CannotGoOn(
            "schema.graphql is not what the code says; run `make schema` and read the difference."
        )
    else:
        say.print("schema.graphql is what the code says.")


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")


@configuration.command("check")
def config_check() -> None:
    """Print the settings in force, secrets hidden, and what start-up would refuse."""
    settings = settings_in_force()
    table = Table("setting", "value", box=None)
    for name, value in settings.model_dump().items():
        table.add_row(f"TENANTRY_{name.upper()}", str(value))
    say.print(table)
    if problems := check_settings(settings):
        raise RefusedToStart(problems)
    say.print("Nothing here would be refused.")


@keys.command("generate")
def keys_generate(
    file: Path,
    algorithm: Annotated[
        str, typer.Option(help="ES256, or RS256 of 3,072 bits, to sign; A256GCM to seal.")
    ] = "ES256",
) -> None:
    """Write a fresh key to a new file that only its owner may read."""
    entry = generated(algorithm)
    try:
        create(file, entry)
    except FileExistsError:
        raise CannotGoOn(f"{file} exists; a key file is never overwritten.") from None
    say.print(f"{file}: {algorithm}, key {kid_of(entry)}")


@keys.command("list")
def keys_list(file: Path) -> None:
    """Print the keys of a file, where each stands and until when; never the keys themselves."""
    rows = [("key", "algorithm", "state", "from", "until")]
    for key, state in states(file, now=system_clock()):
        algorithm = key.algorithm if isinstance(key, SigningKey) else ALGORITHM
        rows.append((key.kid, algorithm, str(state), _instant(key.times.begins), _instant(key.times.ends)))
    for kid, algorithm, standing, begins, ends in rows:
        sys.stdout.write(f"{kid:<44}{algorithm:<11}{standing:<12}{begins:<22}{ends}\n")


@keys.command("rotate")
def keys_rotate(
    file: Path,
    announce: Annotated[
        int, typer.Option(min=0, help="Seconds from when verifiers can see the new key to its first use.")
    ] = ANNOUNCE_SECONDS,
) -> None:
    """Add a key that takes over; running workers follow by themselves, and no request fails."""
    lifetime = settings_in_force().access_token_seconds
    kid = rotate(file, now=system_clock(), lifetime_seconds=lifetime, announce_seconds=announce)
    say.print(f"{file}: key {kid} takes over in {announce} s; tokens live {lifetime} s.")
    if is_for_sealing(file):
        say.print("Then run `tenantry keys reseal`, and retire the old key.")


# The name of a key is base64url, and may begin with a hyphen.
@keys.command("retire", context_settings={"ignore_unknown_options": True})
def keys_retire(file: Path, kid: str) -> None:
    """Take a key out of a file at once: tokens that it has signed are refused within seconds."""
    if is_for_sealing(file):
        count = with_database(partial(_sealed_under, key_id=kid))
        if count:
            raise CannotGoOn(f"{count} secrets only open with {kid}; run `tenantry keys reseal` first.")
    retire(file, kid, now=system_clock())
    say.print(f"{file}: key {kid} is retired.")


@keys.command("reseal")
def keys_reseal() -> None:
    """Seal every stored secret under the active key of TENANTRY_ENCRYPTION_KEY_FILE."""
    path = settings_in_force().encryption_key_file
    if path is None:
        raise CannotGoOn("Set TENANTRY_ENCRYPTION_KEY_FILE to the file with the keys that seal.")
    loaded = EncryptionKeys.load(path)
    count = with_database(partial(_reseal, keys=loaded))
    say.print(f"{count} secrets are sealed anew under key {loaded.active.kid}.")


async def _reseal(database: Database, keys: EncryptionKeys) -> int:
    """Seal anew whatever is sealed; returns how many secrets."""
    return await factors.reseal(database, keys) + await webhooks.reseal(database, keys)


async def _sealed_under(database: Database, key_id: str) -> int:
    return await factors.sealed_under(database, key_id) + await webhooks.sealed_under(database, key_id)


def _instant(seconds: int | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}" if seconds else "-"


def _progress(step: str) -> None:
    say.print(f"  {step}", style="dim")


def _welcome(addresses: Addresses) -> None:
    say.print(f"\n[bold]Tenantry {__version__}[/bold] is running, for this machine only.\n")
    for name, address in addresses.named():
        say.print(f"  {name:<12}{address}")
    say.print("\nSign in: open GraphiQL, then its Session panel (the person, left), and choose who to be:")
    for person in addresses.people:
        say.print(f"  {person.email:<28}{', '.join(person.roles)} — {person.tenant}")
    say.print("\nCtrl+C stops it; data stay in .tenantry.", style="dim")


def main() -> None:
    """Run a command; what an operator can mend is said in words, without a traceback."""
    try:
        app()
    except (
        CannotGoOn,
        RefusedToStart,
        BlueprintInvalid,
        EmbeddedServerError,
        KeyFileError,
        SealBroken,
        DomainError,
        OSError,
    ) as error:
        say.print(str(error), style="red", markup=False)
        sys.exit(1)
    except (DBAPIError, asyncpg.PostgresError) as error:
        # The statement and its parameters stay out: only what the server said.
        hint = " Run `tenantry migrate` first." if sqlstate(error) in UNMIGRATED else ""
        say.print(f"PostgreSQL refuses: {getattr(error, 'orig', error)}.{hint}", style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
