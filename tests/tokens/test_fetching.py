"""Fetching an issuer's documents: only from where they may come, never much, never long."""

import datetime as dt
import ssl
import time
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from httpx import AsyncClient

from tenantry.tokens.addresses import is_public, resolve
from tenantry.tokens.errors import IssuerUnavailable
from tenantry.tokens.fetching import MAX_BYTES, Fetcher, issuer_client
from tests.support.loopback import Answer, loopback_server


async def fetch(url: str, *, allow_private: bool = True, resolver=resolve, http: AsyncClient | None = None):
    async with http or issuer_client() as client:
        return await Fetcher(client, allow_private=allow_private, resolver=resolver).fetch(url)


def resolving_to(*addresses: str):
    async def resolver(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolver


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::6810:84e5", True),
        ("::ffff:93.184.216.34", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - looked at, not listened on
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("127.1", False),
        ("host.example", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_document_is_fetched_from_the_address_that_was_checked() -> None:
    async with loopback_server() as server:
        server.answers["/doc"] = Answer(b'{"issuer": "it"}')
        url = f"http://issuer.example:{server.port}/doc"
        assert await fetch(url, resolver=resolving_to("127.0.0.1")) == {"issuer": "it"}
    assert server.hosts == [f"issuer.example:{server.port}"]


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with loopback_server() as server:
        server.answers["/doc"] = Answer(b"{}")
        url = f"http://issuer.example:{server.port}/doc"
        assert await fetch(url, resolver=resolving_to("127.0.0.2", "127.0.0.1")) == {}
        with pytest.raises(IssuerUnavailable):
            await fetch(url, resolver=resolving_to("127.0.0.2", "127.0.0.3"))


async def test_host_is_looked_up_in_its_ascii_form() -> None:
    async with loopback_server() as server:
        server.answers["/doc"] = Answer(b"{}")
        asked: list[str] = []

        async def resolver(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        assert await fetch(f"http://müller.example:{server.port}/doc", resolver=resolver) == {}
    assert asked == ["xn--mller-kva.example"]
    assert server.hosts == [f"xn--mller-kva.example:{server.port}"]


async def test_loopback_by_name_and_by_number() -> None:
    async with loopback_server() as server:
        server.answers["/doc"] = Answer(b"{}")
        assert await fetch(f"http://localhost:{server.port}/doc") == {}
        assert await fetch(f"http://127.0.0.1:{server.port}/doc") == {}


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.0.0.1",),
        ("93.184.216.34", "127.0.0.1"),
        ("::ffff:127.0.0.1",),
        ("169.254.169.254",),
    ],
)
async def test_private_address_is_never_connected_to(addresses: tuple[str, ...]) -> None:
    async with loopback_server() as server:
        with pytest.raises(IssuerUnavailable):
            await fetch(
                f"https://issuer.example:{server.port}/doc",
                allow_private=False,
                resolver=resolving_to(*addresses),
            )
        with pytest.raises(IssuerUnavailable):
            await fetch(f"https://127.0.0.1:{server.port}/doc", allow_private=False)
    assert not server.hits


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/doc",
        "ftp://issuer.example/doc",
        "file:///etc/passwd",
        "https:///doc",
        "https://user@issuer.example/doc",
        "issuer.example",
        "https://issuer.example:port/",
    ],
)
async def test_unfit_url_is_refused_before_its_host_is_looked_up(url: str) -> None:
    looked_up: list[str] = []

    async def resolver(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["93.184.216.34"]

    with pytest.raises(IssuerUnavailable):
        await fetch(url, allow_private=False, resolver=resolver)
    assert looked_up == []


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
async def test_default_ports_and_a_host_without_addresses(scheme: str, port: int) -> None:
    asked: list[int] = []

    async def resolver(_host: str, port: int) -> list[str]:
        asked.append(port)
        return []

    with pytest.raises(IssuerUnavailable):
        await fetch(f"{scheme}://issuer.example/doc", resolver=resolver)
    assert asked == [port]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"{}", status=500),
        Answer(b"{}", status=302, headers={"Location": "/other"}),
        Answer(b"<html>"),
        Answer(b"[]"),
        Answer(b"\xff\xfe"),
        Answer(b"[" * 100_000),
        Answer(b" " * (MAX_BYTES + 1)),
        Answer(b"{}", headers={"Content-Length": "-"}),
    ],
    ids=["status", "redirect", "html", "array", "no text", "nested", "large", "no http"],
)
async def test_garbage_is_unavailable(answer: Answer) -> None:
    async with loopback_server() as server:
        server.answers |= {"/doc": answer, "/other": Answer(b"{}")}
        with pytest.raises(IssuerUnavailable):
            await fetch(f"{server.origin}/doc")
    assert server.hits == {"/doc": 1}


async def test_slow_answer_ends_after_two_seconds_though_bytes_keep_coming() -> None:
    async with loopback_server() as server:
        server.answers["/doc"] = Answer(b"{" + b" " * 40 + b"}", drip=0.2)
        began = time.monotonic()
        with pytest.raises(IssuerUnavailable):
            await fetch(f"{server.origin}/doc")
        assert 1.9 < time.monotonic() - began < 3


async def test_nobody_there_is_unavailable() -> None:
    async with loopback_server() as server:
        gone = server.origin
    with pytest.raises(IssuerUnavailable) as refused:
        await fetch(f"{gone}/doc")
    assert (refused.value.code, refused.value.http_status) == ("UNAVAILABLE", 503)


def certificate_for(host: str) -> tuple[str, ssl.SSLContext, ssl.SSLContext]:
    """A certificate of its own for ``host``: the server's context, and a client's that trusts it."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(IPv4Address("127.0.0.9"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    client = ssl.create_default_context(cadata=pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem + secret, server, client


async def test_the_certificate_must_be_the_hosts_though_an_address_is_dialled(tmp_path) -> None:
    pem, for_server, for_client = certificate_for("issuer.example")
    (tmp_path / "both.pem").write_text(pem)
    for_server.load_cert_chain(tmp_path / "both.pem")
    resolver = resolving_to("127.0.0.1")
    async with loopback_server(for_server) as server:
        server.answers["/doc"] = Answer(b'{"by": "tls"}')

        async def fetched(host: str):
            client = AsyncClient(trust_env=False, verify=for_client)
            return await fetch(f"https://{host}:{server.port}/doc", resolver=resolver, http=client)

        assert await fetched("issuer.example") == {"by": "tls"}
        with pytest.raises(IssuerUnavailable):
            await fetched("other.example")
