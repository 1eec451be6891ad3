"""What the service asks of mail: one message, to one address, in plain text."""

from dataclasses import dataclass
from typing import Protocol

from tenantry.kernel.errors import Unavailable

_CONTROL = frozenset(map(chr, (*range(32), 127)))


class MailUnavailable(Unavailable):
    """The mail server did not take the message; says neither which server nor which address."""

    def __init__(self) -> None:
        super().__init__("Mail cannot be sent at the moment; try again shortly.")


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A message. ``to`` is a bare address, checked where it came in; one line each for it and the subject.

    Raises:
        ValueError: a control character, which could begin another header (RFC 5322, section 2.2).
    """

    to: str
    subject: str
    text: str

    def __post_init__(self) -> None:
        if "@" not in self.to or _CONTROL.intersection(self.to + self.subject) or set(self.to) & set(" ,;<>"):
            raise ValueError("A mail's recipient is one bare address, and its subject one line.")


class Mailer(Protocol):
    """Sends; called only after the transaction that asked for it has committed."""

    async def send(self, message: MailMessage) -> None:
        """Hand the message on.

        Raises:
            MailUnavailable: it was not taken.
        """
        ...
