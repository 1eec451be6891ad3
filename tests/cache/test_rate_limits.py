"""Rate limits: what is refused, for whom, until when; and that a dead Redis opens no door."""

from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from tenantry.cache.rate_limits import RateLimiter, RateRule, neighbourhood, open_rate_limiter
from tenantry.kernel.errors import RateLimited
from tenantry.kernel.ids import NodePrefix, new_node_id
from tests.support.valkey import Valkey, running_valkey

RULE = RateRule("login", times=3, seconds=60)


def new_subject() -> str:
    return new_node_id(NodePrefix.MEMBER)


@pytest.fixture(params=["memory", "valkey"])
async def limiter(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncGenerator[RateLimiter]:
    async with open_rate_limiter(None if request.param == "memory" else valkey.url) as opened:
        yield opened


@pytest.mark.parametrize(
    ("ip", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("garbage", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_of_ipv6_is_counted_with_its_neighbours(ip: str | None, counted_as: str) -> None:
    assert neighbourhood(ip) == counted_as


async def exhaust(limiter: RateLimiter, subject: str) -> None:
    for _ in range(3):
        await limiter.hit(RULE, subject)


async def test_one_too_many_is_refused_and_told_when_to_return(limiter: RateLimiter) -> None:
    subject = new_subject()
    await exhaust(limiter, subject)
    with pytest.raises(RateLimited) as refusal:
        await limiter.hit(RULE, subject)
    assert 1 <= refusal.value.retry_after <= 60
    assert limiter.breaker.failures == 0


async def test_subjects_and_rules_are_counted_apart(limiter: RateLimiter) -> None:
    subject = new_subject()
    await exhaust(limiter, subject)
    await limiter.hit(RULE, new_subject())
    await limiter.hit(RateRule("invite", times=3, seconds=60), subject)
    with pytest.raises(RateLimited):
        await limiter.hit(RULE, subject)


async def test_workers_count_together_in_valkey_and_keep_no_address_there(valkey: Valkey) -> None:
    async with open_rate_limiter(valkey.url) as one, open_rate_limiter(valkey.url) as two:
        await exhaust(one, "ann@example.org")
        with pytest.raises(RateLimited):
            await two.hit(RULE, "ann@example.org")
    async with Redis.from_url(valkey.url) as client:
        assert not [key for key in await client.keys("*") if b"ann" in key]


async def test_without_valkey_each_worker_still_counts() -> None:
    async with running_valkey() as server, open_rate_limiter(server.url) as limiter:
        subject = new_subject()
        await limiter.hit(RULE, subject)
        await server.kill()
        await exhaust(limiter, subject)
        with pytest.raises(RateLimited):
            await limiter.hit(RULE, subject)
        assert limiter.breaker.failures == 1
