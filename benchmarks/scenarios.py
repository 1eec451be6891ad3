"""What Tenantry alone must hold: a rate with its 99th percentile, and no growth over a million requests."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.database import Bench
from benchmarks.dataset import MEMBERS, SIGNED_IN, TENANTS
from benchmarks.issuer import Issuer, running_issuer
from benchmarks.load import Outcome, Source, fixed_rate, http_request
from benchmarks.operations import PLAIN, UNIQUE, Target
from benchmarks.servers import SERVERS, Running, running
from benchmarks.targets import Keys, body
from benchmarks.wrk import run_wrk, write_requests

COUNT_RECORDS = "SELECT count(*) FROM audit_record"
LOGIN = """mutation Login($idToken: JWT!, $issuer: String!) {
  login(input: { oidc: { idToken: $idToken, issuer: $issuer } }) {
    __typename ... on LoginSuccess { accessToken expiresAt viewer { permissions } }
  }
}"""
REFRESH = "mutation Refresh { sessionRefresh { __typename ... on LoginSuccess { accessToken expiresAt } } }"
MIX = ("Viewer",) * 7 + ("One",) * 3 + ("List",) * 2 + ("Trail",) * 2 + ("Invite",) * 4 + ("Login", "Refresh")
"""Of 100 operations 70 read, 20 write, 5 sign in and 5 renew their session; shuffled by a stride below."""
STRIDE = 7


@asynccontextmanager
async def _tenantry(
    database: Bench, keys: Keys, targets: list[Target], folder: Path
) -> AsyncGenerator[tuple[Running, Issuer]]:
    await database.renew()
    server = SERVERS["T"]
    async with running_issuer() as issuer:
        with (folder / "T.log").open("ab") as log:
            dsn = database.dsn(server.role)
            async with running(server, dsn, keys, targets[0], log, issuer.settings) as started:
                yield started, issuer


async def fixed_rates(
    database: Bench, keys: Keys, targets: list[Target], *, folder: Path, seconds: float
) -> list[dict]:
    """The viewer's rate and the mixed one."""
    async with _tenantry(database, keys, targets, folder) as (started, issuer):
        viewers = _ready(targets, "Viewer")
        logins = _logins(issuer)
        refreshes = await _refreshes(started.url, logins, int(1_000 * seconds / len(MIX)) + 100)
        mixed = _mixed(targets, logins, refreshes)
        port = int(started.url.rsplit(":", 1)[1])
        await fixed_rate(port, _turns(viewers), rate=1_000, seconds=3)
        found = [await _at_rate(database, port, _turns(viewers), name="viewer", rate=3_000, seconds=seconds)]
        await fixed_rate(port, mixed, rate=300, seconds=3)
        found.append(await _at_rate(database, port, mixed, name="mixed", rate=1_000, seconds=seconds))
        return found


async def _at_rate(
    database: Bench, port: int, source: Source, *, name: str, rate: float, seconds: float
) -> dict:
    before = await database.ask(COUNT_RECORDS)
    outcome = await fixed_rate(port, source, rate=rate, seconds=seconds)
    recorded = await database.ask(COUNT_RECORDS) - before
    _check(outcome, recorded, name)
    figures = {
        "name": name,
        "asked": rate,
        "rate": len(outcome.latencies) / outcome.elapsed,
        "p50": outcome.percentile(0.5),
        "p99": outcome.percentile(0.99),
        "failed": outcome.failed,
        "recorded": recorded,
        "requests": len(outcome.latencies),
    }
    print(f"  {name}: {figures}", flush=True)
    return figures


def _check(outcome: Outcome, recorded: int, name: str) -> None:
    """Refused for want of room is a figure; an answer without its record is not."""
    if outcome.failed:
        print(f"  {name}: {outcome.failed} failed, the first: {outcome.first_failure!r}", flush=True)
    if recorded + outcome.failed < len(outcome.latencies):
        raise SystemExit(f"{name}: {len(outcome.latencies)} answers, {recorded} records")


def _ready(targets: list[Target], name: str) -> list[bytes]:
    return [http_request("/graphql", body(PLAIN[name], name, target), target.token) for target in targets]


def _turns(requests: list[bytes]) -> Source:
    return lambda number: requests[number % len(requests)]


def _logins(issuer: Issuer) -> list[bytes]:
    """Everyone who is not suspended signs in, some of them twice."""
    able = [
        n
        for n in range(1, TENANTS * MEMBERS + 1)
        if (n - 1) % MEMBERS < SIGNED_IN or ((n - 1) % MEMBERS + 1) % 20
    ]
    found = []
    for person in able[::5]:
        variables = {"idToken": issuer.id_token(person), "issuer": issuer.url}
        content = orjson.dumps({"operationName": "Login", "query": LOGIN, "variables": variables})
        found.append(http_request("/graphql", content))
    return found


async def _refreshes(url: str, logins: list[bytes], count: int) -> list[bytes]:
    """One renewal for each of ``count`` sessions, opened here; a cookie is good for one use."""
    content = orjson.dumps({"operationName": "Refresh", "query": REFRESH})
    cookies: list[str] = []
    async with httpx.AsyncClient() as client:
        for number in range(count):
            body = logins[number % len(logins)].split(b"\r\n\r\n", 1)[1]
            headers = {"content-type": "application/json"}
            answer = await client.post(f"{url}/graphql", content=body, headers=headers)
            if "set-cookie" not in answer.headers:
                raise SystemExit(f"a login failed: {answer.text}")
            cookies.append(answer.headers["set-cookie"].split(";")[0])
    return [http_request("/graphql", content, cookie=cookie) for cookie in cookies]


def _mixed(targets: list[Target], logins: list[bytes], refreshes: list[bytes]) -> Source:
    kinds: dict[str, Source] = {
        name: _turns(_ready(targets, name)) for name in ("Viewer", "One", "List", "Trail")
    }
    kinds["Login"] = _turns(logins)
    renewals = iter(refreshes)
    kinds["Refresh"] = lambda _: next(renewals)
    invitations = _ready(targets, "Invite")
    mark, fresh = UNIQUE.encode(), _numbers()
    kinds["Invite"] = lambda number: invitations[number % len(invitations)].replace(mark, b"m%09d" % fresh())
    return lambda number: kinds[MIX[number * STRIDE % len(MIX)]](number // len(MIX) * 7 + number % 7)


def _numbers() -> Callable[[], int]:
    count = iter(range(10**9))
    return lambda: next(count)


async def soak(
    database: Bench, keys: Keys, targets: list[Target], *, folder: Path, total: int
) -> dict[str, Any]:
    """Memory before and after ``total`` viewer queries, once a tenth of them has warmed everything up."""
    async with _tenantry(database, keys, targets, folder) as (started, _):
        requests = await write_requests(started, "Viewer", targets, folder)
        await _send(started, requests, total // 10)
        before = started.memory()
        done = await _send(started, requests, total)
        return {"requests": done, "before": before, "after": started.memory()}


async def _send(server: Running, requests: Path, total: int) -> int:
    done, seconds = 0, 2.0
    while done < total:
        figures = await run_wrk(server.url, requests, connections=32, seconds=seconds)
        done, seconds = done + figures.requests, min(30.0, max(1.0, (total - done) / figures.rps))
        print(f"  {done} requests, {server.memory():.1f} MB", flush=True)
    return done
