"""Development's mailer: keeps the last messages in memory, where a page can show them."""

from collections import deque

from tenantry.mail.port import MailMessage

CAPACITY = 200


class Mailbox:
    """Delivers to itself."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._messages: deque[MailMessage] = deque(maxlen=capacity)

    async def send(self, message: MailMessage) -> None:
        self._messages.append(message)

    def messages(self) -> tuple[MailMessage, ...]:
        """What was sent, oldest first; the oldest leave when there are too many."""
        return tuple(self._messages)
