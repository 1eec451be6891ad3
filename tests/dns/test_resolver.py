"""Asking the domain name system, of a real server on loopback; and what the tests' own answers like it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import pytest_asyncio

from tenantry.dns.errors import DnsUnavailable
from tenantry.dns.resolver import SECONDS, dns_texts


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers from ``records``; a name in ``silent`` gets no answer, one in ``broken`` SERVFAIL."""

    records: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    silent: set[str] = field(default_factory=set[str])
    broken: set[str] = field(default_factory=set[str])
    port: int = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: object) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        if name in self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif self.records[name]:
            texts = [f'"{text}"' for text in self.records[name]]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *texts))
        self.transport.sendto(answer.to_wire(), addr)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


async def test_every_text_of_a_name_and_none_of_one_that_is_not_there(server: NameServer) -> None:
    server.records = {"a.example": ["one", "two words"], "long.example": ['x" "y'], "empty.example": []}
    texts = dns_texts(["127.0.0.1"], port=server.port)
    assert sorted(await texts("a.example")) == ["one", "two words"]
    assert await texts("long.example") == ["xy"]
    assert await texts("empty.example") == []
    assert await texts("none.example") == []


async def test_no_answer_and_a_broken_one_say_nothing_of_the_name(server: NameServer) -> None:
    server.silent, server.broken = {"slow.example"}, {"broken.example"}
    texts = dns_texts(["127.0.0.1"], port=server.port)
    for name in ("slow.example", "broken.example", "x" * 64 + ".example"):
        began = time.monotonic()
        with pytest.raises(DnsUnavailable):
            await texts(name)
        assert time.monotonic() - began < SECONDS + 2


async def test_the_machines_own_name_servers_are_asked_by_default() -> None:
    with pytest.raises(DnsUnavailable):
        await dns_texts()("x" * 64 + ".example")
