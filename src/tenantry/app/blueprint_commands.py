"""The commands about blueprints: check, plan, apply, diff and the schema of the format."""

import sys
from functools import partial
from pathlib import Path

import typer

from tenantry.app.blueprints import applied, difference, forecasts, printed_schema
from tenantry.app.console import CannotGoOn, dsn_of, say, settings_in_force, with_database
from tenantry.directory.blueprints.document import BlueprintDocument, BlueprintInvalid, load_blueprint
from tenantry.directory.provisioning.forecast import RoleChange
from tenantry.kernel.principal import Scope

blueprints = typer.Typer(help="What tenants are made from.", no_args_is_help=True)


@blueprints.command("check")
def check(files: list[Path]) -> None:
    """Read blueprints and say everything that is wrong, by file, line and field."""
    for document, file in zip(_read(files), files, strict=True):
        roles = ", ".join(document.roles_of(document.scope))
        say.print(
            f"{file}: {document.title}, {len(document.catalogue)} permissions, roles {roles}", markup=False
        )


@blueprints.command("plan")
def plan(files: list[Path]) -> None:
    """Say who would gain and who would lose what, before anything changes."""
    dsn_of(settings_in_force())
    documents = _read(files)
    for document, changes in zip(
        documents, with_database(partial(forecasts, documents=documents)), strict=True
    ):
        affected = f"{_roles(len(changes))} would change" if changes else "no role would change"
        sys.stdout.write(f"{document.key}: {affected}\n")
        for change in changes:
            sys.stdout.write(_told(change))


@blueprints.command("apply")
def apply(files: list[Path]) -> None:
    """Write blueprints into the database, all or none; tenants made from them follow. Harmless twice."""
    dsn_of(settings_in_force())
    documents = sorted(_read(files), key=lambda each: each.scope is not Scope.SYSTEM)
    changed = with_database(partial(applied, documents=documents))
    for document in documents:
        say.print(f"{document.key}: {'applied' if document.key in changed else 'is so already'}")


@blueprints.command("diff")
def diff(file: Path) -> None:
    """Compare a file with what is stored, line by line; exits with 1 where they differ."""
    dsn_of(settings_in_force())
    (document,) = _read([file])
    found = with_database(partial(difference, document=document))
    sys.stdout.write(found)
    if found:
        sys.exit(1)
    say.print(f"{document.key}: the file is what is stored.")


@blueprints.command("schema")
def schema() -> None:
    """Print the JSON Schema of the format, for editors."""
    sys.stdout.write(printed_schema())


def _read(files: list[Path]) -> list[BlueprintDocument]:
    """The documents of all files. Raises ``CannotGoOn`` with the problems of all that have any."""
    documents: list[BlueprintDocument] = []
    problems: list[str] = []
    for file in files:
        try:
            documents.append(load_blueprint(file))
        except BlueprintInvalid as error:
            problems.append(str(error))
    if problems:
        raise CannotGoOn("\n".join(problems))
    return documents


def _told(change: RoleChange) -> str:
    platform = "" if change.scope is Scope.TENANT else ", of the platform"
    where = f" of {change.tenant}" if change.tenant else platform
    holders = f"{_counted(change.members, 'member')} of {_counted(change.tenants, 'tenant')}"
    lines = [f"  {change.role}{where} ({change.fate}; {holders})"]
    lines += [f"    + {grant}" for grant in change.gains]
    lines += [f"    - {grant}" for grant in change.loses]
    return "\n".join(lines) + "\n"


def _roles(count: int) -> str:
    return _counted(count, "role")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
