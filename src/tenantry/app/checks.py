"""What start-up refuses: settings and rights that would be a hole outside of development."""

import os
from collections.abc import Mapping

from tenantry.settings import Settings
from tenantry.storage.database import Database
from tenantry.storage.rights import rights_of

EMULATOR = "FIREBASE_AUTH_EMULATOR_HOST"


class RefusedToStart(RuntimeError):
    """Why the service does not start, every reason at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(
            "Tenantry does not start like this:\n" + "\n".join(f"  - {each}" for each in problems)
        )
        self.problems = problems


def check_settings(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[str]:
    """What is wrong with the settings for where this runs; empty is right."""
    if settings.development:
        return []
    found = {
        f"{EMULATOR} makes Firebase tokens forgeable; unset it": EMULATOR in environ,
        "TENANTRY_DEVELOPMENT_PROVIDER signs anyone in; unset it": settings.development_provider,
        "TENANTRY_INTROSPECTION is for development; unset it": settings.introspection,
        "TENANTRY_GRAPHIQL is for development; unset it": settings.graphiql,
        "TENANTRY_ALLOW_PRIVATE_ISSUERS is for development; unset it": settings.allow_private_issuers,
        "TENANTRY_DATABASE_URL is not set": settings.database_url is None,
        "TENANTRY_SIGNING_KEY_FILE is not set": settings.signing_key_file is None,
        "TENANTRY_ENCRYPTION_KEY_FILE is not set": settings.encryption_key_file is None,
        "TENANTRY_SMTP_URL is not set; invitations could not be sent": settings.smtp_url is None,
        "TENANTRY_PUBLIC_URL must be https": settings.public_url.scheme != "https",
    }
    return [problem for problem, wrong in found.items() if wrong]


async def check_database(database: Database) -> None:
    """Raises ``RefusedToStart`` for a role that could pass the walls, ``Unavailable`` without a database."""
    problems = (await rights_of(database)).problems()
    if problems:
        raise RefusedToStart(problems)
