"""RESULTS.md, from what was measured and kept in results.json."""

import argparse
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks.servers import FOLDERS, NODE, SERVERS
from tenantry.storage.embedded import find_binaries

TITLES = {
    "Viewer": "viewer: who am I, with roles and permissions",
    "List": "50 members with roles and permissions",
    "One": "one member by id, with roles and permissions",
    "Trail": "100 audit events by cursor",
    "Invite": "one invitation (mutation)",
}
# operation → (of L, of M, of P, of S)
TARGETS: dict[str, dict[str, float]] = {
    "Viewer": {"L": 0.5, "M": 1.5, "P": 2, "S": 10},
    "List": {"L": 0.75, "M": 2, "P": 2, "S": 10},
    "One": {"L": 0.5, "M": 1.5, "P": 2, "S": 10},
    "Trail": {"L": 0.75, "M": 1.1, "P": 2, "S": 10},
    "Invite": {"L": 0.3, "M": 0.6, "S": 4},
}
COMPARED = ("L", "M", "P", "S", "m", "p")
DECISIONS = {"plain": ("plain", 1_000_000), "conditional": ("conditional", 200_000)}
RATES = {
    "viewer": ("3,000 audited viewer queries a second", 50),
    "mixed": ("1,000 operations a second: of 100, 70 reads, 20 invitations, 5 logins, 5 renewals", 150),
}

INTRODUCTION = """# Results

Servers with one worker each, on the same data (50 tenants of 200 members, six roles each, one or two roles a member,
100,000 audit records), with the same questions and, checked before anything is measured, the same answers.

- **L**, the limit: hand-written SQL by asyncpg in a bare ASGI application (`limit/`). It verifies the same token, asks
  the database in the same statement whether the session lives, and sends the bytes that PostgreSQL made.
- **T**, Tenantry with everything on: authentication, permissions, both walls, limits, and an audit record that is on
  disk before the answer leaves. Letters to the invited go to a mailbox in memory.
- **S**, stock Strawberry with SQLAlchemy's ORM, DataLoader and permission classes (`strawberry_stock/`).
- **M**, Mercurius with `jit: 1` and loaders over `pg` (`mercurius/`).
- **P**, PostGraphile 5 with a role and settings for each transaction, and row security (`postgraphile/`).

All verify the token and ask the database on each request whether its session still lives and what it may do. **m** and
**p** are M and P without that: they look a session up once and then trust the token, for whoever can do without revocation.
T, S and M check permissions, P leaves them to row security, L to its author. Only T writes an audit trail: that work is in
its figures and in nobody else's. Load comes from `wrk` with one thread on the same machine, as 500 members of 50 tenants in
turn; every server has a fresh copy of the database for each of its turns, and turns are interleaved (L, T, S, …, L, T, …).
Figures are medians over the rounds; "worker ms" is what the server's process used of a processor for one answer, the
database not counted. Anything but a whole answer stops the run.
"""


def circumstances(given: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    postgres = subprocess.run(
        [find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    node = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True)
    locks = {
        letter: orjson.loads((folder / "package.json").read_bytes()) for letter, folder in FOLDERS.items()
    }
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": f"python -m benchmarks --rounds {given.rounds} --seconds {given.seconds:g}",
        "rounds": given.rounds,
        "machine": f"{platform.machine()}, {_cores()} cores, {platform.system()}",
        "versions": {
            "Python": platform.python_version(),
            "PostgreSQL": postgres.stdout.split()[-1],
            "Node": node.stdout.strip().removeprefix("v"),
            "Strawberry": version("strawberry-graphql"),
            "SQLAlchemy": version("sqlalchemy"),
            "asyncpg": version("asyncpg"),
            "uvicorn": version("uvicorn"),
            "Mercurius": locks["M"]["dependencies"]["mercurius"],
            "PostGraphile": locks["P"]["dependencies"]["postgraphile"],
        },
    }


def _cores() -> int:
    return len(Path("/proc/cpuinfo").read_text().split("processor\t:")) - 1 if sys.platform == "linux" else 0


def known(folder: Path) -> dict[str, Any]:
    """What was measured before: a run of one part leaves the others as they are."""
    path = folder / "results.json"
    return orjson.loads(path.read_bytes()) if path.exists() else {}


def write(folder: Path, results: dict[str, Any]) -> None:
    """Keep the figures, and write RESULTS.md from them."""
    (folder / "results.json").write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    profile = folder / "PROFILE.md"
    parts = [text(results), profile.read_text() if profile.exists() else ""]
    (folder / "RESULTS.md").write_text("\n".join(part for part in parts if part))
    print(f"written: {folder / 'RESULTS.md'}")


def text(results: dict[str, Any]) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    if "runs" in results:
        parts += [_summary(results), *_tables(results), _starts(results)]
    if "rates" in results:
        parts.append(_rates(results["rates"]))
    if "sessions" in results:
        parts.append(_sessions(results["sessions"], results["lag"]))
    if "decisions" in results:
        parts.append(_decisions(results["decisions"]))
    if "soak" in results:
        parts.append(_soak(results["soak"]))
    if "versions" in results:
        parts.append(_circumstances(results))
    return "\n".join(parts)


def _figures(results: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, float]]:
    grouped: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    for run in results["runs"]:
        grouped.setdefault((run["operation"], run["server"], run["connections"]), []).append(run)
    return {
        place: {name: median(run[name] for run in runs) for name in ("rps", "p50", "p99", "cpu")}
        for place, runs in grouped.items()
    }


