"""A real SMTP server on loopback, with what it took; TLS from the start, by STARTTLS, or not at all."""

import asyncio
import email
import ipaddress
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from aiosmtpd import smtp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "office@example.org", "p@ss:word"


@dataclass
class SmtpServer:
    """Takes every message but those to ``gone…``; ``mails`` are as a reader's program sees them."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list[EmailMessage])
    encrypted: list[bool] = field(default_factory=list[bool])
    logins: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def handle_RCPT(  # noqa: N802 - the server looks for this name
        self, _server: smtp.SMTP, _session: smtp.Session, envelope: smtp.Envelope, address: str, _: list[str]
    ) -> str:
        """Refuses as servers do: with the address in the text."""
        if address.startswith("gone"):
            return f"550 no such mailbox: {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the server looks for this name
        self, server: smtp.SMTP, _session: smtp.Session, envelope: smtp.Envelope
    ) -> str:
        """Keeps the message."""
        content = cast("bytes", envelope.content)
        mail = email.message_from_bytes(content, policy=default)
        self.encrypted.append(
            cast("asyncio.Transport", server.transport).get_extra_info("sslcontext") is not None
        )
        self.mails.append(mail)
        return "250 OK"

    def authenticate(
        self,
        _server: smtp.SMTP,
        _session: smtp.Session,
        _envelope: smtp.Envelope,
        _mechanism: str,
        data: object,
    ) -> smtp.AuthResult:
        """Lets one user in."""
        given = cast("smtp.LoginPassword", data)
        self.logins.append((given.login.decode(), given.password.decode()))
        return smtp.AuthResult(success=self.logins[-1] == (USER, PASSWORD), handled=False)


@asynccontextmanager
async def smtp_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncGenerator[SmtpServer]:
    """Listens on a free port of 127.0.0.1 until the block ends."""
    server = SmtpServer()
    loop = asyncio.get_running_loop()

    def session() -> smtp.SMTP:
        return smtp.SMTP(
            server,
            hostname="localhost",
            loop=loop,
            enable_SMTPUTF8=True,
            tls_context=starttls,
            authenticator=server.authenticate,
            auth_require_tls=False,
        )

    listener = await loop.create_server(session, "127.0.0.1", 0, ssl=tls)
    server.port = int(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 and localhost: the server's side, and a client's that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def new_certificate() -> Certificate:
    """Signed by itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        file = Path(folder, "both.pem")
        file.write_bytes(pem + secret)
        server.load_cert_chain(file)
    return Certificate(server, ssl.create_default_context(cadata=pem.decode()))
