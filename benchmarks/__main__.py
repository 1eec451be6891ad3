"""``python -m benchmarks``: start PostgreSQL and each server in turn, measure, write RESULTS.md."""

import argparse
import asyncio
from pathlib import Path

import uvloop

from benchmarks import report
from benchmarks.database import Bench, bench
from benchmarks.decisions.comparison import compare_decisions
from benchmarks.operations import Target
from benchmarks.sameness import collect, compare
from benchmarks.scenarios import fixed_rates, soak
from benchmarks.servers import SERVERS, Running, running
from benchmarks.sessions import revocation_lag, session_rates
from benchmarks.targets import Keys, make_keys, make_targets
from benchmarks.wrk import SCRIPT, require_wrk, run_wrk, write_requests

HERE = Path(__file__).parent
FOLDER = HERE.parent / ".tenantry" / "bench"
OPERATIONS = ("Viewer", "List", "One", "Trail", "Invite")
COUNT_INVITATIONS = "SELECT count(*) FROM invitation"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each server has its turn")
    parser.add_argument(
        "--seconds", type=float, default=None, help="of one measurement at 32 connections: 5, quick 1"
    )
    parser.add_argument("--connections", default="32,1", help="numbers of connections, commas between")
    parser.add_argument("--only", default="L,T,S,M,P,m,p", help="letters of servers, commas between")
    parser.add_argument("--operations", default=",".join(OPERATIONS), help="of " + ", ".join(OPERATIONS))
    parser.add_argument("--quick", action="store_true", help="one round, not written to RESULTS.md")
    parser.add_argument(
        "--soak", action="store_true", help="only a million requests, for the growth of memory"
    )
    parser.add_argument("--requests", type=int, default=1_000_000, help="of --soak")
    parser.add_argument(
        "--sessions", action="store_true", help="only logins, renewals and the lag of revocations"
    )
    parser.add_argument("--trials", type=int, default=None, help="revocations: 1,000, quick 50")
    parser.add_argument("--decisions", action="store_true", help="only decisions, beside other engines")
    parser.add_argument("--scenarios", action="store_true", help="only the fixed rates")
    parser.add_argument(
        "--serve", metavar="LETTER", help="start one server, say how to load it, and wait for Enter"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the database lies")
    given = parser.parse_args()
    if given.quick:
        given.rounds = 1
    if given.trials is None:
        given.trials = 50 if given.quick else 1_000
    if given.seconds is None:
        given.seconds = 1 if given.quick else 5
    return given


async def main() -> None:
    given = _arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    results = {} if given.quick else report.known(HERE)
    if given.decisions:
        results["decisions"] = compare_decisions(given)
    else:
        await _served(given, results)
    if given.serve:
        return
    if given.quick:
        print(report.text(results))
    else:
        report.write(HERE, results)


async def _served(given: argparse.Namespace, results: dict) -> None:
    """Everything that servers are started for."""
    require_wrk()
    keys = make_keys(given.folder)
    async with bench(given.folder / "database") as database:
        await database.renew()
        targets = await make_targets(database.owner, keys)
        if given.serve:
            await _serve(database, keys, targets, letter=given.serve, folder=given.folder)
            return
        if given.scenarios:
            results["rates"] = await fixed_rates(
                database, keys, targets, folder=given.folder, seconds=given.seconds * 4
            )
        elif given.sessions:
            await _sessions(database, keys, targets, given=given, results=results)
        elif given.soak:
            results["soak"] = await soak(database, keys, targets, folder=given.folder, total=given.requests)
        else:
            await _compare(database, keys, targets, given=given, results=results)


async def _compare(
    database: Bench, keys: Keys, targets: list[Target], *, given: argparse.Namespace, results: dict
) -> None:
    letters = given.only.split(",")
    results |= report.circumstances(given) | {"runs": [], "starts": []}
    await _all_say_the_same(database, keys, targets, letters=letters, folder=given.folder)
    for number in range(1, given.rounds + 1):
        for letter in letters:
            print(f"round {number}: {SERVERS[letter].title}", flush=True)
            await _turn(database, keys, targets, letter=letter, given=given, results=results)
    if "T" in letters and not given.quick:
        results["rates"] = await fixed_rates(database, keys, targets, folder=given.folder, seconds=20)
        await _sessions(database, keys, targets, given=given, results=results)
        results["decisions"] = compare_decisions(given)


async def _sessions(
    database: Bench, keys: Keys, targets: list[Target], *, given: argparse.Namespace, results: dict
) -> None:
    results["sessions"] = await session_rates(database, keys, targets, folder=given.folder, given=given)
    results["lag"] = await revocation_lag(database, keys, targets, folder=given.folder, trials=given.trials)


async def _serve(database: Bench, keys: Keys, targets: list[Target], *, letter: str, folder: Path) -> None:
    """Let one server run, for a profiler or a look."""
    server = SERVERS[letter]
    with (folder / f"{letter}.log").open("wb") as log:
        async with running(server, database.dsn(server.role), keys, targets[0], log) as started:
            print(f"{server.title}: process {started.process.pid}, database {database.owner}")
            for name in OPERATIONS:
                requests = await write_requests(started, name, targets, folder)
                print(f"wrk -t1 -c32 -d5s -s {SCRIPT} {started.url} -- {requests} $(date +%N)", flush=True)
            await asyncio.to_thread(input)


async def _all_say_the_same(
    database: Bench, keys: Keys, targets: list[Target], *, letters: list[str], folder: Path
) -> None:
    said: dict[str, dict[str, object]] = {}
    sample = [targets[0], targets[17], targets[499]]
    for letter in letters:
        await database.renew()
        server = SERVERS[letter]
        with (folder / f"{letter}.log").open("wb") as log:
            async with running(server, database.dsn(server.role), keys, targets[0], log) as started:
                said[letter] = await collect(started, sample)
    for letter in letters[1:]:
        compare(
            said[letters[0]], said[letter], f"{SERVERS[letter].title}, unlike {SERVERS[letters[0]].title},"
        )
    print(f"the same answers: {', '.join(SERVERS[letter].title for letter in letters)}", flush=True)


async def _turn(
    database: Bench,
    keys: Keys,
    targets: list[Target],
    *,
    letter: str,
    given: argparse.Namespace,
    results: dict,
) -> None:
    """One server's turn, on a fresh copy of the data."""
    await database.renew()
    server = SERVERS[letter]
    with (given.folder / f"{letter}.log").open("ab") as log:
        async with running(server, database.dsn(server.role), keys, targets[0], log) as started:
            for name in given.operations.split(","):
                await _measure(started, database, targets, name=name, given=given, results=results)
            start = {"server": letter, "cold_start": started.cold_start, "memory": started.memory()}
            results["starts"].append(start)


async def _measure(
    server: Running,
    database: Bench,
    targets: list[Target],
    *,
    name: str,
    given: argparse.Namespace,
    results: dict,
) -> None:
    """One operation at every number of connections, after a warm-up."""
    requests = await write_requests(server, name, targets, given.folder)
    await run_wrk(server.url, requests, connections=32, seconds=1 if given.quick else 2)
    for connections in map(int, given.connections.split(",")):
        seconds = given.seconds if connections > 1 else given.seconds * 0.6
        before, used = await database.ask(COUNT_INVITATIONS), server.processor_seconds()
        figures = await run_wrk(server.url, requests, connections=connections, seconds=seconds)
        if not figures.requests:
            raise SystemExit(f"{server.server.title}, {name}: no answer in {seconds:g} s")
        used = (server.processor_seconds() - used) / figures.requests
        made = await database.ask(COUNT_INVITATIONS) - before
        if figures.failed or (name == "Invite" and made < figures.requests):
            raise SystemExit(f"{server.server.title}, {name}: {figures}, {made} invitations made")
        spoken = (
            f"{figures.rps:8.0f}/s  {figures.p50:6.2f} {figures.p99:7.2f} ms, worker {1000 * used:.3f} ms"
        )
        print(f"  {name:7} {connections:3}: {spoken}", flush=True)
        results["runs"].append(
            {
                "server": server.server.letter,
                "operation": name,
                "connections": connections,
                "rps": figures.rps,
                "p50": figures.p50,
                "p99": figures.p99,
                "cpu": 1000 * used,
            }
        )


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
