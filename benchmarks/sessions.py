"""The life of a login under load: exchanges and renewals a second, and how late a revocation is."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import orjson

from benchmarks.database import Bench
from benchmarks.dataset import MEMBERS, SIGNED_IN, TENANTS
from benchmarks.issuer import Issuer, running_issuer
from benchmarks.load import LENGTH, http_request
from benchmarks.operations import Target
from benchmarks.scenarios import LOGIN, REFRESH
from benchmarks.servers import SERVERS, running
from benchmarks.targets import Keys

LANES = 16
WORKERS = 4
HEADERS = {"content-type": "application/json"}
READ = orjson.dumps({"query": "{ tenant { name } }"})
WRITE = orjson.dumps({"query": "mutation { totpEnroll { __typename } }"})
REFUSED = b'"code":"UNAUTHENTICATED"'
SET_COOKIE = re.compile(rb"\r\nset-cookie: *([^;]+);", re.IGNORECASE)
LOGOUT = orjson.dumps({"query": "mutation { logout { success } }"})

Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends one request on a connection of its own, and gives the whole answer."""
Once = Callable[[Ask, int], Awaitable[None]]
"""What one lane does again and again; lanes have numbers."""


async def session_rates(
    database: Bench, keys: Keys, targets: list[Target], *, folder: Path, given: Any
) -> list[dict]:
    """Exchanges of an ID token for an access token, and renewals by cookie: one worker, ``LANES`` at a time."""
    found: list[dict] = []
    for number in range(1, given.rounds + 1):
        await database.renew()
        async with AsyncExitStack() as stack:
            (url,), issuer = await _workers(stack, database, keys, targets, folder=folder, workers=1)
            logins = _logins(issuer)
            lanes = {
                "login": _exchanges([http_request("/graphql", login) for login in logins]),
                "refresh": _renewals(await _cookies(url, logins)),
            }
            for name, once in lanes.items():
                await _rate(url, once, seconds=1)
                figures = {"name": name, "round": number, **await _rate(url, once, seconds=given.seconds)}
                print(f"  {figures}", flush=True)
                found.append(figures)
    return found


def _exchanges(requests: Sequence[bytes]) -> Once:
    turn = count()

    async def once(ask: Ask, _lane: int) -> None:
        answer = await ask(requests[next(turn) % len(requests)])
        if b'"LoginSuccess"' not in answer:
            raise SystemExit(f"a login failed: {answer!r}")

    return once


def _renewals(cookies: dict[int, str]) -> Once:
    content = orjson.dumps({"query": REFRESH})

    async def once(ask: Ask, lane: int) -> None:
        answer = await ask(http_request("/graphql", content, cookie=cookies[lane]))
        fresh = SET_COOKIE.search(answer)
        if fresh is None:
            raise SystemExit(f"a renewal failed: {answer!r}")
        cookies[lane] = fresh.group(1).decode()

    return once


async def _rate(url: str, once: Once, *, seconds: float) -> dict[str, float]:
    """How often ``once`` is done a second by all lanes, each waiting for its answer."""
    taken: list[float] = []
    began = time.perf_counter()

    async def lane(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))

        async def ask(request: bytes) -> bytes:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            return head + await reader.readexactly(int(length.group(1)) if length else 0)

        while time.perf_counter() < began + seconds:
            sent = time.perf_counter()
            await once(ask, number)
            taken.append(time.perf_counter() - sent)
        writer.close()

    await asyncio.gather(*(lane(number) for number in range(LANES)))
    taken.sort()
    return {
        "rate": len(taken) / (time.perf_counter() - began),
        "p50": 1000 * median(taken),
        "p99": 1000 * taken[int(0.99 * len(taken))],
    }


async def _workers(
    stack: AsyncExitStack,
    database: Bench,
    keys: Keys,
    targets: list[Target],
    *,
    folder: Path,
    workers: int,
) -> tuple[list[str], Issuer]:
    """So many workers over one database, and the issuer that they trust."""
    issuer = await stack.enter_async_context(running_issuer())
    server = SERVERS["T"]
    log = stack.enter_context((folder / "T.log").open("ab"))
    started = [
        await stack.enter_async_context(
            running(server, database.dsn(server.role), keys, targets[0], log, issuer.settings)
        )
        for _ in range(workers)
    ]
    return [each.url for each in started], issuer


