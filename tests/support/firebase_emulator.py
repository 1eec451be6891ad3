"""The real Firebase Auth emulator (npm firebase-tools), spoken to by its REST API."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx

from tests.support.node_peer import START_SECONDS, node_peer

PROJECT = "demo-tenantry"
VARIABLE = "FIREBASE_AUTH_EMULATOR_HOST"


@dataclass(frozen=True)
class RunningFirebaseEmulator:
    """An emulator that listens on ``host`` (address and port) for ``project``."""

    host: str
    project: str

    async def sign_up(
        self, email: str, password: str, *, verified: bool = True, name: str | None = None
    ) -> str:
        """Makes an account with e-mail and password and returns its ID token.

        With ``verified``, as after a click on the link in Firebase's mail.
        """
        body = {"email": email, "password": password, "returnSecureToken": True}
        named = {} if name is None else {"displayName": name}
        account = await self._post("accounts:signUp", body | named)
        if verified:
            change = {"localId": account["localId"], "emailVerified": True}
            await self._post(f"projects/{self.project}/accounts:update", change)
        return await self.sign_in(email, password)

    async def sign_in(self, email: str, password: str) -> str:
        """A fresh ID token of an account that exists."""
        body = {"email": email, "password": password, "returnSecureToken": True}
        return str((await self._post("accounts:signInWithPassword", body))["idToken"])

    @contextmanager
    def in_environment(self) -> Generator[None]:
        """Points Google's SDK at the emulator for the block, by the variable that it reads."""
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = self.host
        try:
            yield
        finally:
            os.environ.pop(VARIABLE)
            if before is not None:
                os.environ[VARIABLE] = before

    async def _post(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        url = f"http://{self.host}/identitytoolkit.googleapis.com/v1/{path}"
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(
                url, params={"key": "any"}, headers={"Authorization": "Bearer owner"}, json=body
            )
        answer.raise_for_status()
        return answer.json()


@asynccontextmanager
async def running_firebase_emulator(project: str = PROJECT) -> AsyncGenerator[RunningFirebaseEmulator]:
    """Starts an emulator on a free port (seconds, on a slow machine a minute), stops it afterwards."""
    async with node_peer("firebase-emulator.mjs", project, str(_free_port())) as ready:
        await _answering(f"http://{ready['host']}/")
        yield RunningFirebaseEmulator(ready["host"], project)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answering(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                (await http.get(url)).raise_for_status()
                return
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