def _letters(results: dict[str, Any]) -> list[str]:
    measured = {run["server"] for run in results["runs"]}
    return [letter for letter in SERVERS if letter in measured]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _summary(results: dict[str, Any]) -> str:
    figures = _figures(results)
    rows = []
    for operation, targets in TARGETS.items():
        ours = figures.get((operation, "T", 32))
        if ours is None:
            continue
        row = [TITLES[operation]]
        for letter in COMPARED:
            other = figures.get((operation, letter, 32))
            target = targets.get(letter)
            if other is None:
                row.append("–")
                continue
            ratio = ours["rps"] / other["rps"]
            verdict = (
                ""
                if target is None
                else f" (target {target:g}: {'reached' if ratio >= target else '**not reached**'})"
            )
            row.append(f"{ratio:.2f}{verdict}")
        rows.append(row)
    return "## Ratios at 32 connections\n\n" + _table(["", *(f"T / {letter}" for letter in COMPARED)], rows)


def _tables(results: dict[str, Any]) -> list[str]:
    figures = _figures(results)
    connections = sorted({run["connections"] for run in results["runs"]}, reverse=True)
    found = []
    for operation, title in TITLES.items():
        rows = []
        for letter in _letters(results):
            row = [f"{letter} {SERVERS[letter].title}"]
            for count in connections:
                one, limit = figures.get((operation, letter, count)), figures.get((operation, "L", count))
                if one is None:
                    row += ["–"] * 5
                    continue
                of_limit = f"{one['rps'] / limit['rps']:.2f}" if limit else "–"
                row += [
                    f"{one['rps']:,.0f}",
                    of_limit,
                    *(f"{one[name]:.2f}" for name in ("p50", "p99", "cpu")),
                ]
            if any(cell != "–" for cell in row[1:]):
                rows.append(row)
        if rows:
            head = [
                cell
                for c in connections
                for cell in (f"answers/s, {c} conn.", "of L", "p50 ms", "p99 ms", "worker ms")
            ]
            found.append(f"## {title[0].upper()}{title[1:]}\n\n" + _table(["", *head], rows))
    return found


def _starts(results: dict[str, Any]) -> str:
    rows = []
    for letter in _letters(results):
        starts = [start for start in results["starts"] if start["server"] == letter]
        cold, memory = (median(start[name] for start in starts) for name in ("cold_start", "memory"))
        rows.append([f"{letter} {SERVERS[letter].title}", f"{cold:.2f}", f"{memory:.0f}"])
    head = ["", "cold start, s (from exec to the first answer)", "memory after its turn, MB (RSS)"]
    return "## Cold start and memory\n\n" + _table(head, rows)


def _rates(rates: list[dict[str, Any]]) -> str:
    rows = []
    for rate in rates:
        title, bound = RATES[rate["name"]]
        reached = rate["p99"] <= bound and rate["rate"] >= 0.99 * rate["asked"] and not rate["failed"]
        verdict = "reached" if reached else "**not reached**"
        times = [f"{rate['p50']:.1f}", f"{rate['p99']:.1f}", f"{bound}"]
        row = [title, f"{rate['rate']:,.0f}", *times, f"{rate['failed']}", verdict]
        rows.append(row)
    head = [
        "Tenantry alone, generator and database on the same cores",
        "answered/s",
        "p50 ms",
        "p99 ms",
        "bound ms",
        "failed",
        "",
    ]
    note = (
        "Sent at a fixed rate on 64 connections whether or not answers have come, and timed from the moment each was due "
        "(`load.py`). The trail held one record or more for each request at the end.\n"
    )
    return "## Fixed rates\n\n" + _table(head, rows) + "\n" + note


