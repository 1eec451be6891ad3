"""Ids, addresses and names of those who call."""

import time
from ipaddress import ip_network

import pytest

from tenantry.web.requests import Clients, new_request_id, read_headers, user_agent

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def test_a_request_id_is_time_then_chance() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_request_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert all(len(id_) == 28 and int(id_, 16) for id_ in ids)
    assert before <= int(ids[0][:12], 16) <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", None, "203.0.113.1"),
        ("203.0.113.1", "6.6.6.6", "203.0.113.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2,10.0.0.3", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.9, 10.0.0.2", "10.0.0.9"),
        ("10.0.0.1", "203.0.113.9, garbage", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "203.0.113.9:5123", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:5123", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", ",".join(["10.0.0.2"] * 500), "10.0.0.2"),
        (None, "203.0.113.9", None),
        ("testclient", "203.0.113.9", None),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(
    peer: str | None, forwarded: str | None, client: str | None
) -> None:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    assert Clients(PROXIES).address(peer, headers) == client


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    headers = {b"x-forwarded-for": b"6.6.6.6"}
    assert Clients([]).address("127.0.0.1", headers) == "127.0.0.1"


def test_a_header_sent_twice_is_one_list() -> None:
    pairs = [(b"x-forwarded-for", b"1.1.1.1"), (b"accept", b"*/*"), (b"x-forwarded-for", b"2.2.2.2")]
    assert read_headers(pairs) == {b"x-forwarded-for": b"1.1.1.1, 2.2.2.2", b"accept": b"*/*"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        (b"curl/8", "curl/8"),
        (b"x" * 301, "x" * 300),
        (b"a\tb\x1b[31m\x9b", "ab[31m"),
    ],
)
def test_a_user_agent_is_short_and_printable(sent: bytes | None, kept: str | None) -> None:
    assert user_agent({} if sent is None else {b"user-agent": sent}) == kept
