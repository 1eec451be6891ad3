"""The commands that make super-admins of people, and people of super-admins."""

from collections.abc import Awaitable, Callable
from functools import partial

import typer

from tenantry.app.admins import granted, revoked
from tenantry.app.console import say, with_owners_database
from tenantry.directory.provisioning.tenants import checked_email

admins = typer.Typer(
    help="Super-admins of the platform: who may do everything, and look into every tenant.",
    no_args_is_help=True,
)


@admins.command("grant")
def grant(email: str) -> None:
    """Let whoever proves this address do everything, as the role that owns the database."""
    _run(granted, email, "is a super-admin")


@admins.command("revoke")
def revoke(email: str) -> None:
    """Take that away at once; they keep their membership of the platform, and its roles."""
    _run(revoked, email, "is no super-admin")


def _run(change: Callable[..., Awaitable[bool]], email: str, told: str) -> None:
    address = checked_email(email, "email")
    changed = with_owners_database(partial(change, email=address))
    say.print(f"{address} {told}{'' if changed else ' already'}.", markup=False)