def _sessions(rounds: list[dict[str, Any]], lag: dict[str, Any]) -> str:
    rows = []
    for name, title in (
        ("login", "exchange of an ID token (OIDC, keys at hand)"),
        ("refresh", "renewal by cookie"),
    ):
        runs = [each for each in rounds if each["name"] == name]
        rate, p50, p99 = (median(run[figure] for run in runs) for figure in ("rate", "p50", "p99"))
        rows.append([title, f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}"])
    table = _table(["Tenantry, one worker, 16 at a time, medians", "answered/s", "p50 ms", "p99 ms"], rows)
    return (
        f"## The life of a login\n\n{table}\n"
        f"{lag['trials']:,} logouts, each at one of {lag['workers']} workers while all of them answer for that person "
        f"without a pause: {lag['late']} operations that began after the answer to the logout were not refused "
        f"(worst lag {lag['worst']:.1f} ms). The logout is answered after {lag['answer']:.1f} ms, and the last operation "
        f"that is not refused begins {lag['until']:.1f} ms after the logout was sent (medians). "
        "`python -m benchmarks --sessions` repeats it. The load is Python's, on the same cores.\n"
    )


def _decisions(decisions: dict[str, Any]) -> str:
    rates = {
        (engine, kind): median(run["rate"] for run in runs)
        for (engine, kind), runs in _grouped(decisions["runs"]).items()
    }
    ours = {kind: rates["tenantry", kind] for kind in DECISIONS}
    rows = []
    for engine, version_ in decisions["versions"].items():
        row = [f"{engine} {version_}"]
        for kind in DECISIONS:
            rate = rates[engine, kind]
            row += [f"{rate:,.0f}", f"{ours[kind] / rate:,.1f}"]
        rows.append(row)
    head = [
        cell for title, _ in DECISIONS.values() for cell in (f"{title}, decisions/s", "Tenantry is × faster")
    ]
    verdicts = "; ".join(
        f"{title} {target:,} a second: {'reached' if ours[kind] >= target else '**not reached**'}"
        for kind, (title, target) in DECISIONS.items()
    )
    shares = " and ".join(f"{share:.0%} of the {kind} ones" for kind, share in decisions["yes"].items())
    return (
        f"## Decisions\n\n{_table(['', *head], rows)}\n"
        f"Targets: {verdicts}. With the facts of each object gathered anew from its row, Tenantry decides "
        f"{rates['tenantry', 'gathered']:,.0f} conditional questions a second.\n\n"
        "One policy (six roles, 48 plain permissions, five that depend on own, own team or attributes), 200 people, 500 "
        f"objects, 2,000 questions of each kind, the same for all; right answers are worked out without an engine (yes to "
        f"{shares}), and a wrong one stops the run. Each engine runs in a process of its own, one "
        "after the other in every round, is asked one question a call, and is given its requests ready-made; a second is one "
        f"of the processor. Medians of {decisions['rounds']} rounds of {decisions['seconds']:g} s. Tenantry closes a "
        "caller's roles when their session is read from the database, so that a plain decision is a look-up in a set; the "
        "others resolve roles at each decision, Cedar from entities parsed beforehand. casbin is its `FastEnforcer`. "
        f"`{decisions['command']}` repeats it.\n"
    )


def _grouped(runs: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["engine"], run["kind"]), []).append(run)
    return found


def _soak(soak: dict[str, Any]) -> str:
    growth = soak["after"] - soak["before"]
    scaled = growth * 1_000_000 / soak["requests"]
    verdict = "reached" if scaled < 1 else "**not reached**"
    return (
        "## Memory over a million requests\n\n"
        f"{soak['requests']:,} viewer queries after a warm-up: {soak['before']:.1f} MB before, {soak['after']:.1f} MB "
        f"after, {scaled:+.2f} MB a million (target: less than 1 MB: {verdict}). `python -m benchmarks --soak` repeats it.\n"
    )


def _circumstances(results: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return (
        f"## Circumstances\n\n`make bench` ({results['command']}), {results['date']}, {results['rounds']} rounds, "
        f"{results['machine']}, shared by load, server and database. {versions}.\n"
    )