def _logins(issuer: Issuer) -> list[bytes]:
    """The login of each member who may sign in and has a session already: owners and administrators."""
    people = [n for n in range(1, TENANTS * MEMBERS + 1) if (n - 1) % MEMBERS < SIGNED_IN]
    return [
        orjson.dumps({"query": LOGIN, "variables": {"idToken": issuer.id_token(n), "issuer": issuer.url}})
        for n in people
    ]


async def _login(client: httpx.AsyncClient, login: bytes) -> httpx.Response:
    answer = await client.post("/graphql", content=login, headers=HEADERS)
    if b'"LoginSuccess"' not in answer.content:
        raise SystemExit(f"a login failed: {answer.text}")
    return answer


async def _cookies(url: str, logins: Sequence[bytes]) -> dict[int, str]:
    """A session of its own for each lane, by its cookie."""
    async with httpx.AsyncClient(base_url=url) as client:
        answers = [await _login(client, logins[lane]) for lane in range(LANES)]
    return {lane: answer.headers["set-cookie"].split(";")[0] for lane, answer in enumerate(answers)}


@dataclass(slots=True)
class _Trial:
    """One revocation: when it was asked for and answered, and when each worker last began what it did."""

    asked: float = 0.0
    answered: float = 0.0
    last: float = 0.0
    """When the last operation began that was not refused, read or mutation."""


async def revocation_lag(
    database: Bench, keys: Keys, targets: list[Target], *, folder: Path, trials: int
) -> dict[str, Any]:
    """How long after the answer to a logout an operation still began, in any worker, that was not refused.

    Each trial signs somebody in, lets every worker answer for them without a pause, and signs them
    out at one of the workers in turn.
    """
    await database.renew()
    found: list[_Trial] = []
    async with AsyncExitStack() as stack:
        urls, issuer = await _workers(stack, database, keys, targets, folder=folder, workers=WORKERS)
        clients = [await stack.enter_async_context(httpx.AsyncClient(base_url=url)) for url in urls]
        logins = _logins(issuer)
        for number in range(trials):
            found.append(await _one(clients, logins[number % len(logins)], at=number % WORKERS))
            if number % 100 == 99:
                print(f"  {number + 1} revocations", flush=True)
    late = [trial.last - trial.answered for trial in found]
    return {
        "trials": trials,
        "workers": WORKERS,
        "late": sum(each > 0 for each in late),
        "worst": max(0.0, *(1000 * each for each in late)),
        "until": median(1000 * max(0.0, trial.last - trial.asked) for trial in found),
        "answer": median(1000 * (trial.answered - trial.asked) for trial in found),
    }


async def _one(clients: Sequence[httpx.AsyncClient], login: bytes, *, at: int) -> _Trial:
    signed_in = (await _login(clients[0], login)).json()
    token = signed_in["data"]["login"]["accessToken"]
    headers = {**HEADERS, "authorization": f"Bearer {token}"}
    trial = _Trial()
    warm = asyncio.Event()
    answers = 0

    async def hammer(client: httpx.AsyncClient) -> None:
        nonlocal answers
        for content in cycle((READ, WRITE)):
            began = time.perf_counter()
            answer = await client.post("/graphql", content=content, headers=headers)
            if REFUSED in answer.content:
                return
            if b'"errors"' in answer.content:
                raise SystemExit(f"an operation failed: {answer.text}")
            trial.last = max(trial.last, began)
            answers += 1
            if answers >= 3 * len(clients):
                warm.set()

    running_ones = [asyncio.create_task(hammer(client)) for client in clients]
    await warm.wait()
    trial.asked = time.perf_counter()
    answer = await clients[at].post("/graphql", content=LOGOUT, headers=headers)
    trial.answered = time.perf_counter()
    if b'"success":true' not in answer.content:
        raise SystemExit(f"a logout failed: {answer.text}")
    await asyncio.gather(*running_ones)
    return trial
