"""Fixtures: a Valkey for the session, and a cache on each backend for the contract."""

from collections.abc import AsyncGenerator

import pytest

from tenantry.cache.port import Cache, open_cache
from tests.support.valkey import Valkey, running_valkey


@pytest.fixture(scope="session")
async def valkey() -> AsyncGenerator[Valkey]:
    """One server for all; tests keep apart by the tenants in their keys."""
    async with running_valkey() as server:
        yield server


@pytest.fixture(params=["memory", "valkey"])
async def cache(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncGenerator[Cache]:
    """The same contract, once for each backend."""
    async with open_cache(None if request.param == "memory" else valkey.url, entries=100) as opened:
        yield opened
