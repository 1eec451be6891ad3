"""Fixtures: the identity providers, started once for a test run and only when a test asks for one."""

from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.support.firebase_emulator import RunningFirebaseEmulator, running_firebase_emulator
from tests.support.oidc_provider import RunningOidcProvider, running_oidc_provider


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def oidc_provider() -> AsyncGenerator[RunningOidcProvider]:
    """One provider for all tests; a test that rotates or stops it starts its own."""
    async with running_oidc_provider() as provider:
        yield provider


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firebase_emulator() -> AsyncGenerator[RunningFirebaseEmulator]:
    """One emulator for all tests; point the SDK at it with ``in_environment``."""
    async with running_firebase_emulator() as emulator:
        yield emulator
