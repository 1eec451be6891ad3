"""The mailers' contract, on the mailbox and on a real SMTP server; and what SMTP does in trouble."""

import socket
from collections.abc import AsyncGenerator, Callable
from urllib.parse import quote

import pytest

from tenantry.kernel.errors import ErrorCode
from tenantry.mail.mailbox import Mailbox
from tenantry.mail.port import Mailer, MailMessage, MailUnavailable
from tenantry.mail.smtp import SmtpMailer
from tests.support.smtp_server import PASSWORD, USER, SmtpServer, new_certificate, smtp_server

SENDER = "Tenantry <no-reply@tenantry.example>"
MESSAGE = MailMessage("ann@example.org", "Hi", "text\n")
Received = Callable[[], list[MailMessage]]


@pytest.fixture
async def server() -> AsyncGenerator[SmtpServer]:
    async with smtp_server() as running:
        yield running


@pytest.fixture(params=["mailbox", "smtp"])
def mailer(request: pytest.FixtureRequest, server: SmtpServer) -> tuple[Mailer, Received]:
    if request.param == "mailbox":
        mailbox = Mailbox()
        return mailbox, lambda: list(mailbox.messages())
    return SmtpMailer(f"smtp://127.0.0.1:{server.port}", SENDER), lambda: received_by(server)


def received_by(server: SmtpServer) -> list[MailMessage]:
    return [
        MailMessage(str(mail["To"]), str(mail["Subject"]), mail.get_content().replace("\r\n", "\n"))
        for mail in server.mails
    ]


@pytest.mark.parametrize(
    "message",
    [
        MailMessage("ann@example.org", "An invitation", "Come in:\nhttps://example.org/i#code=abc\n"),
        MailMessage("ann@example.org", "Überraschung für Zoë — 招待", "Schön.\n.\nEin Punkt allein.\n"),
        MailMessage("zoë@example.org", "x" * 300, "A line of " + "many " * 400 + "words\n"),
    ],
)
async def test_what_is_sent_arrives(mailer: tuple[Mailer, Received], message: MailMessage) -> None:
    sender, received = mailer
    await sender.send(message)
    assert received() == [message]


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("ann@example.org", "Hello\r\nBcc: all@example.org"),
        ("ann@example.org", "Hello\nX: y"),
        ("ann@example.org", "Hello\x00"),
        ("ann@example.org\nBcc: all@example.org", "Hello"),
        ("ann@example.org, bob@example.org", "Hello"),
        ("Ann <ann@example.org>", "Hello"),
        ("", "Hello"),
    ],
)
def test_another_header_or_recipient_cannot_be_slipped_in(to: str, subject: str) -> None:
    with pytest.raises(ValueError, match="one bare address"):
        MailMessage(to, subject, "text")


async def test_a_mailbox_keeps_the_last_ones() -> None:
    mailbox = Mailbox(capacity=2)
    for number in range(3):
        await mailbox.send(MailMessage("ann@example.org", str(number), ""))
    assert [message.subject for message in mailbox.messages()] == ["1", "2"]


async def test_smtp_names_the_sender_and_asks_for_no_automatic_reply(server: SmtpServer) -> None:
    await SmtpMailer(f"smtp://127.0.0.1:{server.port}", SENDER).send(MESSAGE)
    mail = server.mails[0]
    assert (mail["From"], mail["Auto-Submitted"]) == (SENDER, "auto-generated")
    assert mail["Message-ID"].endswith("@tenantry.example>")


async def check_unavailable(mailer: Mailer, message: MailMessage = MESSAGE) -> None:
    with pytest.raises(MailUnavailable) as refusal:
        await mailer.send(message)
    assert refusal.value.code == ErrorCode.UNAVAILABLE
    assert "@" not in str(refusal.value)
    assert refusal.value.__suppress_context__


async def test_a_refused_recipient_is_told_without_the_address(server: SmtpServer) -> None:
    mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", SENDER)
    await check_unavailable(mailer, MailMessage("gone@example.org", "Hi", "text"))
    assert server.mails == []


async def test_no_server_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    await check_unavailable(SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER))


async def test_the_url_s_user_signs_in(server: SmtpServer) -> None:
    url = f"smtp://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}"
    await SmtpMailer(url, SENDER).send(MESSAGE)
    assert (server.logins, len(server.mails)) == ([(USER, PASSWORD)], 1)
    await check_unavailable(SmtpMailer(url.replace("p%40ss", "wrong"), SENDER))
    assert len(server.mails) == 1


async def test_smtps_is_encrypted_and_trusts_only_a_certificate_that_someone_vouches_for() -> None:
    certificate = new_certificate()
    async with smtp_server(tls=certificate.server) as server:
        url = f"smtps://127.0.0.1:{server.port}"
        await check_unavailable(SmtpMailer(url, SENDER))
        assert server.mails == []
        await SmtpMailer(url, SENDER, tls_context=certificate.client).send(MESSAGE)
        assert server.encrypted == [True]


async def test_elsewhere_than_on_loopback_encryption_is_demanded(server: SmtpServer) -> None:
    certificate = new_certificate()
    elsewhere = "0.0.0.0"  # noqa: S104 - reaches this machine, yet is not written as loopback
    await check_unavailable(SmtpMailer(f"smtp://{elsewhere}:{server.port}", SENDER))
    assert server.mails == []
    async with smtp_server(starttls=certificate.server) as able:
        certificate.client.check_hostname = False
        mailer = SmtpMailer(f"smtp://{elsewhere}:{able.port}", SENDER, tls_context=certificate.client)
        await mailer.send(MESSAGE)
        assert able.encrypted == [True]


@pytest.mark.parametrize("url", ["http://host", "smtp://", "host:25"])
def test_a_url_of_another_kind_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://"):
        SmtpMailer(url, SENDER)
