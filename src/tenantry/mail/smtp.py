"""Mail by SMTP: smtps://… is TLS from the start, smtp://… STARTTLS where it is not loopback."""

import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from tenantry.mail.port import MailMessage, MailUnavailable

TIMEOUT_SECONDS = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SmtpMailer:
    """One connection for each message: invitations are few, and a broken connection harms only one.

    ``url`` is ``smtp://user:password@host:587`` or ``smtps://user:password@host:465``.
    Encryption is demanded, not hoped for: a server without STARTTLS is refused, unless it is on
    this machine.
    """

    def __init__(self, url: str, sender: str, *, tls_context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("The mail server's URL is smtp://… or smtps://….")
        name, address = parseaddr(sender)
        self._sender = Address(display_name=name, addr_spec=address)
        self._host = parts.hostname
        self._port = parts.port
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        self._start_tls = not self._tls and self._host not in _LOOPBACK
        self._tls_context = tls_context

    async def send(self, message: MailMessage) -> None:
        try:
            await aiosmtplib.send(
                self._compose(message),
                hostname=self._host,
                port=self._port,
                username=self._username,
                password=self._password,
                use_tls=self._tls,
                start_tls=self._start_tls,
                tls_context=self._tls_context,
                timeout=TIMEOUT_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError):
            # Not chained: the cause's text holds the address, and causes reach logs.
            raise MailUnavailable from None

    def _compose(self, message: MailMessage) -> EmailMessage:
        mail = EmailMessage(policy=SMTP if message.to.isascii() else SMTPUTF8)
        mail["From"] = self._sender
        local, _, domain = message.to.rpartition("@")
        mail["To"] = Address(username=local, domain=domain)
        mail["Subject"] = message.subject
        mail["Date"] = formatdate(usegmt=True)
        mail["Message-ID"] = make_msgid(domain=self._sender.domain)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies, please
        mail.set_content(message.text)
        return mail
