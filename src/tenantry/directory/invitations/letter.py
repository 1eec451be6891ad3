"""The mail that carries an invitation's link."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from tenantry.mail.port import Mailer, MailMessage

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """One invitation on its way; the link and the address stay out of every log."""

    invitation: str
    to: str = field(repr=False)
    tenant: str
    link: str = field(repr=False)
    expires_at: datetime

    def message(self) -> MailMessage:
        """The letter as the mailer takes it."""
        tenant = " ".join(self.tenant.split())
        return MailMessage(
            to=self.to,
            subject=f"You are invited to {tenant}",
            text=(
                f"You have been invited to join {tenant}.\n\n"
                f"To accept, open this link and sign in with this address:\n\n{self.link}\n\n"
                f"The link works once, until {self.expires_at:%d %B %Y %H:%M} UTC. "
                "If you did not expect this message, do nothing.\n"
            ),
        )


async def send_letters(mailer: Mailer, letters: Iterable[Letter]) -> None:
    """Send each; one that cannot be sent is logged by its invitation's id and holds up no other.

    Called after the commit: the invitation stands whatever happens here, and can be resent.
    """
    for letter in letters:
        try:
            await mailer.send(letter.message())
        except Exception as error:  # noqa: BLE001 - what has been committed is not called a failure
            _log.warning("invitation.mail_failed", invitation=letter.invitation, error=type(error).__name__)
